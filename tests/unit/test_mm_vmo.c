/* SPDX-License-Identifier: BSD-2-Clause */
/* test_mm_vmo.c - VMOs without spaces, then resizing and pagers under mappings.
 * link: mm/ tests/unit/port_host.c */
#include "mm_test.h"

#define RAM_BASE (16 * MIB)

static struct account account;
static struct pager_request request;
static struct zone *pmem;
static uint32_t released;

static void pager_released(void *pager)
{
	assert_ptr_equal(pager, &released);
	released++;
}

static int group_begin(void **state)
{
	(void)state;
	host_start(2, true);
	host_add_ram(RAM_BASE, 256 * MIB);
	assert_ok(zone_add(ZONE_PMEM, 4 * GIB, 64 * MIB, 0, "pmem0", &pmem));
	vmo_pager_release = pager_released;
	return 0;
}

static int begin(void **state)
{
	account_init(&account, NULL, 1 << 20);
	released = 0;
	return mm_test_begin(state);
}

static int end(void **state)
{
	assert_true(account_is_idle(&account));
	return mm_test_end(state);
}

#define VMO_TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

static void creation_refuses_nonsense(void **state)
{
	struct vmo *vmo = NULL, *good;

	(void)state;
	assert_err(vmo_create(0, 0, &account, &vmo), ERR_ARGS);
	assert_err(vmo_create(UINT64_MAX, 0, &account, &vmo), ERR_ARGS);
	assert_err(vmo_create(VMO_BYTES_MAX + 1, 0, &account, &vmo), ERR_ARGS);
	assert_err(vmo_create(4096, VMO_UNCACHED, &account, &vmo), ERR_ARGS);
	assert_err(vmo_create(4096, 1u << 30, &account, &vmo), ERR_ARGS);
	assert_err(vmo_create(4096, VMO_CONTIGUOUS | VMO_RESIZABLE, &account, &vmo), ERR_ARGS);
	assert_err(vmo_create(2 * GIB, VMO_CONTIGUOUS, &account, &vmo), ERR_ARGS);
	assert_err(vmo_create_physical(1, 4096, 0, &vmo), ERR_ARGS);
	assert_err(vmo_create_physical(0xfee00000, 0, 0, &vmo), ERR_ARGS);
	assert_err(vmo_create_physical(0xfee00000, UINT64_MAX, 0, &vmo), ERR_ARGS);
	assert_err(vmo_create_physical(1ull << 52, 4096, 0, &vmo), ERR_ARGS);
	assert_err(vmo_create_physical(UINT64_MAX - 4095, 4096, 0, &vmo), ERR_ARGS);
	assert_err(
		vmo_create_physical(0xfee00000, 4096, VMO_UNCACHED | VMO_WRITE_COMBINE, &vmo), ERR_ARGS);
	assert_err(vmo_create_physical(RAM_BASE - 4096, 8192, 0, &vmo), ERR_ARGS);
	assert_err(vmo_create_pager(0, NULL, 0, &account, &vmo), ERR_ARGS);
	assert_err(vmo_create_kernel((char *)phys_to_virt(PADDR(RAM_BASE)) + 1, 4096, &vmo), ERR_ARGS);
	assert_err(vmo_create_zone(zone_get(0), &vmo), ERR_UNSUPPORTED);
	assert_ok(vmo_create(8192, 0, &account, &good));
	assert_err(vmo_slice(good, 0, 0, &vmo), ERR_ARGS);
	assert_err(vmo_slice(good, 4096, 8192, &vmo), ERR_ARGS);
	assert_err(vmo_slice(good, UINT64_MAX - 4095, 8192, &vmo), ERR_ARGS);
	assert_err(vmo_slice(good, 1, 4096, &vmo), ERR_ARGS);
	assert_err(vmo_resize(good, 4096), ERR_UNSUPPORTED);
	assert_null(vmo);
	vmo_unref(good);
}

static void reading_commits_nothing_writing_does(void **state)
{
	static uint8_t pattern[3 * 4096 + 100], back[sizeof(pattern)];
	struct vmo *vmo;

	(void)state;
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 7);
	assert_ok(vmo_create(1ull << 46, 0, &account, &vmo));
	assert_ok(vmo_read(vmo, (1ull << 46) - sizeof(back), back, sizeof(back)));
	assert_int_equal(vmo_committed_pages(vmo), 0);
	assert_int_equal(account_used(&account), 0);
	for (uint64_t at = 1000; at < 1ull << 46; at = at * 37 + 11) {
		assert_ok(vmo_write(vmo, at, pattern, sizeof(pattern)));
		assert_ok(vmo_read(vmo, at, back, sizeof(back)));
		assert_memory_equal(pattern, back, sizeof(back));
	}
	assert_true(vmo_check(vmo));
	assert_err(vmo_read(vmo, UINT64_MAX, back, 2), ERR_ARGS);
	assert_err(vmo_read(vmo, 1ull << 46, back, 1), ERR_ARGS);
	assert_err(vmo_write(vmo, (1ull << 46) - 1, back, 2), ERR_ARGS);
	assert_ok(vmo_write(vmo, (1ull << 46) - 1, back, 1));
	vmo_unref(vmo);
}

static void small_vmos_cost_little(void **state)
{
	struct vmo *vmo;

	(void)state;
	assert_ok(vmo_create(4096, 0, &account, &vmo));
	assert_ok(vmo_write(vmo, 0, "x", 1));
	assert_int_equal(account_used(&account), 1); /* the page itself, entries come from a pool */
	vmo_unref(vmo);
	assert_ok(vmo_create(64 * 4096, 0, &account, &vmo));
	for (uint64_t i = 0; i < 64; i++)
		assert_ok(vmo_write(vmo, i * 4096, "x", 1));
	assert_int_equal(account_used(&account), 64);
	assert_true(vmo_check(vmo));
	vmo_unref(vmo);
}

static void resizing_frees_and_zeroes(void **state)
{
	static char ones[5000], back[5000];
	struct vmo *vmo;

	(void)state;
	memset(ones, 1, sizeof(ones));
	assert_ok(vmo_create(1, VMO_RESIZABLE, &account, &vmo));
	assert_int_equal(vmo_bytes(vmo), 4096);
	assert_err(vmo_resize(vmo, UINT64_MAX), ERR_ARGS);
	for (uint64_t bytes = 8192; bytes < GIB; bytes *= 3) {
		assert_ok(vmo_resize(vmo, bytes));
		assert_ok(vmo_write(vmo, vmo_bytes(vmo) - sizeof(ones), ones, sizeof(ones)));
		assert_true(vmo_check(vmo));
	}
	assert_ok(vmo_resize(vmo, 10000)); /* 3 pages, the last ends at 1808 */
	assert_true(vmo_check(vmo));
	assert_int_equal(vmo_bytes(vmo), 12288);
	assert_ok(vmo_write(vmo, 7288, ones, 5000));
	assert_ok(vmo_resize(vmo, 10000));
	assert_ok(vmo_read(vmo, 7288, back, 5000));
	assert_memory_equal(back, ones, 10000 - 7288);
	for (size_t i = 10000 - 7288; i < 5000; i++)
		assert_int_equal(back[i], 0);
	assert_ok(vmo_resize(vmo, 0));
	assert_int_equal(vmo_committed_pages(vmo), 0);
	assert_err(vmo_read(vmo, 0, back, 1), ERR_ARGS);
	assert_ok(vmo_resize(vmo, 3 * GIB)); /* the tree grows at the top */
	assert_ok(vmo_write(vmo, 3 * GIB - 1, ones, 1));
	assert_true(vmo_check(vmo));
	vmo_unref(vmo);
}

static void resizing_reaches_every_mapping(void **state)
{
	struct space *space[2];
	struct vmo *vmo;
	vaddr_t at[2];
	uint64_t value;

	(void)state;
	assert_ok(vmo_create(16 * 4096, VMO_RESIZABLE, &account, &vmo));
	for (uint32_t i = 0; i < 2; i++) {
		assert_ok(space_create(&account, &space[i]));
		assert_ok(space_map(space[i], vmo, i * 4096, 15 * 4096, VADDR(0), RW, RIGHTS_RWX, &at[i]));
		host_set_cpu(i);
		for (uint64_t page = 0; page < 15; page++)
			assert_ok(host_write_fault(space[i], at[i].v + page * 4096, page, &request));
	}
	host_set_cpu(0);
	assert_ok(vmo_resize(vmo, 4 * 4096));
	for (uint32_t i = 0; i < 2; i++) {
		host_set_cpu(i);
		for (uint64_t page = 0; page < 15; page++)
			assert_err(host_read_fault(space[i], at[i].v + page * 4096, &value, &request),
				page + i < 4 ? OK : ERR_FAULT);
	}
	host_set_cpu(0);
	assert_int_equal(vmo_committed_pages(vmo), 4);
	assert_ok(vmo_resize(vmo, 16 * 4096));
	assert_ok(host_read_fault(space[0], at[0].v + 14 * 4096, &value, &request));
	assert_int_equal(value, 0);
	assert_true(vmo_check(vmo));
	for (uint32_t i = 0; i < 2; i++) {
		assert_true(space_check(space[i]));
		host_set_cpu(i);
		host_leave();
		space_destroy(space[i]);
	}
	vmo_unref(vmo);
}

static void contiguous_and_slices(void **state)
{
	struct vmo *vmo, *slice, *inner;
	paddr_t at, there;

	(void)state;
	assert_ok(vmo_create(10 * 4096, VMO_CONTIGUOUS, &account, &vmo));
	assert_int_equal(account_used(&account), 10);
	assert_ok(vmo_physical(vmo, 4096 * 9 + 5, &there));
	assert_ok(vmo_slice(vmo, 4096, 8 * 4096, &slice));
	assert_ok(vmo_slice(slice, 4096, 4096, &inner));
	assert_ok(vmo_physical(inner, 5, &at));
	assert_int_equal(at.v + 7 * 4096, there.v);
	assert_err(vmo_physical(inner, 4096, &at), ERR_ARGS);
	assert_ok(vmo_write(inner, 0, "hello", 5));
	vmo_unref(slice);
	assert_err(vmo_write(inner, 4092, "hello", 5), ERR_ARGS);
	assert_memory_equal((char *)phys_to_virt(PADDR(at.v - 5)), "hello", 5);
	vmo_unref(vmo);
	assert_int_equal(account_used(&account), 10); /* the slice keeps it */
	vmo_unref(inner);
}

/* Each page is the parent's until it is touched, and the copy's own from then on. */
static void copies_are_made_at_the_first_touch(void **state)
{
	struct vmo *parent, *slice, *copy, *other;
	char buffer[3 * 4096], expected[3 * 4096];

	(void)state;
	assert_ok(vmo_create(5 * 4096, 0, &account, &parent));
	__builtin_memset(expected, 'p', sizeof(expected));
	assert_ok(vmo_write(parent, 4096, expected, 2 * 4096)); /* its first page and its last two stay missing */
	assert_ok(vmo_slice(parent, 4096, 3 * 4096, &slice));
	assert_ok(vmo_copy(slice, 0, 4096 + 10, 3 * 4096, &account, &copy));
	assert_int_equal(vmo_committed_pages(copy), 0);
	__builtin_memset(expected + 4106, 0, sizeof(expected) - 4106);
	assert_ok(vmo_read(copy, 0, buffer, sizeof(buffer)));
	assert_memory_equal(buffer, expected, sizeof(buffer));
	assert_int_equal(vmo_committed_pages(copy), 0);
	assert_ok(vmo_write(copy, 4096 + 5, "mine", 4));
	assert_int_equal(vmo_committed_pages(copy), 1);
	__builtin_memcpy(expected + 4101, "mine", 4);
	assert_ok(vmo_write(parent, 2 * 4096, "later", 5)); /* that page has been touched */
	assert_ok(vmo_write(parent, 4096, "early", 5));     /* this one has not */
	__builtin_memcpy(expected, "early", 5);
	assert_ok(vmo_read(copy, 0, buffer, sizeof(buffer)));
	assert_memory_equal(buffer, expected, sizeof(buffer));
	assert_ok(vmo_read(parent, 2 * 4096 + 4, buffer, 6));
	assert_memory_equal(buffer, "rppppp", 6);
	assert_ok(vmo_copy(parent, 0, 5 * 4096, 5 * 4096, &account, &other)); /* missing pages are zeros */
	assert_ok(vmo_write(other, 100, "x", 1));
	assert_ok(vmo_read(other, 99, buffer, 3));
	assert_memory_equal(buffer, "\0x\0", 3);
	vmo_unref(other);
	vmo_unref(slice);
	vmo_unref(parent);
	assert_ok(vmo_read(copy, 0, buffer, sizeof(buffer))); /* it keeps what it may still need */
	assert_memory_equal(buffer, expected, sizeof(buffer));
	assert_true(vmo_check(copy));
	vmo_unref(copy);
}

static void copies_refuse(void **state)
{
	struct vmo *parent, *copy, *bad;

	(void)state;
	assert_ok(vmo_create(2 * 4096, 0, &account, &parent));
	assert_err(vmo_copy(parent, 0, 0, 4096, &account, &bad), ERR_ARGS);
	assert_err(vmo_copy(parent, 1, 4096, 4096, &account, &bad), ERR_ARGS);
	assert_err(vmo_copy(parent, 4096, 4097, 3 * 4096, &account, &bad), ERR_ARGS);
	assert_err(vmo_copy(parent, UINT64_MAX - 4095, 4096, 4096, &account, &bad), ERR_ARGS);
	assert_err(vmo_copy(parent, 0, 4097, 4096, &account, &bad), ERR_ARGS);
	assert_err(vmo_copy(parent, 0, 4096, VMO_BYTES_MAX + 1, &account, &bad), ERR_ARGS);
	assert_ok(vmo_copy(parent, 0, 4096, 4096, &account, &copy));
	assert_err(vmo_copy(copy, 0, 4096, 4096, &account, &bad), ERR_UNSUPPORTED);
	vmo_unref(copy);
	vmo_unref(parent);
	assert_ok(vmo_create(4096, VMO_RESIZABLE, &account, &parent));
	assert_err(vmo_copy(parent, 0, 4096, 4096, &account, &bad), ERR_UNSUPPORTED);
	vmo_unref(parent);
	assert_ok(vmo_create_pager(4096, &released, 1, &account, &parent));
	assert_err(vmo_copy(parent, 0, 4096, 4096, &account, &bad), ERR_UNSUPPORTED);
	vmo_unref(parent);
	assert_ok(vmo_create_physical(0xfee00000, 4096, VMO_UNCACHED, &parent));
	assert_err(vmo_copy(parent, 0, 4096, 4096, &account, &bad), ERR_UNSUPPORTED);
	vmo_unref(parent);
}

/* Through mappings: of two spaces that map one copy, and of two copies of one parent. */
static void copies_under_mappings(void **state)
{
	struct vmo *parent, *copy[2];
	struct space *space;
	uint64_t value;
	vaddr_t at;

	(void)state;
	assert_ok(vmo_create(4 * MIB, 0, &account, &parent));
	assert_ok(vmo_write(parent, 3 * MIB, "\x2a\0\0\0\0\0\0", 8));
	assert_ok(space_create(&account, &space));
	host_enter(space);
	for (uint32_t i = 0; i < 2; i++) {
		assert_ok(vmo_copy(parent, 2 * MIB, 2 * MIB, 4 * MIB, &account, &copy[i]));
		assert_ok(space_map(space, copy[i], 0, 4 * MIB, VADDR(0x40000000 + i * 8 * MIB),
			RW | SPACE_FIXED | SPACE_POPULATE, RIGHTS_RWX, &at));
		assert_ok(host_read_fault(space, at.v + MIB, &value, &request));
		assert_int_equal(value, 42);
		assert_ok(host_write_fault(space, at.v + MIB, 43 + i, &request));
	}
	assert_ok(host_read_fault(space, 0x40000000 + MIB, &value, &request));
	assert_int_equal(value, 43);
	assert_ok(vmo_read(parent, 3 * MIB, &value, 8));
	assert_int_equal(value, 42);
	assert_true(space_check(space));
	host_leave();
	space_destroy(space);
	for (uint32_t i = 0; i < 2; i++) {
		assert_true(vmo_check(copy[i]));
		vmo_unref(copy[i]);
	}
	vmo_unref(parent);
}

static void limits_are_errors(void **state)
{
	struct account small;
	struct vmo *vmo;
	static char buffer[8 * 4096];

	(void)state;
	account_init(&small, &account, 5);
	assert_ok(vmo_create(8 * 4096, 0, &small, &vmo));
	assert_err(vmo_write(vmo, 0, buffer, sizeof(buffer)), ERR_LIMIT);
	assert_int_equal(vmo_committed_pages(vmo), 5);
	assert_true(vmo_check(vmo));
	vmo_unref(vmo);
	assert_err(vmo_create(6 * 4096, VMO_CONTIGUOUS, &small, &vmo), ERR_LIMIT);
	assert_int_equal(account_used(&small), 0);
	account.refs--; /* `small` is on the stack */
}

/* ---- pagers ---- */

static void supplied_pages_are_the_source(void **state)
{
	struct vmo *vmo, *zone_vmo, *slice;
	struct space *space;
	vaddr_t at;
	uint64_t value = 0;
	uint32_t level;

	(void)state;
	assert_ok(vmo_create_zone(pmem, &zone_vmo));
	assert_ok(vmo_slice(zone_vmo, 2 * MIB, 32 * MIB, &slice));
	assert_ok(vmo_create_pager(16 * MIB, &released, 77, &account, &vmo));
	assert_ok(space_create(&account, &space));
	assert_ok(space_map(space, vmo, 0, 16 * MIB, VADDR(0), RW, RIGHTS_RWX, &at));
	assert_err(host_read_fault(space, at.v + 5 * 4096, &value, &request), ERR_AGAIN);
	assert_ptr_equal(request.vmo, vmo);
	assert_ptr_equal(request.pager, &released);
	assert_int_equal(request.key, 77);
	assert_int_equal(request.offset, 5 * 4096);
	assert_int_equal(request.access, RIGHT_READ);
	vmo_unref(request.vmo);
	assert_err(vmo_read(vmo, 0, &value, 8), ERR_FAULT);
	/* One page, read-only. */
	assert_ok(vmo_supply(vmo, 5 * 4096, slice, 4096, 4096, false));
	*(uint64_t *)phys_to_virt(PADDR(4 * GIB + 2 * MIB + 4096)) = 123;
	assert_ok(host_read_fault(space, at.v + 5 * 4096, &value, &request));
	assert_int_equal(value, 123);
	assert_err(vmo_write(vmo, 5 * 4096, &value, 8), ERR_FAULT);
	assert_err(host_write_fault(space, at.v + 5 * 4096, 1, &request), ERR_AGAIN);
	assert_int_equal(request.access, RIGHT_WRITE);
	vmo_unref(request.vmo);
	assert_err(vmo_supply(vmo, 5 * 4096, slice, 8192, 4096, true), ERR_EXISTS);
	assert_ok(vmo_supply(vmo, 5 * 4096, slice, 4096, 4096, true)); /* the same page, wider */
	assert_ok(host_write_fault(space, at.v + 5 * 4096, 9, &request));
	/* 2 MiB in one piece. */
	assert_ok(vmo_supply(vmo, 2 * MIB, slice, 4 * MIB, 8 * MIB, false));
	assert_ok(host_read_fault(space, at.v + 3 * MIB, &value, &request));
	pagetable_find(PADDR(space->root), at.v + 3 * MIB, &level);
	assert_int_equal(level, 2);
	/* A part of it becomes writable: the leaf breaks up. */
	assert_ok(vmo_supply(vmo, 3 * MIB, slice, 5 * MIB, 4096, true));
	assert_ok(host_write_fault(space, at.v + 3 * MIB, 31, &request));
	assert_int_equal(*(uint64_t *)phys_to_virt(PADDR(4 * GIB + 7 * MIB)), 31);
	assert_err(host_write_fault(space, at.v + 3 * MIB + 4096, 31, &request), ERR_AGAIN);
	vmo_unref(request.vmo);
	assert_true(space_check(space));
	assert_true(vmo_check(vmo));
	host_leave();
	space_destroy(space);
	assert_int_equal(released, 0);
	vmo_unref(vmo);
	assert_int_equal(released, 1);
	vmo_unref(slice);
	vmo_unref(zone_vmo);
}

/* What a pager supplied goes with it, from every VMO and every space; its source is free again. */
static void a_dead_pager_leaves_nothing_behind(void **state)
{
	struct vmo *vmo[3], *zone_vmo, *again;
	struct pager_family family;
	struct space *space;
	uint64_t value;
	vaddr_t at[3];

	(void)state;
	pager_family_init(&family);
	assert_ok(space_create(&account, &space));
	assert_ok(vmo_create_zone(pmem, &zone_vmo));
	for (int i = 0; i < 3; i++) {
		assert_ok(vmo_create_pager(4 * MIB, &released, (uint64_t)i, &account, &vmo[i]));
		pager_family_add(&family, vmo[i]);
		assert_ok(space_map(space, vmo[i], 0, 4 * MIB, VADDR(0), RW, RIGHTS_RWX, &at[i]));
		assert_ok(vmo_supply(vmo[i], 0, zone_vmo, 4 * MIB, 2 * MIB + 4096, true));
		assert_ok(host_write_fault(space, at[i].v + 4096, 5, &request));
		assert_ok(host_write_fault(space, at[i].v + 2 * MIB, 6, &request));
	}
	assert_ok(space_unmap(space, at[1], 4 * MIB));
	vmo_unref(vmo[1]); /* one in the middle has gone before */
	vmo_unref(zone_vmo);
	assert_err(vmo_create_zone(pmem, &again), ERR_BUSY);
	pager_family_end(&family);
	assert_null(family.first);
	assert_ok(vmo_create_zone(pmem, &again));
	for (int i = 0; i < 3; i += 2) {
		assert_int_equal(vmo_committed_pages(vmo[i]), 0);
		assert_err(host_read_fault(space, at[i].v + 4096, &value, &request), ERR_AGAIN);
		vmo_unref(request.vmo);
		assert_err(host_read_fault(space, at[i].v + 2 * MIB, &value, &request), ERR_AGAIN);
		vmo_unref(request.vmo);
		vmo_unref(vmo[i]);
	}
	host_leave();
	space_destroy(space);
	assert_int_equal(released, 3);
	vmo_unref(again);
}

static void revoked_pages_cannot_be_reached(void **state)
{
	struct vmo *vmo, *zone_vmo, *source;
	struct space *space;
	vaddr_t at;
	uint64_t value;

	(void)state;
	assert_ok(vmo_create_zone(pmem, &zone_vmo));
	assert_ok(vmo_create(4 * 4096, 0, &account, &source));
	assert_ok(vmo_create_pager(8 * MIB, &released, 1, &account, &vmo));
	assert_ok(space_create(&account, &space));
	assert_ok(space_map(space, vmo, 0, 8 * MIB, VADDR(0), RW, RIGHTS_RWX, &at));
	assert_ok(vmo_supply(vmo, 0, zone_vmo, 0, 8 * MIB, true));
	host_set_cpu(1);
	for (uint64_t i = 0; i < 8 * MIB; i += MIB)
		assert_ok(host_write_fault(space, at.v + i, i, &request));
	host_set_cpu(0);
	assert_ok(vmo_revoke(vmo, 3 * MIB, 2 * MIB)); /* half of two large pages */
	host_set_cpu(1);
	for (uint64_t i = 0; i < 8 * MIB; i += MIB) {
		err_t err = host_read_fault(space, at.v + i, &value, &request);

		assert_int_equal(err, i == 3 * MIB || i == 4 * MIB ? ERR_AGAIN : OK);
		if (err == ERR_AGAIN)
			vmo_unref(request.vmo);
		else
			assert_int_equal(value, i);
	}
	assert_true(space_check(space));
	assert_true(vmo_check(vmo));
	assert_ok(vmo_revoke(vmo, 0, 8 * MIB));
	assert_false(host_read(space, at.v, &value));
	host_set_cpu(0);
	/* No page is left, so the source is free again. */
	vmo_unref(zone_vmo);
	assert_ok(vmo_create_zone(pmem, &zone_vmo));
	assert_err(vmo_supply(vmo, 0, source, 0, 4096, true), ERR_BAD_STATE); /* not committed */
	assert_ok(vmo_write(source, 0, &value, 8));
	assert_ok(vmo_supply(vmo, 4096, source, 0, 4096, true));
	assert_err(vmo_supply(vmo, 2 * 4096, source, 0, 8192, true), ERR_BAD_STATE);
	vmo_unref(source); /* kept by the pager VMO */
	assert_ok(host_write_fault(space, at.v + 4096, 5, &request));
	assert_true(vmo_check(vmo));
	host_set_cpu(1);
	host_leave();
	host_set_cpu(0);
	host_leave();
	space_destroy(space);
	vmo_unref(vmo);
	vmo_unref(zone_vmo);
}

static void pagers_refuse_nonsense(void **state)
{
	struct vmo *vmo, *zone_vmo, *anonymous, *resizable;

	(void)state;
	assert_ok(vmo_create_zone(pmem, &zone_vmo));
	assert_ok(vmo_create(MIB, 0, &account, &anonymous));
	assert_ok(vmo_create(MIB, VMO_RESIZABLE, &account, &resizable));
	assert_ok(vmo_create_pager(4 * MIB, &released, 1, &account, &vmo));
	assert_err(vmo_supply(vmo, 1, zone_vmo, 0, 4096, true), ERR_ARGS);
	assert_err(vmo_supply(vmo, 0, zone_vmo, 1, 4096, true), ERR_ARGS);
	assert_err(vmo_supply(vmo, 0, zone_vmo, 0, 0, true), ERR_ARGS);
	assert_err(vmo_supply(vmo, 4096, zone_vmo, 0, 4 * MIB, true), ERR_ARGS);
	assert_err(vmo_supply(vmo, 0, zone_vmo, 64 * MIB - 4096, 8192, true), ERR_ARGS);
	assert_err(vmo_supply(vmo, UINT64_MAX - 4095, zone_vmo, 0, 8192, true), ERR_ARGS);
	assert_err(vmo_supply(vmo, 0, zone_vmo, UINT64_MAX - 4095, 8192, true), ERR_ARGS);
	assert_err(vmo_supply(vmo, 0, vmo, 0, 4096, true), ERR_ARGS);
	assert_err(vmo_supply(vmo, 0, resizable, 0, 4096, true), ERR_ARGS);
	assert_err(vmo_supply(anonymous, 0, zone_vmo, 0, 4096, true), ERR_ARGS);
	assert_err(vmo_revoke(anonymous, 0, 4096), ERR_ARGS);
	assert_err(vmo_revoke(vmo, 0, 8 * MIB), ERR_ARGS);
	assert_err(vmo_revoke(vmo, 0, 0), ERR_ARGS);
	assert_err(vmo_revoke(vmo, UINT64_MAX - 4095, 4096), ERR_ARGS);
	assert_ok(vmo_revoke(vmo, 0, 4 * MIB));
	assert_err(vmo_resize(vmo, 4096), ERR_UNSUPPORTED);
	assert_int_equal(account_used(&account), 0);
	vmo_unref(vmo);
	vmo_unref(anonymous);
	vmo_unref(resizable);
	vmo_unref(zone_vmo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VMO_TEST(creation_refuses_nonsense),
		VMO_TEST(reading_commits_nothing_writing_does),
		VMO_TEST(small_vmos_cost_little),
		VMO_TEST(resizing_frees_and_zeroes),
		VMO_TEST(resizing_reaches_every_mapping),
		VMO_TEST(contiguous_and_slices),
		VMO_TEST(copies_are_made_at_the_first_touch),
		VMO_TEST(copies_refuse),
		VMO_TEST(copies_under_mappings),
		VMO_TEST(limits_are_errors),
		VMO_TEST(supplied_pages_are_the_source),
		VMO_TEST(a_dead_pager_leaves_nothing_behind),
		VMO_TEST(revoked_pages_cannot_be_reached),
		VMO_TEST(pagers_refuse_nonsense),
	};

	return cmocka_run_group_tests(tests, group_begin, NULL);
}
