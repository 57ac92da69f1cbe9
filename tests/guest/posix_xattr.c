/* SPDX-License-Identifier: BSD-2-Clause */
/* posix_xattr.c - extended attributes of files, directories and links on pmfs. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "check.h"

static char folder[64], path[96];

static void set_and_get(void)
{
	char value[32];
	int fd = open(path, O_RDWR | O_CREAT, 0644);

	CHECK(fd >= 0);
	CHECK_EQUAL(getxattr(path, "user.a", value, sizeof(value)), -1);
	CHECK_EQUAL(errno, ENODATA);
	CHECK_EQUAL(setxattr(path, "user.a", "hello", 5, 0), 0);
	CHECK_EQUAL(fgetxattr(fd, "user.a", value, sizeof(value)), 5);
	CHECK(memcmp(value, "hello", 5) == 0);
	CHECK_EQUAL(getxattr(path, "user.a", NULL, 0), 5);
	CHECK_EQUAL(getxattr(path, "user.a", value, 4), -1);
	CHECK_EQUAL(errno, ERANGE);
	CHECK_EQUAL(fsetxattr(fd, "user.a", "", 0, 0), 0);
	CHECK_EQUAL(fgetxattr(fd, "user.a", value, sizeof(value)), 0);
	CHECK_EQUAL(close(fd), 0);
}

static void create_and_replace(void)
{
	CHECK_EQUAL(setxattr(path, "user.a", "x", 1, XATTR_CREATE), -1);
	CHECK_EQUAL(errno, EEXIST);
	CHECK_EQUAL(setxattr(path, "user.b", "x", 1, XATTR_REPLACE), -1);
	CHECK_EQUAL(errno, ENODATA);
	CHECK_EQUAL(setxattr(path, "user.b", "x", 1, XATTR_CREATE), 0);
	CHECK_EQUAL(setxattr(path, "user.b", "yz", 2, XATTR_REPLACE), 0);
	CHECK_EQUAL(setxattr(path, "user.b", "x", 1, 64), -1);
	CHECK_EQUAL(errno, EINVAL);
	CHECK_EQUAL(setxattr("/nowhere/at/all", "user.b", "x", 1, 0), -1);
	CHECK_EQUAL(errno, ENOENT);
}

static void list_and_remove(void)
{
	char names[64];

	CHECK_EQUAL(listxattr(path, NULL, 0), 14);
	CHECK_EQUAL(listxattr(path, names, 13), -1);
	CHECK_EQUAL(errno, ERANGE);
	CHECK_EQUAL(listxattr(path, names, sizeof(names)), 14);
	CHECK(memcmp(names, "user.a\0user.b", 14) == 0 || memcmp(names, "user.b\0user.a", 14) == 0);
	CHECK_EQUAL(removexattr(path, "user.a"), 0);
	CHECK_EQUAL(removexattr(path, "user.a"), -1);
	CHECK_EQUAL(errno, ENODATA);
	CHECK_EQUAL(listxattr(path, names, sizeof(names)), 7);
	CHECK_EQUAL(removexattr(path, "user.b"), 0);
	CHECK_EQUAL(listxattr(path, names, sizeof(names)), 0);
}

static void limits(void)
{
	static char name[300], value[XATTR_SIZE_MAX + 1], back[XATTR_SIZE_MAX];

	memset(name, 'n', sizeof(name));
	memcpy(name, "user.", 5);
	name[256] = 0;
	CHECK_EQUAL(setxattr(path, name, "x", 1, 0), -1);
	CHECK_EQUAL(errno, ERANGE);
	name[255] = 0;
	CHECK_EQUAL(setxattr(path, name, "x", 1, 0), 0);
	CHECK_EQUAL(getxattr(path, name, back, sizeof(back)), 1);
	CHECK_EQUAL(setxattr(path, "user.big", value, sizeof(value), 0), -1);
	CHECK_EQUAL(errno, E2BIG);
	CHECK_EQUAL(removexattr(path, name), 0);
}

/* More than a block of them, and large ones; a directory, and a second name for the file. */
static void many(void)
{
	static char value[XATTR_SIZE_MAX], back[XATTR_SIZE_MAX];
	char name[32], other[96];

	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (char)(i * 7 + i / 251);
	CHECK_EQUAL(setxattr(folder, "user.dir", "d", 1, 0), 0);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "user.%d", i);
		CHECK_EQUAL(setxattr(path, name, value + i, (size_t)(i * i % 3000), 0), 0);
	}
	CHECK_EQUAL(setxattr(path, "user.large", value, sizeof(value), 0), 0);
	snprintf(other, sizeof(other), "%s/other", folder);
	CHECK_EQUAL(link(path, other), 0);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "user.%d", i);
		CHECK_EQUAL(getxattr(other, name, back, sizeof(back)), i * i % 3000);
		CHECK(memcmp(back, value + i, (size_t)(i * i % 3000)) == 0);
	}
	CHECK_EQUAL(getxattr(other, "user.large", back, sizeof(back)), XATTR_SIZE_MAX);
	CHECK(memcmp(back, value, sizeof(value)) == 0);
	CHECK_EQUAL(getxattr(folder, "user.dir", back, sizeof(back)), 1);
	CHECK_EQUAL(unlink(other), 0);
}

static void links(void)
{
	char name[96], value[8];

	snprintf(name, sizeof(name), "%s/link", folder);
	CHECK_EQUAL(symlink(path, name), 0);
	CHECK_EQUAL(getxattr(name, "user.1", value, sizeof(value)), 1);
	CHECK_EQUAL(lgetxattr(name, "user.1", value, sizeof(value)), -1);
	if (lsetxattr(name, "user.l", "link", 4, 0) == 0) {
		CHECK_EQUAL(lgetxattr(name, "user.l", value, sizeof(value)), 4);
		CHECK_EQUAL(getxattr(name, "user.l", value, sizeof(value)), -1);
		CHECK_EQUAL(lremovexattr(name, "user.l"), 0);
	} else {
		CHECK_EQUAL(errno, EPERM);
	}
	CHECK_EQUAL(unlink(name), 0);
	CHECK_EQUAL(unlink(path), 0);
	CHECK_EQUAL(rmdir(folder), 0);
}

int main(void)
{
	if (access("/pmem", F_OK) != 0)
		return 0;
	snprintf(folder, sizeof(folder), "/pmem/xattr");
	snprintf(path, sizeof(path), "%s/file", folder);
	mkdir(folder, 0755);
	CHECK_RUN(set_and_get);
	CHECK_RUN(create_and_replace);
	CHECK_RUN(list_and_remove);
	CHECK_RUN(limits);
	CHECK_RUN(many);
	CHECK_RUN(links);
	return check.failed;
}
