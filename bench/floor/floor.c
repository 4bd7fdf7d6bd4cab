/* The floor: an echo on raw epoll that speaks no WebSocket. It waits, reads and writes, and does
 * nothing else, so that its cost is the kernel's share of any echo. It prints the port that it
 * listens on, and runs until SIGTERM or for the seconds that were asked for.
 *
 * With --fanout it is the floor of a push instead: what one connection sends goes to all others,
 * with one `send` each. With --shared several of these may listen on one port.
 *
 *   floor [--port N] [--seconds N] [--fanout] [--shared]
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 1024
#define BUFFER_BYTES (64 * 1024)

#define SOCKETS_MAX 65536

static const int on = 1;
static bool fanout;
static bool shared;
static bool is_open[SOCKETS_MAX];
static int socket_end;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int listen_on(int port) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (listener < 0) fail("socket");
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (shared) setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  /* Accepted sockets inherit it. */
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, length) != 0) fail("bind");
  if (listen(listener, 4096) != 0) fail("listen");
  if (getsockname(listener, (struct sockaddr *)&address, &length) != 0) fail("getsockname");
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return listener;
}

static void watch(int poller, int socket) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = socket};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, socket, &event) != 0) fail("epoll_ctl");
}

static void admit(int poller, int socket) {
  if (socket >= SOCKETS_MAX) fail("too many sockets");
  is_open[socket] = true;
  if (socket >= socket_end) socket_end = socket + 1;
  watch(poller, socket);
}

static void accept_all(int poller, int listener) {
  for (;;) {
    int accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (accepted >= 0) admit(poller, accepted);
    else if (errno == EAGAIN) return;
    else if (errno != EINTR && errno != ECONNABORTED) fail("accept4");
  }
}

/* The generator waits for its answers, so a full socket is rare and waiting for it is right. */
static bool write_all(int socket, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t written = send(socket, bytes, length, MSG_NOSIGNAL);
    if (written >= 0) {
      bytes += written;
      length -= (size_t)written;
    } else if (errno == EAGAIN) {
      struct pollfd room = {.fd = socket, .events = POLLOUT};
      poll(&room, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

/* A member that cannot be written to has ended, which its own event tells. */
static void spread(int sender, const char *bytes, size_t length) {
  for (int member = 0; member < socket_end; member++)
    if (is_open[member] && member != sender) write_all(member, bytes, length);
}

static void serve(int socket) {
  static char buffer[BUFFER_BYTES];
  ssize_t received = recv(socket, buffer, sizeof buffer, 0);
  if (received < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (received > 0 && fanout) {
    spread(socket, buffer, (size_t)received);
  } else if (received <= 0 || !write_all(socket, buffer, (size_t)received)) {
    is_open[socket] = false;
    close(socket);
  }
}

int main(int count, char **arguments) {
  int port = 0;
  for (int at = 1; at < count; at++) {
    fanout |= strcmp(arguments[at], "--fanout") == 0;
    shared |= strcmp(arguments[at], "--shared") == 0;
    int value = at + 1 < count ? atoi(arguments[at + 1]) : 0;
    if (strcmp(arguments[at], "--port") == 0) port = value;
    /* SIGALRM ends the process as SIGTERM does. */
    if (strcmp(arguments[at], "--seconds") == 0) alarm((unsigned)value);
  }
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);

  int poller = epoll_create1(0);
  if (poller < 0) fail("epoll_create1");
  int listener = listen_on(port);
  watch(poller, listener);
  static struct epoll_event events[EVENTS_MAX];
  for (;;) {
    int ready = epoll_wait(poller, events, EVENTS_MAX, -1);
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    for (int at = 0; at < ready; at++) {
      if (events[at].data.fd == listener) accept_all(poller, listener);
      else serve(events[at].data.fd);
    }
  }
}
