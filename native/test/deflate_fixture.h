/*
 * What the tests of the codec share: payloads in hexadecimal, messages of chance, and inflating
 * through outputs of a chosen size.
 */
#ifndef HEADGATE_TEST_DEFLATE_FIXTURE_H
#define HEADGATE_TEST_DEFLATE_FIXTURE_H

#include "../deflate.h"

#include <stddef.h>
#include <stdint.h>

/* The number of bytes. */
size_t from_hex(const char *hex, uint8_t *bytes);

/* Memory of its own, to be freed: words, repetitions, zeros or noise. */
uint8_t *random_message(size_t length);

/*
 * Inflates through outputs of `step` bytes, each in memory of its own. The length of the message,
 * which stands in `message`, or -1 for one that is invalid.
 */
int64_t inflate_all(struct deflate_codec *codec, const uint8_t *payload, size_t length,
                    uint8_t *message, size_t message_max, size_t step);

#endif
