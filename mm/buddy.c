/* SPDX-License-Identifier: GPL-2.0-only */
/* buddy.c - blocks of a RAM zone. See buddy.h for B1-B3; extent.c does the blocks inside one
 * extent. */
#include "mm/buddy.h"

#define EXTENTS_ORDER_MAX (ZONE_ORDERS - 1)

void buddy_list_add(struct zone *zone, uint32_t order, uint32_t index)
{
	struct extent *extent = extent_get(zone, index);

	extent->next = zone->list[order];
	extent->previous = EXTENT_NONE;
	if (extent->next != EXTENT_NONE)
		extent_get(zone, extent->next)->previous = index;
	zone->list[order] = index;
}

void buddy_list_remove(struct zone *zone, uint32_t order, uint32_t index)
{
	struct extent *extent = extent_get(zone, index);

	if (extent->previous == EXTENT_NONE)
		zone->list[order] = extent->next;
	else
		extent_get(zone, extent->previous)->next = extent->next;
	if (extent->next != EXTENT_NONE)
		extent_get(zone, extent->next)->previous = extent->previous;
}

/* Set the states of a block of whole extents; `head` is the state of the first. */
static void extents_mark(
	struct zone *zone, uint32_t index, uint32_t order, uint8_t head, uint8_t rest)
{
	for (uint32_t i = 0; i < 1u << (order - EXTENT_ORDER); i++) {
		struct extent *extent = extent_get(zone, index + i);

		extent->state = i ? rest : head;
		extent->order = (uint8_t)order;
	}
}

/* A block of whole extents, all ALLOCATED; EXTENT_NONE: none is left. */
static uint32_t extents_take(struct zone *zone, uint32_t order) TA_EXCL(zone->lock)
{
	uint32_t from = order;
	uint32_t index;

	while (from <= EXTENTS_ORDER_MAX && zone->list[from] == EXTENT_NONE)
		from++;
	if (from > EXTENTS_ORDER_MAX)
		return EXTENT_NONE;
	index = zone->list[from];
	buddy_list_remove(zone, from, index);
	while (from > order) {
		uint32_t half;

		from--;
		half = index + (1u << (from - EXTENT_ORDER));
		extents_mark(zone, half, from, EXTENT_FREE, EXTENT_FREE_PART);
		buddy_list_add(zone, from, half);
	}
	extents_mark(zone, index, order, EXTENT_ALLOCATED, EXTENT_ALLOCATED);
	zone->free_pages -= 1ull << order;
	return index;
}

static void extents_give(struct zone *zone, uint32_t index, uint32_t order) TA_EXCL(zone->lock)
{
	zone->free_pages += 1ull << order;
	while (order < EXTENTS_ORDER_MAX) {
		uint32_t other = index ^ (1u << (order - EXTENT_ORDER));
		struct extent *buddy = extent_get(zone, other);

		if (!buddy || buddy->state != EXTENT_FREE || buddy->order != order)
			break;
		buddy_list_remove(zone, order, other);
		index &= other;
		order++;
	}
	extents_mark(zone, index, order, EXTENT_FREE, EXTENT_FREE_PART);
	buddy_list_add(zone, order, index);
}

/* Put a SPLIT extent into the list of its largest free order, out of that of `old`. */
static void split_relist(struct zone *zone, uint32_t index, uint32_t old) TA_EXCL(zone->lock)
{
	uint32_t now = extent_get(zone, index)->order;

	if (old == now)
		return;
	if (old < EXTENT_ORDER)
		buddy_list_remove(zone, old, index);
	if (now < EXTENT_ORDER)
		buddy_list_add(zone, now, index);
}

/* A SPLIT extent with a free block of at least that order; splits a whole one if it must. */
static uint32_t split_find(struct zone *zone, uint32_t order) TA_EXCL(zone->lock)
{
	uint32_t index;

	for (uint32_t at = order; at < EXTENT_ORDER; at++)
		if (zone->list[at] != EXTENT_NONE)
			return zone->list[at];
	index = extents_take(zone, EXTENT_ORDER);
	if (index == EXTENT_NONE)
		return EXTENT_NONE;
	extent_split(zone, index, 0);
	extent_give_range(zone, index, 1, EXTENT_PAGES - 1);
	zone->split_extents++;
	zone->free_pages += EXTENT_PAGES - 1;
	split_relist(zone, index, EXTENT_ORDER);
	return index;
}

static uint64_t split_take(struct zone *zone, uint32_t index, uint32_t order) TA_EXCL(zone->lock)
{
	uint32_t old = extent_get(zone, index)->order;
	uint16_t page = extent_take(zone, index, order);

	split_relist(zone, index, old);
	zone->free_pages -= 1ull << order;
	zone->allocated_pages += 1ull << order;
	return (uint64_t)index * EXTENT_PAGES + page;
}

uint64_t buddy_alloc_up_to(struct zone *zone, uint32_t order_max, uint32_t *order)
{
	uint32_t index = split_find(zone, 0);
	uint32_t largest;

	if (index == EXTENT_NONE)
		return BUDDY_NONE;
	largest = extent_get(zone, index)->order;
	*order = largest < order_max ? largest : order_max;
	return split_take(zone, index, *order);
}

uint64_t buddy_alloc(struct zone *zone, uint32_t order)
{
	uint32_t index;

	if (order >= ZONE_ORDERS)
		return BUDDY_NONE;
	if (order >= EXTENT_ORDER) {
		index = extents_take(zone, order);
		if (index == EXTENT_NONE)
			return BUDDY_NONE;
		zone->allocated_pages += 1ull << order;
		return (uint64_t)index * EXTENT_PAGES;
	}
	index = split_find(zone, order);
	return index == EXTENT_NONE ? BUDDY_NONE : split_take(zone, index, order);
}

static void split_free(struct zone *zone, uint32_t index, uint16_t page, uint32_t order)
	TA_EXCL(zone->lock)
{
	struct extent *extent = extent_get(zone, index);
	struct page *pages;
	uint32_t old;

	ASSERT(extent && extent->state == EXTENT_SPLIT);
	pages = extent_pages(zone, index);
	for (uint32_t i = 0; i < 1u << order; i++)
		ASSERT(pages[page + i].state == PAGE_ALLOCATED);
	old = extent->order;
	extent_give(zone, index, page, order);
	zone->free_pages += 1ull << order;
	if (extent->free_pages < EXTENT_PAGES - 1) {
		split_relist(zone, index, old);
		return;
	}
	/* Only the descriptors are left: the extent is whole again. */
	if (old < EXTENT_ORDER)
		buddy_list_remove(zone, old, index);
	zone->split_extents--;
	zone->free_pages -= EXTENT_PAGES - 1;
	extents_give(zone, index, EXTENT_ORDER);
}

void buddy_free(struct zone *zone, uint64_t page, uint32_t order)
{
	uint32_t index = (uint32_t)(page / EXTENT_PAGES);

	ASSERT(order < ZONE_ORDERS && !(page & ((1ull << order) - 1)));
	zone->allocated_pages -= 1ull << order;
	if (order < EXTENT_ORDER) {
		split_free(zone, index, (uint16_t)(page % EXTENT_PAGES), order);
		return;
	}
	for (uint32_t i = 0; i < 1u << (order - EXTENT_ORDER); i++) {
		struct extent *extent = extent_get(zone, index + i);

		ASSERT(extent && extent->state == EXTENT_ALLOCATED);
	}
	extents_give(zone, index, order);
}

static bool buddy_check_list(struct zone *zone, uint32_t order, uint64_t *sum)
{
	uint32_t previous = EXTENT_NONE;

	for (uint32_t index = zone->list[order]; index != EXTENT_NONE;) {
		struct extent *extent = extent_get(zone, index);

		if (!extent || extent->previous != previous || extent->order != order)
			return false;
		if (extent->state != (order < EXTENT_ORDER ? EXTENT_SPLIT : EXTENT_FREE))
			return false;
		*sum += order < EXTENT_ORDER ? extent->free_pages : 1ull << order;
		previous = index;
		index = extent->next;
	}
	return true;
}

bool buddy_check(struct zone *zone)
{
	uint64_t sum = 0;
	uint64_t split = 0;
	uint64_t returnable = 0;

	for (uint32_t order = 0; order < ZONE_ORDERS; order++)
		if (!buddy_check_list(zone, order, &sum))
			return false;
	for (uint32_t index = 0; index < zone->extents; index++) {
		struct extent *extent = extent_get(zone, index);

		if (!extent || extent->state != EXTENT_SPLIT)
			continue;
		if (!extent_check(zone, index))
			return false;
		split++;
		returnable += extent_reserved(zone, index) == 1;
	}
	return sum == zone->free_pages && split == zone->split_extents &&
		   zone->managed_pages == zone->allocated_pages + zone->free_pages + returnable;
}
