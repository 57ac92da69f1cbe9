/* SPDX-License-Identifier: BSD-2-Clause */
/* test_mm_window.c - windows: what they show, what they cost, and what clients may do to them
 * meanwhile.
 * link: mm/ tests/unit/port_host.c */
#include "mm_test.h"

#define RAM_BASE (16 * MIB)

static struct account account;
static struct space *server, *client;
static struct pager_request request;
static struct window window, inner;
static uint64_t buffer; /* 8 MiB of the client's */

static int group_begin(void **state)
{
	(void)state;
	host_start(3, true);
	host_add_ram(RAM_BASE, 256 * MIB);
	return 0;
}

static int begin(void **state)
{
	struct vmo *vmo;
	vaddr_t at;

	mm_test_begin(state);
	account_init(&account, NULL, 1 << 20);
	assert_ok(space_create(&account, &server));
	assert_ok(space_create(&account, &client));
	assert_ok(space_make_serving(server));
	assert_ok(vmo_create(8 * MIB, 0, &account, &vmo));
	assert_ok(space_map(client, vmo, 0, 8 * MIB, VADDR(0), RW, RIGHTS_RWX, &at));
	vmo_unref(vmo);
	buffer = at.v;
	window_init(&window, 0);
	window_init(&inner, 1);
	return 0;
}

static int end(void **state)
{
	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++) {
		assert_true(window_check(cpu));
		host_set_cpu(cpu);
		host_leave();
	}
	host_set_cpu(0);
	window_unmap(&window);
	window_unmap(&inner);
	if (server) {
		assert_true(space_check(server));
		space_destroy(server);
	}
	if (client) {
		assert_true(space_check(client));
		space_destroy(client);
	}
	assert_true(account_is_idle(&account));
	return mm_test_end(state);
}

#define WINDOW_TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

static void a_window_shows_the_buffer(void **state)
{
	vaddr_t at;
	uint64_t value;
	uint64_t rounds;

	(void)state;
	assert_ok(host_write_fault(client, buffer + 0x2ff0, 11, &request));
	rounds = host_rounds();
	assert_ok(
		window_map(server, 0, &window, client, VADDR(buffer + 0x2ff0), 4096, true, &at, &request));
	assert_int_equal(at.v & PAGE_MASK, 0xff0);
	assert_true(at.v >= WINDOW_BASE && at.v < WINDOW_END);
	assert_true(host_read(server, at.v, &value));
	assert_int_equal(value, 11);
	assert_true(host_write(server, at.v + 8, 12));
	assert_true(host_read(client, buffer + 0x2ff8, &value));
	assert_int_equal(value, 12);
	assert_true(window_check(0));
	window_unmap(&window);
	assert_false(host_read(server, at.v, &value));
	assert_err(host_read_fault(server, at.v, &value, &request), ERR_FAULT);
	assert_int_equal(host_rounds(), rounds); /* no IPI at all */
	window_unmap(&window);                   /* closed: no error */
}

static void a_window_is_on_its_cpu_only(void **state)
{
	vaddr_t at;
	uint64_t value;

	(void)state;
	assert_ok(window_map(server, 0, &window, client, VADDR(buffer), 4096, false, &at, &request));
	assert_true(host_read(server, at.v, &value));
	assert_false(host_write(server, at.v, 1)); /* read-only */
	assert_err(space_fault(server, at, ACCESS_WRITE, &request), ERR_FAULT);
	assert_err(space_fault(server, at, ACCESS_EXECUTE, &request), ERR_FAULT);
	host_set_cpu(1);
	assert_false(host_read(server, at.v, &value));
	assert_err(space_fault(server, at, ACCESS_READ, &request), ERR_FAULT);
	host_leave();
	window_unmap(&window); /* from another CPU: one round */
	host_set_cpu(0);
	assert_false(host_read(server, at.v, &value));
}

static void bad_buffers_are_refused(void **state)
{
	static const struct {
		uint64_t buffer, bytes;
		err_t error;
	} bad[] = {
		{ 0x5000, 0, ERR_ARGS },
		{ 0x5000, WINDOW_LENGTH_MAX + 1, ERR_ARGS },
		{ 0x5000, UINT64_MAX, ERR_ARGS },
		{ 0, 1, ERR_FAULT },
		{ 0x5000, 100, ERR_FAULT },
		{ USER_END - 1, 2, ERR_FAULT },
		{ UINT64_MAX, 1, ERR_FAULT },
		{ 0xffff800000000000ull, 4096, ERR_FAULT },
		{ WINDOW_BASE, 4096, ERR_FAULT },
		{ WINDOW_END - 1, 2, ERR_FAULT },
	};
	vaddr_t at = VADDR(7);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_err(window_map(server, 0, &window, client, VADDR(bad[i].buffer), bad[i].bytes, true,
					   &at, &request),
			bad[i].error);
		assert_int_equal(at.v, 7);
		assert_false(window.open);
	}
	assert_err(
		window_map(server, 0, &window, client, VADDR(buffer + 8 * MIB - 1), 2, true, &at, &request),
		ERR_FAULT);
	assert_err(window_map(client, 0, &window, server, VADDR(buffer), 2, true, &at, &request),
		ERR_BAD_STATE);
	assert_ok(space_protect(client, VADDR(buffer + 4096), 4096, SPACE_READ));
	assert_err(window_map(server, 0, &window, client, VADDR(buffer), 8192, true, &at, &request),
		ERR_FAULT);
	assert_ok(window_map(server, 0, &window, client, VADDR(buffer), 8192, false, &at, &request));
}

/* The client unmaps while the server works: the server sees its own sink page, never a reused
 * frame. */
static void unmapping_takes_the_window_away(void **state)
{
	vaddr_t at;
	uint64_t value;

	(void)state;
	assert_ok(host_write_fault(client, buffer + 4096, 77, &request));
	assert_ok(window_map(server, 0, &window, client, VADDR(buffer), 3 * 4096, true, &at, &request));
	assert_true(host_read(server, at.v + 4096, &value));
	host_set_cpu(1);
	assert_ok(space_unmap(client, VADDR(buffer + 4096), 4096));
	assert_true(window_check(0));
	host_set_cpu(0);
	assert_false(host_read(server, at.v + 4096, &value)); /* taken from this CPU's TLB, too */
	assert_ok(host_read_fault(server, at.v + 4096, &value, &request));
	assert_int_equal(value, 0);
	assert_ok(host_write_fault(server, at.v + 4096, 5, &request));
	assert_true(host_read(server, at.v, &value)); /* the rest is still there */
	/* Narrowed: taken away and refused for writing, so the sink again. */
	assert_ok(space_protect(client, VADDR(buffer), 4096, SPACE_READ));
	assert_true(window_check(0));
	assert_ok(host_write_fault(server, at.v, 6, &request));
	assert_ok(host_read_fault(client, buffer, &value, &request));
	assert_int_equal(value, 0);
}

static void revoked_pages_come_back_through_the_pager(void **state)
{
	struct vmo *vmo, *source;
	vaddr_t at, lease;
	uint64_t value;

	(void)state;
	assert_ok(vmo_create(8 * 4096, 0, &account, &source));
	assert_ok(vmo_write(source, 0, "12345678", 8));
	assert_ok(vmo_write(source, 4096, "abcdefgh", 8));
	assert_ok(vmo_create_pager(8 * 4096, NULL, 3, &account, &vmo));
	assert_ok(space_map(client, vmo, 0, 8 * 4096, VADDR(0), RW, RIGHTS_RWX, &lease));
	assert_err(window_map(server, 0, &window, client, lease, 4096, true, &at, &request), ERR_AGAIN);
	assert_ptr_equal(request.vmo, vmo);
	assert_int_equal(request.access, RIGHT_WRITE);
	vmo_unref(request.vmo);
	assert_false(window.open);
	assert_ok(vmo_supply(vmo, 0, source, 0, 4096, true));
	assert_ok(window_map(server, 0, &window, client, lease, 4096, true, &at, &request));
	assert_true(host_read(server, at.v, &value));
	assert_memory_equal(&value, "12345678", 8);
	assert_ok(vmo_revoke(vmo, 0, 4096));
	assert_true(window_check(0));
	assert_false(host_read(server, at.v, &value));
	assert_err(space_fault(server, at, ACCESS_READ, &request),
		ERR_AGAIN); /* the pager can give another page */
	vmo_unref(request.vmo);
	assert_ok(vmo_supply(vmo, 0, source, 4096, 4096, true));
	assert_ok(host_read_fault(server, at.v, &value, &request));
	assert_memory_equal(&value, "abcdefgh", 8);
	vmo_unref(vmo);
	vmo_unref(source);
}

/* The page is to be had, but its pager fails: zeros, so that the server can go on. */
static void a_page_that_its_pager_refuses_is_zero(void **state)
{
	struct vmo *vmo, *source;
	vaddr_t at, lease;
	uint64_t value;

	(void)state;
	assert_ok(vmo_create(4096, 0, &account, &source));
	assert_ok(vmo_write(source, 0, "12345678", 8));
	assert_ok(vmo_create_pager(4096, NULL, 3, &account, &vmo));
	assert_ok(space_map(client, vmo, 0, 4096, VADDR(0), RW, RIGHTS_RWX, &lease));
	assert_ok(vmo_supply(vmo, 0, source, 0, 4096, true));
	assert_ok(window_map(server, 0, &window, client, lease, 4096, true, &at, &request));
	assert_ok(vmo_revoke(vmo, 0, 4096));
	assert_err(space_fault(server, at, ACCESS_READ, &request), ERR_AGAIN);
	vmo_unref(request.vmo);
	assert_err(window_give_up(server, lease.v), ERR_FAULT);
	assert_err(window_give_up(server, at.v + 8 * 4096), ERR_FAULT);
	assert_ok(window_give_up(server, at.v + 8));
	assert_true(host_read(server, at.v, &value));
	assert_int_equal(value, 0);
	assert_true(window_check(0));
	window_unmap(&window);
	assert_err(window_give_up(server, at.v), ERR_FAULT);
	vmo_unref(vmo);
	vmo_unref(source);
}

static void large_buffers_use_large_leaves(void **state)
{
	struct vmo *vmo;
	vaddr_t big, at;
	uint64_t value;
	uint64_t used;
	uint32_t level;

	(void)state;
	assert_ok(vmo_create(16 * MIB, 0, &account, &vmo));
	assert_ok(space_map(client, vmo, 0, 16 * MIB, VADDR(0), RW | SPACE_POPULATE, RIGHTS_RWX, &big));
	used = account_used(&account);
	assert_ok(
		window_map(server, 0, &window, client, VADDR(big.v + MIB), 12 * MIB, true, &at, &request));
	for (uint64_t i = 0; i < 12 * MIB; i += 4096) {
		assert_true(host_write(client, big.v + MIB + i, i));
		assert_true(host_read(server, at.v + i, &value));
		assert_int_equal(value, i);
	}
	pagetable_find(PADDR(space_root(server, 0)), at.v + 2 * MIB, &level);
	assert_int_equal(level, 2);
	window_unmap(&window);
	assert_int_equal(account_used(&account), used + 2); /* the tables of levels 3 and 2 stay */
	assert_false(host_read(server, at.v, &value));
	assert_false(host_read(server, at.v + 2 * MIB, &value));
	/* Small pages of the other buffer, across two tables: the second goes. */
	assert_ok(
		window_map(server, 0, &window, client, VADDR(buffer + MIB), 4 * MIB, true, &at, &request));
	assert_true(host_read(server, at.v + 3 * MIB, &value));
	window_unmap(&window);
	assert_false(host_read(server, at.v + 3 * MIB, &value));
	vmo_unref(vmo);
}

static void windows_pass_on_to_the_next_server(void **state)
{
	struct space *second;
	vaddr_t at, further;
	uint64_t value;

	(void)state;
	assert_ok(space_create(&account, &second));
	assert_ok(space_make_serving(second));
	assert_ok(host_write_fault(client, buffer + 4096, 321, &request));
	assert_ok(
		window_map(server, 0, &window, client, VADDR(buffer), 3 * 4096, false, &at, &request));
	assert_err(
		window_map(second, 0, &inner, server, VADDR(at.v + 4096), 4096, true, &further, &request),
		ERR_FAULT);
	assert_err(window_map(second, 0, &inner, server, VADDR(at.v + 4096), 3 * 4096, false, &further,
				   &request),
		ERR_FAULT);
	assert_ok(
		window_map(second, 0, &inner, server, VADDR(at.v + 4096), 4096, false, &further, &request));
	assert_true(host_read(second, further.v, &value));
	assert_int_equal(value, 321);
	assert_ok(space_unmap(client, VADDR(buffer), 8 * MIB)); /* reaches both */
	assert_false(host_read(second, further.v, &value));
	assert_false(host_read(server, at.v + 4096, &value));
	window_unmap(&inner);
	host_leave();
	space_destroy(second);
}

static void either_side_may_die(void **state)
{
	vaddr_t at;
	uint64_t value;

	(void)state;
	assert_ok(window_map(server, 0, &window, client, VADDR(buffer), 4096, true, &at, &request));
	assert_ok(window_map(server, 0, &inner, client, VADDR(buffer), 4096, true, &at, &request));
	assert_true(host_read(server, at.v, &value));
	host_set_cpu(1);
	space_destroy(client);
	client = NULL;
	host_set_cpu(0);
	assert_false(host_read(server, at.v, &value));
	assert_ok(host_read_fault(server, at.v, &value, &request));
	window_unmap(&inner);
	host_leave();
	space_destroy(server);
	server = NULL;
	window_unmap(&window); /* its server is gone: only the list and the sink are left to see to */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WINDOW_TEST(a_window_shows_the_buffer),
		WINDOW_TEST(a_window_is_on_its_cpu_only),
		WINDOW_TEST(bad_buffers_are_refused),
		WINDOW_TEST(unmapping_takes_the_window_away),
		WINDOW_TEST(revoked_pages_come_back_through_the_pager),
		WINDOW_TEST(a_page_that_its_pager_refuses_is_zero),
		WINDOW_TEST(large_buffers_use_large_leaves),
		WINDOW_TEST(windows_pass_on_to_the_next_server),
		WINDOW_TEST(either_side_may_die),
	};

	return cmocka_run_group_tests(tests, group_begin, NULL);
}
