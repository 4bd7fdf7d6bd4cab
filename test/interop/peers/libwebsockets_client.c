/*
 * A WebSocket client on libwebsockets that does what stdin says, a line a command, and tells on
 * stdout what it sees. process-peer.ts has the lines. It judges nothing.
 */
#include <libwebsockets.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What one lws_write sends, and behind it the next. */
struct frame {
  struct frame *next;
  int flags;
  size_t length;
  unsigned char bytes[]; /* LWS_PRE bytes for the library, then the payload */
};

/* A line of stdin that the loop has not seen yet. */
struct line {
  struct line *next;
  char *text;
};

static struct lws_context *context;
static struct lws *connection;

static pthread_mutex_t lines_lock = PTHREAD_MUTEX_INITIALIZER;
static struct line *first_line, **last_line = &first_line;
static bool input_ended;

static struct frame *first_frame, **last_frame = &first_frame;
static int close_code;
static char close_reason[124];

/* The peer's close frame; 1006 when the stream ended without one. */
static int seen_code;
static unsigned char seen_reason[123];
static size_t seen_reason_length;

static unsigned char *message;
static size_t message_length;

/* What the server chose, as its answer has it. */
static char extension[128], subprotocol[128];

static void fail(const char *sentence) {
  fprintf(stderr, "%s\n", sentence);
  exit(1);
}

static void *allocate(size_t bytes) {
  void *memory = calloc(1, bytes);
  if (memory == NULL) fail("out of memory");
  return memory;
}

static void tell_payload(const unsigned char *payload, size_t length) {
  if (length == 0) putchar('-');
  for (size_t i = 0; i < length; i++) {
    putchar("0123456789abcdef"[payload[i] >> 4]);
    putchar("0123456789abcdef"[payload[i] & 15]);
  }
  putchar('\n');
  fflush(stdout);
}

static int digit(char character) {
  return character <= '9' ? character - '0' : character - 'a' + 10;
}

/* Decodes a word in place of `into`; the bytes written. A dash is nothing. */
static size_t decode(const char *word, unsigned char *into) {
  size_t length = strcmp(word, "-") == 0 ? 0 : strlen(word) / 2;
  for (size_t i = 0; i < length; i++) {
    into[i] = (unsigned char)(digit(word[2 * i]) << 4 | digit(word[2 * i + 1]));
  }
  return length;
}

static void queue(int flags, const char *word) {
  struct frame *frame = allocate(sizeof *frame + LWS_PRE + strlen(word));
  frame->flags = flags;
  frame->length = decode(word, frame->bytes + LWS_PRE);
  *last_frame = frame;
  last_frame = &frame->next;
}

static void queue_fragments(int kind, char *words) {
  char *rest;
  char *word = strtok_r(words, " ", &rest);
  while (word != NULL) {
    char *next = strtok_r(NULL, " ", &rest);
    queue(kind | (next == NULL ? 0 : LWS_WRITE_NO_FIN), word);
    kind = LWS_WRITE_CONTINUATION;
    word = next;
  }
}

/* One frame for each time that the socket is writable, as the library wants it; -1 closes. */
static int write_next(void) {
  struct frame *frame = first_frame;
  if (frame == NULL) {
    if (close_code == 0) return 0;
    lws_close_reason(connection, (enum lws_close_status)close_code,
                     (unsigned char *)close_reason, strlen(close_reason));
    return -1;
  }
  int written = lws_write(connection, frame->bytes + LWS_PRE, frame->length,
                          (enum lws_write_protocol)frame->flags);
  if (written < (int)frame->length) fail("lws_write failed");
  first_frame = frame->next;
  if (first_frame == NULL) last_frame = &first_frame;
  free(frame);
  lws_callback_on_writable(connection);
  return 0;
}

static void receive(struct lws *wsi, const unsigned char *bytes, size_t length) {
  message = realloc(message, message_length + length + 1);
  if (message == NULL) fail("out of memory");
  if (length > 0) memcpy(message + message_length, bytes, length);
  message_length += length;
  if (!lws_is_final_fragment(wsi)) return;
  fputs(lws_frame_is_binary(wsi) ? "binary " : "text ", stdout);
  tell_payload(message, message_length);
  message_length = 0;
}

static void opened(struct lws *wsi) {
  connection = wsi;
  seen_code = 1006;
  seen_reason_length = 0;
  printf("open %s %s\n", subprotocol[0] == '\0' ? "-" : subprotocol,
         strstr(extension, "permessage-deflate") == NULL ? "-" : "permessage-deflate");
  fflush(stdout);
}

static void closing(const unsigned char *payload, size_t length) {
  if (length < 2) {
    seen_code = 1005;
    return;
  }
  seen_code = payload[0] << 8 | payload[1];
  seen_reason_length = length - 2;
  memcpy(seen_reason, payload + 2, seen_reason_length);
}

static void closed(void) {
  /* The library does not show the frame that answers our own; 0 says so. */
  printf("closed %d ", close_code == 0 ? seen_code : 0);
  tell_payload(seen_reason, seen_reason_length);
  connection = NULL;
  close_code = 0;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *bytes,
                    size_t length) {
  (void)user;
  switch (reason) {
    case LWS_CALLBACK_CLIENT_FILTER_PRE_ESTABLISH:
      extension[0] = subprotocol[0] = '\0';
      lws_hdr_copy(wsi, extension, sizeof extension, WSI_TOKEN_EXTENSIONS);
      lws_hdr_copy(wsi, subprotocol, sizeof subprotocol, WSI_TOKEN_PROTOCOL);
      return 0;
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
      opened(wsi);
      return 0;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
      printf("refused %u -\n", lws_http_client_http_response(wsi));
      fflush(stdout);
      return 0;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
      return write_next();
    case LWS_CALLBACK_CLIENT_RECEIVE:
      receive(wsi, bytes, length);
      return 0;
    case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
      fputs("pong ", stdout);
      tell_payload(bytes, length);
      return 0;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
      closing(bytes, length);
      return 0;
    case LWS_CALLBACK_CLIENT_CLOSED:
      closed();
      return 0;
    default:
      return 0;
  }
}

/* Subprotocols have to be known by name, all alike here; the first one stands for none. */
static const struct lws_protocols protocols[] = {
    {".none", on_event, 0, 65536, 0, NULL, 0},
    {"v1.interop", on_event, 0, 65536, 0, NULL, 0},
    {"v2.interop", on_event, 0, 65536, 0, NULL, 0},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};

static const struct lws_extension extensions[] = {
    {"permessage-deflate", lws_extension_callback_pm_deflate,
     "permessage-deflate; client_no_context_takeover; client_max_window_bits"},
    {NULL, NULL, NULL},
};

/* Extensions belong to a virtual host, so there is one with them and one without. */
static struct lws_vhost *plain_host, *deflating_host;

static struct lws_vhost *make_host(const char *name, bool deflates) {
  struct lws_context_creation_info info = {0};
  info.port = CONTEXT_PORT_NO_LISTEN;
  info.vhost_name = name;
  info.protocols = protocols;
  info.extensions = deflates ? extensions : NULL;
  struct lws_vhost *host = lws_create_vhost(context, &info);
  if (host == NULL) fail("no virtual host");
  return host;
}

static void open_connection(char *url, const char *asked, bool deflates) {
  const char *scheme, *address, *path;
  char absolute[1024];
  struct lws_client_connect_info info = {0};
  if (lws_parse_uri(url, &scheme, &address, &info.port, &path) != 0) fail("no URL");
  snprintf(absolute, sizeof absolute, "/%s", path);
  info.context = context;
  info.vhost = deflates ? deflating_host : plain_host;
  info.address = address;
  info.host = address;
  info.path = absolute;
  info.protocol = strcmp(asked, "-") == 0 ? NULL : asked;
  info.pwsi = &connection;
  /* What fails at once has been told by CLIENT_CONNECTION_ERROR. */
  lws_client_connect_via_info(&info);
}

static void obey(char *text) {
  char *rest;
  const char *command = strtok_r(text, " ", &rest);
  if (strcmp(command, "open") == 0) {
    char *url = strtok_r(NULL, " ", &rest);
    const char *asked = strtok_r(NULL, " ", &rest);
    open_connection(url, asked, strcmp(rest, "on") == 0);
    return;
  }
  if (strcmp(command, "text") == 0) {
    queue(LWS_WRITE_TEXT, rest);
  } else if (strcmp(command, "binary") == 0) {
    queue(LWS_WRITE_BINARY, rest);
  } else if (strcmp(command, "ping") == 0) {
    queue(LWS_WRITE_PING, rest);
  } else if (strcmp(command, "fragments") == 0) {
    const char *kind = strtok_r(NULL, " ", &rest);
    queue_fragments(strcmp(kind, "text") == 0 ? LWS_WRITE_TEXT : LWS_WRITE_BINARY, rest);
  } else if (strcmp(command, "close") == 0) {
    close_code = atoi(strtok_r(NULL, " ", &rest));
    close_reason[decode(rest, (unsigned char *)close_reason)] = '\0';
  } else {
    fail("unknown command");
  }
  lws_callback_on_writable(connection);
}

/* The library's loop cannot wait for stdin, so a thread does, and wakes the loop. */
static void *read_input(void *unused) {
  (void)unused;
  char *text = NULL;
  size_t capacity = 0;
  ssize_t length;
  while ((length = getline(&text, &capacity, stdin)) > 0) {
    text[length - 1] = '\0';
    struct line *line = allocate(sizeof *line);
    line->text = text;
    text = NULL;
    capacity = 0;
    pthread_mutex_lock(&lines_lock);
    *last_line = line;
    last_line = &line->next;
    pthread_mutex_unlock(&lines_lock);
    lws_cancel_service(context);
  }
  pthread_mutex_lock(&lines_lock);
  input_ended = true;
  pthread_mutex_unlock(&lines_lock);
  lws_cancel_service(context);
  return NULL;
}

/* False when there will be no more lines. */
static bool obey_lines(void) {
  for (;;) {
    pthread_mutex_lock(&lines_lock);
    struct line *line = first_line;
    bool over = line == NULL && input_ended;
    if (line != NULL) first_line = line->next;
    if (first_line == NULL) last_line = &first_line;
    pthread_mutex_unlock(&lines_lock);
    if (line == NULL) return !over;
    obey(line->text);
    free(line->text);
    free(line);
  }
}

int main(void) {
  struct lws_context_creation_info info = {0};
  pthread_t reader;
  lws_set_log_level(LLL_ERR, NULL);
  info.port = CONTEXT_PORT_NO_LISTEN;
  info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
  context = lws_create_context(&info);
  if (context == NULL) fail("no context");
  plain_host = make_host("plain", false);
  deflating_host = make_host("deflating", true);
  if (pthread_create(&reader, NULL, read_input, NULL) != 0) fail("no thread");
  while (obey_lines() && lws_service(context, 0) >= 0) continue;
  /* The system takes back what is left. */
  return 0;
}
