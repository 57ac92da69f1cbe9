/* SPDX-License-Identifier: BSD-2-Clause */
/* mutex.c - pthread_mutex_*. The word is libc's lock word (0 free, 1 held, 2 held and somebody may sleep); the kinds
 * that know their owner keep it beside the word, written only by the holder. */
#include <errno.h>
#include <pthread.h>

#include "core/clock.h"
#include "core/sys.h"
#include "thread/thread.h"

static bool word_try(uint32_t *word)
{
	uint32_t free = 0;

	return __atomic_compare_exchange_n(word, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static int word_wait(uint32_t *word, uint64_t deadline)
{
	while (__atomic_exchange_n(word, 2, __ATOMIC_ACQUIRE) != 0) {
		if (futex_wait(word, 2, deadline) == ERR_TIMED_OUT)
			return ETIMEDOUT;
	}
	return 0;
}

static bool owned_by_me(const pthread_mutex_t *mutex)
{
	return __atomic_load_n(&mutex->owner, __ATOMIC_RELAXED) == thread_self();
}

/* What a second lock by the owner gives: 0 (recursive, counted), an error, or -1: go on and wait. */
static int lock_again(pthread_mutex_t *mutex, int busy)
{
	if (mutex->kind == PTHREAD_MUTEX_NORMAL || !owned_by_me(mutex))
		return -1;
	if (mutex->kind == PTHREAD_MUTEX_ERRORCHECK)
		return busy;
	if (mutex->depth == UINT32_MAX)
		return EAGAIN;
	mutex->depth++;
	return 0;
}

static void lock_taken(pthread_mutex_t *mutex)
{
	if (mutex->kind != PTHREAD_MUTEX_NORMAL)
		__atomic_store_n(&mutex->owner, thread_self(), __ATOMIC_RELAXED);
}

static int lock_until(pthread_mutex_t *mutex, uint64_t deadline)
{
	if (likely(word_try(&mutex->word))) {
		lock_taken(mutex);
		return 0;
	}
	int again = lock_again(mutex, EDEADLK);
	if (again >= 0)
		return again;
	int error = word_wait(&mutex->word, deadline);
	if (error == 0)
		lock_taken(mutex);
	return error;
}

int __pthread_mutex_lock_slow(pthread_mutex_t *mutex)
{
	return lock_until(mutex, DEADLINE_NEVER);
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	return __pthread_mutex_lock_slow(mutex);
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict until)
{
	uint64_t deadline;
	int error = clock_deadline(CLOCK_REALTIME, until, &deadline);

	return error != 0 ? error : lock_until(mutex, deadline);
}

int pthread_mutex_trylock(pthread_mutex_t *mutex)
{
	if (!word_try(&mutex->word)) {
		int again = lock_again(mutex, EBUSY);
		return again >= 0 ? again : EBUSY;
	}
	lock_taken(mutex);
	return 0;
}

int __pthread_mutex_unlock_slow(pthread_mutex_t *mutex)
{
	if (mutex->kind != PTHREAD_MUTEX_NORMAL) {
		if (!owned_by_me(mutex))
			return EPERM;
		if (mutex->depth > 0) {
			mutex->depth--;
			return 0;
		}
		__atomic_store_n(&mutex->owner, NULL, __ATOMIC_RELAXED);
	}
	if (__atomic_exchange_n(&mutex->word, 0, __ATOMIC_RELEASE) == 2)
		futex_wake(&mutex->word, 1);
	return 0;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	return __pthread_mutex_unlock_slow(mutex);
}

int pthread_mutex_init(pthread_mutex_t *restrict mutex, const pthread_mutexattr_t *restrict attr)
{
	*mutex = (pthread_mutex_t){ .kind = attr == NULL ? PTHREAD_MUTEX_DEFAULT : (unsigned)attr->kind };
	return 0;
}

int pthread_mutex_destroy(pthread_mutex_t *mutex)
{
	return __atomic_load_n(&mutex->word, __ATOMIC_RELAXED) != 0 ? EBUSY : 0;
}

int pthread_mutexattr_init(pthread_mutexattr_t *attr)
{
	*attr = (pthread_mutexattr_t){ .kind = PTHREAD_MUTEX_DEFAULT };
	return 0;
}

int pthread_mutexattr_destroy(pthread_mutexattr_t *attr)
{
	(void)attr;
	return 0;
}

int pthread_mutexattr_settype(pthread_mutexattr_t *attr, int kind)
{
	if (kind < PTHREAD_MUTEX_NORMAL || kind > PTHREAD_MUTEX_ERRORCHECK)
		return EINVAL;
	attr->kind = kind;
	return 0;
}

int pthread_mutexattr_gettype(const pthread_mutexattr_t *restrict attr, int *restrict kind)
{
	*kind = attr->kind;
	return 0;
}
