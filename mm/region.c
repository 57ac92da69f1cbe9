/* SPDX-License-Identifier: GPL-2.0-only */
/* region.c - regions and the immutable tables of them (see region.h for R1 and R2). */
#include "mm/region.h"
#include "mm/space.h"

#define TABLE_SMALL 30u   /* 256 bytes */
#define TABLE_MIDDLE 126u /* 1 KiB */

static struct pool region_pool;
static struct pool table_small_pool;
static struct pool table_middle_pool;

static size_t table_bytes(uint32_t capacity)
{
	return sizeof(struct region_table) + capacity * sizeof(struct region *);
}

void region_init_pools(void)
{
	pool_init(&region_pool, "region", sizeof(struct region));
	pool_init(&table_small_pool, "region table 30", table_bytes(TABLE_SMALL));
	pool_init(&table_middle_pool, "region table 126", table_bytes(TABLE_MIDDLE));
}

uint64_t region_count(void)
{
	return pool_count(&region_pool);
}

uint32_t region_index(const struct region_table *table, uint64_t address)
{
	uint32_t low = 0;
	uint32_t high = table ? table->count : 0;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct region *region = table->region[middle];

		if (address - region->base < region->bytes || address < region->base)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

struct region *region_find(const struct region_table *table, uint64_t address)
{
	uint32_t index = region_index(table, address);

	if (!table || index == table->count || table->region[index]->base > address)
		return NULL;
	return table->region[index];
}

/* What a region keeps others out of: itself and its guard pages. */
static uint64_t fence_first(const struct region *region)
{
	return region->base - (region->flags & SPACE_GUARD ? PAGE_SIZE : 0);
}

static uint64_t fence_end(const struct region *region)
{
	return region->base + region->bytes + (region->flags & SPACE_GUARD ? PAGE_SIZE : 0);
}

/* Is there a region in the way of [first, end)? Its fence's end then, else 0. */
static uint64_t obstacle_end(const struct region_table *table, uint64_t first, uint64_t end)
{
	uint32_t index = region_index(table, first > PAGE_SIZE ? first - PAGE_SIZE : 0);

	for (; table && index < table->count; index++) {
		const struct region *region = table->region[index];

		if (region->base >= end + PAGE_SIZE)
			break;
		if (fence_first(region) < end && first < fence_end(region))
			return fence_end(region);
	}
	return 0;
}

bool region_is_free(const struct region_table *table, uint64_t base, uint64_t bytes, bool guard)
{
	uint64_t margin = guard ? PAGE_SIZE : 0;

	/* Of two guard pages that meet, one may hold nothing and the other neither: they may be the same page. */
	return !obstacle_end(table, base, base + bytes) &&
		   (!guard || (region_index(table, base - margin) ==
							  region_index(table, base + bytes + margin - 1) &&
						  !region_find(table, base + bytes + margin - 1)));
}

err_t region_find_gap(const struct region_table *table, uint64_t from, uint64_t bytes,
	uint64_t alignment, uint64_t skew, bool guard, uint64_t *out)
{
	uint64_t margin = guard ? PAGE_SIZE : 0;
	uint64_t at = from < USER_BASE + margin ? USER_BASE + margin : from;

	for (;;) {
		uint64_t next;

		at = (at - skew % alignment + alignment - 1) / alignment * alignment + skew % alignment;
		if (at >= USER_END || bytes > USER_END - at || margin > USER_END - at - bytes)
			return ERR_NO_MEMORY;
		if (at - margin < WINDOW_END && at + bytes + margin > WINDOW_BASE) {
			at = WINDOW_END + margin;
			continue;
		}
		next = obstacle_end(table, at - margin, at + bytes + margin);
		if (!next) {
			*out = at;
			return OK;
		}
		at = next + margin;
	}
}

err_t region_create(struct space *space, uint64_t base, uint64_t bytes, struct vmo *vmo,
	uint64_t offset, uint32_t flags, uint32_t max_rights, struct region **out)
{
	struct region *region = pool_alloc_raw(&region_pool);

	if (!region)
		return ERR_NO_MEMORY;
	*region = (struct region){
		.base = base,
		.bytes = bytes,
		.offset = offset,
		.vmo = vmo,
		.space = space,
		.flags = flags & (SPACE_READ | SPACE_WRITE | SPACE_EXECUTE | SPACE_GUARD | SPACE_LARGE),
		.max_rights = max_rights,
	};
	vmo_ref(vmo);
	spin_lock(&vmo->lock);
	region->vmo_next = vmo->regions;
	region->vmo_link = &vmo->regions;
	if (region->vmo_next)
		region->vmo_next->vmo_link = &region->vmo_next;
	vmo->regions = region;
	spin_unlock(&vmo->lock);
	*out = region;
	return OK;
}

void region_unlist(struct region *region)
{
	spin_lock(&region->vmo->lock);
	if (region->vmo_link) {
		*region->vmo_link = region->vmo_next;
		if (region->vmo_next)
			region->vmo_next->vmo_link = region->vmo_link;
		region->vmo_link = NULL;
	}
	spin_unlock(&region->vmo->lock);
}

void region_destroy(struct region *region)
{
	struct vmo *vmo = region->vmo;

	region_unlist(region);
	pool_free(&region_pool, region);
	vmo_unref(vmo);
}

err_t region_table_create(uint32_t capacity, struct region_table **out)
{
	struct region_table *table;
	paddr_t run;
	uint64_t pages = (table_bytes(capacity) + PAGE_MASK) >> PAGE_SHIFT;
	err_t err;

	if (capacity > REGIONS_MAX)
		return ERR_LIMIT;
	if (capacity <= TABLE_MIDDLE) {
		capacity = capacity <= TABLE_SMALL ? TABLE_SMALL : TABLE_MIDDLE;
		table = pool_alloc_raw(capacity == TABLE_SMALL ? &table_small_pool : &table_middle_pool);
		if (!table)
			return ERR_NO_MEMORY;
		pages = 0;
	} else {
		err = frame_alloc_run(NULL, pages, &run);
		if (err != OK)
			return err;
		table = phys_to_virt(run);
	}
	table->count = 0;
	table->capacity = capacity;
	table->pages = pages;
	*out = table;
	return OK;
}

void region_table_destroy(struct region_table *table)
{
	if (!table)
		return;
	if (table->pages)
		frame_free_run(NULL, virt_to_phys(table), table->pages);
	else
		pool_free(table->capacity == TABLE_SMALL ? &table_small_pool : &table_middle_pool, table);
}

bool region_table_check(const struct region_table *table)
{
	uint64_t end = USER_BASE;

	for (uint32_t i = 0; table && i < table->count; i++) {
		const struct region *region = table->region[i];

		if (region->base < end || !region->bytes ||
			((region->base | region->bytes | region->offset) & PAGE_MASK) ||
			region->bytes > USER_END - region->base)
			return false;
		if ((region->flags & SPACE_WRITE) && (region->flags & SPACE_EXECUTE))
			return false;
		end = region->base + region->bytes;
	}
	return true;
}
