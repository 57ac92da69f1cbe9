/* SPDX-License-Identifier: GPL-2.0-only */
/* gather.c - boot_gather(): one struct boot_info out of a boot_raw and the ACPI tables. Pure: runs on the host too.
 * Rule: order matters. CPUs before their domains, domains before node numbers, nodes and pmem before the memory map. */

#include "boot/acpi.h"

static struct acpi acpi;

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static struct cpuid cpuid(uint32_t leaf)
{
	struct cpuid result = { .eax = leaf, .ecx = 0 };

	__asm__("cpuid" : "+a"(result.eax), "=b"(result.ebx), "+c"(result.ecx), "=d"(result.edx));
	return result;
}

/* Leaf 0xb has all 32 bits of the id, leaf 1 only 8 (Intel SDM volume 2, CPUID). */
static uint32_t boot_apic_id(void)
{
	struct cpuid topology = { 0 };

	if (cpuid(0).eax >= 0xb)
		topology = cpuid(0xb);
	return topology.ebx & 0xffff ? topology.edx : cpuid(1).ebx >> 24;
}

static void log_missing_pmem(struct boot_info *info)
{
	for (uint32_t i = 0; i < info->ranges; i++) {
		const struct boot_range *range = &info->range[i];
		bool known = false;

		for (uint32_t j = 0; j < info->pmems; j++)
			known |= info->pmem[j].base < range->base + range->bytes &&
				 range->base < info->pmem[j].base + info->pmem[j].bytes;
		if (range->type == BOOT_MEMORY_PMEM && !known)
			boot_log(info, "memory map: persistent memory at 0x%lx has no NFIT range; not used", range->base);
	}
}

void boot_gather_on(const struct boot_raw *raw, const void *(*map)(uint64_t physical, uint64_t bytes), uint32_t apic_id,
		    struct boot_info *info)
{
	__builtin_memset(info, 0, sizeof(*info));
	info->path = raw->path;
	info->archive_base = raw->archive_base;
	info->archive_bytes = raw->archive_bytes;
	for (uint32_t i = 0; i < sizeof(info->command_line) - 1 && raw->command_line[i]; i++)
		info->command_line[i] = raw->command_line[i];

	acpi.map = map;
	acpi.info = info;
	acpi.tables = 0;
	acpi_find_tables(&acpi, raw->rsdp, raw->path != BOOT_UEFI);
	acpi_read_madt(&acpi, apic_id);
	acpi_read_srat(&acpi);
	acpi_read_nfit(&acpi);
	acpi_number_nodes(&acpi);
	acpi_read_fadt(&acpi);
	acpi_read_mcfg(&acpi);
	acpi_read_hpet(&acpi);
	acpi_read_dmar(&acpi);

	if (raw->ranges >= BOOT_RANGES_MAX)
		boot_log(info, "memory map: the loader's has more than %u entries; usable ones were dropped",
			 BOOT_RANGES_MAX - 1);
	boot_ranges_sort(raw, info);
	log_missing_pmem(info);
}

void boot_gather(const struct boot_raw *raw, const void *(*map)(uint64_t physical, uint64_t bytes),
		 struct boot_info *info)
{
	boot_gather_on(raw, map, boot_apic_id(), info);
}
