/* SPDX-License-Identifier: GPL-2.0-only */
/* bootalloc.c - a list of free intervals, carved from the top (see bootalloc.h). */
#include "mm/bootalloc.h"

#define INTERVALS_MAX (BOOT_RANGES_MAX + 16)
/* Firmware data, real-mode vectors, and the page at 0 that NULL would reach. */
#define LOW_BYTES 0x10000ull
#define LOW_LIMIT 0x100000ull     /* what a CPU in real mode can reach */
#define MAPPED_LIMIT (4ull << 30) /* what the entry code has mapped */

struct interval {
	uint64_t base;
	uint64_t end;
	uint32_t node;
};

static struct interval intervals[INTERVALS_MAX];
static uint32_t interval_count;
static uint64_t used_pages;
static uint64_t low_page;
static bool is_open;

static void interval_insert(uint64_t base, uint64_t end, uint32_t node)
{
	if (base >= end || interval_count == INTERVALS_MAX)
		return; /* memory lost is memory not used: no harm */
	intervals[interval_count++] = (struct interval){ base, end, node };
}

/* Take [base, end) out of all intervals. */
static void interval_exclude(uint64_t base, uint64_t end)
{
	base &= ~PAGE_MASK;
	end = (end + PAGE_MASK) & ~PAGE_MASK;
	for (uint32_t i = 0; i < interval_count; i++) {
		struct interval *at = &intervals[i];

		if (base >= at->end || end <= at->base)
			continue;
		if (end < at->end && base > at->base) {
			interval_insert(end, at->end, at->node);
			at->end = base;
		} else if (base > at->base) {
			at->end = base;
		} else {
			at->base = end < at->end ? end : at->end;
		}
	}
}

static void intervals_sort(void)
{
	for (uint32_t i = 1; i < interval_count; i++) {
		struct interval moved = intervals[i];
		uint32_t at = i;

		for (; at > 0 && intervals[at - 1].base > moved.base; at--)
			intervals[at] = intervals[at - 1];
		intervals[at] = moved;
	}
}

void bootalloc_init(const struct boot_info *info)
{
	interval_count = 0;
	used_pages = 0;
	low_page = 0;
	for (uint32_t i = 0; i < info->ranges && i < BOOT_RANGES_MAX; i++) {
		const struct boot_range *range = &info->range[i];

		if (range->type != BOOT_MEMORY_USABLE || range->base > UINT64_MAX - range->bytes)
			continue;
		interval_insert((range->base + PAGE_MASK) & ~PAGE_MASK,
			(range->base + range->bytes) & ~PAGE_MASK, range->node);
	}
	interval_exclude(0, LOW_BYTES);
	if (info->kernel_bytes)
		interval_exclude(info->kernel_base, info->kernel_base + info->kernel_bytes);
	if (info->archive_bytes)
		interval_exclude(info->archive_base, info->archive_base + info->archive_bytes);
	for (uint32_t i = 0; i < interval_count && !low_page; i++) {
		if (intervals[i].base < intervals[i].end && intervals[i].base + PAGE_SIZE <= LOW_LIMIT)
			low_page = intervals[i].base;
	}
	if (low_page)
		interval_exclude(low_page, low_page + PAGE_SIZE);
	intervals_sort();
	is_open = true;
}

paddr_t bootalloc_low_page(void)
{
	return low_page ? PADDR(low_page) : PADDR_NONE;
}

bool bootalloc_is_open(void)
{
	return is_open;
}

uint64_t bootalloc_used_pages(void)
{
	return used_pages;
}

paddr_t bootalloc_pages(uint64_t pages)
{
	uint64_t bytes = pages << PAGE_SHIFT;

	ASSERT(is_open && pages);
	for (uint32_t i = interval_count; i-- > 0;) {
		struct interval *at = &intervals[i];
		uint64_t end = at->end < MAPPED_LIMIT ? at->end : MAPPED_LIMIT;
		uint64_t base = end - bytes;

		if (at->base >= end || end - at->base < bytes)
			continue;
		if (end < at->end) /* what lies above the limit becomes an interval of its own */
			interval_insert(end, at->end, at->node);
		at->end = base;
		used_pages += pages;
		__builtin_memset(phys_to_virt(PADDR(base)), 0, bytes);
		return PADDR(base);
	}
	panic("not enough memory below 4 GiB to start: %llu pages wanted", (unsigned long long)pages);
}

void bootalloc_hand_over(
	void (*give)(uint64_t base, uint64_t bytes, uint32_t node, void *context), void *context)
{
	is_open = false;
	intervals_sort();
	for (uint32_t i = 0; i < interval_count; i++) {
		if (intervals[i].base < intervals[i].end)
			give(intervals[i].base, intervals[i].end - intervals[i].base, intervals[i].node,
				context);
	}
	interval_count = 0;
}
