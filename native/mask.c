/*
 * Unmasking eight bytes at a time, and a UTF-8 automaton after RFC 3629's table of well-formed
 * sequences. Text is mostly ASCII: 32 bytes without a high bit skip the automaton.
 */
#include "mask.h"

#include <stdbool.h>
#include <string.h>

enum { WORD = 8, BLOCK = 32 };

static const uint64_t HIGH_BITS = 0x8080808080808080u;

/* Kinds of bytes, as far as the automaton tells them apart. */
enum { ASCII, TAIL_80, TAIL_90, TAIL_A0, LEAD_2, LEAD_E0, LEAD_3, LEAD_ED, LEAD_F0, LEAD_4, LEAD_F4,
       NEVER, KINDS };

static const uint8_t KIND[256] = {
    [0x00 ... 0x7F] = ASCII,   [0x80 ... 0x8F] = TAIL_80, [0x90 ... 0x9F] = TAIL_90,
    [0xA0 ... 0xBF] = TAIL_A0, [0xC0 ... 0xC1] = NEVER,   [0xC2 ... 0xDF] = LEAD_2,
    [0xE0] = LEAD_E0,          [0xE1 ... 0xEC] = LEAD_3,  [0xED] = LEAD_ED,
    [0xEE ... 0xEF] = LEAD_3,  [0xF0] = LEAD_F0,          [0xF1 ... 0xF3] = LEAD_4,
    [0xF4] = LEAD_F4,          [0xF5 ... 0xFF] = NEVER,
};

/*
 * One number for each kind: six bits for each state, which hold the next state times six. A step is
 * then one shift; a table of tables took three times as long over Cyrillic text.
 */
enum { STEP = 6 };
#define TO(state, next) ((uint64_t)((next) * STEP) << ((state) * STEP))
/* Every state rejects; GO takes that back for one of them and says where it leads instead. */
#define REJECT (((UINT64_C(1) << UTF8_STATES * STEP) - 1) / 63 * (UTF8_REJECT * STEP))
#define GO(state, next) ^ TO(UTF8_##state, UTF8_REJECT) ^ TO(UTF8_##state, UTF8_##next)
#define TAIL GO(ONE_LEFT, ACCEPT) GO(TWO_LEFT, ONE_LEFT) GO(THREE_LEFT, TWO_LEFT)
static const uint64_t STEPS[KINDS] = {
    [ASCII] = REJECT GO(ACCEPT, ACCEPT),
    [TAIL_80] = REJECT TAIL GO(AFTER_ED, ONE_LEFT) GO(AFTER_F4, TWO_LEFT),
    [TAIL_90] = REJECT TAIL GO(AFTER_ED, ONE_LEFT) GO(AFTER_F0, TWO_LEFT),
    [TAIL_A0] = REJECT TAIL GO(AFTER_E0, ONE_LEFT) GO(AFTER_F0, TWO_LEFT),
    [LEAD_2] = REJECT GO(ACCEPT, ONE_LEFT),   [LEAD_3] = REJECT GO(ACCEPT, TWO_LEFT),
    [LEAD_4] = REJECT GO(ACCEPT, THREE_LEFT), [LEAD_E0] = REJECT GO(ACCEPT, AFTER_E0),
    [LEAD_ED] = REJECT GO(ACCEPT, AFTER_ED),  [LEAD_F0] = REJECT GO(ACCEPT, AFTER_F0),
    [LEAD_F4] = REJECT GO(ACCEPT, AFTER_F4),  [NEVER] = REJECT,
};

static int utf8_check(const uint8_t *bytes, size_t length, int state) {
  uint64_t shift = (uint64_t)state * STEP;
  for (size_t i = 0; i < length; i++) shift = STEPS[KIND[bytes[i]]] >> (shift & 63);
  return (int)((shift & 63) / STEP);
}

static inline uint64_t unmask_word(uint8_t *to, const uint8_t *from, uint64_t mask) {
  uint64_t word;
  memcpy(&word, from, WORD);
  word ^= mask;
  memcpy(to, &word, WORD);
  return word;
}

int mask_unmask(uint8_t *to, const uint8_t *from, size_t length, uint32_t key, int utf8) {
  const uint8_t key_bytes[WORD] = {key, key >> 8, key >> 16, key >> 24,
                                   key, key >> 8, key >> 16, key >> 24};
  const bool checked = utf8 != UTF8_OFF;
  uint64_t mask;
  memcpy(&mask, key_bytes, WORD);

  size_t at = 0;
  for (; at + BLOCK <= length; at += BLOCK) {
    uint64_t seen = unmask_word(to + at, from + at, mask);
    seen |= unmask_word(to + at + WORD, from + at + WORD, mask);
    seen |= unmask_word(to + at + 2 * WORD, from + at + 2 * WORD, mask);
    seen |= unmask_word(to + at + 3 * WORD, from + at + 3 * WORD, mask);
    if (checked && ((seen & HIGH_BITS) != 0 || utf8 != UTF8_ACCEPT))
      utf8 = utf8_check(to + at, BLOCK, utf8);
  }
  for (; at + WORD <= length; at += WORD) {
    const uint64_t word = unmask_word(to + at, from + at, mask);
    if (checked && ((word & HIGH_BITS) != 0 || utf8 != UTF8_ACCEPT))
      utf8 = utf8_check(to + at, WORD, utf8);
  }
  const size_t tail = at;
  for (; at < length; at++) to[at] = from[at] ^ key_bytes[at - tail];
  return checked ? utf8_check(to + tail, length - tail, utf8) : UTF8_OFF;
}
