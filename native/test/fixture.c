/*
 * See fixture.h.
 */
#include "fixture.h"

#include "../socket.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { OUTPUT_BYTES = 65536, ENTRIES = 1024, WAIT_MS = 5000 };

struct fixture fixture_defaults(void) {
  return (struct fixture){.options = {.slots = 16,
                                      .input_start = 32,
                                      .input_end = 1 << 20,
                                      .events_max = 16,
                                      .accepts_max = 4,
                                      .turn_bytes = 65536,
                                      .read_bytes_min = 4096,
                                      .read_bytes_max = 32768}};
}

void fixture_open(struct fixture *fixture) {
  struct poller_options *options = &fixture->options;
  const size_t slots = (size_t)options->slots;
  const size_t records = (size_t)(2 * options->events_max + options->accepts_max);
  kernel_reset();
  options->arena_length = (size_t)options->input_end + OUTPUT_BYTES;
  options->arena = calloc(options->arena_length, 1);
  options->batch = calloc(records * BATCH_STRIDE, sizeof(int32_t));
  options->generations = calloc(slots, sizeof(uint32_t));
  options->entries_count = ENTRIES;
  options->entries = calloc(ENTRIES * ENTRY_STRIDE, sizeof(int32_t));
  options->heads = malloc(slots * sizeof(int32_t));
  memset(options->heads, 0xff, slots * sizeof(int32_t));
  options->flushing = calloc(slots, sizeof(int32_t));
  options->flushing_count = slots;
  options->short_ones = calloc(slots * SHORT_STRIDE, sizeof(int32_t));
  fixture->poller = poller_create(options);
  CHECK(fixture->poller != NULL);

  const int descriptor = socket_listen("127.0.0.1", 0, 512, 30000);
  CHECK(descriptor >= 0);
  fixture->port = socket_port(descriptor);
  fixture->listener = poller_adopt(fixture->poller, descriptor);
  CHECK_EQUAL(fixture->listener, 0);
  kernel_reset();
}

void fixture_close(struct fixture *fixture) {
  poller_destroy(fixture->poller);
  free(fixture->options.arena);
  free(fixture->options.batch);
  free(fixture->options.generations);
  free(fixture->options.entries);
  free(fixture->options.heads);
  free(fixture->options.flushing);
  free(fixture->options.short_ones);
}

int32_t fixture_meet(struct fixture *fixture, int *client) {
  *fixture = fixture_defaults();
  fixture_open(fixture);
  return fixture_accept(fixture, client);
}

void fixture_part(struct fixture *fixture, int client) {
  close(client);
  fixture_close(fixture);
}

int client_connect(int port) {
  const struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)port),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const struct timeval wait = {.tv_sec = WAIT_MS / 1000};
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(client >= 0);
  setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  CHECK_EQUAL(connect(client, (const struct sockaddr *)&address, sizeof address), 0);
  return client;
}

void client_send(int client, const char *text) {
  CHECK_EQUAL(write(client, text, strlen(text)), strlen(text));
}

void client_expect(int client, const void *bytes, size_t length) {
  char *given = malloc(length);
  size_t at = 0;
  while (at < length) {
    const ssize_t count = read(client, given + at, length - at);
    if (count <= 0) break;
    at += (size_t)count;
  }
  const bool same = at == length && memcmp(given, bytes, length) == 0;
  free(given);
  CHECK_EQUAL(at, length);
  CHECK(same);
}

int client_read(int client) {
  char bytes[4096];
  const ssize_t count = read(client, bytes, sizeof bytes);
  return count < 0 ? -errno : (int)count;
}

uint32_t client_segments(int client) {
  struct tcp_info info;
  socklen_t length = sizeof info;
  CHECK_EQUAL(getsockopt(client, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
  return info.tcpi_segs_in - 1;
}

void client_reset(int client) {
  const struct linger none = {.l_onoff = 1, .l_linger = 0};
  setsockopt(client, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  close(client);
}

int32_t fixture_accept(struct fixture *fixture, int *client) {
  *client = client_connect(fixture->port);
  const int32_t count = fixture_turn(fixture);
  CHECK_EQUAL(count, 1);
  const int32_t *record = fixture_record(fixture, 0);
  CHECK_EQUAL(record[1], RECORD_ACCEPTED);
  CHECK_EQUAL(record[2], fixture->listener);
  return record[0];
}

static bool wait_ready(const struct fixture *fixture, int milliseconds) {
  struct pollfd polled = {.fd = poller_descriptor(fixture->poller), .events = POLLIN};
  return poll(&polled, 1, milliseconds) == 1;
}

int32_t fixture_turn(struct fixture *fixture) {
  CHECK(wait_ready(fixture, WAIT_MS));
  return poller_turn(fixture->poller, fixture->options.events_max);
}

bool fixture_ready(const struct fixture *fixture) { return wait_ready(fixture, 0); }

const int32_t *fixture_record(const struct fixture *fixture, int32_t index) {
  return fixture->options.batch + index * BATCH_STRIDE;
}

int32_t fixture_find(const struct fixture *fixture, int32_t count, int32_t slot, int kind) {
  for (int32_t i = 0; i < count; i++) {
    const int32_t *record = fixture_record(fixture, i);
    if (record[0] == slot && record[1] == kind) return i;
  }
  return -1;
}

void fixture_only(const struct fixture *fixture, int32_t count, int32_t slot, int kind) {
  CHECK_EQUAL(count, 1);
  CHECK_EQUAL(fixture_record(fixture, 0)[0], slot);
  CHECK_EQUAL(fixture_record(fixture, 0)[1], kind);
}

void fixture_owe(struct fixture *fixture, int32_t slot, const char *text) {
  struct poller_options *options = &fixture->options;
  const int32_t entry = fixture->entries_used++;
  int32_t *fields = options->entries + entry * ENTRY_STRIDE;
  int32_t offset = options->input_end;
  if (entry > 0) offset = fields[-ENTRY_STRIDE] + fields[-ENTRY_STRIDE + 1];
  if (!fixture->owes_side_by_side) offset++;
  memcpy(options->arena + offset, text, strlen(text));
  fields[0] = offset;
  fields[1] = (int32_t)strlen(text);
  fields[2] = -1;
  int32_t *link = &options->heads[slot];
  while (*link >= 0) link = &options->entries[*link * ENTRY_STRIDE + 2];
  *link = entry;
}

int descriptors_open(void) {
  DIR *folder = opendir("/proc/self/fd");
  int count = 0;
  CHECK(folder != NULL);
  while (readdir(folder) != NULL) count++;
  closedir(folder);
  return count;
}
