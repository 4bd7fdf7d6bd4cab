/*
 * A test is a sentence and a function that registers itself; a check that fails ends its test.
 * Nothing here knows what is tested.
 */
#ifndef HEADGATE_TEST_HARNESS_H
#define HEADGATE_TEST_HARNESS_H

#include <stdbool.h>
#include <stdint.h>

struct test {
  const char *sentence;
  void (*run)(void);
  struct test *next;
};

void test_register(struct test *test);

/* Ends the running test as failed, and does not return. */
_Noreturn void test_fail(const char *file, int line, const char *text, int64_t left, int64_t right);

/* Ends the running test as not possible on this machine, which is said aloud. */
_Noreturn void test_skip(const char *reason);

/* A number from the seed that is printed at the start. */
uint32_t test_random(void);

#define TEST(name, text)                                            \
  static void name(void);                                           \
  __attribute__((constructor)) static void name##_register(void) {  \
    static struct test test = {.sentence = text, .run = name};      \
    test_register(&test);                                           \
  }                                                                 \
  static void name(void)

#define CHECK(condition)                                                    \
  do {                                                                      \
    if (!(condition)) test_fail(__FILE__, __LINE__, #condition, 0, 0);      \
  } while (0)

#define CHECK_EQUAL(left, right)                                                          \
  do {                                                                                    \
    const int64_t left_ = (int64_t)(left), right_ = (int64_t)(right);                     \
    if (left_ != right_) test_fail(__FILE__, __LINE__, #left " == " #right, left_, right_); \
  } while (0)

#endif
