/*
 * Listening sockets, the selector of a SO_REUSEPORT group, addresses and the descriptor limit.
 * Options that every accepted socket needs are set on the listener: the kernel hands them down.
 */
#include "socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int set_option(int descriptor, int level, int option, int value) {
  return setsockopt(descriptor, level, option, &value, sizeof value);
}

/* An IP address or the path of a Unix socket: its length, 0 for a text that is none of them. */
static socklen_t parse_address(const char *text, uint16_t port, struct sockaddr_storage *address) {
  *address = (struct sockaddr_storage){0};
  struct sockaddr_in *four = (struct sockaddr_in *)address;
  struct sockaddr_in6 *six = (struct sockaddr_in6 *)address;
  struct sockaddr_un *local = (struct sockaddr_un *)address;
  if (text[0] == '/' && strlen(text) < sizeof local->sun_path) {
    local->sun_family = AF_UNIX;
    strcpy(local->sun_path, text);
    return sizeof *local;
  }
  *six = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
  if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1) return sizeof *six;
  four->sin_family = AF_INET;
  return inet_pton(AF_INET, text, &four->sin_addr) == 1 ? sizeof *four : 0;
}

int socket_listen(const char *text, uint16_t port, int backlog, int user_timeout_ms) {
  struct sockaddr_storage address;
  const socklen_t length = parse_address(text, port, &address);
  if (length == 0) return -EINVAL;
  const int family = address.ss_family;
  const int descriptor = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;

  /* With V6ONLY off "::" takes IPv4 as well, whatever the machine's default is. */
  if (set_option(descriptor, SOL_SOCKET, SO_REUSEADDR, 1) < 0 ||
      set_option(descriptor, SOL_SOCKET, SO_REUSEPORT, 1) < 0 ||
      set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1) < 0 ||
      set_option(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, user_timeout_ms) < 0 ||
      (family == AF_INET6 && set_option(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 0) < 0) ||
      bind(descriptor, (struct sockaddr *)&address, length) < 0 ||
      listen(descriptor, backlog) < 0) {
    const int failure = errno;
    close(descriptor);
    return -failure;
  }
  return descriptor;
}

/*
 * Bound without a port, the socket gets one when it connects, and then it only has to differ from
 * those with the same peer: otherwise all of a source address' sockets share some 28,000.
 */
static int bind_source(int descriptor, const char *source) {
  struct sockaddr_storage address;
  const socklen_t length = parse_address(source, 0, &address);
  if (length == 0) return -EINVAL;
  if (set_option(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1) < 0 ||
      bind(descriptor, (struct sockaddr *)&address, length) < 0)
    return -errno;
  return 0;
}

int socket_dial(const char *text, uint16_t port, const char *source) {
  struct sockaddr_storage address;
  const socklen_t length = parse_address(text, port, &address);
  if (length == 0) return -EINVAL;
  const int descriptor = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  int failure = source[0] == '\0' ? 0 : bind_source(descriptor, source);
  if (failure == 0 && address.ss_family != AF_UNIX &&
      set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1) < 0)
    failure = -errno;
  if (failure == 0 && connect(descriptor, (struct sockaddr *)&address, length) < 0 &&
      errno != EINPROGRESS)
    failure = -errno;
  if (failure == 0) return descriptor;
  close(descriptor);
  return failure;
}

int socket_port(int descriptor) {
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  if (getsockname(descriptor, (struct sockaddr *)&address, &length) < 0) return -errno;
  if (address.ss_family != AF_INET && address.ss_family != AF_INET6) return -EAFNOSUPPORT;
  return ntohs(((struct sockaddr_in6 *)&address)->sin6_port); /* where sin_port is as well */
}

/*
 * The program: A = random % count, then for each member "is A its number? return its index".
 * Jumps of a classic filter reach 255 instructions, so that a pair for each member is simplest.
 */
int socket_steer(int descriptor, const int32_t *open, size_t count) {
  enum { HEAD = 2, EACH = 2 };
  if (count == 0 || count > (BPF_MAXINSNS - HEAD) / EACH) return -EINVAL;
  struct sock_filter *code = calloc(HEAD + EACH * count, sizeof *code);
  if (code == NULL) return -ENOMEM;

  size_t at = 0;
  code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                            (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM));
  code[at++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, (uint32_t)count);
  for (size_t i = 0; i < count; i++) {
    /* The last one needs no question: a filter has to end in a return. */
    if (i + 1 < count)
      code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)i, 0, 1);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, (uint32_t)open[i]);
  }

  const struct sock_fprog program = {.len = (unsigned short)at, .filter = code};
  const int done = setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
                              sizeof program);
  const int failure = errno;
  free(code);
  return done < 0 ? -failure : 0;
}

bool socket_is_client_gone(int failure) {
  switch (failure) {
    case ECONNABORTED: case EINTR: case EPROTO: case EPERM: case ENONET: case EOPNOTSUPP:
    case ENOPROTOOPT: case ENETDOWN: case ENETUNREACH: case EHOSTDOWN: case EHOSTUNREACH:
    case ETIMEDOUT: return true;
    default: return false;
  }
}

int socket_peer_address(int descriptor, char text[SOCKET_ADDRESS_MAX]) {
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  if (getpeername(descriptor, (struct sockaddr *)&address, &length) < 0) return -errno;
  const void *bytes = NULL;
  int family = address.ss_family;
  if (family == AF_INET) {
    bytes = &((struct sockaddr_in *)&address)->sin_addr;
  } else if (family == AF_INET6) {
    const struct in6_addr *six = &((struct sockaddr_in6 *)&address)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(six)) family = AF_INET;
    bytes = six->s6_addr + (family == AF_INET ? 12 : 0);
  }
  if (bytes == NULL) return -EAFNOSUPPORT;
  return inet_ntop(family, bytes, text, SOCKET_ADDRESS_MAX) == NULL ? -errno : 0;
}

int socket_raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
  return limit.rlim_cur > INT_MAX ? INT_MAX : (int)limit.rlim_cur;
}
