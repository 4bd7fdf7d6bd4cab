/*
 * Unmasking of WebSocket payloads (RFC 6455, 5.3), with the UTF-8 check (8.1) in the same
 * pass over the bytes. Knows nothing of frames, sockets or memory that it does not get.
 */
#ifndef HEADGATE_MASK_H
#define HEADGATE_MASK_H

#include <stddef.h>
#include <stdint.h>

/*
 * States of the check. REJECT is for ever; those above it stand inside a sequence, by how many
 * continuation bytes are still to come, or by the first byte where it narrows the second one, which
 * keeps out overlong forms, surrogates and what lies above U+10FFFF.
 */
enum { UTF8_OFF = -1, UTF8_ACCEPT, UTF8_REJECT, UTF8_ONE_LEFT, UTF8_TWO_LEFT, UTF8_THREE_LEFT,
       UTF8_AFTER_E0, UTF8_AFTER_ED, UTF8_AFTER_F0, UTF8_AFTER_F4, UTF8_STATES };

/*
 * Unmasks `from` to `to`, which is the same or lies before it, and may reach into it.
 * `key` holds the mask's four bytes in the order of memory, as a little-endian number; the first of
 * them belongs to from[0]. Returns the new state of the check, UTF8_OFF when it was off.
 */
int mask_unmask(uint8_t *to, const uint8_t *from, size_t length, uint32_t key, int utf8);

#endif
