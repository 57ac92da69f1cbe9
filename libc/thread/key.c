/* SPDX-License-Identifier: BSD-2-Clause */
/* key.c - pthread_once and thread-specific data: an array of values in each thread's control block. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>

#include "core/sys.h"
#include "thread/thread.h"

enum once_state { ONCE_NOT_RUN = 0, ONCE_RUNNING = 1, ONCE_AWAITED = 2, ONCE_DONE = 3 };

static struct lock keys_lock;
static bool key_used[PTHREAD_KEYS_MAX];                  /* under keys_lock */
static void (*key_destructor[PTHREAD_KEYS_MAX])(void *); /* under keys_lock */
static uint16_t key_generation[PTHREAD_KEYS_MAX];        /* [a] grows when the key is deleted */

int pthread_once(pthread_once_t *once, void (*function)(void))
{
	uint32_t state = ONCE_NOT_RUN;

	if (likely(__atomic_load_n(&once->state, __ATOMIC_ACQUIRE) == ONCE_DONE))
		return 0;
	if (__atomic_compare_exchange_n(&once->state, &state, ONCE_RUNNING, false, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)) {
		function();
		if (__atomic_exchange_n(&once->state, ONCE_DONE, __ATOMIC_RELEASE) == ONCE_AWAITED)
			futex_wake(&once->state, UINT32_MAX);
		return 0;
	}
	while (state != ONCE_DONE) {
		if (state == ONCE_AWAITED || __atomic_compare_exchange_n(&once->state, &state, ONCE_AWAITED, false,
																 __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE))
			drop(futex_wait(&once->state, ONCE_AWAITED, DEADLINE_NEVER));
		state = __atomic_load_n(&once->state, __ATOMIC_ACQUIRE);
	}
	return 0;
}

int pthread_key_create(pthread_key_t *key, void (*destructor)(void *))
{
	int error = EAGAIN;

	lock_acquire(&keys_lock);
	for (uint32_t i = 0; i < PTHREAD_KEYS_MAX; i++) {
		if (key_used[i])
			continue;
		key_used[i] = true;
		key_destructor[i] = destructor;
		*key = i;
		error = 0;
		break;
	}
	lock_release(&keys_lock);
	return error;
}

/* Values that other threads still have belong to an old generation: nobody finds them any more. */
int pthread_key_delete(pthread_key_t key)
{
	if (key >= PTHREAD_KEYS_MAX)
		return EINVAL;
	lock_acquire(&keys_lock);
	int error = key_used[key] ? 0 : EINVAL;
	key_used[key] = false;
	key_destructor[key] = NULL;
	__atomic_add_fetch(&key_generation[key], 1, __ATOMIC_RELAXED);
	lock_release(&keys_lock);
	return error;
}

static void *key_value(const struct pthread *self, pthread_key_t key)
{
	if (self->key_generation[key] != __atomic_load_n(&key_generation[key], __ATOMIC_RELAXED))
		return NULL;
	return self->keys[key];
}

void *pthread_getspecific(pthread_key_t key)
{
	return key < PTHREAD_KEYS_MAX ? key_value(thread_self(), key) : NULL;
}

int pthread_setspecific(pthread_key_t key, const void *value)
{
	if (key >= PTHREAD_KEYS_MAX)
		return EINVAL;
	struct pthread *self = thread_self();
	self->key_generation[key] = __atomic_load_n(&key_generation[key], __ATOMIC_RELAXED);
	self->keys[key] = (void *)(uintptr_t)value;
	return 0;
}

void thread_keys_destroy(struct pthread *self)
{
	bool again = true;

	for (int round = 0; round < PTHREAD_DESTRUCTOR_ITERATIONS && again; round++) {
		again = false;
		for (uint32_t i = 0; i < PTHREAD_KEYS_MAX; i++) {
			void *value = key_value(self, i);
			if (value == NULL)
				continue;
			lock_acquire(&keys_lock);
			void (*destructor)(void *) = key_used[i] ? key_destructor[i] : NULL;
			lock_release(&keys_lock);
			self->keys[i] = NULL;
			if (destructor != NULL) {
				destructor(value);
				again = true;
			}
		}
	}
}
