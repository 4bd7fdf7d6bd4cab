/*
 * What the linker puts in place of the system calls; see kernel.h.
 */
#include "kernel.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct script kernel_send, kernel_recv, kernel_accept, kernel_epoll_ctl, kernel_epoll_wait;
size_t kernel_send_vectors;

static bool forged;
static struct epoll_event forged_event;

ssize_t __real_send(int, const void *, size_t, int);
ssize_t __real_sendmsg(int, const struct msghdr *, int);
ssize_t __real_recv(int, void *, size_t, int);
int __real_accept4(int, struct sockaddr *, socklen_t *, int);
int __real_epoll_ctl(int, int, int, struct epoll_event *);
int __real_epoll_wait(int, struct epoll_event *, int, int);

void kernel_reset(void) {
  struct script *const scripts[] = {&kernel_send, &kernel_recv, &kernel_accept, &kernel_epoll_ctl,
                                    &kernel_epoll_wait};
  for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
    memset(scripts[i], 0, sizeof *scripts[i]);
  forged = false;
}

void kernel_script(struct script *script, int64_t step) {
  script->steps[script->count++] = step;
}

void kernel_forge_event(uint64_t id, uint32_t events) {
  forged = true;
  forged_event = (struct epoll_event){.events = events, .data.u64 = id};
}

static int64_t take_step(struct script *script) {
  script->calls++;
  return script->next < script->count ? script->steps[script->next++] : 0;
}

/* Whether the script lets this call fail, with errno set. */
static bool fails(int64_t step) {
  if (step < 0) errno = (int)-step;
  return step < 0;
}

static size_t limited(int64_t step, size_t length) {
  return step > 0 && (size_t)step < length ? (size_t)step : length;
}

ssize_t __wrap_send(int descriptor, const void *bytes, size_t length, int flags) {
  const int64_t step = take_step(&kernel_send);
  kernel_send_vectors = 1;
  if (fails(step)) return -1;
  return __real_send(descriptor, bytes, limited(step, length), flags);
}

/* A limit may fall inside a vector, as it does in the kernel. */
ssize_t __wrap_sendmsg(int descriptor, const struct msghdr *message, int flags) {
  const int64_t step = take_step(&kernel_send);
  kernel_send_vectors = message->msg_iovlen;
  if (fails(step)) return -1;
  struct iovec vectors[1024];
  struct msghdr copy = *message;
  size_t left = step > 0 ? (size_t)step : SIZE_MAX, count = 0;
  for (; count < message->msg_iovlen && left > 0; count++) {
    vectors[count] = message->msg_iov[count];
    if (vectors[count].iov_len > left) vectors[count].iov_len = left;
    left -= vectors[count].iov_len;
  }
  copy.msg_iov = vectors;
  copy.msg_iovlen = count;
  return __real_sendmsg(descriptor, &copy, flags);
}

ssize_t __wrap_recv(int descriptor, void *bytes, size_t length, int flags) {
  const int64_t step = take_step(&kernel_recv);
  if (fails(step)) return -1;
  return __real_recv(descriptor, bytes, limited(step, length), flags);
}

int __wrap_accept4(int descriptor, struct sockaddr *address, socklen_t *length, int flags) {
  if (fails(take_step(&kernel_accept))) return -1;
  return __real_accept4(descriptor, address, length, flags);
}

int __wrap_epoll_ctl(int epoll, int operation, int descriptor, struct epoll_event *event) {
  if (fails(take_step(&kernel_epoll_ctl))) return -1;
  return __real_epoll_ctl(epoll, operation, descriptor, event);
}

int __wrap_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout) {
  if (fails(take_step(&kernel_epoll_wait))) return -1;
  if (!forged) return __real_epoll_wait(epoll, events, count, timeout);
  const int ready = __real_epoll_wait(epoll, events, count - 1, timeout);
  forged = false;
  events[ready] = forged_event;
  return ready + 1;
}
