/* SPDX-License-Identifier: BSD-2-Clause */
/* memory_rows.c - anonymous memory: first touch, and unmapping of touched pages, alone and while another thread of the
 * process runs on another CPU. The argument is the pages of a mapping. */
#include "bench.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE_BYTES 4096u
#define MAPS_MAX 2048u
#define LARGE_BYTES (2u << 20)
#define LARGE_PAGES (LARGE_BYTES / PAGE_BYTES)
#define TURN_WAITS 10000000u /* seconds */

static unsigned char *maps[MAPS_MAX];
static uint64_t maps_used;

static void unmap_all(struct bench *b)
{
	for (uint64_t i = 0; i < maps_used; i++)
		munmap(maps[i], b->argument * PAGE_BYTES);
	maps_used = 0;
}

/* A mapping that begins at a multiple of its own size, up to 2 MiB, and ends before a page that is
 * not mapped: systems merge neighbours, and unmapping a part of a whole is another operation. */
static bool map_apart(struct bench *b, unsigned char **memory)
{
	size_t bytes = b->argument * PAGE_BYTES, align = bytes < LARGE_BYTES ? PAGE_BYTES : LARGE_BYTES;
	unsigned char *all = mmap(NULL, bytes + align, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED)
		return bench_fail(b, "mmap", errno);
	size_t before = -(uintptr_t)all & (align - 1), after = align - before;
	if ((before && munmap(all, before)) || munmap(all + before + bytes, after))
		return bench_fail(b, "munmap of a part", errno);
	*memory = all + before;
	native_use_large_pages(*memory, bytes, b->argument == LARGE_PAGES);
	return true;
}

static bool map_fresh(struct bench *b, uint64_t count)
{
	unmap_all(b);
	if (count > MAPS_MAX)
		return bench_fail(b, "too many mappings at once", 0);
	for (; maps_used < count; maps_used++) {
		if (!map_apart(b, &maps[maps_used]))
			return false;
	}
	return true;
}

/* A fresh page reads as zero, but for the word that was stored. */
static bool check_zero(struct bench *b, uint64_t count)
{
	uint64_t sum = 0;
	for (uint64_t i = 0; i < count; i++) {
		const uint64_t *word = (const uint64_t *)(const void *)maps[i];
		for (uint64_t at = 0; at < b->argument * (PAGE_BYTES / 8); at++)
			sum += word[at];
	}
	return sum == count * b->argument || bench_fail(b, "fresh memory was not zero", 0);
}

static bool store_all(struct bench *b, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		volatile uint64_t *word = (volatile uint64_t *)(void *)maps[i];
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
	  .divide = 256, .prepare = map_fresh, .body = store_all, .check = check_zero,
	  .teardown = unmap_all },
	{ .id = "anon_fault_2m", .what = "first touch of 2 MiB, every page, per page", .argument = LARGE_PAGES,
	  .count = 4, .divide = LARGE_PAGES, .prepare = map_fresh, .body = store_all, .check = check_zero,
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

/* ---- munmap while another thread runs in the same space ---- */

static struct {
	pthread_t thread;
	bool running;
	volatile bool stop;
	volatile uint64_t turns;
} spinner;

static void *spin(void *unused)
{
	(void)unused;
	while (!spinner.stop)
		spinner.turns++;
	return NULL;
}

static bool start_spinner(struct bench *b)
{
	if (native_cpus() < 2)
		return bench_fail(b, "needs 2 CPUs", 0);
	spinner.stop = false;
	spinner.turns = 0;
	int error = pthread_create(&spinner.thread, NULL, spin, NULL);
	spinner.running = !error;
	if (error)
		return bench_fail(b, "pthread_create", error);
	while (!spinner.turns)
		sched_yield();
	return true;
}

static void stop_spinner(struct bench *b)
{
	unmap_all(b);
	spinner.stop = true;
	if (spinner.running)
		pthread_join(spinner.thread, NULL);
	spinner.running = false;
}

/* The other thread is at work on its CPU when the clock starts, and still is afterwards. */
static bool spinner_turns(struct bench *b)
{
	uint64_t before = spinner.turns;
	for (unsigned i = 0; i < TURN_WAITS && spinner.turns == before; i++)
		sched_yield();
	return spinner.turns != before || bench_fail(b, "the other thread does not run", 0);
}

static bool touched_beside_it(struct bench *b, uint64_t count)
{
	return map_touched(b, count) && spinner_turns(b);
}

static bool check_spinner(struct bench *b, uint64_t count)
{
	(void)count;
	return spinner_turns(b);
}

#define SHARED(name, text, pages, n) \
	{ \
		.id = name, .what = "munmap of " text ", 2 CPUs in the space", .argument = pages, .count = n, \
		.setup = start_spinner, .prepare = touched_beside_it, .body = unmap_each, .check = check_spinner, \
		.teardown = stop_spinner \
	}

static const struct row shared_rows[] = {
	SHARED("munmap_shared_1", "1 touched page", 1, 32),
	SHARED("munmap_shared_16", "16 touched pages", 16, 32),
	SHARED("munmap_shared_256", "256 touched pages", 256, 8),
	SHARED("munmap_shared_4096", "4096 touched pages", 4096, 1),
};
const struct row_group shared_space_rows = { shared_rows, sizeof shared_rows / sizeof shared_rows[0] };
