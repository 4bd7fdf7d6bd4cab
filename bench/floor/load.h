/* The generator's state, shared by its two halves: load.c commands and counts, client.c holds the
 * connections and speaks WebSocket. One process has one load. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BUCKETS 4096
/* Stands in epoll's events where a connection's index would stand. */
#define STDIN UINT32_MAX
/* The longest header of a frame that a server sends. */
#define HEADER_BYTES_MAX 10
#define CONTROL_BYTES_MAX 125
/* What a stored block of DEFLATE holds (RFC 1951, 3.2.4). */
#define DEFLATED_BYTES_MAX 65535

struct connection {
  int socket;
  /* What of the flight has not been sent yet, from its end. */
  uint32_t unsent;
  /* Messages of the flight that have not been answered whole. */
  uint32_t unanswered;
  /* The frame that is arriving: its header as far as it is there, and its payload's progress. */
  uint8_t header[HEADER_BYTES_MAX];
  uint8_t header_length;
  uint8_t control[CONTROL_BYTES_MAX];
  uint32_t received;
  double departed;
};

struct load {
  uint16_t port;
  uint32_t connections_count, payload_bytes, pipeline, addresses;
  bool text, raw, deflate;
  const char *path;

  int poller;
  struct connection *connections;
  /* What is expected back, and one flight as it is sent: `pipeline` equal messages. */
  uint8_t *payload, *flight;
  uint32_t message_bytes;

  /* The run under way. */
  uint32_t flight_messages, flying;
  double run_end, turn_time, last_progress;
  uint64_t messages;
  uint32_t histogram[BUCKETS];
};

extern struct load load;

void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
double now(void);
void flight_landed(struct connection *connection);

void encode_flight(void);
void open_connections(void);
void await(struct connection *connection);
void depart(struct connection *connection);
void send_rest(struct connection *connection);
void receive(struct connection *connection);
