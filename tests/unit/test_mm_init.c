/* SPDX-License-Identifier: BSD-2-Clause */
/* test_mm_init.c - mm_init from a boot_info, the kernel half, stacks, device mappings.
 * link: mm/ tests/unit/port_host.c */
#include "mm_test.h"

#include "mm/kernel_space.h"

static struct boot_info info;
static uint64_t given_pages;
extern const char kernel_start[], text_start[], rodata_start[], data_start[], bss_end[];

static void range(uint64_t base, uint64_t bytes, uint32_t type, uint32_t node)
{
	info.range[info.ranges++] = (struct boot_range){ base, bytes, type, node };
}

static int group_begin(void **state)
{
	(void)state;
	host_start(3, false);
	range(0, 0x9f000, BOOT_MEMORY_USABLE, 0);
	range(0xf0000, 0x10000, BOOT_MEMORY_RESERVED, 0);
	range(MIB, 200 * MIB + 0x3000, BOOT_MEMORY_USABLE, 0);
	range(300 * MIB, 100 * MIB, BOOT_MEMORY_USABLE, 1);
	range(4 * GIB, GIB + 0x5000, BOOT_MEMORY_USABLE, 0);
	range(6 * GIB, 64 * MIB, BOOT_MEMORY_PMEM, 1);
	info.kernel_base = 2 * MIB;
	info.kernel_bytes = 44 << 10;
	info.archive_base = 64 * MIB;
	info.archive_bytes = 5 * MIB + 100;
	info.cpus = 3;
	info.cpu[2].node = 1;
	info.pmems = 2;
	info.pmem[0] = (struct boot_pmem){ 6 * GIB, 64 * MIB, 1, 1 };
	info.pmem[1] =
		(struct boot_pmem){ 6 * GIB + MIB, MIB, 1, 2 }; /* overlaps: refused with a line */
	pagetable_set_features(true, false, true);
	mm_init(&info);
	given_pages = (0x9f000 + 200 * MIB + 0x3000 + 100 * MIB + GIB + 0x5000) >> PAGE_SHIFT;
	return 0;
}

static void zones_are_as_the_firmware_says(void **state)
{
	struct info_zone zone;

	(void)state;
	assert_int_equal(zone_count(), 4);
	zone_info(zone_get(0), &zone);
	assert_string_equal(zone.name, "ram0");
	assert_int_equal(zone.base, 0);
	assert_int_equal(zone.bytes, 201 * MIB + 0x3000);
	zone_info(zone_get(1), &zone);
	assert_int_equal(zone.node, 1);
	zone_info(zone_get(2), &zone);
	assert_int_equal(zone.bytes, GIB + 0x5000);
	zone_info(zone_get(3), &zone);
	assert_string_equal(zone.name, "pmem0");
	assert_int_equal(zone.kind, ZONE_PMEM);
	assert_null(zone_get(4));
	assert_true(mm_check());
	/* Everything but image, archive, 64 KiB, the low page, what booting took and a page for each ragged extent. */
	assert_in_range(given_pages - frame_managed_count() - bootalloc_used_pages(),
		11 + 1281 + 16 + 1, 11 + 1281 + 16 + 1 + 12);
	assert_true(bootalloc_low_page().v >= 0x10000 && bootalloc_low_page().v < MIB);
}

static void reserved_memory_is_never_given(void **state)
{
	paddr_t frame;
	uint64_t count = 0;
	static uint64_t frames[400000];

	(void)state;
	while (frame_alloc(NULL, &frame) == OK) {
		assert_true(frame.v >= 0x10000);
		assert_int_not_equal(frame.v, bootalloc_low_page().v);
		assert_false(frame.v - info.kernel_base < info.kernel_bytes);
		assert_false(frame.v - info.archive_base < info.archive_bytes);
		assert_false(frame.v >= 0x9f000 && frame.v < MIB);
		frames[count++] = frame.v;
	}
	while (count)
		frame_free(NULL, PADDR(frames[--count]));
}

static uint64_t leaf_of(uint64_t address, uint32_t *level)
{
	return pte_load(pagetable_find(PADDR(kernel_root()), address, level));
}

static void the_kernel_half_is_w_xor_x(void **state)
{
	uint32_t level;
	uint64_t value;

	(void)state;
	assert_true(kernel_space_check());
	value = leaf_of((uint64_t)(uintptr_t)text_start, &level);
	assert_false(value & (PTE_WRITE | PTE_NX | PTE_USER));
	assert_int_equal(pte_frame(value, level), 2 * MIB + 4096);
	value = leaf_of((uint64_t)(uintptr_t)rodata_start, &level);
	assert_int_equal(value & (PTE_WRITE | PTE_NX), PTE_NX);
	value = leaf_of((uint64_t)(uintptr_t)data_start, &level);
	assert_int_equal(value & (PTE_WRITE | PTE_NX), PTE_WRITE | PTE_NX);
	/* The direct map: all RAM and PMEM, nothing else; the image's constants cannot be written through it. */
	value = leaf_of(DIRECT_MAP_BASE + 4 * GIB + 123 * MIB, &level);
	assert_int_equal(level, 2);
	assert_int_equal(pte_frame(value, 2), 4 * GIB + 122 * MIB);
	assert_true(leaf_of(DIRECT_MAP_BASE + 6 * GIB + 3 * MIB, &level) & PTE_WRITE);
	assert_int_equal(leaf_of(DIRECT_MAP_BASE + 250 * MIB, &level), 0);
	assert_int_equal(leaf_of(DIRECT_MAP_BASE + 0xa0000, &level), 0);
	assert_false(leaf_of(DIRECT_MAP_BASE + 2 * MIB + 4096, &level) & PTE_WRITE);
	assert_true(leaf_of(DIRECT_MAP_BASE + 2 * MIB, &level) & PTE_WRITE);
	assert_true(leaf_of(DIRECT_MAP_BASE + 2 * MIB + 6 * 4096, &level) & PTE_WRITE);
}

static void stacks_have_guards_and_come_back(void **state)
{
	static void *top[200];
	uint32_t level;
	uint64_t free = frame_free_count();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(top); i++) {
		host_set_cpu(i % 3);
		assert_ok(kstack_alloc(&top[i]));
		assert_int_equal((uintptr_t)top[i] % 16, 0);
		for (uint64_t at = PAGE_SIZE; at <= KSTACK_BYTES; at += PAGE_SIZE)
			assert_int_equal(
				leaf_of((uint64_t)(uintptr_t)top[i] - at, &level) & (PTE_WRITE | PTE_NX),
				PTE_WRITE | PTE_NX);
		assert_int_equal(leaf_of((uint64_t)(uintptr_t)top[i] - KSTACK_BYTES - 1, &level), 0);
		assert_true(kstack_is_guard(VADDR((uintptr_t)top[i] - KSTACK_BYTES - 1)));
		assert_false(kstack_is_guard(VADDR((uintptr_t)top[i] - 1)));
	}
	assert_int_equal(free - frame_free_count(), 200 * 4 + 4); /* and four tables for 200 stacks */
	for (size_t i = 0; i < ARRAY_LEN(top); i++) {
		host_set_cpu(i % 2);
		kstack_free(top[i * 13 % ARRAY_LEN(top)]);
	}
	host_set_cpu(0);
	assert_in_range(kstacks_cached(), 1, 24);
	kstacks_reclaim();
	assert_int_equal(kstacks_cached(), 0);
	assert_int_equal(free, frame_free_count());
	assert_true(kernel_space_check());
}

static void devices_are_mapped_and_unmapped(void **state)
{
	void *apic, *hpet, *again;
	uint32_t level;
	uint64_t value;
	static bool warm;

	assert_ok(kernel_map(PADDR(0xfee00000), 4096, CACHE_UNCACHED, true, &apic));
	assert_ok(kernel_map(PADDR(0xfed00010), 5000, CACHE_UNCACHED, false, &hpet));
	assert_int_equal((uintptr_t)hpet & PAGE_MASK, 0x10);
	value = leaf_of((uint64_t)(uintptr_t)apic, &level);
	assert_int_equal(
		value & (PTE_PCD | PTE_PWT | PTE_WRITE | PTE_NX), PTE_PCD | PTE_PWT | PTE_WRITE | PTE_NX);
	value = leaf_of((uint64_t)(uintptr_t)hpet + 4096, &level);
	assert_int_equal(pte_frame(value, 1), 0xfed01000);
	assert_false(value & PTE_WRITE);
	assert_err(kernel_map(PADDR(0xfed00000), 0, CACHE_UNCACHED, true, &again), ERR_ARGS);
	assert_err(kernel_map(PADDR(UINT64_MAX), 4096, CACHE_UNCACHED, true, &again), ERR_ARGS);
	assert_err(kernel_map(PADDR(0), SIZE_MAX, CACHE_UNCACHED, true, &again), ERR_ARGS);
	kernel_unmap(apic, 4096);
	assert_int_equal(leaf_of((uint64_t)(uintptr_t)apic, &level), 0);
	assert_ok(kernel_map(PADDR(0xfee00000), 4096, CACHE_UNCACHED, true, &again));
	assert_ptr_equal(again, apic);
	kernel_unmap(again, 4096);
	kernel_unmap(hpet, 5000);
	assert_true(kernel_space_check());
	if (!warm)
		((struct mm_test *)*state)->free_pages -=
			2; /* tables of the device area stay: levels 2 and 1 */
	warm = true;
}

static void spaces_share_the_kernel_half(void **state)
{
	struct space *space;

	(void)state;
	assert_ok(space_create(NULL, &space));
	assert_ok(space_make_serving(space));
	assert_true(space_check(space));
	space_destroy(space);
}

static void a_broken_machine_is_refused_in_words(void **state)
{
	struct boot_info odd = { 0 };

	(void)state;
	odd.ranges = 2;
	odd.range[0] = (struct boot_range){ UINT64_MAX - 100, 4096, BOOT_MEMORY_USABLE, 0 };
	odd.range[1] = (struct boot_range){ 0x8000, 0x1000, BOOT_MEMORY_USABLE, 0 };
	bootalloc_init(&odd);
	assert_true(paddr_is_none(bootalloc_low_page()));
	bootalloc_hand_over(NULL, NULL); /* nothing is left to hand over */
	assert_false(bootalloc_is_open());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MM_TEST(zones_are_as_the_firmware_says),
		MM_TEST(reserved_memory_is_never_given),
		MM_TEST(the_kernel_half_is_w_xor_x),
		MM_TEST(stacks_have_guards_and_come_back),
		MM_TEST(devices_are_mapped_and_unmapped),
		MM_TEST(spaces_share_the_kernel_half),
		MM_TEST(a_broken_machine_is_refused_in_words),
	};

	return cmocka_run_group_tests(tests, group_begin, NULL);
}
