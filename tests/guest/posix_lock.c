/* SPDX-License-Identifier: BSD-2-Clause */
/* posix_lock.c - record locks as one process sees them: its own never conflict, and wrong requests are refused.
 * Builds on Linux too, where it must pass as well. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

#define PATH "/tmp/posix_lock"

static int lock(int fd, int command, short type, short whence, long start, long length)
{
	struct flock request = { .l_type = type, .l_whence = whence, .l_start = start, .l_len = length };

	return fcntl(fd, command, &request);
}

static void test_own_locks(void)
{
	int first = open(PATH, O_RDWR | O_CREAT | O_TRUNC, 0600), second = open(PATH, O_RDWR);
	struct flock request = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 10 };

	CHECK(first >= 0 && second >= 0);
	CHECK_EQUAL(lock(first, F_SETLK, F_WRLCK, SEEK_SET, 0, 0), 0);
	CHECK_EQUAL(lock(second, F_SETLK, F_WRLCK, SEEK_SET, 0, 0), 0);
	CHECK_EQUAL(lock(second, F_SETLKW, F_RDLCK, SEEK_SET, 3, 4), 0);
	CHECK_EQUAL(fcntl(second, F_GETLK, &request), 0);
	CHECK_EQUAL(request.l_type, F_UNLCK);
	CHECK_EQUAL(request.l_start, 5);
	CHECK_EQUAL(request.l_len, 10);
	CHECK_EQUAL(lock(first, F_SETLK, F_UNLCK, SEEK_SET, 0, 0), 0);
	CHECK_EQUAL(close(first), 0);
	CHECK_EQUAL(close(second), 0);
	CHECK_EQUAL(unlink(PATH), 0);
}

static void test_ranges(void)
{
	int fd = open(PATH, O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	CHECK_EQUAL(write(fd, "0123456789", 10), 10);
	CHECK_EQUAL(lseek(fd, 4, SEEK_SET), 4);
	CHECK_EQUAL(lock(fd, F_SETLK, F_WRLCK, SEEK_CUR, -4, 1), 0);
	CHECK(lock(fd, F_SETLK, F_WRLCK, SEEK_CUR, -5, 1) == -1 && errno == EINVAL);
	CHECK_EQUAL(lock(fd, F_SETLK, F_WRLCK, SEEK_END, -10, 1), 0);
	CHECK(lock(fd, F_SETLK, F_WRLCK, SEEK_END, -11, 1) == -1 && errno == EINVAL);
	CHECK_EQUAL(lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 8, -8), 0);
	CHECK(lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 8, -9) == -1 && errno == EINVAL);
	CHECK(lock(fd, F_SETLK, F_WRLCK, SEEK_CUR, LONG_MAX, 1) == -1 && errno == EOVERFLOW);
	CHECK(lock(fd, F_SETLK, F_WRLCK, 77, 0, 1) == -1 && errno == EINVAL);
	CHECK(lock(fd, F_SETLK, 77, SEEK_SET, 0, 1) == -1 && errno == EINVAL);
	CHECK_EQUAL(close(fd), 0);
	CHECK_EQUAL(unlink(PATH), 0);
}

static void test_access(void)
{
	int fd = open(PATH, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	CHECK(lock(fd, F_SETLK, F_RDLCK, SEEK_SET, 0, 1) == -1 && errno == EBADF);
	CHECK_EQUAL(lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 0, 1), 0);
	CHECK_EQUAL(close(fd), 0);
	fd = open(PATH, O_RDONLY);
	CHECK(lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 0, 1) == -1 && errno == EBADF);
	CHECK_EQUAL(lock(fd, F_SETLK, F_RDLCK, SEEK_SET, 0, 1), 0);
	CHECK_EQUAL(close(fd), 0);
	CHECK(lock(fd, F_SETLK, F_RDLCK, SEEK_SET, 0, 1) == -1 && errno == EBADF);
	CHECK_EQUAL(unlink(PATH), 0);
}

int main(void)
{
	CHECK_RUN(test_own_locks);
	CHECK_RUN(test_ranges);
	CHECK_RUN(test_access);
	return check.failed;
}
