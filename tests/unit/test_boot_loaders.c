/* SPDX-License-Identifier: BSD-2-Clause */
/* test_boot_loaders.c - what PVH and Multiboot2 loaders leave, and kernel files for the UEFI application: sound, cut
 * short and lying.
 * link: boot/ !boot/entry.c boot/uefi/image.c */
#include "tests/unit/boot_tables.h"

#include "boot/uefi/image.h"

static const char *why;

static uint64_t make_start_info(void)
{
	uint8_t start[56] = { 0 }, module[32] = { 0 }, memory[2 * 24] = { 0 };

	put32(start, 0x336ec578);
	put32(start + 4, 1);
	put32(start + 12, 1);
	put64(module, 0x3000000);
	put64(module + 8, 12345);
	put64(memory + 8, 0x9fc00);
	put32(memory + 16, 1);
	put64(memory + 24, 0x100000);
	put64(memory + 32, 0x1000);
	put32(memory + 40, 99); /* of the future: reserved */
	put64(start + 16, host_put(module, sizeof(module)));
	put64(start + 24, host_put("root=pmem0 x", 13));
	put64(start + 32, 0xf5000);
	put64(start + 40, host_put(memory, sizeof(memory)));
	put32(start + 48, 2);
	return host_put(start, sizeof(start));
}

static void test_pvh(void **state)
{
	uint64_t start = make_start_info();

	(void)state;
	assert_true(pvh_read(start, host_map, &raw, &why));
	assert_int_equal(raw.path, BOOT_PVH);
	assert_int_equal(raw.rsdp, 0xf5000);
	assert_int_equal(raw.ranges, 2);
	assert_int_equal(raw.range[1].type, BOOT_MEMORY_RESERVED);
	assert_int_equal(raw.archive_base, 0x3000000);
	assert_int_equal(raw.archive_bytes, 12345);
	assert_string_equal(raw.command_line, "root=pmem0 x");
}

static void test_pvh_lies(void **state)
{
	uint64_t start = make_start_info();
	uint8_t *at = host_at(start);

	(void)state;
	put64(at + 40, 0x123456789abcdef);
	assert_false(pvh_read(start, host_map, &raw, &why));
	assert_string_equal(why, "the PVH memory map is out of reach");
	put64(at + 40, HOST_BASE);
	put32(at + 48, UINT32_MAX);
	assert_false(pvh_read(start, host_map, &raw, &why));
	put32(at + 4, 0);
	assert_false(pvh_read(start, host_map, &raw, &why));
	assert_string_equal(why, "the PVH loader gives no memory map");
	put32(at, 0);
	assert_false(pvh_read(start, host_map, &raw, &why));
	assert_false(pvh_read(HOST_BASE + HOST_BYTES - 3, host_map, &raw, &why));
	start = make_start_info();
	put32(host_at(start) + 12, UINT32_MAX);
	assert_false(pvh_read(start, host_map, &raw, &why));
	assert_string_equal(why, "the PVH module list is out of reach");
}

/* A command line without an end, and one as long as memory. */
static void test_pvh_command_line(void **state)
{
	uint64_t start = make_start_info();

	(void)state;
	memset(host_at(HOST_BASE + 0x10000), 'x', HOST_BYTES - 0x10000);
	put64(host_at(start) + 24, HOST_BASE + 0x10000);
	assert_true(pvh_read(start, host_map, &raw, &why));
	assert_int_equal(strlen(raw.command_line), sizeof(raw.command_line) - 1);
	put64(host_at(start) + 24, HOST_BASE + HOST_BYTES - 5);
	assert_true(pvh_read(start, host_map, &raw, &why));
	assert_string_equal(raw.command_line, "xxxxx");
}

static uint8_t mbi[1024];
static uint32_t mbi_bytes;

static uint8_t *mbi_tag(uint32_t type, uint32_t bytes)
{
	uint8_t *tag = mbi + mbi_bytes;

	memset(tag, 0, bytes);
	put32(tag, type);
	put32(tag + 4, bytes);
	mbi_bytes += (bytes + 7) & ~7u;
	return tag;
}

static uint64_t mbi_finish(void)
{
	mbi_tag(0, 8);
	put32(mbi, mbi_bytes);
	return host_put(mbi, mbi_bytes);
}

static void mbi_start(void)
{
	uint8_t *tag;

	mbi_bytes = 8;
	memcpy(mbi_tag(1, 8 + 4) + 8, "a=b", 4);
	tag = mbi_tag(6, 16 + 2 * 24);
	put32(tag + 8, 24);
	put64(tag + 16 + 8, 0xa0000);
	put32(tag + 16 + 16, 1);
	put64(tag + 40, 0x100000);
	put64(tag + 48, 0x1000000);
	put32(tag + 56, 3);
}

static void test_multiboot2(void **state)
{
	uint64_t physical;
	uint8_t *tag;

	(void)state;
	mbi_start();
	tag = mbi_tag(3, 16 + 5);
	put32(tag + 8, 0x400000);
	put32(tag + 12, 0x400123);
	put32(mbi_tag(3, 16) + 12, 5); /* a second module */
	mbi_tag(15, 8 + 36);
	mbi_tag(14, 8 + 20); /* the newer one wins whatever the order */
	physical = mbi_finish();
	assert_true(multiboot2_read(physical, host_map, &raw, &why));
	assert_int_equal(raw.path, BOOT_MULTIBOOT2);
	assert_string_equal(raw.command_line, "a=b");
	assert_int_equal(raw.ranges, 2);
	assert_int_equal(raw.range[1].type, BOOT_MEMORY_ACPI_RECLAIM);
	assert_int_equal(raw.archive_base, 0x400000);
	assert_int_equal(raw.archive_bytes, 0x123);
	assert_int_equal(raw.rsdp, physical + 8 + 16 + 64 + 24 + 16 + 8);
}

static void test_multiboot2_lies(void **state)
{
	uint64_t physical;
	uint8_t *at;

	(void)state;
	mbi_start();
	physical = mbi_finish();
	at = host_at(physical);
	put32(at + 24 + 8, 0); /* entry size */
	assert_false(multiboot2_read(physical, host_map, &raw, &why));
	assert_string_equal(why, "the Multiboot2 loader gives no memory map");
	put32(at + 24 + 8, UINT32_MAX);
	assert_false(multiboot2_read(physical, host_map, &raw, &why));
	put32(at + 24 + 4, UINT32_MAX); /* tag size */
	assert_false(multiboot2_read(physical, host_map, &raw, &why));
	put32(at + 12, 0);
	assert_false(multiboot2_read(physical, host_map, &raw, &why));
	put32(at, UINT32_MAX);
	assert_false(multiboot2_read(physical, host_map, &raw, &why));
	assert_string_equal(why, "the Multiboot2 information has an impossible size");
	assert_false(multiboot2_read(UINT64_MAX, host_map, &raw, &why));
}

/* Every total size: whatever is cut off is not read. */
static void test_multiboot2_cut(void **state)
{
	(void)state;
	for (uint32_t total = 0; total < 200; total++) {
		uint64_t physical;
		bool found;

		setup(NULL);
		mbi_start();
		physical = mbi_finish();
		put32(host_at(physical), total);
		found = multiboot2_read(physical, host_map, &raw, &why);
		assert_int_equal(found, total >= 24 + 64);
	}
}

static uint8_t elf[8192];

static uint8_t *elf_segment(uint32_t i)
{
	return elf + 64 + i * 56;
}

static void make_elf(void)
{
	memset(elf, 0, sizeof(elf));
	memcpy(elf, "\x7f" "ELF\x02\x01\x01", 7);
	put16(elf + 16, 2);
	put16(elf + 18, 62);
	put64(elf + 24, 0x200010);
	put64(elf + 32, 64);
	put16(elf + 54, 56);
	put16(elf + 56, 3);
	for (uint32_t i = 0; i < 2; i++) {
		uint8_t *segment = elf_segment(i);

		put32(segment, 1);
		put32(segment + 4, i ? 6 : 5);
		put64(segment + 8, 0x1000);
		put64(segment + 24, 0x200000 + i * 0x1000);
		put64(segment + 32, 0x800);
		put64(segment + 40, 0x900 + i * 0x10000);
	}
	put32(elf_segment(2), 1); /* empty: not loaded, wherever it says it goes */
}

static void test_image(void **state)
{
	struct image image;

	(void)state;
	make_elf();
	assert_null(image_check(elf, sizeof(elf), &image));
	assert_int_equal(image.segments, 2);
	assert_int_equal(image.base, 0x200000);
	assert_int_equal(image.bytes, 0x12000);
	assert_int_equal(image.entry, 0x200010);
}

static void refuse(uint32_t offset, uint32_t bytes, uint64_t value)
{
	struct image image;

	make_elf();
	memcpy(elf + offset, &value, bytes);
	if (!image_check(elf, sizeof(elf), &image))
		fail_msg("0x%llx at %u is accepted", (unsigned long long)value, offset);
}

static void test_image_lies(void **state)
{
	const uint32_t second = 64 + 56;

	(void)state;
	refuse(0, 1, 0);
	refuse(4, 1, 1);
	refuse(5, 1, 2);
	refuse(16, 2, 3);
	refuse(18, 2, 3);
	refuse(54, 2, 32);
	refuse(56, 2, 0);
	refuse(56, 2, 0xffff);
	refuse(32, 8, sizeof(elf) - 1);
	refuse(32, 8, UINT64_MAX);
	refuse(24, 8, 0x200800);           /* entry in the part that is not in the file */
	refuse(24, 8, 0x201010);           /* entry in data */
	refuse(second + 8, 8, UINT64_MAX); /* offset */
	refuse(second + 32, 8, UINT64_MAX);
	refuse(second + 32, 8, 0x20000);
	refuse(second + 40, 8, 0x7ff);
	refuse(second + 40, 8, UINT64_MAX);
	refuse(second + 24, 8, 0x2008ff); /* overlaps */
	refuse(second + 24, 8, 0x1000);
	refuse(second + 24, 8, UINT64_MAX);
	refuse(second + 24, 8, 1ull << 30);
}

static void test_image_cut(void **state)
{
	struct image image;

	(void)state;
	make_elf();
	for (uint32_t bytes = 0; bytes < 0x1800; bytes += bytes < 300 ? 1 : 97) {
		uint8_t *cut = malloc(bytes ? bytes : 1);

		memcpy(cut, elf, bytes);
		assert_non_null(image_check(cut, bytes, &image));
		free(cut);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_pvh, setup),
		cmocka_unit_test_setup(test_pvh_lies, setup),
		cmocka_unit_test_setup(test_pvh_command_line, setup),
		cmocka_unit_test_setup(test_multiboot2, setup),
		cmocka_unit_test_setup(test_multiboot2_lies, setup),
		cmocka_unit_test_setup(test_multiboot2_cut, setup),
		cmocka_unit_test_setup(test_image, setup),
		cmocka_unit_test_setup(test_image_lies, setup),
		cmocka_unit_test_setup(test_image_cut, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
