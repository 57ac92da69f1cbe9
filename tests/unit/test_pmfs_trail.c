/* SPDX-License-Identifier: BSD-2-Clause */
/* test_pmfs_trail.c - paths that are followed in the name cache, without locks: what is found is what the path leads
 * to, while names come and go, inode numbers and the memory of inodes are used again, and directories move.
 * link: servers/fs/pmfs/
 * link: servers/kit/fs.c */
#include "pmfs_host.h"

#include "fs/pmfs/name_cache.h"

#include <pthread.h>
#include <stdatomic.h>

#define FILES 12000u  /* more than stay in DRAM: INODE_BUCKETS * INODE_IDLE_MAX are 8192 */
#define ROUNDS 8000u
#define LOOKERS 3

static struct device d;
static _Atomic bool over;
static _Atomic uint64_t hits;
static const struct pmfs_user nobody = { .user = 1000, .group = 1000 };

static void make(const char *path, uint32_t mode)
{
	struct inode *inode;

	if (pmfs_open(d.fs, path, FS_OPEN_WRITE | FS_OPEN_CREATE | FS_OPEN_EXCLUSIVE, mode, &inode) != OK)
		abort();
	pmfs_close(d.fs, inode);
}

/* --- one after the other --- */

static uint32_t mode_of(uint32_t file)
{
	return file * 7 & 07777;
}

static void test_more_than_stay(void **state)
{
	char path[32];
	uint64_t seed = 5;

	(void)state;
	device_make(&d, 64ull << 20);
	device_mount(&d);
	for (uint32_t i = 0; i < 16; i++) {
		snprintf(path, sizeof(path), "d%u", (unsigned)i);
		assert_int_equal(pmfs_mkdir(d.fs, path, 0755), OK);
	}
	for (uint32_t i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "d%u/f%u", (unsigned)i % 16, (unsigned)i);
		make(path, mode_of(i));
	}
	for (uint32_t i = 0; i < 4 * FILES; i++) {
		const uint32_t file = (uint32_t)(random_next(&seed) % FILES);
		struct inode *inode;
		struct fs_stat st, opened;
		snprintf(path, sizeof(path), "d%u/f%u", (unsigned)file % 16, (unsigned)file);
		assert_int_equal(pmfs_stat(d.fs, path, true, &st), OK);
		assert_int_equal(st.mode, mode_of(file));
		if (i % 3 != 0)
			continue;
		assert_int_equal(pmfs_open(d.fs, path, FS_OPEN_READ, 0, &inode), OK);
		assert_int_equal(pmfs_fstat(d.fs, inode, &opened), OK);
		pmfs_close(d.fs, inode);
		assert_memory_equal(&st, &opened, sizeof(st));
	}
	device_check(&d);
	device_end(&d);
}

/* What is out of the ordinary is answered as ever, also when all names have been looked for before. */
static void test_odd_paths(void **state)
{
	struct inode *inode;
	struct fs_stat st;

	(void)state;
	device_make(&d, 8ull << 20);
	device_mount(&d);
	assert_int_equal(pmfs_mkdir(d.fs, "dir", 0755), OK);
	assert_int_equal(pmfs_mkdir(d.fs, "dir/a name of more than thirty-two bytes", 0755), OK);
	make("dir/file", 0644);
	make("dir/a name of more than thirty-two bytes/file", 0640);
	make("exactly 16 bytes", 0600);
	assert_int_equal(pmfs_symlink(d.fs, "file", "dir/link"), OK);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(pmfs_stat(d.fs, "", true, &st), OK);
		assert_int_equal(pmfs_stat(d.fs, "///", true, &st), OK);
		assert_int_equal(st.type, FS_TYPE_DIRECTORY);
		assert_int_equal(pmfs_stat(d.fs, "//dir//file", true, &st), OK);
		assert_int_equal(st.type, FS_TYPE_FILE);
		assert_int_equal(pmfs_stat(d.fs, "dir/", true, &st), OK);
		assert_int_equal(pmfs_stat(d.fs, "exactly 16 bytes", true, &st), OK);
		assert_int_equal(st.mode, 0600);
		assert_int_equal(pmfs_stat(d.fs, "dir/a name of more than thirty-two bytes/file", true, &st), OK);
		assert_int_equal(st.mode, 0640);
		assert_int_equal(pmfs_stat(d.fs, "dir/file/", true, &st), ERR_NOT_DIR);
		assert_int_equal(pmfs_stat(d.fs, "dir/file/x", true, &st), ERR_NOT_DIR);
		assert_int_equal(pmfs_stat(d.fs, "dir/none", true, &st), ERR_NOT_FOUND);
		assert_int_equal(pmfs_stat(d.fs, "dir/link", true, &st), OK);
		assert_int_equal(st.type, FS_TYPE_FILE);
		assert_int_equal(pmfs_stat(d.fs, "dir/link", false, &st), OK);
		assert_int_equal(st.type, FS_TYPE_SYMLINK);
		assert_int_equal(pmfs_stat(d.fs, "dir/../dir/./file", true, &st), OK);
		assert_int_equal(pmfs_open(d.fs, "dir/link", FS_OPEN_READ | FS_OPEN_NO_FOLLOW, 0, &inode), ERR_TOO_DEEP);
		assert_int_equal(pmfs_open(d.fs, "dir", FS_OPEN_WRITE, 0, &inode), ERR_IS_DIR);
		assert_int_equal(pmfs_open(d.fs, "dir/file", FS_OPEN_READ | FS_OPEN_DIRECTORY, 0, &inode), ERR_NOT_DIR);
	}
	device_check(&d);
	device_end(&d);
}

/* Every directory on the way must be searchable, and what the file's mode refuses is refused. */
static void test_permissions(void **state)
{
	const struct fs_setattr closed = { .set = FS_SET_MODE, .mode = 0700 }, open = { .set = FS_SET_MODE, .mode = 0711 };
	struct inode *inode;
	struct fs_stat st;

	(void)state;
	device_make(&d, 8ull << 20);
	device_mount(&d);
	assert_int_equal(pmfs_mkdir(d.fs, "a", 0711), OK);
	assert_int_equal(pmfs_mkdir(d.fs, "a/b", 0711), OK);
	make("a/b/f", 0644);
	for (int i = 0; i < 3; i++) {
		pmfs_act_as(&nobody);
		assert_int_equal(pmfs_stat(d.fs, "a/b/f", true, &st), OK);
		assert_int_equal(pmfs_open(d.fs, "a/b/f", FS_OPEN_READ, 0, &inode), OK);
		pmfs_close(d.fs, inode);
		assert_int_equal(pmfs_open(d.fs, "a/b/f", FS_OPEN_WRITE, 0, &inode), ERR_DENIED);
		pmfs_act_as(NULL);
		assert_int_equal(pmfs_setattr_path(d.fs, i == 1 ? "a/b" : "a", &closed), OK);
		assert_int_equal(pmfs_stat(d.fs, "a/b/f", true, &st), OK);
		pmfs_act_as(&nobody);
		assert_int_equal(pmfs_stat(d.fs, "a/b/f", true, &st), ERR_DENIED);
		assert_int_equal(pmfs_open(d.fs, "a/b/f", FS_OPEN_READ, 0, &inode), ERR_DENIED);
		pmfs_act_as(NULL);
		assert_int_equal(pmfs_setattr_path(d.fs, i == 1 ? "a/b" : "a", &open), OK);
	}
	device_check(&d);
	device_end(&d);
}

/* --- all at once --- */

/* What may be seen there, whatever inode it has at the time: the mode tells. */
static const struct {
	const char *path;
	uint32_t mode;
} place[] = {
	{ "a/x", 0601 }, { "b/x", 0602 }, { "c/sub/x", 0603 }, { "c/moved/x", 0603 }, { "a/y", 0604 }, { "b/z", 0604 },
};
#define PLACES (sizeof(place) / sizeof(place[0]))

static void look(uint32_t at)
{
	struct inode *inode;
	struct fs_stat st;
	err_t err = pmfs_stat(d.fs, place[at].path, true, &st);

	if (err == OK)
		atomic_fetch_add(&hits, 1);
	if ((err == OK && st.mode != place[at].mode) || (err != OK && err != ERR_NOT_FOUND)) {
		fprintf(stderr, "stat %s: error %d, mode %o\n", place[at].path, err, st.mode);
		abort();
	}
	err = pmfs_open(d.fs, place[at].path, FS_OPEN_READ, 0, &inode);
	if (err != OK)
		return;
	if (pmfs_fstat(d.fs, inode, &st) != OK || st.mode != place[at].mode) {
		fprintf(stderr, "open %s: mode %o\n", place[at].path, st.mode);
		abort();
	}
	pmfs_close(d.fs, inode);
}

static void *look_on(void *context)
{
	uint64_t seed = (uintptr_t)context + 3;

	while (!atomic_load(&over))
		look((uint32_t)(random_next(&seed) % PLACES));
	return NULL;
}

static void must(err_t err)
{
	if (err != OK) {
		fprintf(stderr, "unexpected error %d\n", err);
		abort();
	}
}

/* Each inode number that is freed here is taken by the next file or directory. */
static void *come_and_go(void *context)
{
	(void)context;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		make("a/x", 0601);
		look(0);
		must(pmfs_unlink(d.fs, "a/x"));
		make("b/x", 0602);
		look(1);
		must(pmfs_unlink(d.fs, "b/x"));
		must(pmfs_mkdir(d.fs, "c/sub", 0711));
		make("c/sub/x", 0603);
		look(2);
		must(pmfs_rename(d.fs, "c/sub", "c/moved", false));
		look(3);
		must(pmfs_unlink(d.fs, "c/moved/x"));
		must(pmfs_rmdir(d.fs, "c/moved"));
		make("a/y", 0604);
		look(4);
		must(pmfs_rename(d.fs, "a/y", "b/z", false));
		look(5);
		must(pmfs_unlink(d.fs, "b/z"));
	}
	atomic_store(&over, true);
	return NULL;
}

static void test_come_and_go(void **state)
{
	pthread_t thread[LOOKERS + 1];

	(void)state;
	device_make(&d, 16ull << 20);
	device_mount(&d);
	must(pmfs_mkdir(d.fs, "a", 0711));
	must(pmfs_mkdir(d.fs, "b", 0711));
	must(pmfs_mkdir(d.fs, "c", 0711));
	for (uintptr_t i = 0; i <= LOOKERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, i == 0 ? come_and_go : look_on, (void *)i), 0);
	for (uint32_t i = 0; i <= LOOKERS; i++)
		pthread_join(thread[i], NULL);
	assert_true(atomic_load(&hits) >= ROUNDS);
	device_check(&d);
	device_end(&d);
}

/* Names that differ in their last bytes alone have places of their own in the cache, as far as there are places. */
static void test_names_are_spread(void **state)
{
	static const char *const stems[] = { "name-%u", "f%u", "%u", "file%05u", "bench-file-%u", "IMG_%u.jpeg" };
	const uint32_t names = 1000;

	(void)state;
	device_make(&d, 256ull << 20);
	device_mount(&d);
	for (size_t stem = 0; stem < sizeof(stems) / sizeof(*stems); stem++) {
		const uint32_t places = d.fs->names_mask + 1;
		uint8_t *used = calloc(1, places);
		uint32_t distinct = 0;
		assert_non_null(used);
		assert_true(places >= 2 * names);
		for (uint32_t i = 0; i < names; i++) {
			char text[40];
			struct dir_name name;
			snprintf(text, sizeof(text), stems[stem], i);
			name_cache_prepare(&name, text, strlen(text));
			const size_t at = (size_t)(name_cache_place(d.fs, 7, &name) - d.fs->names);
			distinct += !used[at];
			used[at] = 1;
		}
		free(used);
		assert_true(distinct >= names * 3 / 4); /* by chance it would be 0.79 of them in 2,000 places, more in more */
	}
	device_end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_more_than_stay), cmocka_unit_test(test_names_are_spread),
		cmocka_unit_test(test_odd_paths), cmocka_unit_test(test_permissions), cmocka_unit_test(test_come_and_go) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
