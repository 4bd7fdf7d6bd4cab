/*
 * When a slot is taken and free, and that events of its former life do not reach the next one.
 */
#include "fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

static uint64_t id_of(const struct fixture *fixture, int32_t slot) {
  return (uint64_t)fixture->options.generations[slot] << 32 | (uint32_t)slot;
}

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
  CHECK_EQUAL(poller_turn(fixture.poller, fixture.options.events_max), 0);
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
  CHECK_EQUAL(poller_turn(fixture.poller, fixture.options.events_max), 0);
  for (int i = 0; i < 2; i++) {
    const int32_t adopted =
        poller_adopt(fixture.poller, dup(poller_socket(fixture.poller, fixture.listener)));
    CHECK(adopted == slots[0] || adopted == slots[1]);
  }
  for (int i = 0; i < 3; i++) close(clients[i]);
  fixture_close(&fixture);
}

TEST(generations, "closing a slot adds one to its generation and to no other") {
  struct fixture fixture;
  int client;
  const int32_t slot = fixture_meet(&fixture, &client);
  fixture.options.generations[slot + 1] = 7;
  poller_close(fixture.poller, slot, false);
  CHECK_EQUAL(fixture.options.generations[slot], 1);
  CHECK_EQUAL(fixture.options.generations[slot + 1], 7);
  fixture_part(&fixture, client);
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
  /* The right generation is read: EAGAIN. */
  CHECK_EQUAL(poller_turn(fixture.poller, fixture.options.events_max), 0);
  CHECK_EQUAL(kernel_recv.calls, 2);
  close(old);
  close(young);
  fixture_close(&fixture);
}

TEST(shared_descriptor, "a closed slot is silent though another process still holds its socket") {
  struct fixture fixture;
  int client;
  const int32_t slot = fixture_meet(&fixture, &client);
  const int held = dup(poller_socket(fixture.poller, slot));
  const int listening = dup(poller_socket(fixture.poller, fixture.listener));
  poller_close(fixture.poller, slot, false);
  client_send(client, "hello");
  CHECK_EQUAL(fixture_turn(&fixture), 0);
  close(held);
  poller_close(fixture.poller, fixture.listener, false);
  const int waiting = client_connect(fixture.port);
  CHECK(!fixture_ready(&fixture)); /* a listener leaves epoll as it closes */
  CHECK_EQUAL(poller_turn(fixture.poller, fixture.options.events_max), 0);
  close(waiting);
  close(listening);
  fixture_part(&fixture, client);
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
