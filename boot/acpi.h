/* SPDX-License-Identifier: GPL-2.0-only */
/* acpi.h - the static ACPI tables (ACPI Specification 6.5, chapter 5.2), read once at boot.
 *
 * acpi_find_tables() checks every table that the root table names: length, checksum, place. Only tables that passed are
 * in acpi->table, and only those are read by the acpi_read_* functions; these check each entry in turn.
 * Rule: a table is firmware's, so nothing in it is believed; what is broken is said in info->log and skipped.
 * A table's bytes are readable until the next map call, so one table is read at a time. */
#pragma once

#include "boot/boot.h"

#define ACPI_HEADER_BYTES 36
#define ACPI_TABLES_MAX 128
#define ACPI_TABLE_BYTES_MAX (16u << 20)
#define ACPI_DOMAIN_NONE UINT32_MAX

struct acpi_entry { /* one table that passed its checks */
	char signature[4];
	uint32_t bytes;
	uint64_t physical;
};

struct acpi {
	const void *(*map)(uint64_t physical, uint64_t bytes);
	struct boot_info *info;
	uint32_t tables;
	struct acpi_entry table[ACPI_TABLES_MAX];
};

/* A table while it is being read. */
struct acpi_table {
	const uint8_t *at;
	uint32_t bytes;
	const char *signature;
};

/* Walks a table's entries, whose type and length are one byte each (MADT, SRAT) or two (NFIT, DMAR). */
struct acpi_walk {
	struct acpi *acpi;
	struct acpi_table table;
	uint32_t next;   /* offset of the next entry */
	uint32_t header; /* 2 or 4 bytes */
	uint32_t type;   /* of the current one, as is the rest */
	uint32_t bytes;
	const uint8_t *entry;
};

/* acpi.c */
void acpi_find_tables(struct acpi *acpi, uint64_t rsdp, bool search_bios);
bool acpi_add_table(struct acpi *acpi, uint64_t physical, const char *expected); /* NULL: any signature */
MUST_USE bool acpi_open(struct acpi *acpi, const char *signature, uint32_t bytes_min, struct acpi_table *out);
MUST_USE bool acpi_open_at(struct acpi *acpi, uint32_t index, struct acpi_table *out);
bool acpi_sum_is_zero(const uint8_t *at, uint64_t bytes);

/* acpi_walk.c */
void acpi_walk_init(struct acpi_walk *walk, struct acpi *acpi, const struct acpi_table *table, uint32_t first,
		    uint32_t header);
MUST_USE bool acpi_walk_next(struct acpi_walk *walk);
/* Is the current entry long enough? If not, says so. */
MUST_USE bool acpi_walk_has(struct acpi_walk *walk, uint32_t bytes);

/* One file each. Nodes are proximity domains (ACPI_DOMAIN_NONE: not known) until acpi_number_nodes(). */
void acpi_read_madt(struct acpi *acpi, uint32_t boot_apic_id); /* acpi_madt.c */
void acpi_read_srat(struct acpi *acpi);                        /* acpi_numa.c; after the MADT */
void acpi_number_nodes(struct acpi *acpi);                     /* acpi_numa.c; after SRAT and NFIT; reads the SLIT */
void acpi_read_nfit(struct acpi *acpi);                        /* acpi_nfit.c */
void acpi_read_fadt(struct acpi *acpi);                        /* acpi_fadt.c; and _S5_ in the AML tables */
void acpi_read_mcfg(struct acpi *acpi);                        /* acpi_platform.c */
void acpi_read_hpet(struct acpi *acpi);
void acpi_read_dmar(struct acpi *acpi);
