/* SPDX-License-Identifier: GPL-2.0-only */
/* wait.h - sleeping and waking. A thread sleeps on one or more queues; whoever wakes it takes it
 * off.
 *
 * How to sleep: under the queue's lock check the condition and wait_enqueue(); unlock;
 * wait_block(); wait_cancel() each waiter before its memory goes, whatever wait_block() said. A
 * wake-up between unlock and wait_block() is not lost: it leaves the thread's wake_flag behind (the
 * whole rule is told at the top of wait.c).
 * Locks: [l] queue->lock, rank WAIT, interrupts off. Context: sleeping, threads only; waking,
 * any. */
#pragma once

#include "kernel/list.h"
#include "mm/port.h"

struct thread;

struct wait_queue {
	struct spinlock lock;
	struct list waiters; /* [l] struct waiter, first come first */
};

struct waiter { /* on the sleeper's kernel stack */
	struct list link;         /* [l] */
	struct wait_queue *queue; /* [I] */
	struct thread *thread;    /* [I] */
	/* [l] whatever the waker looks for, or has to say (signal bits, ...) */
	uint64_t key;
	void *context;            /* [l] the same */
	bool woken;               /* [l] set by the waker */
};

void wait_queue_init(struct wait_queue *queue);

/* Put `waiter` at the queue's end, with queue and thread (the current one) filled in; the queue's
 * lock is held. */
void wait_enqueue(struct wait_queue *queue, struct waiter *waiter) TA_EXCL(queue->lock);

/* Sleep until a waker takes one of the thread's waiters off, the deadline passes, or the thread has
 * something pending (killed, call's deadline): OK, ERR_TIMED_OUT, ERR_CANCELED. Called with every
 * queue unlocked after enqueueing; a wake-up in between makes it return at once. With
 * uninterruptible set, only a wake-up ends it. */
MUST_USE err_t wait_block(uint64_t deadline, bool uninterruptible);

/* Afterwards: take the waiter off if it still is on. True if a waker had taken it. */
bool wait_cancel(struct waiter *waiter);

/* Wake the first waiter / all for which `matches` says so (NULL: any). The lock is held. */
struct waiter *wait_wake_first(struct wait_queue *queue) TA_EXCL(queue->lock);
void wait_wake(struct waiter *waiter); /* asserted instead: clang cannot see whose queue it is */

/* One-shot timers of the CPU that arms them. `expired` runs in that CPU's timer interrupt: it may
 * wake and signal, and may not free, sleep or disarm itself. An all-zero timer is a disarmed one.
 * Disarming waits for an expired() that runs on another CPU: never under a lock that expired()
 * takes. */
struct timer {
	struct list link;
	uint64_t deadline;
	uint32_t cpu;  /* whose list it is on */
	bool armed;
	void (*expired)(struct timer *timer);
};
void timer_arm(struct timer *timer, uint64_t deadline, void (*expired)(struct timer *timer));
void timer_disarm(struct timer *timer); /* after it: expired() is not running and will not */
void timer_init_cpu(void);              /* this CPU */
void timer_run(uint64_t now);           /* timer_interrupt's part: calls what has expired */
/* this CPU: set the hardware for the next timer or the end of the slice. Interrupts off */
void timer_program(void);
