/*
 * Whole messages through raw DEFLATE (RFC 1951), as permessage-deflate without context takeover
 * wants it (RFC 7692). One codec serves all connections of a worker, since no message leans on the
 * one before it. Knows nothing of frames, of limits or of whose a message is.
 */
#ifndef HEADGATE_DEFLATE_H
#define HEADGATE_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* zlib makes 9 of a raw window of 8. */
enum { DEFLATE_WINDOW_BITS_MIN = 9, DEFLATE_WINDOW_BITS_MAX = 15 };

enum deflate_outcome { DEFLATE_WHOLE, DEFLATE_FULL, DEFLATE_INVALID };

struct deflate_codec;

/* NULL when memory is short. The streams, which are large, are made when they are first used. */
struct deflate_codec *deflate_codec_create(void);
void deflate_codec_destroy(struct deflate_codec *codec);

/*
 * Inflates a message's payload, which may come in parts: `input` is what was not consumed yet of
 * one of them. The tail 00 00 ff ff is understood. `progress` gets the bytes consumed and produced.
 * DEFLATE_FULL wants to be called again: for the rest of the input, which can be empty, with an
 * output that is empty again; or, where the output was not filled, for the next part.
 */
enum deflate_outcome deflate_unpack(struct deflate_codec *codec, const uint8_t *input,
                                    size_t input_length, uint8_t *output, size_t output_length,
                                    bool is_first, bool is_last, int32_t progress[2]);

/*
 * Deflates a message with a window of 2^window_bits, without the tail. The bytes written, or 0
 * where `output`, which the tail and one byte more pass through, has no room for them.
 */
int32_t deflate_pack(struct deflate_codec *codec, const uint8_t *input, size_t input_length,
                     int window_bits, uint8_t *output, size_t output_length);

#endif
