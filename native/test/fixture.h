/*
 * A poller with memory of exactly the size that it asks for, so that the sanitizer sees one byte
 * too many, one listening socket on a free port of the loopback, and clients that block.
 */
#ifndef HEADGATE_TEST_FIXTURE_H
#define HEADGATE_TEST_FIXTURE_H

#include "../poller.h"
#include "harness.h"
#include "kernel.h"

struct fixture {
  struct poller_options options;
  struct poller *poller;
  int port;
  int32_t listener; /* its slot */
  int32_t entries_used;
  bool owes_side_by_side; /* entries, rather than a byte apart */
};

/* What most tests want; a test may change it before fixture_open. */
struct fixture fixture_defaults(void);
void fixture_open(struct fixture *fixture);
void fixture_close(struct fixture *fixture);
/* For the many tests of one client: opens with the defaults and accepts it; its slot. */
int32_t fixture_meet(struct fixture *fixture, int *client);
/* The client leaves, and all is closed. */
void fixture_part(struct fixture *fixture, int client);

/* A connected client that blocks for five seconds at the most. */
int client_connect(int port);
void client_send(int client, const char *text);
/* Reads exactly `length` bytes, or fails the test. */
void client_expect(int client, const void *bytes, size_t length);
/* What one recv says: bytes, 0 or -errno. */
int client_read(int client);
/* Segments that it was sent so far, without the one that answered its SYN. */
uint32_t client_segments(int client);
/* Closes with a RST. */
void client_reset(int client);

/* Connects and waits until it is accepted; the slot. */
int32_t fixture_accept(struct fixture *fixture, int *client);
/* One turn, as soon as epoll has something to report. */
int32_t fixture_turn(struct fixture *fixture);
/* Whether epoll has something to report now. */
bool fixture_ready(const struct fixture *fixture);

/* The fields of a record of the last turn. */
const int32_t *fixture_record(const struct fixture *fixture, int32_t index);
/* The index of the record of this slot and kind among `count`, or -1. */
int32_t fixture_find(const struct fixture *fixture, int32_t count, int32_t slot, int kind);
/* Fails unless the last turn's only record is of this slot and kind. */
void fixture_only(const struct fixture *fixture, int32_t count, int32_t slot, int kind);

/* Puts text into the arena behind the input and appends it to the slot's chain. */
void fixture_owe(struct fixture *fixture, int32_t slot, const char *text);

/* Descriptors that this process has open. */
int descriptors_open(void);

#endif
