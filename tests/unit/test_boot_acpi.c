/* SPDX-License-Identifier: BSD-2-Clause */
/* test_boot_acpi.c - boot_gather() on hand-made tables, sound and broken: root tables, CPUs, nodes, pmem.
 * link: boot/ !boot/entry.c boot/uefi/image.c */
#include "tests/unit/boot_tables.h"

/* MADT entries */
static uint8_t madt[2048];
static uint32_t madt_bytes;

static void madt_start(uint32_t lapic, uint32_t flags)
{
	put32(madt, lapic);
	put32(madt + 4, flags);
	madt_bytes = 8;
}

static uint8_t *madt_entry(uint8_t type, uint8_t bytes)
{
	uint8_t *entry = madt + madt_bytes;

	memset(entry, 0, bytes);
	entry[0] = type;
	entry[1] = bytes;
	madt_bytes += bytes;
	return entry;
}

static void madt_lapic(uint8_t uid, uint8_t apic_id, uint32_t flags)
{
	uint8_t *entry = madt_entry(0, 8);

	entry[2] = uid;
	entry[3] = apic_id;
	put32(entry + 4, flags);
}

static void test_no_rsdp(void **state)
{
	(void)state;
	raw.rsdp = 0;
	gather();
	assert_int_equal(info.cpus, 1);
	assert_int_equal(info.lapic_address, 0xfee00000);
	assert_true(info.legacy_pic);
	assert_logged("no RSDP");
}

static void test_rsdp_checksums(void **state)
{
	(void)state;
	madt_start(0xfee00000, 1);
	madt_lapic(0, 0, 1);
	add_table("APIC", 3, madt, madt_bytes);
	put_root("XSDT", 8);
	put_rsdp(RSDP, 2, 0, ROOT);
	host_at(RSDP)[9]++; /* both sums */
	gather();
	assert_logged("is broken");
	put_rsdp(RSDP, 2, 0, ROOT);
	host_at(RSDP)[33]++; /* the extended sum alone */
	gather();
	assert_logged("is broken");
	put_rsdp(RSDP, 2, 0, ROOT);
	put32(host_at(RSDP) + 20, 0xffffffff);
	gather();
	assert_logged("is broken");
	put_rsdp(RSDP, 2, 0, ROOT);
	gather();
	assert_string_equal(info.log, "ACPI: no _S5_ found" + sizeof("ACPI: no _S5_ found") - 1);
}

/* The BIOS area is searched on all paths but UEFI. */
static void test_rsdp_search(void **state)
{
	(void)state;
	madt_start(0xfee00000, 0);
	madt_lapic(7, 0, 1);
	add_table("APIC", 3, madt, madt_bytes);
	put_root("RSDT", 4);
	put_rsdp(0xe1230, 0, ROOT, 0);
	raw.rsdp = 0;
	gather();
	assert_logged("no RSDP");
	raw.path = BOOT_MULTIBOOT2;
	gather();
	assert_int_equal(info.cpu[0].acpi_uid, 7);
	assert_false(info.legacy_pic);
}

static void test_xsdt_falls_back(void **state)
{
	(void)state;
	madt_start(0xfee00000, 0);
	madt_lapic(7, 0, 1);
	add_table("APIC", 3, madt, madt_bytes);
	put_root("RSDT", 4);
	put_rsdp(RSDP, 2, ROOT, HOST_BASE + 0x800);
	gather();
	assert_int_equal(info.cpu[0].acpi_uid, 7);
	assert_logged("instead of XSDT");
}

static void test_broken_tables(void **state)
{
	uint8_t *table;

	(void)state;
	madt_start(0xfee00000, 0);
	madt_lapic(7, 0, 1);
	table = host_at(add_table("APIC", 3, madt, madt_bytes));
	pointer[pointers++] = 0xdeadbeef0000;             /* out of reach */
	pointer[pointers++] = HOST_BASE + HOST_BYTES - 8; /* header cut */
	pointer[pointers++] = ROOT;                       /* the root itself */
	pointer[pointers++] = 0;
	gather_tables();
	assert_logged("out of reach");
	assert_int_equal(info.cpu[0].acpi_uid, 7);
	table[40]++;
	gather_tables();
	assert_logged("APIC has a wrong checksum");
	assert_int_equal(info.cpu[0].acpi_uid, 0);
	for (uint32_t length = 0; length < 44; length++) {
		put32(table + 4, length);
		if (length >= ACPI_HEADER_BYTES)
			sum_fix(table, length, 9);
		gather_tables();
		assert_logged(length < ACPI_HEADER_BYTES ? "impossible length" : "APIC is too short");
	}
	put32(table + 4, UINT32_MAX);
	gather_tables();
	assert_logged("impossible length");
}

static void test_madt_cpus(void **state)
{
	uint8_t *entry;

	(void)state;
	madt_start(0xfee00000, 1);
	madt_lapic(3, 2, 1);
	madt_lapic(1, 0, 1); /* the boot CPU is not the first here */
	madt_lapic(9, 2, 1); /* twice */
	madt_lapic(4, 5, 0); /* not there */
	madt_lapic(5, 6, 2); /* could be plugged in */
	madt_lapic(6, 0xff, 1);
	entry = madt_entry(9, 16);
	put32(entry + 4, 0x12345);
	put32(entry + 8, 1);
	put32(entry + 12, 77);
	entry = madt_entry(9, 16);
	put32(entry + 4, 2); /* known by its older entry */
	put32(entry + 8, 1);
	entry = madt_entry(5, 12);
	put64(entry + 4, 0x1fee00000);
	madt_entry(0x7f, 5); /* of the future */
	add_table("APIC", 3, madt, madt_bytes);
	gather_tables();
	assert_int_equal(info.cpus, 3);
	assert_int_equal(info.cpu[0].acpi_uid, 1);
	assert_int_equal(info.cpu[1].apic_id, 2);
	assert_int_equal(info.cpu[1].acpi_uid, 3);
	assert_int_equal(info.cpu[2].apic_id, 0x12345);
	assert_int_equal(info.cpu[2].acpi_uid, 77);
	assert_int_equal(info.lapic_address, 0x1fee00000);
	assert_logged("1 CPUs could be plugged in");
}

static void test_madt_interrupts(void **state)
{
	static const uint16_t flags[] = { 0x0, 0x5, 0xd, 0xf };
	uint8_t *entry;

	(void)state;
	madt_start(0xfee00000, 1);
	madt_lapic(0, 0, 1);
	for (uint32_t i = 0; i < 3; i++) {
		entry = madt_entry(1, 12);
		entry[2] = (uint8_t)i;
		put32(entry + 4, i == 2 ? 0xfec00000 : 0xfec00000 + i * 0x1000); /* the third is the first again */
		put32(entry + 8, i * 24);
	}
	for (uint32_t i = 0; i < ARRAY_LEN(flags); i++) {
		entry = madt_entry(2, 10);
		entry[3] = (uint8_t)i;
		put32(entry + 4, 20 + i);
		put16(entry + 8, flags[i]);
	}
	entry = madt_entry(2, 10);
	entry[2] = 1; /* not ISA */
	entry = madt_entry(2, 10);
	entry[3] = 16;
	entry = madt_entry(2, 10);
	entry[3] = 3; /* twice */
	madt_entry(1, 4); /* too short for its type */
	add_table("APIC", 3, madt, madt_bytes);
	gather_tables();
	assert_int_equal(info.ioapics, 2);
	assert_int_equal(info.ioapic[1].gsi_base, 24);
	assert_int_equal(info.overrides, 4);
	assert_false(info.override[0].active_low || info.override[0].level);
	assert_false(info.override[1].active_low || info.override[1].level);
	assert_true(!info.override[2].active_low && info.override[2].level);
	assert_true(info.override[3].active_low && info.override[3].level);
	assert_int_equal(info.override[3].gsi, 23);
	assert_logged("entry of type 1 is too short");
	assert_logged("I/O APIC 2 twice");
	assert_logged("interrupt 16 of bus 0");
}

/* Every length of every last entry: never read past the table (the sanitizer looks), never lose what came before. */
static void test_madt_cut(void **state)
{
	(void)state;
	for (uint32_t length = 0; length < 32; length++) {
		setup(NULL);
		madt_start(0xfee00000, 1);
		madt_lapic(7, 0, 1);
		for (uint32_t i = 0; i < 16; i++)
			madt[madt_bytes + i] = 0;
		madt[madt_bytes] = (uint8_t)(length & 15);
		madt[madt_bytes + 1] = (uint8_t)length;
		add_table("APIC", 3, madt, madt_bytes + 1 + length % 13);
		gather_tables();
		assert_int_equal(info.cpu[0].acpi_uid, 7);
	}
}

static void test_many_cpus(void **state)
{
	static uint8_t body[8 + 300 * 8];

	(void)state;
	for (uint32_t i = 0; i < 300; i++) {
		uint8_t *entry = body + 8 + i * 8;

		entry[0] = 0;
		entry[1] = 8;
		entry[3] = (uint8_t)(i % 255);
		put32(entry + 4, 1);
	}
	add_table("APIC", 3, body, sizeof(body));
	gather_tables();
	assert_int_equal(info.cpus, 255);
	assert_logged("0x0; 0xfee00000 taken");
}

static uint8_t srat[1024];
static uint32_t srat_bytes;

static void srat_cpu(uint8_t apic_id, uint32_t domain, uint32_t flags)
{
	uint8_t *entry = srat + srat_bytes;

	entry[0] = 0;
	entry[1] = 16;
	entry[2] = (uint8_t)domain;
	entry[3] = apic_id;
	put32(entry + 4, flags);
	put32(entry + 8, domain & 0xffffff00u);
	srat_bytes += 16;
}

static void srat_memory(uint64_t base, uint64_t bytes, uint32_t domain, uint32_t flags)
{
	uint8_t *entry = srat + srat_bytes;

	entry[0] = 1;
	entry[1] = 40;
	put32(entry + 2, domain);
	put64(entry + 8, base);
	put64(entry + 16, bytes);
	put32(entry + 28, flags);
	srat_bytes += 40;
}

static void test_nodes(void **state)
{
	uint8_t slit[8 + 9] = { 3, 0, 0, 0, 0, 0, 0, 0, 10, 11, 21, 12, 10, 31, 22, 32, 10 };

	(void)state;
	memset(srat, 0, sizeof(srat));
	srat_bytes = 12;
	srat_cpu(0, 2, 1);
	srat_cpu(1, 0, 1);
	srat_cpu(2, 77, 0); /* disabled: no domain */
	srat_cpu(3, 0x1234, 1);
	srat_memory(0, 0x40000000, 2, 1);
	srat_memory(0x40000000, 0x40000000, 0, 1);
	srat_memory(0x20000000, 0x1000, 0, 1);      /* taken */
	srat_memory(0x20000000, 0x80000000, 0, 3);  /* for hot plugging: may overlap */
	srat_memory(UINT64_MAX - 5, 0x8000, 0, 1);  /* wraps */
	srat_memory(0x100000000, 0x1000, 0, 0);     /* disabled */
	madt_start(0xfee00000, 1);
	for (uint8_t i = 0; i < 4; i++)
		madt_lapic(i, i, 1);
	add_table("SRAT", 3, srat, srat_bytes);
	add_table("APIC", 3, madt, madt_bytes);
	add_table("SLIT", 1, slit, sizeof(slit));
	raw.range[raw.ranges++] = (struct boot_range){ .base = 0, .bytes = 0x90000000, .type = BOOT_MEMORY_USABLE };
	gather_tables();
	assert_int_equal(info.nodes, 3);
	assert_int_equal(info.cpu[0].node, 1);
	assert_int_equal(info.cpu[1].node, 0);
	assert_int_equal(info.cpu[2].node, 0);
	assert_int_equal(info.cpu[3].node, 2);
	assert_int_equal(info.distance[0][1], 21);
	assert_int_equal(info.distance[1][0], 22);
	assert_int_equal(info.distance[0][2], 20); /* the SLIT does not know domain 0x1234 */
	assert_int_equal(info.affinities, 3);
	assert_int_equal(info.ranges, 2);
	assert_int_equal(info.range[0].bytes, 0x40000000);
	assert_int_equal(info.range[0].node, 1);
	assert_int_equal(info.range[1].node, 0);
	assert_logged("two domains");
	assert_logged("ends nowhere");
}

static void test_slit_lies(void **state)
{
	static const uint64_t localities[] = { 4, 0xffff, 1ull << 32, 1ull << 33, UINT64_MAX };
	uint8_t slit[8 + 9] = { 0 };

	(void)state;
	for (uint32_t i = 0; i < ARRAY_LEN(localities); i++) {
		setup(NULL);
		put64(slit, localities[i]);
		add_table("SLIT", 1, slit, sizeof(slit));
		gather_tables();
		assert_logged("SLIT is too short");
	}
}

static const uint8_t pmem_guid[16] = { 0x79, 0xd3, 0xf0, 0x66, 0xf3, 0xb4, 0x74, 0x40,
				       0xac, 0x43, 0x0d, 0x33, 0x18, 0xb7, 0x8c, 0xdb };
static uint8_t nfit[4 + 32 * 56];
static uint32_t nfit_bytes;

static void nfit_range(uint16_t index, uint64_t base, uint64_t bytes)
{
	uint8_t *entry = nfit + nfit_bytes;

	memset(entry, 0, 56);
	put16(entry + 2, 56);
	put16(entry + 4, index);
	put16(entry + 6, 2);
	put32(entry + 12, index);
	memcpy(entry + 16, pmem_guid, 16);
	put64(entry + 32, base);
	put64(entry + 40, bytes);
	nfit_bytes += 56;
}

static void test_nfit(void **state)
{
	(void)state;
	nfit_bytes = 4;
	nfit_range(1, 0x100000000, 0x10000000);
	nfit_range(2, 0x108000000, 0x10000000);   /* overlaps */
	nfit_range(3, 0x200000800, 0x2000);       /* shrinks to a page */
	nfit_range(4, UINT64_MAX - 0xfff, 0x2000); /* wraps */
	nfit_range(5, 0x300000000, 0);
	nfit_range(6, 1ull << 52, 0x1000);
	nfit_range(7, 0x400000000, 0x1000);
	nfit[nfit_bytes - 56 + 16] ^= 1; /* another type of range */
	nfit_range(8, 0x1000000, 0x1000); /* inside RAM: carved out */
	add_table("NFIT", 1, nfit, nfit_bytes);
	raw.range[raw.ranges++] = (struct boot_range){ .base = 0, .bytes = 0x2000000, .type = BOOT_MEMORY_USABLE };
	raw.range[raw.ranges++] =
		(struct boot_range){ .base = 0x100000000, .bytes = 0x8000000, .type = BOOT_MEMORY_RESERVED };
	gather_tables();
	assert_int_equal(info.pmems, 3);
	assert_int_equal(info.pmem[1].base, 0x200001000);
	assert_int_equal(info.pmem[1].bytes, 0x1000);
	assert_int_equal(info.pmem[2].spa_index, 8);
	assert_int_equal(info.nodes, 3);
	assert_int_equal(info.pmem[2].node, 2);
	assert_logged("ranges 1 and 2 overlap");
	assert_logged("range 4, 0x");
	assert_int_equal(info.ranges, 5);
	assert_int_equal(info.range[1].type, BOOT_MEMORY_PMEM);
	assert_int_equal(info.range[1].base, 0x1000000);
	assert_int_equal(info.range[3].type, BOOT_MEMORY_PMEM); /* PMEM wins over reserved */
	assert_int_equal(info.range[3].bytes, 0x10000000);
}

static void test_many_pmems(void **state)
{
	(void)state;
	nfit_bytes = 4;
	for (uint16_t i = 0; i < 20; i++)
		nfit_range(i, 0x100000000 + i * 0x200000ull, 0x200000);
	add_table("NFIT", 1, nfit, nfit_bytes);
	gather_tables();
	assert_int_equal(info.pmems, BOOT_PMEM_MAX);
	assert_int_equal(info.nodes, BOOT_NODES_MAX);
	assert_logged("more than 16 NFIT ranges");
}

static void test_many_tables(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < ACPI_TABLES_MAX + 4; i++)
		add_table("OEMX", 1, (const uint8_t *)"", 0);
	gather_tables();
	assert_logged("XSDT names 132 tables; the first 126 are read");
}

/* A log that overflows keeps whole lines. */
static void test_log_full(void **state)
{
	uint32_t length;

	(void)state;
	memset(&info, 0, sizeof(info));
	for (uint32_t i = 0; i < 1000; i++)
		boot_log(&info, "line %u of 0x%lx %s %.2s", i, 0x123456789abul, "text\x7f", "abc");
	length = (uint32_t)strlen(info.log);
	assert_true(length > 4000 && length < sizeof(info.log));
	assert_int_equal(info.log[length - 1], '\n');
	assert_memory_equal(info.log, "line 0 of 0x123456789ab text? ab\n", 33);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_no_rsdp, setup),
		cmocka_unit_test_setup(test_rsdp_checksums, setup),
		cmocka_unit_test_setup(test_rsdp_search, setup),
		cmocka_unit_test_setup(test_xsdt_falls_back, setup),
		cmocka_unit_test_setup(test_broken_tables, setup),
		cmocka_unit_test_setup(test_madt_cpus, setup),
		cmocka_unit_test_setup(test_madt_interrupts, setup),
		cmocka_unit_test_setup(test_madt_cut, setup),
		cmocka_unit_test_setup(test_many_cpus, setup),
		cmocka_unit_test_setup(test_nodes, setup),
		cmocka_unit_test_setup(test_slit_lies, setup),
		cmocka_unit_test_setup(test_nfit, setup),
		cmocka_unit_test_setup(test_many_pmems, setup),
		cmocka_unit_test_setup(test_many_tables, setup),
		cmocka_unit_test_setup(test_log_full, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
