/* SPDX-License-Identifier: BSD-2-Clause */
/* data_rows.c - bytes of files: read, write, with and without fsync, append, truncate, stat of
 * an open file. The data file is 8 MiB long (2 MiB with --quick); the 8 bytes at every offset that is a
 * multiple of 8 hold the offset, so that each read can be checked whatever was read. Writes
 * write the same again, but for the first word of the buffer, which counts: a check reads back
 * the last one. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define RANDOM_SEED 42
#ifndef FICLONE /* Linux has it in linux/fs.h, with much else */
#define FICLONE 0x40049409
#endif

static uint64_t data_bytes(const struct bench *b)
{
	return b->quick ? DATA_FILE_BYTES / 4 : DATA_FILE_BYTES;
}

static uint64_t word_at(const unsigned char *p)
{
	uint64_t word;
	memcpy(&word, p, 8);
	return word;
}

static void fill(unsigned char *p, uint64_t offset, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += 8) {
		uint64_t word = offset + i;
		memcpy(p + i, &word, 8);
	}
}

static bool open_data(struct bench *b)
{
	if (!bench_path(b, "bench.data"))
		return false;
	b->fd = open(b->path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (b->fd < 0)
		return bench_fail(b, b->path, errno);
	for (uint64_t at = 0; at < data_bytes(b); at += BUFFER_BYTES) {
		fill(b->buffer, at, BUFFER_BYTES);
		ssize_t n = pwrite(b->fd, b->buffer, BUFFER_BYTES, (off_t)at);
		if (n != (ssize_t)BUFFER_BYTES)
			return bench_fail(b, "filling the data file", n < 0 ? errno : ENOSPC);
	}
	return true;
}

static bool open_empty(struct bench *b)
{
	if (!bench_path(b, "bench.empty"))
		return false;
	b->fd = open(b->path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	return b->fd >= 0 || bench_fail(b, b->path, errno);
}

static void close_data(struct bench *b)
{
	if (b->fd >= 0) {
		close(b->fd);
		unlink(b->path);
	}
}

/* ---- Reads: positions run through the file, or jump ---- */

static uint64_t next_position(const struct bench *b, uint64_t i)
{
	return i % (data_bytes(b) / b->argument) * b->argument;
}

static uint64_t random_position(const struct bench *b, uint64_t *state)
{
	return bench_random(state) % (data_bytes(b) / b->argument) * b->argument;
}

static bool read_sequential(struct bench *b, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t at = next_position(b, i);
		if (pread(b->fd, b->buffer, b->argument, (off_t)at) != (ssize_t)b->argument)
			return bench_fail(b, "a read came short", errno);
		b->moved = at;
	}
	return true;
}

static bool read_random(struct bench *b, uint64_t count)
{
	uint64_t state = RANDOM_SEED;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t at = random_position(b, &state);
		if (pread(b->fd, b->buffer, b->argument, (off_t)at) != (ssize_t)b->argument)
			return bench_fail(b, "a read came short", errno);
		b->moved = at;
	}
	return true;
}

static bool spoil_buffer(struct bench *b, uint64_t count)
{
	(void)count;
	memset(b->buffer, 0xee, b->argument);
	return true;
}

static bool check_read(struct bench *b, uint64_t count)
{
	(void)count;
	for (uint64_t i = 0; i < b->argument; i += 8) {
		if (word_at(b->buffer + i) != b->moved + i)
			return bench_fail(b, "the bytes read are not the file's", 0);
	}
	return true;
}

/* ---- Writes ---- */

static bool fill_buffer(struct bench *b, uint64_t count)
{
	(void)count;
	fill(b->buffer, 0, b->argument);
	return true;
}

static void stamp(struct bench *b, uint64_t number)
{
	memcpy(b->buffer, &number, 8);
}

static bool write_at(struct bench *b, uint64_t number, uint64_t at)
{
	stamp(b, number);
	if (pwrite(b->fd, b->buffer, b->argument, (off_t)at) != (ssize_t)b->argument)
		return bench_fail(b, "a write came short", errno);
	b->moved = at;
	return true;
}

static bool write_sequential(struct bench *b, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		if (!write_at(b, i, next_position(b, i)))
			return false;
	}
	return true;
}

static bool write_random(struct bench *b, uint64_t count)
{
	uint64_t state = RANDOM_SEED;
	for (uint64_t i = 0; i < count; i++) {
		if (!write_at(b, i, random_position(b, &state)))
			return false;
	}
	return true;
}

static bool write_sync(struct bench *b, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		if (!write_at(b, i, next_position(b, i)))
			return false;
		if (fsync(b->fd))
			return bench_fail(b, "fsync", errno);
	}
	return true;
}

/* The last write's number stands where it went, and its tail behind it. */
static bool check_write(struct bench *b, uint64_t count)
{
	unsigned char back[16];
	uint64_t tail = b->argument > 8 ? b->argument - 8 : 0;
	if (pread(b->fd, back, 8, (off_t)b->moved) != 8 || pread(b->fd, back + 8, 8, (off_t)(b->moved + tail)) != 8)
		return bench_fail(b, "what was written cannot be read", errno);
	if (word_at(back) != count - 1 || (tail && word_at(back + 8) != tail))
		return bench_fail(b, "the file does not hold what was written", 0);
	return true;
}

static bool truncate_empty(struct bench *b, uint64_t count)
{
	if (ftruncate(b->fd, 0))
		return bench_fail(b, "truncate", errno);
	return fill_buffer(b, count);
}

static bool append(struct bench *b, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		if (!write_at(b, i, i * b->argument))
			return false;
	}
	return true;
}

static bool append_sync(struct bench *b, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		if (!write_at(b, i, i * b->argument))
			return false;
		if (fsync(b->fd))
			return bench_fail(b, "fsync", errno);
	}
	return true;
}

static bool check_append(struct bench *b, uint64_t count)
{
	struct stat st;
	if (fstat(b->fd, &st))
		return bench_fail(b, "fstat", errno);
	if ((uint64_t)st.st_size != count * b->argument)
		return bench_fail(b, "the file has the wrong size", 0);
	return check_write(b, count);
}

/* ---- Sizes ---- */

static bool stat_open(struct bench *b, uint64_t count)
{
	struct stat st;
	for (uint64_t i = 0; i < count; i++) {
		if (fstat(b->fd, &st))
			return bench_fail(b, "fstat", errno);
	}
	return (uint64_t)st.st_size == data_bytes(b) || bench_fail(b, "fstat gave the wrong size", 0);
}

/* Down to one page and up to two: an operation is the pair. */
static bool truncate_pair(struct bench *b, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		if (ftruncate(b->fd, 4096) || ftruncate(b->fd, 8192))
			return bench_fail(b, "truncate", errno);
	}
	return true;
}

static bool check_truncate(struct bench *b, uint64_t count)
{
	struct stat st;
	uint64_t word = 1;
	(void)count;
	if (fstat(b->fd, &st) || st.st_size != 8192)
		return bench_fail(b, "the file has the wrong size", 0);
	if (pread(b->fd, &word, 8, 4096) != 8 || word)
		return bench_fail(b, "what a truncate cut off came back", 0);
	return true;
}

/* ---- Files that share blocks, where --rows asks for it: few file systems can ---- */

static bool open_source(struct bench *b)
{
	if (!bench_path(b, "bench.clone"))
		return false;
	strcpy(b->other, b->path);
	if (!bench_path(b, "bench.data"))
		return false;
	b->fd = open(b->path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (b->fd < 0)
		return bench_fail(b, b->path, errno);
	for (uint64_t at = 0; at < b->argument; at += BUFFER_BYTES) {
		fill(b->buffer, at, BUFFER_BYTES);
		ssize_t n = pwrite(b->fd, b->buffer, BUFFER_BYTES, (off_t)at);
		if (n != (ssize_t)BUFFER_BYTES)
			return bench_fail(b, "filling the data file", n < 0 ? errno : ENOSPC);
	}
	return true;
}

static bool clone_and_truncate(struct bench *b, uint64_t count)
{
	int clone = open(b->other, O_RDWR | O_CREAT | O_TRUNC, 0600);
	bool good = clone >= 0;
	for (uint64_t i = 0; i < count && good; i++)
		good = ftruncate(clone, 0) == 0 && ioctl(clone, FICLONE, b->fd) == 0;
	if (!good)
		bench_fail(b, "clone", errno);
	close(clone);
	return good;
}

static bool check_clone(struct bench *b, uint64_t count)
{
	int clone = open(b->other, O_RDONLY);
	bool good = true;
	(void)count;
	for (uint64_t at = 0; at < b->argument && good; at += BUFFER_BYTES)
		good = pread(clone, b->buffer, 4096, (off_t)at) == 4096 && word_at(b->buffer + 8) == at + 8;
	close(clone);
	return good || bench_fail(b, "the clone does not hold what its source does", 0);
}

static void close_source(struct bench *b)
{
	unlink(b->other);
	close_data(b);
}

#define DATA_ROW(name, text, bytes, n, before, work, after) \
	{ .id = name, .what = text, .argument = bytes, .count = n, .copy_bytes = bytes, \
	  .setup = open_data, .prepare = before, .body = work, .check = after, \
	  .teardown = close_data }
#define READ(name, text, bytes, n) \
	DATA_ROW("read_" name "_seq", "pread " text ", in order", bytes, n, spoil_buffer, read_sequential, check_read), \
	DATA_ROW("read_" name "_rand", "pread " text ", at random", bytes, n, spoil_buffer, read_random, check_read)
#define WRITE(name, text, bytes, n) \
	DATA_ROW("write_" name "_seq", "pwrite " text ", in order", bytes, n, fill_buffer, write_sequential, check_write), \
	DATA_ROW("write_" name "_rand", "pwrite " text ", at random", bytes, n, fill_buffer, write_random, check_write)

static const struct row rows[] = {
	READ("8", "8 B", 8, 2000),
	READ("4k", "4 KiB", 4096, 1000),
	READ("64k", "64 KiB", 65536, 200),
	READ("1m", "1 MiB", 1u << 20, 16),
	WRITE("8", "8 B", 8, 2000),
	WRITE("4k", "4 KiB", 4096, 1000),
	WRITE("64k", "64 KiB", 65536, 200),
	WRITE("1m", "1 MiB", 1u << 20, 16),
	{ .id = "write_4k_fsync", .what = "pwrite 4 KiB + fsync", .argument = 4096, .count = 500,
	  .copy_bytes = 4096, .setup = open_data, .prepare = fill_buffer, .body = write_sync,
	  .check = check_write, .teardown = close_data },
	{ .id = "append_4k", .what = "append 4 KiB", .argument = 4096, .count = 500, .copy_bytes = 4096,
	  .setup = open_empty, .prepare = truncate_empty, .body = append, .check = check_append,
	  .teardown = close_data },
	{ .id = "append_4k_fsync", .what = "append 4 KiB + fsync", .argument = 4096, .count = 500,
	  .copy_bytes = 4096, .setup = open_empty, .prepare = truncate_empty, .body = append_sync,
	  .check = check_append, .teardown = close_data },
	{ .id = "truncate", .what = "ftruncate down and up by a page", .argument = 4096, .count = 500,
	  .setup = open_data, .body = truncate_pair, .check = check_truncate, .teardown = close_data },
	{ .id = "fstat", .what = "fstat", .count = 2000, .setup = open_data, .body = stat_open,
	  .teardown = close_data },
	{ .id = "clone_64m", .what = "clone of 64 MiB, and truncate", .argument = 64u << 20, .count = 200, .slow = true,
	  .setup = open_source, .body = clone_and_truncate, .check = check_clone, .teardown = close_source },
};
const struct row_group data_rows = { rows, sizeof rows / sizeof rows[0] };
