/*
 * Connections that this side makes: how they are dialled, and what is told of them.
 */
#include "../socket.h"
#include "fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* One turn with the records of both ends: fails unless the dialled slot's own is of this kind. */
static int32_t dialled_record(struct fixture *fixture, int32_t slot, int kind) {
  for (int turns = 0; turns < 10; turns++) {
    const int32_t count = fixture_turn(fixture);
    const int32_t found = fixture_find(fixture, count, slot, kind);
    if (found >= 0) return fixture_record(fixture, found)[3];
  }
  CHECK(!"the record did not come");
  return -1;
}

/* A port that nobody listens on any more. */
static uint16_t dead_port(void) {
  const int listener = socket_listen("127.0.0.1", 0, 1, 0);
  const int port = socket_port(listener);
  close(listener);
  return (uint16_t)port;
}

TEST(dial_connects, "a dialled socket is writable when it is connected, and then sends and reads") {
  struct fixture fixture = fixture_defaults();
  fixture_open(&fixture);
  const int listener = socket_listen("127.0.0.1", 0, 16, 0);
  const int32_t slot =
      poller_dial(fixture.poller, "127.0.0.1", (uint16_t)socket_port(listener), "");
  CHECK(slot > 0);
  dialled_record(&fixture, slot, RECORD_WRITABLE);
  const int peer = accept(listener, NULL, NULL);
  CHECK(peer >= 0);
  CHECK_EQUAL(poller_write(fixture.poller, slot, (const uint8_t *)"hello", 5), 5);
  client_expect(peer, "hello", 5);
  poller_watch(fixture.poller, slot, INTEREST_READ);
  client_send(peer, "world");
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_BYTES);
  CHECK_EQUAL(fixture_record(&fixture, 0)[3], 5);
  close(peer);
  fixture_only(&fixture, fixture_turn(&fixture), slot, RECORD_END);
  close(listener);
  fixture_close(&fixture);
}

TEST(dial_options, "a dialled socket is non-blocking, close-on-exec and without Nagle's delay") {
  const int listener = socket_listen("127.0.0.1", 0, 16, 0);
  const int dialled = socket_dial("127.0.0.1", (uint16_t)socket_port(listener), "");
  int without_delay = 0;
  socklen_t length = sizeof without_delay;
  CHECK(dialled >= 0);
  CHECK(fcntl(dialled, F_GETFL) & O_NONBLOCK);
  CHECK(fcntl(dialled, F_GETFD) & FD_CLOEXEC);
  CHECK_EQUAL(getsockopt(dialled, IPPROTO_TCP, TCP_NODELAY, &without_delay, &length), 0);
  CHECK_EQUAL(without_delay, 1);
  close(dialled);
  close(listener);
}

TEST(dial_source, "the peer sees the source address that was asked for, IPv4 and IPv6") {
  static const char *const LISTENERS[] = {"127.0.0.1", "::1"};
  static const char *const SOURCES[] = {"127.3.2.1", "::1"};
  for (int i = 0; i < 2; i++) {
    char seen[SOCKET_ADDRESS_MAX];
    const int listener = socket_listen(LISTENERS[i], 0, 16, 0);
    if (listener == -EADDRNOTAVAIL) test_skip("this machine has no IPv6");
    fcntl(listener, F_SETFL, 0);
    const int dialled = socket_dial(LISTENERS[i], (uint16_t)socket_port(listener), SOURCES[i]);
    CHECK(dialled >= 0);
    const int peer = accept(listener, NULL, NULL);
    CHECK_EQUAL(socket_peer_address(peer, seen), 0);
    CHECK_EQUAL(strcmp(seen, SOURCES[i]), 0);
    close(peer);
    close(dialled);
    close(listener);
  }
}

TEST(dial_path, "a path that begins with / is a Unix socket's, unless it is too long for one") {
  char folder[] = "/tmp/headgate-dial-XXXXXX", longer[200] = "/";
  CHECK(mkdtemp(folder) != NULL);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", folder);
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK_EQUAL(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
  CHECK_EQUAL(listen(listener, 4), 0);
  const int dialled = socket_dial(address.sun_path, 0, "");
  CHECK(dialled >= 0);
  const int peer = accept(listener, NULL, NULL);
  char byte = 0;
  CHECK_EQUAL(write(dialled, "x", 1), 1);
  CHECK_EQUAL(read(peer, &byte, 1), 1);
  CHECK_EQUAL(byte, 'x');
  close(peer);
  close(dialled);
  close(listener);
  CHECK_EQUAL(socket_dial("/nobody/listens/here", 0, ""), -ENOENT);
  unlink(address.sun_path);
  rmdir(folder);
  memset(longer + 1, 'a', sizeof longer - 2);
  CHECK_EQUAL(socket_dial(longer, 0, ""), -EINVAL);
}

TEST(dial_ports, "a source port is taken at the connect, so that two peers may see the same one") {
  int on = 0;
  socklen_t length = sizeof on;
  const int listener = socket_listen("127.0.0.1", 0, 16, 0);
  const int dialled = socket_dial("127.0.0.1", (uint16_t)socket_port(listener), "127.3.2.1");
  CHECK_EQUAL(getsockopt(dialled, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, &length), 0);
  CHECK_EQUAL(on, 1);
  CHECK(socket_port(dialled) > 0);
  close(dialled);
  close(listener);
}

TEST(dial_refused, "where nobody listens the slot fails with ECONNREFUSED once, and is silent") {
  struct fixture fixture = fixture_defaults();
  fixture_open(&fixture);
  const int32_t slot = poller_dial(fixture.poller, "127.0.0.1", dead_port(), "");
  CHECK(slot > 0);
  CHECK_EQUAL(dialled_record(&fixture, slot, RECORD_FAILED), ECONNREFUSED);
  /* The hang-up that silencing lets through is reported to nobody. */
  CHECK_EQUAL(poller_turn(fixture.poller, fixture.options.events_max), 0);
  CHECK(!fixture_ready(&fixture));
  poller_close(fixture.poller, slot, false);
  fixture_close(&fixture);
}

TEST(dial_closed, "a slot that is closed before it is connected reports nothing") {
  struct fixture fixture = fixture_defaults();
  fixture_open(&fixture);
  const int32_t slot = poller_dial(fixture.poller, "127.0.0.1", dead_port(), "");
  poller_close(fixture.poller, slot, true);
  CHECK_EQUAL(poller_turn(fixture.poller, fixture.options.events_max), 0);
  const int32_t again = poller_dial(fixture.poller, "127.0.0.1", (uint16_t)fixture.port, "");
  CHECK_EQUAL(again, slot);
  dialled_record(&fixture, again, RECORD_WRITABLE);
  fixture_close(&fixture);
}

TEST(dial_failures, "what cannot be dialled is an errno, and leaves neither slot nor descriptor") {
  struct fixture fixture = fixture_defaults();
  fixture.options.slots = 2;
  fixture_open(&fixture);
  const int before = descriptors_open();
  struct poller *const poller = fixture.poller;
  const uint16_t port = (uint16_t)fixture.port;
  CHECK_EQUAL(poller_dial(poller, "localhost", port, ""), -EINVAL);
  CHECK_EQUAL(poller_dial(poller, "127.0.0.1", port, "localhost"), -EINVAL);
  CHECK_EQUAL(poller_dial(poller, "127.0.0.1", port, "192.0.2.1"), -EADDRNOTAVAIL);
  CHECK_EQUAL(poller_dial(poller, "255.255.255.255", port, ""), -ENETUNREACH);
  kernel_script(&kernel_epoll_ctl, -ENOMEM);
  CHECK_EQUAL(poller_dial(poller, "127.0.0.1", port, ""), -ENOMEM);
  CHECK_EQUAL(descriptors_open(), before);
  CHECK_EQUAL(poller_dial(poller, "127.0.0.1", port, ""), 1);
  CHECK_EQUAL(poller_dial(poller, "127.0.0.1", port, ""), -ENOBUFS);
  fixture_close(&fixture);
}
