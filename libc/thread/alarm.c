/* SPDX-License-Identifier: BSD-2-Clause */
/* alarm.c - alarm(). Lintel interrupts no thread, so SIGALRM is taken by a thread of libc's own, which lives as long as
 * an alarm is pending and runs the handler (POSIX lets a process's signal go to any of its threads). No call is
 * interrupted by it, and the handler cannot jump out into another thread's frames. */
#include <pthread.h>
#include <signal.h>
#include <unistd.h>
#include <lintel/process.h>

#include "core/lock.h"
#include "core/sys.h"

#define NS_PER_SECOND 1000000000ull

static struct lock alarm_lock;
static uint64_t deadline;   /* under alarm_lock; 0: no alarm is pending */
static bool waiting;        /* under alarm_lock: there is a thread */
static uint32_t changes;    /* [a] of the deadline */

/* Sleep until the alarm is due; false when there is none any more. */
static bool wait_for_alarm(void)
{
	lock_acquire(&alarm_lock);
	while (deadline != 0 && lintel_clock_ns() < deadline) {
		uint64_t until = deadline;
		uint32_t seen = __atomic_load_n(&changes, __ATOMIC_RELAXED);
		lock_release(&alarm_lock);
		drop(futex_wait(&changes, seen, until));
		lock_acquire(&alarm_lock);
	}
	bool due = deadline != 0;
	deadline = 0;
	waiting = due;
	lock_release(&alarm_lock);
	return due;
}

static void *alarm_main(void *unused)
{
	(void)unused;
	while (wait_for_alarm())
		raise(SIGALRM);
	return NULL;
}

static bool start_thread(void)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, alarm_main, NULL) == 0 && pthread_detach(thread) == 0;
}

/* POSIX has no error for it: where no thread can be made, no alarm comes. */
unsigned alarm(unsigned seconds)
{
	lock_acquire(&alarm_lock);
	uint64_t now = lintel_clock_ns(), left = deadline > now ? deadline - now : 0;
	deadline = seconds == 0 ? 0 : now + seconds * NS_PER_SECOND;
	__atomic_add_fetch(&changes, 1, __ATOMIC_RELAXED);
	if (deadline != 0 && !waiting)
		waiting = start_thread();
	lock_release(&alarm_lock);
	futex_wake(&changes, 1);
	return (unsigned)((left + NS_PER_SECOND - 1) / NS_PER_SECOND);
}
