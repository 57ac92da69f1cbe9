/* SPDX-License-Identifier: BSD-2-Clause */
/* program_rows.c - what programs do: a real tree unpacked from a tar archive in memory, searched
 * for a word, and PostMark's mix (Katcher, "PostMark: a new file system benchmark", 1997): a pool
 * of small files, each transaction a read or an append, and a create or a delete. */
#include "bench.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "bench.tree"
#define DEPTH_MAX 24
#define BLOCK_BYTES 512u
#define WORD "the"
#define TREE_BYTES_MAX (6u << 20) /* of the archive, from its beginning: enough of a real tree, and a bearable time */

/* Fields of a ustar header (POSIX.1-2017, pax, "ustar Interchange Format"). */
enum ustar_field { AT_NAME = 0,
	NAME_BYTES = 100,
	AT_SIZE = 124,
	SIZE_BYTES = 12,
	AT_TYPE = 156,
	AT_PREFIX = 345,
	PREFIX_BYTES = 155 };

static struct {
	unsigned char *bytes; /* the archive */
	uint64_t length;
	uint64_t files, data_bytes, words; /* that it holds */
} tree;

static uint64_t count_words(const unsigned char *p, uint64_t bytes)
{
	uint64_t found = 0;
	for (uint64_t i = 0; i + 2 < bytes; i++)
		found += p[i] == WORD[0] && p[i + 1] == WORD[1] && p[i + 2] == WORD[2];
	return found;
}

static uint64_t octal(const unsigned char *p, size_t bytes)
{
	uint64_t value = 0;
	for (size_t i = 0; i < bytes && p[i] >= '0' && p[i] <= '7'; i++)
		value = value << 3 | (uint64_t)(p[i] - '0');
	return value;
}

/* The member at *at: its header, and *at behind it. NULL at the end. */
static const unsigned char *next_member(uint64_t *at, uint64_t *bytes)
{
	if (*at + BLOCK_BYTES > tree.length || *at > TREE_BYTES_MAX || !tree.bytes[*at])
		return NULL;
	const unsigned char *header = tree.bytes + *at;
	*bytes = octal(header + AT_SIZE, SIZE_BYTES);
	uint64_t blocks = (*bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
	if (*bytes > tree.length || *at + BLOCK_BYTES + blocks * BLOCK_BYTES > tree.length)
		return NULL;
	*at += BLOCK_BYTES + blocks * BLOCK_BYTES;
	return header;
}

static bool is_file(const unsigned char *header)
{
	return header[AT_TYPE] == '0' || !header[AT_TYPE];
}

static void count_members(void)
{
	const unsigned char *header;
	uint64_t at = 0, bytes;
	tree.files = tree.data_bytes = tree.words = 0;
	while ((header = next_member(&at, &bytes))) {
		if (is_file(header)) {
			tree.files++;
			tree.data_bytes += bytes;
			tree.words += count_words(header + BLOCK_BYTES, bytes);
		}
	}
}

static bool load_tree(struct bench *b)
{
	struct stat st;
	if (tree.bytes)
		return true;
	if (!b->tree)
		return bench_fail(b, "needs --tree FILE, a ustar archive", 0);
	int fd = open(b->tree, O_RDONLY);
	if (fd < 0 || fstat(fd, &st))
		return bench_fail(b, b->tree, errno);
	unsigned char *bytes = malloc((size_t)st.st_size);
	uint64_t length = 0;
	ssize_t n = bytes ? 1 : -1;
	while (n > 0 && length < (uint64_t)st.st_size) {
		uint64_t left = (uint64_t)st.st_size - length;
		n = read(fd, bytes + length, left < BUFFER_BYTES ? left : BUFFER_BYTES);
		length += n > 0 ? (uint64_t)n : 0;
	}
	int error = errno;
	close(fd);
	if (!bytes || length != (uint64_t)st.st_size) {
		free(bytes);
		return bench_fail(b, "reading the archive into memory", error);
	}
	tree.bytes = bytes;
	tree.length = length;
	count_members();
	return tree.files > 0 || bench_fail(b, "the archive holds no file", 0);
}

static void remove_below(const char *path, int depth)
{
	char inner[BENCH_PATH_BYTES];
	DIR *directory = depth ? opendir(path) : NULL;
	if (!directory)
		return;
	struct dirent *entry;
	while ((entry = readdir(directory))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
			snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) >= (int)sizeof inner)
			continue;
		if (unlink(inner))
			remove_below(inner, depth - 1);
	}
	closedir(directory);
	rmdir(path);
}

static void remove_all(struct bench *b)
{
	if (bench_path(b, FOLDER))
		remove_below(b->path, DEPTH_MAX);
}

static bool make_folder(struct bench *b, uint64_t count)
{
	(void)count;
	remove_all(b);
	return !mkdir(b->path, 0755) || bench_fail(b, b->path, errno);
}

/* ---- Unpacking ---- */

static bool write_file(struct bench *b, const char *path, const unsigned char *from, uint64_t bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0)
		return bench_fail(b, path, errno);
	uint64_t done = 0;
	while (done < bytes) {
		uint64_t part = bytes - done < BUFFER_BYTES ? bytes - done : BUFFER_BYTES;
		ssize_t n = write(fd, from + done, part);
		if (n <= 0)
			break;
		done += (uint64_t)n;
	}
	return (!close(fd) && done == bytes) || bench_fail(b, "writing a file of the tree", errno);
}

static bool unpack(struct bench *b, uint64_t count)
{
	const unsigned char *header;
	uint64_t at = 0, bytes;
	char path[BENCH_PATH_BYTES];
	(void)count;
	while ((header = next_member(&at, &bytes))) {
		const char *prefix = (const char *)header + AT_PREFIX;
		int length = snprintf(path, sizeof path, "%s/%.*s%s%.*s", b->path, PREFIX_BYTES, prefix, *prefix ? "/" : "",
			NAME_BYTES, (const char *)header + AT_NAME);
		if (length >= (int)sizeof path)
			return bench_fail(b, "a path of the tree is too long", 0);
		if (header[AT_TYPE] == '5') {
			if (path[length - 1] == '/')
				path[length - 1] = '\0';
			if (mkdir(path, 0755) && errno != EEXIST)
				return bench_fail(b, path, errno);
		} else if (is_file(header) && !write_file(b, path, header + BLOCK_BYTES, bytes)) {
			return false;
		}
	}
	return true;
}

/* ---- Searching ---- */

static struct {
	uint64_t files, bytes, words;
} found;

static bool search_file(struct bench *b, const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = -1;
	if (fd < 0)
		return bench_fail(b, path, errno);
	while ((n = read(fd, b->buffer, BUFFER_BYTES)) > 0) {
		found.bytes += (uint64_t)n;
		found.words += count_words(b->buffer, (uint64_t)n);
	}
	close(fd);
	found.files++;
	return !n || bench_fail(b, path, errno);
}

static bool search_below(struct bench *b, const char *path, int depth)
{
	char inner[BENCH_PATH_BYTES];
	struct stat st;
	bool good = true;
	DIR *directory = opendir(path);
	if (!directory || !depth)
		return bench_fail(b, path, errno);
	struct dirent *entry;
	while (good && (entry = readdir(directory))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) >= (int)sizeof inner || stat(inner, &st))
			good = bench_fail(b, "a name of the tree", errno);
		else
			good = S_ISDIR(st.st_mode) ? search_below(b, inner, depth - 1) : search_file(b, inner);
	}
	closedir(directory);
	return good;
}

static bool search(struct bench *b, uint64_t count)
{
	(void)count;
	memset(&found, 0, sizeof found);
	return search_below(b, b->path, DEPTH_MAX);
}

/* As many files, bytes and words as the archive holds; a word across two reads of a large file is
 * not found, so files above the buffer's size may have a few less. */
static bool check_found(struct bench *b, uint64_t count)
{
	(void)count;
	if (found.files != tree.files || found.bytes != tree.data_bytes)
		return bench_fail(b, "the tree does not hold the archive's files", 0);
	return (found.words <= tree.words && found.words + 64 >= tree.words) ||
		   bench_fail(b, "the tree does not hold the archive's words", 0);
}

static bool check_unpacked(struct bench *b, uint64_t count)
{
	return search(b, count) && check_found(b, count);
}

static bool unpacked(struct bench *b)
{
	return load_tree(b) && make_folder(b, 1) && unpack(b, 1);
}

/* ---- PostMark ---- */

#define POOL_FILES 500u
#define POOL_MAX (POOL_FILES * 2)
#define FILE_BYTES_MIN 512u
#define FILE_BYTES_MAX 10240u

static struct {
	uint32_t bytes[POOL_MAX]; /* 0: there is no such file */
	uint64_t live;
	uint64_t random;
} pool;

static void pool_path(const struct bench *b, char *out, uint64_t number)
{
	snprintf(out, BENCH_PATH_BYTES, "%.*s/p%04u", BENCH_PATH_BYTES - 16, b->path, (unsigned)number);
}

static uint32_t random_bytes(void)
{
	return FILE_BYTES_MIN + (uint32_t)(bench_random(&pool.random) % (FILE_BYTES_MAX - FILE_BYTES_MIN));
}

/* The first file from a random place on that is there, or is not. */
static uint64_t pick(bool there)
{
	uint64_t at = bench_random(&pool.random) % POOL_MAX;
	while (!pool.bytes[at] == there)
		at = (at + 1) % POOL_MAX;
	return at;
}

static bool pool_create(struct bench *b)
{
	char path[BENCH_PATH_BYTES];
	uint64_t number = pick(false);
	uint32_t bytes = random_bytes();
	pool_path(b, path, number);
	pool.bytes[number] = bytes;
	pool.live++;
	return write_file(b, path, b->buffer, bytes);
}

static bool pool_delete(struct bench *b)
{
	char path[BENCH_PATH_BYTES];
	uint64_t number = pick(true);
	pool_path(b, path, number);
	pool.bytes[number] = 0;
	pool.live--;
	return !unlink(path) || bench_fail(b, path, errno);
}

static bool pool_read(struct bench *b)
{
	char path[BENCH_PATH_BYTES];
	uint64_t number = pick(true);
	pool_path(b, path, number);
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, b->buffer, BUFFER_BYTES);
	if (fd >= 0)
		close(fd);
	return n == (ssize_t)pool.bytes[number] || bench_fail(b, "a file of the pool has the wrong size", errno);
}

static bool pool_append(struct bench *b)
{
	char path[BENCH_PATH_BYTES];
	uint64_t number = pick(true);
	uint32_t bytes = random_bytes();
	pool_path(b, path, number);
	int fd = open(path, O_WRONLY | O_APPEND);
	ssize_t n = fd < 0 ? -1 : write(fd, b->buffer, bytes);
	if (fd >= 0)
		close(fd);
	pool.bytes[number] += bytes;
	return n == (ssize_t)bytes || bench_fail(b, "an append to a file of the pool", errno);
}

static bool fill_pool(struct bench *b, uint64_t count)
{
	if (!make_folder(b, count))
		return false;
	memset(&pool, 0, sizeof pool);
	memset(b->buffer, 'p', FILE_BYTES_MAX);
	pool.random = 7;
	while (pool.live < POOL_FILES) {
		if (!pool_create(b))
			return false;
	}
	return true;
}

static bool transact(struct bench *b, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t dice = bench_random(&pool.random);
		bool create = dice & 2 ? pool.live < POOL_MAX - 1 : pool.live < POOL_FILES / 2;
		if (!(dice & 1 ? pool_read(b) : pool_append(b)) || !(create ? pool_create(b) : pool_delete(b)))
			return false;
	}
	return true;
}

static bool check_pool(struct bench *b, uint64_t count)
{
	char path[BENCH_PATH_BYTES];
	struct stat st;
	(void)count;
	for (uint64_t number = 0; number < POOL_MAX; number++) {
		pool_path(b, path, number);
		bool there = !stat(path, &st);
		if (there != (pool.bytes[number] != 0) || (there && (uint64_t)st.st_size != pool.bytes[number]))
			return bench_fail(b, "the pool is not as the transactions left it", 0);
	}
	return true;
}

static const struct row rows[] = {
	{ .id = "postmark", .what = "PostMark's mix on 500 files, per transaction", .count = 1000,
	  .prepare = fill_pool, .body = transact, .check = check_pool, .teardown = remove_all },
	{ .id = "untar", .what = "unpacking a real tree, the whole", .count = 1, .slow = true, .whole = true,
	  .setup = load_tree, .prepare = make_folder, .body = unpack, .check = check_unpacked,
	  .teardown = remove_all },
	{ .id = "grep", .what = "searching that tree for a word, the whole", .count = 1, .slow = true, .whole = true,
	  .setup = unpacked, .body = search, .check = check_found, .teardown = remove_all },
};
const struct row_group program_rows = { rows, sizeof rows / sizeof rows[0] };
