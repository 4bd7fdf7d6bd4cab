/* The generator's connections: handshakes, flights out, frames in. Sockets are blocking while
 * they shake hands, in small batches, and non-blocking afterwards. It trusts the server as little
 * as it needs to for its figures: a wrong byte, frame or close ends the process. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

/* Fewer than any listen queue holds. */
#define HANDSHAKES_AT_ONCE 100
#define HANDSHAKE_TIMEOUT_SECONDS 10
#define BUFFER_BYTES (256 * 1024)
/* Marks a compressed message. */
#define RSV1 0x40

/* RFC 6455's own example of a key and its answer. */
static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";
static const char accept_value[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

static uint8_t buffer[BUFFER_BYTES];

/* Writes a header and returns its length; `mask` is 0x80 for what a client sends. */
static uint32_t encode_header(uint8_t *out, uint8_t opcode, uint32_t length, uint8_t mask) {
  out[0] = 0x80 | opcode;
  if (length < 126) {
    out[1] = mask | (uint8_t)length;
    return 2;
  }
  if (length < 65536) {
    out[1] = mask | 126;
    out[2] = (uint8_t)(length >> 8);
    out[3] = (uint8_t)length;
    return 4;
  }
  out[1] = mask | 127;
  memset(out + 2, 0, 4);
  for (int at = 0; at < 4; at++) out[6 + at] = (uint8_t)(length >> (24 - 8 * at));
  return 10;
}

/* The payload as a stored block, and the first byte of the empty one whose rest is left out of a
 * message (RFC 7692, 7.2.1). */
static uint8_t *deflated(uint32_t *length) {
  uint32_t plain = load.payload_bytes;
  uint8_t *out = calloc(1, plain + 6);
  if (out == NULL) fail("out of memory");
  out[1] = (uint8_t)plain;
  out[2] = (uint8_t)(plain >> 8);
  out[3] = (uint8_t)~out[1];
  out[4] = (uint8_t)~out[2];
  memcpy(out + 5, load.payload, plain);
  *length = plain + 6;
  return out;
}

static void encode_message(uint8_t *out, const uint8_t *header, uint32_t header_bytes,
                           const uint8_t *content, uint32_t length) {
  static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
  memcpy(out, header, header_bytes);
  memcpy(out + header_bytes, mask, 4);
  for (uint32_t at = 0; at < length; at++) out[header_bytes + 4 + at] = content[at] ^ mask[at % 4];
}

void encode_flight(void) {
  uint8_t header[HEADER_BYTES_MAX];
  /* Raw messages have the size of a server's frame, so that as many bytes travel back. */
  if (load.raw) load.payload_bytes += encode_header(header, 2, load.payload_bytes, 0);
  load.payload = malloc(load.payload_bytes);
  if (load.payload == NULL) fail("out of memory");
  for (uint32_t at = 0; at < load.payload_bytes; at++)
    load.payload[at] = load.text ? (uint8_t)(' ' + at % 95) : (uint8_t)(at * 131 + at / 256);
  uint32_t length = load.payload_bytes;
  const uint8_t *content = load.deflate ? deflated(&length) : load.payload;
  uint8_t opcode = (uint8_t)((load.deflate ? RSV1 : 0) | (load.text ? 1 : 2));
  uint32_t header_bytes = load.raw ? 0 : encode_header(header, opcode, length, 0x80);
  load.message_bytes = length + (load.raw ? 0 : header_bytes + 4);
  load.flight = malloc((size_t)load.message_bytes * load.pipeline);
  if (load.flight == NULL) fail("out of memory");
  for (uint32_t message = 0; message < load.pipeline; message++) {
    uint8_t *out = load.flight + (size_t)message * load.message_bytes;
    if (load.raw) memcpy(out, content, length);
    else encode_message(out, header, header_bytes, content, length);
  }
}

void await(struct connection *connection) {
  connection->unanswered = load.flight_messages;
  connection->departed = load.turn_time;
  load.flying++;
}

void depart(struct connection *connection) {
  connection->unsent = load.message_bytes * load.flight_messages;
  await(connection);
  send_rest(connection);
}

static void watch(struct connection *connection, uint32_t events, int operation) {
  uint32_t index = (uint32_t)(connection - load.connections);
  struct epoll_event event = {.events = events, .data.u32 = index};
  if (epoll_ctl(load.poller, operation, connection->socket, &event) != 0)
    fail("epoll_ctl: %s", strerror(errno));
}

void send_rest(struct connection *connection) {
  bool waited = connection->unsent < load.message_bytes * load.flight_messages;
  uint32_t end = load.message_bytes * load.flight_messages;
  while (connection->unsent > 0) {
    const uint8_t *from = load.flight + (end - connection->unsent);
    ssize_t sent = send(connection->socket, from, connection->unsent, MSG_NOSIGNAL);
    if (sent >= 0) {
      connection->unsent -= (uint32_t)sent;
    } else if (errno == EAGAIN) {
      watch(connection, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
      return;
    } else if (errno != EINTR) {
      fail("send: %s", strerror(errno));
    }
  }
  if (waited) watch(connection, EPOLLIN, EPOLL_CTL_MOD);
}

static void expect_payload(struct connection *connection, const uint8_t *bytes, uint32_t length) {
  if (connection->unanswered == 0) fail("an answer to nothing that was sent");
  if (memcmp(bytes, load.payload + connection->received, length) != 0)
    fail("an answer differs from what was sent");
}

static void message_ended(struct connection *connection) {
  connection->received = 0;
  connection->header_length = 0;
  if (--connection->unanswered == 0) flight_landed(connection);
}

static size_t take_raw(struct connection *connection, const uint8_t *bytes, size_t length) {
  uint32_t left = load.payload_bytes - connection->received;
  uint32_t taken = length < left ? (uint32_t)length : left;
  expect_payload(connection, bytes, taken);
  connection->received += taken;
  if (taken == left) message_ended(connection);
  return taken;
}

static uint32_t header_bytes(const struct connection *connection) {
  if (connection->header_length < 2) return 2;
  uint8_t length = connection->header[1] & 0x7f;
  return length == 126 ? 4 : length == 127 ? 10 : 2;
}

static uint32_t announced_bytes(const struct connection *connection) {
  const uint8_t *header = connection->header;
  if (header[1] & 0x80) fail("a masked frame from the server");
  if (header[1] < 126) return header[1];
  if (header[1] == 126) return (uint32_t)header[2] << 8 | header[3];
  return (uint32_t)header[6] << 24 | (uint32_t)header[7] << 16 | (uint32_t)header[8] << 8 |
         header[9];
}

/* While a flight is leaving, its own bytes are the sign of life, and a pong would cut into it. */
static void answer_ping(struct connection *connection) {
  uint8_t pong[6 + CONTROL_BYTES_MAX] = {0x8a, (uint8_t)(0x80 | connection->received)};
  memcpy(pong + 6, connection->control, connection->received);
  ssize_t length = 6 + (ssize_t)connection->received;
  if (connection->unsent > 0) return;
  if (send(connection->socket, pong, (size_t)length, MSG_NOSIGNAL) != length)
    fail("a pong found no room");
}

/* Control frames arrive in pieces as any frame may, so they are gathered first. */
static void take_control(struct connection *connection, const uint8_t *bytes, uint32_t length,
                         uint32_t announced) {
  uint8_t opcode = connection->header[0] & 0x0f;
  if (announced > CONTROL_BYTES_MAX) fail("a control frame of %u bytes", announced);
  memcpy(connection->control + connection->received, bytes, length);
  connection->received += length;
  if (connection->received < announced) return;
  const uint8_t *control = connection->control;
  int code = announced < 2 ? 0 : control[0] << 8 | control[1];
  if (opcode == 8) fail("closed by the server with code %d", code);
  if (opcode == 9) answer_ping(connection);
  connection->received = 0;
  connection->header_length = 0;
}

static void take_message(struct connection *connection, const uint8_t *bytes, uint32_t length,
                         uint32_t announced) {
  if (load.deflate && connection->header[0] == (0x80 | RSV1 | (load.text ? 1 : 2))) {
    connection->received += length;
    if (connection->received == announced) message_ended(connection);
    return;
  }
  if (connection->header[0] != (0x80 | (load.text ? 1 : 2)) || announced != load.payload_bytes)
    fail("a frame that was not sent: %02x, %u bytes", connection->header[0], announced);
  expect_payload(connection, bytes, length);
  connection->received += length;
  if (connection->received == announced) message_ended(connection);
}

/* Takes what is there of one frame, or of the rest of one; the bytes taken. */
static size_t take_frame(struct connection *connection, const uint8_t *bytes, size_t length) {
  size_t at = 0;
  while (connection->header_length < header_bytes(connection)) {
    if (at == length) return at;
    connection->header[connection->header_length++] = bytes[at++];
  }
  uint32_t announced = announced_bytes(connection), left = announced - connection->received;
  uint32_t part = length - at < left ? (uint32_t)(length - at) : left;
  bool control = connection->header[0] & 0x08;
  (control ? take_control : take_message)(connection, bytes + at, part, announced);
  return at + part;
}

static void take(struct connection *connection, const uint8_t *bytes, size_t length) {
  while (length > 0) {
    size_t taken = (load.raw ? take_raw : take_frame)(connection, bytes, length);
    bytes += taken;
    length -= taken;
  }
}

void receive(struct connection *connection) {
  ssize_t received = recv(connection->socket, buffer, sizeof buffer, 0);
  if (received > 0) take(connection, buffer, (size_t)received);
  else if (received == 0) fail("the server ended a connection");
  else if (errno != EAGAIN && errno != EINTR) fail("recv: %s", strerror(errno));
}

static void dial(struct connection *connection, uint32_t index) {
  static const int on = 1;
  int dialled = socket(AF_INET, SOCK_STREAM, 0);
  if (dialled < 0) fail("socket: %s", strerror(errno));
  /* One source address has some 28,000 ports, and the last run's are still in TIME_WAIT. */
  struct sockaddr_in from = {.sin_family = AF_INET};
  from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + index % load.addresses);
  setsockopt(dialled, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  if (bind(dialled, (struct sockaddr *)&from, sizeof from) != 0) fail("bind: %s", strerror(errno));
  struct timeval patience = {.tv_sec = HANDSHAKE_TIMEOUT_SECONDS};
  setsockopt(dialled, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(dialled, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  setsockopt(dialled, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(load.port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(dialled, (struct sockaddr *)&to, sizeof to) != 0)
    fail("connect %u: %s", index, strerror(errno));
  connection->socket = dialled;
}

static void ask(struct connection *connection) {
  char request[1024];
  int length = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
                        "Sec-WebSocket-Version: 13\r\n%s\r\n",
                        load.path, load.port, key,
                        load.deflate ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "");
  if (length >= (int)sizeof request) fail("the path is too long");
  if (send(connection->socket, request, (size_t)length, MSG_NOSIGNAL) != length)
    fail("handshake: %s", strerror(errno));
}

/* Reads the answer's head; what already stands behind it belongs to the first frames. */
static void expect_upgrade(struct connection *connection) {
  char head[4096];
  size_t length = 0;
  char *end = NULL;
  while (end == NULL) {
    ssize_t received = recv(connection->socket, head + length, sizeof head - 1 - length, 0);
    if (received <= 0) fail("handshake: %s", received == 0 ? "ended" : strerror(errno));
    length += (size_t)received;
    head[length] = 0;
    end = strstr(head, "\r\n\r\n");
    if (end == NULL && length == sizeof head - 1) fail("the handshake's answer is too long");
  }
  if (strncmp(head, "HTTP/1.1 101 ", 13) != 0 || strstr(head, accept_value) == NULL)
    fail("handshake refused: %.*s", (int)strcspn(head, "\r"), head);
  if (load.deflate && strstr(head, "permessage-deflate") == NULL) fail("it does not compress");
  take(connection, (uint8_t *)end + 4, length - (size_t)(end + 4 - head));
}

void open_connections(void) {
  load.connections = calloc(load.connections_count, sizeof *load.connections);
  if (load.connections == NULL) fail("out of memory");
  for (uint32_t begin = 0; begin < load.connections_count; begin += HANDSHAKES_AT_ONCE) {
    uint32_t end = begin + HANDSHAKES_AT_ONCE;
    if (end > load.connections_count) end = load.connections_count;
    for (uint32_t at = begin; at < end; at++) {
      dial(&load.connections[at], at);
      if (!load.raw) ask(&load.connections[at]);
    }
    for (uint32_t at = begin; at < end; at++) {
      struct connection *connection = &load.connections[at];
      if (!load.raw) expect_upgrade(connection);
      if (fcntl(connection->socket, F_SETFL, O_NONBLOCK) != 0) fail("fcntl: %s", strerror(errno));
      watch(connection, EPOLLIN, EPOLL_CTL_ADD);
    }
  }
}
