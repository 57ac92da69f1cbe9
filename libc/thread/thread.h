/* SPDX-License-Identifier: BSD-2-Clause */
/* thread.h - a thread's control block: what the FS base points to. Private to libc.
 * One mapping holds, from low to high: stack | thread-local data | control block; the kernel keeps an unmapped page on
 * both sides. Thread-local data ends at the control block (x86-64 psABI, TLS variant II). */
#pragma once

#include <limits.h>
#include <pthread.h>
#include <lintel/types.h>

#include "core/lock.h"

#define THREAD_NAME_BYTES 32
#define THREAD_STACK_BYTES (256u << 10)
#define THREAD_CONTROL_BYTES 2048 /* reserved by program.ld for the first thread */
#define TLS_ALIGN 64

enum thread_kind { THREAD_FIRST = 0, THREAD_CREATED = 1, THREAD_ACTIVATION = 2 };
enum thread_fate { THREAD_JOINABLE = 0, THREAD_DETACHED = 1, THREAD_ENDED = 2, THREAD_JOINED = 3 };

struct pthread {
	struct pthread *self;  /* fs:0, by the psABI */
	void *scratch;         /* door_scratch(), or NULL until it is wanted */
	struct file *held;     /* [a] fs:0x10; posix/hold.h */
	struct file *spare;    /* memory for the next file that this thread opens, or NULL; posix/fd.c */
	struct mount *mount;   /* that was looked for last, or NULL; posix/mount.c */
	uint64_t canary;       /* fs:0x28, where a stack protector looks */
	uint32_t alive;        /* [a] 1; the kernel sets it to 0 when the stack is no longer used */
	uint32_t fate;         /* [a] enum thread_fate */
	enum thread_kind kind;
	handle_t handle;
	void *(*start)(void *);
	void *argument;
	void *result;
	void *mapping;         /* of stack and block; NULL for the first thread */
	size_t mapping_bytes;
	struct pthread *next_dead; /* under the graveyard's lock */
	struct pthread *all_next;  /* under threads_lock */
	struct pthread **all_link; /* under threads_lock */
	uint64_t cpu_mask;
	char name[THREAD_NAME_BYTES];
	uint16_t key_generation[PTHREAD_KEYS_MAX]; /* of the key when keys[i] was set */
	void *keys[PTHREAD_KEYS_MAX];
};

_Static_assert(sizeof(struct pthread) <= THREAD_CONTROL_BYTES, "program.ld reserves this much");
_Static_assert(offsetof(struct pthread, canary) == 0x28, "the compiler's stack protector looks there");
_Static_assert(offsetof(struct pthread, held) == 0x10, "posix/lease_code.S");

/* Every control block of the process, activations' too, from thread_block_init until its memory goes. */
extern struct lock threads_lock;
extern struct pthread *threads; /* [a] changed under threads_lock */

static inline struct pthread *thread_self(void)
{
	struct pthread *self;

	__asm__("movq %%fs:0, %0" : "=r"(self));
	return self;
}

/* Fill in the thread-local data below `self` and the control block's fixed members. The memory is zeroed. */
void thread_block_init(struct pthread *self, enum thread_kind kind);
void thread_block_free(struct pthread *thread); /* with the stack; not the first one's */

/* Set up the calling thread as the first one. */
void thread_first_init(handle_t handle);

void thread_keys_destroy(struct pthread *self); /* runs the destructors of its keys */
NORETURN void thread_main(struct pthread *self); /* from thread_entry.S */
void thread_entry(void);
