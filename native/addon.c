/*
 * The verbs of src/reactor/binding.ts over the other C files; the only file that knows Node.
 * Each function of a poller carries its handle as `data`. A wrong argument is a bug of the caller
 * and throws, with the caller's stack; what fails in the world is returned as -errno.
 */
#include "deflate.h"
#include "mask.h"
#include "poller.h"
#include "socket.h"

#include <node_api.h>
#include <uv.h>
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

/* The typed arrays of PollerOptions. */
enum { VIEW_ARENA, VIEW_BATCH, VIEW_GENERATIONS, VIEW_ENTRIES, VIEW_HEADS, VIEW_FLUSHING,
       VIEW_SHORT, VIEW_UNMASKING, VIEWS };

enum { UNMASKING_FIELDS = 5, PROGRESS_FIELDS = 2 };

/*
 * A poller and what JavaScript holds of it. `owners` counts the functions that carry this as their
 * data and the hook that runs when the environment ends, which is there until the poller has
 * stopped; the last of them frees it.
 */
struct handle {
  napi_env env;
  struct poller *poller; /* NULL once stopped */
  uint8_t *arena;
  size_t arena_length;
  int32_t *unmasking;
  napi_ref views[VIEWS]; /* keep alive the memory that the poller writes to */
  napi_ref wake;
  napi_async_context context;
  napi_async_cleanup_hook_handle cleanup;
  uv_poll_t watcher;
  bool watching;
  unsigned owners;
};

/* A codec; `owners` counts the functions that carry this, the last of which frees it. */
struct codec_handle {
  struct deflate_codec *codec;
  int32_t *progress;
  napi_ref view; /* keeps alive the memory of progress */
  unsigned owners;
};

/* A failed call of Node-API is a bug of this file, or Node is out of memory. */
static void must(napi_status status) {
  if (status != napi_ok)
    napi_fatal_error("headgate", NAPI_AUTO_LENGTH, "a Node-API call failed", NAPI_AUTO_LENGTH);
}

/* Throws; NULL as the result of a verb, and false as that of a check. */
static void *refuse(napi_env env, napi_status (*throw)(napi_env, const char *, const char *),
                    const char *code, const char *message) {
  throw(env, code, message);
  return NULL;
}

static napi_value number(napi_env env, int32_t value) {
  napi_value result;
  must(napi_create_int32(env, value, &result));
  return result;
}

static bool to_int32(napi_env env, napi_value value, int32_t *result) {
  if (napi_get_value_int32(env, value, result) == napi_ok) return true;
  return refuse(env, napi_throw_type_error, NULL, "a number was expected");
}

/* A typed array: its memory, and how many elements it has. */
static bool to_view(napi_env env, napi_value value, napi_typedarray_type wanted, void **memory,
                    size_t *count) {
  napi_typedarray_type type;
  if (napi_get_typedarray_info(env, value, &type, count, memory, NULL, NULL) == napi_ok &&
      type == wanted)
    return true;
  return refuse(env, napi_throw_type_error, NULL, "another kind of typed array was expected");
}

static napi_value property(napi_env env, napi_value object, const char *name) {
  napi_value value;
  must(napi_get_named_property(env, object, name, &value));
  return value;
}

static bool number_property(napi_env env, napi_value object, const char *name, int32_t minimum,
                            int32_t maximum, int32_t *result) {
  char message[64];
  double given;
  if (napi_get_value_double(env, property(env, object, name), &given) == napi_ok &&
      given >= minimum && given <= maximum) {
    *result = (int32_t)given;
    return true;
  }
  snprintf(message, sizeof message, "%s is not within %d and %d", name, minimum, maximum);
  return refuse(env, napi_throw_range_error, NULL, message);
}

/* The arguments, undefined where one is missing; what the function carries. */
static void *arguments(napi_env env, napi_callback_info call, size_t count, napi_value *values) {
  void *carried;
  must(napi_get_cb_info(env, call, &count, values, NULL, &carried));
  return carried;
}

/* For a verb whose arguments are all numbers, four at the most. */
static bool numbers(napi_env env, napi_callback_info call, size_t count, int32_t *results,
                    struct handle **handle) {
  napi_value values[4];
  *handle = arguments(env, call, count, values);
  for (size_t i = 0; i < count; i++)
    if (!to_int32(env, values[i], &results[i])) return false;
  return true;
}

static bool is_running(const struct handle *handle) {
  if (handle->poller != NULL) return true;
  return refuse(handle->env, napi_throw_error, NULL, "the poller was stopped");
}

static bool is_open(const struct handle *handle, int32_t slot) {
  if (!is_running(handle)) return false;
  if (poller_socket(handle->poller, slot) >= 0) return true;
  return refuse(handle->env, napi_throw_range_error, NULL, "the slot is not open");
}

static bool is_within(napi_env env, int32_t offset, int32_t length, size_t size) {
  if (offset >= 0 && length >= 0 && (size_t)offset + (size_t)length <= size) return true;
  return refuse(env, napi_throw_range_error, NULL, "offset and length leave the buffer");
}

/* An array of bytes, an offset and a length, which stay within it. */
static bool to_bytes(napi_env env, const napi_value values[3], const uint8_t **bytes,
                     int32_t *length) {
  int32_t offset;
  void *memory;
  size_t size;
  if (!to_view(env, values[0], napi_uint8_array, &memory, &size) ||
      !to_int32(env, values[1], &offset) || !to_int32(env, values[2], length) ||
      !is_within(env, offset, *length, size))
    return false;
  *bytes = (const uint8_t *)memory + offset;
  return true;
}

/* ---- Life of a handle ---- */

static void release(struct handle *handle) {
  if (--handle->owners == 0) free(handle);
}

static void release_finalized(napi_env env, void *carried, void *hint) {
  (void)env, (void)hint;
  release(carried);
}

static void finish_cleanup(struct handle *handle) {
  must(napi_remove_async_cleanup_hook(handle->cleanup));
  release(handle);
}

/* Not in stop, which `wake` may call: both are in use until it returns. */
static void watcher_closed(uv_handle_t *watcher) {
  struct handle *handle = watcher->data;
  must(napi_delete_reference(handle->env, handle->wake));
  must(napi_async_destroy(handle->env, handle->context));
  finish_cleanup(handle);
}

/* libuv stops polling before the descriptor closes, and owns the watcher until its callback. */
static void stop(struct handle *handle) {
  if (handle->poller == NULL) return;
  if (handle->watching) uv_poll_stop(&handle->watcher);
  poller_destroy(handle->poller);
  handle->poller = NULL;
  for (size_t i = 0; i < VIEWS; i++) must(napi_delete_reference(handle->env, handle->views[i]));
  if (handle->watching) uv_close((uv_handle_t *)&handle->watcher, watcher_closed);
  else finish_cleanup(handle);
}

static void environment_ends(napi_async_cleanup_hook_handle cleanup, void *carried) {
  (void)cleanup;
  stop(carried);
}

/* ---- Verbs of a poller ---- */

static napi_value adopt_verb(napi_env env, napi_callback_info call) {
  struct handle *handle;
  int32_t descriptor;
  if (!numbers(env, call, 1, &descriptor, &handle) || !is_running(handle)) return NULL;
  return number(env, poller_adopt(handle->poller, descriptor));
}

/* An address as text; one that is too long for any is cut, and then is none. */
static bool to_address(napi_env env, napi_value value, char text[SOCKET_ADDRESS_MAX + 1]) {
  if (napi_get_value_string_utf8(env, value, text, SOCKET_ADDRESS_MAX + 1, NULL) == napi_ok)
    return true;
  return refuse(env, napi_throw_type_error, NULL, "an address was expected");
}

static napi_value dial_verb(napi_env env, napi_callback_info call) {
  napi_value values[3];
  struct handle *handle = arguments(env, call, 3, values);
  char address[SOCKET_ADDRESS_MAX + 1], source[SOCKET_ADDRESS_MAX + 1];
  int32_t port;
  if (!is_running(handle) || !to_address(env, values[0], address) ||
      !to_int32(env, values[1], &port) || !to_address(env, values[2], source))
    return NULL;
  return number(env, poller_dial(handle->poller, address, (uint16_t)port, source));
}

static napi_value watch_verb(napi_env env, napi_callback_info call) {
  struct handle *handle;
  int32_t given[2]; /* slot, interest */
  if (!numbers(env, call, 2, given, &handle) || !is_open(handle, given[0])) return NULL;
  poller_watch(handle->poller, given[0], (unsigned)given[1] & (INTEREST_READ | INTEREST_WRITE));
  return NULL;
}

static napi_value turn_verb(napi_env env, napi_callback_info call) {
  struct handle *handle;
  int32_t events_max;
  if (!numbers(env, call, 1, &events_max, &handle) || !is_running(handle)) return NULL;
  return number(env, poller_turn(handle->poller, events_max));
}

static napi_value flush_verb(napi_env env, napi_callback_info call) {
  struct handle *handle;
  int32_t count;
  if (!numbers(env, call, 1, &count, &handle) || !is_running(handle)) return NULL;
  return number(env, poller_flush(handle->poller, (size_t)count));
}

static napi_value write_verb(napi_env env, napi_callback_info call) {
  napi_value values[4];
  struct handle *handle = arguments(env, call, 4, values);
  const uint8_t *bytes;
  int32_t slot, length;
  if (!to_int32(env, values[0], &slot) || !is_open(handle, slot) ||
      !to_bytes(env, values + 1, &bytes, &length))
    return NULL;
  return number(env, poller_write(handle->poller, slot, bytes, (size_t)length));
}

static napi_value shutdown_verb(napi_env env, napi_callback_info call) {
  struct handle *handle;
  int32_t slot;
  if (numbers(env, call, 1, &slot, &handle) && is_open(handle, slot))
    poller_shutdown(handle->poller, slot);
  return NULL;
}

static napi_value close_verb(napi_env env, napi_callback_info call) {
  napi_value values[2];
  struct handle *handle = arguments(env, call, 2, values);
  int32_t slot;
  bool reset;
  if (!to_int32(env, values[0], &slot) || !is_open(handle, slot)) return NULL;
  must(napi_get_value_bool(env, values[1], &reset));
  poller_close(handle->poller, slot, reset);
  return NULL;
}

static napi_value peer_address_verb(napi_env env, napi_callback_info call) {
  struct handle *handle;
  int32_t slot;
  char text[SOCKET_ADDRESS_MAX];
  napi_value result;
  if (!numbers(env, call, 1, &slot, &handle) || !is_open(handle, slot)) return NULL;
  /* A client that reset the connection meanwhile has no address any more. */
  if (socket_peer_address(poller_socket(handle->poller, slot), text) < 0) text[0] = '\0';
  must(napi_create_string_latin1(env, text, NAPI_AUTO_LENGTH, &result));
  return result;
}

/*
 * Called for almost every message: four numbers as arguments and one as the result cost as much
 * again as the call itself, so they stand in `unmasking`.
 */
static napi_value unmask_verb(napi_env env, napi_callback_info call) {
  struct handle *handle = arguments(env, call, 0, NULL);
  if (!is_running(handle)) return NULL;
  int32_t *const given = handle->unmasking; /* offset, length, key, state, to */
  if (!is_within(env, given[0], given[1], handle->arena_length) ||
      !is_within(env, given[4], given[1], handle->arena_length))
    return NULL;
  if (given[3] < UTF8_OFF || given[3] >= UTF8_STATES)
    return refuse(env, napi_throw_range_error, NULL, "this is no state of the UTF-8 check");
  given[3] = mask_unmask(handle->arena + given[4], handle->arena + given[0], (size_t)given[1],
                         (uint32_t)given[2], given[3]);
  return NULL;
}

/*
 * With a plain call an exception in `wake` would stay pending, every later wake-up would fail at
 * once, and libuv would spin on a deaf process. It has to be the end, like any uncaught exception.
 */
static void call_wake(struct handle *handle) {
  napi_env env = handle->env;
  napi_value wake, receiver, result, exception;
  bool pending = false;
  must(napi_get_reference_value(env, handle->wake, &wake));
  must(napi_get_global(env, &receiver));
  const napi_status status =
      napi_make_callback(env, handle->context, receiver, wake, 0, NULL, &result);
  if (status == napi_ok) return;
  /* Neither is to be had while the environment is torn down, and then nobody has to hear of it. */
  if (napi_is_exception_pending(env, &pending) != napi_ok || !pending) return;
  if (napi_get_and_clear_last_exception(env, &exception) != napi_ok) return;
  const napi_status told = napi_fatal_exception(env, exception);
  /* Pending again: no JavaScript runs any more, since the tearing down began in between. */
  if (told == napi_ok || told == napi_pending_exception) return;
  napi_fatal_error("headgate", NAPI_AUTO_LENGTH, "an exception in a turn could not be reported",
                   NAPI_AUTO_LENGTH);
}

static void became_readable(uv_poll_t *watcher, int status, int events) {
  (void)events;
  struct handle *handle = watcher->data;
  napi_handle_scope scope;
  if (status < 0)
    napi_fatal_error("headgate", NAPI_AUTO_LENGTH, "the event loop lost the epoll descriptor",
                     NAPI_AUTO_LENGTH);
  must(napi_open_handle_scope(handle->env, &scope));
  call_wake(handle);
  must(napi_close_handle_scope(handle->env, scope));
}

static napi_value start_verb(napi_env env, napi_callback_info call) {
  napi_value wake, name;
  struct handle *handle = arguments(env, call, 1, &wake);
  uv_loop_t *loop;
  if (!is_running(handle)) return NULL;
  if (handle->watching) return refuse(env, napi_throw_error, NULL, "the poller was started before");
  must(napi_get_uv_event_loop(env, &loop));
  const int failure = uv_poll_init(loop, &handle->watcher, poller_descriptor(handle->poller));
  if (failure != 0)
    return refuse(env, napi_throw_error, uv_err_name(failure),
                  "libuv does not take the epoll descriptor");
  handle->watcher.data = handle;
  handle->watching = true;
  must(napi_create_reference(env, wake, 1, &handle->wake));
  must(napi_create_string_latin1(env, "headgate.turn", NAPI_AUTO_LENGTH, &name));
  must(napi_async_init(env, NULL, name, &handle->context));
  /* It fails for a closing watcher alone. */
  uv_poll_start(&handle->watcher, UV_READABLE, became_readable);
  return NULL;
}

static napi_value stop_verb(napi_env env, napi_callback_info call) {
  stop(arguments(env, call, 0, NULL));
  return NULL;
}

/* ---- Verbs of a codec ---- */

static napi_value inflate_verb(napi_env env, napi_callback_info call) {
  napi_value values[6];
  struct codec_handle *handle = arguments(env, call, 6, values);
  const uint8_t *input;
  void *output;
  int32_t length;
  size_t room;
  bool is_first, is_last;
  if (!to_bytes(env, values, &input, &length) ||
      !to_view(env, values[3], napi_uint8_array, &output, &room))
    return NULL;
  if (napi_get_value_bool(env, values[4], &is_first) != napi_ok ||
      napi_get_value_bool(env, values[5], &is_last) != napi_ok)
    return refuse(env, napi_throw_type_error, NULL, "a boolean was expected");
  return number(env, deflate_unpack(handle->codec, input, (size_t)length, output, room, is_first,
                                    is_last, handle->progress));
}

static napi_value deflate_verb(napi_env env, napi_callback_info call) {
  napi_value values[5];
  struct codec_handle *handle = arguments(env, call, 5, values);
  const uint8_t *input;
  void *output;
  int32_t length, window_bits;
  size_t room;
  if (!to_bytes(env, values, &input, &length) || !to_int32(env, values[3], &window_bits) ||
      !to_view(env, values[4], napi_uint8_array, &output, &room))
    return NULL;
  if (window_bits < DEFLATE_WINDOW_BITS_MIN || window_bits > DEFLATE_WINDOW_BITS_MAX)
    return refuse(env, napi_throw_range_error, NULL, "windowBits is not within 9 and 15");
  return number(env, deflate_pack(handle->codec, input, (size_t)length, window_bits, output, room));
}

static void codec_finalized(napi_env env, void *carried, void *hint) {
  (void)hint;
  struct codec_handle *handle = carried;
  if (--handle->owners > 0) return;
  must(napi_delete_reference(env, handle->view));
  deflate_codec_destroy(handle->codec);
  free(handle);
}

/* ---- Verbs of the addon ---- */

static const struct view {
  const char *name;
  napi_typedarray_type type;
} VIEW[VIEWS] = {
    [VIEW_ARENA] = {"arena", napi_uint8_array},
    [VIEW_GENERATIONS] = {"generations", napi_uint32_array},
    [VIEW_BATCH] = {"batch", napi_int32_array},     [VIEW_ENTRIES] = {"entries", napi_int32_array},
    [VIEW_HEADS] = {"heads", napi_int32_array},     [VIEW_SHORT] = {"short", napi_int32_array},
    [VIEW_FLUSHING] = {"flushing", napi_int32_array},
    [VIEW_UNMASKING] = {"unmasking", napi_int32_array},
};

static bool read_numbers(napi_env env, napi_value object, struct poller_options *options) {
  return number_property(env, object, "slots", 1, 1 << 20, &options->slots) &&
         number_property(env, object, "inputStart", 0, INT32_MAX, &options->input_start) &&
         number_property(env, object, "inputEnd", options->input_start, INT32_MAX,
                         &options->input_end) &&
         number_property(env, object, "eventsMax", 1, 1 << 20, &options->events_max) &&
         number_property(env, object, "acceptsMax", 1, 1 << 20, &options->accepts_max) &&
         number_property(env, object, "turnBytes", 1, INT32_MAX, &options->turn_bytes) &&
         number_property(env, object, "readBytesMin", 1, INT32_MAX, &options->read_bytes_min) &&
         number_property(env, object, "readBytesMax", options->read_bytes_min, INT32_MAX,
                         &options->read_bytes_max);
}

/* What is too small for the numbers, or NULL: C would write past its end. */
static const char *too_small(const struct poller_options *options, const size_t counts[VIEWS]) {
  const size_t slots = (size_t)options->slots;
  const size_t records = (size_t)(2 * options->events_max + options->accepts_max);
  const int32_t input = options->input_end - options->input_start;
  if (counts[VIEW_BATCH] < records * BATCH_STRIDE)
    return "batch holds less than (2 * eventsMax + acceptsMax) records";
  if (counts[VIEW_GENERATIONS] < slots || counts[VIEW_HEADS] < slots)
    return "generations and heads want an element for each slot";
  if (counts[VIEW_UNMASKING] < UNMASKING_FIELDS) return "unmasking wants five fields";
  if (counts[VIEW_SHORT] < counts[VIEW_FLUSHING] * SHORT_STRIDE)
    return "short wants a pair for each element of flushing";
  if ((size_t)options->input_end > counts[VIEW_ARENA] ||
      input / options->events_max < READ_SHARE_MIN)
    return "the arena is too small for a read of each of eventsMax sockets";
  return NULL;
}

static bool read_views(napi_env env, napi_value object, napi_value views[VIEWS],
                       struct poller_options *options, int32_t **unmasking) {
  void *memory[VIEWS];
  size_t counts[VIEWS];
  for (size_t i = 0; i < VIEWS; i++) {
    views[i] = property(env, object, VIEW[i].name);
    if (!to_view(env, views[i], VIEW[i].type, &memory[i], &counts[i])) return false;
  }
  options->arena = memory[VIEW_ARENA];
  options->arena_length = counts[VIEW_ARENA];
  options->batch = memory[VIEW_BATCH];
  options->generations = memory[VIEW_GENERATIONS];
  options->entries = memory[VIEW_ENTRIES];
  options->entries_count = counts[VIEW_ENTRIES] / ENTRY_STRIDE;
  options->heads = memory[VIEW_HEADS];
  options->flushing = memory[VIEW_FLUSHING];
  options->flushing_count = counts[VIEW_FLUSHING];
  *unmasking = memory[VIEW_UNMASKING];
  options->short_ones = memory[VIEW_SHORT];
  const char *wrong = too_small(options, counts);
  return wrong == NULL || refuse(env, napi_throw_range_error, NULL, wrong);
}

struct verb {
  const char *name;
  napi_callback call;
};

/* Each function carries `carried`, and calls `finalize` with it when nobody can call it again. */
static void add_verbs(napi_env env, napi_value object, const struct verb *verbs, size_t count,
                      void *carried, napi_finalize finalize) {
  for (size_t i = 0; i < count; i++) {
    napi_value function;
    must(napi_create_function(env, verbs[i].name, NAPI_AUTO_LENGTH, verbs[i].call, carried,
                              &function));
    must(napi_set_named_property(env, object, verbs[i].name, function));
    if (finalize != NULL) must(napi_add_finalizer(env, function, carried, finalize, NULL, NULL));
  }
}

static napi_value create_verb(napi_env env, napi_callback_info call) {
  static const struct verb VERBS[] = {
      {"adopt", adopt_verb}, {"dial", dial_verb},         {"watch", watch_verb},
      {"turn", turn_verb},   {"flush", flush_verb},       {"write", write_verb},
      {"close", close_verb}, {"shutdown", shutdown_verb}, {"peerAddress", peer_address_verb},
      {"start", start_verb}, {"unmask", unmask_verb},     {"stop", stop_verb},
  };
  napi_value given, views[VIEWS], object;
  struct poller_options options;
  int32_t *unmasking;
  arguments(env, call, 1, &given);
  if (!read_numbers(env, given, &options) ||
      !read_views(env, given, views, &options, &unmasking))
    return NULL;
  struct handle *handle = calloc(1, sizeof *handle);
  struct poller *poller = handle == NULL ? NULL : poller_create(&options);
  if (poller == NULL) {
    napi_throw_error(env, uv_err_name(-errno), "the epoll instance could not be made");
    free(handle);
    return NULL;
  }
  *handle = (struct handle){.env = env, .poller = poller, .arena = options.arena,
                            .arena_length = options.arena_length, .unmasking = unmasking};
  for (size_t i = 0; i < VIEWS; i++)
    must(napi_create_reference(env, views[i], 1, &handle->views[i]));
  must(napi_add_async_cleanup_hook(env, environment_ends, handle, &handle->cleanup));
  handle->owners = 1 + sizeof VERBS / sizeof *VERBS;
  must(napi_create_object(env, &object));
  add_verbs(env, object, VERBS, sizeof VERBS / sizeof *VERBS, handle, release_finalized);
  return object;
}

static napi_value create_codec_verb(napi_env env, napi_callback_info call) {
  static const struct verb VERBS[] = {{"inflate", inflate_verb}, {"deflate", deflate_verb}};
  napi_value view, object;
  void *progress;
  size_t count;
  arguments(env, call, 1, &view);
  if (!to_view(env, view, napi_int32_array, &progress, &count)) return NULL;
  if (count < PROGRESS_FIELDS)
    return refuse(env, napi_throw_range_error, NULL, "progress wants two fields");
  struct codec_handle *handle = calloc(1, sizeof *handle);
  if (handle == NULL || (handle->codec = deflate_codec_create()) == NULL) {
    napi_throw_error(env, uv_err_name(-errno), "the codec could not be made");
    free(handle);
    return NULL;
  }
  handle->progress = progress;
  must(napi_create_reference(env, view, 1, &handle->view));
  handle->owners = sizeof VERBS / sizeof *VERBS;
  must(napi_create_object(env, &object));
  add_verbs(env, object, VERBS, sizeof VERBS / sizeof *VERBS, handle, codec_finalized);
  return object;
}

static napi_value listen_verb(napi_env env, napi_callback_info call) {
  napi_value given;
  int32_t port, backlog, user_timeout_ms;
  char address[SOCKET_ADDRESS_MAX + 1];
  arguments(env, call, 1, &given);
  if (!number_property(env, given, "port", 0, UINT16_MAX, &port) ||
      !number_property(env, given, "backlog", 1, INT32_MAX, &backlog) ||
      !number_property(env, given, "userTimeoutMs", 0, INT32_MAX, &user_timeout_ms) ||
      !to_address(env, property(env, given, "address"), address))
    return NULL;
  return number(env, socket_listen(address, (uint16_t)port, backlog, user_timeout_ms));
}

static napi_value listen_port_verb(napi_env env, napi_callback_info call) {
  struct handle *none;
  int32_t descriptor;
  if (!numbers(env, call, 1, &descriptor, &none)) return NULL;
  return number(env, socket_port(descriptor));
}

static napi_value steer_verb(napi_env env, napi_callback_info call) {
  napi_value values[2];
  int32_t descriptor;
  void *open;
  size_t count;
  arguments(env, call, 2, values);
  if (!to_int32(env, values[0], &descriptor) ||
      !to_view(env, values[1], napi_int32_array, &open, &count))
    return NULL;
  return number(env, socket_steer(descriptor, open, count));
}

static napi_value raise_descriptor_limit_verb(napi_env env, napi_callback_info call) {
  (void)call;
  return number(env, socket_raise_descriptor_limit());
}

static napi_value trim_memory_verb(napi_env env, napi_callback_info call) {
  (void)env, (void)call;
#ifdef __GLIBC__
  /* glibc raises its own behind a large block, and what threads free stays: 12 MB in a worker. */
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 1 << 20);
  malloc_trim(0);
#endif
  return NULL;
}

NAPI_MODULE_INIT() {
  static const struct verb VERBS[] = {
      {"create", create_verb}, {"listen", listen_verb}, {"listenPort", listen_port_verb},
      {"steer", steer_verb},   {"createCodec", create_codec_verb}, {"trimMemory", trim_memory_verb},
      {"raiseDescriptorLimit", raise_descriptor_limit_verb},
  };
  if (zlibVersion()[0] != ZLIB_VERSION[0]) {
    char message[128];
    snprintf(message, sizeof message, "the addon was built for zlib %s, and this process has %s",
             ZLIB_VERSION, zlibVersion());
    return refuse(env, napi_throw_error, NULL, message);
  }
  add_verbs(env, exports, VERBS, sizeof VERBS / sizeof *VERBS, NULL, NULL);
  return exports;
}
