/*
 * The script: see fuzz.h. Its end is no failure, since the fuzzer shortens scripts as it likes.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

static const uint8_t *next;
static size_t left;

void script_begin(const uint8_t *bytes, size_t length) {
  next = bytes;
  left = length;
}

bool script_is_over(void) { return left == 0; }

uint32_t script_byte(void) {
  if (left == 0) return 0;
  left--;
  return *next++;
}

uint32_t script_below(uint32_t bound) {
  uint32_t number = script_byte();
  for (uint32_t reach = 256; reach < bound; reach <<= 8) number = number << 8 | script_byte();
  return number % bound;
}

bool script_chance(uint32_t times) {
  return left > 0 && script_below(times) == times - 1;
}

_Noreturn void fuzz_fail(const char *file, int line, const char *text) {
  fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, text);
  abort();
}
