/*
 * What the verbs between two turns have to do, and what holds for every slot at any time.
 */
#include "fuzz.h"
#include "model.h"

#include <errno.h>
#include <sys/epoll.h>

/* One sendmsg takes no more vectors. */
enum { VECTORS_MAX = 256 };

static uint32_t expected_events(const struct place *place) {
  if (place->is_hung_up) return EPOLLONESHOT;
  if (place->interest == INTEREST_READ && !place->is_listening)
    return EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET;
  if (place->interest == INTEREST_READ) return EPOLLIN | EPOLLPRI | EPOLLRDHUP;
  const uint32_t events = ((place->interest & INTEREST_READ) != 0 ? EPOLLIN : 0u) |
                          ((place->interest & INTEREST_WRITE) != 0 ? EPOLLOUT : 0u);
  return events == 0 ? EPOLLONESHOT : events;
}

static void check_place(const struct model *model, int32_t slot) {
  const struct place *place = &model->places[slot];
  REQUIRE(model->options.generations[slot] == place->generation);
  REQUIRE(poller_socket(model->poller, slot) == (place->is_open ? place->descriptor : -1));
  if (!place->is_open) return;
  REQUIRE(file_of(place->descriptor) == place->file && place->file->is_watched);
  REQUIRE(place->file->wanted == expected_events(place));
  /* What may be read and waits will be told, unless the socket's failure was told already. */
  const bool waits = place->file->arrived > place->file->received && !place->file->is_hung_up;
  if (place->interest == INTEREST_READ && waits) REQUIRE(!place->file->is_disarmed);
  REQUIRE(place->file->id == ((uint64_t)place->generation << 32 | (uint32_t)slot));
  REQUIRE(place->received == place->file->received && place->sent == place->file->sent);
  for (int32_t other = 0; other < slot; other++)
    REQUIRE(!model->places[other].is_open || model->places[other].file != place->file);
}

void oracle_check(const struct model *model) {
  REQUIRE(poller_socket(model->poller, -1) == -1);
  REQUIRE(poller_socket(model->poller, model->options.slots) == -1);
  for (int32_t slot = 0; slot < model->options.slots; slot++) check_place(model, slot);
}

void oracle_opened(struct model *model, int32_t slot, struct file *file, bool is_listening) {
  REQUIRE(slot >= 0 && slot < model->options.slots);
  struct place *place = &model->places[slot];
  REQUIRE(!place->is_open && !place->is_spent);
  *place = (struct place){.is_open = true,
                          .is_listening = is_listening,
                          .interest = INTEREST_READ,
                          .generation = place->generation,
                          .file = file,
                          .descriptor = file->descriptor,
                          .last_entry = -1};
}

void oracle_adopt(struct model *model, struct file *file) {
  const bool was_watched = file->is_watched;
  trace_begin();
  const int32_t slot = poller_adopt(model->poller, file->descriptor);
  if (slot < 0) {
    REQUIRE(file->descriptor >= 0 && file->is_watched == was_watched);
    if (file->kind == FILE_PIPE) REQUIRE(slot == -ENOTSOCK);
    if (file->kind == FILE_SOCKET) REQUIRE(slot == -EINVAL);
  } else {
    REQUIRE(file->kind == FILE_LISTENER && file->is_nonblocking && file->is_closed_on_exec);
    oracle_opened(model, slot, file, true);
  }
  oracle_check(model);
}

void oracle_watch(struct model *model, int32_t slot, unsigned interest) {
  struct place *place = &model->places[slot];
  trace_begin();
  poller_watch(model->poller, slot, interest);
  const bool is_silent = place->is_hung_up && (interest & INTEREST_READ) == 0;
  const bool changes = place->interest != interest && !is_silent;
  REQUIRE(trace.calls_count == (changes ? 1 : 0));
  place->interest = interest;
  if (!is_silent) place->is_hung_up = false;
  oracle_check(model);
}

static void follow_shutdown(struct model *model, size_t *call, int32_t slot) {
  REQUIRE(*call < trace.calls_count);
  const struct call made = trace.calls[(*call)++];
  REQUIRE(made.kind == CALL_SHUTDOWN && made.descriptor == model->places[slot].descriptor);
}

void oracle_shutdown(struct model *model, int32_t slot) {
  size_t call = 0;
  trace_begin();
  poller_shutdown(model->poller, slot);
  follow_shutdown(model, &call, slot);
  REQUIRE(call == trace.calls_count);
  oracle_check(model);
}

void oracle_close(struct model *model, int32_t slot, bool reset) {
  struct place *place = &model->places[slot];
  trace_begin();
  poller_close(model->poller, slot, reset);
  REQUIRE(trace.calls_count == 1u + reset + place->is_listening);
  REQUIRE(trace.calls[trace.calls_count - 1].kind == CALL_CLOSE);
  REQUIRE(trace.calls[trace.calls_count - 1].descriptor == place->descriptor);
  REQUIRE(place->file->resets == reset);
  /* Its parent's copy keeps a listening socket in epoll, which would report it for ever. */
  if (place->is_listening) REQUIRE(!place->file->is_watched);
  /* What it was owed is forgotten by the caller. */
  model->options.heads[slot] = -1;
  *place = (struct place){.generation = place->generation + 1, .is_spent = true, .last_entry = -1};
  oracle_check(model);
}

/*
 * The result of the calls of send from `*call` on, which are repeated after a signal; whether what
 * they send waits for a FIN.
 */
static int64_t follow_send(size_t *call, int descriptor, size_t length, bool waits) {
  for (;;) {
    REQUIRE(*call < trace.calls_count);
    const struct call made = trace.calls[(*call)++];
    REQUIRE(made.kind == (waits ? CALL_SEND_MORE : CALL_SEND));
    REQUIRE(made.descriptor == descriptor && made.length == length);
    if (made.result != -EINTR) return made.result;
  }
}

void oracle_write(struct model *model, int32_t slot, const uint8_t *bytes, size_t length) {
  struct place *place = &model->places[slot];
  size_t call = 0;
  trace_begin();
  const int32_t written = poller_write(model->poller, slot, bytes, length);
  const int64_t result = follow_send(&call, place->descriptor, length, false);
  REQUIRE(call == trace.calls_count);
  REQUIRE(written == (result == -EAGAIN ? 0 : result));
  if (written > 0) place->sent += (uint64_t)written;
  oracle_check(model);
}

/* What the calls for one chain come to: the bytes sent, or -errno; `*end` as poller.c has it. */
static int64_t follow_chain(const struct model *model, size_t *call, int descriptor,
                            int32_t entry, int32_t *end) {
  int64_t total = 0;
  *end = entry;
  while (entry >= 0) {
    size_t length = 0;
    for (int count = 0, end = -1; entry >= 0 && count < VECTORS_MAX;) {
      const int32_t *fields = model->options.entries + entry * ENTRY_STRIDE;
      if (fields[0] != end) count++;
      end = fields[0] + fields[1];
      length += (size_t)fields[1];
      entry = fields[2];
    }
    const int64_t sent = follow_send(call, descriptor, length, entry == CHAIN_FIN);
    if (sent < 0) return total > 0 || sent == -EAGAIN ? total : sent;
    total += sent;
    if ((size_t)sent < length) return total;
  }
  *end = entry;
  return total;
}

void oracle_flush(struct model *model, const int32_t *slots, size_t count) {
  const struct poller_options *options = &model->options;
  int32_t heads[SLOTS_MAX];
  size_t call = 0, pairs = 0;
  for (int32_t slot = 0; slot < options->slots; slot++) heads[slot] = options->heads[slot];
  for (size_t i = 0; i < count; i++) options->flushing[i] = slots[i];
  trace_begin();
  const int32_t told = poller_flush(model->poller, count);
  for (size_t i = 0; i < count; i++) {
    const int32_t slot = slots[i];
    struct place *place = &model->places[slot];
    int32_t end = CHAIN_END;
    int64_t sent = 0;
    if (place->is_open) sent = follow_chain(model, &call, place->descriptor, heads[slot], &end);
    if (end == CHAIN_FIN) follow_shutdown(model, &call, slot);
    if (end < 0) REQUIRE(sent == (int64_t)place->owed && options->heads[slot] == -1);
    if (sent > 0) place->sent += (uint64_t)sent;
    if (end < 0) continue;
    REQUIRE((int32_t)pairs < told);
    REQUIRE(options->short_ones[pairs * SHORT_STRIDE] == slot);
    REQUIRE(options->short_ones[pairs * SHORT_STRIDE + 1] == sent);
    REQUIRE(options->heads[slot] == heads[slot]);
    pairs++;
  }
  REQUIRE(told == (int32_t)pairs && call == trace.calls_count);
  oracle_check(model);
}
