/* SPDX-License-Identifier: GPL-2.0-only */
/* raw.h - filling a struct boot_raw; for the three entries, of which the UEFI application is a program of its own.
 * Rule: when the table is full, usable memory is given up, never a range that says "hands off". */
#pragma once

#include "boot/boot_info.h"

static inline void raw_init(struct boot_raw *raw, enum boot_path path)
{
	__builtin_memset(raw, 0, sizeof(*raw));
	raw->magic = BOOT_RAW_MAGIC;
	raw->path = path;
}

/* The smallest usable range, or NULL. */
static inline struct boot_range *raw_victim(struct boot_raw *raw)
{
	struct boot_range *victim = NULL;

	for (uint32_t i = 0; i < raw->ranges; i++) {
		struct boot_range *range = &raw->range[i];

		if (range->type == BOOT_MEMORY_USABLE && (!victim || range->bytes < victim->bytes))
			victim = range;
	}
	return victim;
}

static inline void raw_add(struct boot_raw *raw, uint64_t base, uint64_t bytes, enum boot_memory type)
{
	struct boot_range *last = raw->ranges ? &raw->range[raw->ranges - 1] : NULL;
	struct boot_range *slot;

	if (!bytes)
		return;
	if (last && last->type == type && last->base + last->bytes == base) {
		last->bytes += bytes;
		return;
	}
	if (raw->ranges < BOOT_RANGES_MAX)
		slot = &raw->range[raw->ranges++];
	else
		slot = raw_victim(raw);
	if (!slot || (raw->ranges == BOOT_RANGES_MAX && type == BOOT_MEMORY_USABLE && slot->bytes >= bytes))
		return;
	*slot = (struct boot_range){ .base = base, .bytes = bytes, .type = type };
}

/* BIOS and Multiboot numbers are those of enum boot_memory; what is not known is not touched. */
static inline enum boot_memory boot_memory_of_e820(uint32_t type)
{
	bool known = type >= BOOT_MEMORY_USABLE && type <= BOOT_MEMORY_BAD;

	return known || type == BOOT_MEMORY_PMEM ? (enum boot_memory)type : BOOT_MEMORY_RESERVED;
}

/* Copies at most `bytes` of a command line, up to its NUL. */
static inline void raw_set_command_line(struct boot_raw *raw, const char *text, uint64_t bytes)
{
	uint64_t i;

	for (i = 0; i < bytes && i < sizeof(raw->command_line) - 1 && text[i]; i++)
		raw->command_line[i] = text[i];
	raw->command_line[i] = 0;
}
