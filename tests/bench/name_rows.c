/* SPDX-License-Identifier: BSD-2-Clause */
/* name_rows.c - names: open, stat, create, unlink, mkdir, rename, readdir. One name at a time is
 * used in the directory itself (depth 1), or below directories of its own; many names lie in a
 * directory of their own. */
#include "bench.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "bench.names"
#define ALONE "bench.one"
#define ALONE_MOVED "bench.other"
#define CONTENTS "contents"

/* DIRECTORY/bench.names/NAME in `out`. */
static void name_path(const struct bench *b, char *out, const char *name)
{
	snprintf(out, BENCH_PATH_BYTES, "%.*s/" FOLDER "/%s", BENCH_PATH_BYTES - 64, b->directory, name);
}

static void numbered_path(const struct bench *b, char *out, uint64_t number)
{
	char name[32];
	snprintf(name, sizeof name, "f%06u", (unsigned)number);
	name_path(b, out, name);
}

static bool make_directory(struct bench *b, const char *path)
{
	return !mkdir(path, 0755) || errno == EEXIST || bench_fail(b, path, errno);
}

static bool make_file(struct bench *b, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		return bench_fail(b, path, errno);
	ssize_t n = write(fd, CONTENTS, sizeof CONTENTS);
	if (close(fd) || n != (ssize_t)sizeof CONTENTS)
		return bench_fail(b, path, errno);
	return true;
}

static bool make_folder(struct bench *b)
{
	return bench_path(b, FOLDER) && make_directory(b, b->path);
}

/* Everything in a directory, or 4 levels deep, and itself. Nothing that goes wrong here changes
 * a result. */
static void remove_tree(const char *path, int depth)
{
	char inner[BENCH_PATH_BYTES];
	DIR *directory = depth ? opendir(path) : NULL;
	if (!directory) {
		unlink(path);
		return;
	}
	struct dirent *entry;
	while ((entry = readdir(directory))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) < (int)sizeof inner) {
			if (unlink(inner))
				remove_tree(inner, depth - 1);
		}
	}
	closedir(directory);
	rmdir(path);
}

static void remove_folder(struct bench *b)
{
	static const char *const alone[] = { ALONE, ALONE_MOVED };
	for (size_t i = 0; i < 2; i++) {
		if (bench_path(b, alone[i])) {
			unlink(b->path);
			rmdir(b->path);
		}
	}
	if (bench_path(b, FOLDER))
		remove_tree(b->path, 6);
}

/* A file below `argument` - 1 directories; its path stays in b->path. */
static bool make_deep_file(struct bench *b)
{
	if (b->argument == 1)
		return bench_path(b, ALONE) && make_file(b, b->path);
	if (!make_folder(b))
		return false;
	for (uint64_t i = 2; i < b->argument; i++) {
		strcat(b->path, "/d");
		if (!make_directory(b, b->path))
			return false;
	}
	strcat(b->path, "/file");
	return make_file(b, b->path);
}

static bool open_close(struct bench *b, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		int fd = open(b->path, O_RDONLY);
		if (fd < 0 || close(fd))
			return bench_fail(b, b->path, errno);
	}
	return true;
}

/* Too little for a lease: the read is a call. */
static bool open_read_close(struct bench *b, uint64_t count)
{
	char back[8];
	for (uint64_t i = 0; i < count; i++) {
		int fd = open(b->path, O_RDONLY);
		if (fd < 0 || pread(fd, back, sizeof back, 0) != (ssize_t)sizeof back || close(fd))
			return bench_fail(b, b->path, errno);
	}
	return !memcmp(back, CONTENTS, sizeof back) || bench_fail(b, "the bytes read are not the file's", 0);
}

static bool check_opened(struct bench *b, uint64_t count)
{
	char back[sizeof CONTENTS];
	(void)count;
	int fd = open(b->path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, back, sizeof back);
	if (fd >= 0)
		close(fd);
	return (n == (ssize_t)sizeof back && !memcmp(back, CONTENTS, sizeof back)) ||
		   bench_fail(b, "the file does not hold what was written", 0);
}

static bool stat_name(struct bench *b, uint64_t count)
{
	struct stat st;
	for (uint64_t i = 0; i < count; i++) {
		if (stat(b->path, &st))
			return bench_fail(b, b->path, errno);
	}
	return ((size_t)st.st_size == sizeof CONTENTS && st.st_nlink == 1) || bench_fail(b, "stat gave the wrong size", 0);
}

/* ---- Many names ---- */

static bool unlink_all(struct bench *b, uint64_t count)
{
	char path[BENCH_PATH_BYTES];
	for (uint64_t i = 0; i < count; i++) {
		numbered_path(b, path, i);
		if (unlink(path))
			return bench_fail(b, path, errno);
	}
	return true;
}

static bool create_all(struct bench *b, uint64_t count)
{
	char path[BENCH_PATH_BYTES];
	for (uint64_t i = 0; i < count; i++) {
		numbered_path(b, path, i);
		int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
		if (fd < 0 || close(fd))
			return bench_fail(b, path, errno);
	}
	return true;
}

static bool empty_folder(struct bench *b, uint64_t count)
{
	(void)count;
	remove_folder(b);
	return make_folder(b);
}

static bool full_folder(struct bench *b, uint64_t count)
{
	return empty_folder(b, count) && create_all(b, count);
}

/* How many names the folder holds, without "." and "..". */
static bool count_names(struct bench *b, uint64_t *names)
{
	char path[BENCH_PATH_BYTES];
	snprintf(path, sizeof path, "%.*s/" FOLDER, BENCH_PATH_BYTES - 64, b->directory);
	DIR *directory = opendir(path);
	if (!directory)
		return bench_fail(b, path, errno);
	struct dirent *entry;
	for (*names = 0; (entry = readdir(directory));)
		*names += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
	closedir(directory);
	return true;
}

static bool check_names(struct bench *b, uint64_t expected)
{
	uint64_t names;
	if (!count_names(b, &names))
		return false;
	return names == expected || bench_fail(b, "the directory holds the wrong number of names", 0);
}

static bool check_none(struct bench *b, uint64_t count)
{
	(void)count;
	return check_names(b, 0);
}

static bool name_alone(struct bench *b)
{
	return bench_path(b, ALONE);
}

static bool check_gone(struct bench *b, uint64_t count)
{
	struct stat st;
	(void)count;
	return (stat(b->path, &st) && errno == ENOENT) || bench_fail(b, "a removed name is still there", 0);
}

static bool create_unlink(struct bench *b, uint64_t count)
{
	const char *path = b->path;
	for (uint64_t i = 0; i < count; i++) {
		int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
		if (fd < 0 || close(fd) || unlink(path))
			return bench_fail(b, path, errno);
	}
	return true;
}

static bool mkdir_rmdir(struct bench *b, uint64_t count)
{
	const char *path = b->path;
	for (uint64_t i = 0; i < count; i++) {
		if (mkdir(path, 0755) || rmdir(path))
			return bench_fail(b, path, errno);
	}
	return true;
}

static bool one_file(struct bench *b)
{
	if (!bench_path(b, ALONE_MOVED))
		return false;
	memcpy(b->other, b->path, sizeof b->other);
	return bench_path(b, ALONE) && make_file(b, b->path);
}

/* There and back: two renames. */
static bool rename_pair(struct bench *b, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		if (rename(b->path, b->other) || rename(b->other, b->path))
			return bench_fail(b, b->path, errno);
	}
	return true;
}

static bool fill_for_reading(struct bench *b)
{
	remove_folder(b);
	return make_folder(b) && create_all(b, b->argument);
}

static bool read_names(struct bench *b, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		if (!check_names(b, b->argument))
			return false;
	}
	return true;
}

static const struct row rows[] = {
	{ .id = "open_close", .what = "open + close", .argument = 1, .count = 1000,
	  .setup = make_deep_file, .body = open_close, .check = check_opened,
	  .teardown = remove_folder },
	{ .id = "open_read_close", .what = "open + pread 8 B + close", .argument = 1, .count = 1000,
	  .setup = make_deep_file, .body = open_read_close, .check = check_opened,
	  .teardown = remove_folder },
	{ .id = "open_close_4", .what = "open + close at depth 4", .argument = 4, .count = 1000,
	  .setup = make_deep_file, .body = open_close, .check = check_opened,
	  .teardown = remove_folder },
	{ .id = "stat", .what = "stat", .argument = 1, .count = 1000, .setup = make_deep_file,
	  .body = stat_name, .teardown = remove_folder },
	{ .id = "create", .what = "create + close", .count = 500, .setup = make_folder,
	  .prepare = empty_folder, .body = create_all, .check = check_names,
	  .teardown = remove_folder },
	{ .id = "unlink", .what = "unlink", .count = 500, .setup = make_folder, .prepare = full_folder,
	  .body = unlink_all, .check = check_none, .teardown = remove_folder },
	{ .id = "create_unlink", .what = "create + close + unlink", .count = 500, .setup = name_alone,
	  .body = create_unlink, .check = check_gone, .teardown = remove_folder },
	{ .id = "mkdir_rmdir", .what = "mkdir + rmdir", .count = 500, .setup = name_alone,
	  .body = mkdir_rmdir, .check = check_gone, .teardown = remove_folder },
	{ .id = "rename", .what = "rename", .argument = 1, .count = 500, .divide = 2, .setup = one_file,
	  .body = rename_pair, .check = check_opened, .teardown = remove_folder },
	{ .id = "readdir_1000", .what = "readdir of 1,000 names, per name", .argument = 1000,
	  .count = 10, .divide = 1000, .setup = fill_for_reading, .body = read_names,
	  .teardown = remove_folder },
	{ .id = "readdir_100000", .what = "readdir of 100,000 names, per name", .argument = 100000, .slow = true,
	  .count = 1, .divide = 100000, .setup = fill_for_reading, .body = read_names,
	  .teardown = remove_folder },
};
const struct row_group name_rows = { rows, sizeof rows / sizeof rows[0] };
