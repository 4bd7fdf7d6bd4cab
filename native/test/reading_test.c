/*
 * What one turn reads and how much of it, over real sockets of the loopback; what the kernel would
 * not do on demand is scripted (kernel.h).
 */
#include "fixture.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

TEST(reads_what_came, "a turn accepts a client and a later one reads what it sent, then its end") {
  struct fixture fixture;
  int client;
  const int32_t slot = fixture_meet(&fixture, &client);
  CHECK_EQUAL(poller_turn(fixture.poller, fixture.options.events_max), 0);
  client_send(client, "hello");
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_BYTES);
  const int32_t *record = fixture_record(&fixture, 0);
  CHECK_EQUAL(record[2] % 8, 0);
  CHECK(record[2] >= fixture.options.input_start + READ_HEADROOM);
  CHECK_EQUAL(record[3], 5);
  CHECK_EQUAL(memcmp(fixture.options.arena + record[2], "hello", 5), 0);
  close(client);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_END);
  fixture_close(&fixture);
}

TEST(one_read, "a turn costs one epoll_wait and one recv for each ready socket, and no epoll_ctl") {
  struct fixture fixture = fixture_defaults();
  int clients[3];
  fixture_open(&fixture);
  for (int i = 0; i < 3; i++) fixture_accept(&fixture, &clients[i]);
  for (int i = 0; i < 3; i++) client_send(clients[i], "hello");
  kernel_reset();
  CHECK_EQUAL(poller_turn(fixture.poller, fixture.options.events_max), 3);
  CHECK_EQUAL(kernel_recv.calls, 3);
  CHECK_EQUAL(kernel_epoll_wait.calls, 1);
  CHECK_EQUAL(kernel_epoll_ctl.calls, 0);
  for (int i = 0; i < 3; i++) close(clients[i]);
  fixture_close(&fixture);
}

TEST(packed, "reads of one turn stand apart by 16 bytes of headroom and at most 7 of alignment") {
  struct fixture fixture = fixture_defaults();
  const char *digits = "123456789";
  int clients[5];
  int32_t end = fixture.options.input_start;
  fixture_open(&fixture);
  for (int i = 0; i < 5; i++) fixture_accept(&fixture, &clients[i]);
  for (int i = 0; i < 5; i++) client_send(clients[i], digits + i);
  CHECK_EQUAL(poller_turn(fixture.poller, fixture.options.events_max), 5);
  for (int i = 0; i < 5; i++) {
    const int32_t *record = fixture_record(&fixture, i);
    CHECK_EQUAL(record[2] % 8, 0);
    CHECK(record[2] - end >= 16 && record[2] - end < 24);
    CHECK_EQUAL(memcmp(fixture.options.arena + record[2], digits + 9 - record[3],
                       (size_t)record[3]), 0);
    end = record[2] + record[3];
  }
  for (int i = 0; i < 5; i++) close(clients[i]);
  fixture_close(&fixture);
}

/* Lets `count` clients flood and checks the length of every read of one turn. */
static void check_read_length(struct fixture fixture, int count, int32_t expected) {
  static char flood[40000];
  int clients[8];
  fixture_open(&fixture);
  for (int i = 0; i < count; i++) fixture_accept(&fixture, &clients[i]);
  for (int i = 0; i < count; i++)
    CHECK_EQUAL(send(clients[i], flood, sizeof flood, 0), sizeof flood);
  CHECK_EQUAL(poller_turn(fixture.poller, fixture.options.events_max), count);
  for (int i = 0; i < count; i++) {
    CHECK_EQUAL(fixture_record(&fixture, i)[1], RECORD_BYTES);
    CHECK_EQUAL(fixture_record(&fixture, i)[3], expected);
  }
  for (int i = 0; i < count; i++) close(clients[i]);
  fixture_close(&fixture);
}

TEST(read_caps, "one read is the turn's bytes over the ready sockets, within its two bounds") {
  struct fixture fixture = fixture_defaults();
  check_read_length(fixture, 1, 32768);
  check_read_length(fixture, 4, 16384);
  fixture.options.turn_bytes = 16384;
  check_read_length(fixture, 8, 4096);
}

TEST(read_share, "a small arena is shared evenly: nobody's read is broken off for another's") {
  struct fixture fixture = fixture_defaults();
  fixture.options.input_start = 1000;
  fixture.options.input_end = 1000 + 8 * 1024;
  fixture.options.events_max = 8;
  check_read_length(fixture, 8, 1024 - READ_OVERHEAD);
  check_read_length(fixture, 2, 4096 - READ_OVERHEAD);
}

TEST(events_max, "a turn takes as many events as it is told, and the next one takes the others") {
  struct fixture fixture = fixture_defaults();
  int clients[8];
  bool seen[16] = {false};
  fixture_open(&fixture);
  for (int i = 0; i < 8; i++) fixture_accept(&fixture, &clients[i]);
  for (int i = 0; i < 8; i++) client_send(clients[i], "hello");
  for (int turn = 0; turn < 2; turn++) {
    CHECK_EQUAL(poller_turn(fixture.poller, 4), 4);
    for (int i = 0; i < 4; i++) {
      CHECK(!seen[fixture_record(&fixture, i)[0]]);
      seen[fixture_record(&fixture, i)[0]] = true;
    }
  }
  CHECK_EQUAL(poller_turn(fixture.poller, fixture.options.events_max), 0);
  for (int i = 0; i < 8; i++) close(clients[i]);
  fixture_close(&fixture);
}

TEST(reset_in_batch, "a peer's reset in the middle of a batch fails its slot and no other") {
  struct fixture fixture = fixture_defaults();
  int clients[3];
  int32_t slots[3];
  fixture_open(&fixture);
  for (int i = 0; i < 3; i++) slots[i] = fixture_accept(&fixture, &clients[i]);
  client_send(clients[0], "first");
  client_reset(clients[1]);
  client_send(clients[2], "third");
  CHECK_EQUAL(poller_turn(fixture.poller, fixture.options.events_max), 3);
  CHECK_EQUAL(fixture_find(&fixture, 3, slots[0], RECORD_BYTES), 0);
  CHECK_EQUAL(fixture_find(&fixture, 3, slots[1], RECORD_FAILED), 1);
  CHECK_EQUAL(fixture_record(&fixture, 1)[3], ECONNRESET);
  CHECK_EQUAL(fixture_find(&fixture, 3, slots[2], RECORD_BYTES), 2);
  close(clients[0]);
  close(clients[2]);
  fixture_close(&fixture);
}

TEST(reset_after_bytes, "what came before a reset is read first, and then the reset is told") {
  struct fixture fixture;
  int client;
  const int32_t slot = fixture_meet(&fixture, &client);
  client_send(client, "hello");
  client_reset(client);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_BYTES);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_FAILED);
  CHECK_EQUAL(fixture_record(&fixture, 0)[3], ECONNRESET);
  fixture_close(&fixture);
}

TEST(read_left, "what a read leaves is found by the next turn, though nothing new has come") {
  struct fixture fixture = fixture_defaults();
  static char flood[40000];
  int client;
  fixture_open(&fixture);
  const int32_t slot = fixture_accept(&fixture, &client);
  CHECK_EQUAL(send(client, flood, sizeof flood, 0), sizeof flood);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_BYTES);
  CHECK_EQUAL(fixture_record(&fixture, 0)[3], 32768);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_BYTES);
  CHECK_EQUAL(fixture_record(&fixture, 0)[3], 40000 - 32768);
  CHECK_EQUAL(poller_turn(fixture.poller, fixture.options.events_max), 0);
  fixture_part(&fixture, client);
}

TEST(read_urgent, "an urgent byte breaks off a read, and what is behind it is read all the same") {
  struct fixture fixture;
  int client;
  const int32_t slot = fixture_meet(&fixture, &client);
  client_send(client, "before");
  CHECK_EQUAL(send(client, "!", 1, MSG_OOB), 1);
  client_send(client, "behind");
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_BYTES);
  CHECK_EQUAL(fixture_record(&fixture, 0)[3], 6);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_BYTES);
  CHECK_EQUAL(fixture_record(&fixture, 0)[3], 6);
  fixture_part(&fixture, client);
}

TEST(looked_at_once, "a socket that was read empty is not looked at again until more comes") {
  struct fixture fixture;
  int client;
  const int32_t slot = fixture_meet(&fixture, &client);
  client_send(client, "hello");
  kernel_script(&kernel_recv, -EAGAIN);
  CHECK_EQUAL(fixture_turn(&fixture), 0);
  CHECK(!fixture_ready(&fixture));
  client_send(client, "hello");
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_BYTES);
  CHECK_EQUAL(fixture_record(&fixture, 0)[3], 10);
  fixture_part(&fixture, client);
}

TEST(recv_interrupted, "a read that a signal interrupts is made again, and EAGAIN is no record") {
  struct fixture fixture;
  int client;
  const int32_t slot = fixture_meet(&fixture, &client);
  client_send(client, "hello");
  kernel_script(&kernel_recv, -EINTR);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_BYTES);
  client_send(client, "hello");
  kernel_script(&kernel_recv, -EAGAIN);
  CHECK_EQUAL(fixture_turn(&fixture), 0);
  kernel_script(&kernel_epoll_wait, -EINTR);
  CHECK_EQUAL(poller_turn(fixture.poller, fixture.options.events_max), 0);
  fixture_part(&fixture, client);
}
