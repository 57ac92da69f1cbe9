/* SPDX-License-Identifier: BSD-2-Clause */
/* test_pmfs_one_wins.c - several threads want the same name at the same time: one of them has it, the others are told
 * so, and never to try again. The directory they are in goes, comes and moves meanwhile.
 * link: servers/fs/pmfs/
 * link: servers/kit/fs.c */
#include "pmfs_host.h"

#include <pthread.h>
#include <stdatomic.h>

#define THREADS 4u
#define ROUNDS 4500u

static struct device d;
static pthread_barrier_t together;
static _Atomic uint32_t won, lost;

enum want { MAKE, MAKE_LINKED, LINK, RENAME_FROM, RENAME_TO, RENAME_AWAY, UNLINK, MKDIR, RMDIR, WANTS };

static const struct {
	const char *what;
	err_t refused;      /* what the others are told */
	uint32_t winners;   /* 0: as many as there are */
} wants[WANTS] = {
	[MAKE] = { "open, exclusive", ERR_EXISTS, 1 },
	[MAKE_LINKED] = { "open what a link leads to", OK, 0 },
	[LINK] = { "link", ERR_EXISTS, 1 },
	[RENAME_FROM] = { "rename of one file", ERR_NOT_FOUND, 1 },
	[RENAME_TO] = { "rename to one name, exclusive", ERR_EXISTS, 1 },
	[RENAME_AWAY] = { "rename into another directory", ERR_NOT_FOUND, 1 },
	[UNLINK] = { "unlink", ERR_NOT_FOUND, 1 },
	[MKDIR] = { "mkdir", ERR_EXISTS, 1 },
	[RMDIR] = { "rmdir", ERR_NOT_FOUND, 1 },
};

static err_t opened(const char *path, uint32_t flags)
{
	struct inode *inode;
	err_t err = pmfs_open(d.fs, path, flags, 0644, &inode);

	if (err == OK)
		pmfs_close(d.fs, inode);
	return err;
}

static void must(err_t err)
{
	if (err != OK) {
		fprintf(stderr, "unexpected error %d\n", err);
		abort();
	}
}

/* Every other thread takes the long way (walk.c), which has looked before it locks. */
static err_t try(enum want want, const char *in, uint32_t self)
{
	const char *way = self & 1 ? "./" : "";
	char a[64], b[64];

	snprintf(a, sizeof(a), "%s%s/it", way, in);
	snprintf(b, sizeof(b), "%s%s/%u", way, want == RENAME_AWAY ? "other" : in, self);
	switch (want) {
	case MAKE: return opened(a, FS_OPEN_WRITE | FS_OPEN_CREATE | FS_OPEN_EXCLUSIVE);
	case MAKE_LINKED: return opened("leads", FS_OPEN_WRITE | FS_OPEN_CREATE);
	case LINK: return pmfs_link(d.fs, "file", a);
	case RENAME_FROM: case RENAME_AWAY: return pmfs_rename(d.fs, a, b, false);
	case RENAME_TO: return pmfs_rename(d.fs, b, a, true);
	case UNLINK: return pmfs_unlink(d.fs, a);
	case MKDIR: return pmfs_mkdir(d.fs, a, 0755);
	case RMDIR: return pmfs_rmdir(d.fs, a);
	default: abort();
	}
}

/* One thread makes what there has to be, and afterwards takes away what there is. */
static void prepare(enum want want, const char *in)
{
	char path[64];

	must(pmfs_mkdir(d.fs, in, 0755));
	snprintf(path, sizeof(path), "%s/it", in);
	if (want == RENAME_FROM || want == RENAME_AWAY || want == UNLINK)
		must(opened(path, FS_OPEN_WRITE | FS_OPEN_CREATE));
	if (want == RMDIR)
		must(pmfs_mkdir(d.fs, path, 0755));
	if (want == MAKE_LINKED)
		must(pmfs_symlink(d.fs, path, "leads"));
	for (uint32_t i = 0; want == RENAME_TO && i < THREADS; i++) {
		snprintf(path, sizeof(path), "%s/%u", in, (unsigned)i);
		must(opened(path, FS_OPEN_WRITE | FS_OPEN_CREATE));
	}
}

static uint32_t removed(const char *in, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", in, name);
	return pmfs_unlink(d.fs, path) == OK || pmfs_rmdir(d.fs, path) == OK;
}

/* Returns how many names there were. */
static uint32_t tidy(enum want want, const char *in)
{
	uint32_t names = removed(in, "it");

	for (uint32_t i = 0; i < THREADS; i++) {
		char name[8];
		snprintf(name, sizeof(name), "%u", (unsigned)i);
		names += removed(in, name) + removed("other", name);
	}
	if (want == MAKE_LINKED)
		must(pmfs_unlink(d.fs, "leads"));
	must(pmfs_rmdir(d.fs, in)); /* nothing else was made */
	return names;
}

static uint32_t names_after(enum want want)
{
	return want == UNLINK || want == RMDIR ? 0 : want == RENAME_TO ? THREADS : 1;
}

static void judge(enum want want, const char *in)
{
	const uint32_t winners = wants[want].winners != 0 ? wants[want].winners : THREADS;
	const uint32_t names = tidy(want, in);

	if (atomic_load(&won) != winners || atomic_load(&lost) != THREADS - winners || names != names_after(want)) {
		fprintf(stderr, "%s: %u won, %u were refused, %u names\n", wants[want].what, (unsigned)atomic_load(&won),
				(unsigned)atomic_load(&lost), (unsigned)names);
		abort();
	}
	atomic_store(&won, 0);
	atomic_store(&lost, 0);
}

static void *play(void *context)
{
	const uint32_t self = (uint32_t)(uintptr_t)context;

	for (uint32_t round = 0; round < ROUNDS; round++) {
		const enum want want = round % WANTS;
		const char *in = round & 1 ? "odd" : "even";
		if (self == 0)
			prepare(want, in);
		pthread_barrier_wait(&together);
		err_t err = try(want, in, self);
		if (err == OK)
			atomic_fetch_add(&won, 1);
		else if (err == wants[want].refused)
			atomic_fetch_add(&lost, 1);
		else
			fprintf(stderr, "%s: error %d\n", wants[want].what, err);
		pthread_barrier_wait(&together);
		if (self == 0)
			judge(want, in);
	}
	return NULL;
}

static void test_one_wins(void **state)
{
	pthread_t thread[THREADS];

	(void)state;
	device_make(&d, 16ull << 20);
	device_mount(&d);
	assert_int_equal(pmfs_mkdir(d.fs, "other", 0755), OK);
	assert_int_equal(opened("file", FS_OPEN_WRITE | FS_OPEN_CREATE), OK);
	pthread_barrier_init(&together, NULL, THREADS);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, play, (void *)i), 0);
	for (uint32_t i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	pthread_barrier_destroy(&together);
	device_check(&d);
	device_end(&d);
}

/* --- a directory that goes while something is to be made in it --- */

static _Atomic uint32_t made;

static void *make_in_it(void *context)
{
	const uint32_t self = (uint32_t)(uintptr_t)context;
	char from[32], to[32];

	snprintf(from, sizeof(from), "dir/%u", (unsigned)self);
	snprintf(to, sizeof(to), "dir/%u.new", (unsigned)self);
	for (uint32_t round = 0; round < ROUNDS * 4; round++) {
		err_t err = opened(from, FS_OPEN_WRITE | FS_OPEN_CREATE);
		if (err == OK) { /* it stays as long as there is something in it */
			must(pmfs_rename(d.fs, from, to, false));
			must(pmfs_unlink(d.fs, to));
			atomic_fetch_add(&made, 1);
		} else if (err == ERR_NOT_FOUND) {
			err = pmfs_mkdir(d.fs, "dir", 0755);
		}
		if (err != OK && err != ERR_EXISTS)
			fprintf(stderr, "make: error %d\n", err), abort();
		if (round & 1)
			continue; /* or nobody would find it */
		err = pmfs_rmdir(d.fs, "dir");
		if (err != OK && err != ERR_NOT_EMPTY && err != ERR_NOT_FOUND)
			fprintf(stderr, "rmdir: error %d\n", err), abort();
	}
	return NULL;
}

static void test_directory_goes(void **state)
{
	pthread_t thread[THREADS];

	(void)state;
	device_make(&d, 16ull << 20);
	device_mount(&d);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, make_in_it, (void *)i), 0);
	for (uint32_t i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_true(atomic_load(&made) >= ROUNDS);
	device_check(&d);
	device_end(&d);
}

/* --- and paths that are out of the ordinary, after all names have been looked for --- */

static void test_odd_changes(void **state)
{
	char longest[300];
	struct fs_stat st;

	(void)state;
	device_make(&d, 8ull << 20);
	device_mount(&d);
	memset(longest, 'n', sizeof(longest));
	memcpy(longest, "dir/", 4);
	longest[4 + FS_NAME_BYTES_MAX] = 0;
	assert_int_equal(pmfs_mkdir(d.fs, "dir/", 0755), OK);
	assert_int_equal(pmfs_mkdir(d.fs, "other", 0755), OK);
	assert_int_equal(pmfs_symlink(d.fs, "dir", "linked"), OK);
	assert_int_equal(pmfs_symlink(d.fs, "made", "dir/dangling"), OK);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(opened("dir/a", FS_OPEN_WRITE | FS_OPEN_CREATE), OK);
		assert_int_equal(pmfs_setattr_path(d.fs, "dir/a", &(struct fs_setattr) { .set = FS_SET_SIZE, .size = 9 }), OK);
		assert_int_equal(opened("dir/a", FS_OPEN_READ | FS_OPEN_TRUNCATE), OK);
		assert_int_equal(pmfs_stat(d.fs, "dir/a", true, &st), OK);
		assert_int_equal(st.size, 9); /* who cannot write does not */
		assert_int_equal(opened("dir/a", FS_OPEN_WRITE | FS_OPEN_CREATE | FS_OPEN_TRUNCATE), OK);
		assert_int_equal(pmfs_stat(d.fs, "dir/a", true, &st), OK);
		assert_int_equal(st.size, 0);
		assert_int_equal(opened("dir", FS_OPEN_READ | FS_OPEN_TRUNCATE), ERR_IS_DIR);
		assert_int_equal(opened("dir/a", FS_OPEN_WRITE | FS_OPEN_CREATE | FS_OPEN_EXCLUSIVE), ERR_EXISTS);
		assert_int_equal(opened("dir/new/", FS_OPEN_WRITE | FS_OPEN_CREATE), ERR_IS_DIR);
		assert_int_equal(opened("none/new", FS_OPEN_WRITE | FS_OPEN_CREATE), ERR_NOT_FOUND);
		assert_int_equal(opened("dir/a/new", FS_OPEN_WRITE | FS_OPEN_CREATE), ERR_NOT_DIR);
		assert_int_equal(opened("dir/dangling", FS_OPEN_WRITE | FS_OPEN_CREATE | FS_OPEN_EXCLUSIVE), ERR_EXISTS);
		assert_int_equal(opened("dir/dangling", FS_OPEN_WRITE | FS_OPEN_CREATE | FS_OPEN_NO_FOLLOW), ERR_TOO_DEEP);
		assert_int_equal(opened("dir/dangling", FS_OPEN_WRITE | FS_OPEN_CREATE), OK);
		assert_int_equal(pmfs_rename(d.fs, "dir/a", "dir/b/", false), ERR_NOT_DIR);
		assert_int_equal(pmfs_rename(d.fs, "dir/a", "dir/.", false), ERR_NOT_DIR);
		assert_int_equal(pmfs_rename(d.fs, "dir/a", "dir/..", false), ERR_ARGS);
		assert_int_equal(pmfs_rename(d.fs, "dir/a", "dir", false), ERR_IS_DIR);
		assert_int_equal(pmfs_rename(d.fs, "dir/a", "dir/a/b", false), ERR_NOT_DIR);
		assert_int_equal(pmfs_rename(d.fs, "dir/none", "dir/b", false), ERR_NOT_FOUND);
		assert_int_equal(pmfs_rename(d.fs, "dir/a", "none/b", false), ERR_NOT_FOUND);
		assert_int_equal(pmfs_rename(d.fs, "dir/a", "dir/a", false), OK);
		assert_int_equal(pmfs_rename(d.fs, "//dir//a", "dir/./b", false), OK);
		assert_int_equal(pmfs_rename(d.fs, "dir/b", "linked/c", false), OK);
		assert_int_equal(pmfs_rename(d.fs, "linked/c", longest, false), OK);
		longest[4 + FS_NAME_BYTES_MAX] = 'n';
		assert_int_equal(pmfs_stat(d.fs, "dir/c", true, &st), ERR_NOT_FOUND);
		longest[5 + FS_NAME_BYTES_MAX] = 0;
		assert_int_equal(pmfs_rename(d.fs, "dir/made", longest, false), ERR_NAME_TOO_LONG);
		assert_int_equal(pmfs_unlink(d.fs, longest), ERR_NAME_TOO_LONG);
		longest[4 + FS_NAME_BYTES_MAX] = 0;
		assert_int_equal(pmfs_rename(d.fs, longest, "other/c", false), OK);
		assert_int_equal(pmfs_rename(d.fs, "dir/made", "other/c", true), ERR_EXISTS);
		assert_int_equal(pmfs_link(d.fs, "dir/made", "dir/again"), OK);
		assert_int_equal(pmfs_rename(d.fs, "dir/made", "dir/again", false), OK); /* one inode: both stay */
		assert_int_equal(pmfs_link(d.fs, "dir", "dir/again"), ERR_DENIED);
		assert_int_equal(pmfs_link(d.fs, "dir/made", "dir/x/"), ERR_NOT_FOUND);
		assert_int_equal(pmfs_unlink(d.fs, "dir/again/"), ERR_NOT_DIR);
		assert_int_equal(pmfs_unlink(d.fs, "dir/."), ERR_IS_DIR);
		assert_int_equal(pmfs_unlink(d.fs, "/"), ERR_IS_DIR);
		assert_int_equal(pmfs_rmdir(d.fs, "/"), ERR_BUSY);
		assert_int_equal(pmfs_mkdir(d.fs, "/", 0755), ERR_EXISTS);
		assert_int_equal(pmfs_unlink(d.fs, "dir/again"), OK);
		assert_int_equal(pmfs_unlink(d.fs, "dir/made"), OK);
		assert_int_equal(pmfs_unlink(d.fs, "other/c"), OK);
	}
	assert_int_equal(pmfs_unlink(d.fs, "dir/dangling"), OK);
	assert_int_equal(pmfs_rmdir(d.fs, "linked/"), OK);
	device_check(&d);
	device_end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_one_wins), cmocka_unit_test(test_directory_goes),
		cmocka_unit_test(test_odd_changes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
