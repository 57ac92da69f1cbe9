/* SPDX-License-Identifier: GPL-2.0-only */
/* mm.c - the start of mm/ in order, and the things that concern all of it. */
#include "mm/mm.h"
#include "mm/account.h"
#include "mm/frame.h"
#include "mm/kernel_space.h"
#include "mm/pool.h"
#include "mm/space.h"
#include "mm/window.h"
#include "mm/zone.h"

#define ZONE_GAP_MAX (64ull << 20) /* ranges of one node that are nearer than this share a zone */

/* "ram0", "pmem12". */
static void zone_name(char *out, const char *kind, uint32_t number)
{
	while (*kind)
		*out++ = *kind++;
	if (number >= 10)
		*out++ = (char)('0' + number / 10);
	*out++ = (char)('0' + number % 10);
	*out = 0;
}

static bool range_is_ram(const struct boot_range *range)
{
	return range->type == BOOT_MEMORY_USABLE && range->bytes >= PAGE_SIZE &&
		   range->base < DIRECT_MAP_BYTES && range->bytes <= DIRECT_MAP_BYTES - range->base;
}

static bool pmem_between(const struct boot_info *info, uint64_t base, uint64_t end)
{
	for (uint32_t i = 0; i < info->pmems; i++)
		if (info->pmem[i].base < end && base < info->pmem[i].base + info->pmem[i].bytes)
			return true;
	return false;
}

static void ram_zone_add(uint32_t number, uint64_t base, uint64_t end, uint32_t node)
{
	struct zone *zone;
	char name[16];
	err_t err;

	zone_name(name, "ram", number);
	err = zone_add(ZONE_RAM, base, end - base, node, name, &zone);
	if (err == OK)
		err = zone_reserve(zone, base, end - base);
	if (err != OK)
		log_line("mm: RAM zone %s at %llx is lost: error %d", name, (unsigned long long)base, err);
}

/* One zone for each run of neighbouring usable ranges of a node; info->range is sorted. */
static void ram_zones_add(const struct boot_info *info)
{
	uint64_t base = 0;
	uint64_t end = 0;
	uint32_t node = 0;
	uint32_t number = 0;

	for (uint32_t i = 0; i < info->ranges; i++) {
		const struct boot_range *range = &info->range[i];

		if (!range_is_ram(range))
			continue;
		if (end && range->node == node && range->base - end <= ZONE_GAP_MAX &&
			!pmem_between(info, base, range->base + range->bytes)) {
			end = (range->base + range->bytes) & ~PAGE_MASK;
			continue;
		}
		if (end)
			ram_zone_add(number++, base, end, node);
		base = (range->base + PAGE_MASK) & ~PAGE_MASK;
		end = (range->base + range->bytes) & ~PAGE_MASK;
		node = range->node;
	}
	if (end)
		ram_zone_add(number, base, end, node);
}

static void pmem_zones_add(const struct boot_info *info)
{
	uint32_t number = 0;

	for (uint32_t i = 0; i < info->pmems; i++) {
		uint64_t base = (info->pmem[i].base + PAGE_MASK) & ~PAGE_MASK;
		uint64_t end = (info->pmem[i].base + info->pmem[i].bytes) & ~PAGE_MASK;
		struct zone *zone;
		char name[16];
		err_t err = ERR_ARGS;

		zone_name(name, "pmem", number);
		if (base < end && end <= DIRECT_MAP_BYTES)
			err = zone_add(ZONE_PMEM, base, end - base, info->pmem[i].node, name, &zone);
		if (err != OK) {
			log_line("mm: pmem at %llx, %llu bytes, is not used: error %d",
				(unsigned long long)info->pmem[i].base, (unsigned long long)info->pmem[i].bytes,
				err);
			continue;
		}
		kernel_space_map_direct(base, end - base);
		number++;
	}
}

static void give_range(uint64_t base, uint64_t bytes, uint32_t node, void *context)
{
	struct zone *zone = zone_find(PADDR(base));

	(void)node;
	(void)context;
	if (!zone || zone_populate(zone, base, bytes) != OK)
		log_line(
			"mm: %llu bytes at %llx are lost", (unsigned long long)bytes, (unsigned long long)base);
}

void mm_init_pools(void)
{
	account_init_pool();
	vmo_init_pools();
	region_init_pools();
	space_init_pools();
}

void mm_init(const struct boot_info *info)
{
	bootalloc_init(info);
	kernel_space_init(info);
	for (uint32_t cpu = 0; cpu < info->cpus && cpu < CPUS_MAX; cpu++)
		frame_set_cpu_node(cpu, info->cpu[cpu].node);
	ram_zones_add(info);
	pmem_zones_add(info);
	/* From here on memory above 4 GiB can be reached, which populating a zone may need. */
	kernel_root_fill(phys_to_virt(PADDR(root_current())));
	tlb_local_global();
	bootalloc_hand_over(give_range, NULL);
	mm_init_pools();
}

void mm_reclaim(void)
{
	kstacks_reclaim();
	pools_reclaim();
	frame_caches_drain();
}

bool mm_check(void)
{
	return frame_check() && kernel_space_check();
}
