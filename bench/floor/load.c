/* A closed-loop WebSocket generator for one core. It opens its connections, then obeys lines on
 * stdin: `run SECONDS` keeps one flight of messages under way on each connection and drains,
 * `touch` sends one message on each, `expect N` waits for N on each that somebody else sends; the
 * end of input ends it. Between commands it answers pings and is silent, so that a server's CPU
 * time read there belongs to whole messages alone. Every answer is compared with what was sent.
 * It is no load test of handshakes.
 *
 *   load --port N --connections N [--payload BYTES] [--pipeline N] [--text] [--raw] [--deflate]
 *        [--path P] [--addresses N] [--seconds N]
 *
 * One JSON object a line comes out: one when the connections are open, one for each command (two
 * for `expect`, the first when it is ready). With --seconds it runs once and ends. --raw sends the
 * same bytes without handshake and framing. --deflate agrees on permessage-deflate and sends in
 * its form, though no smaller; it does not inflate, so compressed answers are only counted.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "load.h"

#define EVENTS_MAX 1024
#define STALL_SECONDS 15
#define LIFE_SECONDS 1800

struct load load = {.connections_count = 1, .payload_bytes = 20, .pipeline = 1, .addresses = 8,
                    .path = "/"};

void fail(const char *format, ...) {
  va_list values;
  va_start(values, format);
  fputs("load: ", stderr);
  vfprintf(stderr, format, values);
  fputc('\n', stderr);
  exit(1);
}

double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Buckets of 1 us up to 1 ms, then of 1/64 of their octave: close enough for a percentile. */
static unsigned bucket_of(double seconds) {
  double us = seconds * 1e6;
  if (us < 1024) return us < 0 ? 0 : (unsigned)us;
  unsigned octave = 63 - (unsigned)__builtin_clzll((unsigned long long)us);
  unsigned within = (unsigned)((unsigned long long)us >> (octave - 6)) & 63;
  unsigned bucket = 1024 + (octave - 10) * 64 + within;
  return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static double bucket_us(unsigned bucket) {
  if (bucket < 1024) return bucket;
  unsigned octave = 10 + (bucket - 1024) / 64;
  return (double)((64ull + (bucket - 1024) % 64) << (octave - 6));
}

static double percentile_us(double share) {
  uint64_t total = 0, seen = 0;
  for (unsigned at = 0; at < BUCKETS; at++) total += load.histogram[at];
  for (unsigned at = 0; at < BUCKETS; at++) {
    seen += load.histogram[at];
    if (seen > 0 && (double)seen >= share * (double)total) return bucket_us(at);
  }
  return 0;
}

void flight_landed(struct connection *connection) {
  load.messages += load.flight_messages;
  load.last_progress = load.turn_time;
  load.histogram[bucket_of(load.turn_time - connection->departed)]++;
  load.flying--;
  if (load.turn_time < load.run_end) depart(connection);
}

/* Waits once and serves what is ready; true when stdin has something to say. */
static bool turn(int timeout_ms) {
  static struct epoll_event events[EVENTS_MAX];
  int ready = epoll_wait(load.poller, events, EVENTS_MAX, timeout_ms);
  if (ready < 0 && errno != EINTR) fail("epoll_wait: %s", strerror(errno));
  bool command = false;
  load.turn_time = now();
  for (int at = 0; at < ready; at++) {
    if (events[at].data.u32 == STDIN) {
      command = true;
      continue;
    }
    struct connection *connection = &load.connections[events[at].data.u32];
    if (events[at].events & EPOLLOUT) send_rest(connection);
    if (events[at].events & ~(uint32_t)EPOLLOUT) receive(connection);
  }
  return command;
}

static double begin(double seconds, unsigned flight_messages) {
  memset(load.histogram, 0, sizeof load.histogram);
  load.messages = 0;
  load.flight_messages = flight_messages;
  double start = load.turn_time = load.last_progress = now();
  load.run_end = start + seconds;
  return start;
}

/* All that is under way lands. */
static void land(double start, double cpu_start) {
  while (load.flying > 0) {
    turn(1000);
    if (load.turn_time - load.last_progress > STALL_SECONDS)
      fail("no answer for %d s on %u connections", STALL_SECONDS, load.flying);
  }
  double elapsed = now() - start;
  printf("{\"messages\":%llu,\"seconds\":%.3f,\"cpuShare\":%.3f,\"p50Us\":%.0f,\"p99Us\":%.0f,"
         "\"p999Us\":%.0f}\n",
         (unsigned long long)load.messages, elapsed, (cpu_seconds() - cpu_start) / elapsed,
         percentile_us(0.5), percentile_us(0.99), percentile_us(0.999));
  fflush(stdout);
}

/* One flight on each connection, and more of them until `seconds` are over. */
static void fly(double seconds, unsigned flight_messages) {
  double start = begin(seconds, flight_messages), cpu_start = cpu_seconds();
  for (unsigned at = 0; at < load.connections_count; at++) depart(&load.connections[at]);
  land(start, cpu_start);
}

/* So many messages to each connection, which it has not asked for. */
static void expect(unsigned messages) {
  double start = begin(0, messages), cpu_start = cpu_seconds();
  for (unsigned at = 0; at < load.connections_count; at++) await(&load.connections[at]);
  printf("{\"expecting\":%u}\n", messages);
  fflush(stdout);
  land(start, cpu_start);
}

/* The lines that wait on stdin; false at its end. Whoever drives us sends one and waits. */
static bool obey(void) {
  static char line[64];
  static size_t length = 0;
  ssize_t received = read(0, line + length, sizeof line - 1 - length);
  if (received <= 0) return false;
  length += (size_t)received;
  line[length] = 0;
  if (strchr(line, '\n') == NULL) return length < sizeof line - 1;
  double seconds;
  unsigned messages;
  length = 0;
  if (sscanf(line, "run %lf\n", &seconds) == 1) fly(seconds, load.pipeline);
  else if (strcmp(line, "touch\n") == 0) fly(0, 1);
  else if (sscanf(line, "expect %u\n", &messages) == 1) expect(messages);
  else fail("unknown command: %s", line);
  return true;
}

static double read_options(int count, char **arguments) {
  static const struct option options[] = {
      {"port", required_argument, NULL, 'p'},     {"connections", required_argument, NULL, 'c'},
      {"payload", required_argument, NULL, 'b'},  {"pipeline", required_argument, NULL, 'k'},
      {"seconds", required_argument, NULL, 's'},  {"addresses", required_argument, NULL, 'a'},
      {"path", required_argument, NULL, 'u'},     {"text", no_argument, NULL, 't'},
      {"raw", no_argument, NULL, 'r'},            {"deflate", no_argument, NULL, 'd'},
      {0}};
  double seconds = 0;
  for (int option; (option = getopt_long(count, arguments, "", options, NULL)) != -1;) {
    unsigned number = optarg == NULL ? 0 : (unsigned)atoi(optarg);
    if (option == 'p') load.port = (uint16_t)number;
    else if (option == 'c') load.connections_count = number;
    else if (option == 'b') load.payload_bytes = number;
    else if (option == 'k') load.pipeline = number;
    else if (option == 's') seconds = atof(optarg);
    else if (option == 'a') load.addresses = number;
    else if (option == 'u') load.path = optarg;
    else if (option == 't') load.text = true;
    else if (option == 'r') load.raw = true;
    else if (option == 'd') load.deflate = true;
    else exit(2);
  }
  bool known = load.port > 0 && load.connections_count > 0 && load.pipeline > 0;
  if (load.deflate && (load.raw || load.payload_bytes > DEFLATED_BYTES_MAX))
    fail("--deflate is for messages up to %d bytes", DEFLATED_BYTES_MAX);
  if (!known || load.addresses < 1 || load.addresses > 250 || load.payload_bytes < 1)
    fail("--port and --connections are needed, and every number is at least 1");
  return seconds;
}

int main(int count, char **arguments) {
  double seconds = read_options(count, arguments);
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  signal(SIGPIPE, SIG_IGN);
  alarm(LIFE_SECONDS);

  load.poller = epoll_create1(0);
  if (load.poller < 0) fail("epoll_create1: %s", strerror(errno));
  encode_flight();
  double start = now();
  open_connections();
  printf("{\"connections\":%u,\"seconds\":%.3f}\n", load.connections_count, now() - start);
  fflush(stdout);
  if (seconds > 0) {
    fly(seconds, load.pipeline);
    return 0;
  }
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = STDIN};
  if (epoll_ctl(load.poller, EPOLL_CTL_ADD, 0, &event) != 0) fail("stdin has to be a pipe");
  while (!turn(-1) || obey()) {
  }
  return 0;
}
