/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz.h - random system calls. */
#pragma once

#include <lintel/types.h>

/* One call with every register given; rax, rdx and r13 as they come back. calls.S */
struct registers {
	uint64_t rax, rdi, rsi, rdx, r10, r8, r9, r12, r13, r14, r15, rbx, rbp;
};
void fuzz_call(struct registers *registers);
void fuzz_server(void); /* a door's entry: touches the windows, sends words and handles back; as a pager it refuses */
void fuzz_thread(void); /* a thread: makes the system call that its argument names, to end */

/* ---- choices ---- */
struct worker {
	uint64_t state;
	uint64_t calls;
	uint64_t *progress; /* shared with the parent, [0] calls made */
};
uint64_t next_random(uint64_t *state);
uint64_t below(struct worker *worker, uint64_t limit);
uint64_t any_handle(struct worker *worker);
uint64_t any_number(struct worker *worker);
uint64_t any_address(struct worker *worker);
uint64_t any_argument(struct worker *worker, uint8_t kind);

#define ARENA_BYTES (64u * 1024)
extern uint8_t arena[ARENA_BYTES]; /* what calls may read and write */
#define POOL 48
/* The first places of the pool are the child's mainstay: they stay as they are. */
enum { OWN_PROCESS, OWN_EVENT, OWN_VMO, OWN_DOOR, OTHER_DOOR, OWN_PORT, OWN_PORT_2, OWN_IRQ, OWN_MMIO, OWN_SYSTEM,
       MAINSTAY };
extern handle_t pool[POOL]; /* handles to draw from; both threads use it, races and all */
extern const uint32_t resource_kinds[MAINSTAY];

MUST_USE err_t fuzz_door(const char *name, handle_t *out); /* such a door of this process, with activations */

void steer(struct worker *worker, struct registers *call); /* plausible arguments, most of the time */

/* ---- the two sides ---- */
int child_run(uint64_t seed, uint64_t calls);
