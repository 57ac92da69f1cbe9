/* SPDX-License-Identifier: BSD-2-Clause */
/* test_mm_frame.c - zones, extents, buddy, frames, accounts, pools.
 * link: mm/ tests/unit/port_host.c */
#include "mm_test.h"

#include "mm/buddy.h"

#define RAM_BASE (16 * MIB)
#define RAM_BYTES (128 * MIB)

static struct zone *ram;

static int group_begin(void **state)
{
	(void)state;
	host_start(4, false);
	ram = host_add_ram(RAM_BASE, RAM_BYTES);
	return 0;
}

static void sizes_are_what_we_promise(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct extent), 32);
	assert_int_equal(sizeof(struct page), 8);
	assert_int_equal((1ull << 40 >> EXTENT_SHIFT) * sizeof(struct extent), 16 * MIB);
}

/* 1 TiB registers lazily: a table of pointers. Making every descriptor costs 16 MiB. */
static void a_tebibyte_is_cheap(void **state)
{
	uint64_t before = frame_free_count();
	struct zone *zone;
	struct info_zone info;

	(void)state;
	assert_ok(zone_add(ZONE_PMEM, 1ull << 40, 1ull << 40, 0, "pmem0", &zone));
	zone_info(zone, &info);
	assert_int_equal(info.extents, 524288);
	assert_int_equal(info.metadata_bytes, 32 << 10);
	assert_int_equal(before - frame_free_count(), 8);
	assert_ok(zone_reserve(zone, 1ull << 40, 1ull << 40));
	zone_info(zone, &info);
	assert_int_equal(info.metadata_bytes, 16 * MIB + (32 << 10));
	assert_int_equal(before - frame_free_count(), 4096 + 8);
	assert_true(zone_check(zone));
	((struct mm_test *)*state)->free_pages -= 4096 + 8; /* zones stay */
}

static void zones_refuse_nonsense(void **state)
{
	struct zone *zone = NULL;
	struct mm_test *test = *state;

	assert_err(zone_add(ZONE_RAM, 0, 0, 0, "x", &zone), ERR_ARGS);
	assert_err(zone_add(ZONE_RAM, 1, 4096, 0, "x", &zone), ERR_ARGS);
	assert_err(zone_add(ZONE_RAM, 4096, 100, 0, "x", &zone), ERR_ARGS);
	assert_err(zone_add(ZONE_RAM, UINT64_MAX - 4095, 8192, 0, "x", &zone), ERR_ARGS);
	assert_err(zone_add(ZONE_PMEM, RAM_BASE + RAM_BYTES - 4096, 8192, 0, "x", &zone), ERR_EXISTS);
	assert_err(zone_add(ZONE_PMEM, 0, RAM_BASE + 4096, 0, "x", &zone), ERR_EXISTS);
	assert_null(zone);
	assert_err(zone_populate(ram, RAM_BASE - 4096, 8192), ERR_ARGS);
	assert_err(zone_populate(ram, RAM_BASE + RAM_BYTES - 4096, UINT64_MAX & ~4095ull), ERR_ARGS);
	assert_ptr_equal(zone_find(PADDR(RAM_BASE)), ram);
	assert_null(zone_find(PADDR(RAM_BASE - 1)));
	assert_int_equal(test->free_pages, frame_free_count());
}

static void extents_split_and_join(void **state)
{
	struct info_zone before, after;
	paddr_t frame, large;

	(void)state;
	frame_caches_drain();
	zone_info(ram, &before);
	assert_ok(frame_alloc_large(NULL, &large));
	assert_int_equal(large.v % LARGE_PAGE_SIZE, 0);
	zone_info(ram, &after);
	assert_int_equal(after.extents_split, before.extents_split); /* whole: nothing split */
	assert_int_equal(after.used_pages, before.used_pages + 512);
	frame_free_large(NULL, large);
	assert_ok(frame_alloc(NULL, &frame));
	frame_free(NULL, frame);
	frame_caches_drain();
	zone_info(ram, &after);
	assert_int_equal(after.extents_split, before.extents_split); /* joined again */
	assert_int_equal(after.metadata_bytes, before.metadata_bytes);
}

static void runs_are_contiguous_and_cost_what_they_say(void **state)
{
	static const uint64_t sizes[] = { 1, 2, 3, 7, 8, 100, 255, 256, 257, 511, 512, 513, 1000, 1025,
		2048, 5000 };
	uint64_t free = frame_free_count();
	struct account account;
	paddr_t run[ARRAY_LEN(sizes)];

	(void)state;
	account_init(&account, NULL, UINT64_MAX / 2);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		uint64_t used = account_used(&account);

		assert_ok(frame_alloc_run(&account, sizes[i], &run[i]));
		assert_int_equal(account_used(&account) - used, frame_run_pages(sizes[i]));
		memset(phys_to_virt(run[i]), (int)i, sizes[i] * PAGE_SIZE);
		assert_true(zone_check(ram));
	}
	assert_int_equal(free - frame_free_count(), account_used(&account));
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		const uint8_t *byte = phys_to_virt(run[i]);

		assert_int_equal(byte[0], i);
		assert_int_equal(byte[sizes[i] * PAGE_SIZE - 1], i);
		frame_free_run(&account, run[i], sizes[i]);
	}
	assert_int_equal(account_used(&account), 0);
	assert_true(account_is_idle(&account));
	assert_err(frame_alloc_run(NULL, 0, run), ERR_ARGS);
	assert_err(frame_alloc_run(NULL, (1 << 18) + 1, run), ERR_ARGS);
	assert_err(frame_alloc_run(NULL, UINT64_MAX, run), ERR_ARGS);
	assert_err(frame_alloc_run(NULL, 1 << 18, run), ERR_NO_MEMORY);
}

static void all_memory_can_be_taken_and_comes_back(void **state)
{
	uint64_t total = frame_free_count();
	uint64_t *frames = calloc(total, sizeof(*frames));
	uint64_t count = 0;
	paddr_t frame;

	(void)state;
	while (frame_alloc(NULL, &frame) == OK) {
		host_set_cpu(count % 4); /* their caches must not hide memory */
		frames[count++] = frame.v;
	}
	/* All but the descriptors of the extents, which are all split now. */
	assert_true(count >= total - RAM_BYTES / LARGE_PAGE_SIZE - 1);
	assert_true(frame_check());
	assert_int_equal(frame_free_count(), total - count);
	for (uint64_t i = 0; i < count; i++) {
		host_set_cpu(i % 3);
		frame_free(NULL, PADDR(frames[i]));
	}
	host_set_cpu(0);
	free(frames);
	assert_int_equal(frame_free_count(), total);
}

/* A zone whose ends are not 2 MiB-aligned, with a hole in it. */
static void ragged_zones_work(void **state)
{
	struct mm_test *test = *state;
	uint64_t base = 5 * GIB + 3 * PAGE_SIZE;
	uint64_t bytes = 8 * MIB + 5 * PAGE_SIZE;
	uint64_t before = frame_free_count();
	struct zone *zone;
	paddr_t run;
	uint64_t gained;

	assert_ok(zone_add(ZONE_RAM, base, bytes, 7, "ragged", &zone));
	assert_ok(zone_populate(zone, base, MIB));
	assert_ok(
		zone_populate(zone, base + MIB + PAGE_SIZE, PAGE_SIZE)); /* one page alone, beside holes */
	assert_ok(zone_populate(zone, base + 2 * MIB, bytes - 2 * MIB));
	assert_true(zone_check(zone));
	frame_set_cpu_node(3, 7);
	host_set_cpu(3);
	assert_ok(frame_alloc_run(NULL, 512, &run)); /* from the CPU's own node */
	assert_ptr_equal(zone_find(run), zone);
	assert_int_equal(run.v % LARGE_PAGE_SIZE, 0);
	frame_free_run(NULL, run, 512);
	assert_ok(frame_alloc_run(NULL, 4, &run));
	assert_ptr_equal(zone_find(run), zone);
	frame_free_run(NULL, run, 4);
	frame_set_cpu_node(3, 0);
	gained = frame_free_count() - before;
	/* Less the descriptors of three ragged extents, the zone's table and a chunk. */
	assert_int_equal(gained, 256 + 1 + (2053 - 512) - 3 - 2);
	test->free_pages += gained;
}

static void accounts_are_exact(void **state)
{
	struct account root, *child, *grandchild;
	paddr_t a, b, c;

	(void)state;
	account_init(&root, NULL, 3);
	assert_ok(account_create(&root, 10, &child));
	assert_ok(account_create(child, 2, &grandchild));
	assert_ok(frame_alloc(grandchild, &a));
	assert_ok(frame_alloc(grandchild, &b));
	assert_err(frame_alloc(grandchild, &c), ERR_LIMIT); /* its own */
	assert_ok(frame_alloc(child, &c));
	assert_int_equal(account_used(&root), 3);
	assert_err(frame_alloc_large(child, &c), ERR_LIMIT); /* the root's */
	assert_int_equal(account_used(child), 3);
	assert_err(account_charge(grandchild, UINT64_MAX), ERR_LIMIT);
	assert_err(account_charge(child, UINT64_MAX - 1), ERR_LIMIT);
	frame_free(grandchild, a);
	frame_free(grandchild, b);
	frame_free(child, c);
	assert_int_equal(account_used(&root), 0);
	account_unref(child); /* the grandchild keeps it */
	account_unref(grandchild);
	assert_true(account_is_idle(&root));
}

static void random_allocations_keep_the_invariants(void **state)
{
	struct {
		paddr_t at;
		uint64_t pages;
	} held[200] = { 0 };
	uint32_t seed = 1;

	(void)state;
	for (uint32_t round = 0; round < 4000; round++) {
		uint32_t i;

		seed = seed * 1664525 + 1013904223;
		i = (seed >> 8) % ARRAY_LEN(held);
		host_set_cpu(seed >> 30);
		if (held[i].pages) {
			frame_free_run(NULL, held[i].at, held[i].pages);
			held[i].pages = 0;
		} else {
			uint64_t pages = 1ull << (seed >> 16) % 11;

			pages -= pages > 1 ? (seed >> 20) % (pages / 2) : 0;
			if (frame_alloc_run(NULL, pages, &held[i].at) == OK)
				held[i].pages = pages;
		}
		if (round % 256 == 0)
			assert_true(frame_check());
	}
	for (uint32_t i = 0; i < ARRAY_LEN(held); i++)
		if (held[i].pages)
			frame_free_run(NULL, held[i].at, held[i].pages);
	host_set_cpu(0);
}

static struct pool pool;

static void pools_give_zeroed_objects_and_return_all(void **state)
{
	static const size_t sizes[] = { 8, 48, 64, 100, 256, 1000, 2048, 4096, 4448, 8192 };
	static void *object[600];

	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
		uint64_t free = frame_free_count();

		pool_init(&pool, "test", sizes[s]);
		for (size_t i = 0; i < ARRAY_LEN(object); i++) {
			host_set_cpu(i % 4);
			object[i] = pool_alloc(&pool);
			assert_non_null(object[i]);
			assert_int_equal((uintptr_t)object[i] % (sizes[s] % 64 ? 16 : 64), 0);
			for (size_t byte = 0; byte < sizes[s]; byte += 8)
				assert_int_equal(*(uint64_t *)((char *)object[i] + byte / 8 * 8), 0);
			memset(object[i], 0xff, sizes[s]);
		}
		assert_int_equal(pool_count(&pool), ARRAY_LEN(object));
		assert_true(pool_check(&pool));
		for (size_t i = 0; i < ARRAY_LEN(object); i++) {
			host_set_cpu(i % 3);
			pool_free(&pool, object[i * 7 % ARRAY_LEN(object)]);
		}
		host_set_cpu(0);
		assert_int_equal(pool_count(&pool), 0);
		assert_true(pool_check(&pool));
		pools_reclaim();
		assert_true(pool_check(&pool));
		assert_int_equal(free, frame_free_count());
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MM_TEST(sizes_are_what_we_promise),
		MM_TEST(a_tebibyte_is_cheap),
		MM_TEST(zones_refuse_nonsense),
		MM_TEST(extents_split_and_join),
		MM_TEST(runs_are_contiguous_and_cost_what_they_say),
		MM_TEST(all_memory_can_be_taken_and_comes_back),
		MM_TEST(accounts_are_exact),
		MM_TEST(random_allocations_keep_the_invariants),
		MM_TEST(pools_give_zeroed_objects_and_return_all),
		MM_TEST(ragged_zones_work),
	};

	return cmocka_run_group_tests(tests, group_begin, NULL);
}
