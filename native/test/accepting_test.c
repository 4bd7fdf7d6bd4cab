/*
 * Listening sockets: how many clients a turn accepts, and what becomes of the others.
 */
#include "fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

TEST(accept_budget, "a turn accepts acceptsMax sockets, and the next one goes on") {
  struct fixture fixture = fixture_defaults();
  int clients[6];
  fixture_open(&fixture);
  for (int i = 0; i < 6; i++) clients[i] = client_connect(fixture.port);
  CHECK_EQUAL(fixture_turn(&fixture), 4);
  CHECK_EQUAL(fixture_turn(&fixture), 2);
  CHECK_EQUAL(poller_turn(fixture.poller, fixture.options.events_max), 0);
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
  fixture_part(&fixture, client);
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
  fixture_part(&fixture, client);
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
  fixture_part(&fixture, client);
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
  fixture_part(&fixture, client);
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
