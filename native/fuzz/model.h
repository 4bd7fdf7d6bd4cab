/*
 * What the poller's caller knows: its slots, what it wants of them, what it owes them. The oracle
 * holds each call of the poller against that and against the trace of what the kernel did.
 */
#ifndef HEADGATE_FUZZ_MODEL_H
#define HEADGATE_FUZZ_MODEL_H

#include "../poller.h"
#include "simulation.h"

enum { SLOTS_MAX = 12, ENTRIES_MAX = 1024, OUTPUT_BYTES = 16384 };

struct place {
  bool is_open, is_listening;
  bool is_spent;     /* closed since the last turn began: nobody's until the next one begins */
  bool is_hung_up;   /* told, and silent until it is watched for READ */
  unsigned interest;
  uint32_t generation;
  struct file *file;
  int descriptor;
  uint64_t received, sent; /* positions in the streams, as far as the poller told */
  int32_t last_entry;      /* of the chain; -1 for none */
  uint64_t owed;
};

struct model {
  struct poller_options options;
  struct poller *poller;
  struct place places[SLOTS_MAX];
  int32_t entries_used, output_used;
};

/* Before and behind every call: all slots are what the model says, in epoll too. */
void oracle_check(const struct model *model);
/* A slot was filled by adopting or accepting. */
void oracle_opened(struct model *model, int32_t slot, struct file *file, bool is_listening);
/* Runs a turn and checks all that it did; the number of records. */
int32_t oracle_turn(struct model *model, int32_t events_max);
/* Flushes these slots, or all of the model's slots that are owed something among them. */
void oracle_flush(struct model *model, const int32_t *slots, size_t count);
void oracle_write(struct model *model, int32_t slot, const uint8_t *bytes, size_t length);
void oracle_watch(struct model *model, int32_t slot, unsigned interest);
void oracle_close(struct model *model, int32_t slot, bool reset);
void oracle_adopt(struct model *model, struct file *file);
void oracle_shutdown(struct model *model, int32_t slot);

#endif
