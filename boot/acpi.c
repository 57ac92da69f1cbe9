/* SPDX-License-Identifier: GPL-2.0-only */
/* acpi.c - RSDP, root table and the checks that every table must pass (ACPI 6.5, 5.2.5 to 5.2.8). */

#include "boot/acpi.h"

#define RSDP_OLD_BYTES 20
#define RSDP_BYTES 36
#define EBDA_SEGMENT 0x40e
#define EBDA_SEARCH_BYTES 1024
#define BIOS_BASE 0xe0000
#define BIOS_BYTES 0x20000

static bool text_equals(const void *a, const char *b, uint32_t bytes)
{
	return __builtin_memcmp(a, b, bytes) == 0;
}

bool acpi_sum_is_zero(const uint8_t *at, uint64_t bytes)
{
	uint8_t sum = 0;

	for (uint64_t i = 0; i < bytes; i++)
		sum += at[i];
	return sum == 0;
}

/* ACPI 1.0 sums the first 20 bytes, later revisions all that the structure says, besides. */
static bool rsdp_is_valid(struct acpi *acpi, uint64_t physical)
{
	const uint8_t *rsdp = acpi->map(physical, RSDP_OLD_BYTES);
	uint32_t bytes;

	if (!rsdp || !text_equals(rsdp, "RSD PTR ", 8) || !acpi_sum_is_zero(rsdp, RSDP_OLD_BYTES))
		return false;
	if (rsdp[15] < 2)
		return true;
	rsdp = acpi->map(physical, RSDP_BYTES);
	bytes = rsdp ? get32(rsdp + 20) : 0;
	if (bytes < RSDP_BYTES || bytes > PAGE_SIZE)
		return false;
	rsdp = acpi->map(physical, bytes);
	return rsdp && acpi_sum_is_zero(rsdp, bytes);
}

static uint64_t rsdp_search_area(struct acpi *acpi, uint64_t base, uint64_t bytes)
{
	for (uint64_t at = 0; at + RSDP_OLD_BYTES <= bytes; at += 16) {
		if (rsdp_is_valid(acpi, base + at))
			return base + at;
	}
	return 0;
}

/* 5.2.5.1: the first KiB of the extended BIOS data area, then the BIOS area, at 16-byte borders. */
static uint64_t rsdp_search(struct acpi *acpi)
{
	const uint8_t *segment = acpi->map(EBDA_SEGMENT, 2);
	uint64_t ebda = segment ? (uint64_t)get16(segment) << 4 : 0;
	uint64_t found = ebda ? rsdp_search_area(acpi, ebda, EBDA_SEARCH_BYTES) : 0;

	return found ? found : rsdp_search_area(acpi, BIOS_BASE, BIOS_BYTES);
}

static bool table_is_known(const struct acpi *acpi, uint64_t physical)
{
	for (uint32_t i = 0; i < acpi->tables; i++) {
		if (acpi->table[i].physical == physical)
			return true;
	}
	return false;
}

/* Checks the table at `physical`; on success it is the last in the list. */
bool acpi_add_table(struct acpi *acpi, uint64_t physical, const char *expected)
{
	const uint8_t *table = acpi->map(physical, ACPI_HEADER_BYTES);
	struct acpi_entry entry = { .physical = physical };

	if (!table) {
		boot_log(acpi->info, "ACPI: table at 0x%lx is out of reach; skipped", physical);
		return false;
	}
	if (table_is_known(acpi, physical))
		return false;
	__builtin_memcpy(entry.signature, table, 4);
	entry.bytes = get32(table + 4);
	if (expected && !text_equals(table, expected, 4)) {
		boot_log(acpi->info, "ACPI: %.4s instead of %.4s at 0x%lx; skipped", entry.signature, expected, physical);
		return false;
	}
	table = NULL;
	if (entry.bytes >= ACPI_HEADER_BYTES && entry.bytes <= ACPI_TABLE_BYTES_MAX)
		table = acpi->map(physical, entry.bytes);
	if (!table) {
		boot_log(acpi->info, "ACPI: %.4s has an impossible length, %u bytes; skipped", entry.signature,
			 entry.bytes);
		return false;
	}
	if (!acpi_sum_is_zero(table, entry.bytes)) {
		boot_log(acpi->info, "ACPI: %.4s has a wrong checksum; skipped", entry.signature);
		return false;
	}
	if (acpi->tables == ACPI_TABLES_MAX) {
		boot_log(acpi->info, "ACPI: more than %u tables; %.4s skipped", ACPI_TABLES_MAX, entry.signature);
		return false;
	}
	acpi->table[acpi->tables++] = entry;
	return true;
}

/* 5.2.7 and 5.2.8: pointers of 4 bytes in the RSDT, of 8 in the XSDT. The root's place is already checked. */
static void add_pointed_tables(struct acpi *acpi, uint32_t pointer_bytes)
{
	struct acpi_entry root = acpi->table[acpi->tables - 1];
	uint32_t count = (root.bytes - ACPI_HEADER_BYTES) / pointer_bytes;

	if ((root.bytes - ACPI_HEADER_BYTES) % pointer_bytes)
		boot_log(acpi->info, "ACPI: %.4s ends in half a pointer", root.signature);
	if (count > ACPI_TABLES_MAX - 2) {
		boot_log(acpi->info, "ACPI: %.4s names %u tables; the first %u are read", root.signature, count,
			 ACPI_TABLES_MAX - 2);
		count = ACPI_TABLES_MAX - 2; /* the root is one, and the DSDT needs a place */
	}
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *at = acpi->map(root.physical, root.bytes);
		uint64_t physical;

		if (!at)
			return;
		at += ACPI_HEADER_BYTES + i * pointer_bytes;
		physical = pointer_bytes == 8 ? get64(at) : get32(at);
		if (physical)
			acpi_add_table(acpi, physical, NULL);
	}
}

void acpi_find_tables(struct acpi *acpi, uint64_t rsdp, bool search_bios)
{
	const uint8_t *at;
	uint64_t xsdt = 0, rsdt;

	if (rsdp && !rsdp_is_valid(acpi, rsdp)) {
		boot_log(acpi->info, "ACPI: the RSDP at 0x%lx is broken", rsdp);
		rsdp = 0;
	}
	if (!rsdp && search_bios)
		rsdp = rsdp_search(acpi);
	at = rsdp ? acpi->map(rsdp, RSDP_OLD_BYTES) : NULL;
	if (!at) {
		boot_log(acpi->info, "ACPI: no RSDP; one CPU, no pmem");
		return;
	}
	rsdt = get32(at + 16);
	if (at[15] >= 2) {
		at = acpi->map(rsdp, RSDP_BYTES);
		xsdt = at ? get64(at + 24) : 0;
	}
	if (xsdt && acpi_add_table(acpi, xsdt, "XSDT"))
		add_pointed_tables(acpi, 8);
	else if (rsdt && acpi_add_table(acpi, rsdt, "RSDT"))
		add_pointed_tables(acpi, 4);
	else
		boot_log(acpi->info, "ACPI: no usable root table; one CPU, no pmem");
}

bool acpi_open_at(struct acpi *acpi, uint32_t index, struct acpi_table *out)
{
	const struct acpi_entry *entry = &acpi->table[index];
	const uint8_t *at = acpi->map(entry->physical, entry->bytes);

	if (!at)
		return false;
	*out = (struct acpi_table){ .at = at, .bytes = entry->bytes, .signature = entry->signature };
	return true;
}

/* The first of that name counts (5.2.8 gives no meaning to a second). */
bool acpi_open(struct acpi *acpi, const char *signature, uint32_t bytes_min, struct acpi_table *out)
{
	for (uint32_t i = 0; i < acpi->tables; i++) {
		if (!text_equals(acpi->table[i].signature, signature, 4))
			continue;
		if (acpi->table[i].bytes < bytes_min) {
			boot_log(acpi->info, "ACPI: %s is too short, %u bytes; skipped", signature, acpi->table[i].bytes);
			return false;
		}
		return acpi_open_at(acpi, i, out);
	}
	return false;
}
