/* SPDX-License-Identifier: BSD-2-Clause */
/* posix_mmap.c - mappings: anonymous memory, files shared and private, protection (a child program does what must
 * fault). Builds on Linux too, where it must pass as well. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#define PAGE 4096

extern char **environ;
static const char *own_path;

static void test_anonymous(void)
{
	size_t bytes = 64 << 20;
	unsigned char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(memory != MAP_FAILED);
	for (size_t at = 0; at < bytes; at += 1 << 20) {
		CHECK_EQUAL(memory[at], 0);
		memory[at] = (unsigned char)(at >> 20);
	}
	for (size_t at = 0; at < bytes; at += 1 << 20)
		CHECK_EQUAL(memory[at], at >> 20);
	CHECK_EQUAL(munmap(memory + (16 << 20), 16 << 20), 0);
	CHECK_EQUAL(memory[15 << 20], 15);
	CHECK_EQUAL(memory[32 << 20], 32);
	unsigned char *fixed = mmap(memory + (20 << 20), PAGE, PROT_READ | PROT_WRITE,
								MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(fixed == memory + (20 << 20));
	CHECK_EQUAL(fixed[0], 0);
	unsigned char *over = mmap(memory, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(over == memory && over[0] == 0);
	CHECK_EQUAL(memory[1 << 20], 1);
	CHECK_EQUAL(munmap(memory, bytes), 0);
}

static void test_arguments(void)
{
	CHECK(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 99, 0) == MAP_FAILED && errno == EBADF);
	char *memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(memory != MAP_FAILED);
	CHECK(munmap(memory + 1, PAGE) == -1 && errno == EINVAL);
	CHECK(mprotect(memory + 1, PAGE, PROT_READ) == -1 && errno == EINVAL);
	CHECK_EQUAL(munmap(memory, PAGE), 0);
}

static void test_shared_file(void)
{
	char name[64], buffer[32] = "";
	struct stat st;

	snprintf(name, sizeof(name), "/tmp/posix_mmap.%d", (int)getpid());
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0);
	CHECK_EQUAL(ftruncate(fd, 5 * PAGE), 0);
	CHECK_EQUAL(pwrite(fd, "from write", 10, PAGE), 10);
	char *shared = mmap(NULL, 5 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(shared != MAP_FAILED);
	char *second = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
	CHECK(second != MAP_FAILED);
	char *copy = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, PAGE);
	CHECK(copy != MAP_FAILED);
	CHECK(memcmp(shared + PAGE, "from write", 10) == 0);
	memcpy(shared + PAGE, "from store", 10);
	CHECK(memcmp(second, "from store", 10) == 0);
	CHECK_EQUAL(pread(fd, buffer, 10, PAGE), 10);
	CHECK(memcmp(buffer, "from store", 10) == 0);
	memcpy(copy, "private", 7);
	CHECK(memcmp(second, "from store", 10) == 0);
	CHECK_EQUAL(msync(shared, 5 * PAGE, MS_SYNC), 0);
	CHECK_EQUAL(munmap(shared + 2 * PAGE, PAGE), 0);
	CHECK_EQUAL(munmap(copy, PAGE), 0);
	CHECK_EQUAL(close(fd), 0);
	shared[4 * PAGE] = 'z'; /* the mapping outlives the descriptor */
	CHECK_EQUAL(munmap(shared, 5 * PAGE), 0);
	CHECK_EQUAL(munmap(second, PAGE), 0);
	fd = open(name, O_RDONLY);
	CHECK(fd >= 0);
	CHECK_EQUAL(pread(fd, buffer, 1, 4 * PAGE), 1);
	CHECK_EQUAL(buffer[0], 'z');
	CHECK_EQUAL(fstat(fd, &st), 0);
	CHECK_EQUAL(st.st_size, 5 * PAGE);
	CHECK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EACCES);
	CHECK_EQUAL(close(fd), 0);
	CHECK_EQUAL(unlink(name), 0);
}

#define LARGE (2u << 20)

static void test_advice(void)
{
	char *memory = mmap(NULL, 3 * LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(memory != MAP_FAILED);
	CHECK_EQUAL(madvise(memory, 3 * LARGE, MADV_HUGEPAGE), 0);
	for (size_t at = 0; at < 3 * LARGE; at += PAGE / 2)
		CHECK_EQUAL(memory[at], 0);
	memset(memory, 'x', 3 * LARGE);
	CHECK_EQUAL(munmap(memory + PAGE, PAGE), 0);
	CHECK_EQUAL(memory[0], 'x');
	CHECK_EQUAL(memory[2 * PAGE], 'x');
	CHECK_EQUAL(madvise(memory, PAGE, MADV_NOHUGEPAGE), 0);
	CHECK(madvise(memory, 3 * LARGE, MADV_HUGEPAGE) == -1 && errno == ENOMEM); /* there is a hole */
	CHECK(madvise(memory + 1, PAGE, MADV_HUGEPAGE) == -1 && errno == EINVAL);
	CHECK(madvise(memory, PAGE, 4711) == -1 && errno == EINVAL);
	CHECK_EQUAL(munmap(memory, 3 * LARGE), 0);
}

static struct timespec mtime_of(int fd)
{
	struct stat st = { 0 };

	if (fstat(fd, &st) != 0)
		st.st_mtim.tv_nsec = -1; /* unlike any other */
	return st.st_mtim;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* msync moves mtime if the file can be written, and does not mind pages that have gone since. (Write-backs of pages
 * that are not there fault on a CPU; QEMU's TCG takes them for no-ops.) */
static void test_msync(const char *directory)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	char name[64];

	snprintf(name, sizeof(name), "%s/posix_mmap_sync.%d", directory, (int)getpid());
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0);
	CHECK_EQUAL(ftruncate(fd, 3 * PAGE), 0);
	int reader = open(name, O_RDONLY);
	CHECK(reader >= 0);
	char *shared = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *seen = mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, reader, 0);
	CHECK(shared != MAP_FAILED && seen != MAP_FAILED);
	shared[PAGE] = 'm';
	const struct timespec before = mtime_of(fd); /* which the store itself may have moved */
	CHECK_EQUAL(nanosleep(&pause, NULL), 0);
	CHECK_EQUAL(msync(seen, 3 * PAGE, MS_SYNC), 0);
	CHECK(same_time(mtime_of(fd), before));
	CHECK_EQUAL(msync(shared + PAGE, PAGE, MS_SYNC), 0);
	CHECK(!same_time(mtime_of(fd), before));
	CHECK_EQUAL(truncate(name, PAGE), 0);
	CHECK_EQUAL(msync(shared, 3 * PAGE, MS_SYNC), 0);
	CHECK_EQUAL(munmap(shared, 3 * PAGE), 0);
	CHECK_EQUAL(munmap(seen, 3 * PAGE), 0);
	CHECK_EQUAL(close(reader), 0);
	CHECK_EQUAL(close(fd), 0);
	CHECK_EQUAL(unlink(name), 0);
}

static char byte_at(int fd, off_t offset)
{
	char byte = 0;

	return pread(fd, &byte, 1, offset) == 1 ? byte : 0;
}

/* Of a large file pmfs knows where there were stores since the last sync: each one must be seen, whoever asks for it to
 * be durable, and moves mtime. */
static void test_sync_large(const char *directory)
{
	const size_t bytes = 5 << 20, far = (4 << 20) + 3 * PAGE;
	const struct timespec pause = { .tv_nsec = 10000000 };
	char name[64];

	snprintf(name, sizeof(name), "%s/posix_mmap_large.%d", directory, (int)getpid());
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0);
	CHECK_EQUAL(ftruncate(fd, (off_t)bytes), 0);
	CHECK_EQUAL(pwrite(fd, "w", 1, (off_t)far + 1), 1);
	char *shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(shared != MAP_FAILED);
	CHECK_EQUAL(shared[far + 1], 'w');
	for (char round = 'a'; round < 'e'; round++) {
		const struct timespec before = mtime_of(fd);
		CHECK_EQUAL(nanosleep(&pause, NULL), 0);
		shared[0] = round;
		shared[far] = round;
		CHECK_EQUAL(byte_at(fd, 0), round);
		CHECK_EQUAL(round & 1 ? msync(shared, bytes, MS_SYNC) : fsync(fd), 0);
		CHECK(strncmp(directory, "/pmem", 5) != 0 || !same_time(mtime_of(fd), before));
		CHECK_EQUAL(byte_at(fd, (off_t)far), round);
		shared[far] = 'x'; /* taken back, and given again */
		CHECK_EQUAL(byte_at(fd, (off_t)far), 'x');
		CHECK_EQUAL(pwrite(fd, "y", 1, (off_t)far), 1);
		CHECK_EQUAL(shared[far], 'y');
		CHECK_EQUAL(fsync(fd), 0);
		CHECK_EQUAL(fsync(fd), 0);
	}
	CHECK_EQUAL(munmap(shared, bytes), 0);
	CHECK_EQUAL(close(fd), 0);
	CHECK_EQUAL(unlink(name), 0);
}

static void test_msync_memory(void)
{
	test_msync("/tmp");
	test_sync_large("/tmp");
}

static void test_msync_pmem(void)
{
	test_msync("/pmem");
	test_sync_large("/pmem");
}

/* What the child does: all but the first must end it before it can return 0. */
static int misbehave(const char *how)
{
	volatile char *memory = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memory[0] = 1;
	if (strcmp(how, "read-only") == 0) {
		mprotect((void *)memory, PAGE, PROT_READ);
		memory[PAGE] = memory[0];
		memory[0] = 2;
	} else if (strcmp(how, "unmapped") == 0) {
		munmap((void *)memory, PAGE);
		memory[PAGE] = 1;
		memory[0] = 1;
	} else if (strcmp(how, "execute") == 0) {
		memory[0] = (char)0xc3;
		((void (*)(void))(uintptr_t)memory)();
	} else if (strcmp(how, "null") == 0) {
		*(volatile char *)(uintptr_t)(memory[0] - 1) = 1;
	}
	return 0;
}

static int run_child(const char *how)
{
	char *arguments[] = { (char *)(uintptr_t)own_path, (char *)(uintptr_t)how, NULL };
	int status;
	pid_t pid;

	if (posix_spawn(&pid, own_path, NULL, NULL, arguments, environ) != 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return status;
}

static void test_protection(void)
{
	CHECK_EQUAL(run_child("nothing"), 0);
	CHECK(run_child("read-only") > 0);
	CHECK(run_child("unmapped") > 0);
	CHECK(run_child("execute") > 0);
	CHECK(run_child("null") > 0);
}

int main(int argc, char **argv)
{
	own_path = argv[0];
	if (argc > 1)
		return misbehave(argv[1]);
	CHECK_RUN(test_anonymous);
	CHECK_RUN(test_arguments);
	CHECK_RUN(test_advice);
	CHECK_RUN(test_shared_file);
	CHECK_RUN(test_msync_memory);
	CHECK_RUN(test_msync_pmem);
	CHECK_RUN(test_protection);
	return check.failed;
}
