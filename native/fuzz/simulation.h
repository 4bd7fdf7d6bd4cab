/*
 * A kernel of plain structs in place of the real one: epoll, sockets and descriptors, as far as
 * poller.c uses them. The script decides what each call does; the trace tells what it did. What a
 * stream holds is a function of its socket and the position, so that nothing is stored.
 */
#ifndef HEADGATE_FUZZ_SIMULATION_H
#define HEADGATE_FUZZ_SIMULATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FILES_MAX = 64, EVENTS_MAX = 16, CALLS_MAX = 1 << 14 };

enum file_kind { FILE_NONE, FILE_EPOLL, FILE_LISTENER, FILE_SOCKET, FILE_PIPE };

/* An open file, in the kernel's sense: it may outlive its descriptor. */
struct file {
  enum file_kind kind;
  int descriptor;   /* -1 once it was closed here */
  uint32_t serial;  /* never used twice */
  bool is_held;     /* some other process has it open as well */
  bool is_watched;  /* in epoll, with these: */
  uint32_t wanted;
  uint64_t id;
  bool is_disarmed; /* its one shot is spent, or its edge */
  bool is_nonblocking, is_closed_on_exec;
  uint32_t waiting;  /* clients in a listener's queue */
  uint32_t listener; /* the serial of a socket's listener */
  uint64_t arrived, received; /* positions in the stream from the client */
  uint64_t sent;              /* position in the stream to the client */
  bool is_ended, is_hung_up;  /* the client's FIN; both directions are over */
  int failure;                /* what the next call fails with */
  bool resets, is_shut;       /* SO_LINGER 0; our FIN */
};

enum call_kind { CALL_ACCEPT = 1, CALL_RECV, CALL_SEND, CALL_SEND_MORE, CALL_ADD, CALL_CHANGE,
                 CALL_REMOVE, CALL_LINGER, CALL_SHUTDOWN, CALL_CLOSE };

struct call {
  enum call_kind kind;
  int descriptor;
  size_t length;  /* what was asked for */
  int64_t result; /* or -errno */
};

struct delivered {
  uint64_t id;
  uint32_t events;
};

/* What was called since trace_begin. */
struct trace {
  struct call calls[CALLS_MAX];
  size_t calls_count;
  struct delivered events[EVENTS_MAX];
  int events_count;
  bool has_repeats; /* the same socket is in `events` twice, which epoll never does */
};

extern struct trace trace;
void trace_begin(void);

/* While it runs, system calls are its own; it begins without a file. */
void simulation_begin(void);
/* How many descriptors are open. */
int simulation_end(void);

/* The n-th next calloc fails; 0 for none. */
void simulation_fail_memory(uint32_t nth);

/* A new file with a descriptor, or NULL when there are too many. */
struct file *file_open(enum file_kind kind);
struct file *file_of(int descriptor);
/* The n-th file of this kind, closed ones that others hold included; NULL when there is none. */
struct file *file_pick(enum file_kind kind, uint32_t n);

/* Something came from the client: an edge. */
void file_stir(struct file *file);

uint8_t byte_from_client(const struct file *file, uint64_t position);
uint8_t byte_to_client(const struct file *file, uint64_t position);

/* Whether accept4 may fail so and the next client may still be well. */
bool is_failure_of_client(int failure);

/* Adds to `trace`. */
void call_note(enum call_kind kind, int descriptor, size_t length, int64_t result);

/* Whether system calls are simulated now. */
extern bool is_simulated;

#endif
