/*
 * The whole turn loop (poller.c) on a simulated kernel: the fuzzer's bytes are a script of what
 * clients, the machine and the caller do. In the end everything falls silent, and then everything
 * that clients sent has been read.
 */
#include "fuzz.h"
#include "model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct model model;

static void *memory(size_t count, size_t size) {
  void *block = calloc(count, size);
  REQUIRE(block != NULL);
  return block;
}

/* Blocks of exactly the size that is promised, so that the sanitizer sees one byte too many. */
static void allocate(struct poller_options *options) {
  const size_t slots = (size_t)options->slots;
  const size_t records = (size_t)(2 * options->events_max + options->accepts_max);
  options->arena_length = (size_t)options->input_end + OUTPUT_BYTES;
  options->arena = memory(options->arena_length, 1);
  options->batch = memory(records * BATCH_STRIDE, sizeof(int32_t));
  options->generations = memory(slots, sizeof(uint32_t));
  options->entries_count = ENTRIES_MAX;
  options->entries = memory(ENTRIES_MAX * ENTRY_STRIDE, sizeof(int32_t));
  options->heads = memory(slots, sizeof(int32_t));
  memset(options->heads, 0xff, slots * sizeof(int32_t));
  options->flushing = memory(slots, sizeof(int32_t));
  options->flushing_count = slots;
  options->short_ones = memory(slots * SHORT_STRIDE, sizeof(int32_t));
}

static void release(struct poller_options *options) {
  free(options->arena);
  free(options->batch);
  free(options->generations);
  free(options->entries);
  free(options->heads);
  free(options->flushing);
  free(options->short_ones);
}

/* Small numbers, so that every bound is met. */
static void choose_options(struct poller_options *options) {
  *options = (struct poller_options){
      .slots = 1 + (int32_t)script_below(SLOTS_MAX),
      .input_start = (int32_t)script_below(40),
      .events_max = 1 + (int32_t)script_below(EVENTS_MAX),
      .accepts_max = 1 + (int32_t)script_below(5),
      .turn_bytes = 1 + (int32_t)script_below(600),
      .read_bytes_min = 8 + (int32_t)script_below(80),
  };
  options->read_bytes_max = options->read_bytes_min + (int32_t)script_below(200);
  options->input_end = options->input_start + options->events_max * READ_SHARE_MIN +
                       (int32_t)script_below(300);
}

/* A generation that overflows within a few uses is like any other. */
static void begin_generations(void) {
  if (!script_chance(4)) return;
  for (int32_t slot = 0; slot < model.options.slots; slot++)
    model.options.generations[slot] = model.places[slot].generation = UINT32_MAX - 1;
}

static int32_t pick_open(bool also_listening) {
  const uint32_t slots = (uint32_t)model.options.slots, first = script_below(slots);
  for (uint32_t i = 0; i < slots; i++) {
    const uint32_t slot = (first + i) % slots;
    const struct place *place = &model.places[slot];
    if (place->is_open && (also_listening || !place->is_listening)) return (int32_t)slot;
  }
  return -1;
}

/* Appends an entry to the chain of a slot, with the bytes that its client is to get next. */
static void owe(int32_t slot, int32_t length) {
  struct poller_options *options = &model.options;
  struct place *place = &model.places[slot];
  if (model.entries_used == ENTRIES_MAX || model.output_used + length >= OUTPUT_BYTES) return;
  const int32_t entry = model.entries_used++, offset = options->input_end + model.output_used;
  for (int32_t i = 0; i < length; i++)
    options->arena[offset + i] = byte_to_client(place->file, place->sent + place->owed++);
  /* Some stand side by side, and leave as one. */
  model.output_used += length + (length & 1);
  int32_t *fields = options->entries + entry * ENTRY_STRIDE;
  fields[0] = offset;
  fields[1] = length;
  fields[2] = -1;
  if (place->last_entry < 0) options->heads[slot] = entry;
  else options->entries[place->last_entry * ENTRY_STRIDE + 2] = entry;
  place->last_entry = entry;
}

/* Any slots in any order, each once; those that are owed something are never left out. */
static void flush_slots(void) {
  const int32_t slots = model.options.slots, first = (int32_t)script_below((uint32_t)slots);
  const bool all = script_chance(3);
  int32_t chosen[SLOTS_MAX];
  size_t count = 0;
  for (int32_t i = 0; i < slots; i++) {
    const int32_t slot = (first + i) % slots;
    if (all || model.options.heads[slot] >= 0) chosen[count++] = slot;
  }
  oracle_flush(&model, chosen, count);
  /* What is left over goes into the caller's queues. */
  for (int32_t slot = 0; slot < slots; slot++) {
    model.options.heads[slot] = model.places[slot].last_entry = -1;
    model.places[slot].owed = 0;
  }
  model.entries_used = model.output_used = 0;
}

/* A FIN, behind what the slot is owed where it is owed something. */
static void finish(int32_t slot) {
  const int32_t last = model.places[slot].last_entry;
  if (last < 0) oracle_shutdown(&model, slot);
  else model.options.entries[last * ENTRY_STRIDE + 2] = CHAIN_FIN;
}

static void write_slot(int32_t slot) {
  const struct place *place = &model.places[slot];
  const uint32_t length = script_below(64);
  uint8_t *bytes = memory(length + 1, 1);
  if (place->owed == 0 && model.options.heads[slot] < 0) {
    for (uint32_t i = 0; i < length; i++)
      bytes[i] = byte_to_client(place->file, place->sent + i);
    oracle_write(&model, slot, bytes, length);
  }
  free(bytes);
}

enum { WATCH, CLOSE, OWE, OWE_MANY, FLUSH, WRITE, SHUTDOWN, ADOPT, CALLERS };

static void adopt_file(void) {
  static const enum file_kind KINDS[] = {FILE_LISTENER, FILE_LISTENER, FILE_SOCKET, FILE_PIPE};
  struct file *file = file_open(KINDS[script_below(4)]);
  if (file == NULL) return;
  oracle_adopt(&model, file);
  if (file->is_watched) {
    file->is_held = true;
    return;
  }
  file->descriptor = -1;
  file->kind = FILE_NONE;
}

static void act_as_caller(uint32_t what) {
  const int32_t slot = pick_open(what == CLOSE || what == WATCH);
  if (what == FLUSH) flush_slots();
  if (what == ADOPT) adopt_file();
  if (slot < 0) return;
  if (what == WATCH) {
    const bool is_listening = model.places[slot].is_listening;
    oracle_watch(&model, slot, script_below(is_listening ? 2 : 4));
  }
  if (what == CLOSE) oracle_close(&model, slot, script_chance(3));
  if (what == OWE) owe(slot, (int32_t)script_below(80));
  if (what == OWE_MANY)
    for (uint32_t left = script_below(600); left > 0; left--) owe(slot, 1);
  if (what == WRITE) write_slot(slot);
  if (what == SHUTDOWN) finish(slot);
}

/* Of one socket; more would only take more turns. */
enum { UNREAD_MAX = 400 };

enum { CONNECT, SEND, FINISH, RESET, HANG_UP, RELEASE, CLIENTS };

static void act_as_client(uint32_t what) {
  struct file *listener = file_pick(FILE_LISTENER, script_byte());
  struct file *file = file_pick(FILE_SOCKET, script_byte());
  if (what == CONNECT && listener != NULL) listener->waiting += 1 + script_below(4);
  if (file == NULL) return;
  const bool has_room = file->arrived - file->received < UNREAD_MAX;
  if (what == SEND && !file->is_ended && has_room) file->arrived += 1 + script_below(400);
  if (what == FINISH) file->is_ended = true;
  if (what == RESET) file->failure = script_chance(3) ? ETIMEDOUT : ECONNRESET;
  if (what == HANG_UP) file->is_ended = file->is_hung_up = true;
  if (what == SEND || what == FINISH || what == RESET || what == HANG_UP) file_stir(file);
  if (what == RELEASE) {
    /* The other process closes its copy, and takes the file out of epoll if it was the last. */
    file->is_held = false;
    if (file->descriptor < 0) file->kind = FILE_NONE;
  }
}

static void act(void) {
  const uint32_t what = script_below(CALLERS + CLIENTS + 6);
  if (what < CALLERS) act_as_caller(what);
  else if (what < CALLERS + CLIENTS) act_as_client(what - CALLERS);
  else oracle_turn(&model, 1 + (int32_t)script_below((uint32_t)model.options.events_max));
}

/* No other process holds what was closed here; from the last one, since the others move up. */
static void release_closed_files(void) {
  for (uint32_t n = FILES_MAX; n-- > 0;) {
    struct file *file = file_pick(FILE_SOCKET, n);
    if (file != NULL && file->descriptor < 0) file->kind = FILE_NONE;
  }
}

/* With nothing wanted each hang-up is told once and no more: nothing wakes the loop for ever. */
static void check_silence(void) {
  enum { TURNS_MAX = 3 * SLOTS_MAX + FILES_MAX + 2 };
  for (int32_t slot = 0; slot < model.options.slots; slot++)
    if (model.places[slot].is_open) oracle_watch(&model, slot, 0);
  release_closed_files();
  for (int i = 0; i < TURNS_MAX; i++) {
    oracle_turn(&model, model.options.events_max);
    if (trace.events_count == 0) return;
  }
  REQUIRE(trace.events_count == 0);
}

/* Watched again, every socket gives what it still holds, and says what became of it. */
static void check_all_is_read(void) {
  for (int32_t slot = 0; slot < model.options.slots; slot++)
    if (model.places[slot].is_open && !model.places[slot].is_listening)
      oracle_watch(&model, slot, INTEREST_READ);
  const int32_t events_max = model.options.events_max;
  for (int32_t count; (count = oracle_turn(&model, events_max)) > 0; release_closed_files())
    for (int32_t i = 0; i < count; i++) {
      const int32_t *fields = model.options.batch + i * BATCH_STRIDE;
      const bool is_over = fields[1] == RECORD_END || fields[1] == RECORD_FAILED;
      if (is_over && model.places[fields[0]].is_open) oracle_close(&model, fields[0], false);
    }
  for (int32_t slot = 0; slot < model.options.slots; slot++) {
    const struct place *place = &model.places[slot];
    if (place->is_open && !place->is_listening) REQUIRE(place->received == place->file->arrived);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
  script_begin(bytes, length);
  memset(&model, 0, sizeof model);
  choose_options(&model.options);
  simulation_begin();
  allocate(&model.options);
  if (script_chance(16)) simulation_fail_memory(1 + script_below(5));
  model.poller = poller_create(&model.options);
  if (model.poller != NULL) {
    simulation_fail_memory(0);
    REQUIRE(file_of(poller_descriptor(model.poller))->kind == FILE_EPOLL);
    for (int32_t slot = 0; slot < SLOTS_MAX; slot++) model.places[slot].last_entry = -1;
    begin_generations();
    oracle_adopt(&model, file_open(FILE_LISTENER));
    struct file *first = file_pick(FILE_LISTENER, 0);
    first->is_held = true;
    if (!first->is_watched) first->descriptor = -1;
    while (!script_is_over()) act();
    check_silence();
    check_all_is_read();
    poller_destroy(model.poller);
  } else {
    REQUIRE(errno == ENOMEM || errno == EMFILE);
  }
  REQUIRE(simulation_end() == 0);
  release(&model.options);
  return 0;
}
