/*
 * Payloads that are cut short, broken or made to harm: none may come out as a message, and none may
 * show bytes of another one. Whole messages are in deflate_test.c.
 */
#include "../deflate.h"
#include "deflate_fixture.h"
#include "harness.h"

#include <stdlib.h>
#include <string.h>

enum { PAYLOAD = 4096, ENOUGH = 70000 };

/* Bits as DEFLATE packs them, from the lowest of each byte. */
struct bits {
  uint8_t bytes[PAYLOAD];
  size_t count;
};

/* `value` from its lowest bit. */
static void put(struct bits *bits, unsigned value, int count) {
  for (int i = 0; i < count; i++, bits->count++)
    bits->bytes[bits->count / 8] |= (uint8_t)((value >> i & 1) << bits->count % 8);
}

/* A Huffman code, which goes from its highest bit, `times` times. */
static void put_code(struct bits *bits, unsigned code, int count, int times) {
  while (times-- > 0)
    for (int i = count - 1; i >= 0; i--) put(bits, code >> i & 1, 1);
}

/* A block with fixed codes, of literals that take nine bits each: it shifts what follows. */
static void put_fixed_block(struct bits *bits, int literals) {
  put(bits, 2, 3);
  put_code(bits, 0x190, 9, literals);
  put_code(bits, 0, 7, 1);
}

/* Header of a block with codes of its own, where code lengths have codes of these lengths. */
static void put_dynamic_header(struct bits *bits, unsigned literals, unsigned distances,
                               const uint8_t *lengths, size_t count) {
  put(bits, 4, 3);
  put(bits, literals - 257, 5);
  put(bits, distances - 1, 5);
  put(bits, (unsigned)count - 4, 4);
  for (size_t i = 0; i < count; i++) put(bits, lengths[i], 3);
}

static int64_t outcome_of(const uint8_t *payload, size_t length, size_t step) {
  struct deflate_codec *codec = deflate_codec_create();
  uint8_t *message = malloc(ENOUGH);
  const int64_t result = inflate_all(codec, payload, length, message, ENOUGH, step);
  free(message);
  deflate_codec_destroy(codec);
  return result;
}

TEST(inflate_prefixes, "a payload that is cut short anywhere is invalid, and never a message") {
  struct deflate_codec *codec = deflate_codec_create();
  uint8_t *payload = malloc(PAYLOAD);
  for (size_t length = 1; length < 1000; length += 1 + length / 3) {
    uint8_t *message = random_message(length);
    const int32_t packed = deflate_pack(codec, message, length, 15, payload, PAYLOAD);
    /* The first byte of a block without compression is what an empty message is. */
    for (size_t cut = (payload[0] & 7) == 0 ? 2 : 1; cut < (size_t)packed; cut++) {
      CHECK_EQUAL(outcome_of(payload, cut, ENOUGH), -1);
      CHECK_EQUAL(outcome_of(payload, cut, 1 + cut % 7), -1);
    }
    free(message);
  }
  free(payload);
  deflate_codec_destroy(codec);
}

TEST(inflate_tail_as_bytes, "the tail does not stand in for what is missing of a block") {
  static const char *const PAYLOADS[] = {
      "000800f7ff61626364",         /* four bytes of a block without compression */
      "000800f7ff616263646566",     /* two of them */
      "000300fcff",                 /* all of a shorter one */
      "0000",                       /* a part of its lengths */
      "000000",
      "000000ffff",                 /* a tail that was not cut off */
      "f248cdc9c907000000ffff",
      "f248cdc9c907",               /* a block with fixed codes, without what ends it */
      "f248cdc9c9",
      "f2",
      "02",
      "04",
      "06",                         /* the reserved kind of block */
      "0001020304",                 /* lengths that do not fit each other */
      "f348cdc9c90700ff",           /* rubbish behind a final block */
      "f348cdc9c9070000000000",
  };
  uint8_t payload[32];
  for (size_t i = 0; i < sizeof PAYLOADS / sizeof *PAYLOADS; i++) {
    const size_t length = from_hex(PAYLOADS[i], payload);
    for (size_t step = 1; step < 16; step++) CHECK_EQUAL(outcome_of(payload, length, step), -1);
  }
}

/* The tail's 16 zeros and 16 ones are code lengths: of 4 for 16 literals, of 3 for 8 distances. */
TEST(inflate_tail_as_header, "a block header that the tail happens to complete is no end") {
  static const uint8_t LENGTHS[] = {0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2};
  struct bits bits = {.count = 0};
  put_fixed_block(&bits, 1);
  put_dynamic_header(&bits, 257, 8, LENGTHS, sizeof LENGTHS);
  put_code(&bits, 2, 2, 241);
  CHECK_EQUAL(bits.count % 8, 0);
  for (size_t step = 1; step < 4; step++)
    CHECK_EQUAL(outcome_of(bits.bytes, bits.count / 8, step), -1);
  /* It is one with an end and a block without compression behind the tail. */
  const size_t tail = bits.count;
  put_code(&bits, 0, 1, 16);
  put_code(&bits, 3, 2, 8);
  put_code(&bits, 15, 4, 1);
  CHECK_EQUAL(bits.count - tail, 36);
  put(&bits, 0, 3);
  CHECK_EQUAL(outcome_of(bits.bytes, (bits.count + 7) / 8, 4), 1);
}

/* Here its first eight zeros end the header, and the next three end the block. */
TEST(inflate_tail_as_both, "a block of which the tail is more than the rest is no end") {
  static const uint8_t LENGTHS[] = {0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1};
  struct bits bits = {.count = 0};
  put_fixed_block(&bits, 3);
  put_dynamic_header(&bits, 264, 8, LENGTHS, sizeof LENGTHS);
  put_code(&bits, 2, 2, 256);
  put_code(&bits, 0, 1, 8);
  CHECK_EQUAL(bits.count % 8, 0);
  for (size_t step = 1; step < 6; step++)
    CHECK_EQUAL(outcome_of(bits.bytes, bits.count / 8, step), -1);
  put(&bits, 0, 8 + 3 + 3);
  CHECK_EQUAL(outcome_of(bits.bytes, (bits.count + 7) / 8, 6), 3);
}

/* As before, with the six last ones of the tail as the code that ends the block. */
TEST(inflate_tail_as_block, "a block that the tail happens to complete is no end") {
  static const uint8_t LENGTHS[] = {0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2};
  struct bits bits = {.count = 0};
  put_fixed_block(&bits, 3);
  put_dynamic_header(&bits, 258, 4, LENGTHS, sizeof LENGTHS);
  put_code(&bits, 2, 2, 209);
  put_code(&bits, 0, 1, 32);
  CHECK_EQUAL(bits.count % 8, 0);
  for (size_t step = 1; step < 6; step++)
    CHECK_EQUAL(outcome_of(bits.bytes, bits.count / 8, step), -1);
  put_code(&bits, 0, 1, 16);
  put_code(&bits, 3, 2, 5);
  put_code(&bits, 63, 6, 1);
  CHECK_EQUAL(bits.count % 8, 0);
  put(&bits, 0, 8);
  CHECK_EQUAL(outcome_of(bits.bytes, bits.count / 8, 4), 3);
}

TEST(inflate_full_and_invalid, "a full output asks for more only where there is more") {
  struct deflate_codec *codec = deflate_codec_create();
  uint8_t payload[16], output[5];
  int32_t progress[2];
  const size_t length = from_hex("f248cdc9c907000000ffff", payload);
  CHECK_EQUAL(deflate_unpack(codec, payload, length, output, 5, true, true, progress),
              DEFLATE_INVALID);
  CHECK_EQUAL(deflate_unpack(codec, payload, length, NULL, 0, true, true, progress), DEFLATE_FULL);
  CHECK_EQUAL(progress[1], 0);
  deflate_codec_destroy(codec);
}

/* A match of three bytes at a distance of 1 to 4 or 7 as the first thing of a message. */
TEST(inflate_canary, "a message that reaches behind its start is invalid and shows nothing") {
  static const unsigned DISTANCE_CODES[] = {0, 1, 2, 3, 4, 20, 29};
  struct deflate_codec *codec = deflate_codec_create();
  uint8_t *secret = malloc(ENOUGH), *payload = malloc(2 * ENOUGH), *message = malloc(ENOUGH);
  memset(secret, 'S', ENOUGH);
  const int32_t packed = deflate_pack(codec, secret, ENOUGH, 15, payload, 2 * ENOUGH);
  for (size_t i = 0; i < sizeof DISTANCE_CODES / sizeof *DISTANCE_CODES; i++) {
    struct bits bits = {.count = 0};
    put(&bits, 2, 3);
    put_code(&bits, 1, 7, 1);
    put_code(&bits, DISTANCE_CODES[i], 5, 1);
    put(&bits, 0, 13); /* extra bits of the distance, and what ends a block */
    put_fixed_block(&bits, 0);
    put(&bits, 0, 8);
    for (size_t step = 1; step < 16; step++) {
      const int64_t length = inflate_all(codec, payload, (size_t)packed, message, ENOUGH, ENOUGH);
      CHECK_EQUAL(length, ENOUGH);
      memset(message, 0, ENOUGH);
      CHECK_EQUAL(inflate_all(codec, bits.bytes, bits.count / 8, message, ENOUGH, step), -1);
      CHECK(memchr(message, 'S', ENOUGH) == NULL);
    }
  }
  free(secret);
  free(payload);
  free(message);
  deflate_codec_destroy(codec);
}

/* RFC 7692, 7.2.3.2: the second message of a sender that keeps its context. */
TEST(inflate_context, "a message that leans on the one before is invalid, with every output") {
  struct deflate_codec *codec = deflate_codec_create();
  uint8_t first[16], second[16], message[16];
  const size_t first_length = from_hex("f248cdc9c90700", first);
  const size_t second_length = from_hex("f200110000", second);
  for (size_t step = 1; step < 16; step++) {
    CHECK_EQUAL(inflate_all(codec, first, first_length, message, sizeof message, step), 5);
    CHECK_EQUAL(inflate_all(codec, second, second_length, message, sizeof message, step), -1);
  }
  deflate_codec_destroy(codec);
}

TEST(inflate_final_blocks, "within a message, blocks may reach back over final blocks") {
  struct bits bits = {.count = 0};
  uint8_t message[16];
  put(&bits, 3, 3);                /* final, fixed codes */
  put_code(&bits, 0x30 + 'a', 8, 1);
  put_code(&bits, 0, 7, 1);
  bits.count = (bits.count + 7) / 8 * 8;
  put(&bits, 3, 3);
  put_code(&bits, 1, 7, 1);        /* three bytes from one back */
  put_code(&bits, 0, 5, 1);
  put_code(&bits, 0, 7, 1);
  bits.count = (bits.count + 7) / 8 * 8;
  for (size_t step = 1; step < 6; step++) {
    struct deflate_codec *codec = deflate_codec_create();
    CHECK_EQUAL(inflate_all(codec, bits.bytes, bits.count / 8, message, 16, step), 4);
    CHECK_EQUAL(memcmp(message, "aaaa", 4), 0);
    deflate_codec_destroy(codec);
  }
}

TEST(inflate_abandoned, "a message that was invalid or abandoned leaves nothing to the next one") {
  struct deflate_codec *codec = deflate_codec_create();
  uint8_t *noise = malloc(PAYLOAD), *message = malloc(ENOUGH), *back = malloc(ENOUGH);
  uint8_t hello[16];
  const size_t length = from_hex("f248cdc9c90700", hello);
  for (int round = 0; round < 3000; round++) {
    int32_t progress[2];
    const size_t garbage = test_random() % 200;
    for (size_t i = 0; i < garbage; i++) noise[i] = (uint8_t)test_random();
    deflate_unpack(codec, noise, garbage, message, test_random() % 300, true, true, progress);
    CHECK_EQUAL(inflate_all(codec, hello, length, back, ENOUGH, 1 + test_random() % 8), 5);
    CHECK_EQUAL(memcmp(back, "Hello", 5), 0);
  }
  free(noise);
  free(message);
  free(back);
  deflate_codec_destroy(codec);
}
