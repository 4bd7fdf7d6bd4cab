/*
 * The simulated kernel's files and its epoll; see simulation.h. The other calls are in
 * simulation_calls.c.
 */
#include "simulation.h"

#include "fuzz.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

/* Far above what the process has really open. */
enum { FIRST_DESCRIPTOR = 1 << 20 };

struct trace trace;
bool is_simulated;

static struct file files[FILES_MAX];
/* The last file that had each descriptor; whether it still has it, the file says. */
static struct file *by_descriptor[FILES_MAX];
static uint32_t last_serial;

int __real_epoll_create1(int);
int __real_epoll_ctl(int, int, int, struct epoll_event *);
int __real_epoll_wait(int, struct epoll_event *, int, int);

void trace_begin(void) {
  trace.calls_count = 0;
  trace.events_count = 0;
  trace.has_repeats = false;
}

void call_note(enum call_kind kind, int descriptor, size_t length, int64_t result) {
  REQUIRE(trace.calls_count < CALLS_MAX);
  trace.calls[trace.calls_count++] = (struct call){
      .kind = kind, .descriptor = descriptor, .length = length, .result = result};
}

void simulation_begin(void) {
  memset(files, 0, sizeof files);
  memset(by_descriptor, 0, sizeof by_descriptor);
  for (int i = 0; i < FILES_MAX; i++) files[i].descriptor = -1;
  last_serial = 0;
  trace_begin();
  simulation_fail_memory(0);
  is_simulated = true;
}

int simulation_end(void) {
  int open = 0;
  for (int i = 0; i < FILES_MAX; i++) open += files[i].descriptor >= 0;
  is_simulated = false;
  return open;
}

/* The lowest number that is free, as POSIX has it: numbers come back at once. */
static int free_descriptor(void) {
  int descriptor = FIRST_DESCRIPTOR;
  while (file_of(descriptor) != NULL) descriptor++;
  return descriptor;
}

struct file *file_open(enum file_kind kind) {
  for (int i = 0; i < FILES_MAX; i++) {
    if (files[i].kind != FILE_NONE) continue;
    const int descriptor = free_descriptor();
    files[i] = (struct file){.kind = kind, .descriptor = descriptor, .serial = ++last_serial};
    by_descriptor[descriptor - FIRST_DESCRIPTOR] = &files[i];
    return &files[i];
  }
  return NULL;
}

struct file *file_of(int descriptor) {
  const int index = descriptor - FIRST_DESCRIPTOR;
  if (descriptor < FIRST_DESCRIPTOR || index >= FILES_MAX) return NULL;
  struct file *file = by_descriptor[index];
  const bool is_open = file != NULL && file->kind != FILE_NONE && file->descriptor == descriptor;
  return is_open ? file : NULL;
}

struct file *file_pick(enum file_kind kind, uint32_t n) {
  uint32_t count = 0;
  for (int i = 0; i < FILES_MAX; i++) count += files[i].kind == kind;
  if (count == 0) return NULL;
  n %= count;
  for (int i = 0; i < FILES_MAX; i++)
    if (files[i].kind == kind && n-- == 0) return &files[i];
  return NULL;
}

void file_stir(struct file *file) {
  if ((file->wanted & EPOLLET) != 0) file->is_disarmed = false;
}

static uint8_t mixed(uint32_t seed, uint64_t position) {
  const uint64_t mix = (seed * UINT64_C(0x9e3779b97f4a7c15)) ^ (position * UINT64_C(0xd6e8feb8));
  return (uint8_t)(mix ^ mix >> 17 ^ mix >> 41);
}

uint8_t byte_from_client(const struct file *file, uint64_t position) {
  return mixed(file->serial * 2, position);
}

uint8_t byte_to_client(const struct file *file, uint64_t position) {
  return mixed(file->serial * 2 + 1, position);
}

int __wrap_epoll_create1(int flags) {
  if (!is_simulated) return __real_epoll_create1(flags);
  REQUIRE((flags & EPOLL_CLOEXEC) != 0);
  if (script_chance(32)) {
    errno = EMFILE;
    return -1;
  }
  return file_open(FILE_EPOLL)->descriptor;
}

static int control(struct file *file, int operation, const struct epoll_event *event) {
  switch (operation) {
    case EPOLL_CTL_ADD:
      REQUIRE(!file->is_watched);
      if (script_chance(12)) return script_chance(2) ? ENOSPC : ENOMEM;
      break;
    case EPOLL_CTL_MOD:
      REQUIRE(file->is_watched);
      break;
    default:
      REQUIRE(operation == EPOLL_CTL_DEL && file->is_watched);
      file->is_watched = false;
      return 0;
  }
  file->is_watched = true;
  file->is_disarmed = false;
  file->wanted = event->events;
  file->id = event->data.u64;
  return 0;
}

int __wrap_epoll_ctl(int epoll, int operation, int descriptor, struct epoll_event *event) {
  if (!is_simulated) return __real_epoll_ctl(epoll, operation, descriptor, event);
  struct file *file = file_of(descriptor), *instance = file_of(epoll);
  REQUIRE(instance != NULL && instance->kind == FILE_EPOLL);
  REQUIRE(file != NULL && (file->kind == FILE_SOCKET || file->kind == FILE_LISTENER));
  const int failure = control(file, operation, event);
  const enum call_kind kind = operation == EPOLL_CTL_ADD   ? CALL_ADD
                              : operation == EPOLL_CTL_MOD ? CALL_CHANGE
                                                           : CALL_REMOVE;
  call_note(kind, descriptor, 0, -failure);
  if (failure != 0) errno = failure;
  return failure == 0 ? 0 : -1;
}

static uint32_t ready_events(const struct file *file) {
  uint32_t events = 0;
  if (file->kind == FILE_LISTENER) return file->waiting > 0 ? EPOLLIN & file->wanted : 0;
  if (file->arrived > file->received || file->is_ended || file->failure != 0) events |= EPOLLIN;
  if (file->is_ended) events |= EPOLLRDHUP;
  if (file->is_hung_up) events |= EPOLLHUP | EPOLLIN;
  if (file->failure != 0) events |= EPOLLERR;
  /* A socket whose buffer is full is not writable; the script fills it by the next call. */
  events |= EPOLLOUT;
  return events & (file->wanted | EPOLLERR | EPOLLHUP);
}

static int gather(struct epoll_event *events, int max) {
  int count = 0;
  for (int i = 0; i < FILES_MAX && count < max; i++) {
    struct file *file = &files[i];
    if (file->kind == FILE_NONE || !file->is_watched || file->is_disarmed) continue;
    const uint32_t ready = ready_events(file);
    if (ready == 0) continue;
    if ((file->wanted & (EPOLLONESHOT | EPOLLET)) != 0) file->is_disarmed = true;
    events[count++] = (struct epoll_event){.events = ready, .data.u64 = file->id};
  }
  return count;
}

static void shuffle(struct epoll_event *events, int count) {
  uint32_t state = script_byte();
  if (state == 0) return;
  for (int i = count - 1; i > 0; i--) {
    state = state * 1664525 + 1013904223;
    const int other = (int)((state >> 16) % (uint32_t)(i + 1));
    const struct epoll_event event = events[i];
    events[i] = events[other];
    events[other] = event;
  }
}

/*
 * Beyond what is ready: an event once more, one without a reason, or one of a socket that was
 * closed here and is open elsewhere.
 */
static int forge(struct epoll_event *events, int count, int max) {
  static const uint32_t REASONS[] = {EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR, EPOLLERR | EPOLLHUP,
                                     EPOLLIN | EPOLLERR, EPOLLIN | EPOLLHUP | EPOLLOUT};
  while (count < max && script_chance(5)) {
    struct file *file = file_pick(script_chance(6) ? FILE_LISTENER : FILE_SOCKET, script_byte());
    if (file == NULL || (!file->is_watched && file->id == 0)) continue;
    const uint32_t reason = REASONS[script_below(sizeof REASONS / sizeof *REASONS)];
    const uint32_t allowed = file->wanted | EPOLLERR | EPOLLHUP;
    if ((reason & allowed) == 0) continue;
    for (int i = 0; i < count; i++)
      if (events[i].data.u64 == file->id) trace.has_repeats = true;
    events[count++] = (struct epoll_event){.events = reason & allowed, .data.u64 = file->id};
  }
  return count;
}

int __wrap_epoll_wait(int epoll, struct epoll_event *events, int max, int timeout_ms) {
  if (!is_simulated) return __real_epoll_wait(epoll, events, max, timeout_ms);
  REQUIRE(file_of(epoll) != NULL && file_of(epoll)->kind == FILE_EPOLL);
  REQUIRE(timeout_ms == 0 && max > 0 && max <= EVENTS_MAX);
  trace.events_count = 0;
  if (script_chance(24)) {
    errno = EINTR;
    return -1;
  }
  int count = gather(events, max);
  count = forge(events, count, max);
  shuffle(events, count);
  for (int i = 0; i < count; i++)
    trace.events[i] = (struct delivered){.id = events[i].data.u64, .events = events[i].events};
  trace.events_count = count;
  return count;
}
