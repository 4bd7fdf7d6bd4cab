/*
 * What all fuzz targets share: the fuzzer's bytes read as a script of decisions, and the check that
 * ends the process. A target is one LLVMFuzzerTestOneInput; libFuzzer or replay.c calls it.
 */
#ifndef HEADGATE_FUZZ_H
#define HEADGATE_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* Begins a script; it is read from its start. */
void script_begin(const uint8_t *bytes, size_t length);
bool script_is_over(void);
/* The next byte; 0, which means nothing special everywhere, behind the end. */
uint32_t script_byte(void);
/* A number below `bound`, out of as many bytes as that takes. */
uint32_t script_below(uint32_t bound);
/* One time in `times`, never behind the end. */
bool script_chance(uint32_t times);

_Noreturn void fuzz_fail(const char *file, int line, const char *text);

#define REQUIRE(condition)                                        \
  do {                                                            \
    if (!(condition)) fuzz_fail(__FILE__, __LINE__, #condition);  \
  } while (0)

#endif
