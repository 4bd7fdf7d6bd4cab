/*
 * deflate.c: any bytes inflated into outputs of any size against a plain decoder, and any bytes
 * deflated with any window and inflated again. One codec serves all inputs, so that what one
 * message leaves behind would show in the next.
 */
#include "fuzz.h"

#include "../deflate.h"
#include "plain_inflate.h"

#include <stdlib.h>
#include <string.h>

enum { OUTPUT_MAX = 4 << 20, SCRIPT_MAX = 64, ROOM = 16 << 10, SLOW_MAX = 4096 };

static struct deflate_codec *codec;
static uint8_t expected[OUTPUT_MAX], actual[OUTPUT_MAX];

/* Blocks of exactly these sizes, which are gone before the next call. */
static enum deflate_outcome unpack_once(const uint8_t *input, size_t length, uint8_t *output,
                                        size_t room, bool is_first, bool is_last,
                                        int32_t progress[2]) {
  uint8_t *copy = malloc(length + (length == 0)), *block = malloc(room + (room == 0));
  REQUIRE(copy != NULL && block != NULL);
  if (length > 0) memcpy(copy, input, length);
  const enum deflate_outcome outcome =
      deflate_unpack(codec, copy, length, block, room, is_first, is_last, progress);
  REQUIRE(progress[0] >= 0 && (size_t)progress[0] <= length);
  REQUIRE(progress[1] >= 0 && (size_t)progress[1] <= room);
  memcpy(output, block, (size_t)progress[1]);
  free(copy);
  free(block);
  return outcome;
}

/* Whether the message is whole; what it holds is in `actual`. */
static bool unpack(const uint8_t *payload, size_t length, size_t *produced) {
  const size_t last_room = script_below(16);
  size_t at = 0;
  bool is_first = true;
  int32_t progress[2];
  enum deflate_outcome outcome;
  *produced = 0;
  do {
    const size_t rest = OUTPUT_MAX - *produced;
    size_t room = 1 + script_below(script_chance(4) ? 5000 : 12);
    if (script_is_over()) room = last_room > 0 && *produced < SLOW_MAX ? last_room : ROOM;
    if (room > rest) room = rest;
    /* The payload comes in parts, too. */
    const bool is_last = script_is_over() || script_chance(2);
    const size_t part = is_last ? length - at : script_below(12) % (length - at + 1);
    outcome =
        unpack_once(payload + at, part, actual + *produced, room, is_first, is_last, progress);
    is_first = false;
    at += (size_t)progress[0];
    *produced += (size_t)progress[1];
    const bool is_stopped = is_last || (size_t)progress[0] < part;
    if (outcome == DEFLATE_FULL && is_stopped) REQUIRE((size_t)progress[1] == room);
    REQUIRE(outcome != DEFLATE_WHOLE || is_last);
  } while (outcome == DEFLATE_FULL);
  if (outcome == DEFLATE_WHOLE) REQUIRE(at == length);
  return outcome == DEFLATE_WHOLE;
}

static void check_garbage(const uint8_t *payload, size_t length) {
  size_t wanted, produced;
  const bool is_whole = plain_inflate(payload, length, expected, OUTPUT_MAX, &wanted);
  REQUIRE(unpack(payload, length, &produced) == is_whole);
  if (!is_whole) return;
  REQUIRE(produced == wanted && memcmp(actual, expected, wanted) == 0);
}

static void check_round_trip(const uint8_t *message, size_t length) {
  const int span = DEFLATE_WINDOW_BITS_MAX - DEFLATE_WINDOW_BITS_MIN + 1;
  const int window_bits = DEFLATE_WINDOW_BITS_MIN + (int)script_below((uint32_t)span);
  const size_t room = script_chance(3) ? script_below(64) : length + length / 8 + 64;
  uint8_t *packed = malloc(room + (room == 0));
  size_t produced;
  REQUIRE(packed != NULL);
  const int32_t size = deflate_pack(codec, message, length, window_bits, packed, room);
  REQUIRE(size >= 0 && (size_t)size <= room);
  if (room >= length + 64) REQUIRE(size > 0);
  if (size > 0) {
    REQUIRE(unpack(packed, (size_t)size, &produced));
    REQUIRE(produced == length && memcmp(actual, message, length) == 0);
  }
  free(packed);
}

/* The first quarter of the input, at most, is the script, and the rest of it the bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
  const size_t script = length / 4 < SCRIPT_MAX ? length / 4 : SCRIPT_MAX;
  if (codec == NULL) codec = deflate_codec_create();
  REQUIRE(codec != NULL);
  script_begin(bytes, script);
  if (script_chance(16)) {
    deflate_codec_destroy(codec);
    codec = deflate_codec_create();
  }
  if (script_chance(4)) check_round_trip(bytes + script, length - script);
  else check_garbage(bytes + script, length - script);
  return 0;
}
