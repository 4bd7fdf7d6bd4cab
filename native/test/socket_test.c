/*
 * Listening, the selector of a group, addresses and the descriptor limit, over the real kernel.
 */
#include "../socket.h"
#include "fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int option_of(int descriptor, int level, int option) {
  int value = -1;
  socklen_t length = sizeof value;
  CHECK_EQUAL(getsockopt(descriptor, level, option, &value, &length), 0);
  return value;
}

/* Accepts what waits in the queue of a non-blocking listener; -1 for nobody. */
static int accept_now(int listener) { return accept(listener, NULL, NULL); }

TEST(listen_options, "accepted sockets inherit TCP_NODELAY and TCP_USER_TIMEOUT") {
  const int listener = socket_listen("127.0.0.1", 0, 16, 12345);
  CHECK(listener >= 0);
  CHECK(fcntl(listener, F_GETFL) & O_NONBLOCK);
  CHECK(fcntl(listener, F_GETFD) & FD_CLOEXEC);
  const int client = client_connect(socket_port(listener));
  const int accepted = accept_now(listener);
  CHECK(accepted >= 0);
  CHECK_EQUAL(option_of(accepted, IPPROTO_TCP, TCP_NODELAY), 1);
  CHECK_EQUAL(option_of(accepted, IPPROTO_TCP, TCP_USER_TIMEOUT), 12345);
  close(client);
  close(accepted);
  close(listener);
}

TEST(listen_group, "several listeners share one port, and the port is the one that is told") {
  const int first = socket_listen("127.0.0.1", 0, 16, 0);
  const int port = socket_port(first);
  const int second = socket_listen("127.0.0.1", (uint16_t)port, 16, 0);
  CHECK(port > 0);
  CHECK(second >= 0);
  CHECK_EQUAL(socket_port(second), port);
  close(first);
  close(second);
}

TEST(listen_failures, "what cannot be listened on is an errno, and leaves no descriptor") {
  const int before = descriptors_open();
  const int plain = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  CHECK_EQUAL(bind(plain, (struct sockaddr *)&address, length), 0);
  CHECK_EQUAL(listen(plain, 1), 0);
  CHECK_EQUAL(getsockname(plain, (struct sockaddr *)&address, &length), 0);
  CHECK_EQUAL(socket_listen("127.0.0.1", ntohs(address.sin_port), 16, 0), -EADDRINUSE);
  CHECK_EQUAL(socket_listen("192.0.2.1", 0, 16, 0), -EADDRNOTAVAIL);
  CHECK_EQUAL(socket_listen("localhost", 0, 16, 0), -EINVAL);
  CHECK_EQUAL(socket_listen("", 0, 16, 0), -EINVAL);
  CHECK_EQUAL(socket_listen("127.1", 0, 16, 0), -EINVAL);
  CHECK_EQUAL(socket_port(-1), -EBADF);
  close(plain);
  CHECK_EQUAL(descriptors_open(), before);
}

/* Connects `total` clients to the group and counts what reaches each of its members. */
static void connect_and_count(const int *listeners, int members, int total, int *counts) {
  memset(counts, 0, (size_t)members * sizeof *counts);
  for (int i = 0; i < total; i++) {
    const int client = client_connect(socket_port(listeners[0]));
    for (int member = 0; member < members; member++) {
      const int accepted = accept_now(listeners[member]);
      if (accepted < 0) continue;
      counts[member]++;
      close(accepted);
    }
    close(client);
  }
}

TEST(steer_leaves_out, "a member that is left out gets no connection, and back in it does") {
  int listeners[3], counts[3];
  listeners[0] = socket_listen("127.0.0.1", 0, 256, 0);
  for (int i = 1; i < 3; i++)
    listeners[i] = socket_listen("127.0.0.1", (uint16_t)socket_port(listeners[0]), 256, 0);
  for (int32_t left_out = 0; left_out < 3; left_out++) {
    const int32_t open[2] = {(left_out + 1) % 3, (left_out + 2) % 3};
    CHECK_EQUAL(socket_steer(listeners[left_out], open, 2), 0);
    connect_and_count(listeners, 3, 200, counts);
    CHECK_EQUAL(counts[left_out], 0);
    /* 50 of 200 is seven standard deviations from even. */
    CHECK(counts[open[0]] > 50 && counts[open[1]] > 50);
    CHECK_EQUAL(counts[open[0]] + counts[open[1]], 200);
  }
  const int32_t all[3] = {0, 1, 2}, only[1] = {1};
  CHECK_EQUAL(socket_steer(listeners[0], only, 1), 0);
  connect_and_count(listeners, 3, 50, counts);
  CHECK_EQUAL(counts[1], 50);
  CHECK_EQUAL(socket_steer(listeners[0], all, 3), 0);
  connect_and_count(listeners, 3, 200, counts);
  CHECK(counts[0] > 20 && counts[1] > 20 && counts[2] > 20);
  for (int i = 0; i < 3; i++) close(listeners[i]);
}

TEST(steer_bounds, "steering takes up to 2047 members, and refuses none and more") {
  static int32_t many[2048];
  const int listener = socket_listen("127.0.0.1", 0, 16, 0);
  CHECK_EQUAL(socket_steer(listener, many, 0), -EINVAL);
  CHECK_EQUAL(socket_steer(listener, many, 2048), -EINVAL);
  CHECK_EQUAL(socket_steer(listener, many, 2047), 0);
  CHECK_EQUAL(socket_steer(-1, many, 1), -EBADF);
  close(listener);
}

/* The address that a listener on `address` sees of a client that dials `target`. */
static void check_address(const char *address, int family, const char *target, const char *seen) {
  struct sockaddr_in6 six = {.sin6_family = AF_INET6};
  struct sockaddr_in four = {.sin_family = AF_INET};
  char text[SOCKET_ADDRESS_MAX];
  const int listener = socket_listen(address, 0, 16, 0);
  if (listener == -EAFNOSUPPORT || listener == -EADDRNOTAVAIL) test_skip("there is no IPv6 here");
  CHECK(listener >= 0);
  six.sin6_port = four.sin_port = htons((uint16_t)socket_port(listener));
  CHECK_EQUAL(inet_pton(family, target,
                        family == AF_INET ? (void *)&four.sin_addr : (void *)&six.sin6_addr), 1);
  const int client = socket(family, SOCK_STREAM, 0);
  const int connected = family == AF_INET
                            ? connect(client, (struct sockaddr *)&four, sizeof four)
                            : connect(client, (struct sockaddr *)&six, sizeof six);
  CHECK_EQUAL(connected, 0);
  const int accepted = accept_now(listener);
  CHECK_EQUAL(socket_peer_address(accepted, text), 0);
  CHECK_EQUAL(strcmp(text, seen), 0);
  close(client);
  close(accepted);
  close(listener);
}

TEST(address_four, "an IPv4 client is named by its address") {
  check_address("0.0.0.0", AF_INET, "127.0.0.1", "127.0.0.1");
}

TEST(address_mapped, "an IPv4 client of an IPv6 listener is named as IPv4") {
  check_address("::", AF_INET, "127.0.0.1", "127.0.0.1");
}

TEST(address_six, "an IPv6 client is named by its address") {
  check_address("::1", AF_INET6, "::1", "::1");
}

TEST(address_none, "a socket without a peer has no address") {
  char text[SOCKET_ADDRESS_MAX];
  const int plain = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_EQUAL(socket_peer_address(plain, text), -ENOTCONN);
  close(plain);
  CHECK_EQUAL(socket_peer_address(plain, text), -EBADF);
}

TEST(descriptor_limit, "the descriptor limit is raised to its maximum, which is returned") {
  struct rlimit before, after;
  CHECK_EQUAL(getrlimit(RLIMIT_NOFILE, &before), 0);
  struct rlimit lowered = {.rlim_cur = before.rlim_max / 2, .rlim_max = before.rlim_max};
  CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &lowered), 0);
  const int limit = socket_raise_descriptor_limit();
  CHECK_EQUAL(getrlimit(RLIMIT_NOFILE, &after), 0);
  CHECK_EQUAL(after.rlim_cur, before.rlim_max);
  CHECK_EQUAL(limit, (int)after.rlim_cur);
  CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
}
