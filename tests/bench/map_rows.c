/* SPDX-License-Identifier: BSD-2-Clause */
/* map_rows.c - mapped files: the price of touching a page for the first time, and of making
 * stores durable. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_BYTES 4096u
#define MAP_PAGES 512u
#define MAP_BYTES (MAP_PAGES * PAGE_BYTES)

/* Every page begins with its number + 1. */
static bool open_pages(struct bench *b)
{
	if (!bench_path(b, "bench.map"))
		return false;
	b->fd = open(b->path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (b->fd < 0)
		return bench_fail(b, b->path, errno);
	memset(b->buffer, 0, PAGE_BYTES);
	for (uint64_t page = 0; page < MAP_PAGES; page++) {
		uint64_t number = page + 1;
		memcpy(b->buffer, &number, 8);
		if (pwrite(b->fd, b->buffer, PAGE_BYTES, (off_t)(page * PAGE_BYTES)) != (ssize_t)PAGE_BYTES)
			return bench_fail(b, "filling the file", errno);
	}
	return true;
}

/* ---- A large file, its mapping aligned: systems may use 2 MiB leaves ---- */

#define LARGE_BYTES (2u << 20)
#define LARGE_COUNT 4u
#define LARGE_FILE_BYTES (LARGE_COUNT * LARGE_BYTES)
#define LARGE_PAGES (LARGE_FILE_BYTES / PAGE_BYTES)

static unsigned char *large; /* the mapping */

static bool open_large(struct bench *b)
{
	if (!bench_path(b, "bench.large"))
		return false;
	b->fd = open(b->path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (b->fd < 0)
		return bench_fail(b, b->path, errno);
	native_reserve(b->fd, LARGE_FILE_BYTES);
	for (uint64_t at = 0; at < LARGE_FILE_BYTES; at += BUFFER_BYTES) {
		memset(b->buffer, 0, BUFFER_BYTES);
		for (uint64_t page = 0; page < BUFFER_BYTES / PAGE_BYTES; page++)
			b->buffer[page * PAGE_BYTES] = 1;
		if (pwrite(b->fd, b->buffer, BUFFER_BYTES, (off_t)at) != (ssize_t)BUFFER_BYTES)
			return bench_fail(b, "filling the file", errno);
	}
	return true;
}

static void unmap_large(void)
{
	if (large)
		munmap(large, LARGE_FILE_BYTES);
	large = NULL;
}

static void close_large(struct bench *b)
{
	unmap_large();
	if (b->fd >= 0) {
		close(b->fd);
		unlink(b->path);
	}
}

/* At an address that is a multiple of 2 MiB. */
static bool map_large(struct bench *b, uint64_t count)
{
	(void)count;
	unmap_large();
	unsigned char *all = mmap(NULL, LARGE_FILE_BYTES + LARGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED)
		return bench_fail(b, "mmap", errno);
	size_t before = -(uintptr_t)all & (LARGE_BYTES - 1);
	if (munmap(all, LARGE_FILE_BYTES + LARGE_BYTES))
		return bench_fail(b, "munmap", errno);
	void *memory = mmap(all + before, LARGE_FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, b->fd, 0);
	if (memory == MAP_FAILED)
		return bench_fail(b, "mmap of a file", errno);
	large = memory;
	return true;
}

static bool touch_large(struct bench *b, uint64_t count)
{
	(void)count;
	for (uint64_t at = 0; at < LARGE_FILE_BYTES; at += PAGE_BYTES)
		b->moved += *(const volatile unsigned char *)(large + at);
	return true;
}

static bool check_large(struct bench *b, uint64_t count)
{
	(void)count;
	return b->moved == LARGE_PAGES || bench_fail(b, "the mapping does not show the file", 0);
}

static void unmap(struct bench *b)
{
	if (b->memory)
		munmap(b->memory, MAP_BYTES);
	b->memory = NULL;
}

static void close_pages(struct bench *b)
{
	unmap(b);
	if (b->fd >= 0) {
		close(b->fd);
		unlink(b->path);
	}
}

/* A fresh mapping, none of whose pages has been touched. */
static bool map_fresh(struct bench *b, uint64_t count)
{
	(void)count;
	unmap(b);
	void *memory = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, 0);
	if (memory == MAP_FAILED)
		return bench_fail(b, "mmap of a file", errno);
	b->memory = memory;
	return true;
}

static bool map_once(struct bench *b)
{
	return open_pages(b) && map_fresh(b, 0);
}

static bool touch_read(struct bench *b, uint64_t count)
{
	const volatile uint64_t *word = b->memory;
	(void)count;
	for (uint64_t page = 0; page < MAP_PAGES; page++)
		b->moved += word[page * (PAGE_BYTES / 8)];
	return true;
}

static bool check_read(struct bench *b, uint64_t count)
{
	(void)count;
	return b->moved == (uint64_t)MAP_PAGES * (MAP_PAGES + 1) / 2 ||
		   bench_fail(b, "the mapping does not show the file", 0);
}

static bool touch_write(struct bench *b, uint64_t count)
{
	volatile uint64_t *word = b->memory;
	(void)count;
	for (uint64_t page = 0; page < MAP_PAGES; page++)
		word[page * (PAGE_BYTES / 8)] = page + 1;
	return true;
}

/* What was stored in the mapping is what a read gives. */
static bool check_file(struct bench *b, uint64_t count)
{
	uint64_t word;
	(void)count;
	for (uint64_t page = 0; page < MAP_PAGES; page++) {
		if (pread(b->fd, &word, 8, (off_t)(page * PAGE_BYTES)) != 8)
			return bench_fail(b, "reading the file back", errno);
		if (word != page + 1)
			return bench_fail(b, "the file does not show the stores", 0);
	}
	return true;
}

/* One word and one page at a time. */
static bool store_sync(struct bench *b, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t page = i % MAP_PAGES;
		unsigned char *at = (unsigned char *)b->memory + page * PAGE_BYTES;
		*(volatile uint64_t *)(void *)at = page + 1;
		if (msync(at, PAGE_BYTES, MS_SYNC))
			return bench_fail(b, "msync", errno);
	}
	return true;
}

/* A file as a data base has it: mapped whole, and a few bytes of it are new. All of it has been stored to and made
 * durable once. */
static bool map_and_sync(struct bench *b)
{
	if (!open_large(b) || !map_large(b, 0))
		return false;
	for (uint64_t at = 0; at < LARGE_FILE_BYTES; at += PAGE_BYTES)
		*(volatile unsigned char *)(large + at) = 1;
	return fsync(b->fd) == 0 || bench_fail(b, "fsync", errno);
}

/* One page of it at a time, far from the one before. */
static uint64_t nth_page(uint64_t i)
{
	return i * 517 % LARGE_PAGES * PAGE_BYTES;
}

static bool store_fsync(struct bench *b, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		*(volatile unsigned char *)(large + nth_page(i)) = (unsigned char)(i + 2);
		if (fsync(b->fd))
			return bench_fail(b, "fsync", errno);
	}
	return true;
}

static bool check_stores(struct bench *b, uint64_t count)
{
	unsigned char byte;
	for (uint64_t i = 0; i < count; i++) {
		if (pread(b->fd, &byte, 1, (off_t)nth_page(i)) != 1 || byte != (unsigned char)(i + 2))
			return bench_fail(b, "the file does not show the stores", 0);
	}
	return true;
}

static const struct row rows[] = {
	{ .id = "map_read_fault", .what = "first read of a mapped page", .count = 1,
	  .divide = MAP_PAGES, .setup = open_pages, .prepare = map_fresh, .body = touch_read,
	  .check = check_read, .teardown = close_pages },
	{ .id = "map_write_fault", .what = "first store to a mapped page", .count = 1,
	  .divide = MAP_PAGES, .setup = open_pages, .prepare = map_fresh, .body = touch_write,
	  .check = check_file, .teardown = close_pages },
	{ .id = "map_read_2m", .what = "first read of 8 MiB, aligned, every page, per page", .count = 1,
	  .divide = LARGE_PAGES, .setup = open_large, .prepare = map_large, .body = touch_large,
	  .check = check_large, .teardown = close_large },
	{ .id = "map_store_msync", .what = "store to a mapped page + msync", .count = 500,
	  .setup = map_once, .body = store_sync, .check = check_file, .teardown = close_pages },
	{ .id = "map_store_fsync_8m", .what = "store to a page of 8 MiB, mapped + fsync", .count = 50,
	  .setup = map_and_sync, .body = store_fsync, .check = check_stores, .teardown = close_large },
};
const struct row_group map_rows = { rows, sizeof rows / sizeof rows[0] };
