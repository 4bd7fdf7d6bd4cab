/*
 * Flush, write, shutdown and close over real sockets; short writes are scripted (kernel.h) or come
 * from a socket that is really full.
 */
#include "fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Flushes this one slot; the pairs. */
static int32_t flush_one(struct fixture *fixture, int32_t slot) {
  fixture->options.flushing[0] = slot;
  return poller_flush(fixture->poller, 1);
}

static void check_pair(const struct fixture *fixture, int32_t index, int32_t slot, int32_t sent) {
  CHECK_EQUAL(fixture->options.short_ones[index * SHORT_STRIDE], slot);
  CHECK_EQUAL(fixture->options.short_ones[index * SHORT_STRIDE + 1], sent);
}

/* A fixture with one client, and its slot owing these texts in one chain. */
static int32_t open_owing(struct fixture *fixture, int *client, const char *const *texts,
                          int count) {
  const int32_t slot = fixture_meet(fixture, client);
  for (int i = 0; i < count; i++) fixture_owe(fixture, slot, texts[i]);
  kernel_reset();
  return slot;
}

static const char *const THREE[] = {"abc", "defg", "hi"};

/* Flushes so many of THREE at once. */
static void check_flush(int count, const char *expected) {
  struct fixture fixture;
  int client;
  const int32_t slot = open_owing(&fixture, &client, THREE, count);
  CHECK_EQUAL(flush_one(&fixture, slot), 0);
  CHECK_EQUAL(fixture.options.heads[slot], -1);
  CHECK_EQUAL(kernel_send.calls, 1);
  client_expect(client, expected, strlen(expected));
  fixture_part(&fixture, client);
}

TEST(flush_single, "one entry leaves with one call and its chain is empty afterwards") {
  check_flush(1, "abc");
}

TEST(flush_chain, "a chain leaves in its order with one call") {
  check_flush(3, "abcdefghi");
}

TEST(flush_side_by_side, "entries that stand side by side in the arena leave as one piece") {
  struct fixture fixture;
  int client;
  const int32_t slot = fixture_meet(&fixture, &client);
  fixture.owes_side_by_side = true;
  for (int i = 0; i < 3; i++) fixture_owe(&fixture, slot, THREE[i]);
  fixture.owes_side_by_side = false;
  CHECK_EQUAL(flush_one(&fixture, slot), 0);
  CHECK_EQUAL(kernel_send_vectors, 1);
  client_expect(client, "abcdefghi", 9);
  for (int i = 0; i < 3; i++) fixture_owe(&fixture, slot, THREE[i]);
  CHECK_EQUAL(flush_one(&fixture, slot), 0);
  CHECK_EQUAL(kernel_send_vectors, 3);
  client_expect(client, "abcdefghi", 9);
  fixture_part(&fixture, client);
}

TEST(flush_interleaved, "entries of two slots that lie interleaved reach each its own client") {
  struct fixture fixture = fixture_defaults();
  int clients[2];
  fixture_open(&fixture);
  for (int i = 0; i < 2; i++) fixture.options.flushing[i] = fixture_accept(&fixture, &clients[i]);
  for (int i = 0; i < 6; i++)
    fixture_owe(&fixture, fixture.options.flushing[i % 2], i % 2 == 0 ? "even" : "odd");
  CHECK_EQUAL(poller_flush(fixture.poller, 2), 0);
  client_expect(clients[0], "eveneveneven", 12);
  client_expect(clients[1], "oddoddodd", 9);
  close(clients[0]);
  close(clients[1]);
  fixture_close(&fixture);
}

TEST(flush_short_single, "a short write of one entry is told, and the chain stays as it was") {
  struct fixture fixture;
  int client;
  const int32_t slot = open_owing(&fixture, &client, THREE, 1);
  kernel_script(&kernel_send, 2);
  CHECK_EQUAL(flush_one(&fixture, slot), 1);
  check_pair(&fixture, 0, slot, 2);
  CHECK_EQUAL(fixture.options.heads[slot], 0);
  CHECK_EQUAL(kernel_send.calls, 1);
  client_expect(client, "ab", 2);
  fixture_part(&fixture, client);
}

TEST(flush_short_chain, "a short write in the middle of an entry counts the bytes of the chain") {
  for (int sent = 1; sent < 9; sent++) {
    struct fixture fixture;
    int client;
    const int32_t slot = open_owing(&fixture, &client, THREE, 3);
    kernel_script(&kernel_send, sent);
    CHECK_EQUAL(flush_one(&fixture, slot), 1);
    check_pair(&fixture, 0, slot, sent);
    CHECK_EQUAL(fixture.options.heads[slot], 0);
    CHECK_EQUAL(fixture.options.entries[2], 1);
    client_expect(client, "abcdefghi", (size_t)sent);
    fixture_part(&fixture, client);
  }
}

TEST(flush_full, "a full socket is a pair with 0 bytes, single and chained") {
  for (int count = 1; count <= 3; count += 2) {
    struct fixture fixture;
    int client;
    const int32_t slot = open_owing(&fixture, &client, THREE, count);
    kernel_script(&kernel_send, -EAGAIN);
    CHECK_EQUAL(flush_one(&fixture, slot), 1);
    check_pair(&fixture, 0, slot, 0);
    CHECK_EQUAL(fixture.options.heads[slot], 0);
    fixture_part(&fixture, client);
  }
}

TEST(flush_interrupted, "a send that a signal interrupts is made again") {
  for (int count = 1; count <= 3; count += 2) {
    struct fixture fixture;
    int client;
    const int32_t slot = open_owing(&fixture, &client, THREE, count);
    kernel_script(&kernel_send, -EINTR);
    CHECK_EQUAL(flush_one(&fixture, slot), 0);
    client_expect(client, "abcdefghi", count == 1 ? 3 : 9);
    fixture_part(&fixture, client);
  }
}

/* 600 entries of "0123456789", which is three calls of 256, 256 and 88. */
static int32_t open_long(struct fixture *fixture, int *client) {
  const int32_t slot = open_owing(fixture, client, NULL, 0);
  for (int i = 0; i < 600; i++) fixture_owe(fixture, slot, "0123456789");
  return slot;
}

static void expect_digits(int client, int count) {
  char digits[6000];
  for (int i = 0; i < count; i++) digits[i] = (char)('0' + i % 10);
  client_expect(client, digits, (size_t)count);
}

TEST(flush_long, "a chain of more entries than one call takes leaves whole and in order") {
  struct fixture fixture;
  int client;
  const int32_t slot = open_long(&fixture, &client);
  CHECK_EQUAL(flush_one(&fixture, slot), 0);
  CHECK_EQUAL(kernel_send.calls, 3);
  expect_digits(client, 6000);
  fixture_part(&fixture, client);
}

TEST(flush_long_short, "a short write in a later call is added to what the earlier ones sent") {
  struct fixture fixture;
  int client;
  const int32_t slot = open_long(&fixture, &client);
  kernel_script(&kernel_send, 0);
  kernel_script(&kernel_send, 13);
  CHECK_EQUAL(flush_one(&fixture, slot), 1);
  check_pair(&fixture, 0, slot, 2573);
  CHECK_EQUAL(kernel_send.calls, 2);
  expect_digits(client, 2573);
  fixture_part(&fixture, client);
}

TEST(flush_long_failed, "a failure in a later call is told as the bytes that went before it") {
  static const int FAILURES[] = {EAGAIN, ECONNRESET};
  for (int i = 0; i < 2; i++) {
    struct fixture fixture;
    int client;
    const int32_t slot = open_long(&fixture, &client);
    kernel_script(&kernel_send, 0);
    kernel_script(&kernel_send, -FAILURES[i]);
    CHECK_EQUAL(flush_one(&fixture, slot), 1);
    check_pair(&fixture, 0, slot, 2560);
    fixture_part(&fixture, client);
  }
}

TEST(flush_reset, "a peer's reset in the middle of a flush is told, and the others get theirs") {
  struct fixture fixture = fixture_defaults();
  int clients[3];
  int32_t slots[3];
  fixture_open(&fixture);
  for (int i = 0; i < 3; i++) {
    slots[i] = fixture.options.flushing[i] = fixture_accept(&fixture, &clients[i]);
    fixture_owe(&fixture, slots[i], "hello");
  }
  client_reset(clients[1]);
  CHECK_EQUAL(poller_flush(fixture.poller, 3), 1);
  check_pair(&fixture, 0, slots[1], -ECONNRESET);
  client_expect(clients[0], "hello", 5);
  client_expect(clients[2], "hello", 5);
  /* A second try finds the pipe broken, and no signal ends the process. */
  CHECK_EQUAL(flush_one(&fixture, slots[1]), 1);
  check_pair(&fixture, 0, slots[1], -EPIPE);
  close(clients[0]);
  close(clients[2]);
  fixture_close(&fixture);
}

TEST(flush_closed, "what a closed slot owed is dropped without a word and without a call") {
  struct fixture fixture;
  int client;
  const int32_t slot = open_owing(&fixture, &client, THREE, 3);
  poller_close(fixture.poller, slot, false);
  CHECK_EQUAL(flush_one(&fixture, slot), 0);
  CHECK_EQUAL(fixture.options.heads[slot], -1);
  CHECK_EQUAL(kernel_send.calls, 0);
  CHECK_EQUAL(client_read(client), 0);
  fixture_part(&fixture, client);
}

TEST(flush_really_full, "a socket that is really full tells how much it took, and WRITABLE later") {
  static char block[50000];
  struct fixture fixture;
  int client;
  const int32_t slot = open_owing(&fixture, &client, NULL, 0);
  memset(block, 'x', sizeof block - 1);
  fixture_owe(&fixture, slot, block);
  /* The same block four times a chain, until the socket has had enough. */
  int32_t *entries = fixture.options.entries;
  for (int i = 1; i < 4; i++) {
    memcpy(entries + i * ENTRY_STRIDE, entries, ENTRY_STRIDE * sizeof *entries);
    entries[(i - 1) * ENTRY_STRIDE + 2] = i;
  }
  int64_t total = 0;
  int32_t pairs;
  do {
    fixture.options.heads[slot] = 0;
    pairs = flush_one(&fixture, slot);
    total += pairs == 0 ? 4 * (int64_t)(sizeof block - 1) : fixture.options.short_ones[1];
  } while (pairs == 0);
  poller_watch(fixture.poller, slot, INTEREST_WRITE);
  CHECK(!fixture_ready(&fixture));
  for (int64_t left = total; left > 0;) {
    const int count = client_read(client);
    CHECK(count > 0);
    left -= count;
  }
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_WRITABLE);
  fixture_part(&fixture, client);
}

TEST(write_verb, "write returns the bytes taken, 0 for a full socket and -errno for a broken one") {
  struct fixture fixture;
  int client;
  const int32_t slot = open_owing(&fixture, &client, NULL, 0);
  const uint8_t *bytes = (const uint8_t *)"hello";
  CHECK_EQUAL(poller_write(fixture.poller, slot, bytes, 5), 5);
  client_expect(client, "hello", 5);
  kernel_script(&kernel_send, 3);
  kernel_script(&kernel_send, -EAGAIN);
  kernel_script(&kernel_send, -EINTR);
  CHECK_EQUAL(poller_write(fixture.poller, slot, bytes, 5), 3);
  CHECK_EQUAL(poller_write(fixture.poller, slot, bytes, 5), 0);
  CHECK_EQUAL(poller_write(fixture.poller, slot, bytes, 0), 0);
  client_reset(client);
  CHECK_EQUAL(poller_write(fixture.poller, slot, bytes, 5), -ECONNRESET);
  CHECK_EQUAL(poller_write(fixture.poller, slot, bytes, 5), -EPIPE);
  fixture_close(&fixture);
}

TEST(shutdown_verb, "shutdown ends our side behind what was written, and reading goes on") {
  struct fixture fixture;
  int client;
  const int32_t slot = open_owing(&fixture, &client, THREE, 3);
  CHECK_EQUAL(flush_one(&fixture, slot), 0);
  poller_shutdown(fixture.poller, slot);
  client_expect(client, "abcdefghi", 9);
  CHECK_EQUAL(client_read(client), 0);
  client_send(client, "more");
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_BYTES);
  close(client);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_END);
  poller_shutdown(fixture.poller, slot); /* the second one finds nobody, and says nothing */
  fixture_close(&fixture);
}

/* Flushes so many of THREE with a FIN behind; `taken` bytes of them are taken, 0 for all. */
static int32_t flush_with_fin(struct fixture *fixture, int *client, int count, int taken) {
  const int32_t slot = open_owing(fixture, client, THREE, count);
  fixture->options.entries[(count - 1) * ENTRY_STRIDE + 2] = CHAIN_FIN;
  if (taken > 0) kernel_script(&kernel_send, taken);
  CHECK_EQUAL(flush_one(fixture, slot), taken > 0 ? 1 : 0);
  return slot;
}

TEST(flush_fin, "a chain that a FIN follows ends our side in the packet of its last bytes") {
  for (int count = 1; count <= 3; count += 2) {
    struct fixture fixture;
    int client;
    const int32_t slot = flush_with_fin(&fixture, &client, count, 0);
    CHECK_EQUAL(fixture.options.heads[slot], -1);
    client_expect(client, "abcdefghi", count == 1 ? 3 : 9);
    CHECK_EQUAL(client_read(client), 0);
    CHECK_EQUAL(client_segments(client), 1);
    fixture_part(&fixture, client);
  }
}

TEST(flush_fin_short, "a chain that did not leave whole is followed by no FIN") {
  struct fixture fixture;
  int client;
  const int32_t slot = flush_with_fin(&fixture, &client, 3, 5);
  check_pair(&fixture, 0, slot, 5);
  client_expect(client, "abcde", 5);
  CHECK_EQUAL(poller_write(fixture.poller, slot, (const uint8_t *)"!", 1), 1);
  client_expect(client, "!", 1);
  fixture_part(&fixture, client);
}

TEST(end_behind_fin, "behind our FIN too, what a peer sent is read, and then its end") {
  struct fixture fixture;
  int client;
  const int32_t slot = flush_with_fin(&fixture, &client, 1, 0);
  client_expect(client, "abc", 3);
  CHECK_EQUAL(client_read(client), 0);
  client_send(client, "unread");
  close(client);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_BYTES);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_END);
  fixture_close(&fixture);
}

TEST(close_verb, "close ends the stream for the client, and with reset breaks it") {
  for (int reset = 0; reset <= 1; reset++) {
    struct fixture fixture;
    int client;
    const int32_t slot = open_owing(&fixture, &client, NULL, 0);
    poller_close(fixture.poller, slot, reset == 1);
    CHECK_EQUAL(client_read(client), reset == 1 ? -ECONNRESET : 0);
    fixture_part(&fixture, client);
  }
}
