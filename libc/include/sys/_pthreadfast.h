/* SPDX-License-Identifier: BSD-2-Clause */
/* sys/_pthreadfast.h - locks that nobody holds are taken, and given back, where they are asked for: a few instructions
 * instead of a call. The functions of the same name do the same, and all the rest. */
#ifndef LINTEL_SYS_PTHREADFAST_H
#define LINTEL_SYS_PTHREADFAST_H

#define __PTHREAD_FAST extern __inline __attribute__((__gnu_inline__, __always_inline__))
#define __PTHREAD_WRITER 0x80000000u

int __pthread_mutex_lock_slow(pthread_mutex_t *mutex);
int __pthread_mutex_unlock_slow(pthread_mutex_t *mutex);
int __pthread_rwlock_rdlock_slow(pthread_rwlock_t *lock);
int __pthread_rwlock_wrlock_slow(pthread_rwlock_t *lock);
int __pthread_rwlock_unlock_slow(pthread_rwlock_t *lock);
void __pthread_rwlock_wake(pthread_rwlock_t *lock);

__PTHREAD_FAST int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	unsigned int word = 0;

	if (__builtin_expect(mutex->kind == PTHREAD_MUTEX_NORMAL && __atomic_compare_exchange_n(&mutex->word, &word, 1, 0,
			__ATOMIC_ACQUIRE, __ATOMIC_RELAXED), 1))
		return 0;
	return __pthread_mutex_lock_slow(mutex);
}

__PTHREAD_FAST int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	unsigned int word = 1;

	if (__builtin_expect(mutex->kind == PTHREAD_MUTEX_NORMAL && __atomic_compare_exchange_n(&mutex->word, &word, 0, 0,
			__ATOMIC_RELEASE, __ATOMIC_RELAXED), 1))
		return 0;
	return __pthread_mutex_unlock_slow(mutex);
}

__PTHREAD_FAST int pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
	unsigned int state = __atomic_load_n(&lock->state, __ATOMIC_RELAXED);

	if (__builtin_expect(state < __PTHREAD_WRITER - 1 && __atomic_compare_exchange_n(&lock->state, &state, state + 1, 0,
			__ATOMIC_ACQUIRE, __ATOMIC_RELAXED), 1))
		return 0;
	return __pthread_rwlock_rdlock_slow(lock);
}

__PTHREAD_FAST int pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
	unsigned int state = 0;

	if (__builtin_expect(__atomic_compare_exchange_n(&lock->state, &state, __PTHREAD_WRITER, 0, __ATOMIC_ACQUIRE,
			__ATOMIC_RELAXED), 1))
		return 0;
	return __pthread_rwlock_wrlock_slow(lock);
}

/* The exchange comes before the look at the waiters, and a waiter counts itself before it looks at the state for the
 * last time: one of the two sees the other. */
__PTHREAD_FAST int pthread_rwlock_unlock(pthread_rwlock_t *lock)
{
	unsigned int state = __atomic_load_n(&lock->state, __ATOMIC_RELAXED);

	if (__builtin_expect(state == 0, 0))
		return __pthread_rwlock_unlock_slow(lock);
	state = __atomic_sub_fetch(&lock->state, state == __PTHREAD_WRITER ? __PTHREAD_WRITER : 1, __ATOMIC_SEQ_CST);
	if (__builtin_expect(state == 0 && __atomic_load_n(&lock->waiters, __ATOMIC_SEQ_CST) != 0, 0))
		__pthread_rwlock_wake(lock);
	return 0;
}

#endif
