/* SPDX-License-Identifier: BSD-2-Clause */
/* class.c - size classes: which sizes there are, and the spans behind each.
 * Classes 0..7 are 16, 32, ... 128 bytes; then four to each doubling (160, 192, 224, 256, 320, ...) up to 32 KiB.
 * Invariants: (C1) a span is listed exactly when a block of it is free or not carved yet; (C2) free_count <= carved <=
 * capacity; (C3) free_count is the length of `free`; every block there is sealed. */
#include "heap/heap.h"
#include "heap/port.h"

#define CACHE_LINE 64
#define BATCH_BYTES (16u << 10)

static struct class {
	struct lock lock;
	struct span *with_room;
} ALIGNED(CACHE_LINE) classes[HEAP_CLASSES];

uintptr_t heap_key;

uint32_t class_of(size_t bytes)
{
	if (bytes <= 128)
		return bytes == 0 ? 0 : (uint32_t)(bytes - 1) / 16;
	uint32_t log = 63 - (uint32_t)__builtin_clzll(bytes - 1);
	return 8 + (log - 7) * 4 + ((uint32_t)((bytes - 1) >> (log - 2)) & 3);
}

uint32_t class_block_bytes(uint32_t class)
{
	if (class < 8)
		return (class + 1) * 16;
	return (5 + (class - 8) % 4) << (5 + (class - 8) / 4);
}

/* How many blocks move at a time between a thread and the class. */
uint32_t class_batch(uint32_t class)
{
	uint32_t count = BATCH_BYTES / class_block_bytes(class);

	return count > 32 ? 32 : count < 2 ? 2 : count;
}

static void span_list(struct class *class, struct span *span)
{
	span->previous = NULL;
	span->next = class->with_room;
	if (span->next != NULL)
		span->next->previous = span;
	class->with_room = span;
	span->listed = true;
}

static void span_unlist(struct class *class, struct span *span)
{
	if (span->next != NULL)
		span->next->previous = span->previous;
	if (span->previous != NULL)
		span->previous->next = span->next;
	else
		class->with_room = span->next;
	span->listed = false;
}

static struct span *class_grow(uint32_t index)
{
	uint32_t bytes = class_block_bytes(index), slots = bytes <= 8192 ? 1 : 4;
	struct span *span = span_create(slots, SPAN_SMALL);

	if (span == NULL)
		return NULL;
	span->class = (uint8_t)index;
	span->block_bytes = bytes;
	span->capacity = (uint32_t)(slots * SLOT_BYTES / bytes);
	span_list(&classes[index], span);
	return span;
}

static struct heap_block *span_pop(struct span *span)
{
	struct heap_block *block = span->free;

	if (block != NULL) {
		span->free = block->next;
		span->free_count--;
		return block;
	}
	block = (struct heap_block *)(span_base(span) + (size_t)span->carved++ * span->block_bytes);
	block->seal = (uintptr_t)block ^ heap_key;
	return block;
}

bool class_refill(uint32_t index, struct heap_list *list)
{
	struct class *class = &classes[index];
	uint32_t wanted = class_batch(index);

	lock_acquire(&class->lock);
	while (list->count < wanted) {
		struct span *span = class->with_room;
		if (span == NULL && list->count == 0)
			span = class_grow(index);
		if (span == NULL)
			break;
		struct heap_block *block = span_pop(span);
		block->next = list->first;
		list->first = block;
		list->count++;
		if (span->free == NULL && span->carved == span->capacity)
			span_unlist(class, span);
	}
	lock_release(&class->lock);
	return list->count > 0;
}

/* Give `count` blocks of the list back to their spans. An empty span goes back to its segment unless it is the class's
 * last with room. */
void class_drain(uint32_t index, struct heap_list *list, uint32_t count)
{
	struct class *class = &classes[index];

	lock_acquire(&class->lock);
	for (; count > 0 && list->first != NULL; count--) {
		struct heap_block *block = list->first;
		struct span *span = span_of(block);
		if (block->seal != ((uintptr_t)block ^ heap_key))
			heap_port_panic("a block was written to after it was freed", block);
		list->first = block->next;
		list->count--;
		block->next = span->free;
		span->free = block;
		span->free_count++;
		if (!span->listed)
			span_list(class, span);
		if (span->free_count == span->carved && (span->next != NULL || span->previous != NULL)) {
			span_unlist(class, span);
			span_destroy(span);
		}
	}
	lock_release(&class->lock);
}

static void check_span(const struct span *span)
{
	uint32_t count = 0;

	for (const struct heap_block *block = span->free; block != NULL; block = block->next) {
		if (span_of(block) != span || block->seal != ((uintptr_t)block ^ heap_key))
			heap_port_panic("invariant C3", block);
		count++;
	}
	if (count != span->free_count || count > span->carved || span->carved > span->capacity)
		heap_port_panic("invariant C2 or C3", span);
	if (count == 0 && span->carved == span->capacity)
		heap_port_panic("invariant C1", span);
}

void class_check_invariants(void)
{
	for (uint32_t i = 0; i < HEAP_CLASSES; i++) {
		lock_acquire(&classes[i].lock);
		for (struct span *span = classes[i].with_room; span != NULL; span = span->next)
			check_span(span);
		lock_release(&classes[i].lock);
	}
}
