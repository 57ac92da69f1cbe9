/* SPDX-License-Identifier: BSD-2-Clause */
/* tls.c - thread-local storage: blocks for the first thread, for others and for activations; door_scratch. */
#include <string.h>
#include <lintel/door_call.h>
#include <lintel/tls.h>

#include "core/early.h"
#include "core/sys.h"
#include "heap/heap.h"
#include "thread/thread.h"

/* From program.ld; sizes are addresses there. */
extern char __tls_start[], __tls_file_bytes[], __tls_bytes[], __first_tls[], __first_tls_end[];

struct lock threads_lock;
struct pthread *threads;

static size_t tls_data_bytes(void)
{
	return ((size_t)__tls_bytes + TLS_ALIGN - 1) & ~(size_t)(TLS_ALIGN - 1);
}

/* Thread-local offsets count back from the control block by the size rounded to the *segment's* alignment; the linker
 * script aligns .tdata to TLS_ALIGN, which makes that the size rounded to TLS_ALIGN. */
void thread_block_init(struct pthread *self, enum thread_kind kind)
{
	memcpy((char *)self - tls_data_bytes(), __tls_start, (size_t)__tls_file_bytes);
	self->self = self;
	self->kind = kind;
	self->alive = 1;
	self->cpu_mask = UINT64_MAX;
	lock_acquire(&threads_lock);
	self->all_next = threads;
	self->all_link = &threads;
	if (threads != NULL)
		threads->all_link = &self->all_next;
	__atomic_store_n(&threads, self, __ATOMIC_RELAXED);
	lock_release(&threads_lock);
}

void thread_block_free(struct pthread *thread)
{
	lock_acquire(&threads_lock);
	*thread->all_link = thread->all_next;
	if (thread->all_next != NULL)
		thread->all_next->all_link = thread->all_link;
	lock_release(&threads_lock);
	memory_unmap(thread->mapping, thread->mapping_bytes);
}

void thread_first_init(handle_t handle)
{
	struct pthread *self = (struct pthread *)(__first_tls + tls_data_bytes());

	thread_block_init(self, THREAD_FIRST);
	self->handle = handle;
	drop(lintel_thread_set_tls((uint64_t)self));
}

err_t tls_create(size_t stack_bytes, void **stack_top, void **thread_pointer)
{
	size_t block_bytes = tls_data_bytes() + THREAD_CONTROL_BYTES;

	if (stack_bytes == 0 || stack_bytes > (1ull << 40))
		return ERR_ARGS;
	size_t bytes = round_to_pages(stack_bytes + block_bytes);
	void *mapping;
	err_t error = memory_map(bytes, 0, SPACE_READ | SPACE_WRITE | SPACE_GUARD, &mapping);
	if (error != OK)
		return error;
	struct pthread *self = (struct pthread *)((char *)mapping + bytes - THREAD_CONTROL_BYTES);
	thread_block_init(self, THREAD_ACTIVATION);
	self->mapping = mapping;
	self->mapping_bytes = bytes;
	*stack_top = (char *)self - tls_data_bytes();
	*thread_pointer = self;
	return OK;
}

void tls_destroy(void *thread_pointer)
{
	struct pthread *thread = thread_pointer;
	ptrdiff_t distance = (char *)thread - (char *)thread_self();

	early_free(thread->spare);
	heap_cache_flush((struct heap_cache *)((char *)heap_cache_own() + distance));
	if (thread->scratch != NULL)
		memory_unmap(thread->scratch, DOOR_SCRATCH_BYTES);
	thread_block_free(thread);
}

void *door_scratch(void)
{
	struct pthread *self = thread_self();

	if (unlikely(self->scratch == NULL)) {
		void *scratch;
		if (memory_map(DOOR_SCRATCH_BYTES, 0, SPACE_READ | SPACE_WRITE, &scratch) != OK)
			return NULL;
		self->scratch = scratch;
	}
	return self->scratch;
}
