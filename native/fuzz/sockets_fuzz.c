/*
 * socket.c on calls that fail wherever the script says: nothing leaks, every failure is told, any
 * address is written within its bounds, and the selector's program is one that the kernel takes
 * and picks exactly the members that are open.
 */
#include "fuzz.h"

#include "../socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DESCRIPTOR = 1 << 20, MEMBERS_MAX = 2100 };

int __real_socket(int, int, int);
int __real_setsockopt(int, int, int, const void *, socklen_t);
int __real_bind(int, const struct sockaddr *, socklen_t);
int __real_listen(int, int);
int __real_close(int);
int __real_getsockname(int, struct sockaddr *, socklen_t *);
int __real_getpeername(int, struct sockaddr *, socklen_t *);
int __real_getrlimit(__rlimit_resource_t, struct rlimit *);
int __real_setrlimit(__rlimit_resource_t, const struct rlimit *);

static bool is_simulated, is_open, is_listening;
static int last_failure; /* 0 as long as nothing failed */
static rlim_t limit_max;
static const int32_t *members;
static size_t members_count;

/* One call: 0, or -1 with errno. */
static int outcome(void) {
  static const int FAILURES[] = {EMFILE, EADDRINUSE, ENOBUFS, EACCES, EADDRNOTAVAIL, ENOTCONN};
  if (!script_chance(12)) return 0;
  errno = last_failure = FAILURES[script_below(sizeof FAILURES / sizeof *FAILURES)];
  return -1;
}

int __wrap_socket(int family, int type, int protocol) {
  if (!is_simulated) return __real_socket(family, type, protocol);
  REQUIRE(type == (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC) && !is_open);
  if (outcome() < 0) return -1;
  is_open = true;
  return DESCRIPTOR;
}

/* What the kernel would do with the program for this random number; as bpf_check_classic wants. */
static uint32_t selected(const struct sock_fprog *program, uint32_t number) {
  uint32_t accumulator = 0;
  for (uint32_t at = 0; at < program->len; at++) {
    const struct sock_filter *code = &program->filter[at];
    switch (code->code) {
      case BPF_LD | BPF_W | BPF_ABS:
        REQUIRE(code->k == (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM));
        accumulator = number;
        break;
      case BPF_ALU | BPF_MOD | BPF_K:
        REQUIRE(code->k != 0);
        accumulator %= code->k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K: {
        const uint32_t jump = accumulator == code->k ? code->jt : code->jf;
        REQUIRE(at + 1 + code->jt < program->len && at + 1 + code->jf < program->len);
        at += jump;
        break;
      }
      default:
        REQUIRE(code->code == (BPF_RET | BPF_K));
        return code->k;
    }
  }
  fuzz_fail(__FILE__, __LINE__, "the program ends in a return");
}

static void check_selector(const struct sock_fprog *program) {
  REQUIRE(program->len > 0 && program->len <= BPF_MAXINSNS);
  REQUIRE(program->filter[program->len - 1].code == (BPF_RET | BPF_K));
  for (uint32_t i = 0; i < 8; i++) {
    const uint32_t number = script_byte() * UINT32_C(0x01010193) + i * UINT32_C(0x9e3779b9);
    REQUIRE(selected(program, number) == (uint32_t)members[number % members_count]);
  }
}

int __wrap_setsockopt(int descriptor, int level, int option, const void *value,
                      socklen_t length) {
  if (!is_simulated) return __real_setsockopt(descriptor, level, option, value, length);
  REQUIRE(descriptor == DESCRIPTOR && value != NULL);
  if (level == SOL_SOCKET && option == SO_ATTACH_REUSEPORT_CBPF) check_selector(value);
  else REQUIRE(length == sizeof(int) && is_open && !is_listening);
  return outcome();
}

int __wrap_bind(int descriptor, const struct sockaddr *address, socklen_t length) {
  if (!is_simulated) return __real_bind(descriptor, address, length);
  const size_t expected = address->sa_family == AF_INET ? sizeof(struct sockaddr_in)
                                                        : sizeof(struct sockaddr_in6);
  REQUIRE(descriptor == DESCRIPTOR && is_open && length == expected);
  return outcome();
}

int __wrap_listen(int descriptor, int backlog) {
  if (!is_simulated) return __real_listen(descriptor, backlog);
  REQUIRE(descriptor == DESCRIPTOR && is_open);
  is_listening = outcome() == 0;
  return is_listening ? 0 : -1;
}

/* It changes errno, as a call may. */
int __wrap_close(int descriptor) {
  if (!is_simulated) return __real_close(descriptor);
  REQUIRE(descriptor == DESCRIPTOR && is_open);
  is_open = false;
  errno = EIO;
  return 0;
}

/* An address of any family, with any bytes. */
static int give_address(struct sockaddr *address, socklen_t *length) {
  static const sa_family_t FAMILIES[] = {AF_INET, AF_INET6, AF_UNIX};
  uint8_t bytes[sizeof(struct sockaddr_in6)] = {0};
  REQUIRE(*length == sizeof(struct sockaddr_storage));
  if (outcome() < 0) return -1;
  const bool is_mapped = script_chance(3);
  struct sockaddr_in6 *six = (struct sockaddr_in6 *)bytes;
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)script_byte();
  six->sin6_family = is_mapped ? AF_INET6 : FAMILIES[script_below(3)];
  if (is_mapped) memcpy(&six->sin6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
  memcpy(address, bytes, sizeof bytes);
  *length = sizeof bytes;
  return 0;
}

int __wrap_getsockname(int descriptor, struct sockaddr *address, socklen_t *length) {
  if (!is_simulated) return __real_getsockname(descriptor, address, length);
  return give_address(address, length);
}

int __wrap_getpeername(int descriptor, struct sockaddr *address, socklen_t *length) {
  if (!is_simulated) return __real_getpeername(descriptor, address, length);
  return give_address(address, length);
}

int __wrap_getrlimit(__rlimit_resource_t resource, struct rlimit *limit) {
  if (!is_simulated) return __real_getrlimit(resource, limit);
  REQUIRE(resource == RLIMIT_NOFILE);
  *limit = (struct rlimit){.rlim_cur = limit_max / 2, .rlim_max = limit_max};
  return outcome();
}

int __wrap_setrlimit(__rlimit_resource_t resource, const struct rlimit *limit) {
  if (!is_simulated) return __real_setrlimit(resource, limit);
  REQUIRE(resource == RLIMIT_NOFILE && limit->rlim_max == limit_max);
  REQUIRE(limit->rlim_cur == limit_max);
  return outcome();
}

static void check_listen(void) {
  static const char *const ADDRESSES[] = {"127.0.0.1", "::", "::1", "0.0.0.0", "example", ""};
  const uint32_t choice = script_below(6);
  is_open = is_listening = false;
  const int result = socket_listen(ADDRESSES[choice], (uint16_t)script_byte(), 511, 30000);
  if (result >= 0) REQUIRE(result == DESCRIPTOR && is_listening && last_failure == 0);
  else REQUIRE(!is_open && result == (choice >= 4 ? -EINVAL : -last_failure));
  is_open = false;
}

static void check_steer(void) {
  const size_t count = script_chance(16) ? script_below(MEMBERS_MAX) : script_below(12);
  int32_t *open = calloc(count + 1, sizeof *open);
  REQUIRE(open != NULL);
  for (size_t i = 0; i < count; i++) open[i] = (int32_t)(i * 3 + script_below(3));
  members = open;
  members_count = count;
  const int result = socket_steer(DESCRIPTOR, open, count);
  if (count == 0 || 2 + 2 * count > BPF_MAXINSNS) REQUIRE(result == -EINVAL);
  else REQUIRE(result == -last_failure);
  free(open);
}

static void check_address(void) {
  char *text = malloc(SOCKET_ADDRESS_MAX);
  uint8_t bytes[16];
  REQUIRE(text != NULL);
  const int result = socket_peer_address(DESCRIPTOR, text);
  if (result == 0) {
    const bool is_six = strchr(text, ':') != NULL;
    REQUIRE(strlen(text) < SOCKET_ADDRESS_MAX);
    REQUIRE(inet_pton(is_six ? AF_INET6 : AF_INET, text, bytes) == 1);
    REQUIRE(!is_six || !IN6_IS_ADDR_V4MAPPED((struct in6_addr *)bytes));
  } else {
    REQUIRE(result == (last_failure != 0 ? -last_failure : -EAFNOSUPPORT));
  }
  free(text);
}

static void check_port(void) {
  const int result = socket_port(DESCRIPTOR);
  if (result >= 0) REQUIRE(result <= UINT16_MAX);
  else REQUIRE(result == (last_failure != 0 ? -last_failure : -EAFNOSUPPORT));
}

static void check_limit(void) {
  static const rlim_t LIMITS[] = {1024, INT_MAX, (rlim_t)INT_MAX + 1, RLIM_INFINITY};
  limit_max = LIMITS[script_below(4)];
  const int result = socket_raise_descriptor_limit();
  if (last_failure != 0) REQUIRE(result == -last_failure);
  else REQUIRE(result == (limit_max > INT_MAX ? INT_MAX : (int)limit_max));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
  static void (*const CHECKS[])(void) = {check_listen, check_steer, check_address, check_port,
                                         check_limit};
  script_begin(bytes, length);
  is_simulated = true;
  while (!script_is_over()) {
    last_failure = 0;
    CHECKS[script_below(sizeof CHECKS / sizeof *CHECKS)]();
  }
  is_simulated = false;
  return 0;
}
