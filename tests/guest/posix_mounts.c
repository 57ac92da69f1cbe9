/* SPDX-License-Identifier: BSD-2-Clause */
/* posix_mounts.c - mounts that come, lie below one another and go while other threads use paths: each path leads where
 * the longest prefix says, or nowhere, and no call is told of a handle that is closed. And what readdir hands out. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>

#include "check.h"

#define ROUNDS 400
#define LOOKERS 2

static _Atomic bool over;
static _Atomic int found, wrong;

/* One more handle on the door of the mount at `where`. */
static handle_t door_of(const char *where)
{
	const char *prefix;
	handle_t door, copy;

	for (uint32_t i = 0; lintel_mount_get(i, &prefix, &door) == OK; i++)
		if (strcmp(prefix, where) == 0 &&
			lintel_handle_duplicate(door, RIGHT_CALL | RIGHT_DUPLICATE | RIGHT_TRANSFER | RIGHT_WAIT, &copy) == OK)
			return copy;
	return HANDLE_NONE;
}

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 5;
}

/* The longest prefix counts, also for who has looked below the shorter one before. */
static void the_longest_counts(void)
{
	const handle_t outer = door_of("/tmp"), inner = door_of("/pmem");

	CHECK(outer != HANDLE_NONE && inner != HANDLE_NONE);
	CHECK_EQUAL(lintel_mount_add("/outer", outer), OK);
	CHECK_EQUAL(mkdir("/outer/sub", 0755), 0);
	CHECK_EQUAL(close(open("/outer/sub/name", O_CREAT | O_WRONLY, 0644)), 0);
	CHECK_EQUAL(close(open("/pmem/name", O_CREAT | O_WRONLY, 0600)), 0);
	struct stat st;
	CHECK_EQUAL(stat("/outer/sub/name", &st), 0);
	CHECK_EQUAL(st.st_mode & 0777, 0644);
	CHECK_EQUAL(lintel_mount_add("/outer/sub", inner), OK);
	CHECK_EQUAL(stat("/outer/sub/name", &st), 0);
	CHECK_EQUAL(st.st_mode & 0777, 0600);
	CHECK_EQUAL(lintel_mount_remove("/outer/sub"), OK);
	CHECK_EQUAL(stat("/outer/sub/name", &st), 0);
	CHECK_EQUAL(st.st_mode & 0777, 0644);
	CHECK_EQUAL(unlink("/outer/sub/name"), 0);
	CHECK_EQUAL(rmdir("/outer/sub"), 0);
	CHECK_EQUAL(lintel_mount_remove("/outer"), OK);
	CHECK_EQUAL(stat("/outer", &st), -1);
	CHECK_EQUAL(errno, ENOENT);
	CHECK_EQUAL(unlink("/pmem/name"), 0);
}

static void *look_on(void *argument)
{
	char back[8];

	while (!atomic_load(&over)) {
		struct stat st;
		if (stat("/again/mounts.test", &st) == 0)
			atomic_fetch_add(&found, st.st_size == 5 ? 1 : 0);
		else if (errno != ENOENT)
			atomic_store(&wrong, errno);
		const int fd = open("/again/mounts.test", O_RDONLY);
		if (fd < 0 && errno != ENOENT)
			atomic_store(&wrong, errno);
		if (fd >= 0 && (read(fd, back, sizeof(back)) != 5 || close(fd) != 0)) /* an open file keeps its mount */
			atomic_store(&wrong, EIO);
	}
	return argument;
}

static void they_come_and_go(void)
{
	pthread_t thread[LOOKERS];
	const int fd = open("/tmp/mounts.test", O_CREAT | O_TRUNC | O_WRONLY, 0644);

	CHECK_EQUAL(write(fd, "12345", 5), 5);
	CHECK_EQUAL(close(fd), 0);
	for (int i = 0; i < LOOKERS; i++)
		CHECK_EQUAL(pthread_create(&thread[i], NULL, look_on, NULL), 0);
	int seen = 0, rounds = 0;
	/* Until somebody has met one, too: that is a matter of luck where the CPUs are few. */
	for (; (rounds < ROUNDS || atomic_load(&found) == 0) && rounds < 1000 * ROUNDS; rounds++) {
		CHECK_EQUAL(atomic_load(&wrong), 0);
		const handle_t door = door_of("/tmp");
		CHECK(door != HANDLE_NONE);
		CHECK_EQUAL(lintel_mount_add("/again", door), OK);
		seen += is_file("/again/mounts.test");
		CHECK_EQUAL(lintel_mount_remove("/again"), OK);
	}
	atomic_store(&over, true);
	for (int i = 0; i < LOOKERS; i++)
		CHECK_EQUAL(pthread_join(thread[i], NULL), 0);
	CHECK_EQUAL(atomic_load(&wrong), 0);
	CHECK_EQUAL(seen, rounds);
	CHECK(atomic_load(&found) > 0);
	CHECK_EQUAL(unlink("/tmp/mounts.test"), 0);
}

/* Names of every length, in both file systems: each entry is whole, and stays until the next one is read. */
static void entries_are_whole(const char *where)
{
	char path[320], name[256];
	bool seen[256] = { false };
	struct dirent *entry, copy;

	snprintf(path, sizeof(path), "%s/mounts.dir", where);
	CHECK_EQUAL(mkdir(path, 0755), 0);
	for (size_t bytes = 1; bytes <= 255; bytes++) {
		memset(name, 'a' + (int)bytes % 26, bytes);
		name[bytes] = 0;
		snprintf(path, sizeof(path), "%s/mounts.dir/%s", where, name);
		CHECK_EQUAL(bytes % 5 == 0 ? mkdir(path, 0755) : close(open(path, O_CREAT | O_EXCL | O_WRONLY, 0644)), 0);
	}
	snprintf(path, sizeof(path), "%s/mounts.dir", where);
	DIR *dir = opendir(path);
	CHECK(dir != NULL);
	while ((entry = readdir(dir)) != NULL) {
		const size_t bytes = strlen(entry->d_name);
		struct stat st;
		copy = *entry; /* as programs do */
		CHECK(bytes >= 1 && bytes <= 255 && !seen[bytes] && copy.d_namlen == bytes);
		seen[bytes] = true;
		for (size_t i = 0; i < bytes; i++)
			CHECK_EQUAL(copy.d_name[i], 'a' + (int)bytes % 26);
		CHECK_EQUAL(copy.d_type, bytes % 5 == 0 ? DT_DIR : DT_REG);
		snprintf(path, sizeof(path), "%s/mounts.dir/%s", where, entry->d_name);
		CHECK_EQUAL(stat(path, &st), 0);
		CHECK_EQUAL(st.st_ino, entry->d_ino);
		CHECK_EQUAL(bytes % 5 == 0 ? rmdir(path) : unlink(path), 0);
	}
	CHECK_EQUAL(closedir(dir), 0);
	for (size_t bytes = 1; bytes <= 255; bytes++)
		CHECK(seen[bytes]);
	snprintf(path, sizeof(path), "%s/mounts.dir", where);
	CHECK_EQUAL(rmdir(path), 0);
}

static void entries_of_memfs(void)
{
	entries_are_whole("/tmp");
}

static void entries_of_pmfs(void)
{
	entries_are_whole("/pmem");
}

int main(void)
{
	check_run("the_longest_counts", the_longest_counts);
	check_run("they_come_and_go", they_come_and_go);
	check_run("entries_of_memfs", entries_of_memfs);
	check_run("entries_of_pmfs", entries_of_pmfs);
	return check.failed;
}
