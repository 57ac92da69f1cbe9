/* SPDX-License-Identifier: BSD-2-Clause */
/* test_pmfs_many.c - a directory with 10^3 and one with 10^6 names: what a name costs to make, to find and to remove.
 * Stored bytes and fences are counted, and are the same every time; finding one is measured, with a bound that only a
 * search through the directory would reach. And names of every byte.
 * link: servers/fs/pmfs/
 * link: servers/kit/fs.c */
#include "pmfs_host.h"

#include "fs/pmfs/inode.h"
#include "fs/pmfs/pmem_host.h"

#include <time.h>

#define MIB (1ull << 20)
#define SAMPLE 2000u

struct cost {
	double bytes;  /* stored, per operation */
	double fences;
	double ns;     /* of this thread */
};

static struct {
	uint64_t bytes;
	uint64_t fences;
} counted;

static void count_store(void *context, uint64_t at, const void *from, size_t bytes, bool non_temporal)
{
	(void)context;
	(void)at;
	(void)from;
	(void)non_temporal;
	counted.bytes += bytes;
}

static void count_write_back(void *context, uint64_t at, size_t bytes)
{
	(void)context;
	(void)at;
	(void)bytes;
}

static void count_fence(void *context)
{
	(void)context;
	counted.fences++;
}

static uint64_t thread_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static void name_of(uint32_t i, char out[64])
{
	snprintf(out, 64, "d/name-%07u", (unsigned)(i * 2654435761u % 10000000u)); /* in no order */
}

/* Names [first, first + count), by links to one file: made, found or removed. */
static struct cost names_do(struct device *d, uint32_t first, uint32_t count, char what)
{
	const struct pm_watch watch = { count_store, count_write_back, count_fence, NULL };
	struct fs_stat st;
	char name[64];

	counted.bytes = counted.fences = 0;
	pm_watch(&watch);
	const uint64_t start = thread_ns();
	for (uint32_t i = first; i < first + count; i++) {
		name_of(i, name);
		err_t err = what == 'm' ? pmfs_link(d->fs, "file", name) : what == 'f' ? pmfs_stat(d->fs, name, true, &st)
				: pmfs_unlink(d->fs, name);
		assert_int_equal(err, OK);
	}
	const double ns = (double)(thread_ns() - start);
	pm_watch(NULL);
	return (struct cost) { (double)counted.bytes / count, (double)counted.fences / count, ns / count };
}

static void told(const char *what, const struct cost *at_1000, const struct cost *at_million)
{
	print_message("%-6s at 10^3: %5.0f bytes, %.2f fences, %5.0f ns; at 10^6: %5.0f, %.2f, %5.0f\n", what,
			at_1000->bytes, at_1000->fences, at_1000->ns, at_million->bytes, at_million->fences, at_million->ns);
}

static void test_million(void **state)
{
	const uint32_t few = 1000, many = 1000000 - 2 * SAMPLE;
	struct cost cost[2][3];
	struct inode *inode;
	struct fs_stat st;
	struct device d;

	(void)state;
	device_make(&d, 256 * MIB);
	device_mount(&d);
	assert_int_equal(pmfs_mkdir(d.fs, "d", 0755), OK);
	assert_int_equal(pmfs_open(d.fs, "file", FS_OPEN_CREATE | FS_OPEN_WRITE, 0644, &inode), OK);
	pmfs_close(d.fs, inode);
	for (int size = 0; size < 2; size++) {
		const uint32_t there = size == 0 ? few : many;
		names_do(&d, size == 0 ? 0 : few, size == 0 ? few : many - few, 'm');
		cost[size][0] = names_do(&d, there, SAMPLE, 'm');
		cost[size][1] = names_do(&d, there / 3, few / 2, 'f'); /* made long ago, in the large one */
		cost[size][2] = names_do(&d, there, SAMPLE, 'r');
	}
	told("link", &cost[0][0], &cost[1][0]);
	told("stat", &cost[0][1], &cost[1][1]);
	told("unlink", &cost[0][2], &cost[1][2]);
	for (int i = 0; i < 3; i++) {
		assert_true(cost[1][i].bytes <= cost[0][i].bytes * 4 + 1); /* a level or two more when a leaf is split */
		assert_true(cost[1][i].fences <= cost[0][i].fences * 1.5);
		assert_true(cost[1][i].ns < cost[0][i].ns * 40);           /* and not times 1000 */
	}
	assert_int_equal(pmfs_stat(d.fs, "file", true, &st), OK);
	assert_int_equal(st.links, 1 + many);
	device_check(&d);
	device_end(&d);
}

/* Of one byte each, and of 255 with all values in it. */
static void test_every_byte(void **state)
{
	char name[300], all[300] = { 0 };
	struct inode *inode;
	struct device d;
	uint32_t n = 0;

	(void)state;
	device_make(&d, 8 * MIB);
	device_mount(&d);
	for (int byte = 1; byte < 256; byte++) {
		name[0] = (char)byte;
		name[1] = 0;
		if (byte == '/' || byte == '.')
			continue;
		all[n++] = (char)byte;
		assert_int_equal(pmfs_open(d.fs, name, FS_OPEN_CREATE | FS_OPEN_EXCLUSIVE | FS_OPEN_WRITE, 0644, &inode), OK);
		pmfs_close(d.fs, inode);
	}
	assert_int_equal(n, 253);
	assert_int_equal(pmfs_mkdir(d.fs, all, 0755), OK);
	device_remount(&d);
	for (int byte = 1; byte < 256; byte++) {
		name[0] = (char)byte;
		if (byte == '/' || byte == '.')
			continue;
		assert_int_equal(pmfs_unlink(d.fs, name), OK);
		assert_int_equal(pmfs_unlink(d.fs, name), ERR_NOT_FOUND);
	}
	assert_int_equal(pmfs_rmdir(d.fs, all), OK);
	device_end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_million), cmocka_unit_test(test_every_byte) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
