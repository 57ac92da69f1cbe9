/* SPDX-License-Identifier: GPL-2.0-only */
/* acpi_walk.c - entry after entry through a table, never past its end.
 * Rule: an entry shorter than its own header, or longer than what is left, ends the walk; what came before counts. */

#include "boot/acpi.h"

void acpi_walk_init(struct acpi_walk *walk, struct acpi *acpi, const struct acpi_table *table, uint32_t first,
		    uint32_t header)
{
	*walk = (struct acpi_walk){ .acpi = acpi, .table = *table, .next = first, .header = header };
}

bool acpi_walk_next(struct acpi_walk *walk)
{
	uint32_t left = walk->table.bytes - walk->next;
	const uint8_t *entry = walk->table.at + walk->next;

	if (!left)
		return false;
	if (left >= walk->header) {
		walk->type = walk->header == 2 ? entry[0] : get16(entry);
		walk->bytes = walk->header == 2 ? entry[1] : get16(entry + 2);
	}
	if (left < walk->header || walk->bytes < walk->header || walk->bytes > left) {
		boot_log(walk->acpi->info, "ACPI: %.4s is broken at offset %u; the rest is skipped", walk->table.signature,
			 walk->next);
		return false;
	}
	walk->entry = entry;
	walk->next += walk->bytes;
	return true;
}

bool acpi_walk_has(struct acpi_walk *walk, uint32_t bytes)
{
	if (walk->bytes >= bytes)
		return true;
	boot_log(walk->acpi->info, "ACPI: %.4s entry of type %u is too short; skipped", walk->table.signature, walk->type);
	return false;
}
