/* SPDX-License-Identifier: BSD-2-Clause */
/* segment.c - segments, their slots, and large blocks.
 * Invariants: (G1) bit 0 of `used` is set; (G2) a segment is listed exactly when a slot is free; (G3) the used bits are
 * those of the spans; (G4) at most one empty segment is kept. */
#include "heap/heap.h"
#include "heap/port.h"

#define SEGMENT_MAGIC 0x4c494e54454c4853ull
#define LARGE_HEADER_BYTES 4096ull

static struct lock segments_lock;
static struct segment *segments_with_room; /* under segments_lock */
static uint32_t segments_empty;            /* under segments_lock */

_Static_assert(sizeof(struct segment) <= SLOT_BYTES, "the header fits in slot 0");
_Static_assert(offsetof(struct segment, spans) <= LARGE_HEADER_BYTES, "large blocks have no spans");

struct segment *segment_of(const void *block)
{
	struct segment *segment = (struct segment *)((uintptr_t)block & ~(SEGMENT_BYTES - 1));

	if (segment == NULL || segment->magic != SEGMENT_MAGIC)
		heap_port_panic("not a block of the heap", block);
	return segment;
}

static struct segment *segment_of_span(const struct span *span)
{
	return (struct segment *)((uintptr_t)span & ~(SEGMENT_BYTES - 1));
}

char *span_base(const struct span *span)
{
	struct segment *segment = segment_of_span(span);

	return (char *)segment + (size_t)(span - segment->spans) * SLOT_BYTES;
}

struct span *span_of(const void *block)
{
	struct segment *segment = segment_of(block);
	struct span *span = &segment->spans[((uintptr_t)block & (SEGMENT_BYTES - 1)) / SLOT_BYTES];

	if (span->state == SPAN_TAIL)
		span = &segment->spans[span->first];
	if (span->state == SPAN_NONE)
		heap_port_panic("not a block of the heap, or one that was freed", block);
	return span;
}

static void segment_list(struct segment *segment)
{
	segment->previous = NULL;
	segment->next = segments_with_room;
	if (segment->next != NULL)
		segment->next->previous = segment;
	segments_with_room = segment;
	segment->listed = true;
}

static void segment_unlist(struct segment *segment)
{
	if (segment->next != NULL)
		segment->next->previous = segment->previous;
	if (segment->previous != NULL)
		segment->previous->next = segment->next;
	else
		segments_with_room = segment->next;
	segment->listed = false;
}

static struct segment *segment_create(void)
{
	struct segment *segment = heap_port_map(SEGMENT_BYTES, SEGMENT_BYTES);

	if (segment == NULL)
		return NULL;
	if (heap_key == 0)
		heap_key = heap_port_random() | 1;
	segment->magic = SEGMENT_MAGIC;
	segment->kind = SEGMENT_SLOTTED;
	segment->mapped_bytes = SEGMENT_BYTES;
	segment->used = 1;
	segment_list(segment);
	segments_empty++;
	return segment;
}

static uint64_t run_mask(uint32_t first, uint32_t slots)
{
	return (slots == 64 ? UINT64_MAX : (1ull << slots) - 1) << first;
}

/* First of `slots` free slots in a row, or 0 when there are none (slot 0 is never free). */
static uint32_t find_run(uint64_t used, uint32_t slots)
{
	uint64_t starts = ~used;

	for (uint32_t i = 1; i < slots; i++)
		starts &= ~used >> i;
	return starts == 0 ? 0 : (uint32_t)__builtin_ctzll(starts);
}

static struct span *span_take(struct segment *segment, uint32_t first, uint32_t slots, enum span_state state)
{
	struct span *span = &segment->spans[first];

	if (segment->used == 1)
		segments_empty--;
	segment->used |= run_mask(first, slots);
	if (segment->used == UINT64_MAX)
		segment_unlist(segment);
	*span = (struct span){ .state = (uint8_t)state, .slots = (uint8_t)slots };
	for (uint32_t i = 1; i < slots; i++)
		segment->spans[first + i] = (struct span){ .state = SPAN_TAIL, .first = (uint8_t)first };
	return span;
}

struct span *span_create(uint32_t slots, enum span_state state)
{
	struct span *span = NULL;
	struct segment *segment;
	uint32_t first = 0;

	lock_acquire(&segments_lock);
	for (segment = segments_with_room; segment != NULL; segment = segment->next) {
		first = find_run(segment->used, slots);
		if (first != 0)
			break;
	}
	if (segment == NULL) {
		segment = segment_create();
		first = 1;
	}
	if (segment != NULL)
		span = span_take(segment, first, slots, state);
	lock_release(&segments_lock);
	return span;
}

void span_destroy(struct span *span)
{
	struct segment *segment = segment_of_span(span);
	uint32_t first = (uint32_t)(span - segment->spans), slots = span->slots;
	bool give_back = false;

	lock_acquire(&segments_lock);
	for (uint32_t i = 0; i < slots; i++)
		segment->spans[first + i].state = SPAN_NONE;
	segment->used &= ~run_mask(first, slots);
	if (!segment->listed)
		segment_list(segment);
	if (segment->used == 1) {
		give_back = segments_empty > 0;
		if (give_back)
			segment_unlist(segment);
		else
			segments_empty++;
	}
	lock_release(&segments_lock);
	if (give_back)
		heap_port_unmap(segment, SEGMENT_BYTES);
}

void *large_create(size_t align, size_t bytes)
{
	size_t offset = align > LARGE_HEADER_BYTES ? align : LARGE_HEADER_BYTES;
	size_t mapped = (offset + bytes + LARGE_HEADER_BYTES - 1) & ~(LARGE_HEADER_BYTES - 1);
	struct segment *segment = heap_port_map(mapped, SEGMENT_BYTES);

	if (segment == NULL)
		return NULL;
	segment->magic = SEGMENT_MAGIC;
	segment->kind = SEGMENT_LARGE;
	segment->mapped_bytes = mapped;
	segment->data_offset = offset;
	return (char *)segment + offset;
}

void large_destroy(struct segment *segment)
{
	segment->magic = 0;
	heap_port_unmap(segment, segment->mapped_bytes);
}

void segment_check_invariants(void)
{
	uint32_t empty = 0;

	lock_acquire(&segments_lock);
	for (struct segment *segment = segments_with_room; segment != NULL; segment = segment->next) {
		uint64_t used = 1;
		for (uint32_t i = 1; i < SEGMENT_SLOTS; i++)
			used |= (uint64_t)(segment->spans[i].state != SPAN_NONE) << i;
		if (used != segment->used || used == UINT64_MAX)
			heap_port_panic("invariant G2 or G3", segment);
		empty += used == 1;
	}
	if (empty != segments_empty || empty > 1)
		heap_port_panic("invariant G4", NULL);
	lock_release(&segments_lock);
}
