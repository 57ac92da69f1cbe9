/* SPDX-License-Identifier: GPL-2.0-only */
/* process.h - an address space plus a handle table, its threads, and, if it serves doors, its
 * activations.
 * Life: created -> running (first thread started) -> ending (killed or exited: threads unwind,
 * callers inside get ERR_PEER_DIED) -> ended (space and handles gone; the object stays while
 * somebody holds a handle or reference).
 * Locks: [p] process->lock (rank PROCESS)  [I] immutable after create  [a] atomic. */
#pragma once

#include "kernel/handle.h"
#include "mm/account.h"
#include "mm/space.h"

struct serving;

enum process_state { PROCESS_CREATED, PROCESS_RUNNING, PROCESS_ENDING, PROCESS_ENDED };

struct process {
	struct object object;
	struct spinlock lock;
	uint32_t pid;               /* [I] */
	uint32_t parent_pid;        /* [I] */
	char name[32];              /* [I] */
	struct account *account;    /* [I] memory ceiling, a child of the creator's; reference */
	/* [p] NULL once ended; whoever executes here may read it without the lock */
	struct space *space;
	struct handle_table handles;
	enum process_state state;   /* [p], read with acquire */
	int32_t exit_status;        /* [p] */
	struct list threads;        /* [p] struct thread.process_link: threads whose home this is */
	uint32_t thread_count;      /* [p] started and not reaped */
	bool finishing;             /* [p] the last one out has begun to free handles and space */
	bool sealed;                /* [p] ENDING, and no CPU lets anybody in any more */
	struct serving *serving;    /* [p] set once by the first door_create; see door.h */
	struct list all_link;       /* [processes_lock] */
	struct list finish_link;    /* [processes_lock] */
	uint64_t cpu_ns;            /* [a] of ended threads */
	uint64_t symbols;           /* [a] user address of its table of functions (user_symbols.h) */
	uint64_t symbols_bytes;     /* [a] 0: it has none */
	uint64_t fixup_code;        /* [a] a fault made in there goes on at the landing (fault.c) */
	uint64_t fixup_bytes;       /* [a] 0: nowhere */
	uint64_t fixup_landing;     /* [a] */
};

void process_init(void); /* once, after mm_init */
/* `creator` NULL: the first one; its account has no parent. ERR_NO_MEMORY, ERR_LIMIT. The reference
 * is the caller's. */
MUST_USE err_t process_create(struct process *creator, const char *name, uint64_t limit_pages, struct process **out);
/* begin the end; returns at once; any thread */
void process_end(struct process *process, int32_t status);
struct process *process_find(uint32_t pid);          /* with a reference, or NULL */
/* index-th living or unreaped one, with a reference, or NULL */
struct process *process_at(uint32_t index);
uint32_t process_count(void);
void process_describe(struct process *process, struct info_process *out);
uint64_t activations_busy(void); /* of all processes */
struct door_counts { /* calls to all servers, refused ones too */
	uint64_t arrived, left;
};
struct door_counts door_counts_of(uint32_t cpu);
/* A thread has left an activation (serving_cpu->left counts it): the last one out
 * of an ending process finishes its end. Its space must not be loaded on this CPU by then. */
void process_visitor_left(struct process *process);
/* thread_reap's part: the same for home threads */
void process_thread_ended(struct process *process);
/* The space of a process that may be another one: with a reference. ERR_BAD_STATE once it is
 * ending. */
MUST_USE err_t process_space_get(struct process *process, struct space **out);
uint64_t handles_count(void); /* in all tables */
static inline struct account *process_account(const struct process *process)
{
	return process->account;
}
#define PROCESS_RIGHTS (RIGHT_DUPLICATE | RIGHT_TRANSFER | RIGHT_READ | RIGHT_WAIT | RIGHT_MANAGE)
extern const struct object_class process_class;
static inline bool process_is_ending(const struct process *process)
{
	return __atomic_load_n(&process->state, __ATOMIC_ACQUIRE) >= PROCESS_ENDING;
}
