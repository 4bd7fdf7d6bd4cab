/*
 * The seam between the tested files and the kernel (ld --wrap): tests script what the next calls
 * of a system call do. Without a script every call goes through.
 */
#ifndef HEADGATE_TEST_KERNEL_H
#define HEADGATE_TEST_KERNEL_H

#include <stddef.h>
#include <stdint.h>

enum { SCRIPT_MAX = 8 };

/* One step is one call: > 0 takes so many bytes at the most, < 0 fails with -errno, 0 is real. */
struct script {
  int64_t steps[SCRIPT_MAX];
  size_t next, count;
  int calls; /* made since kernel_reset */
};

extern struct script kernel_send; /* send and sendmsg */
extern size_t kernel_send_vectors; /* of the last of them */
extern struct script kernel_recv;
extern struct script kernel_accept;
extern struct script kernel_epoll_ctl;
extern struct script kernel_epoll_wait;

/* The next epoll_wait reports this event of ours as its last one. */
void kernel_forge_event(uint64_t id, uint32_t events);

void kernel_reset(void);
void kernel_script(struct script *script, int64_t step);

#endif
