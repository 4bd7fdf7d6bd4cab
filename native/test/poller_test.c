/*
 * Slots, accepting and reading, over real sockets of the loopback; what the kernel would not do on
 * demand is scripted (kernel.h). Sending has its own file.
 */
#include "fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static uint64_t id_of(const struct fixture *fixture, int32_t slot) {
  return (uint64_t)fixture->options.generations[slot] << 32 | (uint32_t)slot;
}

TEST(reads_what_came, "a turn accepts a client and a later one reads what it sent, then its end") {
  struct fixture fixture = fixture_defaults();
  int client;
  fixture_open(&fixture);
  const int32_t slot = fixture_accept(&fixture, &client);
  CHECK_EQUAL(poller_turn(fixture.poller), 0);
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
  CHECK_EQUAL(poller_turn(fixture.poller), 3);
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
  CHECK_EQUAL(poller_turn(fixture.poller), 5);
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
  CHECK_EQUAL(poller_turn(fixture.poller), count);
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

TEST(events_max, "a turn takes at most eventsMax events, and the next one takes the others") {
  struct fixture fixture = fixture_defaults();
  int clients[8];
  bool seen[16] = {false};
  fixture.options.events_max = 4;
  fixture_open(&fixture);
  for (int i = 0; i < 8; i++) fixture_accept(&fixture, &clients[i]);
  for (int i = 0; i < 8; i++) client_send(clients[i], "hello");
  for (int turn = 0; turn < 2; turn++) {
    CHECK_EQUAL(poller_turn(fixture.poller), 4);
    for (int i = 0; i < 4; i++) {
      CHECK(!seen[fixture_record(&fixture, i)[0]]);
      seen[fixture_record(&fixture, i)[0]] = true;
    }
  }
  CHECK_EQUAL(poller_turn(fixture.poller), 0);
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
  CHECK_EQUAL(poller_turn(fixture.poller), 3);
  CHECK_EQUAL(fixture_find(&fixture, 3, slots[0], RECORD_BYTES), 0);
  CHECK_EQUAL(fixture_find(&fixture, 3, slots[1], RECORD_FAILED), 1);
  CHECK_EQUAL(fixture_record(&fixture, 1)[3], ECONNRESET);
  CHECK_EQUAL(fixture_find(&fixture, 3, slots[2], RECORD_BYTES), 2);
  close(clients[0]);
  close(clients[2]);
  fixture_close(&fixture);
}

TEST(reset_after_bytes, "what came before a reset is read first, and then the reset is told") {
  struct fixture fixture = fixture_defaults();
  int client;
  fixture_open(&fixture);
  const int32_t slot = fixture_accept(&fixture, &client);
  client_send(client, "hello");
  client_reset(client);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_BYTES);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_FAILED);
  CHECK_EQUAL(fixture_record(&fixture, 0)[3], ECONNRESET);
  fixture_close(&fixture);
}

TEST(recv_interrupted, "a read that a signal interrupts is made again, and EAGAIN is no record") {
  struct fixture fixture = fixture_defaults();
  int client;
  fixture_open(&fixture);
  const int32_t slot = fixture_accept(&fixture, &client);
  client_send(client, "hello");
  kernel_script(&kernel_recv, -EINTR);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_BYTES);
  client_send(client, "hello");
  kernel_script(&kernel_recv, -EAGAIN);
  CHECK_EQUAL(fixture_turn(&fixture), 0);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_BYTES);
  kernel_script(&kernel_epoll_wait, -EINTR);
  CHECK_EQUAL(poller_turn(fixture.poller), 0);
  close(client);
  fixture_close(&fixture);
}

/* ---- Slots ---- */

TEST(free_next_turn, "a slot that was closed is taken again only from the next turn on") {
  struct fixture fixture = fixture_defaults();
  int first, second, third;
  fixture.options.slots = 3;
  fixture_open(&fixture);
  const int32_t slot = fixture_accept(&fixture, &first);
  fixture_accept(&fixture, &second);
  poller_close(fixture.poller, slot, false);
  CHECK_EQUAL(poller_socket(fixture.poller, slot), -1);
  const int unused = dup(poller_socket(fixture.poller, fixture.listener));
  CHECK_EQUAL(poller_adopt(fixture.poller, unused), -ENOBUFS);
  CHECK_EQUAL(poller_turn(fixture.poller), 0);
  CHECK_EQUAL(fixture_accept(&fixture, &third), slot);
  close(unused);
  close(first);
  close(second);
  close(third);
  fixture_close(&fixture);
}

TEST(taken_between, "a slot that is taken between turns leaves those closed lately closed") {
  struct fixture fixture = fixture_defaults();
  int clients[3];
  int32_t slots[3];
  fixture.options.slots = 6;
  fixture_open(&fixture);
  for (int i = 0; i < 3; i++) slots[i] = fixture_accept(&fixture, &clients[i]);
  poller_close(fixture.poller, slots[0], false);
  poller_close(fixture.poller, slots[1], false);
  /* Two are free besides, and neither of them is a slot that was just closed. */
  for (int i = 0; i < 2; i++) {
    const int32_t adopted =
        poller_adopt(fixture.poller, dup(poller_socket(fixture.poller, fixture.listener)));
    CHECK(adopted == 4 || adopted == 5);
  }
  CHECK_EQUAL(poller_turn(fixture.poller), 0);
  for (int i = 0; i < 2; i++) {
    const int32_t adopted =
        poller_adopt(fixture.poller, dup(poller_socket(fixture.poller, fixture.listener)));
    CHECK(adopted == slots[0] || adopted == slots[1]);
  }
  for (int i = 0; i < 3; i++) close(clients[i]);
  fixture_close(&fixture);
}

TEST(generations, "closing a slot adds one to its generation and to no other") {
  struct fixture fixture = fixture_defaults();
  int client;
  fixture_open(&fixture);
  const int32_t slot = fixture_accept(&fixture, &client);
  fixture.options.generations[slot + 1] = 7;
  poller_close(fixture.poller, slot, false);
  CHECK_EQUAL(fixture.options.generations[slot], 1);
  CHECK_EQUAL(fixture.options.generations[slot + 1], 7);
  close(client);
  fixture_close(&fixture);
}

TEST(stale_event, "an event of a slot that was closed and is used again in the batch is skipped") {
  struct fixture fixture = fixture_defaults();
  int old, young;
  fixture_open(&fixture);
  const int32_t slot = fixture_accept(&fixture, &old);
  const uint64_t stale = id_of(&fixture, slot);
  poller_close(fixture.poller, slot, false);
  young = client_connect(fixture.port);
  client_send(young, "hello");
  /* The batch: the listener, whose new socket takes the slot, and then the old one's event. */
  kernel_forge_event(stale, EPOLLIN | EPOLLOUT | EPOLLHUP);
  kernel_recv.calls = 0;
  const int32_t count = fixture_turn(&fixture);
  fixture_only(&fixture, count, slot, RECORD_ACCEPTED);
  CHECK_EQUAL(kernel_recv.calls, 0);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_BYTES);
  kernel_forge_event(id_of(&fixture, slot), EPOLLIN);
  CHECK_EQUAL(poller_turn(fixture.poller), 0); /* the right generation is read: EAGAIN */
  CHECK_EQUAL(kernel_recv.calls, 2);
  close(old);
  close(young);
  fixture_close(&fixture);
}

TEST(shared_descriptor, "a closed slot is silent though another process still holds its socket") {
  struct fixture fixture = fixture_defaults();
  int client;
  fixture_open(&fixture);
  const int32_t slot = fixture_accept(&fixture, &client);
  const int held = dup(poller_socket(fixture.poller, slot));
  const int listening = dup(poller_socket(fixture.poller, fixture.listener));
  poller_close(fixture.poller, slot, false);
  client_send(client, "hello");
  CHECK_EQUAL(fixture_turn(&fixture), 0);
  close(held);
  poller_close(fixture.poller, fixture.listener, false);
  const int waiting = client_connect(fixture.port);
  CHECK(!fixture_ready(&fixture)); /* a listener leaves epoll as it closes */
  CHECK_EQUAL(poller_turn(fixture.poller), 0);
  close(waiting);
  close(listening);
  close(client);
  fixture_close(&fixture);
}

/* ---- Interest ---- */

TEST(paused, "a paused socket is neither read nor reported, not even for the peer's end") {
  struct fixture fixture = fixture_defaults();
  int client;
  fixture_open(&fixture);
  const int32_t slot = fixture_accept(&fixture, &client);
  poller_watch(fixture.poller, slot, 0);
  client_send(client, "hello");
  shutdown(client, SHUT_WR);
  CHECK(!fixture_ready(&fixture));
  CHECK_EQUAL(poller_turn(fixture.poller), 0);
  poller_watch(fixture.poller, slot, INTEREST_READ);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_BYTES);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_END);
  close(client);
  fixture_close(&fixture);
}

TEST(interest_changes, "watching for what is watched already costs no system call") {
  struct fixture fixture = fixture_defaults();
  int client;
  fixture_open(&fixture);
  const int32_t slot = fixture_accept(&fixture, &client);
  kernel_reset();
  poller_watch(fixture.poller, slot, INTEREST_READ);
  CHECK_EQUAL(kernel_epoll_ctl.calls, 0);
  poller_watch(fixture.poller, slot, INTEREST_READ | INTEREST_WRITE);
  poller_watch(fixture.poller, slot, INTEREST_READ | INTEREST_WRITE);
  CHECK_EQUAL(kernel_epoll_ctl.calls, 1);
  close(client);
  fixture_close(&fixture);
}

TEST(writable, "WRITE is reported every turn until it is off, before the bytes of the same slot") {
  struct fixture fixture = fixture_defaults();
  int client;
  fixture_open(&fixture);
  const int32_t slot = fixture_accept(&fixture, &client);
  poller_watch(fixture.poller, slot, INTEREST_WRITE);
  client_send(client, "hello");
  for (int i = 0; i < 3; i++)
    fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_WRITABLE);
  poller_watch(fixture.poller, slot, INTEREST_READ | INTEREST_WRITE);
  CHECK_EQUAL(fixture_turn(&fixture), 2);
  CHECK_EQUAL(fixture_find(&fixture, 2, slot, RECORD_WRITABLE), 0);
  CHECK_EQUAL(fixture_find(&fixture, 2, slot, RECORD_BYTES), 1);
  poller_watch(fixture.poller, slot, 0);
  CHECK_EQUAL(poller_turn(fixture.poller), 0);
  close(client);
  fixture_close(&fixture);
}

static void check_hang_up(unsigned interest) {
  struct fixture fixture = fixture_defaults();
  int client;
  fixture_open(&fixture);
  const int32_t slot = fixture_accept(&fixture, &client);
  poller_watch(fixture.poller, slot, interest);
  client_send(client, "hello");
  client_reset(client);
  const int32_t count = fixture_turn(&fixture);
  CHECK(fixture_find(&fixture, count, slot, RECORD_HANGUP) >= 0);
  CHECK_EQUAL(fixture_find(&fixture, count, slot, RECORD_FAILED), -1);
  /* A silenced writer may still wake the loop once, and then never. */
  CHECK_EQUAL(poller_turn(fixture.poller), 0);
  CHECK(!fixture_ready(&fixture));
  /* Neither pausing nor wanting to write wakes it again. */
  poller_watch(fixture.poller, slot, 0);
  poller_watch(fixture.poller, slot, INTEREST_WRITE);
  poller_watch(fixture.poller, slot, 0);
  CHECK(!fixture_ready(&fixture));
  poller_watch(fixture.poller, slot, INTEREST_READ);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_BYTES);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_FAILED);
  poller_close(fixture.poller, slot, false);
  CHECK(!fixture_ready(&fixture));
  fixture_close(&fixture);
}

TEST(hangup_paused, "a hang-up while paused is told once; resuming finds the bytes and the reset") {
  check_hang_up(0);
}

TEST(hangup_writing, "a hang-up while only WRITE is wanted is told once as well") {
  check_hang_up(INTEREST_WRITE);
}

TEST(hangup_twice, "pausing again after a hang-up that nobody looked into tells it again, once") {
  struct fixture fixture = fixture_defaults();
  int client;
  fixture_open(&fixture);
  const int32_t slot = fixture_accept(&fixture, &client);
  client_send(client, "hello");
  client_reset(client);
  for (int i = 0; i < 2; i++) {
    poller_watch(fixture.poller, slot, 0);
    fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_HANGUP);
    CHECK(!fixture_ready(&fixture));
    poller_watch(fixture.poller, slot, INTEREST_READ);
  }
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_BYTES);
  fixture_close(&fixture);
}

TEST(hangup_again, "a slot used again after a hang-up begins without its memory") {
  struct fixture fixture = fixture_defaults();
  int client;
  fixture_open(&fixture);
  const int32_t slot = fixture_accept(&fixture, &client);
  poller_watch(fixture.poller, slot, 0);
  client_reset(client);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_HANGUP);
  poller_close(fixture.poller, slot, false);
  CHECK_EQUAL(poller_turn(fixture.poller), 0);
  CHECK_EQUAL(fixture_accept(&fixture, &client), slot);
  poller_watch(fixture.poller, slot, INTEREST_WRITE);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_WRITABLE);
  client_reset(client);
  CHECK(fixture_find(&fixture, fixture_turn(&fixture), slot, RECORD_HANGUP) >= 0);
  fixture_close(&fixture);
}

/* ---- Accepting ---- */

TEST(accept_budget, "a turn accepts acceptsMax sockets, and the next one goes on") {
  struct fixture fixture = fixture_defaults();
  int clients[6];
  fixture_open(&fixture);
  for (int i = 0; i < 6; i++) clients[i] = client_connect(fixture.port);
  CHECK_EQUAL(fixture_turn(&fixture), 4);
  CHECK_EQUAL(fixture_turn(&fixture), 2);
  CHECK_EQUAL(poller_turn(fixture.poller), 0);
  for (int i = 0; i < 6; i++) close(clients[i]);
  fixture_close(&fixture);
}

TEST(accept_paused, "a paused listener leaves its clients in the queue until it is resumed") {
  struct fixture fixture = fixture_defaults();
  fixture_open(&fixture);
  poller_watch(fixture.poller, fixture.listener, 0);
  const int client = client_connect(fixture.port);
  CHECK(!fixture_ready(&fixture));
  poller_watch(fixture.poller, fixture.listener, INTEREST_READ);
  CHECK_EQUAL(fixture_turn(&fixture), 1);
  CHECK_EQUAL(fixture_record(&fixture, 0)[1], RECORD_ACCEPTED);
  close(client);
  fixture_close(&fixture);
}

TEST(accept_slots, "with no slot free the listener fails with ENOBUFS, and nobody is turned away") {
  struct fixture fixture = fixture_defaults();
  int clients[2];
  fixture.options.slots = 2;
  fixture_open(&fixture);
  clients[0] = client_connect(fixture.port);
  clients[1] = client_connect(fixture.port);
  const int32_t slot = 1;
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_ACCEPTED);
  fixture_only(&fixture, fixture_turn(&fixture), fixture.listener, RECORD_ACCEPT_FAILED);
  CHECK_EQUAL(fixture_record(&fixture, 0)[3], ENOBUFS);
  poller_close(fixture.poller, slot, false);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_ACCEPTED);
  client_send(clients[1], "hello");
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_BYTES);
  close(clients[0]);
  close(clients[1]);
  fixture_close(&fixture);
}

TEST(accept_scarce, "ENFILE, ENOBUFS and ENOMEM are told with the listener's slot") {
  static const int SCARCE[] = {ENFILE, ENOBUFS, ENOMEM};
  struct fixture fixture = fixture_defaults();
  fixture_open(&fixture);
  const int client = client_connect(fixture.port);
  for (int i = 0; i < 3; i++) {
    kernel_script(&kernel_accept, -SCARCE[i]);
    fixture_only(&fixture, fixture_turn(&fixture), fixture.listener, RECORD_ACCEPT_FAILED);
    CHECK_EQUAL(fixture_record(&fixture, 0)[3], SCARCE[i]);
  }
  CHECK_EQUAL(fixture_turn(&fixture), 1);
  close(client);
  fixture_close(&fixture);
}

TEST(accept_emfile, "at the descriptor limit the listener fails with EMFILE, and recovers") {
  struct fixture fixture = fixture_defaults();
  struct rlimit limit, lowered;
  fixture_open(&fixture);
  const int client = client_connect(fixture.port);
  const int next = dup(client);
  close(next);
  CHECK_EQUAL(getrlimit(RLIMIT_NOFILE, &limit), 0);
  lowered = limit;
  lowered.rlim_cur = (rlim_t)next;
  CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &lowered), 0);
  const int32_t count = fixture_turn(&fixture);
  CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
  fixture_only(&fixture, count, fixture.listener, RECORD_ACCEPT_FAILED);
  CHECK_EQUAL(fixture_record(&fixture, 0)[3], EMFILE);
  CHECK_EQUAL(fixture_turn(&fixture), 1);
  CHECK_EQUAL(fixture_record(&fixture, 0)[1], RECORD_ACCEPTED);
  close(client);
  fixture_close(&fixture);
}

TEST(accept_aborted, "a client that left the queue, or a signal, does not end the accepting") {
  struct fixture fixture = fixture_defaults();
  fixture_open(&fixture);
  const int client = client_connect(fixture.port);
  kernel_script(&kernel_accept, -ECONNABORTED);
  kernel_script(&kernel_accept, -EINTR);
  kernel_script(&kernel_accept, -EPROTO);
  CHECK_EQUAL(fixture_turn(&fixture), 1);
  CHECK_EQUAL(fixture_record(&fixture, 0)[1], RECORD_ACCEPTED);
  close(client);
  fixture_close(&fixture);
}

TEST(accept_unwatched, "a socket that epoll has no memory for is closed and costs no slot") {
  struct fixture fixture = fixture_defaults();
  fixture_open(&fixture);
  const int before = descriptors_open();
  const int client = client_connect(fixture.port);
  kernel_script(&kernel_epoll_ctl, -ENOSPC);
  fixture_only(&fixture, fixture_turn(&fixture), fixture.listener, RECORD_ACCEPT_FAILED);
  CHECK_EQUAL(fixture_record(&fixture, 0)[3], ENOSPC);
  CHECK_EQUAL(client_read(client), 0);
  CHECK_EQUAL(descriptors_open(), before + 1);
  close(client);
  int other;
  CHECK_EQUAL(fixture_accept(&fixture, &other), 1);
  close(other);
  fixture_close(&fixture);
}

TEST(adopt_refuses, "only a listening socket is adopted, and a refused one stays the caller's") {
  struct fixture fixture = fixture_defaults();
  int ends[2];
  fixture_open(&fixture);
  const int plain = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_EQUAL(pipe(ends), 0);
  CHECK_EQUAL(poller_adopt(fixture.poller, plain), -EINVAL);
  CHECK_EQUAL(poller_adopt(fixture.poller, ends[0]), -ENOTSOCK);
  CHECK_EQUAL(poller_adopt(fixture.poller, -1), -EBADF);
  CHECK_EQUAL(close(plain) | close(ends[0]) | close(ends[1]), 0);
  fixture_close(&fixture);
}

TEST(two_listeners, "a record tells by which of two listeners its socket came") {
  struct fixture fixture = fixture_defaults();
  struct fixture other = fixture_defaults();
  fixture_open(&fixture);
  fixture_open(&other);
  const int32_t second =
      poller_adopt(fixture.poller, dup(poller_socket(other.poller, other.listener)));
  CHECK_EQUAL(second, 1);
  const int client = client_connect(other.port);
  CHECK_EQUAL(fixture_turn(&fixture), 1);
  CHECK_EQUAL(fixture_record(&fixture, 0)[1], RECORD_ACCEPTED);
  CHECK_EQUAL(fixture_record(&fixture, 0)[2], second);
  close(client);
  fixture_close(&other);
  fixture_close(&fixture);
}

TEST(destroy_closes, "destroying closes the epoll instance and every socket, listening ones too") {
  const int before = descriptors_open();
  struct fixture fixture = fixture_defaults();
  int clients[5];
  fixture_open(&fixture);
  for (int i = 0; i < 5; i++) fixture_accept(&fixture, &clients[i]);
  poller_close(fixture.poller, 2, false);
  poller_close(fixture.poller, 3, true);
  CHECK_EQUAL(descriptors_open(), before + 2 + 5 + 3);
  fixture_close(&fixture);
  for (int i = 0; i < 5; i++) CHECK(client_read(clients[i]) <= 0);
  for (int i = 0; i < 5; i++) close(clients[i]);
  CHECK_EQUAL(descriptors_open(), before);
}
