/* SPDX-License-Identifier: BSD-2-Clause */
/* test_boot_platform.c - boot_gather() on hand-made tables: power off, reset, PCI, HPET, IOMMUs; and on a q35 machine's
 * real ones (tests/unit/data/acpi_q35.bin: records of address, length, bytes; 4 CPUs, 2 nodes, 2 NVDIMMs, an IOMMU).
 * link: boot/ !boot/entry.c boot/uefi/image.c */
#include "tests/unit/boot_tables.h"

static uint8_t fadt[276 - ACPI_HEADER_BYTES];

static uint8_t *fadt_at(uint32_t offset)
{
	return fadt + offset - ACPI_HEADER_BYTES;
}

static void make_fadt(const uint8_t *aml, uint32_t aml_bytes)
{
	memset(fadt, 0, sizeof(fadt));
	put64(fadt_at(140), make_table("DSDT", 2, aml, aml_bytes));
	put32(fadt_at(64), 0x604);
	put32(fadt_at(112), 1u << 10);
	*fadt_at(116) = 1;
	put64(fadt_at(120), 0xcf9);
	*fadt_at(128) = 0x0f;
	add_table("FACP", 6, fadt, sizeof(fadt));
}

static void test_s5(void **state)
{
	static const struct {
		const char *aml;
		uint32_t bytes;
		bool known;
		uint8_t a, b;
	} example[] = {
		{ "\x08_S5_\x12\x06\x04\x00\x00\x00\x00", 12, true, 0, 0 },
		{ "\x08\\_S5_\x12\x0a\x04\x0a\x05\x0a\x07\x00\x00\x00", 16, false, 0, 0 }, /* longer than the table */
		{ "\x08\\_S5_\x12\x09\x04\x0a\x05\x0a\x07\x00\x00\x00", 16, true, 5, 7 },
		{ "\x08_S5_\x12\x04\x01\x0a\x03", 10, true, 3, 0 },
		{ "\x08_S5_\x12\x47\x00\x02\x0b\x01\x00\x01", 13, true, 1, 1 }, /* two bytes of length; a word */
		{ "\x08_S5_\x12\x07\x02\x0c\x02\x00\x00\x00", 13, false, 0, 0 }, /* the second is missing */
		{ "\x08_S5_\x12\x05\x02\x0a\x08\x00", 11, false, 0, 0 }, /* 8 is no sleep type */
		{ "\x08_S5_\x12\x01\x02\x0a", 9, false, 0, 0 },
		{ "\x08_S5_\x11\x06\x04\x00\x00\x00\x00", 12, false, 0, 0 },
		{ "\x10_S5_\x12\x06\x04\x00\x00\x00\x00", 12, false, 0, 0 },
		{ "\x08_S5_", 5, false, 0, 0 },
		{ "\x08_S5_\x12\xcf\xff\xff\xff\x02", 11, false, 0, 0 },
		{ "\x08_S5_\x12\x00 \x08_S5_\x12\x05\x02\x01\x01\x00", 20, true, 1, 1 }, /* the second counts */
		{ "", 0, false, 0, 0 },
	};

	(void)state;
	for (uint32_t i = 0; i < ARRAY_LEN(example); i++) {
		setup(NULL);
		make_fadt((const uint8_t *)example[i].aml, example[i].bytes);
		gather_tables();
		if (info.s5_known != example[i].known || info.s5_type_a != example[i].a || info.s5_type_b != example[i].b)
			fail_msg("example %u: known %u, %u/%u", i, info.s5_known, info.s5_type_a, info.s5_type_b);
		assert_int_equal(info.pm1a_control_port, 0x604);
		assert_true(info.reset_known);
		assert_int_equal(info.reset_address, 0xcf9);
		assert_int_equal(info.reset_value, 0x0f);
	}
}

static void test_s5_in_ssdt(void **state)
{
	(void)state;
	make_fadt((const uint8_t *)"abc", 3);
	add_table("SSDT", 2, (const uint8_t *)"x", 1);
	add_table("SSDT", 2, (const uint8_t *)"\x08_S5_\x12\x05\x02\x0a\x06\x00", 11);
	gather_tables();
	assert_true(info.s5_known);
	assert_int_equal(info.s5_type_a, 6);
}

static void test_fadt_lies(void **state)
{
	(void)state;
	make_fadt((const uint8_t *)"", 0);
	host_at(pointer[0])[172] = 1;
	put64(host_at(pointer[0]) + 176, 0x10000); /* not a port */
	host_at(pointer[0])[116] = 3;              /* embedded controller */
	sum_fix(host_at(pointer[0]), 276, 9);
	gather_tables();
	assert_int_equal(info.pm1a_control_port, 0);
	assert_false(info.reset_known);
	assert_logged("impossible port");
	assert_logged("space 3");
	for (uint32_t length = 36; length < 276; length++) {
		put32(host_at(pointer[0]) + 4, length);
		sum_fix(host_at(pointer[0]), length, 9);
		gather_tables();
	}
}

static void test_platform(void **state)
{
	uint8_t mcfg[8 + 3 * 16 + 5] = { 0 }, hpet[20] = { 0 }, dmar[12 + 16 + 16 + 8] = { 38 };

	(void)state;
	put64(mcfg + 8, 0xb0000000);
	mcfg[8 + 11] = 255;
	put64(mcfg + 24, 0xc0000000);
	mcfg[24 + 10] = 9; /* starts after its end */
	put64(mcfg + 40, 0x1234);
	add_table("MCFG", 1, mcfg, sizeof(mcfg));
	put64(hpet + 8, 0xfed00000);
	add_table("HPET", 1, hpet, sizeof(hpet));
	put16(dmar + 12 + 2, 16);
	dmar[12 + 4] = 1;
	put64(dmar + 12 + 8, 0xfed90000);
	put16(dmar + 28 + 2, 16);
	put64(dmar + 28 + 8, 0xfed90123);
	put16(dmar + 44, 1);
	put16(dmar + 44 + 2, 0xffff); /* ends outside */
	add_table("DMAR", 1, dmar, sizeof(dmar));
	gather_tables();
	assert_int_equal(info.mcfgs, 1);
	assert_int_equal(info.mcfg[0].bus_end, 255);
	assert_int_equal(info.hpet_base, 0xfed00000);
	assert_int_equal(info.drhds, 1);
	assert_true(info.drhd[0].include_all);
	assert_int_equal(info.dmar_width, 39);
	assert_logged("half an entry");
	assert_logged("DMAR is broken at offset 80");
	assert_logged("DMAR unit at 0xfed90123");
}

/* The fixture's tables lie above what host_map() reaches: they are found by their addresses here. */
static uint8_t fixture[65536];
static uint32_t fixture_bytes;

static const void *fixture_map(uint64_t physical, uint64_t bytes)
{
	for (uint32_t at = 0; at + 16 <= fixture_bytes; at += 16 + get32(fixture + at + 8)) {
		uint64_t base = get64(fixture + at), length = get64(fixture + at + 8);

		if (physical >= base && physical - base <= length && bytes <= length - (physical - base))
			return fixture + at + 16 + (physical - base);
	}
	return NULL;
}

static void test_q35(void **state)
{
	FILE *file = fopen("tests/unit/data/acpi_q35.bin", "rb");

	(void)state;
	if (!file)
		skip(); /* not run from the top of the tree */
	fixture_bytes = (uint32_t)fread(fixture, 1, sizeof(fixture), file);
	fclose(file);
	raw.rsdp = get64(fixture);
	raw.range[raw.ranges++] =
		(struct boot_range){ .base = 0x100000, .bytes = 0x7fedf000, .type = BOOT_MEMORY_USABLE };
	boot_gather_on(&raw, fixture_map, 2, &info);
	assert_null(host_check(&info, 2));
	assert_int_equal(info.cpus, 4);
	assert_int_equal(info.nodes, 2);
	assert_int_equal(info.cpu[0].node, 1);
	assert_int_equal(info.distance[1][0], 21);
	assert_int_equal(info.pmems, 2);
	assert_int_equal(info.pmem[0].base, 0x100000000);
	assert_int_equal(info.pmem[0].bytes, 0x20000000);
	assert_int_equal(info.pmem[1].node, 1);
	assert_int_equal(info.ioapic[0].address, 0xfec00000);
	assert_int_equal(info.overrides, 5);
	assert_int_equal(info.override[0].gsi, 2);
	assert_int_equal(info.mcfg[0].base, 0xb0000000);
	assert_int_equal(info.hpet_base, 0xfed00000);
	assert_int_equal(info.drhd[0].base, 0xfed90000);
	assert_int_equal(info.pm1a_control_port, 0x604);
	assert_int_equal(info.ranges, 4);
	assert_int_equal(info.range[1].node, 1);
	assert_logged("table at 0x7ffdf040 is out of reach"); /* the DSDT is not in the fixture */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_s5, setup),
		cmocka_unit_test_setup(test_s5_in_ssdt, setup),
		cmocka_unit_test_setup(test_fadt_lies, setup),
		cmocka_unit_test_setup(test_platform, setup),
		cmocka_unit_test_setup(test_q35, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
