/* SPDX-License-Identifier: GPL-2.0-only */
/* ranges.c - one clean memory map out of what loader and firmware say.
 *
 * The borders of all inputs cut the address space into pieces; within a piece nothing changes, so each piece gets the
 * worst type that any input claims for it (BAD, PMEM, RESERVED, ACPI_NVS, ACPI_RECLAIM, USABLE, in this order) and its
 * node. PMEM stands above RESERVED because firmware often hides an NVDIMM as reserved memory.
 * Result: R1 sorted and disjoint; R2 page aligned, USABLE shrunk and the others grown; R3 neighbours differ. */

#include "boot/boot.h"

#define INPUTS_MAX (BOOT_RANGES_MAX + BOOT_PMEM_MAX)
#define BORDERS_MAX (2 * (INPUTS_MAX + BOOT_AFFINITIES_MAX))

struct piece {
	uint64_t base;
	uint64_t end;
	uint32_t type;
};

static struct piece input[INPUTS_MAX];
static uint64_t border[BORDERS_MAX];

static uint32_t badness(uint32_t type)
{
	switch ((enum boot_memory)type) {
	case BOOT_MEMORY_USABLE:
		return 1;
	case BOOT_MEMORY_ACPI_RECLAIM:
		return 2;
	case BOOT_MEMORY_ACPI_NVS:
		return 3;
	case BOOT_MEMORY_RESERVED:
		return 4;
	case BOOT_MEMORY_PMEM:
		return 5;
	case BOOT_MEMORY_BAD:
		return 6;
	}
	return 4;
}

static uint64_t end_of(uint64_t base, uint64_t bytes)
{
	return bytes > PHYSICAL_LIMIT - base ? PHYSICAL_LIMIT : base + bytes;
}

static uint32_t add_input(uint32_t inputs, uint64_t base, uint64_t bytes, uint32_t type)
{
	struct piece *piece = &input[inputs];

	if (!bytes || base >= PHYSICAL_LIMIT)
		return inputs;
	piece->base = base;
	piece->end = end_of(base, bytes);
	piece->type = type;
	if (type == BOOT_MEMORY_USABLE) {
		piece->base = (piece->base + PAGE_MASK) & ~PAGE_MASK;
		piece->end &= ~PAGE_MASK;
	} else {
		piece->base &= ~PAGE_MASK;
		piece->end = (piece->end + PAGE_MASK) & ~PAGE_MASK;
	}
	return piece->base < piece->end ? inputs + 1 : inputs;
}

static uint32_t collect_inputs(const struct boot_raw *raw, const struct boot_info *info)
{
	uint32_t inputs = 0;

	for (uint32_t i = 0; i < raw->ranges && i < BOOT_RANGES_MAX; i++)
		inputs = add_input(inputs, raw->range[i].base, raw->range[i].bytes, raw->range[i].type);
	for (uint32_t i = 0; i < info->pmems; i++)
		inputs = add_input(inputs, info->pmem[i].base, info->pmem[i].bytes, BOOT_MEMORY_PMEM);
	return inputs;
}

/* Shell sort: a few hundred numbers, once. */
static void sort(uint64_t *number, uint32_t count)
{
	for (uint32_t gap = count / 2; gap; gap /= 2) {
		for (uint32_t i = gap; i < count; i++) {
			uint64_t moving = number[i];
			uint32_t j = i;

			for (; j >= gap && number[j - gap] > moving; j -= gap)
				number[j] = number[j - gap];
			number[j] = moving;
		}
	}
}

static uint32_t collect_borders(const struct boot_info *info, uint32_t inputs)
{
	uint32_t borders = 0;

	for (uint32_t i = 0; i < inputs; i++) {
		border[borders++] = input[i].base;
		border[borders++] = input[i].end;
	}
	for (uint32_t i = 0; i < info->affinities; i++) {
		border[borders++] = info->affinity[i].base & ~PAGE_MASK;
		border[borders++] = end_of(info->affinity[i].base, info->affinity[i].bytes) & ~PAGE_MASK;
	}
	sort(border, borders);
	return borders;
}

/* 0: nobody knows this piece. */
static uint32_t type_of(uint32_t inputs, uint64_t base)
{
	uint32_t type = 0;

	for (uint32_t i = 0; i < inputs; i++) {
		bool inside = base >= input[i].base && base < input[i].end;

		if (inside && (!type || badness(input[i].type) > badness(type)))
			type = input[i].type;
	}
	return type;
}

/* What is fixed wins over what is reserved for hot plugging. */
static uint32_t affinity_of(const struct boot_info *info, uint64_t base)
{
	uint32_t node = 0;

	for (uint32_t i = 0; i < info->affinities; i++) {
		const struct boot_affinity *affinity = &info->affinity[i];

		if (base < affinity->base || base - affinity->base >= affinity->bytes)
			continue;
		if (!affinity->hotpluggable)
			return affinity->node;
		node = affinity->node;
	}
	return node;
}

static uint32_t node_of(const struct boot_info *info, uint64_t base, uint32_t type)
{
	for (uint32_t i = 0; i < info->pmems && type == BOOT_MEMORY_PMEM; i++) {
		if (base >= info->pmem[i].base && base - info->pmem[i].base < info->pmem[i].bytes)
			return info->pmem[i].node;
	}
	return type == BOOT_MEMORY_USABLE ? affinity_of(info, base) : 0;
}

/* False when the table is full. */
static bool append(struct boot_info *info, uint64_t base, uint64_t end, uint32_t type, uint32_t node)
{
	struct boot_range *last = info->ranges ? &info->range[info->ranges - 1] : NULL;

	if (last && last->base + last->bytes == base && last->type == type && last->node == node) {
		last->bytes += end - base;
		return true;
	}
	if (info->ranges == BOOT_RANGES_MAX)
		return false;
	info->range[info->ranges++] =
		(struct boot_range){ .base = base, .bytes = end - base, .type = type, .node = node };
	return true;
}

void boot_ranges_sort(const struct boot_raw *raw, struct boot_info *info)
{
	uint32_t inputs = collect_inputs(raw, info);
	uint32_t borders = collect_borders(info, inputs);

	info->ranges = 0;
	for (uint32_t i = 0; i + 1 < borders; i++) {
		uint64_t base = border[i], end = border[i + 1];
		uint32_t type = base < end ? type_of(inputs, base) : 0;

		if (type && !append(info, base, end, type, node_of(info, base, type))) {
			boot_log(info, "memory map: more than %u pieces; nothing from 0x%lx on is used", BOOT_RANGES_MAX,
				 base);
			return;
		}
	}
}

bool boot_ranges_cover(const struct boot_info *info, uint64_t base, uint64_t bytes, uint32_t type)
{
	uint64_t at = base, end = base + bytes;

	if (end < base)
		return false;
	for (uint32_t i = 0; i < info->ranges && at < end; i++) {
		const struct boot_range *range = &info->range[i];

		if (range->type == type && at >= range->base && at - range->base < range->bytes)
			at = range->base + range->bytes;
	}
	return at >= end;
}
