/* SPDX-License-Identifier: BSD-2-Clause */
/* test_boot_ranges.c - memory maps: hand-made cases, and random ones against a model that looks at every page.
 * link: boot/ !boot/entry.c boot/uefi/image.c */
#include "tests/unit/boot_tables.h"

#define MODEL_PAGES 64

static void add(uint64_t base, uint64_t end, uint32_t type)
{
	raw.range[raw.ranges++] = (struct boot_range){ .base = base, .bytes = end - base, .type = type };
}

static void assert_range(uint32_t i, uint64_t base, uint64_t end, uint32_t type)
{
	assert_true(i < info.ranges);
	assert_int_equal(info.range[i].base, base);
	assert_int_equal(info.range[i].base + info.range[i].bytes, end);
	assert_int_equal(info.range[i].type, type);
}

static void sort_ranges(void)
{
	const char *why;

	info.nodes = 1;
	info.cpus = 1;
	boot_ranges_sort(&raw, &info);
	why = host_check_ranges(&info);
	if (why)
		fail_msg("%s", why);
}

static int setup_ranges(void **state)
{
	memset(&info, 0, sizeof(info));
	return setup(state);
}

static void test_unsorted_overlapping(void **state)
{
	(void)state;
	add(0x100000, 0x8000000, BOOT_MEMORY_USABLE);
	add(0x0, 0x9fc00, BOOT_MEMORY_USABLE);
	add(0x9fc00, 0xa0000, BOOT_MEMORY_RESERVED);
	add(0x200800, 0x201800, BOOT_MEMORY_ACPI_NVS); /* inside usable: grows to two pages */
	add(0x7fff000, 0x9000000, BOOT_MEMORY_BAD);
	add(0x8500000, 0x8600000, BOOT_MEMORY_RESERVED); /* bad is worse */
	add(0x10000, 0x20000, BOOT_MEMORY_USABLE);       /* said twice */
	add(0x5000, 0x5000, BOOT_MEMORY_BAD);            /* empty */
	sort_ranges();
	assert_int_equal(info.ranges, 6);
	assert_range(0, 0, 0x9f000, BOOT_MEMORY_USABLE);
	assert_range(1, 0x9f000, 0xa0000, BOOT_MEMORY_RESERVED);
	assert_range(2, 0x100000, 0x200000, BOOT_MEMORY_USABLE);
	assert_range(3, 0x200000, 0x202000, BOOT_MEMORY_ACPI_NVS);
	assert_range(4, 0x202000, 0x7fff000, BOOT_MEMORY_USABLE);
	assert_range(5, 0x7fff000, 0x9000000, BOOT_MEMORY_BAD);
}

static void test_ends_of_the_world(void **state)
{
	(void)state;
	add(PHYSICAL_LIMIT - 0x1000, UINT64_MAX, BOOT_MEMORY_USABLE);
	add(0, UINT64_MAX, BOOT_MEMORY_RESERVED);
	add(UINT64_MAX - 5, UINT64_MAX, BOOT_MEMORY_USABLE);
	raw.range[raw.ranges++] = (struct boot_range){ .base = 0x1000, .bytes = UINT64_MAX, .type = 1 };
	raw.range[raw.ranges++] = (struct boot_range){ .base = 0x4000, .bytes = 0x1000, .type = 1234 };
	sort_ranges();
	assert_int_equal(info.ranges, 1);
	assert_range(0, 0, PHYSICAL_LIMIT, BOOT_MEMORY_RESERVED);
}

static void test_cover(void **state)
{
	(void)state;
	add(0x1000, 0x3000, BOOT_MEMORY_USABLE);
	add(0x3000, 0x4000, BOOT_MEMORY_USABLE);
	add(0x5000, 0x6000, BOOT_MEMORY_USABLE);
	info.affinity[info.affinities++] = (struct boot_affinity){ .base = 0x2000, .bytes = 0x1000, .node = 0 };
	sort_ranges();
	assert_true(boot_ranges_cover(&info, 0x1000, 0x3000, BOOT_MEMORY_USABLE));
	assert_false(boot_ranges_cover(&info, 0xfff, 0x10, BOOT_MEMORY_USABLE));
	assert_false(boot_ranges_cover(&info, 0x3000, 0x3000, BOOT_MEMORY_USABLE));
	assert_false(boot_ranges_cover(&info, 0x1000, UINT64_MAX, BOOT_MEMORY_USABLE));
}

/* More pieces than the table holds: said, and what there is stays sound. */
static void test_too_many(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < BOOT_RANGES_MAX - 1; i++)
		add(0x1000 + i * 0x4000ull, 0x2000 + i * 0x4000ull, BOOT_MEMORY_RESERVED);
	add(0, 0x1000000, BOOT_MEMORY_USABLE);
	sort_ranges();
	assert_int_equal(info.ranges, BOOT_RANGES_MAX);
	assert_logged("more than 256 pieces");
}

static void test_raw_full(void **state)
{
	(void)state;
	raw_init(&raw, BOOT_PVH);
	for (uint64_t i = 0; i < 300; i++)
		raw_add(&raw, i * 0x10000, 0x1000 + i, BOOT_MEMORY_USABLE);
	assert_int_equal(raw.ranges, BOOT_RANGES_MAX);
	for (uint64_t i = 0; i < BOOT_RANGES_MAX + 10; i++)
		raw_add(&raw, 0x5000 + i * 0x10000, 0x1000, BOOT_MEMORY_RESERVED);
	for (uint32_t i = 0; i < BOOT_RANGES_MAX; i++)
		assert_int_equal(raw.range[i].type, BOOT_MEMORY_RESERVED);
	raw_init(&raw, BOOT_PVH);
	raw_add(&raw, 0, 0x1000, BOOT_MEMORY_USABLE);
	raw_add(&raw, 0x1000, 0x1000, BOOT_MEMORY_USABLE);
	raw_add(&raw, 0x2000, 0x1000, BOOT_MEMORY_BAD);
	assert_int_equal(raw.ranges, 2);
}

static uint32_t worst(uint64_t base, uint64_t end)
{
	static const uint32_t order[] = { BOOT_MEMORY_BAD, BOOT_MEMORY_PMEM, BOOT_MEMORY_RESERVED,
					  BOOT_MEMORY_ACPI_NVS, BOOT_MEMORY_ACPI_RECLAIM };

	for (uint32_t k = 0; k < ARRAY_LEN(order); k++) {
		for (uint32_t i = 0; i < raw.ranges; i++) {
			const struct boot_range *range = &raw.range[i];

			if (range->type == order[k] && range->bytes && range->base < end &&
			    base < range->base + range->bytes)
				return order[k];
		}
	}
	for (uint32_t i = 0; i < raw.ranges; i++) {
		const struct boot_range *range = &raw.range[i];

		if (range->type == BOOT_MEMORY_USABLE && range->base <= base && end <= range->base + range->bytes)
			return BOOT_MEMORY_USABLE;
	}
	return 0;
}

static void test_against_model(void **state)
{
	static const uint32_t types[] = { 1, 1, 1, 2, 3, 4, 5, 7 };

	srand(1);
	for (uint32_t round = 0; round < 3000; round++) {
		setup_ranges(state);
		for (int n = rand() % 12; n >= 0; n--) {
			uint64_t base = (uint64_t)(rand() % (MODEL_PAGES * 8)) * 512;

			add(base, base + (uint64_t)(rand() % 160) * 512, types[rand() % ARRAY_LEN(types)]);
		}
		sort_ranges();
		for (uint64_t page = 0; page < MODEL_PAGES + 32; page++) {
			uint32_t found = 0;

			for (uint32_t i = 0; i < info.ranges; i++)
				if (page * PAGE_SIZE >= info.range[i].base &&
				    page * PAGE_SIZE < info.range[i].base + info.range[i].bytes)
					found = info.range[i].type;
			assert_int_equal(found, worst(page * PAGE_SIZE, (page + 1) * PAGE_SIZE));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_unsorted_overlapping, setup_ranges),
		cmocka_unit_test_setup(test_ends_of_the_world, setup_ranges),
		cmocka_unit_test_setup(test_cover, setup_ranges),
		cmocka_unit_test_setup(test_too_many, setup_ranges),
		cmocka_unit_test_setup(test_raw_full, setup_ranges),
		cmocka_unit_test_setup(test_against_model, setup_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
