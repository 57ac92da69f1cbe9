/* SPDX-License-Identifier: BSD-2-Clause */
/* posix_lease.c - files that are used without calls, on /pmem: every length and alignment, that no call is made, what a
 * lease cannot do, and that other descriptors, other programs and mappings see the same file. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lintel/process.h>
#include <lintel/syscalls.h>

#include "check.h"

#define FOLDER "/pmem/posix_lease"
#define PAGE 4096
#define WARM 20 /* reads after which a file is leased */

extern char **environ;
static char *own_path;

static int put(const char *path, size_t bytes, int flags)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | flags, 0644);
	char byte;

	for (size_t at = 0; at < bytes; at += PAGE) {
		char text[PAGE];
		memset(text, 'a' + (int)(at / PAGE % 26), sizeof(text));
		if (write(fd, text, bytes - at < PAGE ? bytes - at : PAGE) <= 0)
			return -1;
	}
	for (int i = 0; i < WARM; i++)
		if (pread(fd, &byte, 1, 0) < 0)
			return -1;
	return fd;
}

/* ---- Bytes ---- */

static unsigned char model[3 * PAGE], there[3 * PAGE], buffer[3 * PAGE];

static void fill(unsigned char *p, size_t bytes, uint32_t seed)
{
	for (size_t i = 0; i < bytes; i++)
		p[i] = (unsigned char)((seed = seed * 1664525 + 1013904223) >> 24);
}

/* A read of that length from there to there is right and touches nothing beside it. */
static int read_right(int fd, size_t bytes, size_t offset, size_t into)
{
	memset(buffer, 0x5a, sizeof(buffer));
	if (pread(fd, buffer + into, bytes, (off_t)offset) != (ssize_t)bytes)
		return 0;
	for (size_t i = 0; i < bytes + into + 32; i++) {
		unsigned char wanted = i < into || i >= into + bytes ? 0x5a : model[offset + i - into];
		if (buffer[i] != wanted)
			return 0;
	}
	return 1;
}

static void reads_of_every_length(void)
{
	int fd = put(FOLDER "/lengths", sizeof(model), 0);

	CHECK(fd >= 0);
	fill(model, sizeof(model), 1);
	CHECK_EQUAL(pwrite(fd, model, sizeof(model), 0), sizeof(model));
	for (size_t bytes = 0; bytes < 400; bytes++)
		for (size_t offset = 0; offset < 5; offset++)
			if (!read_right(fd, bytes, offset * 9, offset * 5 % 17))
				CHECK_EQUAL(bytes * 10 + offset, -1);
	CHECK(read_right(fd, 2 * PAGE + 1, PAGE - 100, 3));
	CHECK(read_right(fd, PAGE, PAGE, 0));
	CHECK_EQUAL(pread(fd, buffer, sizeof(buffer), 3 * PAGE - 7), 7);
	CHECK_EQUAL(pread(fd, buffer, 10, 3 * PAGE), 0);
	CHECK_EQUAL(pread(fd, buffer, 10, 1ll << 40), 0);
	CHECK_EQUAL(close(fd), 0);
}

static int write_right(int fd, size_t bytes, size_t offset, size_t from)
{
	fill(buffer, sizeof(buffer), (uint32_t)(bytes * 977 + offset));
	if (pwrite(fd, buffer + from, bytes, (off_t)offset) != (ssize_t)bytes)
		return 0;
	memcpy(model + offset, buffer + from, bytes);
	return pread(fd, there, sizeof(there), 0) == sizeof(there) && memcmp(model, there, sizeof(there)) == 0;
}

static void writes_of_every_length(void)
{
	int fd = put(FOLDER "/lengths", sizeof(model), 0);

	CHECK(fd >= 0);
	CHECK_EQUAL(pread(fd, model, sizeof(model), 0), sizeof(model));
	for (size_t bytes = 0; bytes < 340; bytes += 1 + bytes / 64)
		for (size_t offset = 0; offset < 40; offset += 1 + offset / 9)
			if (!write_right(fd, bytes, PAGE - 20 + offset, offset * 5 % 17))
				CHECK_EQUAL(bytes * 100 + offset, -1);
	CHECK(write_right(fd, 2 * PAGE, 1, 1));
	CHECK(write_right(fd, PAGE, PAGE, 0));
	CHECK_EQUAL(close(fd), 0);
}

/* The doors that we have; their handles change, so that whoever uses an old one gets an error. */
static uint32_t doors_list(handle_t doors[], uint32_t max)
{
	uint32_t count = 0;

	for (handle_t generation = 0; generation < 64; generation++) {
		for (handle_t index = 0; index < 64 && count < max; index++) {
			handle_t handle = generation << HANDLE_INDEX_BITS | index;
			uint64_t info;
			if (lintel_handle_info(handle, &info) == OK && (uint32_t)info == OBJECT_DOOR)
				doors[count++] = handle;
		}
	}
	return count;
}

/* Without a door nothing can be asked; their sessions live on. 1: what needs no server does not work, or what does
 * works; 2: the time was up for writing by ourselves. */
static int be_quiet(void)
{
	int fd = put(FOLDER "/quiet", 4 * PAGE, 0);
	handle_t doors[32], copy;
	uint32_t count = doors_list(doors, 32);
	struct stat st;

	if (fd < 0 || count == 0 || pwrite(fd, "wake up!", 8, 0) != 8 || fsync(fd) != 0)
		return 1;
	for (uint32_t i = 0; i < count; i++)
		if (lintel_handle_duplicate(doors[i], RIGHTS_SAME, &copy) != OK || lintel_handle_close(doors[i]) != OK)
			return 1;
	bool quiet = pwrite(fd, "quietly!", 8, 8) == 8 && fsync(fd) == 0 && fdatasync(fd) == 0;
	if (pread(fd, buffer, 16, 0) != 16 || memcmp(buffer, "wake up!", 8) != 0 || fstat(fd, &st) != 0 ||
		st.st_size != 4 * PAGE || lseek(fd, 8, SEEK_SET) != 8 || read(fd, buffer, 8) != 8 ||
		lseek(fd, 0, SEEK_CUR) != 16 || lseek(fd, 0, SEEK_END) != 4 * PAGE || read(fd, buffer, 8) != 0)
		return 1;
	if (quiet && memcmp(buffer, "quietly!", 8) != 0)
		return 1;
	return ftruncate(fd, 0) == 0 || open(FOLDER "/quiet", O_RDONLY) >= 0 ? 1 : quiet ? 0 : 2;
}

static int run_child(const char *role, const char *more)
{
	char *arguments[] = { own_path, (char *)(uintptr_t)role, (char *)(uintptr_t)more, NULL };
	int status;
	pid_t pid;

	if (posix_spawn(&pid, own_path, NULL, NULL, arguments, environ) != 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void nothing_is_called(void)
{
	int status = 2;

	for (int i = 0; i < 50 && status == 2; i++)
		status = run_child("quiet", "");
	CHECK_EQUAL(status, 0);
}

/* ---- What a lease does not do ---- */

static void errors_are_what_they_were(void)
{
	char *none = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = put(FOLDER "/errors", 2 * PAGE, 0), reader = open(FOLDER "/errors", O_RDONLY);

	CHECK(fd >= 0 && reader >= 0 && none != MAP_FAILED);
	for (int i = 0; i < 2 * WARM; i++) {
		CHECK(pread(fd, none, 8, 0) == -1 && errno == EFAULT);
		CHECK(pwrite(fd, none, 8, 0) == -1 && errno == EFAULT);
		CHECK_EQUAL(lseek(fd, 0, SEEK_SET), 0);
		CHECK(read(fd, none, 1000) == -1 && errno == EFAULT);
		CHECK(pread(fd, (char *)0x8000000000000000, 8, 0) == -1 && errno == EFAULT);
		CHECK(pread(fd, buffer, 8, -1) == -1 && errno == EINVAL);
		CHECK(pwrite(fd, buffer, 8, -8) == -1 && errno == EINVAL);
		CHECK(pread(fd, buffer, SIZE_MAX, 0) == -1 && errno == EINVAL);
		CHECK(lseek(fd, -1, SEEK_SET) == -1 && errno == EINVAL);
		CHECK(lseek(fd, -3 * PAGE, SEEK_END) == -1 && errno == EINVAL);
		CHECK_EQUAL(pread(reader, buffer, 8, 0), 8);
		CHECK(pwrite(reader, buffer, 8, 0) == -1 && errno == EBADF);
		CHECK(write(reader, buffer, 8) == -1 && errno == EBADF);
		CHECK_EQUAL(pwrite(fd, buffer, 0, 0), 0);
		CHECK_EQUAL(pread(fd, NULL, 0, 0), 0);
	}
	CHECK_EQUAL(close(reader), 0);
	CHECK(pread(reader, buffer, 8, 0) == -1 && errno == EBADF);
	CHECK(pwrite(-1, buffer, 8, 0) == -1 && errno == EBADF);
	CHECK(fstat(1024, &(struct stat){ 0 }) == -1 && errno == EBADF);
	CHECK_EQUAL(close(fd), 0);
	CHECK_EQUAL(munmap(none, PAGE), 0);
}

static void only_writing_is_not_reading(void)
{
	int fd = open(FOLDER "/only", O_WRONLY | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	for (int i = 0; i < WARM; i++) {
		CHECK_EQUAL(pwrite(fd, "abcd", 4, 4 * i), 4);
		CHECK(pread(fd, buffer, 4, 0) == -1 && errno == EBADF);
	}
	CHECK_EQUAL(lseek(fd, 0, SEEK_END), 4 * WARM);
	CHECK_EQUAL(close(fd), 0);
}

static void appends_go_to_the_end(void)
{
	int fd = put(FOLDER "/append", 100, O_APPEND);

	CHECK(fd >= 0);
	CHECK_EQUAL(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQUAL(write(fd, "x", 1), 1);
	CHECK_EQUAL(lseek(fd, 0, SEEK_CUR), 101);
	CHECK_EQUAL(fcntl(fd, F_SETFL, 0), 0);
	CHECK_EQUAL(pwrite(fd, "y", 1, 5), 1);
	usleep(6000); /* now by a call */
	CHECK_EQUAL(pwrite(fd, "y", 1, 5), 1);
	CHECK_EQUAL(lseek(fd, 0, SEEK_END), 101);
	CHECK_EQUAL(fcntl(fd, F_SETFL, O_APPEND), 0);
	CHECK_EQUAL(lseek(fd, 7, SEEK_SET), 7);
	CHECK_EQUAL(write(fd, "z", 1), 1);
	CHECK_EQUAL(lseek(fd, 0, SEEK_END), 102);
	CHECK_EQUAL(pread(fd, buffer, 10, 5), 10);
	CHECK(memcmp(buffer, "yaa", 3) == 0);
	CHECK_EQUAL(pread(fd, buffer, 10, 99), 3);
	CHECK(memcmp(buffer, "axz", 3) == 0);
	CHECK_EQUAL(close(fd), 0);
}

/* Past the size, past a hole, past what the first lease could show. */
static void files_grow(void)
{
	struct stat st;
	int fd = put(FOLDER "/grow", 10, 0);

	CHECK(fd >= 0);
	CHECK_EQUAL(pwrite(fd, "a", 1, 0), 1); /* a write inside the size right now would need no call */
	CHECK_EQUAL(pwrite(fd, "0123456789", 10, 5), 10);
	CHECK_EQUAL(pread(fd, buffer, 100, 0), 15);
	CHECK(memcmp(buffer, "aaaaa0123456789", 15) == 0);
	CHECK_EQUAL(pwrite(fd, "far", 3, 5 * PAGE + 1), 3);
	for (int i = 0; i < 3; i++) {
		CHECK_EQUAL(pread(fd, buffer, PAGE, 2 * PAGE), PAGE);
		for (int at = 0; at < PAGE; at++)
			CHECK_EQUAL(buffer[at], 0);
	}
	CHECK_EQUAL(pwrite(fd, "in the hole", 11, 2 * PAGE + 100), 11);
	CHECK_EQUAL(pread(fd, buffer, 200, 2 * PAGE), 200);
	CHECK(buffer[99] == 0 && memcmp(buffer + 100, "in the hole", 11) == 0 && buffer[111] == 0);
	CHECK_EQUAL(fstat(fd, &st), 0);
	CHECK_EQUAL(st.st_size, 5 * PAGE + 4);
	for (off_t at = 1; at < 10; at++) {
		CHECK_EQUAL(pwrite(fd, &at, sizeof(at), at * 1000000), sizeof(at));
		for (int i = 0; i < WARM; i++) {
			off_t back = 0;
			CHECK_EQUAL(pread(fd, &back, sizeof(back), at * 1000000), sizeof(back));
			CHECK_EQUAL(back, at);
		}
		CHECK_EQUAL(lseek(fd, 0, SEEK_END), at * 1000000 + 8);
	}
	CHECK_EQUAL(close(fd), 0);
}

/* ---- Others ---- */

static void truncation_is_seen(void)
{
	int fd = put(FOLDER "/cut", 3 * PAGE, 0), other = open(FOLDER "/cut", O_RDWR);
	struct stat st;

	CHECK(fd >= 0 && other >= 0);
	CHECK_EQUAL(pread(fd, buffer, 3 * PAGE, 0), 3 * PAGE);
	for (int i = 0; i < 20; i++) {
		CHECK_EQUAL(ftruncate(other, 100), 0);
		CHECK_EQUAL(pread(fd, buffer, PAGE, 0), 100);
		CHECK_EQUAL(pread(fd, buffer, PAGE, 100), 0);
		CHECK_EQUAL(pread(fd, buffer, 1, 2 * PAGE), 0);
		CHECK_EQUAL(fstat(fd, &st), 0);
		CHECK_EQUAL(st.st_size, 100);
		CHECK_EQUAL(lseek(fd, 0, SEEK_END), 100);
		CHECK_EQUAL(ftruncate(other, 3 * PAGE), 0);
		CHECK_EQUAL(pread(fd, buffer, 3 * PAGE, 0), 3 * PAGE);
		CHECK_EQUAL(buffer[99], 'a');
		for (int at = 100; at < 3 * PAGE; at++)
			CHECK_EQUAL(buffer[at], 0);
		memset(buffer, 'q', PAGE);
		CHECK_EQUAL(pwrite(fd, buffer, PAGE, 2 * PAGE), PAGE);
		CHECK_EQUAL(pread(other, buffer, 10, 2 * PAGE + 5), 10);
		CHECK_EQUAL(buffer[9], 'q');
	}
	CHECK_EQUAL(close(other), 0);
	CHECK_EQUAL(close(fd), 0);
}

static void attributes_are_seen(void)
{
	struct stat st, by_name;
	int fd = put(FOLDER "/attributes", PAGE, 0);

	CHECK(fd >= 0);
	CHECK_EQUAL(fstat(fd, &st), 0);
	CHECK_EQUAL(stat(FOLDER "/attributes", &by_name), 0);
	by_name.st_atim = st.st_atim;
	CHECK(st.st_ino == by_name.st_ino && st.st_dev == by_name.st_dev && st.st_mode == by_name.st_mode &&
		  st.st_nlink == 1 && st.st_size == PAGE && st.st_blocks == by_name.st_blocks &&
		  st.st_blksize == by_name.st_blksize && memcmp(&st.st_mtim, &by_name.st_mtim, sizeof(st.st_mtim)) == 0 &&
		  memcmp(&st.st_ctim, &by_name.st_ctim, sizeof(st.st_ctim)) == 0);
	CHECK_EQUAL(link(FOLDER "/attributes", FOLDER "/second"), 0);
	CHECK(fstat(fd, &st) == 0 && st.st_nlink == 2);
	CHECK_EQUAL(chmod(FOLDER "/second", 0600), 0);
	CHECK(fstat(fd, &st) == 0 && st.st_mode == (S_IFREG | 0600));
	CHECK_EQUAL(unlink(FOLDER "/attributes"), 0);
	CHECK_EQUAL(rename(FOLDER "/second", FOLDER "/third"), 0);
	CHECK(fstat(fd, &st) == 0 && st.st_nlink == 1);
	CHECK_EQUAL(unlink(FOLDER "/third"), 0);
	CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0);
	CHECK_EQUAL(pwrite(fd, "still here", 10, 0), 10);
	CHECK_EQUAL(pread(fd, buffer, 10, 0), 10);
	CHECK(memcmp(buffer, "still here", 10) == 0);
	CHECK_EQUAL(close(fd), 0);
}

static int64_t mtime_ns(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_mtim.tv_sec * 1000000000ll + st.st_mtim.tv_nsec : -1;
}

static void writes_move_the_time(void)
{
	const struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
	int fd = put(FOLDER "/time", PAGE, 0);
	int64_t last = mtime_ns(fd);

	CHECK(fd >= 0 && last > 0);
	for (int i = 0; i < 5; i++) {
		usleep(6000);
		CHECK_EQUAL(mtime_ns(fd), last);
		CHECK_EQUAL(pwrite(fd, "x", 1, i), 1);
		int64_t now = mtime_ns(fd);
		CHECK(now > last);
		last = now;
	}
	CHECK_EQUAL(futimens(fd, old), 0);
	CHECK_EQUAL(mtime_ns(fd), 1000000000000);
	CHECK_EQUAL(pwrite(fd, "x", 1, 0), 1);
	CHECK(mtime_ns(fd) >= last);
	CHECK_EQUAL(close(fd), 0);
}

static void mappings_are_the_same_bytes(void)
{
	int fd = put(FOLDER "/mapped", 3 * PAGE, 0);
	char *map = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(fd >= 0 && map != MAP_FAILED);
	for (int i = 0; i < 100; i++) {
		map[PAGE + i] = (char)i;
		CHECK_EQUAL(pread(fd, buffer, 1, PAGE + i), 1);
		CHECK_EQUAL(buffer[0], i);
		CHECK_EQUAL(pwrite(fd, &i, 1, 2 * PAGE - 1 - i), 1);
		CHECK_EQUAL(map[2 * PAGE - 1 - i], i);
	}
	CHECK_EQUAL(fsync(fd), 0);
	CHECK_EQUAL(munmap(map, 3 * PAGE), 0);
	CHECK_EQUAL(pread(fd, buffer, 1, PAGE + 50), 1);
	CHECK_EQUAL(buffer[0], 50);
	CHECK_EQUAL(close(fd), 0);
}

static int child_uses(int fd)
{
	char text[16] = "";

	for (int i = 0; i < 2 * WARM; i++) {
		if (pread(fd, text, 6, 0) != 6 || memcmp(text, "parent", 6) != 0)
			return 1;
		if (pwrite(fd, "child", 5, 100) != 5)
			return 2;
	}
	return lseek(fd, 0, SEEK_CUR) == 50 ? 0 : 3;
}

static void children_inherit(void)
{
	char number[12];
	int fd = put(FOLDER "/child", PAGE, 0);

	CHECK(fd >= 0);
	CHECK_EQUAL(pwrite(fd, "parent", 6, 0), 6);
	CHECK_EQUAL(lseek(fd, 50, SEEK_SET), 50);
	snprintf(number, sizeof(number), "%d", fd);
	CHECK_EQUAL(run_child("child", number), 0);
	CHECK_EQUAL(pread(fd, buffer, 5, 100), 5);
	CHECK(memcmp(buffer, "child", 5) == 0);
	CHECK_EQUAL(close(fd), 0);
}

static uint64_t blocks_free(void)
{
	struct statvfs st;

	return statvfs("/pmem", &st) == 0 ? st.f_bfree : 0;
}

/* Files that are gone, or shorter, hold no blocks, whoever had leased or mapped them. */
static void blocks_come_back(void)
{
	int fd = put(FOLDER "/back", 64 * PAGE, 0);
	uint64_t full = blocks_free();
	char *map = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(fd >= 0 && map != MAP_FAILED);
	map[5 * PAGE] = 1;
	CHECK_EQUAL(munmap(map, 64 * PAGE), 0);
	CHECK_EQUAL(ftruncate(fd, 32 * PAGE), 0);
	CHECK_EQUAL(blocks_free(), full + 32);
	CHECK_EQUAL(close(fd), 0);
	CHECK_EQUAL(unlink(FOLDER "/back"), 0);
	CHECK(blocks_free() >= full + 64);
	fd = put(FOLDER "/back", 64 * PAGE, 0);
	full = blocks_free();
	CHECK_EQUAL(unlink(FOLDER "/back"), 0);
	CHECK_EQUAL(pread(fd, buffer, PAGE, 63 * PAGE), PAGE);
	CHECK_EQUAL(close(fd), 0);
	CHECK(blocks_free() >= full + 64);
}

static void clean_up(void)
{
	static const char *const names[] = { "lengths", "quiet", "errors", "only", "append", "grow", "cut", "time",
										 "mapped", "child", "attributes", "second", "third", "back" };
	char path[80];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), FOLDER "/%s", names[i]);
		unlink(path);
	}
	rmdir(FOLDER);
}

int main(int argc, char **argv)
{
	own_path = argv[0];
	if (argc > 2 && strcmp(argv[1], "quiet") == 0)
		return be_quiet();
	if (argc > 2)
		return child_uses(atoi(argv[2]));
	clean_up();
	if (mkdir(FOLDER, 0755) != 0 && errno == EROFS)
		return 0; /* no /pmem on this machine */
	CHECK_RUN(reads_of_every_length);
	CHECK_RUN(writes_of_every_length);
	CHECK_RUN(nothing_is_called);
	CHECK_RUN(errors_are_what_they_were);
	CHECK_RUN(only_writing_is_not_reading);
	CHECK_RUN(appends_go_to_the_end);
	CHECK_RUN(files_grow);
	CHECK_RUN(truncation_is_seen);
	CHECK_RUN(attributes_are_seen);
	CHECK_RUN(writes_move_the_time);
	CHECK_RUN(mappings_are_the_same_bytes);
	CHECK_RUN(children_inherit);
	CHECK_RUN(blocks_come_back);
	clean_up();
	return check.failed;
}
