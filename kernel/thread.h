/* SPDX-License-Identifier: GPL-2.0-only */
/* thread.h - what is scheduled. A thread has a home process; in a door call it is inside another
 * one ("here") and keeps its identity, priority and time slice.
 * Locks: [s] the run queue lock of its CPU  [I] immutable after start  [o] only the thread itself
 * [a] atomic. */
#pragma once

#include "kernel/arch.h"
#include "kernel/cpu.h"
#include "kernel/process.h"

struct activation;

enum thread_state { THREAD_NEW, THREAD_READY, THREAD_RUNNING, THREAD_BLOCKED, THREAD_ENDED };

enum thread_pending {
	PENDING_KILL = 1u << 0,      /* its home process is ending, or it was told to end */
	PENDING_DEADLINE = 1u << 1,  /* the deadline of a door call that it is in has passed */
	PENDING_PEER_DIED = 1u << 2, /* a process that it is visiting is ending */
	PENDING_MIGRATE = 1u << 3,   /* its affinity excludes this CPU */
};

#define PRIORITY_DEFAULT 16
#define PRIORITIES 32
#define TIME_SLICE_NS 10000000ull

struct thread {
	struct object object;
	struct arch_context context; /* [s] valid while not running */
	void *kstack_top;            /* [I] */
	uint32_t tid;                /* [I] */
	char name[32];               /* [I] */

	struct process *home;        /* [I] reference */
	struct activation *activation; /* [o] innermost door call that it is in, or NULL */
	uint32_t depth;              /* [o] number of activations it is in */
	struct list process_link;    /* [p] home->threads */

	enum thread_state state;     /* [a] who moves it along which edge: top of sched.c */
	bool on_cpu;                 /* [a] its registers are in a CPU: nobody else may run it yet */
	/* [a] written under that queue's lock: the CPU in whose run queue it is, plus 1; 0: none */
	uint32_t queue;
	uint32_t queue_priority;     /* [s] and in which of its lists */
	uint32_t priority;           /* [a] */
	uint32_t cpu;                /* [a] where it runs, last ran or is queued */
	uint64_t affinity;           /* [a] */
	struct list run_link;        /* [s] */
	uint64_t slice_left_ns;      /* [s] */
	uint64_t cpu_ns;             /* [o] */
	uint64_t started_ns;         /* [o] when it was switched in */
	uint64_t switches;           /* [o] how often */

	uint32_t pending;            /* [a] enum thread_pending */
	bool wake_flag;              /* [a] a waker or timer has come (wait.c) */
	bool sleep_expired;          /* [a] its sleep_timer has come */
	struct timer sleep_timer;

	bool finishes;               /* [o] it is ending processes (process.c) */
	struct pager_request pager_request; /* [o] filled by space_fault on ERR_AGAIN */
	uint64_t fault_address;      /* [o] */
};

/* Where it executes: home, or the server of the innermost door call that it is in, whose activation keeps it alive.
 * NULL: an idle thread. For the thread itself, or with interrupts off on the CPU that it is pinned to. */
struct process *thread_here(const struct thread *thread);
static inline uint32_t pid_here(const struct thread *thread)
{
	const struct process *here = thread_here(thread);

	return here != NULL ? here->pid : 0;
}
/* Whose handles, space and accounts the current thread acts on. */
static inline struct process *process_here(void)
{
	return thread_here(thread_current());
}

void thread_init(void); /* once, after mm_init */
/* A thread that has not started; the reference is the caller's. Charged to its home. ERR_BAD_STATE:
 * home is ending. */
MUST_USE err_t thread_create(struct process *home, const char *name, struct thread **out);
/* ERR_BAD_STATE: it was started, or its home is ending. While it runs it holds a reference on
 * itself. */
MUST_USE err_t thread_start(struct thread *thread, uint64_t entry, uint64_t stack, uint64_t tls, uint64_t argument);
/* The same, if its home is in that state: PROCESS_CREATED for the first thread, PROCESS_RUNNING for
 * the others. */
MUST_USE err_t thread_start_in(struct thread *thread, enum process_state wanted, uint64_t entry, uint64_t stack,
			       uint64_t tls, uint64_t argument);
/* Carry the current thread's user context on in `thread`, which was created in the process that is
 * executing: frame, FS base, FPU state, priority; on this CPU. Its activation, here and depth are
 * the caller's to fill before. Cannot fail: the process may be ending, but it has a visitor, so it
 * has not ended. */
void thread_start_as(struct thread *thread, const struct trap_frame *frame, uint64_t fs_base);
/* the current one; its frames and activations have been left */
NORETURN void thread_exit(void);
/* set bits, end an interruptible sleep, nudge its CPU */
void thread_pend(struct thread *thread, uint32_t pending);
MUST_USE err_t thread_set_affinity(struct thread *thread, uint64_t mask);
void thread_set_priority(struct thread *thread, uint32_t priority);
/* for sched_init_cpu: no home, no stack of its own */
struct thread *thread_create_idle(uint32_t cpu);
uint32_t thread_count(void);           /* created and not freed, idle threads aside */
/* What ends a sleep: a passed deadline or dead server of a call it is in; being killed, unless it
 * is in a call, which then goes on until the server returns. */
static inline bool thread_must_unwind(const struct thread *thread)
{
	uint32_t pending = __atomic_load_n(&thread->pending, __ATOMIC_SEQ_CST);

	return (pending & (PENDING_DEADLINE | PENDING_PEER_DIED)) ||
	       ((pending & PENDING_KILL) && thread->activation == NULL);
}
/* user_return_work's part for RETURN_THREAD. Interrupts off */
void thread_return_work(struct trap_frame *frame);
/* sched_reap's part: the stack and the thread's own reference */
void thread_reap(struct thread *thread);
#define THREAD_RIGHTS (RIGHT_DUPLICATE | RIGHT_TRANSFER | RIGHT_READ | RIGHT_WAIT | RIGHT_MANAGE)
extern const struct object_class thread_class;
