/*
 * Runs every test that registered itself, in the order of the files, and prints a line for each.
 * HEADGATE_SEED repeats a run; a first argument runs only the sentences that contain it.
 */
#include "harness.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct test *first;
static struct test **last = &first;
static jmp_buf leave;
static uint32_t random_state;

enum outcome { RUNNING, PASSED, FAILED, SKIPPED };

void test_register(struct test *test) {
  *last = test;
  last = &test->next;
}

_Noreturn void test_fail(const char *file, int line, const char *text, int64_t left,
                         int64_t right) {
  printf("      %s:%d: %s (%lld, %lld)\n", file, line, text, (long long)left, (long long)right);
  longjmp(leave, FAILED);
}

_Noreturn void test_skip(const char *reason) {
  printf("      SKIPPED: %s\n", reason);
  longjmp(leave, SKIPPED);
}

/* xorshift32 */
uint32_t test_random(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 17;
  random_state ^= random_state << 5;
  return random_state;
}

static enum outcome run(const struct test *test) {
  const int left_with = setjmp(leave);
  if (left_with != RUNNING) return left_with == FAILED ? FAILED : SKIPPED;
  test->run();
  return PASSED;
}

int main(int count, char **arguments) {
  const char *given = getenv("HEADGATE_SEED");
  const uint32_t seed = given != NULL ? (uint32_t)strtoul(given, NULL, 10)
                                      : (uint32_t)time(NULL) ^ (uint32_t)getpid() << 16;
  int passed = 0, failed = 0, skipped = 0;
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("HEADGATE_SEED=%u\n", seed);
  for (struct test *test = first; test != NULL; test = test->next) {
    if (count > 1 && strstr(test->sentence, arguments[1]) == NULL) continue;
    random_state = seed | 1;
    const enum outcome outcome = run(test);
    printf("%s %s\n", outcome == FAILED ? "fail" : outcome == SKIPPED ? "skip" : "ok  ",
           test->sentence);
    if (outcome == PASSED) passed++;
    if (outcome == FAILED) failed++;
    if (outcome == SKIPPED) skipped++;
  }
  printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
  /* A test that was left in the middle leaks, and a report of that would hide its own. */
  if (failed > 0) _exit(1);
  return passed + skipped > 0 ? 0 : 1;
}
