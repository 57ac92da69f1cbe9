/* SPDX-License-Identifier: BSD-2-Clause */
/* test_mm_space.c - map, fault, unmap, protect, roots, and the flush ladder against a TLB that
 * keeps what it may.
 * link: mm/ tests/unit/port_host.c */
#include "mm_test.h"

#define RAM_BASE (16 * MIB)
#define AT 0x400000ull

static struct account account;
static struct space *space;
static struct pager_request request;

static int group_begin(void **state)
{
	(void)state;
	host_start(4, true);
	host_add_ram(RAM_BASE, 256 * MIB);
	pagetable_set_features(true, true, false);
	return 0;
}

static int begin(void **state)
{
	host_set_pcid(true);
	mm_test_begin(state);
	account_init(&account, NULL, 1 << 20);
	assert_ok(space_create(&account, &space));
	return 0;
}

static int end(void **state)
{
	assert_true(space_check(space));
	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++) {
		host_set_cpu(cpu);
		host_leave();
	}
	host_set_cpu(0);
	space_destroy(space);
	assert_true(account_is_idle(&account));
	return mm_test_end(state);
}

#define SPACE_TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

static uint64_t map_anonymous(uint64_t bytes, uint64_t hint, uint32_t flags)
{
	struct vmo *vmo;
	vaddr_t at = VADDR(0);

	assert_ok(vmo_create(bytes, 0, &account, &vmo));
	assert_ok(space_map(space, vmo, 0, bytes, VADDR(hint), flags, RIGHTS_RWX, &at));
	vmo_unref(vmo); /* the region keeps it */
	return at.v;
}

static void memory_is_zero_then_what_was_written(void **state)
{
	uint64_t at = map_anonymous(64 * PAGE_SIZE, 0, RW);
	uint64_t value = 1;

	(void)state;
	for (uint64_t i = 0; i < 64; i++) {
		assert_ok(host_read_fault(space, at + i * PAGE_SIZE, &value, &request));
		assert_int_equal(value, 0);
		assert_ok(host_write_fault(space, at + i * PAGE_SIZE + 8, i + 1, &request));
	}
	for (uint64_t i = 0; i < 64; i++) {
		assert_ok(host_read_fault(space, at + i * PAGE_SIZE + 8, &value, &request));
		assert_int_equal(value, i + 1);
	}
	assert_true(space_check(space));
	assert_int_equal(space->mapped_bytes, 64 * PAGE_SIZE);
}

static void bad_arguments_change_nothing(void **state)
{
	static const struct {
		uint64_t offset, bytes, hint;
		uint32_t flags, rights;
		err_t error;
	} bad[] = {
		{ 0, 0, 0, RW, RIGHTS_RWX, ERR_ARGS },
		{ 1, 4096, 0, RW, RIGHTS_RWX, ERR_ARGS },
		{ 0, UINT64_MAX, 0, RW, RIGHTS_RWX, ERR_ARGS },
		{ 0, UINT64_MAX - 4095, 0, RW, RIGHTS_RWX, ERR_ARGS },
		{ UINT64_MAX - 4095, 8192, 0, RW, RIGHTS_RWX, ERR_ARGS },
		{ 4096, 4 * 4096, 0, RW, RIGHTS_RWX, ERR_ARGS },
		{ 0, 4096, 0, RW | SPACE_EXECUTE, RIGHTS_RWX, ERR_ARGS },
		{ 0, 4096, 0, SPACE_WRITE, RIGHTS_RWX, ERR_ARGS },
		{ 0, 4096, 0, SPACE_EXECUTE, RIGHTS_RWX, ERR_ARGS },
		{ 0, 4096, 0, 1u << 31, RIGHTS_RWX, ERR_ARGS },
		{ 0, 4096, 0, RW, RIGHT_READ, ERR_DENIED },
		{ 0, 4096, 0, SPACE_READ | SPACE_EXECUTE, RIGHT_READ | RIGHT_WRITE, ERR_DENIED },
		{ 0, 4096, 0, RW | SPACE_FIXED, RIGHTS_RWX, ERR_ARGS },
		{ 0, 4096, 0x1001, RW | SPACE_FIXED, RIGHTS_RWX, ERR_ARGS },
		{ 0, 4096, USER_END, RW | SPACE_FIXED, RIGHTS_RWX, ERR_ARGS },
		{ 0, 8192, USER_END - 4096, RW | SPACE_FIXED, RIGHTS_RWX, ERR_ARGS },
		{ 0, 4096, UINT64_MAX - 4095, RW | SPACE_FIXED, RIGHTS_RWX, ERR_ARGS },
		{ 0, 4096, WINDOW_BASE, RW | SPACE_FIXED, RIGHTS_RWX, ERR_ARGS },
		{ 0, 8192, WINDOW_BASE - 4096, RW | SPACE_FIXED, RIGHTS_RWX, ERR_ARGS },
		{ 0, 4096, 0xffff800000000000ull, RW | SPACE_FIXED, RIGHTS_RWX, ERR_ARGS },
	};
	struct vmo *vmo;
	vaddr_t at = VADDR(77);

	(void)state;
	assert_ok(vmo_create(4 * 4096, 0, &account, &vmo));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_err(space_map(space, vmo, bad[i].offset, bad[i].bytes, VADDR(bad[i].hint),
					   bad[i].flags, bad[i].rights, &at),
			bad[i].error);
		assert_int_equal(at.v, 77);
		assert_null(space->regions);
	}
	vmo_unref(vmo);
	assert_err(space_unmap(space, VADDR(0), 4096), ERR_ARGS);
	assert_err(space_unmap(space, VADDR(4096), 0), ERR_ARGS);
	assert_err(space_unmap(space, VADDR(4097), 4096), ERR_ARGS);
	assert_err(space_unmap(space, VADDR(8192), UINT64_MAX - 4095), ERR_ARGS);
	assert_err(space_unmap(space, VADDR(UINT64_MAX - 4095), 4096), ERR_ARGS);
	assert_ok(space_unmap(space, VADDR(USER_BASE), USER_END - USER_BASE)); /* holes only */
	assert_err(space_protect(space, VADDR(8192), 4096, SPACE_READ), ERR_NOT_FOUND);
	assert_err(space_protect(space, VADDR(8192), 4096, RW | SPACE_EXECUTE), ERR_ARGS);
	assert_err(space_protect(space, VADDR(8192), 4096, SPACE_FIXED), ERR_ARGS);
	assert_err(space_fault(space, VADDR(0), ACCESS_READ, &request), ERR_FAULT);
	assert_err(space_fault(space, VADDR(UINT64_MAX), ACCESS_READ, &request), ERR_FAULT);
	assert_err(space_fault(space, VADDR(WINDOW_BASE), ACCESS_READ, &request), ERR_FAULT);
}

static void unmapped_memory_cannot_be_reached_from_any_cpu(void **state)
{
	uint64_t at = map_anonymous(16 * PAGE_SIZE, AT, RW);
	uint64_t value;
	uint64_t rounds;

	(void)state;
	for (uint32_t cpu = 0; cpu < 4; cpu++) {
		host_set_cpu(cpu);
		for (uint64_t i = 0; i < 16; i++)
			assert_ok(host_write_fault(space, at + i * PAGE_SIZE, cpu, &request));
	}
	host_set_cpu(3);
	host_leave(); /* CPU 3 keeps its entries under the PCID */
	assert_true(host_tlb_entries() >= 16);
	host_set_cpu(0);
	rounds = host_rounds();
	assert_ok(space_unmap(space, VADDR(at + 4 * PAGE_SIZE), 8 * PAGE_SIZE));
	assert_int_equal(host_rounds(), rounds + 1); /* one round, never per page */
	for (uint32_t cpu = 0; cpu < 4; cpu++) {
		host_set_cpu(cpu);
		for (uint64_t i = 0; i < 16; i++)
			assert_int_equal(host_read_fault(space, at + i * PAGE_SIZE, &value, &request),
				i >= 4 && i < 12 ? ERR_FAULT : OK);
	}
	assert_true(space_check(space));
	assert_int_equal(space->mapped_bytes, 8 * PAGE_SIZE);
}

static void the_ladder_saves_rounds(void **state)
{
	uint64_t at = map_anonymous(16 * PAGE_SIZE, AT, RW | SPACE_POPULATE);
	uint64_t rounds = host_rounds();
	uint64_t value;

	(void)state;
	host_set_cpu(1);
	host_enter(space);
	host_set_cpu(0);
	host_enter(space);
	/* Present, never touched but for the first of each block that populate faulted. */
	assert_ok(host_read_fault(space, at, &value, &request));
	assert_ok(space_unmap(space, VADDR(at + 3 * PAGE_SIZE), 2 * PAGE_SIZE));
	assert_int_equal(host_rounds(), rounds);
	/* Not present: nothing. */
	assert_ok(space_unmap(space, VADDR(at + 3 * PAGE_SIZE), 2 * PAGE_SIZE));
	assert_int_equal(host_rounds(), rounds);
	/* Read-only to writable: nothing remote. */
	assert_ok(space_protect(space, VADDR(at), PAGE_SIZE, SPACE_READ));
	rounds = host_rounds();
	assert_ok(space_protect(space, VADDR(at), PAGE_SIZE, RW));
	assert_ok(host_write_fault(space, at, 5, &request));
	assert_int_equal(host_rounds(), rounds);
	/* Touched: one round. CPU 1 alone gets it; CPUs 2 and 3 have never been here. */
	value = host_ipis();
	assert_ok(space_unmap(space, VADDR(at), PAGE_SIZE));
	assert_int_equal(host_rounds(), rounds + 1);
	assert_int_equal(host_ipis(), value + 1);
}

static void protect_narrows_everywhere_and_widens(void **state)
{
	uint64_t at = map_anonymous(8 * PAGE_SIZE, AT, RW);
	uint64_t value;

	(void)state;
	for (uint32_t cpu = 0; cpu < 3; cpu++) {
		host_set_cpu(cpu);
		for (uint64_t i = 0; i < 8; i++)
			assert_ok(host_write_fault(space, at + i * PAGE_SIZE, i, &request));
	}
	assert_ok(space_protect(space, VADDR(at + 2 * PAGE_SIZE), 3 * PAGE_SIZE, SPACE_READ));
	for (uint32_t cpu = 0; cpu < 3; cpu++) {
		host_set_cpu(cpu);
		assert_false(host_write(space, at + 3 * PAGE_SIZE, 9));
		assert_err(host_write_fault(space, at + 3 * PAGE_SIZE, 9, &request), ERR_FAULT);
		assert_ok(host_read_fault(space, at + 3 * PAGE_SIZE, &value, &request));
		assert_int_equal(value, 3);
		assert_ok(host_write_fault(space, at + 5 * PAGE_SIZE, 5, &request));
	}
	assert_true(space_check(space));
	assert_ok(space_protect(space, VADDR(at), 8 * PAGE_SIZE, RW));
	assert_ok(host_write_fault(space, at + 3 * PAGE_SIZE, 9, &request));
	assert_ok(space_protect(space, VADDR(at), 8 * PAGE_SIZE, SPACE_READ | SPACE_EXECUTE));
	assert_false(host_write(space, at, 1));
	assert_err(space_fault(space, VADDR(at), ACCESS_WRITE, &request), ERR_FAULT);
	assert_ok(space_fault(space, VADDR(at), ACCESS_EXECUTE, &request));
	assert_ok(space_protect(space, VADDR(at), PAGE_SIZE, 0));
	assert_false(host_read(space, at, &value));
	assert_err(space_fault(space, VADDR(at), ACCESS_READ, &request), ERR_FAULT);
	assert_err(space_protect(space, VADDR(at), 9 * PAGE_SIZE, SPACE_READ), ERR_NOT_FOUND);
}

static void rights_are_a_ceiling(void **state)
{
	struct vmo *vmo;
	vaddr_t at;

	(void)state;
	assert_ok(vmo_create(PAGE_SIZE, 0, &account, &vmo));
	assert_ok(space_map(space, vmo, 0, PAGE_SIZE, VADDR(0), SPACE_READ, RIGHT_READ, &at));
	assert_err(space_protect(space, at, PAGE_SIZE, RW), ERR_DENIED);
	assert_err(space_fault(space, at, ACCESS_WRITE, &request), ERR_FAULT);
	vmo_unref(vmo);
}

static void fixed_and_guards(void **state)
{
	struct vmo *vmo;
	vaddr_t at;

	(void)state;
	assert_ok(vmo_create(16 * PAGE_SIZE, 0, &account, &vmo));
	assert_ok(space_map(
		space, vmo, 0, 4 * PAGE_SIZE, VADDR(AT), RW | SPACE_FIXED | SPACE_GUARD, RIGHTS_RWX, &at));
	assert_err(
		space_map(space, vmo, 0, PAGE_SIZE, VADDR(AT + PAGE_SIZE), RW | SPACE_FIXED, RIGHTS_RWX, &at),
		ERR_EXISTS);
	assert_err(
		space_map(space, vmo, 0, PAGE_SIZE, VADDR(AT - PAGE_SIZE), RW | SPACE_FIXED, RIGHTS_RWX, &at),
		ERR_EXISTS);
	assert_err(space_map(space, vmo, 0, PAGE_SIZE, VADDR(AT + 4 * PAGE_SIZE), RW | SPACE_FIXED,
				   RIGHTS_RWX, &at),
		ERR_EXISTS);
	assert_ok(space_map(
		space, vmo, 0, PAGE_SIZE, VADDR(AT - 2 * PAGE_SIZE), RW | SPACE_FIXED, RIGHTS_RWX, &at));
	assert_err(space_map(space, vmo, 0, PAGE_SIZE, VADDR(AT - 3 * PAGE_SIZE),
				   RW | SPACE_FIXED | SPACE_GUARD, RIGHTS_RWX, &at),
		ERR_EXISTS);
	assert_ok(space_map(
		space, vmo, 0, PAGE_SIZE, VADDR(AT), RW, RIGHTS_RWX, &at)); /* a hint is only a hint */
	assert_true(at.v > AT + 4 * PAGE_SIZE);
	assert_ok(space_map(
		space, vmo, 0, PAGE_SIZE, VADDR(USER_BASE), RW | SPACE_FIXED | SPACE_GUARD, RIGHTS_RWX, &at));
	assert_ok(space_map(space, vmo, 0, PAGE_SIZE, VADDR(USER_END - PAGE_SIZE),
		RW | SPACE_FIXED | SPACE_GUARD, RIGHTS_RWX, &at));
	assert_ok(
		space_map(space, vmo, 0, PAGE_SIZE, VADDR(WINDOW_END), RW | SPACE_FIXED, RIGHTS_RWX, &at));
	vmo_unref(vmo);
}

static void the_address_space_can_be_full(void **state)
{
	struct vmo *vmo;
	vaddr_t at;
	uint64_t count = 0;

	(void)state;
	assert_ok(vmo_create(VMO_BYTES_MAX, 0, &account, &vmo));
	assert_err(
		space_map(space, vmo, 0, VMO_BYTES_MAX, VADDR(0), RW, RIGHTS_RWX, &at), ERR_NO_MEMORY);
	while (count < 300 && space_map(space, vmo, 0, 1ull << 40, VADDR(0), RW, RIGHTS_RWX, &at) == OK)
		count++;
	assert_in_range(count, 120, 128);
	vmo_unref(vmo);
	assert_ok(space_unmap(space, VADDR(USER_BASE), USER_END - USER_BASE));
	assert_int_equal(space->regions->count, 0);
}

static void populate_uses_2_mib_pages(void **state)
{
	uint64_t at = map_anonymous(6 * MIB, 0, RW | SPACE_POPULATE);
	uint32_t level;
	uint64_t value;

	(void)state;
	assert_int_equal(at % LARGE_PAGE_SIZE, 0);
	pagetable_find(PADDR(space->root), at, &level);
	assert_int_equal(level, 2);
	assert_int_equal(
		account_used(&account), 3 * 512 + 1 + space_table_pages(space)); /* 1: the tree's node */
	assert_true(host_write(space, at + 3 * MIB, 7));                     /* no fault */
	assert_ok(space_unmap(
		space, VADDR(at + 3 * MIB + PAGE_SIZE), PAGE_SIZE)); /* the leaf goes, the page stays */
	assert_ok(host_read_fault(space, at + 3 * MIB, &value, &request));
	assert_int_equal(value, 7);
	assert_err(host_read_fault(space, at + 3 * MIB + PAGE_SIZE, &value, &request), ERR_FAULT);
	assert_true(space_check(space));
	assert_ok(space_protect(space, VADDR(at + PAGE_SIZE), PAGE_SIZE, SPACE_READ));
	assert_err(host_write_fault(space, at + PAGE_SIZE, 1, &request), ERR_FAULT);
	assert_ok(host_write_fault(space, at, 1, &request));
}

static uint32_t level_at(uint64_t address)
{
	uint32_t level;

	pagetable_find(PADDR(space->root), address, &level);
	return level;
}

/* Only where it was asked for, where all 2 MiB can be had, and where nobody has touched any before. */
static void first_touch_in_2_mib_pages(void **state)
{
	uint64_t at = map_anonymous(8 * MIB + 4 * PAGE_SIZE, 0, RW | SPACE_LARGE);
	uint64_t value;

	(void)state;
	assert_err(space_advise(space, VADDR(at), 4096, SPACE_WRITE), ERR_ARGS);
	assert_err(space_advise(space, VADDR(at + 1), 4096, SPACE_LARGE), ERR_ARGS);
	assert_err(space_advise(space, VADDR(at), 16 * MIB, SPACE_LARGE), ERR_NOT_FOUND);
	assert_ok(host_read_fault(space, at + 3 * MIB, &value, &request));
	assert_int_equal(value, 0);
	assert_int_equal(level_at(at + 2 * MIB), 2);
	assert_true(host_write(space, at + 4 * MIB - 8, 7)); /* no fault */
	assert_ok(host_write_fault(space, at + 8 * MIB, 8, &request)); /* the rest is less than 2 MiB */
	assert_int_equal(level_at(at + 8 * MIB), 1);
	assert_ok(space_advise(space, VADDR(at), 2 * MIB, 0));
	assert_ok(host_write_fault(space, at, 1, &request));
	assert_int_equal(level_at(at), 1);
	assert_ok(space_advise(space, VADDR(at), 2 * MIB, SPACE_LARGE));
	assert_ok(host_write_fault(space, at + MIB, 1, &request));
	assert_int_equal(level_at(at + MIB), 1); /* as its neighbour */
	assert_ok(space_protect(space, VADDR(at + 4 * MIB), 2 * MIB, SPACE_READ)); /* what was asked for stays */
	assert_ok(host_read_fault(space, at + 4 * MIB, &value, &request));
	assert_int_equal(level_at(at + 4 * MIB), 2);
	assert_err(host_write_fault(space, at + 4 * MIB, 1, &request), ERR_FAULT);
	assert_ok(space_unmap(space, VADDR(at + 7 * MIB), PAGE_SIZE)); /* these 2 MiB are not all mapped */
	assert_ok(host_write_fault(space, at + 6 * MIB, 1, &request));
	assert_int_equal(level_at(at + 6 * MIB), 1);
	assert_true(space_check(space));
}

/* A ceiling that 2 MiB would break, and 4 KiB do not. */
static void first_touch_under_a_ceiling(void **state)
{
	struct account *poor;
	struct vmo *vmo;
	vaddr_t at;

	(void)state;
	assert_ok(account_create(&account, 300, &poor));
	assert_ok(vmo_create(2 * MIB, 0, poor, &vmo));
	assert_ok(space_map(space, vmo, 0, 2 * MIB, VADDR(0), RW | SPACE_LARGE, RIGHTS_RWX, &at));
	vmo_unref(vmo);
	assert_ok(host_write_fault(space, at.v, 1, &request));
	assert_int_equal(level_at(at.v), 1);
	assert_ok(space_unmap(space, at, 2 * MIB));
	account_unref(poor);
}

static void tables_go_when_their_span_is_empty(void **state)
{
	uint64_t before = space_table_pages(space);
	uint64_t value;

	(void)state;
	map_anonymous(PAGE_SIZE, AT, RW | SPACE_FIXED);
	map_anonymous(PAGE_SIZE, AT + PAGE_SIZE, RW | SPACE_FIXED);
	map_anonymous(PAGE_SIZE, 0x7e0000000000ull, RW | SPACE_FIXED);
	assert_ok(host_read_fault(space, AT, &value, &request));
	assert_ok(host_read_fault(space, AT + PAGE_SIZE, &value, &request));
	assert_ok(host_read_fault(space, 0x7e0000000000ull, &value, &request));
	assert_int_equal(space_table_pages(space), before + 6);
	assert_ok(space_unmap(space, VADDR(AT), PAGE_SIZE));
	assert_int_equal(space_table_pages(space), before + 6); /* the neighbour still uses them */
	assert_true(host_read(space, AT + PAGE_SIZE, &value));
	assert_ok(space_unmap(space, VADDR(AT + PAGE_SIZE), PAGE_SIZE));
	assert_int_equal(space_table_pages(space), before + 3);
	assert_ok(space_unmap(space, VADDR(USER_BASE), USER_END - USER_BASE));
	assert_int_equal(space_table_pages(space), before);
}

static void a_serving_space_has_equal_roots(void **state)
{
	uint64_t value;
	uint64_t low = map_anonymous(PAGE_SIZE, AT, RW);
	uint64_t high;

	(void)state;
	assert_ok(host_write_fault(space, low, 1, &request));
	assert_ok(space_make_serving(space));
	assert_ok(space_make_serving(space));
	assert_int_not_equal(space_root(space, 0), space_root(space, 1));
	assert_true(space_check(space));
	high = map_anonymous(PAGE_SIZE, 0x600000000000ull, RW);
	host_set_cpu(2);
	assert_ok(host_write_fault(space, high, 5, &request)); /* a new root slot, in all roots */
	assert_true(space_check(space));
	host_set_cpu(1);
	assert_true(host_read(space, high, &value));
	assert_int_equal(value, 5);
	host_set_cpu(0);
	assert_true(host_read(space, high, &value));
	assert_ok(space_unmap(space, VADDR(high), PAGE_SIZE));
	for (uint32_t cpu = 0; cpu < 3; cpu++) {
		host_set_cpu(cpu);
		assert_false(host_read(space, high, &value));
	}
	assert_true(space_check(space));
}

static void stale_pcids_are_flushed_at_entry(void **state)
{
	uint64_t at = map_anonymous(PAGE_SIZE, AT, RW);
	uint64_t value;
	uint64_t ipis;

	(void)state;
	host_set_cpu(1);
	assert_ok(host_write_fault(space, at, 42, &request));
	host_leave();
	host_set_cpu(0);
	ipis = host_ipis();
	assert_ok(space_unmap(space, VADDR(at), PAGE_SIZE));
	assert_int_equal(host_ipis(), ipis); /* CPU 1 is outside: no interrupt */
	host_set_cpu(1);
	assert_false(host_read(space, at, &value));
}

static void spaces_share_memory_and_futex_keys(void **state)
{
	struct futex_key a, b;
	struct space *other;
	struct vmo *vmo;
	vaddr_t here, there;
	uint64_t value;

	(void)state;
	assert_ok(space_create(&account, &other));
	assert_ok(vmo_create(4 * PAGE_SIZE, 0, &account, &vmo));
	assert_ok(space_map(space, vmo, 0, 4 * PAGE_SIZE, VADDR(0), RW, RIGHTS_RWX, &here));
	assert_ok(space_map(other, vmo, PAGE_SIZE, PAGE_SIZE, VADDR(0), RW, RIGHTS_RWX, &there));
	assert_ok(host_write_fault(space, here.v + PAGE_SIZE + 16, 99, &request));
	assert_ok(host_read_fault(other, there.v + 16, &value, &request));
	assert_int_equal(value, 99);
	assert_ok(space_futex_key(space, VADDR(here.v + PAGE_SIZE + 16), &a));
	assert_ok(space_futex_key(other, VADDR(there.v + 16), &b));
	assert_memory_equal(&a, &b, sizeof(a));
	assert_err(space_futex_key(space, VADDR(here.v + 2), &a), ERR_ARGS);
	assert_err(space_futex_key(space, VADDR(64), &a), ERR_FAULT);
	assert_ok(space_protect(space, here, PAGE_SIZE, SPACE_READ));
	assert_err(space_futex_key(space, here, &a), ERR_FAULT);
	host_enter(space);
	space_destroy(other);
	assert_true(vmo_check(vmo));
	vmo_unref(vmo);
}

static void neighbours_that_are_there_come_along(void **state)
{
	struct space *other;
	struct vmo *vmo;
	vaddr_t here, there;
	uint64_t value;
	uint32_t level;

	(void)state;
	assert_ok(space_create(&account, &other));
	assert_ok(vmo_create(64 * PAGE_SIZE, 0, &account, &vmo));
	assert_ok(space_map(space, vmo, 0, 64 * PAGE_SIZE, VADDR(AT), RW, RIGHTS_RWX, &here));
	assert_ok(space_map(other, vmo, 0, 64 * PAGE_SIZE, VADDR(AT), RW, RIGHTS_RWX, &there));
	for (uint64_t i = 16; i < 30; i++)
		assert_ok(host_write_fault(space, here.v + i * PAGE_SIZE, i, &request));
	assert_ok(host_write_fault(space, here.v + 32 * PAGE_SIZE, 32, &request)); /* too far away */
	assert_ok(host_read_fault(other, there.v + 20 * PAGE_SIZE, &value, &request));
	for (uint64_t i = 0; i < 64; i++) {
		uint64_t entry = pte_load(pagetable_find(PADDR(other->root), there.v + i * PAGE_SIZE, &level));

		assert_int_equal(entry != 0, i >= 16 && i < 30);
		assert_int_equal(!!(entry & PTE_ACCESSED), i == 20); /* so taking the others away is free */
	}
	assert_int_equal(vmo_committed_pages(vmo), 15); /* nothing was committed for them */
	assert_true(space_check(other));
	host_leave();
	space_destroy(other);
	vmo_unref(vmo);
}

static void a_ceiling_is_an_error_of_the_fault(void **state)
{
	struct account small;
	struct space *poor;
	struct vmo *vmo;
	vaddr_t at;
	uint64_t pages = 0;

	(void)state;
	account_init(&small, NULL, 8);
	assert_ok(space_create(&small, &poor));
	assert_ok(vmo_create(8 * PAGE_SIZE, 0, &small, &vmo));
	assert_ok(space_map(poor, vmo, 0, 8 * PAGE_SIZE, VADDR(0), RW, RIGHTS_RWX, &at));
	while (host_write_fault(poor, at.v + pages * PAGE_SIZE, 1, &request) == OK)
		pages++;
	assert_int_equal(pages, 4); /* a root, three tables, four pages */
	assert_err(space_fault(poor, VADDR(at.v + 4 * PAGE_SIZE), ACCESS_READ, &request), ERR_LIMIT);
	assert_err(space_make_serving(poor), ERR_LIMIT);
	assert_int_equal(account_used(&small), 8);
	assert_ok(space_unmap(poor, at, 8 * PAGE_SIZE)); /* needs nothing that is charged */
	host_leave();
	space_destroy(poor);
	vmo_unref(vmo);
	assert_true(account_is_idle(&small));
}

static void dead_spaces_refuse(void **state)
{
	struct space *other;
	struct vmo *vmo;
	vaddr_t at;

	(void)state;
	assert_ok(space_create(&account, &other));
	assert_ok(vmo_create(PAGE_SIZE, 0, &account, &vmo));
	assert_ok(space_map(other, vmo, 0, PAGE_SIZE, VADDR(0), RW, RIGHTS_RWX, &at));
	space_ref(other);
	space_destroy(other);
	assert_err(space_map(other, vmo, 0, PAGE_SIZE, VADDR(0), RW, RIGHTS_RWX, &at), ERR_BAD_STATE);
	assert_err(space_fault(other, at, ACCESS_READ, &request), ERR_FAULT);
	assert_ok(space_unmap(other, at, PAGE_SIZE));
	space_unref(other);
	vmo_unref(vmo);
}

static void linear_vmos_use_the_largest_leaves(void **state)
{
	static struct zone *zone;
	struct mm_test *test = *state;
	uint64_t before = frame_free_count();
	uint32_t level;
	struct vmo *vmo, *again = NULL;
	struct vmo *device;
	vaddr_t at;

	if (!zone)
		assert_ok(zone_add(ZONE_PMEM, 4 * GIB, 4 * GIB, 0, "pmem0", &zone));
	test->free_pages -= before - frame_free_count();
	assert_ok(vmo_create_zone(zone, &vmo));
	assert_err(vmo_create_zone(zone, &again), ERR_BUSY);
	assert_ok(space_map(space, vmo, 0, 4 * GIB, VADDR(0), RW, RIGHTS_RWX, &at));
	assert_ok(host_write_fault(space, at.v + GIB + 5 * PAGE_SIZE, 17, &request));
	assert_int_equal(*(uint64_t *)phys_to_virt(PADDR(5 * GIB + 5 * PAGE_SIZE)), 17);
	pagetable_find(PADDR(space->root), at.v + GIB, &level);
	assert_int_equal(level, 3);
	assert_true(space_check(space));
	assert_ok(space_unmap(
		space, VADDR(at.v + GIB), PAGE_SIZE)); /* the 1 GiB leaf goes, 2 MiB and 4 KiB come */
	assert_ok(host_write_fault(space, at.v + GIB + 5 * PAGE_SIZE, 18, &request));
	pagetable_find(PADDR(space->root), at.v + GIB + 5 * PAGE_SIZE, &level);
	assert_int_equal(level, 1);
	assert_ok(host_write_fault(space, at.v + GIB + 4 * MIB, 18, &request));
	pagetable_find(PADDR(space->root), at.v + GIB + 4 * MIB, &level);
	assert_int_equal(level, 2);
	assert_true(space_check(space));
	vmo_unref(vmo);
	assert_err(vmo_create_zone(zone, &again), ERR_BUSY); /* still mapped */
	assert_ok(space_unmap(space, VADDR(USER_BASE), USER_END - USER_BASE));
	assert_ok(vmo_create_zone(zone, &again));
	vmo_unref(again);
	assert_err(vmo_create_physical(4 * GIB, PAGE_SIZE, VMO_UNCACHED, &device), ERR_ARGS);
	assert_ok(vmo_create_physical(0xfec00000, PAGE_SIZE, VMO_UNCACHED, &device));
	assert_ok(space_map(space, device, 0, PAGE_SIZE, VADDR(0), RW | SPACE_POPULATE, RIGHTS_RWX, &at));
	assert_int_equal(
		pte_load(pagetable_find(PADDR(space->root), at.v, &level)) & (PTE_PCD | PTE_PWT),
		PTE_PCD | PTE_PWT);
	vmo_unref(device);
}

static void random_operations_agree_with_a_model(void **state)
{
	enum { PAGES = 96 };
	uint8_t model[PAGES] = { 0 }; /* 0 unmapped, else flags */
	uint64_t content[PAGES] = { 0 };
	uint32_t seed = 12345;

	(void)state;
	for (uint32_t round = 0; round < 3000; round++) {
		uint32_t first, count;

		seed = seed * 1664525 + 1013904223;
		first = (seed >> 8) % PAGES;
		count = 1 + (seed >> 16) % 12;
		if (first + count > PAGES)
			count = PAGES - first;
		host_set_cpu(seed >> 30);
		switch ((seed >> 24) % 5) {
		case 0: {
			struct vmo *vmo;
			vaddr_t at;
			bool taken = false;

			for (uint32_t i = first; i < first + count; i++)
				taken |= model[i] != 0;
			assert_ok(vmo_create(count * PAGE_SIZE, 0, &account, &vmo));
			assert_err(space_map(space, vmo, 0, count * PAGE_SIZE, VADDR(AT + first * PAGE_SIZE),
						   RW | SPACE_FIXED, RIGHTS_RWX, &at),
				taken ? ERR_EXISTS : OK);
			for (uint32_t i = first; !taken && i < first + count; i++) {
				model[i] = RW;
				content[i] = 0;
			}
			vmo_unref(vmo);
			break;
		}
		case 1:
			assert_ok(space_unmap(space, VADDR(AT + first * PAGE_SIZE), count * PAGE_SIZE));
			memset(model + first, 0, count);
			break;
		case 2: {
			uint32_t flags = seed >> 28 & 1 ? RW : SPACE_READ;
			bool hole = false;

			for (uint32_t i = first; i < first + count; i++)
				hole |= !model[i];
			assert_err(
				space_protect(space, VADDR(AT + first * PAGE_SIZE), count * PAGE_SIZE, flags),
				hole ? ERR_NOT_FOUND : OK);
			if (!hole)
				memset(model + first, (int)flags, count);
			break;
		}
		default:
			for (uint32_t i = first; i < first + count; i++) {
				uint64_t value;

				if (seed >> 29 & 1) {
					assert_err(host_write_fault(space, AT + i * PAGE_SIZE, round, &request),
						model[i] & SPACE_WRITE ? OK : ERR_FAULT);
					if (model[i] & SPACE_WRITE)
						content[i] = round;
				}
				assert_err(host_read_fault(space, AT + i * PAGE_SIZE, &value, &request),
					model[i] ? OK : ERR_FAULT);
				if (model[i])
					assert_int_equal(value, content[i]);
			}
		}
		if (round % 64 == 0)
			assert_true(space_check(space));
		if (round == 1500)
			assert_ok(space_make_serving(space));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SPACE_TEST(memory_is_zero_then_what_was_written),
		SPACE_TEST(bad_arguments_change_nothing),
		SPACE_TEST(unmapped_memory_cannot_be_reached_from_any_cpu),
		SPACE_TEST(the_ladder_saves_rounds),
		SPACE_TEST(protect_narrows_everywhere_and_widens),
		SPACE_TEST(rights_are_a_ceiling),
		SPACE_TEST(fixed_and_guards),
		SPACE_TEST(the_address_space_can_be_full),
		SPACE_TEST(populate_uses_2_mib_pages),
		SPACE_TEST(first_touch_in_2_mib_pages),
		SPACE_TEST(first_touch_under_a_ceiling),
		SPACE_TEST(tables_go_when_their_span_is_empty),
		SPACE_TEST(a_serving_space_has_equal_roots),
		SPACE_TEST(stale_pcids_are_flushed_at_entry),
		SPACE_TEST(spaces_share_memory_and_futex_keys),
		SPACE_TEST(neighbours_that_are_there_come_along),
		SPACE_TEST(a_ceiling_is_an_error_of_the_fault),
		SPACE_TEST(dead_spaces_refuse),
		SPACE_TEST(linear_vmos_use_the_largest_leaves),
		SPACE_TEST(random_operations_agree_with_a_model),
	};

	return cmocka_run_group_tests(tests, group_begin, NULL);
}
