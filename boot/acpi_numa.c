/* SPDX-License-Identifier: GPL-2.0-only */
/* acpi_numa.c - which CPU and which memory belong together (SRAT, SLIT: ACPI 6.5, 5.2.16 and 5.2.17).
 * Firmware numbers proximity domains as it likes. All readers store domains; acpi_number_nodes() then sorts the domains
 * that were seen and replaces each by its place, so nodes are 0, 1, ... without gaps. */

#include "boot/acpi.h"

#define SRAT_BYTES 48
#define SLIT_BYTES 44
#define DISTANCE_LOCAL 10
#define DISTANCE_REMOTE 20

enum srat_entry { SRAT_CPU = 0, SRAT_MEMORY = 1, SRAT_X2APIC = 2 };
enum srat_memory_flag { SRAT_ENABLED = 1u << 0, SRAT_HOTPLUGGABLE = 1u << 1 };

struct domains {
	uint32_t count;
	uint32_t lost;
	uint32_t domain[BOOT_NODES_MAX];
};

static void set_cpu_domain(struct boot_info *info, uint32_t apic_id, uint32_t domain)
{
	for (uint32_t i = 0; i < info->cpus; i++) {
		if (info->cpu[i].apic_id == apic_id)
			info->cpu[i].node = domain;
	}
}

/* Ranges that stay free for hot plugging may lie around fixed ones; two fixed ranges of two domains may not meet. */
static bool contradicts(const struct boot_info *info, uint64_t base, uint64_t end, uint32_t domain)
{
	for (uint32_t i = 0; i < info->affinities; i++) {
		const struct boot_affinity *other = &info->affinity[i];

		if (base < other->base + other->bytes && other->base < end && other->node != domain &&
		    !other->hotpluggable)
			return true;
	}
	return false;
}

/* Grown to whole pages; of two ranges that share a page the first has it. */
static void add_memory(struct boot_info *info, uint64_t base, uint64_t bytes, uint32_t domain, uint32_t flags)
{
	uint64_t end = base + bytes;

	if (!(flags & SRAT_ENABLED) || !bytes)
		return;
	if (end < base || end > PHYSICAL_LIMIT) {
		boot_log(info, "ACPI: SRAT memory 0x%lx, 0x%lx bytes, ends nowhere; skipped", base, bytes);
		return;
	}
	if (!(flags & SRAT_HOTPLUGGABLE) && contradicts(info, base, end, domain)) {
		boot_log(info, "ACPI: SRAT memory 0x%lx belongs to two domains; the second is skipped", base);
		return;
	}
	if (info->affinities == BOOT_AFFINITIES_MAX) {
		boot_log(info, "ACPI: more than %u SRAT memory ranges; one skipped", BOOT_AFFINITIES_MAX);
		return;
	}
	info->affinity[info->affinities++] = (struct boot_affinity){
		.base = base & ~PAGE_MASK,
		.bytes = ((end + PAGE_MASK) & ~PAGE_MASK) - (base & ~PAGE_MASK),
		.node = domain,
		.hotpluggable = (flags & SRAT_HOTPLUGGABLE) != 0,
	};
}

/* Revision 1 has one byte of domain; the others were reserved then. */
static uint32_t cpu_domain(const uint8_t *entry, uint8_t revision)
{
	return revision < 2 ? entry[2] : entry[2] | (get32(entry + 8) & 0xffffff00u);
}

void acpi_read_srat(struct acpi *acpi)
{
	struct acpi_table table;
	struct acpi_walk walk;

	if (!acpi_open(acpi, "SRAT", SRAT_BYTES, &table))
		return;
	acpi_walk_init(&walk, acpi, &table, SRAT_BYTES, 2);
	while (acpi_walk_next(&walk)) {
		const uint8_t *entry = walk.entry;

		if (walk.type == SRAT_CPU && acpi_walk_has(&walk, 16) && (get32(entry + 4) & SRAT_ENABLED))
			set_cpu_domain(acpi->info, entry[3], cpu_domain(entry, table.at[8]));
		else if (walk.type == SRAT_X2APIC && acpi_walk_has(&walk, 24) && (get32(entry + 12) & SRAT_ENABLED))
			set_cpu_domain(acpi->info, get32(entry + 8), get32(entry + 4));
		else if (walk.type == SRAT_MEMORY && acpi_walk_has(&walk, 40))
			add_memory(acpi->info, get64(entry + 8), get64(entry + 16), get32(entry + 2), get32(entry + 28));
	}
}

/* Inserts in ascending order; once. */
static void domain_add(struct domains *domains, uint32_t domain)
{
	uint32_t place = 0;

	if (domain == ACPI_DOMAIN_NONE)
		return;
	while (place < domains->count && domains->domain[place] < domain)
		place++;
	if (place < domains->count && domains->domain[place] == domain)
		return;
	if (domains->count == BOOT_NODES_MAX) {
		domains->lost++;
		return;
	}
	for (uint32_t i = domains->count++; i > place; i--)
		domains->domain[i] = domains->domain[i - 1];
	domains->domain[place] = domain;
}

static uint32_t domain_node(const struct domains *domains, uint32_t domain)
{
	for (uint32_t i = 0; i < domains->count; i++) {
		if (domains->domain[i] == domain)
			return i;
	}
	return 0;
}

/* A distance below 10 is reserved, one's own is 10 by definition; 255 means "cannot be reached". */
static void read_slit(struct acpi *acpi, const struct domains *domains)
{
	struct boot_info *info = acpi->info;
	struct acpi_table table;
	uint64_t localities;

	if (!acpi_open(acpi, "SLIT", SLIT_BYTES, &table))
		return;
	localities = get64(table.at + 36);
	if (localities > UINT16_MAX || localities * localities > table.bytes - SLIT_BYTES) {
		boot_log(info, "ACPI: SLIT is too short for %lu localities; skipped", localities);
		return;
	}
	for (uint32_t i = 0; i < domains->count; i++) {
		for (uint32_t j = 0; j < domains->count; j++) {
			uint64_t at = domains->domain[i] * localities + domains->domain[j];

			if (i == j || domains->domain[i] >= localities || domains->domain[j] >= localities)
				continue;
			if (table.at[SLIT_BYTES + at] >= DISTANCE_LOCAL)
				info->distance[i][j] = table.at[SLIT_BYTES + at];
			else
				boot_log(info, "ACPI: SLIT distance %u from %u to %u; 20 taken", table.at[SLIT_BYTES + at],
					 domains->domain[i], domains->domain[j]);
		}
	}
}

void acpi_number_nodes(struct acpi *acpi)
{
	struct boot_info *info = acpi->info;
	struct domains domains = { 0 };

	for (uint32_t i = 0; i < info->cpus; i++)
		domain_add(&domains, info->cpu[i].node);
	for (uint32_t i = 0; i < info->affinities; i++)
		domain_add(&domains, info->affinity[i].node);
	for (uint32_t i = 0; i < info->pmems; i++)
		domain_add(&domains, info->pmem[i].node);
	if (domains.lost)
		boot_log(info, "ACPI: more than %u proximity domains; the rest counts as node 0", BOOT_NODES_MAX);

	for (uint32_t i = 0; i < info->cpus; i++)
		info->cpu[i].node = domain_node(&domains, info->cpu[i].node);
	for (uint32_t i = 0; i < info->affinities; i++)
		info->affinity[i].node = domain_node(&domains, info->affinity[i].node);
	for (uint32_t i = 0; i < info->pmems; i++)
		info->pmem[i].node = domain_node(&domains, info->pmem[i].node);

	info->nodes = domains.count ? domains.count : 1;
	for (uint32_t i = 0; i < info->nodes; i++) {
		for (uint32_t j = 0; j < info->nodes; j++)
			info->distance[i][j] = i == j ? DISTANCE_LOCAL : DISTANCE_REMOTE;
	}
	read_slit(acpi, &domains);
}
