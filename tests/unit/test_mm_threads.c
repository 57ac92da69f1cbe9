/* SPDX-License-Identifier: BSD-2-Clause */
/* test_mm_threads.c - CPUs as threads: faults beside unmap, protect, resize, revoke and windows.
 * Every frame that a region shows carries the region's number, and a frame that is free carries
 * none, so a stale translation is seen as a wrong number. Worth running under ThreadSanitizer as
 * well.
 * link: mm/ tests/unit/port_host.c */
#include "mm_test.h"

#include <pthread.h>

#define RAM_BASE (16 * MIB)
#define CPUS 4u
#define AT 0x40000000ull
#define PAGES 32u
#define ROUNDS 400u

static struct account account;
static struct space *space, *server;
static struct vmo *shared; /* resizable, mapped at AT by all CPUs' space */
static struct vmo *leased; /* pager, mapped at AT + GIB */
static struct vmo *source[2];
static uint32_t stop; /* [a] */

static int group_begin(void **state)
{
	(void)state;
	host_start(CPUS, true);
	host_add_ram(RAM_BASE, 256 * MIB);
	return 0;
}

static uint32_t random_next(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Touch whatever is there; all errors are good, a crash or a wrong value is not. */
static void *toucher(void *argument)
{
	uint32_t cpu = (uint32_t)(uintptr_t)argument;
	uint32_t seed = cpu;

	host_set_cpu(cpu);
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		struct pager_request request;
		uint64_t page = random_next(&seed) % PAGES;
		uint64_t at = AT + (random_next(&seed) % 2) * GIB + page * PAGE_SIZE;
		uint64_t value;
		err_t err;

		if (random_next(&seed) % 8 == 0)
			host_leave();
		if (at < AT + GIB && random_next(&seed) % 2)
			err = host_write_fault(space, at, 0x1000 + page, &request);
		else
			err = host_read_fault(space, at, &value, &request);
		if (err == ERR_AGAIN)
			vmo_unref(request.vmo);
		else if (err != OK && err != ERR_FAULT)
			panic("a fault ends with error %d", err);
		else if (err == OK && host_read(space, at, &value) && at < AT + GIB && value &&
				 value != 0x1000 + page)
			panic("page %llu shows %llx", (unsigned long long)page, (unsigned long long)value);
	}
	host_leave();
	return NULL;
}

/* The quick way if that works, as the kernel takes it: interrupts off while it is shown, and while it is hidden. */
static err_t window_show(struct window *window, uint32_t cpu, uint64_t buffer, uint64_t *at,
			 struct pager_request *request)
{
	uint64_t state = interrupts_off();
	bool quick = window_map_quick(server, window, space, buffer, 4 * PAGE_SIZE, false, at);
	vaddr_t slow;
	err_t err;

	interrupts_restore(state);
	if (quick)
		return OK;
	err = window_map(server, cpu, window, space, VADDR(buffer), 4 * PAGE_SIZE, false, &slow, request);
	if (err == OK)
		*at = slow.v;
	else if (err == ERR_AGAIN)
		vmo_unref(request->vmo);
	return err;
}

static void window_leave(struct window *window, bool quick)
{
	uint64_t state = interrupts_off();

	if (quick && window->state == WINDOW_WHOLE) {
		window_hide(window);
		tlb_local_all();
	}
	interrupts_restore(state);
	window_unmap(window);
}

/* Open and close windows over the same pages. */
static void *caller(void *argument)
{
	uint32_t cpu = (uint32_t)(uintptr_t)argument;
	struct window window;
	uint32_t seed = cpu;

	host_set_cpu(cpu);
	window_init(&window, 5);
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		struct pager_request request;
		uint64_t page = random_next(&seed) % (PAGES - 4);
		bool lease = random_next(&seed) % 2;
		uint64_t value, at = 0;
		err_t err = window_show(&window, cpu, AT + lease * GIB + page * PAGE_SIZE, &at, &request);

		for (uint64_t i = 0; err == OK && i < 4; i++) {
			if (!host_read(server, at + i * PAGE_SIZE, &value))
				continue;
			if (!lease && value && value != 0x1000 + page + i)
				panic("a window on page %llu shows %llx", (unsigned long long)(page + i),
					(unsigned long long)value);
			if (lease && value != 1 && value != 2)
				panic("a window on a leased page shows %llx", (unsigned long long)value);
		}
		window_leave(&window, random_next(&seed) % 2);
	}
	host_leave();
	window_end(&window);
	return NULL;
}

static void change_memory(uint32_t *seed)
{
	uint64_t page = random_next(seed) % PAGES;
	uint64_t count = 1 + random_next(seed) % (PAGES - page);
	vaddr_t at;
	uint64_t junk[512];
	struct vmo *other;

	switch (random_next(seed) % 6) {
	case 0:
		assert_ok(space_unmap(space, VADDR(AT + page * PAGE_SIZE), count * PAGE_SIZE));
		if (space_map(space, shared, page * PAGE_SIZE, count * PAGE_SIZE,
				VADDR(AT + page * PAGE_SIZE), RW | SPACE_FIXED, RIGHTS_RWX, &at) != OK)
			return; /* past the end just now */
		break;
	case 1:
		(void)!space_protect(space, VADDR(AT + page * PAGE_SIZE), count * PAGE_SIZE, SPACE_READ);
		(void)!space_protect(space, VADDR(AT + page * PAGE_SIZE), count * PAGE_SIZE, RW);
		break;
	case 2:
		assert_ok(vmo_resize(shared, page * PAGE_SIZE));
		/* Frames that were given back are reused at once, with content that nobody may see. */
		memset(junk, 0xee, sizeof(junk));
		assert_ok(vmo_create(PAGES * PAGE_SIZE, 0, &account, &other));
		for (uint64_t i = 0; i < PAGES; i++)
			assert_ok(vmo_write(other, i * PAGE_SIZE, junk, PAGE_SIZE));
		vmo_unref(other);
		assert_ok(vmo_resize(shared, PAGES * PAGE_SIZE));
		break;
	case 3: assert_ok(vmo_revoke(leased, page * PAGE_SIZE, count * PAGE_SIZE)); break;
	default:
		(void)!vmo_supply(leased, page * PAGE_SIZE, source[random_next(seed) % 2], page * PAGE_SIZE,
			count * PAGE_SIZE, random_next(seed) % 2);
	}
}

static void everything_at_once(void **state)
{
	pthread_t thread[CPUS];
	uint32_t seed = 99;
	vaddr_t at;

	(void)state;
	account_init(&account, NULL, 1 << 20);
	stop = 0;
	assert_ok(space_create(&account, &space));
	assert_ok(space_create(&account, &server));
	assert_ok(space_make_serving(server));
	assert_ok(vmo_create(PAGES * PAGE_SIZE, VMO_RESIZABLE, &account, &shared));
	assert_ok(vmo_create_pager(PAGES * PAGE_SIZE, NULL, 0, &account, &leased));
	for (uint64_t i = 0; i < 2; i++) {
		uint64_t value = i + 1;

		assert_ok(vmo_create(PAGES * PAGE_SIZE, 0, &account, &source[i]));
		for (uint64_t page = 0; page < PAGES; page++)
			assert_ok(vmo_write(source[i], page * PAGE_SIZE, &value, sizeof(value)));
	}
	assert_ok(
		space_map(space, shared, 0, PAGES * PAGE_SIZE, VADDR(AT), RW | SPACE_FIXED, RIGHTS_RWX, &at));
	assert_ok(space_map(
		space, leased, 0, PAGES * PAGE_SIZE, VADDR(AT + GIB), RW | SPACE_FIXED, RIGHTS_RWX, &at));
	for (uint32_t cpu = 1; cpu < CPUS; cpu++)
		assert_int_equal(
			pthread_create(&thread[cpu], NULL, cpu < 3 ? toucher : caller, (void *)(uintptr_t)cpu),
			0);
	for (uint32_t round = 0; round < ROUNDS; round++)
		change_memory(&seed);
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (uint32_t cpu = 1; cpu < CPUS; cpu++)
		pthread_join(thread[cpu], NULL);
	assert_true(space_check(space));
	assert_true(space_check(server));
	assert_true(vmo_check(shared));
	assert_true(vmo_check(leased));
	space_destroy(space);
	space_destroy(server);
	vmo_unref(shared);
	vmo_unref(leased);
	vmo_unref(source[0]);
	vmo_unref(source[1]);
	assert_true(account_is_idle(&account));
}

/* Each CPU with spaces, VMOs and frames of its own: the shared parts underneath must hold. */
static void *maker(void *argument)
{
	uint32_t cpu = (uint32_t)(uintptr_t)argument;

	host_set_cpu(cpu);
	for (uint32_t round = 0; round < 60; round++) {
		struct pager_request request;
		struct space *mine;
		struct vmo *vmo;
		vaddr_t at;

		if (space_create(&account, &mine) != OK || vmo_create(8 * MIB, 0, &account, &vmo) != OK)
			panic("out of memory");
		if (space_map(mine, vmo, 0, 8 * MIB, VADDR(0), RW | (round % 4 ? 0 : SPACE_POPULATE),
				RIGHTS_RWX, &at) != OK)
			panic("out of memory");
		for (uint64_t i = 0; i < 100; i++)
			if (host_write_fault(mine, at.v + i * 70000 / 8 * 8, i, &request) != OK)
				panic("fault");
		host_leave();
		vmo_unref(vmo);
		if (!space_check(mine))
			panic("space_check");
		space_destroy(mine);
	}
	return NULL;
}

static void makers_do_not_meet(void **state)
{
	pthread_t thread[CPUS];

	(void)state;
	account_init(&account, NULL, 1 << 20);
	for (uint32_t cpu = 1; cpu < CPUS; cpu++)
		assert_int_equal(pthread_create(&thread[cpu], NULL, maker, (void *)(uintptr_t)cpu), 0);
	for (uint32_t i = 0; i < 30; i++)
		mm_reclaim();
	for (uint32_t cpu = 1; cpu < CPUS; cpu++)
		pthread_join(thread[cpu], NULL);
	assert_true(account_is_idle(&account));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MM_TEST(makers_do_not_meet),
		MM_TEST(everything_at_once),
	};

	return cmocka_run_group_tests(tests, group_begin, NULL);
}
