/* SPDX-License-Identifier: BSD-2-Clause */
/* boot_host.h - physical memory for tests of boot/ on the host, and what every boot_info must satisfy.
 * host_map() hands out an exact copy on the heap that dies with the next call: a read past the end, or a pointer kept
 * too long, is seen by the address sanitizer. One source file per program includes this. */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "boot/acpi.h"
#include "boot/raw.h"

#define HOST_BASE 0x10000ull
#define HOST_BYTES (1u << 20)

static uint8_t host_memory[HOST_BYTES]; /* physical HOST_BASE.. */
static uint32_t host_used;
static void *host_window;

static inline const void *host_map(uint64_t physical, uint64_t bytes)
{
	free(host_window);
	host_window = NULL;
	if (physical < HOST_BASE || physical - HOST_BASE > HOST_BYTES || bytes > HOST_BYTES - (physical - HOST_BASE))
		return NULL;
	host_window = malloc(bytes ? bytes : 1);
	memcpy(host_window, host_memory + (physical - HOST_BASE), bytes);
	return host_window;
}

static inline void host_reset(void)
{
	free(host_window);
	host_window = NULL;
	memset(host_memory, 0, sizeof(host_memory));
	host_used = 0x1000; /* tables from the second page on; the first is for the RSDP and the root */
}

static inline uint8_t *host_at(uint64_t physical)
{
	return host_memory + (physical - HOST_BASE);
}

static inline uint64_t host_put(const void *data, uint32_t bytes)
{
	uint64_t physical = HOST_BASE + host_used;

	memcpy(host_memory + host_used, data, bytes);
	host_used += (bytes + 15) & ~15u;
	return physical;
}

static inline void put16(uint8_t *at, uint16_t value)
{
	memcpy(at, &value, 2);
}

static inline void put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, 4);
}

static inline void put64(uint8_t *at, uint64_t value)
{
	memcpy(at, &value, 8);
}

static inline uint8_t sum_of(const uint8_t *at, uint32_t bytes)
{
	uint8_t sum = 0;

	while (bytes--)
		sum += at[bytes];
	return sum;
}

/* Makes bytes sum to 0 by its byte at `place`. */
static inline void sum_fix(uint8_t *at, uint32_t bytes, uint32_t place)
{
	at[place] -= sum_of(at, bytes);
}

#define PROMISE(x, sentence)             \
	do {                             \
		if (!(x))                \
			return sentence; \
	} while (0)

static inline const char *host_check_ranges(const struct boot_info *info)
{
	for (uint32_t i = 0; i < info->ranges; i++) {
		const struct boot_range *range = &info->range[i];

		PROMISE(range->bytes && range->base + range->bytes > range->base, "a range is empty or wraps");
		PROMISE(!((range->base | range->bytes) & PAGE_MASK), "a range is not page aligned");
		PROMISE(range->node < info->nodes, "a range has no node");
		PROMISE(i == 0 || range->base >= range[-1].base + range[-1].bytes, "ranges are unsorted or overlap");
		for (uint32_t j = 0; j < info->pmems && range->type == BOOT_MEMORY_USABLE; j++)
			PROMISE(info->pmem[j].base >= range->base + range->bytes ||
					info->pmem[j].base + info->pmem[j].bytes <= range->base,
				"pmem is usable");
	}
	return NULL;
}

/* NULL, or what is wrong. */
static inline const char *host_check(const struct boot_info *info, uint32_t boot_apic_id)
{
	PROMISE(info->ranges <= BOOT_RANGES_MAX && info->cpus >= 1 && info->cpus <= BOOT_CPUS_MAX, "counts");
	PROMISE(info->ioapics <= BOOT_IOAPICS_MAX && info->overrides <= BOOT_OVERRIDES_MAX, "counts");
	PROMISE(info->pmems <= BOOT_PMEM_MAX && info->affinities <= BOOT_AFFINITIES_MAX, "counts");
	PROMISE(info->mcfgs <= BOOT_MCFG_MAX && info->drhds <= BOOT_DRHD_MAX, "counts");
	PROMISE(info->nodes >= 1 && info->nodes <= BOOT_NODES_MAX, "nodes");
	PROMISE(info->cpu[0].apic_id == boot_apic_id, "the boot CPU is not the first");
	PROMISE(info->lapic_address && !(info->lapic_address & PAGE_MASK), "local APIC address");
	PROMISE(memchr(info->log, 0, sizeof(info->log)), "the log has no end");
	PROMISE(memchr(info->command_line, 0, sizeof(info->command_line)), "the command line has no end");
	for (uint32_t i = 0; i < info->cpus; i++) {
		PROMISE(info->cpu[i].node < info->nodes, "a CPU has no node");
		for (uint32_t j = 0; j < i; j++)
			PROMISE(info->cpu[i].apic_id != info->cpu[j].apic_id, "a CPU is there twice");
	}
	for (uint32_t i = 0; i < info->pmems; i++) {
		PROMISE(info->pmem[i].node < info->nodes && info->pmem[i].bytes, "pmem node or size");
		PROMISE(!((info->pmem[i].base | info->pmem[i].bytes) & PAGE_MASK), "pmem is not page aligned");
	}
	for (uint32_t i = 0; i < info->nodes; i++)
		for (uint32_t j = 0; j < info->nodes; j++)
			PROMISE(info->distance[i][j] >= 10, "a distance is below 10");
	return host_check_ranges(info);
}
