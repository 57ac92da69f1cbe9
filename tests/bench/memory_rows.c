/* SPDX-License-Identifier: BSD-2-Clause */
/* memory_rows.c - anonymous memory: first touch, and unmapping of touched pages. The argument is
 * the pages of a mapping. */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE_BYTES 4096u
#define MAPS_MAX 64u

static void *maps[MAPS_MAX];
static uint64_t maps_used;

static void unmap_all(struct bench *b)
{
	for (uint64_t i = 0; i < maps_used; i++)
		munmap(maps[i], b->argument * PAGE_BYTES);
	maps_used = 0;
}

static bool map_fresh(struct bench *b, uint64_t count)
{
	unmap_all(b);
	if (count > MAPS_MAX)
		return bench_fail(b, "too many mappings at once", 0);
	for (; maps_used < count; maps_used++) {
		maps[maps_used] = mmap(NULL, b->argument * PAGE_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (maps[maps_used] == MAP_FAILED)
			return bench_fail(b, "mmap", errno);
	}
	return true;
}

/* Store to every page of every mapping; a fresh page reads as zero. */
static bool touch_all(struct bench *b, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		volatile uint64_t *word = maps[i];
		for (uint64_t page = 0; page < b->argument; page++) {
			b->moved += word[page * (PAGE_BYTES / 8)];
			word[page * (PAGE_BYTES / 8)] = 1;
		}
	}
	return true;
}

static bool check_zero(struct bench *b, uint64_t count)
{
	(void)count;
	return !b->moved || bench_fail(b, "fresh memory was not zero", 0);
}

static bool store_all(struct bench *b, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		volatile uint64_t *word = maps[i];
		for (uint64_t page = 0; page < b->argument; page++)
			word[page * (PAGE_BYTES / 8)] = 1;
	}
	return true;
}

static bool map_touched(struct bench *b, uint64_t count)
{
	return map_fresh(b, count) && store_all(b, count);
}

static bool unmap_each(struct bench *b, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		if (munmap(maps[i], b->argument * PAGE_BYTES))
			return bench_fail(b, "munmap", errno);
	}
	maps_used = 0;
	return true;
}

/* An operation: the whole mapping read-only, and writable again. */
static bool protect_flip(struct bench *b, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		void *memory = maps[0];
		if (mprotect(memory, b->argument * PAGE_BYTES, PROT_READ) ||
			mprotect(memory, b->argument * PAGE_BYTES, PROT_READ | PROT_WRITE))
			return bench_fail(b, "mprotect", errno);
	}
	return store_all(b, 1);
}

static bool one_touched(struct bench *b)
{
	return map_touched(b, 1);
}

static const struct row rows[] = {
	{ .id = "anon_fault", .what = "first touch of an anonymous page", .argument = 256, .count = 4,
	  .divide = 256, .prepare = map_fresh, .body = touch_all, .check = check_zero,
	  .teardown = unmap_all },
	{ .id = "munmap_1", .what = "munmap of 1 touched page", .argument = 1, .count = 32,
	  .prepare = map_touched, .body = unmap_each, .teardown = unmap_all },
	{ .id = "munmap_16", .what = "munmap of 16 touched pages", .argument = 16, .count = 32,
	  .prepare = map_touched, .body = unmap_each, .teardown = unmap_all },
	{ .id = "munmap_256", .what = "munmap of 256 touched pages", .argument = 256, .count = 8,
	  .prepare = map_touched, .body = unmap_each, .teardown = unmap_all },
	{ .id = "munmap_4096", .what = "munmap of 4096 touched pages", .argument = 4096, .count = 1,
	  .prepare = map_touched, .body = unmap_each, .teardown = unmap_all },
	{ .id = "mprotect_flip", .what = "mprotect of a page, to read-only and back", .argument = 1,
	  .count = 200, .setup = one_touched, .body = protect_flip, .teardown = unmap_all },
};
const struct row_group memory_rows = { rows, sizeof rows / sizeof rows[0] };
