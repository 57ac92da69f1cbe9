/* SPDX-License-Identifier: BSD-2-Clause */
/* boot_tables.h - builds ACPI tables in the memory of boot_host.h, and gathers them. One source file per program
 * includes this. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "tests/unit/boot_host.h"

#define RSDP (HOST_BASE)
#define ROOT (HOST_BASE + 0x100)

static struct boot_raw raw;
static struct boot_info info;
static uint64_t pointer[ACPI_TABLES_MAX + 8];
static uint32_t pointers;

static inline int setup(void **state)
{
	(void)state;
	host_reset();
	pointers = 0;
	memset(&raw, 0, sizeof(raw));
	raw.magic = BOOT_RAW_MAGIC;
	raw.path = BOOT_UEFI;
	raw.rsdp = RSDP;
	return 0;
}

/* A table with its header, checksum right. Returns its physical address, which is not in the root yet. */
static inline uint64_t make_table(const char *signature, uint8_t revision, const uint8_t *body, uint32_t bytes)
{
	uint8_t table[4096] = { 0 };

	memcpy(table, signature, 4);
	put32(table + 4, ACPI_HEADER_BYTES + bytes);
	table[8] = revision;
	memcpy(table + ACPI_HEADER_BYTES, body, bytes);
	sum_fix(table, ACPI_HEADER_BYTES + bytes, 9);
	return host_put(table, ACPI_HEADER_BYTES + bytes);
}

static inline uint64_t add_table(const char *signature, uint8_t revision, const uint8_t *body, uint32_t bytes)
{
	pointer[pointers] = make_table(signature, revision, body, bytes);
	return pointer[pointers++];
}

static inline void put_root(const char *signature, uint32_t width)
{
	uint8_t *root = host_at(ROOT);

	memcpy(root, signature, 4);
	put32(root + 4, ACPI_HEADER_BYTES + pointers * width);
	for (uint32_t i = 0; i < pointers; i++)
		memcpy(root + ACPI_HEADER_BYTES + i * width, &pointer[i], width);
	sum_fix(root, ACPI_HEADER_BYTES + pointers * width, 9);
}

static inline void put_rsdp(uint64_t physical, uint8_t revision, uint32_t rsdt, uint64_t xsdt)
{
	uint8_t *rsdp = host_at(physical);

	memset(rsdp, 0, 36);
	memcpy(rsdp, "RSD PTR ", 8);
	rsdp[15] = revision;
	put32(rsdp + 16, rsdt);
	sum_fix(rsdp, 20, 8);
	put32(rsdp + 20, 36);
	put64(rsdp + 24, xsdt);
	sum_fix(rsdp, 36, 32);
}

static inline void gather(void)
{
	const char *why;

	boot_gather_on(&raw, host_map, 0, &info);
	why = host_check(&info, 0);
	if (why)
		fail_msg("%s; log:\n%s", why, info.log);
}

static inline void gather_tables(void)
{
	put_root("XSDT", 8);
	put_rsdp(RSDP, 2, 0, ROOT);
	gather();
}

static inline void assert_logged(const char *text)
{
	if (!strstr(info.log, text))
		fail_msg("\"%s\" is not in the log:\n%s", text, info.log);
}
