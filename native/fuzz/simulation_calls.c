/*
 * The simulated kernel's calls on one descriptor, and calloc; see simulation.h. What poller.c must
 * never do, such as closing twice, fails here at once.
 */
#include "simulation.h"

#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

int __real_accept4(int, struct sockaddr *, socklen_t *, int);
ssize_t __real_recv(int, void *, size_t, int);
ssize_t __real_send(int, const void *, size_t, int);
ssize_t __real_sendmsg(int, const struct msghdr *, int);
int __real_shutdown(int, int);
int __real_close(int);
int __real_getsockopt(int, int, int, void *, socklen_t *);
int __real_setsockopt(int, int, int, const void *, socklen_t);
int __real_fcntl(int, int, ...);
void *__real_calloc(size_t, size_t);

static const int OF_THE_CLIENT[] = {EINTR,     ECONNABORTED, EPROTO,      EPERM,
                                    ENETDOWN,  ENETUNREACH,  EHOSTDOWN,   EHOSTUNREACH,
                                    ENONET,    ENOPROTOOPT,  EOPNOTSUPP,  ETIMEDOUT};
static const int OF_THE_MACHINE[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
static const int OF_THE_CONNECTION[] = {ECONNRESET, EPIPE,     ETIMEDOUT,
                                        EHOSTUNREACH, ENETDOWN, ENOBUFS};

static uint32_t memory_fails_in;

void simulation_fail_memory(uint32_t nth) { memory_fails_in = nth; }

void *__wrap_calloc(size_t count, size_t size) {
  if (is_simulated && memory_fails_in > 0 && --memory_fails_in == 0) {
    errno = ENOMEM;
    return NULL;
  }
  return __real_calloc(count, size);
}

bool is_failure_of_client(int failure) {
  for (size_t i = 0; i < COUNT(OF_THE_CLIENT); i++)
    if (OF_THE_CLIENT[i] == failure) return true;
  return false;
}

static int64_t noted(enum call_kind kind, int descriptor, size_t length, int64_t result) {
  call_note(kind, descriptor, length, result);
  if (result >= 0) return result;
  errno = (int)-result;
  return -1;
}

static struct file *expect(int descriptor, enum file_kind kind) {
  struct file *file = file_of(descriptor);
  REQUIRE(file != NULL && file->kind == kind);
  return file;
}

static int accept_one(struct file *listener) {
  if (script_chance(8)) {
    /* The client that it is about has left the queue. */
    const int failure = OF_THE_CLIENT[script_below(COUNT(OF_THE_CLIENT))];
    if (listener->waiting > 0 && failure != EINTR) listener->waiting--;
    return -failure;
  }
  if (script_chance(8)) return -OF_THE_MACHINE[script_below(COUNT(OF_THE_MACHINE))];
  if (listener->waiting == 0) return -EAGAIN;
  struct file *socket = file_open(FILE_SOCKET);
  if (socket == NULL) return -ENFILE;
  listener->waiting--;
  socket->listener = listener->serial;
  socket->is_held = script_chance(3);
  return socket->descriptor;
}

int __wrap_accept4(int descriptor, struct sockaddr *address, socklen_t *length, int flags) {
  if (!is_simulated) return __real_accept4(descriptor, address, length, flags);
  struct file *listener = expect(descriptor, FILE_LISTENER);
  REQUIRE(address == NULL && flags == (SOCK_NONBLOCK | SOCK_CLOEXEC));
  return (int)noted(CALL_ACCEPT, descriptor, 0, accept_one(listener));
}

/* A failure of the socket is told once; behind it is its end. */
static int take_failure(struct file *socket) {
  const int failure = socket->failure;
  socket->failure = 0;
  socket->is_ended = socket->is_hung_up = true;
  return -failure;
}

static int64_t receive(struct file *socket, uint8_t *bytes, size_t length) {
  if (script_chance(10)) {
    /* The bytes that it has nothing of yet are an edge when they are there. */
    file_stir(socket);
    return script_chance(2) ? -EAGAIN : -EINTR;
  }
  if (socket->failure != 0) return take_failure(socket);
  const uint64_t there = socket->arrived - socket->received;
  if (there == 0) return socket->is_ended ? 0 : -EAGAIN;
  size_t count = there < length ? (size_t)there : length;
  if (script_chance(4)) {
    /* The rest comes only now, after the read. */
    count = 1 + script_below((uint32_t)count);
    file_stir(socket);
  }
  for (size_t i = 0; i < count; i++) bytes[i] = byte_from_client(socket, socket->received + i);
  socket->received += count;
  return (int64_t)count;
}

ssize_t __wrap_recv(int descriptor, void *bytes, size_t length, int flags) {
  if (!is_simulated) return __real_recv(descriptor, bytes, length, flags);
  struct file *socket = expect(descriptor, FILE_SOCKET);
  REQUIRE(flags == 0 && length > 0);
  return noted(CALL_RECV, descriptor, length, receive(socket, bytes, length));
}

/* How many of so many bytes the socket takes, or -errno. */
static int64_t capacity(struct file *socket, size_t length) {
  const uint32_t choice = script_below(10);
  if (socket->failure != 0) return take_failure(socket);
  if (socket->is_hung_up || socket->is_shut) return -EPIPE;
  if (choice == 9) return -EAGAIN;
  if (choice == 8) return -EINTR;
  if (choice == 7) return -OF_THE_CONNECTION[script_below(COUNT(OF_THE_CONNECTION))];
  if (choice >= 5 && length > 1) return 1 + script_below((uint32_t)length - 1);
  return (int64_t)length;
}

static void take_bytes(struct file *socket, const uint8_t *bytes, size_t count) {
  for (size_t i = 0; i < count; i++)
    REQUIRE(bytes[i] == byte_to_client(socket, socket->sent + i));
  socket->sent += count;
}

static enum call_kind send_kind(int flags) {
  return (flags & MSG_MORE) != 0 ? CALL_SEND_MORE : CALL_SEND;
}

ssize_t __wrap_send(int descriptor, const void *bytes, size_t length, int flags) {
  if (!is_simulated) return __real_send(descriptor, bytes, length, flags);
  struct file *socket = expect(descriptor, FILE_SOCKET);
  REQUIRE((flags & ~MSG_MORE) == (MSG_NOSIGNAL | MSG_DONTWAIT));
  const int64_t count = capacity(socket, length);
  if (count > 0) take_bytes(socket, bytes, (size_t)count);
  return noted(send_kind(flags), descriptor, length, count);
}

ssize_t __wrap_sendmsg(int descriptor, const struct msghdr *message, int flags) {
  if (!is_simulated) return __real_sendmsg(descriptor, message, flags);
  struct file *socket = expect(descriptor, FILE_SOCKET);
  REQUIRE((flags & ~MSG_MORE) == (MSG_NOSIGNAL | MSG_DONTWAIT) && message->msg_iovlen > 0);
  REQUIRE(message->msg_iovlen <= 1024); /* UIO_MAXIOV, beyond which the call fails */
  size_t length = 0;
  for (size_t i = 0; i < message->msg_iovlen; i++) length += message->msg_iov[i].iov_len;
  const int64_t count = capacity(socket, length);
  size_t left = count > 0 ? (size_t)count : 0;
  for (size_t i = 0; left > 0; i++) {
    const struct iovec *vector = &message->msg_iov[i];
    const size_t part = vector->iov_len < left ? vector->iov_len : left;
    take_bytes(socket, vector->iov_base, part);
    left -= part;
  }
  return noted(send_kind(flags), descriptor, length, count);
}

int __wrap_shutdown(int descriptor, int how) {
  if (!is_simulated) return __real_shutdown(descriptor, how);
  struct file *socket = expect(descriptor, FILE_SOCKET);
  REQUIRE(how == SHUT_WR);
  socket->is_shut = true;
  return (int)noted(CALL_SHUTDOWN, descriptor, 0, script_chance(4) ? -ENOTCONN : 0);
}

/* The last descriptor of a file takes it out of epoll, and only the last one. */
int __wrap_close(int descriptor) {
  if (!is_simulated) return __real_close(descriptor);
  struct file *file = file_of(descriptor);
  REQUIRE(file != NULL);
  file->descriptor = -1;
  if (!file->is_held) file->kind = FILE_NONE;
  return (int)noted(CALL_CLOSE, descriptor, 0, 0);
}

int __wrap_getsockopt(int descriptor, int level, int option, void *value, socklen_t *length) {
  if (!is_simulated) return __real_getsockopt(descriptor, level, option, value, length);
  const struct file *file = file_of(descriptor);
  REQUIRE(level == SOL_SOCKET && option == SO_ACCEPTCONN && *length == sizeof(int));
  errno = file == NULL ? EBADF : ENOTSOCK;
  if (file == NULL || file->kind == FILE_PIPE) return -1;
  *(int *)value = file->kind == FILE_LISTENER;
  return 0;
}

int __wrap_setsockopt(int descriptor, int level, int option, const void *value,
                      socklen_t length) {
  if (!is_simulated) return __real_setsockopt(descriptor, level, option, value, length);
  struct file *socket = file_of(descriptor);
  const struct linger *linger = value;
  REQUIRE(socket != NULL && level == SOL_SOCKET && option == SO_LINGER);
  REQUIRE(length == sizeof *linger && linger->l_onoff == 1 && linger->l_linger == 0);
  socket->resets = true;
  return (int)noted(CALL_LINGER, descriptor, 0, 0);
}

int __wrap_fcntl(int descriptor, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);
  if (!is_simulated) return __real_fcntl(descriptor, command, argument);
  struct file *file = file_of(descriptor);
  REQUIRE(file != NULL);
  const int flags = (int)(intptr_t)argument;
  if (script_chance(16)) {
    errno = EBADF;
    return -1;
  }
  if (command == F_GETFL) return O_RDWR | (file->is_nonblocking ? O_NONBLOCK : 0);
  REQUIRE(command == F_SETFL || command == F_SETFD);
  if (command == F_SETFL) REQUIRE((flags & O_RDWR) == O_RDWR);
  if (command == F_SETFL) file->is_nonblocking = (flags & O_NONBLOCK) != 0;
  if (command == F_SETFD) file->is_closed_on_exec = flags == FD_CLOEXEC;
  return 0;
}
