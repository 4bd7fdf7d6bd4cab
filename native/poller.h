/*
 * One epoll instance and the sockets in its slots. A turn returns a batch of records and calls
 * nobody; what to do about them is decided by TypeScript. src/reactor/binding.ts is the contract:
 * the records, their kinds and the shapes of the shared memory are the ones described there.
 */
#ifndef HEADGATE_POLLER_H
#define HEADGATE_POLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BATCH_STRIDE = 4, ENTRY_STRIDE = 3, SHORT_STRIDE = 2 };

enum record_kind { RECORD_ACCEPTED = 1, RECORD_BYTES, RECORD_END, RECORD_FAILED, RECORD_WRITABLE,
                   RECORD_HANGUP, RECORD_ACCEPT_FAILED };

/* What the last entry of a chain has for the next one: nothing follows it, or a FIN does. */
enum { CHAIN_END = -1, CHAIN_FIN = -2 };

enum { INTEREST_READ = 1, INTEREST_WRITE = 2 };

/* Room that a read never fills: 16 bytes before it for a header, and up to 7 to align it. */
enum { READ_HEADROOM = 16, READ_ALIGNMENT = 8, READ_OVERHEAD = READ_HEADROOM + READ_ALIGNMENT };

/* The smallest part of the arena that may fall to each of `events_max` sockets. */
enum { READ_SHARE_MIN = 64 + READ_OVERHEAD };

/* The memory belongs to the caller, who has checked the numbers, and outlives the poller. */
struct poller_options {
  int32_t slots, input_start, input_end, events_max, accepts_max;
  int32_t turn_bytes, read_bytes_min, read_bytes_max;
  uint8_t *arena;
  size_t arena_length;
  int32_t *batch;        /* (2 * events_max + accepts_max) * BATCH_STRIDE */
  uint32_t *generations; /* slots */
  int32_t *entries;      /* entries_count * ENTRY_STRIDE */
  size_t entries_count;
  int32_t *heads;    /* slots */
  int32_t *flushing; /* flushing_count */
  size_t flushing_count;
  int32_t *short_ones; /* flushing_count * SHORT_STRIDE */
};

struct poller;

/* NULL with errno. */
struct poller *poller_create(const struct poller_options *options);

/* Closes every socket and the epoll instance. */
void poller_destroy(struct poller *poller);

/* The epoll descriptor, for the event loop that waits for it. */
int poller_descriptor(const struct poller *poller);

/* The socket's descriptor, or -1 for a slot that is free or does not exist. */
int poller_socket(const struct poller *poller, int32_t slot);

/* Takes over a listening socket; its slot, or -errno, and then the socket stays the caller's. */
int32_t poller_adopt(struct poller *poller, int descriptor);

/*
 * Dials (socket_dial): the slot, or -errno. Nothing is reported of it until RECORD_WRITABLE says
 * that it is connected, which comes every turn while WRITE is wanted, or RECORD_FAILED, once.
 */
int32_t poller_dial(struct poller *poller, const char *address, uint16_t port, const char *source);

/* The verbs below want an open slot. */
void poller_watch(struct poller *poller, int32_t slot, unsigned interest);
int32_t poller_write(struct poller *poller, int32_t slot, const uint8_t *bytes, size_t length);
void poller_shutdown(struct poller *poller, int32_t slot);
void poller_close(struct poller *poller, int32_t slot, bool reset);

/* The number of records in `batch`. */
int32_t poller_turn(struct poller *poller, int32_t events_max);

/* Sends the chains of the first `count` slots of `flushing`; the pairs in `short_ones`. */
int32_t poller_flush(struct poller *poller, size_t count);

#endif
