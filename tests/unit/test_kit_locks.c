/* SPDX-License-Identifier: BSD-2-Clause */
/* test_kit_locks.c - advisory locks: ranges, conflicts, waiting, circles; and a model of single bytes.
 * link: servers/kit/locks.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kit/locks.h"

#define INODE 7
#define LAST LOCKS_LAST

static struct locks table;
static int woken[8]; /* by event: 1 granted, 2 given up */

#define MANY 6 /* an event that may be woken more than once */

void locks_wake(uint64_t event, bool granted)
{
	assert_true(woken[event] == 0 || event == MANY);
	woken[event] = granted ? 1 : 2;
}

static int setup(void **state)
{
	(void)state;
	locks_init(&table);
	memset(woken, 0, sizeof(woken));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (uint64_t session = 1; session < 8; session++)
		for (uint64_t file = 0; file < 4; file++) {
			locks_close(&table, INODE, session, file);
			locks_close(&table, INODE + LOCKS_BUCKETS, session, file);
		}
	assert_int_equal(atomic_load(&table.count), 0); /* and ASan says that nothing is left */
	return 0;
}

static err_t set_on(uint64_t inode, uint64_t session, uint64_t first, uint64_t last, uint32_t type, uint64_t event,
		bool *waits)
{
	const struct lock_owner owner = { .session = session };
	const struct lock_range range = { first, last, type, (uint32_t)session };

	return locks_set(&table, inode, &owner, &range, event, waits);
}

static err_t set(uint64_t session, uint64_t first, uint64_t last, uint32_t type)
{
	bool waits;
	err_t err = set_on(INODE, session, first, last, type, 0, &waits);

	assert_false(waits);
	return err;
}

static err_t flock_set(uint64_t session, uint64_t file, uint32_t type, uint64_t event, bool *waits)
{
	const struct lock_owner owner = { .session = session, .whole = true, .file = file };
	const struct lock_range range = { 0, LAST, type, 0 };

	return locks_set(&table, INODE, &owner, &range, event, waits);
}

/* Who keeps session 9 from writing the byte? 0: nobody. */
static uint32_t holder_of(uint64_t byte, uint32_t type)
{
	const struct lock_owner owner = { .session = 9 };
	const struct lock_range range = { byte, byte, type, 0 };
	struct lock_range found;

	return locks_test(&table, INODE, &owner, &range, &found) ? found.holder : 0;
}

static void test_conflicts(void **state)
{
	(void)state;
	assert_int_equal(set(1, 10, 19, FS_LOCK_SHARED), OK);
	assert_int_equal(set(2, 15, 30, FS_LOCK_SHARED), OK);
	assert_int_equal(set(2, 10, 10, FS_LOCK_EXCLUSIVE), ERR_AGAIN);
	assert_int_equal(set(2, 20, 25, FS_LOCK_EXCLUSIVE), OK);
	assert_int_equal(set(1, 25, LAST, FS_LOCK_SHARED), ERR_AGAIN);
	assert_int_equal(set(1, 26, LAST, FS_LOCK_SHARED), OK);
	assert_int_equal(set(3, LAST, LAST, FS_LOCK_EXCLUSIVE), ERR_AGAIN);
	assert_int_equal(set(1, 26, LAST, FS_LOCK_UNLOCK), OK);
	assert_int_equal(set(3, LAST, LAST, FS_LOCK_EXCLUSIVE), OK);
	assert_int_equal(holder_of(20, FS_LOCK_SHARED), 2);
	assert_int_equal(holder_of(14, FS_LOCK_SHARED), 0);
	assert_int_equal(holder_of(14, FS_LOCK_EXCLUSIVE), 1);
	assert_int_equal(holder_of(31, FS_LOCK_EXCLUSIVE), 0);
}

static void test_joined_and_split(void **state)
{
	(void)state;
	assert_int_equal(set(1, 0, 9, FS_LOCK_EXCLUSIVE), OK);
	assert_int_equal(set(1, 20, 29, FS_LOCK_EXCLUSIVE), OK);
	assert_int_equal(set(1, 10, 19, FS_LOCK_EXCLUSIVE), OK);
	assert_int_equal(atomic_load(&table.count), 1);
	assert_int_equal(set(1, 5, 6, FS_LOCK_UNLOCK), OK);
	assert_int_equal(atomic_load(&table.count), 2);
	assert_int_equal(set(1, 8, 8, FS_LOCK_SHARED), OK);
	assert_int_equal(atomic_load(&table.count), 4);
	assert_int_equal(set(2, 5, 6, FS_LOCK_EXCLUSIVE), OK);
	assert_int_equal(set(2, 8, 8, FS_LOCK_EXCLUSIVE), ERR_AGAIN);
	assert_int_equal(set(1, 0, LAST, FS_LOCK_UNLOCK), OK);
	assert_int_equal(atomic_load(&table.count), 1);
}

static void test_waiting_in_order(void **state)
{
	bool waits;

	(void)state;
	assert_int_equal(set(1, 0, 99, FS_LOCK_EXCLUSIVE), OK);
	assert_int_equal(set_on(INODE, 2, 50, 60, FS_LOCK_EXCLUSIVE, 2, &waits), OK);
	assert_true(waits);
	assert_int_equal(set_on(INODE, 3, 55, 70, FS_LOCK_EXCLUSIVE, 3, &waits), OK);
	assert_int_equal(set_on(INODE, 4, 0, 5, FS_LOCK_SHARED, 4, &waits), OK);
	assert_int_equal(set(1, 0, 9, FS_LOCK_SHARED), OK); /* less is held: shared ones fit */
	assert_int_equal(woken[4], 1);
	assert_int_equal(woken[2], 0);
	locks_close(&table, INODE, 1, 3);
	assert_int_equal(woken[2], 1);
	assert_int_equal(woken[3], 0);
	assert_int_equal(holder_of(60, FS_LOCK_SHARED), 2);
	locks_close(&table, INODE, 3, 1); /* the client that waits dies */
	assert_int_equal(woken[3], 2);
	locks_close(&table, INODE, 2, 1);
	assert_int_equal(holder_of(60, FS_LOCK_EXCLUSIVE), 0);
}

static void test_circles(void **state)
{
	bool waits;

	(void)state;
	for (uint64_t i = 1; i <= 4; i++)
		assert_int_equal(set(i, i, i, FS_LOCK_EXCLUSIVE), OK);
	assert_int_equal(set_on(INODE, 1, 2, 2, FS_LOCK_EXCLUSIVE, 1, &waits), OK);
	assert_int_equal(set_on(INODE, 2, 1, 1, FS_LOCK_SHARED, 2, &waits), ERR_DEADLOCK);
	assert_false(waits);
	assert_int_equal(set_on(INODE, 2, 3, 3, FS_LOCK_SHARED, 2, &waits), OK);
	assert_int_equal(set_on(INODE, 3, 4, 4, FS_LOCK_SHARED, 3, &waits), OK);
	assert_int_equal(set_on(INODE, 4, 1, 1, FS_LOCK_SHARED, 4, &waits), ERR_DEADLOCK);
	assert_int_equal(set_on(INODE, 5, 1, 4, FS_LOCK_SHARED, 5, &waits), OK); /* in no circle */
	assert_int_equal(woken[1] + woken[2] + woken[3] + woken[5], 0);
	locks_close(&table, INODE, 4, 1);
	assert_int_equal(woken[3], 1);
	/* Through another file. */
	assert_int_equal(set_on(INODE + LOCKS_BUCKETS, 6, 0, 0, FS_LOCK_EXCLUSIVE, 0, &waits), OK);
	assert_int_equal(set_on(INODE + LOCKS_BUCKETS, 1, 0, 0, FS_LOCK_EXCLUSIVE, MANY, &waits), OK);
	assert_int_equal(set_on(INODE, 6, 1, 1, FS_LOCK_EXCLUSIVE, 7, &waits), ERR_DEADLOCK);
}

static void test_flock(void **state)
{
	bool waits;

	(void)state;
	assert_int_equal(set(2, 0, LAST, FS_LOCK_EXCLUSIVE), OK); /* is none of flock's business */
	assert_int_equal(flock_set(1, 1, FS_LOCK_SHARED, 0, &waits), OK);
	assert_int_equal(flock_set(1, 2, FS_LOCK_SHARED, 0, &waits), OK);
	assert_int_equal(flock_set(1, 1, FS_LOCK_EXCLUSIVE, 0, &waits), ERR_AGAIN);
	assert_int_equal(flock_set(1, 1, FS_LOCK_EXCLUSIVE, 1, &waits), OK); /* gives up its shared one */
	assert_true(waits);
	assert_int_equal(flock_set(1, 2, FS_LOCK_EXCLUSIVE, 2, &waits), OK);
	assert_false(waits);
	locks_close(&table, INODE, 1, 2);
	assert_int_equal(woken[1], 1);
	assert_int_equal(flock_set(1, 3, FS_LOCK_SHARED, 0, &waits), ERR_AGAIN);
}

static void test_limits(void **state)
{
	bool waits;

	(void)state;
	for (uint64_t i = 0; i < LOCKS_MAX; i += 256)
		assert_int_equal(set(1, 2 * i, 2 * i, FS_LOCK_SHARED), OK);
	assert_int_equal(set(2, 0, LAST, FS_LOCK_EXCLUSIVE), ERR_AGAIN);
	assert_int_equal(set(1, 0, LAST, FS_LOCK_UNLOCK), OK);
	assert_int_equal(set(1, 0, 0, FS_LOCK_EXCLUSIVE), OK);
	for (uint32_t i = 0; i < LOCKS_WAITING_MAX; i++)
		assert_int_equal(set_on(INODE, 2, 0, 0, FS_LOCK_SHARED, MANY, &waits), OK);
	assert_int_equal(set_on(INODE, 2, 0, 0, FS_LOCK_SHARED, MANY, &waits), ERR_LIMIT);
	locks_close(&table, INODE + 1, 2, 0); /* another file */
	assert_int_equal(woken[MANY], 0);
	locks_close(&table, INODE, 1, 0);
	assert_int_equal(woken[MANY], 1);
	assert_int_equal(atomic_load(&table.count), 1); /* they have joined */
}

/* Random requests of three owners on 32 bytes, against a table of who has what. */
static void test_model(void **state)
{
	enum { BYTES = 32, OWNERS = 3 };
	static const uint32_t types[] = { FS_LOCK_SHARED, FS_LOCK_EXCLUSIVE, FS_LOCK_UNLOCK };
	uint32_t held[OWNERS][BYTES] = { { 0 } };
	uint64_t random = 1;

	(void)state;
	for (int i = 0; i < 30000; i++) {
		random = random * 6364136223846793005ull + 1442695040888963407ull;
		const uint32_t owner = (uint32_t)(random >> 33) % OWNERS, type = types[(random >> 40) % 3];
		uint32_t first = (uint32_t)(random >> 45) % BYTES, last = (uint32_t)(random >> 52) % BYTES;
		bool free = true;
		if (first > last) {
			const uint32_t swap = first;
			first = last;
			last = swap;
		}
		for (uint32_t o = 0; o < OWNERS; o++)
			for (uint32_t b = first; b <= last; b++)
				free &= o == owner || type == FS_LOCK_UNLOCK || held[o][b] == 0 ||
						(held[o][b] | type) == FS_LOCK_SHARED;
		assert_int_equal(set(owner + 1, first, last, type), free ? OK : ERR_AGAIN);
		for (uint32_t b = first; b <= last && free; b++)
			held[owner][b] = type == FS_LOCK_UNLOCK ? 0 : type;
		uint32_t runs = 0; /* L1 */
		for (uint32_t o = 0; o < OWNERS; o++)
			for (uint32_t b = 0; b < BYTES; b++)
				runs += held[o][b] != 0 && (b == 0 || held[o][b] != held[o][b - 1]);
		assert_int_equal(atomic_load(&table.count), runs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_conflicts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_joined_and_split, setup, teardown),
		cmocka_unit_test_setup_teardown(test_waiting_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_circles, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flock, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_model, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
