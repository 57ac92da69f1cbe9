/* SPDX-License-Identifier: GPL-2.0-only */
/* acpi_nfit.c - persistent memory (NFIT, ACPI 6.5, 5.2.25): the system physical address ranges of the type "byte
 * addressable persistent memory". Regions, interleaving and labels are not needed: a range is one namespace.
 * Invariant: ranges are page aligned (shrunk), disjoint, and end below the limit of physical addresses. */

#include "boot/acpi.h"

#define NFIT_BYTES 40
#define NFIT_SPA 0
#define NFIT_SPA_BYTES 56
#define SPA_DOMAIN_VALID (1u << 1)

/* 66f0d379-b4f3-4074-ac43-0d3318b78cdb as it lies in memory (table 5.124). */
static const uint8_t pmem_guid[16] = { 0x79, 0xd3, 0xf0, 0x66, 0xf3, 0xb4, 0x74, 0x40,
				       0xac, 0x43, 0x0d, 0x33, 0x18, 0xb7, 0x8c, 0xdb };

static void add_pmem(struct boot_info *info, const uint8_t *entry)
{
	uint64_t base = get64(entry + 32), bytes = get64(entry + 40);
	uint64_t first = (base + PAGE_MASK) & ~PAGE_MASK, end = (base + bytes) & ~PAGE_MASK;
	uint16_t index = get16(entry + 4);

	if (base >= PHYSICAL_LIMIT || bytes > PHYSICAL_LIMIT - base || end <= first) {
		boot_log(info, "ACPI: NFIT range %u, 0x%lx, 0x%lx bytes, is impossible; skipped", index, base, bytes);
		return;
	}
	for (uint32_t i = 0; i < info->pmems; i++) {
		if (first < info->pmem[i].base + info->pmem[i].bytes && info->pmem[i].base < end) {
			boot_log(info, "ACPI: NFIT ranges %u and %u overlap; the second is skipped",
				 info->pmem[i].spa_index, index);
			return;
		}
	}
	if (info->pmems == BOOT_PMEM_MAX) {
		boot_log(info, "ACPI: more than %u NFIT ranges; range %u skipped", BOOT_PMEM_MAX, index);
		return;
	}
	info->pmem[info->pmems++] = (struct boot_pmem){
		.base = first,
		.bytes = end - first,
		.node = get16(entry + 6) & SPA_DOMAIN_VALID ? get32(entry + 12) : ACPI_DOMAIN_NONE,
		.spa_index = index,
	};
}

void acpi_read_nfit(struct acpi *acpi)
{
	struct acpi_table table;
	struct acpi_walk walk;

	if (!acpi_open(acpi, "NFIT", NFIT_BYTES, &table))
		return;
	acpi_walk_init(&walk, acpi, &table, NFIT_BYTES, 4);
	while (acpi_walk_next(&walk)) {
		if (walk.type == NFIT_SPA && acpi_walk_has(&walk, NFIT_SPA_BYTES) &&
		    __builtin_memcmp(walk.entry + 16, pmem_guid, sizeof(pmem_guid)) == 0)
			add_pmem(acpi->info, walk.entry);
	}
}
