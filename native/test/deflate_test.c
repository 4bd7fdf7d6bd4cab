/*
 * Whole messages through the codec and back, with outputs of every small size, against the examples
 * of RFC 7692 and zlib itself. What is cut short or made to harm is in deflate_hostile_test.c.
 */
#include "../deflate.h"
#include "deflate_fixture.h"
#include "harness.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { MESSAGE = 70000, ROUNDS = 300 };

static const char HELLO[] = "Hello";

/* RFC 7692, 7.2.3.1 to 7.2.3.6, and the forms of it that lenient senders have. */
static const struct {
  const char *hex, *message;
} EXAMPLES[] = {
    {"f248cdc9c90700", HELLO},
    {"000500faff48656c6c6f00", HELLO},
    {"f348cdc9c9070000", HELLO},
    {"f248050000" "00ffffcac9c90700", HELLO},
    {"00", ""},
    {"", ""},
    {"01", ""},
    {"f348cdc9c90700", HELLO},
    {"010500faff48656c6c6f", HELLO},
    {"f348cdc9c90700f348cdc9c9070000", "HelloHello"},
    {"0300030003000300", ""},
};

TEST(inflate_examples, "every example of RFC 7692 inflates, with outputs of every size") {
  struct deflate_codec *codec = deflate_codec_create();
  uint8_t payload[32], message[32];
  for (size_t i = 0; i < sizeof EXAMPLES / sizeof *EXAMPLES; i++) {
    const size_t length = from_hex(EXAMPLES[i].hex, payload);
    const size_t expected = strlen(EXAMPLES[i].message);
    for (size_t step = 1; step < 14; step++) {
      CHECK_EQUAL(inflate_all(codec, payload, length, message, sizeof message, step), expected);
      CHECK_EQUAL(memcmp(message, EXAMPLES[i].message, expected), 0);
    }
  }
  deflate_codec_destroy(codec);
}

TEST(deflate_examples, "a message deflates to the bytes that RFC 7692 gives for it") {
  struct deflate_codec *codec = deflate_codec_create();
  uint8_t expected[8], output[16];
  const size_t length = from_hex("f248cdc9c90700", expected);
  CHECK_EQUAL(deflate_pack(codec, (const uint8_t *)HELLO, 5, 15, output, sizeof output), length);
  CHECK_EQUAL(memcmp(output, expected, length), 0);
  CHECK_EQUAL(deflate_pack(codec, NULL, 0, 15, output, sizeof output), 1);
  CHECK_EQUAL(output[0], 0);
  deflate_codec_destroy(codec);
}

TEST(inflate_exact, "a message that fills the output exactly is whole, one byte less is not") {
  struct deflate_codec *codec = deflate_codec_create();
  uint8_t *message = random_message(MESSAGE), *payload = malloc(2 * MESSAGE);
  for (size_t length = 1; length <= 600; length++) {
    const int32_t packed = deflate_pack(codec, message, length, 15, payload, 2 * MESSAGE);
    uint8_t *output = malloc(length);
    int32_t progress[2];
    enum deflate_outcome outcome =
        deflate_unpack(codec, payload, (size_t)packed, output, length, true, true, progress);
    CHECK_EQUAL(outcome, DEFLATE_WHOLE);
    CHECK_EQUAL(progress[0], packed);
    CHECK_EQUAL(progress[1], length);
    CHECK_EQUAL(memcmp(output, message, length), 0);
    outcome =
        deflate_unpack(codec, payload, (size_t)packed, output, length - 1, true, true, progress);
    CHECK_EQUAL(outcome, DEFLATE_FULL);
    CHECK_EQUAL(progress[1], length - 1);
    free(output);
  }
  free(message);
  free(payload);
  deflate_codec_destroy(codec);
}

TEST(round_trips, "what is deflated with any window comes back through outputs of any size") {
  struct deflate_codec *codec = deflate_codec_create();
  uint8_t *payload = malloc(2 * MESSAGE), *back = malloc(MESSAGE);
  for (int round = 0; round < ROUNDS; round++) {
    const bool is_long = round % 8 == 0;
    const size_t length = test_random() % (is_long ? MESSAGE : 900);
    const int bits = 9 + (int)(test_random() % 7);
    /* Each piece copies the rest of its input. */
    const size_t step = is_long ? 2000 + test_random() % MESSAGE : 1 + test_random() % 50;
    uint8_t *message = random_message(length);
    const int32_t packed = deflate_pack(codec, message, length, bits, payload, 2 * MESSAGE);
    CHECK(packed > 0);
    CHECK_EQUAL(inflate_all(codec, payload, (size_t)packed, back, MESSAGE, step), length);
    CHECK_EQUAL(memcmp(back, message, length), 0);
    free(message);
  }
  free(payload);
  free(back);
  deflate_codec_destroy(codec);
}

TEST(deflate_windows, "no message reaches further back than its window allows") {
  struct deflate_codec *codec = deflate_codec_create();
  uint8_t *payload = malloc(2 * MESSAGE), *back = malloc(MESSAGE);
  for (int bits = 9; bits <= 15; bits++) {
    uint8_t *message = random_message(MESSAGE);
    /* Twice the same, a little more than the smaller windows apart. */
    memmove(message + (1 << bits) + 100, message, 4000);
    const int32_t packed = deflate_pack(codec, message, MESSAGE, bits, payload, 2 * MESSAGE);
    z_stream stream = {.next_in = payload, .avail_in = (uInt)packed};
    CHECK_EQUAL(inflateInit2(&stream, -bits), Z_OK);
    /* Within one output zlib would not need its window. */
    for (size_t at = 0; at < MESSAGE; at++) {
      stream.next_out = back + at;
      stream.avail_out = 1;
      CHECK_EQUAL(inflate(&stream, Z_SYNC_FLUSH), Z_OK);
    }
    CHECK_EQUAL(memcmp(back, message, MESSAGE), 0);
    inflateEnd(&stream);
    free(message);
  }
  free(payload);
  free(back);
  deflate_codec_destroy(codec);
}

TEST(deflate_afresh, "what a message deflates to does not depend on the messages before it") {
  struct deflate_codec *used = deflate_codec_create();
  uint8_t *first = malloc(2 * MESSAGE), *second = malloc(2 * MESSAGE);
  for (int bits = 9; bits <= 15; bits++) {
    for (int round = 0; round < 10; round++) {
      const size_t length = test_random() % 3000;
      uint8_t *message = random_message(length), *other = random_message(MESSAGE);
      memcpy(other + MESSAGE - length, message, length);
      deflate_pack(used, other, MESSAGE, bits, first, 2 * MESSAGE);
      struct deflate_codec *fresh = deflate_codec_create();
      const int32_t packed = deflate_pack(fresh, message, length, bits, first, 2 * MESSAGE);
      CHECK_EQUAL(deflate_pack(used, message, length, bits, second, 2 * MESSAGE), packed);
      CHECK_EQUAL(memcmp(first, second, (size_t)packed), 0);
      deflate_codec_destroy(fresh);
      free(message);
      free(other);
    }
  }
  free(first);
  free(second);
  deflate_codec_destroy(used);
}

TEST(deflate_room, "an output without room for the message and five bytes gets 0, not a part") {
  struct deflate_codec *codec = deflate_codec_create();
  uint8_t *message = random_message(2000), *whole = malloc(4000);
  const int32_t packed = deflate_pack(codec, message, 2000, 12, whole, 4000);
  for (size_t room = 0; room < (size_t)packed + 20; room++) {
    uint8_t *output = room == 0 ? NULL : malloc(room);
    const bool fits = room >= (size_t)packed + 5;
    CHECK_EQUAL(deflate_pack(codec, message, 2000, 12, output, room), fits ? packed : 0);
    if (fits) CHECK_EQUAL(memcmp(output, whole, (size_t)packed), 0);
    free(output);
  }
  free(message);
  free(whole);
  deflate_codec_destroy(codec);
}

TEST(deflate_unused, "a codec that nothing went through can be destroyed") {
  deflate_codec_destroy(deflate_codec_create());
}
