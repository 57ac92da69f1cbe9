/* SPDX-License-Identifier: BSD-2-Clause */
/* rwlock.c - pthread_rwlock_*, barriers and spin locks.
 * rwlock state: number of readers, or WRITER. Readers come first, so that a reader may lock again while a writer waits.
 * Who finds it taken notes `sequence`, looks once more and sleeps on it; an unlock that leaves it free changes
 * `sequence` and wakes all sleepers. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>

#include "core/lock.h"
#include "core/sys.h"

#define WRITER __PTHREAD_WRITER

int pthread_rwlock_tryrdlock(pthread_rwlock_t *lock)
{
	uint32_t state = __atomic_load_n(&lock->state, __ATOMIC_RELAXED);

	while (state < WRITER - 1) {
		if (__atomic_compare_exchange_n(&lock->state, &state, state + 1, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return 0;
	}
	return state == WRITER ? EBUSY : EAGAIN;
}

int pthread_rwlock_trywrlock(pthread_rwlock_t *lock)
{
	uint32_t free = 0;

	return __atomic_compare_exchange_n(&lock->state, &free, WRITER, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED) ? 0
																											   : EBUSY;
}

static int lock_by(pthread_rwlock_t *lock, int (*try)(pthread_rwlock_t *))
{
	int error = try(lock);

	if (likely(error != EBUSY))
		return error;
	__atomic_add_fetch(&lock->waiters, 1, __ATOMIC_SEQ_CST);
	for (;;) {
		uint32_t sequence = __atomic_load_n(&lock->sequence, __ATOMIC_SEQ_CST);
		error = try(lock);
		if (error != EBUSY)
			break;
		drop(futex_wait(&lock->sequence, sequence, DEADLINE_NEVER));
	}
	__atomic_sub_fetch(&lock->waiters, 1, __ATOMIC_RELAXED);
	return error;
}

int __pthread_rwlock_rdlock_slow(pthread_rwlock_t *lock)
{
	return lock_by(lock, pthread_rwlock_tryrdlock);
}

int __pthread_rwlock_wrlock_slow(pthread_rwlock_t *lock)
{
	return lock_by(lock, pthread_rwlock_trywrlock);
}

void __pthread_rwlock_wake(pthread_rwlock_t *lock)
{
	__atomic_add_fetch(&lock->sequence, 1, __ATOMIC_SEQ_CST);
	futex_wake(&lock->sequence, UINT32_MAX);
}

int __pthread_rwlock_unlock_slow(pthread_rwlock_t *lock)
{
	uint32_t state = __atomic_load_n(&lock->state, __ATOMIC_RELAXED);

	if (state == 0)
		return EPERM;
	state = __atomic_sub_fetch(&lock->state, state == WRITER ? WRITER : 1, __ATOMIC_SEQ_CST);
	if (state == 0 && __atomic_load_n(&lock->waiters, __ATOMIC_SEQ_CST) != 0)
		__pthread_rwlock_wake(lock);
	return 0;
}

int pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
	return __pthread_rwlock_rdlock_slow(lock);
}

int pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
	return __pthread_rwlock_wrlock_slow(lock);
}

int pthread_rwlock_unlock(pthread_rwlock_t *lock)
{
	return __pthread_rwlock_unlock_slow(lock);
}

int pthread_rwlock_init(pthread_rwlock_t *restrict lock, const pthread_rwlockattr_t *restrict attr)
{
	(void)attr;
	*lock = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
	return 0;
}

int pthread_rwlock_destroy(pthread_rwlock_t *lock)
{
	return __atomic_load_n(&lock->state, __ATOMIC_RELAXED) != 0 ? EBUSY : 0;
}

int pthread_barrier_init(pthread_barrier_t *restrict barrier, const pthread_barrierattr_t *restrict attr,
						 unsigned count)
{
	(void)attr;
	if (count == 0)
		return EINVAL;
	*barrier = (pthread_barrier_t){ .count = count };
	return 0;
}

int pthread_barrier_destroy(pthread_barrier_t *barrier)
{
	/* The last to arrive may still be inside: it holds the lock until it touches the barrier no more. */
	lock_acquire((struct lock *)&barrier->lock);
	lock_release((struct lock *)&barrier->lock);
	return 0;
}

int pthread_barrier_wait(pthread_barrier_t *barrier)
{
	struct lock *lock = (struct lock *)&barrier->lock;

	lock_acquire(lock);
	uint32_t sequence = __atomic_load_n(&barrier->sequence, __ATOMIC_RELAXED);
	if (++barrier->waiting == barrier->count) {
		barrier->waiting = 0;
		__atomic_add_fetch(&barrier->sequence, 1, __ATOMIC_RELEASE);
		futex_wake(&barrier->sequence, UINT32_MAX);
		lock_release(lock);
		return PTHREAD_BARRIER_SERIAL_THREAD;
	}
	lock_release(lock);
	while (__atomic_load_n(&barrier->sequence, __ATOMIC_ACQUIRE) == sequence)
		drop(futex_wait(&barrier->sequence, sequence, DEADLINE_NEVER));
	return 0;
}

int pthread_spin_init(pthread_spinlock_t *lock, int shared)
{
	(void)shared;
	*lock = 0;
	return 0;
}

int pthread_spin_destroy(pthread_spinlock_t *lock)
{
	(void)lock;
	return 0;
}

int pthread_spin_trylock(pthread_spinlock_t *lock)
{
	return __atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE) == 0 ? 0 : EBUSY;
}

/* The holder may have lost its CPU: after a while, let it have this one. */
int pthread_spin_lock(pthread_spinlock_t *lock)
{
	for (uint32_t spins = 1; pthread_spin_trylock(lock) != 0; spins++) {
		if (spins % 128 == 0)
			sched_yield();
		__builtin_ia32_pause();
	}
	return 0;
}

int pthread_spin_unlock(pthread_spinlock_t *lock)
{
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
	return 0;
}
