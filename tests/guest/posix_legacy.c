/* SPDX-License-Identifier: BSD-2-Clause */
/* posix_legacy.c - what POSIX has dropped or replaced, and old programs still call.
 * Builds on Linux too, where it must pass as well. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>
#include <utime.h>

#include "check.h"

#define PATH "/tmp/posix_legacy"

extern char *getwd(char *buffer); /* as programs of its time declare it */

static void test_getwd(void)
{
	char path[PATH_MAX] = "";

	CHECK_EQUAL(chdir("/tmp"), 0);
	CHECK(getwd(path) == path);
	CHECK(strcmp(path, "/tmp") == 0);
}

static void test_ioctl(void)
{
	int fd = open(PATH, O_RDWR | O_CREAT, 0600);

	CHECK(fd >= 0);
	CHECK(ioctl(fd, 0x5401) == -1 && errno == ENOTTY);
	CHECK_EQUAL(close(fd), 0);
	CHECK(ioctl(fd, 0x5401) == -1 && errno == EBADF);
	CHECK_EQUAL(unlink(PATH), 0);
}

static void test_times(void)
{
	const struct timeval exact[2] = { { 1000, 250000 }, { 2000, 999999 } }, wrong[2] = { { 1, 0 }, { 1, 1000000 } };
	const struct utimbuf seconds = { .actime = 3000, .modtime = 4000 };
	int fd = open(PATH, O_RDWR | O_CREAT, 0600);
	struct stat st;

	CHECK(fd >= 0);
	CHECK_EQUAL(close(fd), 0);
	CHECK_EQUAL(utimes(PATH, exact), 0);
	CHECK_EQUAL(stat(PATH, &st), 0);
	CHECK_EQUAL(st.st_atim.tv_sec, 1000);
	CHECK_EQUAL(st.st_atim.tv_nsec, 250000000);
	CHECK_EQUAL(st.st_mtim.tv_sec, 2000);
	CHECK_EQUAL(st.st_mtim.tv_nsec, 999999000);
	CHECK(utimes(PATH, wrong) == -1 && errno == EINVAL);
	CHECK_EQUAL(utime(PATH, &seconds), 0);
	CHECK_EQUAL(stat(PATH, &st), 0);
	CHECK_EQUAL(st.st_atim.tv_sec, 3000);
	CHECK_EQUAL(st.st_mtim.tv_sec, 4000);
	CHECK_EQUAL(utime(PATH, NULL), 0);
	CHECK_EQUAL(stat(PATH, &st), 0);
	CHECK(st.st_mtim.tv_sec > 1500000000);
	CHECK_EQUAL(utimes(PATH, NULL), 0);
	CHECK_EQUAL(unlink(PATH), 0);
	CHECK(utime(PATH, NULL) == -1 && errno == ENOENT);
	CHECK(utimes(PATH, NULL) == -1 && errno == ENOENT);
}

int main(void)
{
	CHECK_RUN(test_getwd);
	CHECK_RUN(test_ioctl);
	CHECK_RUN(test_times);
	return check.failed;
}
