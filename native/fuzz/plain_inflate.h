/*
 * A decoder of RFC 1951 that is as slow and as plain as its text, to hold another one against. Of
 * RFC 7692 it knows when a message's payload is whole.
 */
#ifndef HEADGATE_FUZZ_PLAIN_INFLATE_H
#define HEADGATE_FUZZ_PLAIN_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether the payload is whole and right; what it holds, which has to fit. */
bool plain_inflate(const uint8_t *payload, size_t length, uint8_t *output, size_t room,
                   size_t *produced);

#endif
