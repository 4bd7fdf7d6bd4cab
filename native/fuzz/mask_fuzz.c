/*
 * Unmasking and the UTF-8 check (mask.c) against one byte at a time in plain C: any key, alignment
 * and split, and no byte outside of what was given is touched.
 */
#include "fuzz.h"

#include "../mask.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNMENTS = 9, GUARD = 0xa5 };

/* The state as RFC 3629 tells it: what is still to come, and the bounds of the next byte. */
struct decoder {
  bool is_wrong;
  uint32_t left, lowest, highest;
};

static void begin_sequence(struct decoder *decoder, uint32_t byte) {
  decoder->lowest = 0x80;
  decoder->highest = 0xbf;
  if (byte < 0x80) return;
  if (byte >= 0xc2 && byte <= 0xdf) decoder->left = 1;
  else if (byte >= 0xe0 && byte <= 0xef) decoder->left = 2;
  else if (byte >= 0xf0 && byte <= 0xf4) decoder->left = 3;
  else decoder->is_wrong = true;
  if (byte == 0xe0) decoder->lowest = 0xa0;
  if (byte == 0xed) decoder->highest = 0x9f;
  if (byte == 0xf0) decoder->lowest = 0x90;
  if (byte == 0xf4) decoder->highest = 0x8f;
}

static void decode(struct decoder *decoder, uint32_t byte) {
  if (decoder->is_wrong) return;
  if (decoder->left == 0) {
    begin_sequence(decoder, byte);
    return;
  }
  if (byte < decoder->lowest || byte > decoder->highest) decoder->is_wrong = true;
  decoder->left--;
  decoder->lowest = 0x80;
  decoder->highest = 0xbf;
}

static int state_of(const struct decoder *decoder) {
  if (decoder->is_wrong) return UTF8_REJECT;
  if (decoder->left == 0) return UTF8_ACCEPT;
  if (decoder->left == 1) return UTF8_ONE_LEFT;
  if (decoder->left == 2 && decoder->lowest == 0xa0) return UTF8_AFTER_E0;
  if (decoder->left == 2 && decoder->highest == 0x9f) return UTF8_AFTER_ED;
  if (decoder->left == 2) return UTF8_TWO_LEFT;
  if (decoder->lowest == 0x90) return UTF8_AFTER_F0;
  return decoder->highest == 0x8f ? UTF8_AFTER_F4 : UTF8_THREE_LEFT;
}

/* One piece of a message, in a block of its own that ends where the piece ends. */
static int unmask_piece(uint8_t *bytes, size_t length, uint32_t key, int state) {
  const size_t alignment = script_below(ALIGNMENTS), back = script_below((uint32_t)alignment + 1);
  uint8_t *block = malloc(alignment + length + 1);
  REQUIRE(block != NULL);
  memset(block, GUARD, alignment);
  memcpy(block + alignment, bytes, length);
  block[alignment + length] = GUARD;
  uint8_t *const to = block + alignment - back;
  state = mask_unmask(to, block + alignment, length, key, state);
  for (uint8_t *before = block; before < to; before++) REQUIRE(*before == GUARD);
  REQUIRE(block[alignment + length] == GUARD);
  memcpy(bytes, to, length);
  free(block);
  return state;
}

static uint32_t rotated(uint32_t key, size_t bytes) {
  const uint32_t bits = 8 * (bytes % 4);
  return bits == 0 ? key : key >> bits | key << (32 - bits);
}

/* `plain` is what the client meant; masked, cut into pieces and unmasked it is the same again. */
static void check_message(const uint8_t *plain, size_t length, uint32_t key, bool is_text) {
  uint8_t *bytes = malloc(length + 1);
  REQUIRE(bytes != NULL);
  for (size_t i = 0; i < length; i++) bytes[i] = plain[i] ^ (uint8_t)(key >> 8 * (i % 4));
  struct decoder decoder = {.lowest = 0x80, .highest = 0xbf};
  int state = is_text ? UTF8_ACCEPT : UTF8_OFF;
  size_t at = 0;
  do {
    const size_t left = length - at;
    const size_t piece = script_chance(2) ? left : script_below((uint32_t)left + 1);
    const size_t taken = script_is_over() ? left : piece;
    state = unmask_piece(bytes + at, taken, rotated(key, at), state);
    for (size_t i = 0; i < taken; i++) decode(&decoder, plain[at + i]);
    at += taken;
    REQUIRE(state == (is_text ? state_of(&decoder) : UTF8_OFF));
  } while (at < length);
  REQUIRE(memcmp(bytes, plain, length) == 0);
  free(bytes);
}

/* The first quarter of the input is the script, at most, and the rest of it the message. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
  const size_t script = length / 4 < 64 ? length / 4 : 64;
  script_begin(bytes, script);
  uint32_t key = script_byte();
  for (int i = 0; i < 3; i++) key = key << 8 | script_byte();
  check_message(bytes + script, length - script, key, !script_chance(8));
  return 0;
}
