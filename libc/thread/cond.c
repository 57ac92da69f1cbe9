/* SPDX-License-Identifier: BSD-2-Clause */
/* cond.c - pthread_cond_*: a sequence number that changes with every signal. A waiter notes it under the mutex and
 * sleeps only while it is still the same, so no signal is lost; wake-ups for nothing can happen, as POSIX allows. */
#include <errno.h>
#include <pthread.h>

#include "core/clock.h"
#include "core/sys.h"

static int wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t deadline)
{
	uint32_t sequence = __atomic_load_n(&cond->sequence, __ATOMIC_RELAXED);

	__atomic_add_fetch(&cond->waiters, 1, __ATOMIC_SEQ_CST);
	int error = pthread_mutex_unlock(mutex);
	if (error != 0) {
		__atomic_sub_fetch(&cond->waiters, 1, __ATOMIC_RELAXED);
		return error;
	}
	err_t woken = futex_wait(&cond->sequence, sequence, deadline);
	__atomic_sub_fetch(&cond->waiters, 1, __ATOMIC_RELAXED);
	error = pthread_mutex_lock(mutex);
	return error != 0 ? error : woken == ERR_TIMED_OUT ? ETIMEDOUT : 0;
}

int pthread_cond_wait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex)
{
	return wait_until(cond, mutex, DEADLINE_NEVER);
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
						   const struct timespec *restrict until)
{
	uint64_t deadline;
	int error = clock_deadline(cond->clock, until, &deadline);

	return error != 0 ? error : wait_until(cond, mutex, deadline);
}

static int wake(pthread_cond_t *cond, uint32_t count)
{
	if (__atomic_load_n(&cond->waiters, __ATOMIC_SEQ_CST) == 0)
		return 0;
	__atomic_add_fetch(&cond->sequence, 1, __ATOMIC_SEQ_CST);
	futex_wake(&cond->sequence, count);
	return 0;
}

int pthread_cond_signal(pthread_cond_t *cond)
{
	return wake(cond, 1);
}

int pthread_cond_broadcast(pthread_cond_t *cond)
{
	return wake(cond, UINT32_MAX);
}

int pthread_cond_init(pthread_cond_t *restrict cond, const pthread_condattr_t *restrict attr)
{
	*cond = (pthread_cond_t){ .clock = attr == NULL ? CLOCK_REALTIME : attr->clock };
	return 0;
}

int pthread_cond_destroy(pthread_cond_t *cond)
{
	(void)cond;
	return 0;
}

int pthread_condattr_init(pthread_condattr_t *attr)
{
	*attr = (pthread_condattr_t){ .clock = CLOCK_REALTIME };
	return 0;
}

int pthread_condattr_destroy(pthread_condattr_t *attr)
{
	(void)attr;
	return 0;
}

int pthread_condattr_setclock(pthread_condattr_t *attr, clockid_t clock)
{
	if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)
		return EINVAL;
	attr->clock = clock;
	return 0;
}

int pthread_condattr_getclock(const pthread_condattr_t *restrict attr, clockid_t *restrict clock)
{
	*clock = attr->clock;
	return 0;
}
