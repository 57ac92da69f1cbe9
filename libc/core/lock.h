/* SPDX-License-Identifier: BSD-2-Clause */
/* lock.h - libc's own lock: one futex word, no kernel unless somebody has to sleep. Not recursive.
 * word: 0 free, 1 held, 2 held and somebody may sleep. Private to libc. */
#pragma once

#include <lintel/compiler.h>

struct TA_CAP("mutex") lock {
	uint32_t word; /* [a] */
};

void lock_wait(struct lock *lock);
void lock_wake(struct lock *lock);

static inline bool lock_try(struct lock *lock) TA_NONE
{
	uint32_t free = 0;

	return __atomic_compare_exchange_n(&lock->word, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline void lock_acquire(struct lock *lock) TA_ACQUIRE(*lock) TA_NONE
{
	if (unlikely(!lock_try(lock)))
		lock_wait(lock);
}

/* True: somebody waits, and lock_wake is to follow. */
static inline MUST_USE bool lock_release_quietly(struct lock *lock) TA_RELEASE(*lock) TA_NONE
{
	return __atomic_exchange_n(&lock->word, 0, __ATOMIC_RELEASE) == 2;
}

static inline void lock_release(struct lock *lock) TA_RELEASE(*lock) TA_NONE
{
	if (unlikely(lock_release_quietly(lock)))
		lock_wake(lock);
}
