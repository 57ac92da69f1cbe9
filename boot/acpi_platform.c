/* SPDX-License-Identifier: GPL-2.0-only */
/* acpi_platform.c - PCI configuration space, the HPET, and the IOMMUs.
 * MCFG: PCI Firmware Specification 3.3, 4.1.2. HPET: IA-PC HPET Specification 1.0a, 3.2.4. DMAR: Intel VT-d
 * Specification 4.1, 8.1 to 8.3. */

#include "boot/acpi.h"

#define MCFG_BYTES 44
#define MCFG_ENTRY_BYTES 16
#define MCFG_BUS_BYTES (1ull << 20)
#define HPET_BYTES 56
#define HPET_ADDRESS 40
#define DMAR_BYTES 48
#define DMAR_DRHD 0
#define DRHD_BYTES 16
#define DRHD_INCLUDE_ALL 1u

static bool mcfg_is_valid(const struct boot_mcfg *mcfg)
{
	return mcfg->base && !(mcfg->base & (MCFG_BUS_BYTES - 1)) && mcfg->bus_start <= mcfg->bus_end &&
	       mcfg->base < PHYSICAL_LIMIT - 256 * MCFG_BUS_BYTES;
}

void acpi_read_mcfg(struct acpi *acpi)
{
	struct boot_info *info = acpi->info;
	struct acpi_table table;

	if (!acpi_open(acpi, "MCFG", MCFG_BYTES, &table))
		return;
	for (uint32_t at = MCFG_BYTES; at + MCFG_ENTRY_BYTES <= table.bytes; at += MCFG_ENTRY_BYTES) {
		struct boot_mcfg mcfg = {
			.base = get64(table.at + at),
			.segment = get16(table.at + at + 8),
			.bus_start = table.at[at + 10],
			.bus_end = table.at[at + 11],
		};

		if (!mcfg_is_valid(&mcfg))
			boot_log(info, "ACPI: MCFG entry for segment %u is impossible; skipped", mcfg.segment);
		else if (info->mcfgs == BOOT_MCFG_MAX)
			boot_log(info, "ACPI: more than %u MCFG entries; one skipped", BOOT_MCFG_MAX);
		else
			info->mcfg[info->mcfgs++] = mcfg;
	}
	if ((table.bytes - MCFG_BYTES) % MCFG_ENTRY_BYTES)
		boot_log(info, "ACPI: MCFG ends in half an entry");
}

void acpi_read_hpet(struct acpi *acpi)
{
	struct acpi_table table;
	uint64_t base;

	if (!acpi_open(acpi, "HPET", HPET_BYTES, &table))
		return;
	base = get64(table.at + HPET_ADDRESS + 4);
	if (table.at[HPET_ADDRESS] != 0 || !base || (base & 7) || base >= PHYSICAL_LIMIT)
		boot_log(acpi->info, "ACPI: HPET in space %u at 0x%lx; not used", table.at[HPET_ADDRESS], base);
	else
		acpi->info->hpet_base = base;
}

static void add_drhd(struct boot_info *info, const uint8_t *entry)
{
	struct boot_drhd drhd = {
		.base = get64(entry + 8),
		.segment = get16(entry + 6),
		.include_all = (entry[4] & DRHD_INCLUDE_ALL) != 0,
	};

	if (!drhd.base || (drhd.base & PAGE_MASK) || drhd.base >= PHYSICAL_LIMIT)
		boot_log(info, "ACPI: DMAR unit at 0x%lx is impossible; skipped", drhd.base);
	else if (info->drhds == BOOT_DRHD_MAX)
		boot_log(info, "ACPI: more than %u DMAR units; one skipped", BOOT_DRHD_MAX);
	else
		info->drhd[info->drhds++] = drhd;
}

void acpi_read_dmar(struct acpi *acpi)
{
	struct acpi_table table;
	struct acpi_walk walk;

	if (!acpi_open(acpi, "DMAR", DMAR_BYTES, &table))
		return;
	acpi->info->dmar_width = (uint8_t)(table.at[36] < 64 ? table.at[36] + 1 : 0);
	acpi_walk_init(&walk, acpi, &table, DMAR_BYTES, 4);
	while (acpi_walk_next(&walk)) {
		if (walk.type == DMAR_DRHD && acpi_walk_has(&walk, DRHD_BYTES))
			add_drhd(acpi->info, walk.entry);
	}
}
