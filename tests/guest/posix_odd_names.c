/* SPDX-License-Identifier: BSD-2-Clause */
/* posix_odd_names.c - names of every byte value, and paths that are much too long, by every call that takes one. Builds
 * on Linux too, where it must pass as well. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "check.h"

#define LONG_BYTES 17000

static const char *where;

static void path_of(int byte, char out[64])
{
	const int bytes = snprintf(out, 64, "%s/odd/x", where);

	out[bytes - 1] = (char)byte;
}

static bool usable(int byte)
{
	return byte != '/' && byte != '.';
}

static void every_byte(void)
{
	bool seen[256] = { false };
	struct dirent *entry;
	char path[64];

	path_of('x', path);
	path[strlen(path) - 2] = 0;
	CHECK_EQUAL(mkdir(path, 0755), 0);
	for (int byte = 1; byte < 256; byte++) {
		path_of(byte, path);
		if (usable(byte))
			CHECK_EQUAL(close(open(path, O_CREAT | O_EXCL | O_WRONLY, 0644)), 0);
	}
	path_of(0, path);
	DIR *dir = opendir(path);
	CHECK(dir != NULL);
	while ((entry = readdir(dir)) != NULL)
		if (strlen(entry->d_name) == 1)
			seen[(unsigned char)entry->d_name[0]] = true;
	CHECK_EQUAL(closedir(dir), 0);
	for (int byte = 1; byte < 256; byte++) {
		struct stat st;
		path_of(byte, path);
		if (!usable(byte))
			continue;
		CHECK(seen[byte]);
		CHECK_EQUAL(stat(path, &st), 0);
		CHECK_EQUAL(unlink(path), 0);
	}
	path_of(0, path);
	CHECK_EQUAL(rmdir(path), 0);
}

#define CHECK_TOO_LONG(call)                      \
	do {                                      \
		CHECK_EQUAL(call, -1);            \
		CHECK_EQUAL(errno, ENAMETOOLONG); \
	} while (0)

/* One name, or many short ones; absolute and not. */
static void long_paths(void)
{
	static char path[LONG_BYTES + 1];
	struct statvfs vfs;
	struct stat st;

	for (int kind = 0; kind < 4; kind++) {
		memset(path, 'a', LONG_BYTES);
		for (int i = 0; i < LONG_BYTES && kind >= 2; i += 2)
			path[i] = '/';
		if (kind % 2 == 0)
			path[0] = '/';
		else
			path[0] = 'b';
		CHECK_TOO_LONG(open(path, O_RDONLY));
		CHECK_TOO_LONG(open(path, O_CREAT | O_WRONLY, 0644));
		CHECK_TOO_LONG(stat(path, &st));
		CHECK_TOO_LONG(lstat(path, &st));
		CHECK_TOO_LONG(mkdir(path, 0755));
		CHECK_TOO_LONG(rmdir(path));
		CHECK_TOO_LONG(unlink(path));
		CHECK_TOO_LONG(rename(path, "x"));
		CHECK_TOO_LONG(link(path, "x"));
		CHECK_TOO_LONG(symlink("x", path));
		CHECK_TOO_LONG(chmod(path, 0));
		CHECK_TOO_LONG(truncate(path, 0));
		CHECK_TOO_LONG(access(path, F_OK));
		CHECK_TOO_LONG(chdir(path));
		CHECK_TOO_LONG(statvfs(path, &vfs));
		CHECK_TOO_LONG(readlink(path, (char[8]) { 0 }, 8));
		CHECK(opendir(path) == NULL && errno == ENAMETOOLONG);
		CHECK(fopen(path, "r") == NULL && errno == ENAMETOOLONG);
	}
	snprintf(path, 64, "%s/link", where);
	memset(path + 100, 't', LONG_BYTES - 100);
	CHECK_TOO_LONG(symlink(path + 100, path));
}

int main(void)
{
	where = "/tmp";
	CHECK_RUN(every_byte);
	CHECK_RUN(long_paths);
	if (access("/pmem", F_OK) == 0) {
		where = "/pmem";
		CHECK_RUN(every_byte);
		CHECK_RUN(long_paths);
	}
	return check.failed;
}
