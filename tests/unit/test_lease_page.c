/* SPDX-License-Identifier: BSD-2-Clause */
/* test_lease_page.c - what pmfs writes into a lease page, and until when it lets clients write by themselves. */
#include "fs/pmfs/lease_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define NS 1000000000ull

static void attributes_are_those_of_stat(void **state)
{
	struct fs_lease_page page;
	const struct fs_stat st = { .inode = 7, .size = 1000, .blocks = 4096, .type = FS_TYPE_FILE, .mode = 0640,
		.links = 70000, .uid = 3, .gid = 4, .block_size = 4096, .atime = 5 * NS + 6, .mtime = 7 * NS + 8,
		.ctime = 9 * NS + 10 };

	(void)state;
	memset(&page, 0xff, sizeof(page));
	lease_page_clear(&page);
	lease_page_publish(&page, &st, FS_LEASE_TIMES_LATE, 99);
	assert_int_equal(page.inode, 7);
	assert_int_equal(page.size, 1000);
	assert_int_equal(page.blocks, 8);
	assert_int_equal(page.mode, 0100640);
	assert_int_equal(page.links, UINT16_MAX); /* what POSIX's nlink_t holds here */
	assert_int_equal(page.uid, 3);
	assert_int_equal(page.gid, 4);
	assert_int_equal(page.block_size, 4096);
	assert_int_equal(page.atime_s * NS + page.atime_ns, st.atime);
	assert_int_equal(page.mtime_s * NS + page.mtime_ns, st.mtime);
	assert_int_equal(page.ctime_s * NS + page.ctime_ns, st.ctime);
	assert_int_equal(page.flags, FS_LEASE_TIMES_LATE);
	assert_int_equal(page.write_until, 99);
	assert_int_equal(page.zero | page.device, 0);
}

/* L1 and L4 of lease.h. */
static void epochs_and_sequences_are_even_in_between(void **state)
{
	struct fs_lease_page page;
	const struct fs_stat st = { .type = FS_TYPE_FILE };

	(void)state;
	lease_page_clear(&page);
	lease_page_publish(&page, &st, 0, 0);
	assert_int_equal(page.epoch, 0);
	assert_int_equal(page.sequence, 2);
	lease_page_close(&page);
	assert_int_equal(page.epoch, 1);
	lease_page_close(&page); /* a second range of the same change */
	assert_int_equal(page.epoch, 1);
	lease_page_publish(&page, &st, 0, 0);
	assert_int_equal(page.epoch, 2);
	assert_int_equal(page.sequence, 4);
	for (int i = 0; i < 3; i++) { /* somebody has it exclusively open, whatever changes */
		lease_page_publish(&page, &st, FS_LEASE_SHUT, 0);
		assert_int_equal(page.epoch, 3);
		lease_page_close(&page);
		assert_int_equal(page.epoch, 3);
	}
	lease_page_publish(&page, &st, 0, 0);
	assert_int_equal(page.epoch, 4);
}

static void a_grain_ends_where_the_clock_says(void **state)
{
	const uint64_t boot = 1700000000 * NS, day = 86400 * NS, base = 12345;
	/* 2.5 ticks a nanosecond. */
	const uint64_t mult = (1ull << 32) * 2 / 5;
	struct lease_clock clock;

	(void)state;
	lease_clock_make(base, mult, 32, boot, &clock);
	for (uint64_t ticks = 0; ticks < 250 * day; ticks += 17 * day + 1) {
		const uint64_t at = (uint64_t)((unsigned __int128)ticks * mult >> 32); /* as the system page tells the time */
		const uint64_t now = base + ticks, grain = LEASE_TIME_GRAIN_NS * 5 / 2, slack = grain / 1000;
		assert_in_range(lease_grain_end(&clock, boot + at, now + slack), now + grain - slack, now + grain + slack);
		assert_int_equal(lease_grain_end(&clock, boot + at, now + grain + slack), 0); /* old */
		assert_int_equal(lease_grain_end(&clock, boot + at + NS, now), 0);            /* in the future */
	}
	assert_int_equal(lease_grain_end(&clock, boot - 1, base), 0);
	assert_int_equal(lease_grain_end(&clock, 0, base), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attributes_are_those_of_stat),
		cmocka_unit_test(epochs_and_sequences_are_even_in_between),
		cmocka_unit_test(a_grain_ends_where_the_clock_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
