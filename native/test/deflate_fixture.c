/*
 * Every piece of input and output has memory of its own here, so that the sanitizer sees a byte too
 * many, and a look at a piece of before.
 */
#include "deflate_fixture.h"
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t from_hex(const char *hex, uint8_t *bytes) {
  const size_t length = strlen(hex) / 2;
  for (size_t i = 0; i < length; i++) {
    unsigned value;
    CHECK_EQUAL(sscanf(hex + 2 * i, "%2x", &value), 1);
    bytes[i] = (uint8_t)value;
  }
  return length;
}

uint8_t *random_message(size_t length) {
  uint8_t *message = malloc(length + 1);
  for (size_t at = 0; at < length;) {
    const unsigned kind = test_random() % 4;
    const size_t left = length - at, run = 1 + test_random() % 2000;
    const size_t end = at + (run < left ? run : left);
    const size_t distance = at == 0 ? 0 : 1 + test_random() % at;
    for (; at < end; at++) {
      if (kind == 0) message[at] = (uint8_t)test_random();
      else if (kind == 1) message[at] = (uint8_t)("etaoin shrdlu"[test_random() % 13]);
      else message[at] = kind == 2 && distance > 0 ? message[at - distance] : 0;
    }
  }
  return message;
}

int64_t inflate_all(struct deflate_codec *codec, const uint8_t *payload, size_t length,
                    uint8_t *message, size_t message_max, size_t step) {
  size_t consumed = 0, produced = 0;
  enum deflate_outcome outcome = DEFLATE_FULL;
  for (bool is_first = true; outcome == DEFLATE_FULL; is_first = false) {
    int32_t progress[2];
    /* In parts of any size: what is cut where makes no difference. */
    const size_t left = length - consumed;
    const size_t rest = left > 1 && test_random() % 2 == 0 ? 1 + test_random() % left : left;
    const bool is_last = rest == left;
    uint8_t *input = rest == 0 ? NULL : malloc(rest), *output = malloc(step);
    if (rest > 0) memcpy(input, payload + consumed, rest);
    outcome = deflate_unpack(codec, input, rest, output, step, is_first, is_last, progress);
    CHECK(progress[0] >= 0 && (size_t)progress[0] <= rest);
    CHECK(progress[1] >= 0 && (size_t)progress[1] <= step);
    if (outcome == DEFLATE_FULL && (is_last || (size_t)progress[0] < rest))
      CHECK_EQUAL(progress[1], step);
    if (outcome == DEFLATE_WHOLE) CHECK_EQUAL(progress[0], rest);
    CHECK(produced + (size_t)progress[1] <= message_max);
    memcpy(message + produced, output, (size_t)progress[1]);
    consumed += (size_t)progress[0];
    produced += (size_t)progress[1];
    free(input);
    free(output);
  }
  return outcome == DEFLATE_WHOLE ? (int64_t)produced : -1;
}
