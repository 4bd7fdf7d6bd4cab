/*
 * Unmasking against the loop of RFC 6455, and the UTF-8 check against a decoder that asks of a
 * prefix only whether some code point could still complete it.
 */
#include "../mask.h"
#include "harness.h"

#include <string.h>

enum { BUFFER = 320 };

/* Whether `value`, the bits so far of a sequence of `size` bytes, can become a code point. */
static bool completes(uint32_t value, int left, int size) {
  const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
  const uint32_t from = value << (6 * left), to = from + (1u << (6 * left)) - 1;
  if (to < lowest[size] || from > 0x10ffff) return false;
  return from < 0xd800 || to > 0xdfff;
}

/* UTF8_ACCEPT, UTF8_REJECT, or UTF8_STATES for "inside a sequence". */
static int naive_utf8(const uint8_t *bytes, size_t length) {
  uint32_t value = 0;
  int left = 0, size = 0;
  for (size_t i = 0; i < length; i++) {
    const uint8_t byte = bytes[i];
    if (left == 0) {
      size = byte < 0x80 ? 1 : byte >> 5 == 6 ? 2 : byte >> 4 == 14 ? 3 : byte >> 3 == 30 ? 4 : 0;
      if (size == 0) return UTF8_REJECT;
      value = size == 1 ? byte : byte & (0x7fu >> size);
      left = size - 1;
    } else {
      if (byte >> 6 != 2) return UTF8_REJECT;
      value = value << 6 | (byte & 0x3fu);
      left--;
    }
    if (!completes(value, left, size)) return UTF8_REJECT;
  }
  return left == 0 ? UTF8_ACCEPT : UTF8_STATES;
}

static int classified(int state) { return state > UTF8_REJECT ? UTF8_STATES : state; }

/* Checks without changing anything: a key of zeros. */
static int check(const uint8_t *bytes, size_t length, int state) {
  uint8_t copy[BUFFER];
  memcpy(copy, bytes, length);
  return mask_unmask(copy, copy, length, 0, state);
}

static void check_splits(const uint8_t *bytes, size_t length) {
  int state = UTF8_ACCEPT;
  for (size_t i = 0; i < length; i++) {
    state = check(bytes + i, 1, state);
    CHECK_EQUAL(classified(state), naive_utf8(bytes, i + 1));
  }
  for (size_t split = 0; split <= length; split++) {
    const int first = check(bytes, split, UTF8_ACCEPT);
    CHECK_EQUAL(check(bytes + split, length - split, first), state);
  }
}

TEST(unmask_all_lengths, "unmask equals the byte loop at every alignment and length") {
  uint8_t memory[BUFFER], expected[BUFFER];
  for (size_t start = 0; start < 16; start++) {
    for (size_t length = 0; length <= 200; length++) {
      const uint32_t key = test_random();
      const uint8_t key_bytes[4] = {key, key >> 8, key >> 16, key >> 24};
      for (size_t i = 0; i < BUFFER; i++) memory[i] = expected[i] = (uint8_t)test_random();
      for (size_t i = 0; i < length; i++) expected[start + i] ^= key_bytes[i % 4];
      CHECK_EQUAL(mask_unmask(memory + start, memory + start, length, key, UTF8_OFF), UTF8_OFF);
      CHECK_EQUAL(memcmp(memory, expected, BUFFER), 0);
    }
  }
}

TEST(unmask_moves, "unmask may move the bytes towards the front, over those that it read") {
  uint8_t memory[BUFFER], expected[BUFFER];
  for (size_t back = 1; back < 40; back++) {
    for (size_t length = 0; length <= 200; length++) {
      for (size_t i = 0; i < BUFFER; i++) memory[i] = expected[i] = (uint8_t)test_random();
      const uint32_t key = test_random();
      for (size_t i = 0; i < length; i++)
        expected[i] = memory[back + i] ^ (uint8_t)(key >> 8 * (i % 4));
      mask_unmask(memory, memory + back, length, key, UTF8_ACCEPT);
      CHECK_EQUAL(memcmp(memory, expected, BUFFER), 0);
    }
  }
}

TEST(unmask_checked, "unmask gives the same bytes when it checks them as well") {
  uint8_t plain[BUFFER], checked[BUFFER];
  for (size_t length = 0; length <= 200; length++) {
    const uint32_t key = test_random();
    for (size_t i = 0; i < length; i++) plain[i] = checked[i] = (uint8_t)test_random();
    mask_unmask(plain, plain, length, key, UTF8_OFF);
    const int state = mask_unmask(checked, checked, length, key, UTF8_ACCEPT);
    CHECK_EQUAL(memcmp(plain, checked, length), 0);
    CHECK_EQUAL(classified(state), naive_utf8(plain, length));
  }
}

TEST(utf8_pairs, "every pair of bytes is judged like the naive decoder, at every split") {
  for (unsigned pair = 0; pair < 65536; pair++) {
    const uint8_t bytes[2] = {(uint8_t)(pair >> 8), (uint8_t)pair};
    check_splits(bytes, 2);
  }
}

TEST(utf8_boundaries, "every four bytes from the edges of the ranges are judged alike") {
  static const uint8_t EDGES[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
                                  0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed,
                                  0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff};
  enum { EDGE_COUNT = sizeof EDGES };
  for (unsigned i = 0; i < EDGE_COUNT * EDGE_COUNT * EDGE_COUNT * EDGE_COUNT; i++) {
    const uint8_t bytes[4] = {EDGES[i / (EDGE_COUNT * EDGE_COUNT * EDGE_COUNT)],
                              EDGES[i / (EDGE_COUNT * EDGE_COUNT) % EDGE_COUNT],
                              EDGES[i / EDGE_COUNT % EDGE_COUNT], EDGES[i % EDGE_COUNT]};
    check_splits(bytes, 4);
  }
}

static size_t encode(uint32_t point, uint8_t *bytes) {
  if (point < 0x80) return bytes[0] = (uint8_t)point, 1;
  if (point < 0x800) {
    bytes[0] = (uint8_t)(0xc0 | point >> 6);
    bytes[1] = (uint8_t)(0x80 | (point & 0x3f));
    return 2;
  }
  if (point < 0x10000) {
    bytes[0] = (uint8_t)(0xe0 | point >> 12);
    bytes[1] = (uint8_t)(0x80 | (point >> 6 & 0x3f));
    bytes[2] = (uint8_t)(0x80 | (point & 0x3f));
    return 3;
  }
  bytes[0] = (uint8_t)(0xf0 | point >> 18);
  bytes[1] = (uint8_t)(0x80 | (point >> 12 & 0x3f));
  bytes[2] = (uint8_t)(0x80 | (point >> 6 & 0x3f));
  bytes[3] = (uint8_t)(0x80 | (point & 0x3f));
  return 4;
}

TEST(utf8_points, "every code point but the surrogates is accepted, and nothing above U+10FFFF") {
  uint8_t bytes[4];
  for (uint32_t point = 0; point < 0x120000; point++) {
    const size_t length = encode(point, bytes);
    const bool good = point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
    CHECK_EQUAL(check(bytes, length, UTF8_ACCEPT), good ? UTF8_ACCEPT : UTF8_REJECT);
  }
}

TEST(utf8_places, "a sequence is judged alike at every place of a longer text and every split") {
  static const char *const PIECES[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\xa0",
                                       "\xc0",     "\xf4\x90",     "\xe2\x82",         "\x80"};
  const uint32_t key = 0x9a3c5ef1;
  for (size_t piece = 0; piece < sizeof PIECES / sizeof *PIECES; piece++) {
    for (size_t place = 0; place < 70; place++) {
      uint8_t text[80], masked[80];
      memset(text, 'a', sizeof text);
      memcpy(text + place, PIECES[piece], strlen(PIECES[piece]));
      for (size_t split = 0; split <= sizeof text; split += 4) {
        memcpy(masked, text, sizeof text);
        mask_unmask(masked, masked, sizeof text, key, UTF8_OFF);
        int state = mask_unmask(masked, masked, split, key, UTF8_ACCEPT);
        CHECK_EQUAL(classified(state), naive_utf8(text, split));
        state = mask_unmask(masked + split, masked + split, sizeof text - split, key, state);
        CHECK_EQUAL(classified(state), naive_utf8(text, sizeof text));
        CHECK_EQUAL(memcmp(masked, text, sizeof text), 0);
      }
    }
  }
}

TEST(utf8_sticky, "once rejected stays rejected, and an empty piece changes nothing") {
  uint8_t text[64];
  memset(text, 'a', sizeof text);
  for (int state = UTF8_OFF; state < UTF8_STATES; state++)
    CHECK_EQUAL(mask_unmask(text, text, 0, 0, state), state);
  CHECK_EQUAL(check(text, sizeof text, UTF8_REJECT), UTF8_REJECT);
  CHECK_EQUAL(check(text, 8, UTF8_REJECT), UTF8_REJECT);
  CHECK_EQUAL(check(text, 3, UTF8_REJECT), UTF8_REJECT);
}
