/* SPDX-License-Identifier: GPL-2.0-only */
/* zone.c - the table of zones. See zone.h for Z1 and Z2.
 * Zones are only ever added; a new one is complete before the count that makes it visible goes up. */
#include "mm/zone.h"
#include "mm/bootalloc.h"
#include "mm/buddy.h"
#include "mm/frame.h"

#define ZONE_BYTES_MAX (64ull << 40)

static struct spinlock zones_lock =
	SPINLOCK_INIT(LOCK_RANK_SPACE); /* zone_add allocates under it */
static struct zone zones[ZONES_MAX];
static uint32_t zones_used; /* [a] */

uint32_t zone_count(void)
{
	return __atomic_load_n(&zones_used, __ATOMIC_ACQUIRE);
}

struct zone *zone_get(uint32_t index)
{
	return index < zone_count() ? &zones[index] : NULL;
}

struct zone *zone_find(paddr_t address)
{
	uint32_t count = zone_count();

	for (uint32_t i = 0; i < count; i++)
		if (address.v - zones[i].base < zones[i].bytes)
			return &zones[i];
	return NULL;
}

void zones_reset(void)
{
	__atomic_store_n(&zones_used, 0, __ATOMIC_RELEASE);
}

static uint64_t zone_table_pages(const struct zone *zone)
{
	uint64_t chunks = (zone->extents + EXTENT_CHUNK - 1) / EXTENT_CHUNK;

	return (chunks * sizeof(struct extent *) + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

/* The table of chunks; all NULL. */
static err_t zone_make_table(struct zone *zone)
{
	uint64_t pages = zone_table_pages(zone);
	paddr_t table;
	err_t err;

	if (bootalloc_is_open()) {
		table = bootalloc_pages(pages);
	} else {
		err = frame_alloc_run(NULL, pages, &table);
		if (err != OK)
			return err;
	}
	zone->chunk = phys_to_virt(table);
	__builtin_memset(zone->chunk, 0, pages << PAGE_SHIFT);
	return OK;
}

static err_t zone_add_locked(struct zone *zone, uint64_t base, uint64_t bytes)
{
	uint32_t count = zone_count();

	for (uint32_t i = 0; i < count; i++)
		if (base < zones[i].base + zones[i].bytes && zones[i].base < base + bytes)
			return ERR_EXISTS;
	*zone = (struct zone){
		.base = base, .bytes = bytes, .start = base & ~(HUGE_PAGE_SIZE - 1), .index = count
	};
	zone->extents = (uint32_t)((base + bytes - zone->start + LARGE_PAGE_SIZE - 1) >> EXTENT_SHIFT);
	for (uint32_t order = 0; order < ZONE_ORDERS; order++)
		zone->list[order] = EXTENT_NONE;
	spin_init(&zone->lock, LOCK_RANK_ZONE);
	return zone_make_table(zone);
}

err_t zone_add(enum zone_kind kind, uint64_t base, uint64_t bytes, uint32_t node, const char *name,
	struct zone **out)
{
	struct zone *zone;
	uint32_t count;
	err_t err = ERR_LIMIT;

	if (!bytes || ((base | bytes) & PAGE_MASK) || bytes > ZONE_BYTES_MAX ||
		base > UINT64_MAX - bytes)
		return ERR_ARGS;
	spin_lock(&zones_lock);
	count = zone_count();
	if (count < ZONES_MAX)
		err = zone_add_locked(&zones[count], base, bytes);
	if (err == OK) {
		zone = &zones[count];
		zone->kind = kind;
		zone->node = node;
		for (size_t i = 0; i < sizeof(zone->name) - 1 && name[i]; i++)
			zone->name[i] = name[i];
		__atomic_store_n(&zones_used, zone->index + 1, __ATOMIC_RELEASE);
		*out = zone;
	}
	spin_unlock(&zones_lock);
	return err;
}

static bool zone_holds(const struct zone *zone, uint64_t base, uint64_t bytes)
{
	return bytes && !((base | bytes) & PAGE_MASK) && base >= zone->base && bytes <= zone->bytes &&
		   base - zone->base <= zone->bytes - bytes;
}

err_t zone_reserve(struct zone *zone, uint64_t base, uint64_t bytes)
{
	uint32_t last;

	if (!zone_holds(zone, base, bytes))
		return ERR_ARGS;
	last = (uint32_t)((base + bytes - 1 - zone->start) >> EXTENT_SHIFT);
	for (uint32_t i = (uint32_t)((base - zone->start) >> EXTENT_SHIFT); i <= last; i++) {
		err_t err = extent_reserve(zone, i);

		if (err != OK)
			return err;
	}
	return OK;
}

/* Pages [first, +count) of extent `index` become memory of the buddy. */
static void zone_populate_extent(struct zone *zone, uint32_t index, uint32_t first, uint32_t count)
	TA_EXCL(zone->lock)
{
	struct extent *extent = extent_get(zone, index);
	uint32_t order = EXTENT_ORDER;

	if (count == EXTENT_PAGES) {
		ASSERT(extent->state == EXTENT_HOLE);
		extent->state = EXTENT_ALLOCATED;
		zone->managed_pages += EXTENT_PAGES;
		zone->allocated_pages += EXTENT_PAGES;
		buddy_free(zone, (uint64_t)index * EXTENT_PAGES, EXTENT_ORDER);
		return;
	}
	if (extent->state == EXTENT_HOLE) {
		extent_split(zone, index, (uint16_t)first);
		zone->split_extents++;
		first++;
		count--;
	} else {
		ASSERT(extent->state == EXTENT_SPLIT);
		order = extent->order;
	}
	extent_give_range(zone, index, first, count);
	zone->managed_pages += count;
	zone->free_pages += count;
	if (count && extent_reserved(zone, index) == 1)
		zone->managed_pages++; /* full now: the page of descriptors will come back, too */
	if (order != extent->order) {
		if (order < EXTENT_ORDER)
			buddy_list_remove(zone, order, index);
		if (extent->order < EXTENT_ORDER)
			buddy_list_add(zone, extent->order, index);
	}
}

err_t zone_populate(struct zone *zone, uint64_t base, uint64_t bytes)
{
	uint64_t page;
	uint64_t end;
	err_t err;

	if (zone->kind != ZONE_RAM)
		return ERR_ARGS;
	err = zone_reserve(zone, base, bytes);
	if (err != OK)
		return err;
	page = (base - zone->start) >> PAGE_SHIFT;
	end = page + (bytes >> PAGE_SHIFT);
	spin_lock(&zone->lock);
	while (page < end) {
		uint32_t first = (uint32_t)(page % EXTENT_PAGES);
		uint32_t count = EXTENT_PAGES - first;

		if (count > end - page)
			count = (uint32_t)(end - page);
		zone_populate_extent(zone, (uint32_t)(page / EXTENT_PAGES), first, count);
		page += count;
	}
	spin_unlock(&zone->lock);
	return OK;
}

void zone_info(struct zone *zone, struct info_zone *out)
{
	uint64_t first = zone->base >> EXTENT_SHIFT;
	uint64_t last = (zone->base + zone->bytes - 1) >> EXTENT_SHIFT;

	spin_lock(&zone->lock);
	*out = (struct info_zone){
		.kind = zone->kind,
		.node = zone->node,
		.base = zone->base,
		.bytes = zone->bytes,
		.used_pages = zone->kind == ZONE_RAM ? zone->allocated_pages
											 : __atomic_load_n(&zone->used_pages, __ATOMIC_RELAXED),
		.extents = last - first + 1,
		.extents_split = zone->split_extents,
		.metadata_bytes =
			(zone_table_pages(zone) + __atomic_load_n(&zone->chunks_made, __ATOMIC_RELAXED) +
				zone->split_extents)
			<< PAGE_SHIFT,
	};
	spin_unlock(&zone->lock);
	__builtin_memcpy(out->name, zone->name, sizeof(out->name));
}

bool zone_check(struct zone *zone)
{
	bool good = true;

	for (uint32_t i = 0; i < zone_count(); i++)
		if (&zones[i] != zone && zone->base < zones[i].base + zones[i].bytes &&
			zones[i].base < zone->base + zone->bytes)
			good = false;
	spin_lock(&zone->lock);
	if (zone->kind == ZONE_RAM)
		good = good && buddy_check(zone);
	else
		good = good && !zone->managed_pages && !zone->allocated_pages && !zone->free_pages;
	spin_unlock(&zone->lock);
	return good;
}
