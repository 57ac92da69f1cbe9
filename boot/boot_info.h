/* SPDX-License-Identifier: GPL-2.0-only */
/* boot_info.h - all that the kernel learns from firmware and boot loader; nothing else escapes boot/.
 *
 * Two steps. An entry (PVH, Multiboot2, UEFI) copies what its loader gave it into a struct boot_raw. boot_gather()
 * then reads the ACPI tables that `rsdp` leads to and fills the one struct boot_info. Every table is checked (length,
 * checksum, entries inside the table) and skipped with a line in `log` if it is broken.
 * Units: physical addresses and lengths in bytes. Owner: static storage in the kernel image, immutable after boot. */
#pragma once

#include <lintel/info.h>
#include <lintel/types.h>

#define BOOT_RANGES_MAX 256
#define BOOT_CPUS_MAX 256
#define BOOT_IOAPICS_MAX 16
#define BOOT_OVERRIDES_MAX 32
#define BOOT_PMEM_MAX 16
#define BOOT_NODES_MAX 16
#define BOOT_AFFINITIES_MAX 64
#define BOOT_MCFG_MAX 16
#define BOOT_DRHD_MAX 8

enum boot_memory {
	BOOT_MEMORY_USABLE = 1,
	BOOT_MEMORY_RESERVED = 2,
	BOOT_MEMORY_ACPI_RECLAIM = 3,
	BOOT_MEMORY_ACPI_NVS = 4,
	BOOT_MEMORY_BAD = 5,
	BOOT_MEMORY_PMEM = 7,
};

struct boot_range {
	uint64_t base;
	uint64_t bytes;
	uint32_t type; /* enum boot_memory */
	uint32_t node;
};

/* What an entry hands to boot_gather(). The UEFI application fills one in its own memory and passes its address. */
#define BOOT_RAW_MAGIC 0x3157415254424c4cull
struct boot_raw {
	uint64_t magic;
	uint32_t path; /* enum boot_path */
	uint32_t ranges;
	struct boot_range range[BOOT_RANGES_MAX]; /* as the loader said: unsorted, perhaps overlapping */
	uint64_t rsdp;                            /* 0: search the BIOS areas */
	uint64_t archive_base;                    /* the boot archive, 0 bytes: none */
	uint64_t archive_bytes;
	char command_line[1024];
};

struct boot_cpu {
	uint32_t apic_id;
	uint32_t acpi_uid;
	uint32_t node;
};

struct boot_ioapic {
	uint32_t id;
	uint32_t gsi_base;
	uint64_t address;
};

struct boot_override { /* ACPI 6.5, 5.2.12.5: an ISA interrupt that is wired elsewhere */
	uint8_t isa_irq;
	bool active_low;
	bool level;
	uint32_t gsi;
};

struct boot_pmem { /* one NFIT SPA range of type "byte addressable persistent memory" */
	uint64_t base;
	uint64_t bytes;
	uint32_t node;
	uint32_t spa_index;
};

struct boot_affinity { /* SRAT memory affinity */
	uint64_t base;
	uint64_t bytes;
	uint32_t node;
	bool hotpluggable;
};

struct boot_mcfg {
	uint64_t base;
	uint16_t segment;
	uint8_t bus_start;
	uint8_t bus_end;
};

struct boot_drhd { /* DMAR remapping unit */
	uint64_t base;
	uint16_t segment;
	bool include_all;
};

struct boot_info {
	uint32_t path; /* enum boot_path */
	uint32_t ranges;
	struct boot_range range[BOOT_RANGES_MAX]; /* sorted, disjoint, page aligned; USABLE shrunk, others grown */
	uint64_t kernel_base;                     /* physical extent of the kernel image; inside USABLE, not free */
	uint64_t kernel_bytes;
	uint64_t archive_base; /* page-aligned copy or original of the boot archive; inside USABLE, not free */
	uint64_t archive_bytes;
	char command_line[1024];

	uint32_t cpus; /* usable ones; [0] is the one that boots */
	struct boot_cpu cpu[BOOT_CPUS_MAX];
	uint64_t lapic_address;
	uint32_t ioapics;
	struct boot_ioapic ioapic[BOOT_IOAPICS_MAX];
	uint32_t overrides;
	struct boot_override override[BOOT_OVERRIDES_MAX];
	bool legacy_pic; /* 8259s are there and must be masked */

	uint32_t pmems;
	struct boot_pmem pmem[BOOT_PMEM_MAX];
	uint32_t nodes; /* proximity domains seen, renumbered 0.. */
	uint8_t distance[BOOT_NODES_MAX][BOOT_NODES_MAX]; /* SLIT; 10 = local */
	uint32_t affinities;
	struct boot_affinity affinity[BOOT_AFFINITIES_MAX];

	uint32_t mcfgs;
	struct boot_mcfg mcfg[BOOT_MCFG_MAX];
	uint64_t hpet_base; /* 0: none */
	uint32_t drhds;
	uint8_t dmar_width; /* host address width, bits */
	struct boot_drhd drhd[BOOT_DRHD_MAX];

	/* FADT: power off and reset. A port of 0 means: not known. */
	uint16_t pm1a_control_port;
	uint16_t pm1b_control_port;
	uint8_t s5_type_a;
	uint8_t s5_type_b;
	bool s5_known;
	uint64_t reset_address; /* generic address: space 1 = I/O port, 0 = memory */
	uint8_t reset_space;
	uint8_t reset_value;
	bool reset_known;

	char log[4096]; /* one line a finding, "\n"-separated; printed when the log is up */
};

/* Fill `info` from what the loader said. `map` makes [physical, +bytes) readable for a moment, or returns NULL: on the
 * machine it is the boot-time identity map, on the host a buffer with tables. Never fails: what is missing stays 0 and
 * is said in info->log. */
void boot_gather(const struct boot_raw *raw, const void *(*map)(uint64_t physical, uint64_t bytes),
		 struct boot_info *info);
