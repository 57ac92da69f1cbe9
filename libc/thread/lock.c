/* SPDX-License-Identifier: BSD-2-Clause */
/* lock.c - the slow halves of libc's lock, and picolibc's lock hooks on top of it. */
#include <stdlib.h>
#include <sys/lock.h>

#include "core/early.h"
#include "core/lock.h"
#include "core/sys.h"
#include "thread/thread.h"

void lock_wait(struct lock *lock)
{
	while (__atomic_exchange_n(&lock->word, 2, __ATOMIC_ACQUIRE) != 0)
		drop(futex_wait(&lock->word, 2, DEADLINE_NEVER));
}

void lock_wake(struct lock *lock)
{
	futex_wake(&lock->word, 1);
}

/* picolibc's lock: recursive or not, as the hook says. */
struct __lock {
	struct lock lock;
	uint32_t depth;        /* of the recursive ones, by the owner only */
	struct pthread *owner; /* [a] */
};

struct __lock __lock___libc_recursive_mutex;

static void init_lock(_LOCK_T *out)
{
	*out = early_alloc(sizeof(struct __lock));
	if (*out == NULL)
		abort();
}

void __retarget_lock_init(_LOCK_T *lock)
{
	init_lock(lock);
}

void __retarget_lock_init_recursive(_LOCK_T *lock)
{
	init_lock(lock);
}

void __retarget_lock_close(_LOCK_T lock)
{
	early_free(lock);
}

void __retarget_lock_close_recursive(_LOCK_T lock)
{
	early_free(lock);
}

void __retarget_lock_acquire(_LOCK_T lock) TA_NONE
{
	lock_acquire(&lock->lock);
}

void __retarget_lock_release(_LOCK_T lock) TA_NONE
{
	lock_release(&lock->lock);
}

void __retarget_lock_acquire_recursive(_LOCK_T lock) TA_NONE
{
	struct pthread *self = thread_self();

	if (__atomic_load_n(&lock->owner, __ATOMIC_RELAXED) == self) {
		lock->depth++;
		return;
	}
	lock_acquire(&lock->lock);
	__atomic_store_n(&lock->owner, self, __ATOMIC_RELAXED);
}

void __retarget_lock_release_recursive(_LOCK_T lock) TA_NONE
{
	if (lock->depth > 0) {
		lock->depth--;
		return;
	}
	__atomic_store_n(&lock->owner, NULL, __ATOMIC_RELAXED);
	lock_release(&lock->lock);
}
