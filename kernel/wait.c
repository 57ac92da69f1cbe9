/* SPDX-License-Identifier: GPL-2.0-only */
/* wait.c - sleeping and waking.
 *
 * The rule against lost wake-ups. A sleep has four reasons to end, each a word that is set before sched_ready() is
 * tried: wake_flag (a waker), sleep_expired (the timer), pending (thread_must_unwind). The sleeper stores state =
 * BLOCKED and only then reads the four; whoever ends the sleep writes its word and only then reads the state. Both
 * orders are sequentially consistent, so one of the two sees the other: either the sleeper finds its reason and does
 * not go, or the waker finds it BLOCKED and makes it READY. If both see, the waker's compare-and-swap decides: the
 * sleeper takes itself back (BLOCKED -> RUNNING) or finds that it is READY already, and then must really switch, as
 * it will be queued.
 *
 * I1  A thread's waiters are all on queues between wait_enqueue and wait_cancel, and on its own kernel stack.
 * I2  wake_flag is false while the thread has no waiter: wait_cancel clears it with the last possible waker gone. */
#include "kernel/wait.h"

#include "kernel/arch.h"
#include "kernel/sched.h"

void wait_queue_init(struct wait_queue *queue)
{
	spin_init(&queue->lock, LOCK_RANK_WAIT);
	list_init(&queue->waiters);
}

void wait_enqueue(struct wait_queue *queue, struct waiter *waiter)
{
	DASSERT(waiter->thread == thread_current());
	waiter->queue = queue;
	waiter->woken = false;
	list_append(&queue->waiters, &waiter->link);
}

void wait_wake(struct waiter *waiter)
{
	struct thread *thread = waiter->thread;

	DASSERT(spin_is_held(&waiter->queue->lock));
	list_remove(&waiter->link);
	waiter->woken = true;
	__atomic_store_n(&thread->wake_flag, true, __ATOMIC_SEQ_CST);
	(void)sched_ready(thread); /* it cannot leave its wait_cancel, and so not end, before we give the lock up */
}

struct waiter *wait_wake_first(struct wait_queue *queue)
{
	struct waiter *first;

	if (list_is_empty(&queue->waiters))
		return NULL;
	first = list_entry(queue->waiters.next, struct waiter, link);
	wait_wake(first);
	return first;
}

bool wait_cancel(struct waiter *waiter)
{
	struct wait_queue *queue = waiter->queue;
	uint64_t state = spin_lock_irq(&queue->lock);
	bool woken = waiter->woken;

	if (!woken)
		list_remove(&waiter->link);
	__atomic_store_n(&waiter->thread->wake_flag, false, __ATOMIC_SEQ_CST);
	spin_unlock_irq(&queue->lock, state);
	return woken;
}

static void sleep_expired(struct timer *timer)
{
	struct thread *thread = container_of(timer, struct thread, sleep_timer);

	__atomic_store_n(&thread->sleep_expired, true, __ATOMIC_SEQ_CST);
	(void)sched_ready(thread);
}

/* The reasons to end a sleep. True: *result says which. */
static bool sleep_is_over(struct thread *thread, bool uninterruptible, err_t *result)
{
	if (__atomic_load_n(&thread->wake_flag, __ATOMIC_SEQ_CST))
		*result = OK;
	else if (!uninterruptible && thread_must_unwind(thread))
		*result = ERR_CANCELED;
	else if (__atomic_load_n(&thread->sleep_expired, __ATOMIC_SEQ_CST))
		*result = ERR_TIMED_OUT;
	else
		return false;
	return true;
}

/* BLOCKED -> RUNNING without a switch; false if a waker was faster and has us READY. */
static bool take_back(struct thread *thread)
{
	enum thread_state expected = THREAD_BLOCKED;

	return __atomic_compare_exchange_n(&thread->state, &expected, THREAD_RUNNING, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

err_t wait_block(uint64_t deadline, bool uninterruptible)
{
	struct thread *thread = thread_current();
	uint64_t state = arch_irq_save();
	bool timed = deadline != DEADLINE_NEVER;
	err_t result;

	thread->sleep_expired = timed && deadline <= arch_clock_ns();
	if (timed && !thread->sleep_expired)
		timer_arm(&thread->sleep_timer, deadline, sleep_expired);
	while (!sleep_is_over(thread, uninterruptible, &result)) {
		__atomic_store_n(&thread->state, THREAD_BLOCKED, __ATOMIC_SEQ_CST);
		if (sleep_is_over(thread, uninterruptible, &result) && take_back(thread))
			break;
		sched_switch();
	}
	if (timed)
		timer_disarm(&thread->sleep_timer);
	arch_irq_restore(state);
	return result;
}
