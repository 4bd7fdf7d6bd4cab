/*
 * See plain_inflate.h. Codes are canonical (3.2.2): decoding goes bit by bit and counts, as the
 * specification builds them, without a table for anything.
 */
#include "plain_inflate.h"

#include "fuzz.h"

enum { BITS_MAX = 15, LITERALS_MAX = 288, DISTANCES_MAX = 32, END_OF_BLOCK = 256 };

/* What is read and written; `is_wrong` is for ever, and reads of a wrong stream give 0. */
struct stream {
  const uint8_t *payload;
  size_t bits, bit; /* how many there are, and the next one */
  uint8_t *output;
  size_t room, produced;
  bool is_wrong;
};

struct code {
  uint16_t counts[BITS_MAX + 1]; /* of symbols, by length */
  uint16_t symbols[LITERALS_MAX];
};

static uint32_t take_bits(struct stream *stream, uint32_t count) {
  uint32_t number = 0;
  if (stream->bit + count > stream->bits) stream->is_wrong = true;
  if (stream->is_wrong) return 0;
  for (uint32_t i = 0; i < count; i++, stream->bit++)
    number |= (uint32_t)(stream->payload[stream->bit / 8] >> stream->bit % 8 & 1) << i;
  return number;
}

static void align(struct stream *stream) { stream->bit = (stream->bit + 7) / 8 * 8; }

static void put(struct stream *stream, uint8_t byte) {
  REQUIRE(stream->produced < stream->room);
  stream->output[stream->produced++] = byte;
}

/* False for lengths that are no code. One that is not complete may only be one code of one bit. */
static bool make_code(struct code *code, const uint8_t *lengths, uint32_t count,
                      bool may_be_incomplete) {
  uint32_t next[BITS_MAX + 2] = {0};
  int32_t left = 1;
  *code = (struct code){0};
  for (uint32_t i = 0; i < count; i++) code->counts[lengths[i]]++;
  const bool is_empty = code->counts[0] == count;
  const bool is_single = code->counts[0] + code->counts[1] == (int)count;
  code->counts[0] = 0;
  for (int bits = 1; bits <= BITS_MAX; bits++) {
    left = left * 2 - code->counts[bits];
    if (left < 0) return false;
    next[bits + 1] = next[bits] + code->counts[bits];
  }
  for (uint32_t i = 0; i < count; i++)
    if (lengths[i] != 0) code->symbols[next[lengths[i]]++] = (uint16_t)i;
  return left == 0 || (may_be_incomplete && (is_single || is_empty));
}

static uint32_t take_symbol(struct stream *stream, const struct code *code) {
  uint32_t value = 0, first = 0, index = 0;
  for (int bits = 1; bits <= BITS_MAX; bits++) {
    value = value << 1 | take_bits(stream, 1);
    const uint32_t count = code->counts[bits];
    if (stream->is_wrong) return 0;
    if (value - first < count) return code->symbols[index + value - first];
    index += count;
    first = (first + count) << 1;
  }
  stream->is_wrong = true;
  return 0;
}

/* 3.2.5 */
static void copy_match(struct stream *stream, uint32_t symbol, const struct code *distances) {
  uint32_t length = 258;
  if (symbol > 285) stream->is_wrong = true;
  if (symbol < 285) {
    const uint32_t step = symbol - 257, extra = step < 8 ? 0 : step / 4 - 1;
    const uint32_t base = step < 8 ? step : (4 + step % 4) << extra;
    length = 3 + base + take_bits(stream, extra);
  }
  const uint32_t code = take_symbol(stream, distances);
  if (code > 29) stream->is_wrong = true;
  if (stream->is_wrong) return;
  const uint32_t extra = code < 4 ? 0 : code / 2 - 1;
  const uint32_t base = code < 4 ? code : (2 + code % 2) << extra;
  const uint32_t distance = 1 + base + take_bits(stream, extra);
  if (distance > stream->produced) stream->is_wrong = true;
  if (stream->is_wrong) return;
  for (; length > 0; length--) put(stream, stream->output[stream->produced - distance]);
}

static void inflate_codes(struct stream *stream, const struct code *literals,
                          const struct code *distances) {
  while (!stream->is_wrong) {
    const uint32_t symbol = take_symbol(stream, literals);
    if (stream->is_wrong || symbol == END_OF_BLOCK) return;
    if (symbol < END_OF_BLOCK) put(stream, (uint8_t)symbol);
    else copy_match(stream, symbol, distances);
  }
}

/* 3.2.6 */
static void inflate_fixed(struct stream *stream) {
  uint8_t lengths[LITERALS_MAX + DISTANCES_MAX];
  struct code literals, distances;
  for (int i = 0; i < LITERALS_MAX; i++)
    lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
  for (int i = 0; i < DISTANCES_MAX; i++) lengths[LITERALS_MAX + i] = 5;
  REQUIRE(make_code(&literals, lengths, LITERALS_MAX, false));
  REQUIRE(make_code(&distances, lengths + LITERALS_MAX, DISTANCES_MAX, false));
  inflate_codes(stream, &literals, &distances);
}

/* 3.2.7: the lengths of both codes, themselves in a code, with repetitions. */
static bool take_lengths(struct stream *stream, const struct code *code, uint8_t *lengths,
                         uint32_t count) {
  uint32_t at = 0;
  while (at < count && !stream->is_wrong) {
    const uint32_t symbol = take_symbol(stream, code);
    uint32_t times = 1;
    uint8_t length = (uint8_t)symbol;
    if (symbol == 16 && at == 0) return false;
    if (symbol == 16) length = lengths[at - 1];
    if (symbol == 16) times = 3 + take_bits(stream, 2);
    if (symbol > 16) length = 0;
    if (symbol == 17) times = 3 + take_bits(stream, 3);
    if (symbol == 18) times = 11 + take_bits(stream, 7);
    if (at + times > count) return false;
    for (; times > 0; times--) lengths[at++] = length;
  }
  return !stream->is_wrong;
}

static bool inflate_dynamic(struct stream *stream) {
  static const uint8_t ORDER[] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
  uint8_t lengths[LITERALS_MAX + DISTANCES_MAX] = {0}, code_lengths[sizeof ORDER] = {0};
  struct code code, literals, distances;
  const uint32_t literals_count = 257 + take_bits(stream, 5);
  const uint32_t distances_count = 1 + take_bits(stream, 5);
  const uint32_t codes_count = 4 + take_bits(stream, 4);
  if (literals_count > 286 || distances_count > 30) return false;
  for (uint32_t i = 0; i < codes_count; i++)
    code_lengths[ORDER[i]] = (uint8_t)take_bits(stream, 3);
  if (stream->is_wrong || !make_code(&code, code_lengths, sizeof ORDER, false)) return false;
  if (!take_lengths(stream, &code, lengths, literals_count + distances_count)) return false;
  if (lengths[END_OF_BLOCK] == 0) return false;
  if (!make_code(&literals, lengths, literals_count, true)) return false;
  if (!make_code(&distances, lengths + literals_count, distances_count, true)) return false;
  inflate_codes(stream, &literals, &distances);
  return !stream->is_wrong;
}

/* 3.2.4 */
static bool inflate_stored(struct stream *stream) {
  const uint32_t length = take_bits(stream, 16), complement = take_bits(stream, 16);
  if (stream->is_wrong || (length ^ complement) != 0xffff) return false;
  for (uint32_t i = 0; i < length && !stream->is_wrong; i++) {
    const uint8_t byte = (uint8_t)take_bits(stream, 8);
    if (!stream->is_wrong) put(stream, byte);
  }
  return !stream->is_wrong;
}

/*
 * A payload ends where the header of a stored block does, whose lengths are the tail that the
 * sender took off (RFC 7692, 7.2.1). Leniently it may also end behind a block with BFINAL set, or
 * be empty. The tail is never read as anything else, so that the stream ends with the payload.
 */
bool plain_inflate(const uint8_t *payload, size_t length, uint8_t *output, size_t room,
                   size_t *produced) {
  struct stream stream = {
      .payload = payload, .bits = 8 * length, .output = output, .room = room};
  bool is_whole = length == 0;
  while (!is_whole && !stream.is_wrong) {
    const bool is_final = take_bits(&stream, 1) != 0;
    const uint32_t type = take_bits(&stream, 2);
    if (stream.is_wrong || type == 3) break;
    if (type == 0) {
      align(&stream);
      if (stream.bit == stream.bits) is_whole = true;
      else if (!inflate_stored(&stream)) break;
    }
    if (type == 1) inflate_fixed(&stream);
    if (type == 2 && !inflate_dynamic(&stream)) break;
    if (is_final) align(&stream);
    if (is_final && !stream.is_wrong && stream.bit == stream.bits) is_whole = true;
  }
  *produced = stream.produced;
  return is_whole;
}
