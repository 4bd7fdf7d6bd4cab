/*
 * zlib with one stream to inflate and one for each window to deflate with, reset for each message.
 * RFC 7692's tail is added and taken off here; what a payload needs to be whole is judged here.
 */
#define ZLIB_CONST
#include "deflate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/*
 * All of a worker's clients wait while it deflates. 1 MiB of JSON took 8 ms at level 1, to 29 % of
 * it; 9 ms and 28 % at level 2, 12 ms and 26 % at 3, 30 ms and 24 % at 6. Up to 1 KiB all levels
 * are alike.
 */
enum { LEVEL = 1, MEMORY_LEVEL = 8, HASHED_BYTES = 8 };

/* RFC 7692, 7.2.1: an empty block without compression, whose header is the sender's last bits. */
static const uint8_t TAIL[4] = {0x00, 0x00, 0xff, 0xff};

/* Bits of z_stream.data_type after inflate, beside the number of bits left in the last byte. */
enum { UNUSED_BITS = 63, AT_BLOCK_END = 128, BEHIND_BLOCK_HEADER = 256 };

struct deflating {
  z_stream stream;
  uint8_t *window; /* 2 * 2^windowBits bytes, and HASHED_BYTES more; NULL when unknown */
};

/*
 * Between two calls no stream points to the caller's memory. inflateReset and deflateReset make a
 * stream forget what it saw: its window stays allocated, and nothing in it can be referred to.
 */
struct deflate_codec {
  z_stream inflating;
  struct deflating deflating[DEFLATE_WINDOW_BITS_MAX - DEFLATE_WINDOW_BITS_MIN + 1];
  uint8_t nothing; /* where an empty output is, which may have no memory */
};

struct deflate_codec *deflate_codec_create(void) {
  return calloc(1, sizeof(struct deflate_codec));
}

/* A stream that was never used has no state, and zlib then does nothing. */
void deflate_codec_destroy(struct deflate_codec *codec) {
  inflateEnd(&codec->inflating);
  for (int bits = DEFLATE_WINDOW_BITS_MIN; bits <= DEFLATE_WINDOW_BITS_MAX; bits++)
    deflateEnd(&codec->deflating[bits - DEFLATE_WINDOW_BITS_MIN].stream);
  free(codec);
}

/* The window is what zlib asks for first once it has its own state. */
static voidpf allocate(voidpf opaque, uInt count, uInt size) {
  struct deflating *deflating = opaque;
  uint8_t *memory = calloc((size_t)count * size + HASHED_BYTES, 1);
  if (deflating->stream.state != NULL && deflating->window == NULL) deflating->window = memory;
  return memory;
}

static void release(voidpf opaque, voidpf memory) {
  (void)opaque;
  free(memory);
}

/* Of the output no more than an int32_t can count. */
static void lend(struct deflate_codec *codec, z_stream *stream, const uint8_t *input,
                 size_t input_length, uint8_t *output, size_t output_length) {
  stream->next_in = input;
  stream->avail_in = (uInt)input_length;
  stream->next_out = output_length == 0 ? &codec->nothing : output;
  stream->avail_out = output_length > INT32_MAX ? INT32_MAX : (uInt)output_length;
}

static void take_back(z_stream *stream) {
  stream->next_in = NULL;
  stream->next_out = NULL;
}

/* As far as the input or the room goes, or to the end of a block with BFINAL set. */
static int step(z_stream *stream, int flush) {
  const int result = inflate(stream, flush);
  assert(result != Z_STREAM_ERROR && result != Z_MEM_ERROR);
  return result;
}

/* DEFLATE_FULL stands for "not at the end yet" here. */
static enum deflate_outcome unpack(z_stream *stream, bool is_last) {
  int result;
  while ((result = step(stream, Z_SYNC_FLUSH)) == Z_STREAM_END) {
    /* RFC 7692, 7.2.3.4 has a byte 00 behind such a block; senders that forget it lose nothing. */
    if (stream->avail_in == 0 && is_last) return DEFLATE_WHOLE;
    /* What was seen stays in reach. A copy of it would cost 32 KiB for each two bytes of input. */
    inflateResetKeep(stream);
  }
  return result == Z_DATA_ERROR ? DEFLATE_INVALID : DEFLATE_FULL;
}

/*
 * Judges a payload whose input is used up. The tail has to be read as the lengths of an empty
 * block: read as anything else, such as the last bytes of a longer block, it would pass off a
 * payload that was cut short as a whole one. A stream with output left in it takes nothing.
 */
static enum deflate_outcome finish(z_stream *stream) {
  stream->next_in = TAIL;
  stream->avail_in = sizeof TAIL;
  step(stream, Z_TREES); /* an error leaves neither flag */
  if (stream->avail_in == sizeof TAIL && stream->avail_out == 0) return DEFLATE_FULL;
  const int state = stream->data_type & (BEHIND_BLOCK_HEADER | UNUSED_BITS);
  if (stream->avail_in != 0 || state != BEHIND_BLOCK_HEADER) return DEFLATE_INVALID;
  /* It can be the header of a block with Huffman codes as well, which wants an end of its own. */
  step(stream, Z_BLOCK);
  return (stream->data_type & AT_BLOCK_END) != 0 ? DEFLATE_WHOLE : DEFLATE_INVALID;
}

enum deflate_outcome deflate_unpack(struct deflate_codec *codec, const uint8_t *input,
                                    size_t input_length, uint8_t *output, size_t output_length,
                                    bool is_first, bool is_last, int32_t progress[2]) {
  z_stream *stream = &codec->inflating;
  /* A window of 15 bits reads what was made with any smaller one. */
  const int result = stream->state == NULL ? inflateInit2(stream, -DEFLATE_WINDOW_BITS_MAX)
                     : is_first            ? inflateReset(stream)
                                           : Z_OK;
  assert(result == Z_OK && "there is memory for the stream that inflates");
  lend(codec, stream, input, input_length, output, output_length);
  const uInt room = stream->avail_out;
  /* An empty payload lacks even the byte 00 of an empty message; again nothing is lost. */
  enum deflate_outcome outcome =
      is_first && is_last && input_length == 0 ? DEFLATE_WHOLE : unpack(stream, is_last);
  progress[0] = (int32_t)(input_length - stream->avail_in);
  if (outcome == DEFLATE_FULL && stream->avail_in == 0 && is_last) outcome = finish(stream);
  progress[1] = (int32_t)(room - stream->avail_out);
  take_back(stream);
  return outcome;
}

int32_t deflate_pack(struct deflate_codec *codec, const uint8_t *input, size_t input_length,
                     int window_bits, uint8_t *output, size_t output_length) {
  assert(window_bits >= DEFLATE_WINDOW_BITS_MIN && window_bits <= DEFLATE_WINDOW_BITS_MAX);
  struct deflating *deflating = &codec->deflating[window_bits - DEFLATE_WINDOW_BITS_MIN];
  z_stream *stream = &deflating->stream;
  stream->zalloc = allocate, stream->zfree = release, stream->opaque = deflating;
  const int result = stream->state != NULL ? deflateReset(stream)
                                           : deflateInit2(stream, LEVEL, Z_DEFLATED, -window_bits,
                                                          MEMORY_LEVEL, Z_DEFAULT_STRATEGY);
  assert(result == Z_OK && "there is memory for a stream that deflates");
  /*
   * Chromium's zlib, which is Node's, hashes the last three bytes of a message together with what
   * is behind them in the window. Left of a message before it, that byte would decide whether a
   * repetition is found, and by the length of what it gets a client would learn of it.
   */
  if (deflating->window != NULL && input_length >> window_bits < 2)
    memset(deflating->window + input_length, 0, HASHED_BYTES);
  lend(codec, stream, input, input_length, output, output_length);
  const uInt room = stream->avail_out;
  deflate(stream, Z_SYNC_FLUSH);
  take_back(stream);
  /* A zlib that asked for all its memory at once: only a new stream is sure to know nothing. */
  if (deflating->window == NULL) deflateEnd(stream);
  /* Only a flush that leaves room is known to be complete. */
  return stream->avail_out == 0 ? 0 : (int32_t)(room - stream->avail_out - sizeof TAIL);
}
