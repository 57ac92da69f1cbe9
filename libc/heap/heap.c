/* SPDX-License-Identifier: BSD-2-Clause */
/* heap.c - allocating and freeing: the thread's own lists first, then classes and segments. See heap.h. */
#include "heap/heap.h"

#include <string.h>

#include "heap/port.h"

static __thread struct heap_cache own_cache;

struct heap_cache *heap_cache_own(void)
{
	return &own_cache;
}

static void *alloc_small(uint32_t class)
{
	struct heap_list *list = &own_cache.lists[class];

	if (unlikely(list->first == NULL) && !class_refill(class, list))
		return NULL;
	struct heap_block *block = list->first;
	if (unlikely(block->seal != ((uintptr_t)block ^ heap_key)))
		heap_port_panic("a block was written to after it was freed", block);
	list->first = block->next;
	list->count--;
	block->seal = 0;
	return block;
}

static void *alloc_run(size_t bytes)
{
	struct span *span = span_create((uint32_t)((bytes + SLOT_BYTES - 1) / SLOT_BYTES), SPAN_RUN);

	return span == NULL ? NULL : span_base(span);
}

void *heap_alloc(size_t bytes)
{
	if (likely(bytes <= SMALL_BYTES_MAX))
		return alloc_small(class_of(bytes));
	if (bytes <= RUN_BYTES_MAX)
		return alloc_run(bytes);
	if (bytes > HEAP_BYTES_MAX)
		return NULL;
	return large_create(HEAP_ALIGN, bytes);
}

void *heap_alloc_zeroed(size_t count, size_t bytes)
{
	size_t total;

	if (__builtin_mul_overflow(count, bytes, &total))
		return NULL;
	void *block = heap_alloc(total);
	if (block != NULL && total <= RUN_BYTES_MAX) /* large blocks are fresh from the kernel */
		memset(block, 0, total);
	return block;
}

void *heap_alloc_aligned(size_t align, size_t bytes)
{
	if (align == 0 || (align & (align - 1)) != 0 || align > HEAP_ALIGN_MAX || bytes > HEAP_BYTES_MAX)
		return NULL;
	if (align <= HEAP_ALIGN)
		return heap_alloc(bytes);
	/* Spans begin on slots, so a class whose size is a multiple of `align` has aligned blocks only. */
	if (align <= SMALL_BYTES_MAX && bytes <= SMALL_BYTES_MAX) {
		uint32_t class = class_of(bytes < align ? align : bytes);
		while (class < HEAP_CLASSES && class_block_bytes(class) % align != 0)
			class++;
		if (class < HEAP_CLASSES)
			return alloc_small(class);
	}
	if (align <= SLOT_BYTES && bytes <= RUN_BYTES_MAX)
		return alloc_run(bytes == 0 ? 1 : bytes);
	return large_create(align, bytes);
}

static void free_small(struct span *span, struct heap_block *block)
{
	struct heap_list *list = &own_cache.lists[span->class];

	if (((uintptr_t)block - (uintptr_t)span_base(span)) % span->block_bytes != 0)
		heap_port_panic("a pointer into the middle of a block was freed", block);
	if (unlikely(block->seal == ((uintptr_t)block ^ heap_key)))
		heap_port_panic("a block was freed twice", block);
	block->seal = (uintptr_t)block ^ heap_key;
	block->next = list->first;
	list->first = block;
	list->count++;
	uint32_t batch = class_batch(span->class);
	if (unlikely(list->count > 2 * batch))
		class_drain(span->class, list, batch);
}

void heap_free(void *block)
{
	if (block == NULL)
		return;
	struct segment *segment = segment_of(block);
	if (segment->kind == SEGMENT_LARGE) {
		if ((char *)block != (char *)segment + segment->data_offset)
			heap_port_panic("a pointer into the middle of a block was freed", block);
		large_destroy(segment);
		return;
	}
	struct span *span = span_of(block);
	if (span->state == SPAN_SMALL) {
		free_small(span, block);
		return;
	}
	if ((char *)block != span_base(span))
		heap_port_panic("a pointer into the middle of a block was freed", block);
	span_destroy(span);
}

size_t heap_usable_bytes(const void *block)
{
	if (block == NULL)
		return 0;
	const struct segment *segment = segment_of(block);
	if (segment->kind == SEGMENT_LARGE)
		return segment->mapped_bytes - segment->data_offset;
	const struct span *span = span_of(block);
	return span->state == SPAN_SMALL ? span->block_bytes : span->slots * SLOT_BYTES;
}

void *heap_resize(void *block, size_t bytes)
{
	size_t usable = heap_usable_bytes(block);

	/* Stay, unless it does not fit or more than half would be wasted. */
	if (block != NULL && bytes <= usable && (bytes > usable / 2 || usable <= 64))
		return block;
	void *moved = heap_alloc(bytes);
	if (moved == NULL)
		return NULL;
	if (block != NULL) {
		memcpy(moved, block, bytes < usable ? bytes : usable);
		heap_free(block);
	}
	return moved;
}

void heap_cache_flush(struct heap_cache *cache)
{
	for (uint32_t i = 0; i < HEAP_CLASSES; i++) {
		if (cache->lists[i].count > 0)
			class_drain(i, &cache->lists[i], cache->lists[i].count);
	}
}

void heap_check_invariants(void)
{
	class_check_invariants();
	segment_check_invariants();
}
