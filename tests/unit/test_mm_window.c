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
	host_set_cpu(0);
	window_unmap(&window);
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
		assert_int_equal(window.state, WINDOW_CLOSED);
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
	assert_int_equal(window.state, WINDOW_CLOSED);
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

/* The same buffer again, by the quick way. */
static uint64_t map_quick(uint64_t at, uint64_t bytes, bool writable)
{
	uint64_t shown = 0;

	return window_map_quick(server, &window, client, at, bytes, writable, &shown) ? shown : 0;
}

static void map_and_close(uint64_t at, uint64_t bytes)
{
	vaddr_t shown;

	assert_ok(window_map(server, 0, &window, client, VADDR(at), bytes, true, &shown, &request));
	assert_int_equal(window.state, WINDOW_WHOLE);
	window_unmap(&window);
	assert_true(window_check(0));
}

static void a_closed_window_remembers(void **state)
{
	uint64_t value;
	uint64_t at;

	(void)state;
	assert_ok(host_write_fault(client, buffer + 4096, 5, &request));
	map_and_close(buffer + 4000, 4096);
	assert_ptr_equal(window.shows, &client->cpu[0]);
	assert_int_equal(window.entries, 2);
	assert_int_equal(window_cpus_of(client).bits, 1);
	/* Not there for anybody meanwhile. */
	assert_false(host_read(server, window.base + 4096, &value));
	assert_err(host_read_fault(server, window.base + 4096, &value, &request), ERR_FAULT);
	at = map_quick(buffer + 4090, 8, false);
	assert_true(at && host_read(server, at + 6, &value));
	assert_int_equal(value, 5);
	assert_false(host_write(server, at, 6)); /* the right is the last request's */
	window_hide(&window);
	tlb_local_all(); /* as the loading of another root does */
	assert_false(host_read(server, at + 6, &value));
	assert_true(window_check(0));
	window_end(&window);
	assert_int_equal(window_cpus_of(client).bits, 0);
}

static void a_revocation_makes_windows_forget(void **state)
{
	uint64_t value;
	vaddr_t at;

	(void)state;
	assert_ok(host_write_fault(client, buffer, 5, &request));
	map_and_close(buffer, 3 * 4096);
	assert_ok(space_unmap(client, VADDR(buffer + 6 * 4096), 4096)); /* beside it: nothing changes */
	assert_int_equal(window.entries, 3);
	assert_ok(space_protect(client, VADDR(buffer + 4096), 4096, SPACE_READ));
	assert_int_equal(window.entries, 0);
	assert_null(window.shows);
	assert_true(window_check(0));
	assert_int_equal(map_quick(buffer, 3 * 4096, true), 0);
	assert_int_equal(window.state, WINDOW_CLOSED);
	assert_true(window_check(0));
	/* Open: what goes is mended page by page, and nothing is remembered of it. */
	assert_ok(window_map(server, 0, &window, client, VADDR(buffer), 4096, true, &at, &request));
	assert_true(host_read(server, at.v, &value));
	assert_ok(space_unmap(client, VADDR(buffer), 4096));
	assert_int_equal(window.state, WINDOW_MENDED);
	assert_false(host_read(server, at.v, &value));
	window_unmap(&window);
	assert_null(window.shows);
}

/* Else each unmapping on that CPU would have to come here. */
static void a_revocation_from_elsewhere_makes_all_forget(void **state)
{
	uint64_t rounds;

	(void)state;
	assert_ok(host_write_fault(client, buffer, 5, &request));
	assert_ok(host_write_fault(client, buffer + MIB, 5, &request));
	assert_ok(host_write_fault(client, buffer + 2 * MIB, 5, &request));
	map_and_close(buffer, 4096);
	host_leave();
	host_set_cpu(1);
	rounds = host_rounds();
	assert_ok(space_unmap(client, VADDR(buffer + MIB), 4096));
	assert_int_equal(host_rounds(), rounds + 1);
	assert_null(window.shows);
	assert_ok(space_unmap(client, VADDR(buffer + 2 * MIB), 4096));
	assert_int_equal(host_rounds(), rounds + 1);
	host_leave();
	host_set_cpu(0);
}

static void quick_windows_of_every_shape(void **state)
{
	struct vmo *vmo;
	vaddr_t large, at;
	uint64_t value;
	uint64_t shown;

	(void)state;
	assert_ok(vmo_create(8 * MIB, 0, &account, &vmo));
	assert_ok(space_map(client, vmo, 0, 8 * MIB, VADDR(0), RW | SPACE_POPULATE, RIGHTS_RWX, &large));
	vmo_unref(vmo);
	assert_true(host_write(client, large.v + 2 * MIB - 8, 1) && host_write(client, large.v + 4 * MIB, 2));
	assert_int_equal(map_quick(large.v, 4096, true), 0); /* it has no tables yet */
	assert_ok(window_map(server, 0, &window, client, large, 4 * MIB, true, &at, &request));
	assert_int_equal(window.entries, 2); /* large leaves */
	window_unmap(&window);
	assert_true(window_check(0));
	map_and_close(large.v, 4096);
	shown = map_quick(large.v + 2 * MIB - 4096, 4096, true); /* small pages of a large leaf */
	assert_true(shown && host_read(server, shown + 4088, &value));
	assert_int_equal(value, 1);
	window_hide(&window);
	tlb_local_all();
	shown = map_quick(large.v + 2 * MIB, 4 * MIB, true);
	assert_true(shown && host_read(server, shown + 2 * MIB, &value));
	assert_int_equal(value, 2);
	window_hide(&window);
	tlb_local_all();
	assert_true(window_check(0));
	assert_int_equal(map_quick(large.v + MIB, 2 * MIB, true), 0);              /* across */
	assert_int_equal(map_quick(large.v, WINDOW_LENGTH_MAX + 1, true), 0);     /* too long */
	assert_int_equal(map_quick(large.v, UINT64_MAX - large.v, true), 0);      /* wraps */
	assert_int_equal(map_quick(window.share, 4096, true), 0);                 /* itself a window */
	assert_int_equal(map_quick(0xffff800000000000ull, 4096, true), 0);        /* the kernel's */
	assert_int_equal(map_quick(buffer + 4 * MIB, 4096, true), 0);             /* not touched yet */
	assert_int_equal(window.state, WINDOW_CLOSED);
	assert_true(window_check(0));
}

static void a_client_that_dies_is_forgotten(void **state)
{
	(void)state;
	assert_ok(host_write_fault(client, buffer, 5, &request));
	map_and_close(buffer, 4096);
	host_leave();
	space_destroy(client);
	client = NULL;
	assert_null(window.shows);
	assert_true(window_check(0));
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
		WINDOW_TEST(a_closed_window_remembers),
		WINDOW_TEST(a_revocation_makes_windows_forget),
		WINDOW_TEST(a_revocation_from_elsewhere_makes_all_forget),
		WINDOW_TEST(quick_windows_of_every_shape),
		WINDOW_TEST(a_client_that_dies_is_forgotten),
	};

	return cmocka_run_group_tests(tests, group_begin, NULL);
}
