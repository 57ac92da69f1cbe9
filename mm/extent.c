/* SPDX-License-Identifier: GPL-2.0-only */
/* extent.c - extent descriptors and the blocks of 4 KiB to 1 MiB inside one SPLIT extent (see
 * extent.h). Free blocks of an order hang in a list through their page descriptors, by 16-bit page
 * numbers; free memory itself is never touched. */
#include "mm/extent.h"
#include "mm/bootalloc.h"
#include "mm/frame.h"
#include "mm/zone.h"

struct extent *extent_get(struct zone *zone, uint32_t index)
{
	struct extent *chunk;

	if (index >= zone->extents)
		return NULL;
	chunk = __atomic_load_n(&zone->chunk[index / EXTENT_CHUNK], __ATOMIC_ACQUIRE);
	return chunk ? &chunk[index % EXTENT_CHUNK] : NULL;
}

err_t extent_reserve(struct zone *zone, uint32_t index)
{
	struct extent **slot = &zone->chunk[index / EXTENT_CHUNK];
	struct extent *none = NULL;
	paddr_t frame;
	err_t err;

	if (__atomic_load_n(slot, __ATOMIC_ACQUIRE))
		return OK;
	if (bootalloc_is_open()) {
		frame = bootalloc_pages(1);
	} else {
		err = frame_alloc_zeroed(NULL, &frame);
		if (err != OK)
			return err;
	}
	if (__atomic_compare_exchange_n(slot, &none, (struct extent *)phys_to_virt(frame), false,
			__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		__atomic_fetch_add(&zone->chunks_made, 1, __ATOMIC_RELAXED);
	else
		frame_free(NULL, frame); /* someone was faster, which cannot be at boot */
	return OK;
}

struct page *extent_pages(struct zone *zone, uint32_t index)
{
	struct extent *extent = extent_get(zone, index);

	DASSERT(extent->state == EXTENT_SPLIT);
	return phys_to_virt(PADDR(zone->start + ((uint64_t)index << EXTENT_SHIFT) +
							  ((uint64_t)extent->descriptors << PAGE_SHIFT)));
}

static void block_add(struct extent *extent, struct page *pages, uint32_t order, uint16_t page)
{
	uint16_t head = extent->head[order];

	pages[page] = (struct page){
		.state = PAGE_FREE, .order = (uint8_t)order, .next = head, .previous = PAGE_NONE
	};
	if (head != PAGE_NONE)
		pages[head].previous = page;
	extent->head[order] = page;
}

static void block_remove(struct extent *extent, struct page *pages, uint32_t order, uint16_t page)
{
	uint16_t next = pages[page].next;
	uint16_t previous = pages[page].previous;

	if (previous == PAGE_NONE)
		extent->head[order] = next;
	else
		pages[previous].next = next;
	if (next != PAGE_NONE)
		pages[next].previous = previous;
	pages[page].state = PAGE_FREE_PART;
}

static void extent_set_order(struct extent *extent)
{
	uint32_t order = EXTENT_ORDER;

	while (order > 0 && extent->head[order - 1] == PAGE_NONE)
		order--;
	extent->order = order ? (uint8_t)(order - 1) : EXTENT_ORDER;
}

void extent_split(struct zone *zone, uint32_t index, uint16_t descriptors)
{
	struct extent *extent = extent_get(zone, index);

	extent->state = EXTENT_SPLIT;
	extent->order = EXTENT_ORDER;
	extent->free_pages = 0;
	extent->descriptors = descriptors;
	for (uint32_t order = 0; order < EXTENT_ORDER; order++)
		extent->head[order] = PAGE_NONE;
	__builtin_memset(extent_pages(zone, index), 0, PAGE_SIZE); /* PAGE_RESERVED */
}

uint16_t extent_take(struct zone *zone, uint32_t index, uint32_t order)
{
	struct extent *extent = extent_get(zone, index);
	struct page *pages = extent_pages(zone, index);
	uint32_t from = order;
	uint16_t page;

	while (extent->head[from] == PAGE_NONE)
		from++;
	page = extent->head[from];
	block_remove(extent, pages, from, page);
	while (from > order) {
		from--;
		block_add(extent, pages, from, (uint16_t)(page + (1u << from)));
	}
	for (uint32_t i = 0; i < 1u << order; i++)
		pages[page + i].state = PAGE_ALLOCATED;
	extent->free_pages = (uint16_t)(extent->free_pages - (1u << order));
	extent_set_order(extent);
	return page;
}

void extent_give(struct zone *zone, uint32_t index, uint16_t page, uint32_t order)
{
	struct extent *extent = extent_get(zone, index);
	struct page *pages = extent_pages(zone, index);

	for (uint32_t i = 0; i < 1u << order; i++)
		pages[page + i].state = PAGE_FREE_PART;
	extent->free_pages = (uint16_t)(extent->free_pages + (1u << order));
	while (order < EXTENT_ORDER - 1) {
		uint16_t buddy = (uint16_t)(page ^ (1u << order));

		if (pages[buddy].state != PAGE_FREE || pages[buddy].order != order)
			break;
		block_remove(extent, pages, order, buddy);
		page = page & buddy;
		order++;
	}
	block_add(extent, pages, order, page);
	extent_set_order(extent);
}

void extent_give_range(struct zone *zone, uint32_t index, uint32_t first, uint32_t count)
{
	while (count) {
		uint32_t order = first ? (uint32_t)__builtin_ctz(first) : EXTENT_ORDER - 1;

		if (order > EXTENT_ORDER - 1)
			order = EXTENT_ORDER - 1;
		while (1u << order > count)
			order--;
		extent_give(zone, index, (uint16_t)first, order);
		first += 1u << order;
		count -= 1u << order;
	}
}

uint32_t extent_reserved(struct zone *zone, uint32_t index)
{
	struct page *pages = extent_pages(zone, index);
	uint32_t reserved = 0;

	for (uint32_t i = 0; i < EXTENT_PAGES; i++)
		reserved += pages[i].state == PAGE_RESERVED;
	return reserved;
}

/* The free blocks of one order: right states, aligned, no free buddy (B1). Returns their pages, or
 * UINT32_MAX. */
static uint32_t extent_check_order(struct extent *extent, struct page *pages, uint32_t order)
{
	uint32_t sum = 0;
	uint16_t previous = PAGE_NONE;

	for (uint16_t page = extent->head[order]; page != PAGE_NONE; page = pages[page].next) {
		uint32_t buddy = page ^ (1u << order);

		if (page >= EXTENT_PAGES || (page & ((1u << order) - 1)) ||
			pages[page].state != PAGE_FREE || pages[page].order != order ||
			pages[page].previous != previous)
			return UINT32_MAX;
		if (order < EXTENT_ORDER - 1 && pages[buddy].state == PAGE_FREE &&
			pages[buddy].order == order)
			return UINT32_MAX;
		for (uint32_t i = 1; i < 1u << order; i++)
			if (pages[page + i].state != PAGE_FREE_PART)
				return UINT32_MAX;
		sum += 1u << order;
		previous = page;
	}
	return sum;
}

bool extent_check(struct zone *zone, uint32_t index)
{
	struct extent *extent = extent_get(zone, index);
	struct page *pages;
	uint32_t sum = 0;
	uint32_t free = 0;
	uint8_t order = extent ? extent->order : 0;

	if (!extent || extent->state != EXTENT_SPLIT)
		return true;
	pages = extent_pages(zone, index);
	for (uint32_t i = 0; i < EXTENT_ORDER; i++) {
		uint32_t part = extent_check_order(extent, pages, i);

		if (part == UINT32_MAX)
			return false;
		sum += part;
	}
	for (uint32_t i = 0; i < EXTENT_PAGES; i++)
		free += pages[i].state == PAGE_FREE || pages[i].state == PAGE_FREE_PART;
	extent_set_order(extent);
	return sum == free && sum == extent->free_pages && order == extent->order &&
		   pages[extent->descriptors].state == PAGE_RESERVED;
}
