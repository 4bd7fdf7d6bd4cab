/*
 * What a turn has to do, in the words of src/reactor/binding.ts: each event that epoll delivered
 * is followed through the calls that were made for it and the records that tell of them, in step.
 */
#include "fuzz.h"
#include "model.h"

#include <errno.h>
#include <sys/epoll.h>

/* How far the calls, the records and the arena have been accounted for. */
struct cursor {
  struct model *model;
  size_t call;
  int32_t record;
  int32_t records_count;
  int32_t input_end;
  int32_t accepts_left;
  int32_t read_max;
};

static struct call next_call(struct cursor *cursor, enum call_kind kind, int descriptor) {
  REQUIRE(cursor->call < trace.calls_count);
  const struct call call = trace.calls[cursor->call++];
  REQUIRE(call.kind == kind && call.descriptor == descriptor);
  return call;
}

static const int32_t *next_record(struct cursor *cursor, int32_t slot, enum record_kind kind) {
  REQUIRE(cursor->record < cursor->records_count);
  const int32_t *fields = cursor->model->options.batch + cursor->record++ * BATCH_STRIDE;
  REQUIRE(fields[0] == slot && fields[1] == (int32_t)kind);
  return fields;
}

static void plain_record(struct cursor *cursor, int32_t slot, enum record_kind kind,
                         int32_t length) {
  const int32_t *fields = next_record(cursor, slot, kind);
  REQUIRE(fields[2] == 0 && fields[3] == length);
}

static bool has_free_slot(const struct model *model) {
  for (int32_t slot = 0; slot < model->options.slots; slot++)
    if (!model->places[slot].is_open && !model->places[slot].is_spent) return true;
  return false;
}

/* One call of accept4 and what follows from it; whether the listener is asked again. */
static bool follow_accept(struct cursor *cursor, int32_t listener) {
  struct model *model = cursor->model;
  const struct place *place = &model->places[listener];
  const int64_t result = next_call(cursor, CALL_ACCEPT, place->descriptor).result;
  if (result == -EAGAIN) return false;
  if (result < 0 && is_failure_of_client((int)-result)) {
    cursor->accepts_left--;
    return true;
  }
  if (result < 0) {
    plain_record(cursor, listener, RECORD_ACCEPT_FAILED, (int32_t)-result);
    return false;
  }
  const int64_t added = next_call(cursor, CALL_ADD, (int)result).result;
  if (added < 0) {
    next_call(cursor, CALL_CLOSE, (int)result);
    plain_record(cursor, listener, RECORD_ACCEPT_FAILED, (int32_t)-added);
    return false;
  }
  REQUIRE(cursor->record < cursor->records_count);
  const int32_t slot = model->options.batch[cursor->record * BATCH_STRIDE];
  const int32_t *fields = next_record(cursor, slot, RECORD_ACCEPTED);
  REQUIRE(fields[2] == listener && fields[3] == 0);
  struct file *file = file_of((int)result);
  REQUIRE(file != NULL && file->listener == place->file->serial);
  oracle_opened(model, slot, file, false);
  cursor->accepts_left--;
  return true;
}

static void follow_listener(struct cursor *cursor, int32_t listener) {
  if ((cursor->model->places[listener].interest & INTEREST_READ) == 0) return;
  if (!has_free_slot(cursor->model))
    plain_record(cursor, listener, RECORD_ACCEPT_FAILED, ENOBUFS);
  while (cursor->accepts_left > 0 && has_free_slot(cursor->model))
    if (!follow_accept(cursor, listener)) return;
}

static void follow_bytes(struct cursor *cursor, int32_t slot, int32_t length) {
  struct model *model = cursor->model;
  struct place *place = &model->places[slot];
  const int32_t *fields = next_record(cursor, slot, RECORD_BYTES);
  const int32_t offset = fields[2];
  REQUIRE(fields[3] == length && length <= cursor->read_max);
  REQUIRE(offset % READ_ALIGNMENT == 0 && offset - READ_HEADROOM >= cursor->input_end);
  REQUIRE(offset + length <= model->options.input_end);
  for (int32_t i = 0; i < length; i++)
    REQUIRE(model->options.arena[offset + i] == byte_from_client(place->file, place->received++));
  cursor->input_end = offset + length;
}

static void follow_read(struct cursor *cursor, int32_t slot, bool is_more) {
  const struct place *place = &cursor->model->places[slot];
  struct call call;
  do {
    call = next_call(cursor, CALL_RECV, place->descriptor);
    REQUIRE((int64_t)call.length == cursor->read_max);
  } while (call.result == -EINTR);
  if (call.result > 0) {
    follow_bytes(cursor, slot, (int32_t)call.result);
    if ((is_more || call.result == cursor->read_max) && place->interest == INTEREST_READ)
      next_call(cursor, CALL_CHANGE, place->descriptor);
  } else if (call.result == 0) {
    plain_record(cursor, slot, RECORD_END, 0);
  } else if (call.result != -EAGAIN) {
    plain_record(cursor, slot, RECORD_FAILED, (int32_t)-call.result);
  }
}

static void follow_hang_up(struct cursor *cursor, int32_t slot) {
  struct place *place = &cursor->model->places[slot];
  if (place->is_hung_up) return;
  place->is_hung_up = true;
  if (place->interest != 0) next_call(cursor, CALL_CHANGE, place->descriptor);
  plain_record(cursor, slot, RECORD_HANGUP, 0);
}

static void follow_event(struct cursor *cursor, const struct delivered *event) {
  const uint32_t slot = (uint32_t)event->id;
  const bool is_broken = (event->events & (EPOLLERR | EPOLLHUP)) != 0;
  REQUIRE(slot < (uint32_t)cursor->model->options.slots);
  const struct place *place = &cursor->model->places[slot];
  if (!place->is_open || place->generation != event->id >> 32) return;
  if (place->is_listening) {
    follow_listener(cursor, (int32_t)slot);
    return;
  }
  if ((event->events & EPOLLOUT) != 0) plain_record(cursor, (int32_t)slot, RECORD_WRITABLE, 0);
  if ((place->interest & INTEREST_READ) == 0) {
    if (is_broken) follow_hang_up(cursor, (int32_t)slot);
  } else if (is_broken || (event->events & EPOLLIN) != 0) {
    follow_read(cursor, (int32_t)slot, event->events != EPOLLIN);
  }
}

static int32_t expected_read_max(const struct poller_options *options) {
  const int32_t ready = trace.events_count;
  if (ready == 0) return 0;
  const int32_t share = (options->input_end - options->input_start) / ready - READ_OVERHEAD;
  int32_t bytes = options->turn_bytes / ready;
  if (bytes < options->read_bytes_min) bytes = options->read_bytes_min;
  if (bytes > options->read_bytes_max) bytes = options->read_bytes_max;
  return bytes < share ? bytes : share;
}

int32_t oracle_turn(struct model *model, int32_t events_max) {
  const struct poller_options *options = &model->options;
  trace_begin();
  const int32_t count = poller_turn(model->poller, events_max);
  struct cursor cursor = {.model = model,
                          .records_count = count,
                          .input_end = options->input_start,
                          .accepts_left = options->accepts_max,
                          .read_max = expected_read_max(options)};
  REQUIRE(trace.events_count <= events_max);
  REQUIRE(count >= 0 && count <= 2 * events_max + options->accepts_max);
  for (int32_t slot = 0; slot < options->slots; slot++) model->places[slot].is_spent = false;
  for (int i = 0; i < trace.events_count; i++) follow_event(&cursor, &trace.events[i]);
  REQUIRE(cursor.record == count && cursor.call == trace.calls_count);
  oracle_check(model);
  return count;
}
