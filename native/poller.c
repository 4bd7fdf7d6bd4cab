/*
 * The slots, the turn and the flush over one epoll instance. A system call is dear: one recv for
 * each ready socket, and epoll_ctl only where the interest changes or a read left something.
 */
#include "poller.h"

#include "socket.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* One sendmsg takes so many entries of a chain and asks for no more than about so many bytes. */
enum { VECTORS_MAX = 256, VECTORS_BYTES_MAX = 1 << 24 };

struct slot {
  int descriptor; /* -1: free, or closed and not yet free */
  uint8_t interest;
  bool listening;
  bool dialled; /* and not connected yet */
  /* The peer hung up while READ was not wanted, and epoll says nothing more about the socket. */
  bool hung_up;
};

/*
 * Invariant: free_slots[0 .. ready) may be taken; free_slots[ready .. freed) were closed since the
 * last turn began and become free when the next one begins, so that within a batch a slot means
 * one socket.
 */
struct poller {
  struct poller_options options;
  int epoll;
  int32_t ready, freed;
  struct slot *slots;
  int32_t *free_slots;
  struct epoll_event *events;
};

/* What one turn has used up so far. */
struct turn {
  int32_t records, accepts_left, read_max, input_at;
};

static void release_memory(struct poller *poller) {
  free(poller->slots);
  free(poller->free_slots);
  free(poller->events);
  free(poller);
}

struct poller *poller_create(const struct poller_options *options) {
  assert((size_t)options->input_end <= options->arena_length);
  assert((options->input_end - options->input_start) / options->events_max >= READ_SHARE_MIN);
  struct poller *poller = calloc(1, sizeof *poller);
  if (poller == NULL) return NULL;
  poller->options = *options;
  poller->slots = calloc((size_t)options->slots, sizeof *poller->slots);
  poller->free_slots = calloc((size_t)options->slots, sizeof *poller->free_slots);
  poller->events = calloc((size_t)options->events_max, sizeof *poller->events);
  poller->epoll = -1;
  if (poller->slots != NULL && poller->free_slots != NULL && poller->events != NULL)
    poller->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (poller->epoll < 0) {
    const int failure = errno;
    release_memory(poller);
    errno = failure;
    return NULL;
  }
  for (int32_t i = 0; i < options->slots; i++) {
    poller->slots[i].descriptor = -1;
    poller->free_slots[i] = options->slots - 1 - i;
  }
  poller->ready = poller->freed = options->slots;
  return poller;
}

void poller_destroy(struct poller *poller) {
  for (int32_t i = 0; i < poller->options.slots; i++)
    if (poller->slots[i].descriptor >= 0) close(poller->slots[i].descriptor);
  close(poller->epoll);
  release_memory(poller);
}

int poller_descriptor(const struct poller *poller) { return poller->epoll; }

int poller_socket(const struct poller *poller, int32_t slot) {
  if (slot < 0 || slot >= poller->options.slots) return -1;
  return poller->slots[slot].descriptor;
}

static struct slot *open_slot(struct poller *poller, int32_t slot) {
  assert(poller_socket(poller, slot) >= 0);
  return &poller->slots[slot];
}

/*
 * Nothing wanted is one-shot: epoll reports errors and hang-ups always and, level-triggered, for
 * ever; so it reports them once and falls silent until the slot is watched again. Without
 * EPOLLRDHUP, since a paused socket's FIN is no news. (EPOLL_CTL_DEL would do the same, but the
 * way back, EPOLL_CTL_ADD, can fail for want of memory, and a change cannot.) Sockets that are
 * only read are edge-triggered: otherwise epoll looks at each once more after its event, when no
 * cache holds it any longer. EPOLLPRI is the urgent byte, at which a read breaks off.
 */
static struct epoll_event registration(const struct poller *poller, int32_t slot,
                                       unsigned interest) {
  static const uint32_t WANTED[] = {EPOLLONESHOT, EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET,
                                    EPOLLOUT, EPOLLIN | EPOLLOUT};
  const uint32_t level = poller->slots[slot].listening ? (uint32_t)EPOLLET : 0u;
  const uint64_t id = (uint64_t)poller->options.generations[slot] << 32 | (uint32_t)slot;
  return (struct epoll_event){.events = WANTED[interest] & ~level, .data.u64 = id};
}

static void change_registration(struct poller *poller, int32_t slot, unsigned interest) {
  struct epoll_event event = registration(poller, slot, interest);
  const int descriptor = poller->slots[slot].descriptor;
  const int failed = epoll_ctl(poller->epoll, EPOLL_CTL_MOD, descriptor, &event);
  assert(failed == 0);
}

/* Puts a socket into a slot and watches it; the slot, or -errno with the socket as it was. */
static int32_t open_socket(struct poller *poller, int descriptor, uint8_t interest,
                           bool listening) {
  if (poller->ready == 0) return -ENOBUFS;
  const int32_t slot = poller->free_slots[poller->ready - 1];
  poller->slots[slot] = (struct slot){-1, .interest = interest, .listening = listening};
  struct epoll_event event = registration(poller, slot, interest);
  if (epoll_ctl(poller->epoll, EPOLL_CTL_ADD, descriptor, &event) < 0) return -errno;
  /* The hole is filled from the end, which keeps those that were closed lately together. */
  poller->free_slots[--poller->ready] = poller->free_slots[--poller->freed];
  poller->slots[slot].descriptor = descriptor;
  return slot;
}

int32_t poller_adopt(struct poller *poller, int descriptor) {
  int listening = 0;
  socklen_t length = sizeof listening;
  if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) < 0) return -errno;
  if (listening == 0) return -EINVAL;
  /* A socket inherited from the parent may have lost either flag on its way. */
  const int status = fcntl(descriptor, F_GETFL);
  if (status < 0 || fcntl(descriptor, F_SETFL, status | O_NONBLOCK) < 0 ||
      fcntl(descriptor, F_SETFD, FD_CLOEXEC) < 0)
    return -errno;
  return open_socket(poller, descriptor, INTEREST_READ, true);
}

int32_t poller_dial(struct poller *poller, const char *address, uint16_t port, const char *source) {
  const int descriptor = socket_dial(address, port, source);
  if (descriptor < 0) return descriptor;
  const int32_t slot = open_socket(poller, descriptor, INTEREST_WRITE, false);
  if (slot < 0) close(descriptor);
  else poller->slots[slot].dialled = true;
  return slot;
}

void poller_watch(struct poller *poller, int32_t slot, unsigned interest) {
  struct slot *it = open_slot(poller, slot);
  if (it->interest == interest) return;
  it->interest = (uint8_t)interest;
  /* Hung up and silenced: only a reader has something to gain from hearing of it again. */
  if (it->hung_up && (interest & INTEREST_READ) == 0) return;
  it->hung_up = false;
  change_registration(poller, slot, interest);
}

void poller_close(struct poller *poller, int32_t slot, bool reset) {
  struct slot *it = open_slot(poller, slot);
  /* The parent holds the same listening socket open, so that closing does not take it out. */
  if (it->listening) epoll_ctl(poller->epoll, EPOLL_CTL_DEL, it->descriptor, NULL);
  if (reset) {
    const struct linger none = {.l_onoff = 1, .l_linger = 0};
    setsockopt(it->descriptor, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  }
  close(it->descriptor);
  it->descriptor = -1;
  poller->options.generations[slot]++;
  poller->free_slots[poller->freed++] = slot;
}

static void record(struct poller *poller, struct turn *turn, int32_t slot, enum record_kind kind,
                   int32_t offset, int32_t length) {
  int32_t *fields = poller->options.batch + (size_t)turn->records++ * BATCH_STRIDE;
  fields[0] = slot;
  fields[1] = kind;
  fields[2] = offset;
  fields[3] = length;
}

static void accept_sockets(struct poller *poller, struct turn *turn, int32_t listener) {
  const int listening = poller->slots[listener].descriptor;
  /* Only where somebody waits: the client that takes the last slot is no failure yet. */
  if (poller->ready == 0) record(poller, turn, listener, RECORD_ACCEPT_FAILED, 0, ENOBUFS);
  for (; turn->accepts_left > 0 && poller->ready > 0; turn->accepts_left--) {
    const int descriptor = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) {
      if (errno == EAGAIN) return;
      if (socket_is_client_gone(errno)) continue;
      record(poller, turn, listener, RECORD_ACCEPT_FAILED, 0, errno);
      return;
    }
    const int32_t slot = open_socket(poller, descriptor, INTEREST_READ, false);
    if (slot < 0) {
      close(descriptor);
      record(poller, turn, listener, RECORD_ACCEPT_FAILED, 0, -slot);
      return;
    }
    record(poller, turn, slot, RECORD_ACCEPTED, listener, 0);
  }
}

static void read_socket(struct poller *poller, struct turn *turn, int32_t slot, bool is_more) {
  const int32_t aligned = (turn->input_at + READ_ALIGNMENT - 1) & ~(READ_ALIGNMENT - 1);
  const int32_t start = aligned + READ_HEADROOM;
  const int descriptor = poller->slots[slot].descriptor;
  assert(start + turn->read_max <= poller->options.input_end);
  ssize_t length;
  do {
    length = recv(descriptor, poller->options.arena + start, (size_t)turn->read_max, 0);
  } while (length < 0 && errno == EINTR);
  if (length > 0) {
    record(poller, turn, slot, RECORD_BYTES, start, (int32_t)length);
    turn->input_at = start + (int32_t)length;
    /* What is left behind a read is no edge: a change has epoll look again. */
    if ((is_more || length == turn->read_max) && poller->slots[slot].interest == INTEREST_READ)
      change_registration(poller, slot, INTEREST_READ);
  } else if (length == 0) {
    record(poller, turn, slot, RECORD_END, 0, 0);
  } else if (errno != EAGAIN) {
    record(poller, turn, slot, RECORD_FAILED, 0, errno);
  }
}

static void hang_up(struct poller *poller, struct turn *turn, int32_t slot) {
  struct slot *it = &poller->slots[slot];
  /* Told already: this is the one report that silencing a writer still lets through. */
  if (it->hung_up) return;
  it->hung_up = true;
  if (it->interest != 0) change_registration(poller, slot, 0);
  record(poller, turn, slot, RECORD_HANGUP, 0, 0);
}

/* What became of a dialled socket; after a failure it is silent, as after a hang-up. */
static void finish_dial(struct poller *poller, struct turn *turn, int32_t slot) {
  struct slot *it = &poller->slots[slot];
  int failure = 0;
  socklen_t length = sizeof failure;
  getsockopt(it->descriptor, SOL_SOCKET, SO_ERROR, &failure, &length);
  it->dialled = false;
  it->hung_up = failure != 0;
  if (failure != 0) change_registration(poller, slot, 0);
  record(poller, turn, slot, failure == 0 ? RECORD_WRITABLE : RECORD_FAILED, 0, failure);
}

static void take_event(struct poller *poller, struct turn *turn, const struct epoll_event *event) {
  const int32_t slot = (int32_t)(uint32_t)event->data.u64;
  const struct slot *it = &poller->slots[slot];
  const bool is_broken = (event->events & (EPOLLERR | EPOLLHUP)) != 0;
  /* A socket that some other process still holds open is reported after we closed it. */
  if (event->data.u64 >> 32 != poller->options.generations[slot] || it->descriptor < 0) return;
  if (it->listening) {
    if ((it->interest & INTEREST_READ) != 0) accept_sockets(poller, turn, slot);
    return;
  }
  if (it->dialled) return finish_dial(poller, turn, slot);
  if ((event->events & EPOLLOUT) != 0) record(poller, turn, slot, RECORD_WRITABLE, 0, 0);
  if ((it->interest & INTEREST_READ) == 0) {
    if (is_broken) hang_up(poller, turn, slot);
  } else if (is_broken || (event->events & EPOLLIN) != 0) {
    read_socket(poller, turn, slot, event->events != EPOLLIN);
  }
}

/* The same for every ready socket: breaking off on a full arena is unfair to those behind. */
static int32_t read_max(const struct poller_options *options, int32_t ready) {
  const int32_t share = (options->input_end - options->input_start) / ready - READ_OVERHEAD;
  int32_t bytes = options->turn_bytes / ready;
  if (bytes < options->read_bytes_min) bytes = options->read_bytes_min;
  if (bytes > options->read_bytes_max) bytes = options->read_bytes_max;
  return bytes < share ? bytes : share;
}

int32_t poller_turn(struct poller *poller, int32_t events_max) {
  const struct poller_options *options = &poller->options;
  assert(events_max > 0 && events_max <= options->events_max);
  poller->ready = poller->freed;
  const int ready = epoll_wait(poller->epoll, poller->events, events_max, 0);
  assert(ready >= 0 || errno == EINTR);
  if (ready <= 0) return 0;
  struct turn turn = {.accepts_left = options->accepts_max, .input_at = options->input_start};
  turn.read_max = read_max(options, ready);
  for (int i = 0; i < ready; i++) take_event(poller, &turn, &poller->events[i]);
  return turn.records;
}

/* With MSG_MORE it waits for what follows, so that both go in one packet. */
static ssize_t send_vectors(int descriptor, struct iovec *vectors, size_t count, int more) {
  const struct msghdr message = {.msg_iov = vectors, .msg_iovlen = count};
  const int flags = MSG_NOSIGNAL | MSG_DONTWAIT | more;
  ssize_t sent;
  do {
    /* For one piece `send` is cheaper. */
    sent = count == 1 ? send(descriptor, vectors->iov_base, vectors->iov_len, flags)
                      : sendmsg(descriptor, &message, flags);
  } while (sent < 0 && errno == EINTR);
  return sent;
}

int32_t poller_write(struct poller *poller, int32_t slot, const uint8_t *bytes, size_t length) {
  struct iovec vector = {.iov_base = (void *)bytes, .iov_len = length};
  const ssize_t sent = send_vectors(open_slot(poller, slot)->descriptor, &vector, 1, 0);
  if (sent >= 0) return (int32_t)sent;
  return errno == EAGAIN ? 0 : -errno;
}

void poller_shutdown(struct poller *poller, int32_t slot) {
  /* It fails only where the connection is gone, and then there is nobody to tell. */
  shutdown(open_slot(poller, slot)->descriptor, SHUT_WR);
}

static struct iovec entry_vector(const struct poller_options *options, int32_t entry) {
  assert(entry >= 0 && (size_t)entry < options->entries_count);
  const int32_t *fields = options->entries + (size_t)entry * ENTRY_STRIDE;
  const size_t offset = (size_t)fields[0], length = (size_t)fields[1];
  assert(offset <= options->arena_length && length <= options->arena_length - offset);
  return (struct iovec){.iov_base = options->arena + offset, .iov_len = length};
}

/*
 * Sends one chain: the bytes sent, or -errno when not one was; `*end` is how it ends where nothing
 * is left. A call that took less than it was given found the socket full, and another would only
 * say so.
 */
static int64_t send_chain(const struct poller_options *options, int descriptor, int32_t entry,
                          int32_t *end) {
  struct iovec vectors[VECTORS_MAX];
  int64_t total = 0;
  *end = entry;
  while (entry >= 0) {
    size_t count = 0, wanted = 0;
    while (entry >= 0 && count < VECTORS_MAX && wanted < VECTORS_BYTES_MAX) {
      const struct iovec vector = entry_vector(options, entry);
      struct iovec *last = count > 0 ? &vectors[count - 1] : NULL;
      /* What stands side by side in the arena goes as one. */
      if (last != NULL && (uint8_t *)last->iov_base + last->iov_len == vector.iov_base)
        last->iov_len += vector.iov_len;
      else vectors[count++] = vector;
      wanted += vector.iov_len;
      entry = options->entries[(size_t)entry * ENTRY_STRIDE + 2];
    }
    const int more = entry == CHAIN_FIN ? MSG_MORE : 0;
    const ssize_t sent = send_vectors(descriptor, vectors, count, more);
    if (sent < 0) return total > 0 || errno == EAGAIN ? total : -errno;
    total += sent;
    if ((size_t)sent < wanted) return total;
  }
  *end = entry;
  return total;
}

int32_t poller_flush(struct poller *poller, size_t count) {
  const struct poller_options *options = &poller->options;
  assert(count <= options->flushing_count);
  int32_t pairs = 0;
  for (size_t i = 0; i < count; i++) {
    const int32_t slot = options->flushing[i];
    assert(slot >= 0 && slot < options->slots);
    const int descriptor = poller->slots[slot].descriptor;
    int32_t end = CHAIN_END;
    int64_t sent = 0;
    if (descriptor >= 0) sent = send_chain(options, descriptor, options->heads[slot], &end);
    if (end == CHAIN_FIN) poller_shutdown(poller, slot);
    if (end < 0) {
      options->heads[slot] = -1;
      continue;
    }
    assert(sent <= INT32_MAX);
    options->short_ones[(size_t)pairs * SHORT_STRIDE] = slot;
    options->short_ones[(size_t)pairs * SHORT_STRIDE + 1] = (int32_t)sent;
    pairs++;
  }
  return pairs;
}
