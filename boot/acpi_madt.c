/* SPDX-License-Identifier: GPL-2.0-only */
/* acpi_madt.c - CPUs, I/O APICs and ISA overrides (ACPI 6.5, 5.2.12).
 * Invariant: info->cpu[0] is the CPU that runs this, whatever the table says; APIC ids are unique. */

#include "boot/acpi.h"

#define MADT_BYTES 44
#define LAPIC_ADDRESS_DEFAULT 0xfee00000ul
#define ISA_IRQS 16

enum madt_entry {
	MADT_LAPIC = 0,
	MADT_IOAPIC = 1,
	MADT_OVERRIDE = 2,
	MADT_LAPIC_ADDRESS = 5,
	MADT_X2APIC = 9,
};

enum madt_flag { MADT_ENABLED = 1u << 0, MADT_ONLINE_CAPABLE = 1u << 1 };

/* What is only counted while the table is read. */
struct madt_counts {
	uint32_t boot_apic_id;
	uint32_t pluggable;
	uint32_t dropped;
	bool boot_seen;
};

/* CPUs that are "online capable" only would have to be plugged in first (table 5.22): they are counted, not used. */
static void add_cpu(struct boot_info *info, struct madt_counts *counts, uint32_t apic_id, uint32_t uid, uint32_t flags)
{
	if (!(flags & MADT_ENABLED)) {
		counts->pluggable += (flags & MADT_ONLINE_CAPABLE) != 0;
		return;
	}
	if (apic_id == counts->boot_apic_id) {
		info->cpu[0].acpi_uid = counts->boot_seen ? info->cpu[0].acpi_uid : uid;
		counts->boot_seen = true;
		return;
	}
	for (uint32_t i = 1; i < info->cpus; i++) {
		if (info->cpu[i].apic_id == apic_id)
			return;
	}
	if (info->cpus == BOOT_CPUS_MAX) {
		counts->dropped++;
		return;
	}
	info->cpu[info->cpus++] =
		(struct boot_cpu){ .apic_id = apic_id, .acpi_uid = uid, .node = ACPI_DOMAIN_NONE };
}

static void add_ioapic(struct boot_info *info, const uint8_t *entry)
{
	struct boot_ioapic ioapic = { .id = entry[2], .address = get32(entry + 4), .gsi_base = get32(entry + 8) };

	for (uint32_t i = 0; i < info->ioapics; i++) {
		if (info->ioapic[i].address == ioapic.address || info->ioapic[i].gsi_base == ioapic.gsi_base) {
			boot_log(info, "ACPI: APIC names I/O APIC %u twice; the second is skipped", ioapic.id);
			return;
		}
	}
	if (!ioapic.address || (ioapic.address & 0xf))
		boot_log(info, "ACPI: APIC puts an I/O APIC at 0x%lx; skipped", ioapic.address);
	else if (info->ioapics == BOOT_IOAPICS_MAX)
		boot_log(info, "ACPI: more than %u I/O APICs; one skipped", BOOT_IOAPICS_MAX);
	else
		info->ioapic[info->ioapics++] = ioapic;
}

/* 5.2.12.5 and table 5.26: "conforms to the bus" means high and edge for ISA. */
static void add_override(struct boot_info *info, const uint8_t *entry)
{
	uint16_t flags = get16(entry + 8);
	struct boot_override override = {
		.isa_irq = entry[3],
		.gsi = get32(entry + 4),
		.active_low = (flags & 3) == 3,
		.level = ((flags >> 2) & 3) == 3,
	};

	if (entry[2] != 0 || override.isa_irq >= ISA_IRQS) {
		boot_log(info, "ACPI: APIC overrides interrupt %u of bus %u; skipped", entry[3], entry[2]);
		return;
	}
	for (uint32_t i = 0; i < info->overrides; i++) {
		if (info->override[i].isa_irq == override.isa_irq) {
			boot_log(info, "ACPI: APIC overrides ISA interrupt %u twice; the second is skipped",
				 override.isa_irq);
			return;
		}
	}
	if (info->overrides < BOOT_OVERRIDES_MAX)
		info->override[info->overrides++] = override;
}

static void read_entry(struct acpi_walk *walk, struct madt_counts *counts)
{
	struct boot_info *info = walk->acpi->info;
	const uint8_t *entry = walk->entry;

	switch (walk->type) {
	case MADT_LAPIC:
		if (acpi_walk_has(walk, 8) && entry[3] != 0xff)
			add_cpu(info, counts, entry[3], entry[2], get32(entry + 4));
		break;
	case MADT_IOAPIC:
		if (acpi_walk_has(walk, 12))
			add_ioapic(info, entry);
		break;
	case MADT_OVERRIDE:
		if (acpi_walk_has(walk, 10))
			add_override(info, entry);
		break;
	case MADT_LAPIC_ADDRESS:
		if (acpi_walk_has(walk, 12))
			info->lapic_address = get64(entry + 4);
		break;
	case MADT_X2APIC:
		if (acpi_walk_has(walk, 16) && get32(entry + 4) != UINT32_MAX)
			add_cpu(info, counts, get32(entry + 4), get32(entry + 12), get32(entry + 8));
		break;
	}
}

static void check_lapic_address(struct boot_info *info)
{
	if (info->lapic_address && !(info->lapic_address & PAGE_MASK) && info->lapic_address < PHYSICAL_LIMIT)
		return;
	boot_log(info, "ACPI: APIC puts the local APIC at 0x%lx; 0x%lx taken", info->lapic_address,
		 LAPIC_ADDRESS_DEFAULT);
	info->lapic_address = LAPIC_ADDRESS_DEFAULT;
}

void acpi_read_madt(struct acpi *acpi, uint32_t boot_apic_id)
{
	struct boot_info *info = acpi->info;
	struct madt_counts counts = { .boot_apic_id = boot_apic_id };
	struct acpi_table table;
	struct acpi_walk walk;

	info->cpus = 1;
	info->cpu[0] = (struct boot_cpu){ .apic_id = boot_apic_id, .node = ACPI_DOMAIN_NONE };
	info->lapic_address = LAPIC_ADDRESS_DEFAULT;
	info->legacy_pic = true;
	if (!acpi_open(acpi, "APIC", MADT_BYTES, &table)) {
		boot_log(info, "ACPI: no usable APIC table; one CPU");
		return;
	}
	info->lapic_address = get32(table.at + 36);
	info->legacy_pic = (get32(table.at + 40) & 1) != 0;
	acpi_walk_init(&walk, acpi, &table, MADT_BYTES, 2);
	while (acpi_walk_next(&walk))
		read_entry(&walk, &counts);
	check_lapic_address(info);
	if (!counts.boot_seen)
		boot_log(info, "ACPI: APIC does not name the boot CPU, APIC id %u", boot_apic_id);
	if (counts.pluggable)
		boot_log(info, "ACPI: %u CPUs could be plugged in; not used", counts.pluggable);
	if (counts.dropped)
		boot_log(info, "ACPI: more than %u CPUs; %u not used", BOOT_CPUS_MAX, counts.dropped);
}
