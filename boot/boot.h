/* SPDX-License-Identifier: GPL-2.0-only */
/* boot.h - what the parts of boot/ share. Private: other rooms include boot_info.h alone.
 *
 * A reader is the `map` of boot_gather(): it makes [physical, +bytes) readable until the next call, or returns NULL.
 * All functions that take one run on the host as well. Context: one CPU, interrupts off, before kernel_main. */
#pragma once

#include "boot/boot_info.h"

#define PHYSICAL_LIMIT (1ull << 52) /* no x86-64 CPU has more address bits */

/* Unaligned little-endian fields; builtins with constant sizes, so no call is made. */
static inline uint16_t get16(const uint8_t *at)
{
	uint16_t value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
}

static inline uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
}

static inline uint64_t get64(const uint8_t *at)
{
	uint64_t value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
}

/* boot_log.c. One finding; understands %s %.Ns %u %x %lu %lx. A full log loses the last lines, never a half. */
void boot_log(struct boot_info *info, const char *format, ...) PRINTF(2, 3);
uint32_t boot_format(char *text, uint32_t bytes, const char *format, ...) PRINTF(3, 4);

/* ranges.c. Fills info->range from the raw ranges, info->pmem and info->affinity. */
void boot_ranges_sort(const struct boot_raw *raw, struct boot_info *info);
bool boot_ranges_cover(const struct boot_info *info, uint64_t base, uint64_t bytes, uint32_t type);

/* gather.c. boot_gather() with the boot CPU's APIC id given. */
void boot_gather_on(const struct boot_raw *raw, const void *(*map)(uint64_t physical, uint64_t bytes), uint32_t apic_id,
		    struct boot_info *info);

/* pvh.c, multiboot2.c. Copy what the loader left at `physical` into `raw`, which is zero. On failure *why is a
 * sentence, and what was read so far stays. */
MUST_USE bool pvh_read(uint64_t physical, const void *(*map)(uint64_t physical, uint64_t bytes), struct boot_raw *raw,
		       const char **why);
MUST_USE bool multiboot2_read(uint64_t physical, const void *(*map)(uint64_t physical, uint64_t bytes),
			      struct boot_raw *raw, const char **why);
