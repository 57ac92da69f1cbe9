/* SPDX-License-Identifier: BSD-2-Clause */
/* test_pmfs_threads.c - several threads in the same directories and files; afterwards everything
 * has to be sound, and what only one thread touched has to be what it wrote.
 * link: servers/fs/pmfs/
 * link: servers/kit/fs.c */
#include "pmfs_host.h"

#include <pthread.h>

#define THREADS 4
#define STEPS 1500

static struct device d;
static _Thread_local uint32_t cpu;

static uint32_t cpu_of_thread(void)
{
	return cpu;
}

/* What can come of an operation that others disturb; anything else is a fault. */
static void allow(err_t err)
{
	if (err != OK && err != ERR_NOT_FOUND && err != ERR_EXISTS && err != ERR_NOT_EMPTY && err != ERR_ARGS &&
			err != ERR_IS_DIR && err != ERR_NOT_DIR && err != ERR_AGAIN && err != ERR_NO_SPACE && err != ERR_DENIED) {
		fprintf(stderr, "unexpected error %d\n", err);
		abort();
	}
}

static void file_use(const char *path, uint64_t r)
{
	struct inode *inode;
	uint64_t done, end;
	char data[3000];
	err_t err = pmfs_open(d.fs, path, FS_OPEN_READ | FS_OPEN_WRITE | FS_OPEN_CREATE, 0644, &inode);

	allow(err);
	if (err != OK)
		return;
	memset(data, (int)(r & 0xff), sizeof(data));
	allow(pmfs_write(d.fs, inode, r % 20000, r & 1, data, sizeof(data), &done, &end));
	allow(pmfs_read(d.fs, inode, 0, data, sizeof(data), &done));
	if (r % 5 == 0)
		allow(pmfs_setattr(d.fs, inode, &(struct fs_setattr) { .set = FS_SET_SIZE, .size = r % 9000 }));
	allow(pmfs_sync(d.fs, inode));
	pmfs_close(d.fs, inode);
}

static void step(uint64_t r)
{
	char a[64], b[64], entries[2048];
	uint64_t bytes, next;
	struct inode *inode;
	struct fs_stat st;

	snprintf(a, sizeof(a), "d%u/f%u", (unsigned)(r >> 8) % 3, (unsigned)(r >> 16) % 12);
	snprintf(b, sizeof(b), "d%u/f%u", (unsigned)(r >> 24) % 3, (unsigned)(r >> 32) % 12);
	switch (r >> 60) {
	case 0: case 1: case 2:
		file_use(a, r >> 20);
		break;
	case 3: case 4: case 5:
		allow(pmfs_rename(d.fs, a, b, false));
		break;
	case 6: case 7:
		allow(pmfs_unlink(d.fs, a));
		break;
	case 8:
		allow(pmfs_link(d.fs, a, b));
		break;
	case 9:
		allow(pmfs_mkdir(d.fs, a, 0755));
		break;
	case 10:
		allow(pmfs_rmdir(d.fs, a));
		break;
	case 11:
		snprintf(a, sizeof(a), "d%u/f%u/sub", (unsigned)(r >> 8) % 3, (unsigned)(r >> 16) % 12);
		allow(pmfs_mkdir(d.fs, a, 0755));
		break;
	case 12:
		snprintf(a, sizeof(a), "d%u/f%u/sub", (unsigned)(r >> 8) % 3, (unsigned)(r >> 16) % 12);
		allow(pmfs_rename(d.fs, a, b, false));
		break;
	case 13:
		allow(pmfs_open(d.fs, "d0", FS_OPEN_READ, 0, &inode));
		allow(pmfs_readdir(d.fs, inode, 0, entries, sizeof(entries), &bytes, &next));
		pmfs_close(d.fs, inode);
		break;
	default:
		allow(pmfs_stat(d.fs, a, true, &st));
	}
}

static void *work(void *context)
{
	const uint32_t me = (uint32_t)(uintptr_t)context;
	uint64_t seed = 77 + me, done, end;
	char name[32];

	cpu = me;
	for (uint32_t i = 0; i < STEPS; i++) {
		step(random_next(&seed));
		if (i % 8 == 0) { /* a file of one's own, in a directory that all share */
			struct inode *inode;
			snprintf(name, sizeof(name), "d0/own-%u", me);
			if (pmfs_open(d.fs, name, FS_OPEN_WRITE | FS_OPEN_CREATE, 0644, &inode) != OK ||
					pmfs_write(d.fs, inode, 0, true, &i, 4, &done, &end) != OK)
				abort();
			pmfs_close(d.fs, inode);
		}
	}
	return NULL;
}

static void test_threads(void **state)
{
	const struct pmfs_options options = { .cpus = THREADS, .cpu = cpu_of_thread, .seed = 42, .log = device_log };
	char reason[PMFS_REASON_BYTES], name[32];
	pthread_t thread[THREADS];

	(void)state;
	device_make(&d, 32ull << 20);
	assert_int_equal(pmfs_mount(d.base, d.bytes, &options, &d.fs, reason), OK);
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		assert_int_equal(pmfs_mkdir(d.fs, name, 0755), OK);
	}
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, work, (void *)i), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	device_remount(&d);
	for (uint32_t i = 0; i < THREADS; i++) {
		struct inode *inode;
		uint64_t done;
		uint32_t back[STEPS / 8 + 1];
		snprintf(name, sizeof(name), "d0/own-%u", i);
		assert_int_equal(pmfs_open(d.fs, name, FS_OPEN_READ, 0, &inode), OK);
		assert_int_equal(pmfs_read(d.fs, inode, 0, back, sizeof(back), &done), OK);
		assert_int_equal(done, (STEPS + 7) / 8 * 4);
		for (uint32_t k = 0; k < done / 4; k++)
			assert_int_equal(back[k], k * 8);
		pmfs_close(d.fs, inode);
	}
	device_check(&d);
	device_end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_threads) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
