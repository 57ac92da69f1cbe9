/* SPDX-License-Identifier: BSD-2-Clause */
/* pthread.c - creating, ending and joining threads.
 *
 * A thread cannot unmap the stack it runs on. It ends with thread_exit(&alive): the kernel sets `alive` to 0 and wakes
 * the joiner once the stack is no longer used. Whoever joins then unmaps it; detached threads put themselves into the
 * graveyard, which the next create, join or end empties of those whose `alive` is 0. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <lintel/door_call.h>
#include <lintel/process.h>
#include <lintel/tls.h>

#include "core/early.h"
#include "core/sys.h"
#include "heap/heap.h"
#include "thread/thread.h"

static struct lock graveyard_lock;
static struct pthread *graveyard; /* under graveyard_lock */
static uint32_t threads_running = 1; /* [a] activations do not count */

static void thread_free(struct pthread *thread)
{
	lintel_handle_close(thread->handle);
	thread_block_free(thread);
}

static void graveyard_sweep(void)
{
	struct pthread *dead = NULL, **link;

	if (__atomic_load_n(&graveyard, __ATOMIC_RELAXED) == NULL)
		return;
	lock_acquire(&graveyard_lock);
	for (link = &graveyard; *link != NULL;) {
		struct pthread *each = *link;
		if (__atomic_load_n(&each->alive, __ATOMIC_ACQUIRE) != 0) {
			link = &each->next_dead;
			continue;
		}
		*link = each->next_dead;
		each->next_dead = dead;
		dead = each;
	}
	lock_release(&graveyard_lock);
	while (dead != NULL) {
		struct pthread *each = dead;
		dead = each->next_dead;
		thread_free(each);
	}
}

/* From here on the thread only runs code that needs neither heap nor scratch. */
NORETURN static void thread_leave(struct pthread *self)
{
	uint32_t fate = THREAD_JOINABLE;

	early_free(self->spare);
	self->spare = NULL;
	heap_cache_flush(heap_cache_own());
	if (self->scratch != NULL)
		memory_unmap(self->scratch, DOOR_SCRATCH_BYTES);
	self->scratch = NULL;
	graveyard_sweep();
	if (!__atomic_compare_exchange_n(&self->fate, &fate, THREAD_ENDED, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE) &&
		fate == THREAD_DETACHED) {
		lock_acquire(&graveyard_lock);
		self->next_dead = graveyard;
		graveyard = self;
		lock_release(&graveyard_lock);
	}
	drop(lintel_thread_exit((uint64_t)&self->alive));
	__builtin_trap();
}

void pthread_exit(void *result)
{
	struct pthread *self = thread_self();

	self->result = result;
	thread_keys_destroy(self);
	if (__atomic_sub_fetch(&threads_running, 1, __ATOMIC_ACQ_REL) == 0)
		exit(0);
	if (self->kind == THREAD_FIRST) {
		drop(lintel_thread_exit((uint64_t)&self->alive));
		__builtin_trap();
	}
	thread_leave(self);
}

void thread_main(struct pthread *self)
{
	pthread_exit(self->start(self->argument));
}

static err_t thread_launch(struct pthread *thread, void *stack_top)
{
	err_t error = lintel_thread_create(lintel_process(), thread->name, strlen(thread->name), &thread->handle);

	if (error != OK)
		return error;
	__atomic_add_fetch(&threads_running, 1, __ATOMIC_RELAXED);
	error = lintel_thread_start(thread->handle, (uint64_t)thread_entry, (uint64_t)stack_top, (uint64_t)thread,
								(uint64_t)thread);
	if (error == OK)
		return OK;
	__atomic_sub_fetch(&threads_running, 1, __ATOMIC_RELAXED);
	lintel_handle_close(thread->handle);
	return error;
}

int pthread_create(pthread_t *restrict out, const pthread_attr_t *restrict attr, void *(*start)(void *),
				   void *restrict argument)
{
	static const pthread_attr_t defaults = { .stack_bytes = THREAD_STACK_BYTES };
	void *stack_top, *block;

	if (attr == NULL)
		attr = &defaults;
	graveyard_sweep();
	if (tls_create(attr->stack_bytes, &stack_top, &block) != OK)
		return EAGAIN;
	struct pthread *thread = block;
	thread->kind = THREAD_CREATED;
	thread->fate = attr->detached ? THREAD_DETACHED : THREAD_JOINABLE;
	thread->start = start;
	thread->argument = argument;
	strcpy(thread->name, "thread");
	/* The new thread may be gone before thread_start returns: publish its name first. */
	pthread_t before = *out;
	*out = thread;
	if (thread_launch(thread, stack_top) == OK)
		return 0;
	*out = before;
	thread_block_free(thread);
	return EAGAIN;
}

int pthread_join(pthread_t thread, void **result)
{
	if (thread == thread_self())
		return EDEADLK;
	uint32_t fate = __atomic_load_n(&thread->fate, __ATOMIC_ACQUIRE);
	if (fate == THREAD_DETACHED || fate == THREAD_JOINED)
		return EINVAL;
	while (__atomic_load_n(&thread->alive, __ATOMIC_ACQUIRE) != 0)
		drop(futex_wait(&thread->alive, 1, DEADLINE_NEVER));
	if (result != NULL)
		*result = thread->result;
	if (thread->kind == THREAD_CREATED)
		thread_free(thread);
	else
		thread->fate = THREAD_JOINED;
	graveyard_sweep();
	return 0;
}

int pthread_detach(pthread_t thread)
{
	uint32_t fate = THREAD_JOINABLE;

	if (__atomic_compare_exchange_n(&thread->fate, &fate, THREAD_DETACHED, false, __ATOMIC_ACQ_REL,
									__ATOMIC_ACQUIRE))
		return 0;
	if (fate != THREAD_ENDED)
		return EINVAL;
	return pthread_join(thread, NULL); /* it is leaving already: a moment */
}

pthread_t pthread_self(void)
{
	return thread_self();
}

int pthread_equal(pthread_t a, pthread_t b)
{
	return a == b;
}

int pthread_setname_np(pthread_t thread, const char *name)
{
	if (strlen(name) >= THREAD_NAME_BYTES)
		return ERANGE;
	strcpy(thread->name, name);
	return 0;
}

int pthread_getname_np(pthread_t thread, char *name, size_t length)
{
	if (strlen(thread->name) >= length)
		return ERANGE;
	strcpy(name, thread->name);
	return 0;
}

int pthread_setaffinity_np(pthread_t thread, size_t bytes, const cpu_set_t *set)
{
	if (bytes < sizeof(*set) || thread->handle == HANDLE_NONE)
		return EINVAL;
	err_t error = lintel_thread_set_affinity(thread->handle, set->bits);
	if (error == OK)
		thread->cpu_mask = set->bits;
	return lintel_errno(error);
}

int pthread_getaffinity_np(pthread_t thread, size_t bytes, cpu_set_t *set)
{
	const struct sysinfo_page *page = lintel_sysinfo();

	if (bytes < sizeof(*set))
		return EINVAL;
	uint64_t present = page == NULL || page->cpus >= 64 ? UINT64_MAX : (1ull << page->cpus) - 1;
	set->bits = thread->cpu_mask & present;
	return 0;
}

int pthread_attr_init(pthread_attr_t *attr)
{
	*attr = (pthread_attr_t){ .stack_bytes = THREAD_STACK_BYTES };
	return 0;
}

int pthread_attr_destroy(pthread_attr_t *attr)
{
	(void)attr;
	return 0;
}

int pthread_attr_setstacksize(pthread_attr_t *attr, size_t bytes)
{
	if (bytes < PTHREAD_STACK_MIN)
		return EINVAL;
	attr->stack_bytes = bytes;
	return 0;
}

int pthread_attr_getstacksize(const pthread_attr_t *restrict attr, size_t *restrict bytes)
{
	*bytes = attr->stack_bytes;
	return 0;
}

int pthread_attr_setdetachstate(pthread_attr_t *attr, int state)
{
	if (state != PTHREAD_CREATE_JOINABLE && state != PTHREAD_CREATE_DETACHED)
		return EINVAL;
	attr->detached = state;
	return 0;
}

int pthread_attr_getdetachstate(const pthread_attr_t *attr, int *state)
{
	*state = attr->detached;
	return 0;
}
