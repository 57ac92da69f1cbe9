/* SPDX-License-Identifier: BSD-2-Clause */
/* pmem_host.c - persistent memory as a buffer, for tests and host tools, with a recorder of stores in flight.
 * A store in flight is at most 8 bytes of one line. pm_write_back marks the stores to its lines so
 * far; the next fence makes the marked ones durable. Non-temporal stores are born marked. */
#include "pmem_host.h"

#include <stdlib.h>
#include <string.h>

struct store {
	uint64_t at;    /* byte offset; does not cross 8 bytes */
	uint8_t bytes;
	bool marked;
	uint8_t data[8];
};

struct pm_recorder {
	struct pmem *pm;
	uint8_t *durable;
	struct store *stores;
	size_t count;
	size_t room;
	uint64_t fences;
	void (*on_fence)(void *context);
	void *context;
};

static const struct pm_watch *watcher;

void pm_watch(const struct pm_watch *watch)
{
	watcher = watch;
}

static void watch_store(const struct pmem *pm, const void *to, const void *from, size_t bytes, bool non_temporal)
{
	if (watcher != NULL)
		watcher->store(watcher->context, (uint64_t)((const uint8_t *)to - pm->base), from, bytes, non_temporal);
}

void pm_init(struct pmem *pm, void *base, uint64_t bytes)
{
	*pm = (struct pmem) { .base = base, .bytes = bytes };
}

const char *pm_describe(void)
{
	return "host buffer";
}

struct pm_recorder *pm_record(struct pmem *pm)
{
	struct pm_recorder *recorder = calloc(1, sizeof(*recorder));

	if (recorder == NULL)
		return NULL;
	recorder->pm = pm;
	recorder->durable = malloc(pm->bytes);
	if (recorder->durable == NULL) {
		free(recorder);
		return NULL;
	}
	memcpy(recorder->durable, pm->base, pm->bytes);
	pm->recorder = recorder;
	return recorder;
}

void pm_record_end(struct pmem *pm)
{
	struct pm_recorder *recorder = pm->recorder;

	pm->recorder = NULL;
	if (recorder == NULL)
		return;
	free(recorder->stores);
	free(recorder->durable);
	free(recorder);
}

void pm_record_on_fence(struct pm_recorder *recorder, void (*call)(void *context), void *context)
{
	recorder->on_fence = call;
	recorder->context = context;
}

uint64_t pm_record_fences(const struct pm_recorder *recorder)
{
	return recorder->fences;
}

/* Remember what was just stored at [to, to + bytes). */
static void record(struct pmem *pm, const uint8_t *to, size_t bytes, bool marked)
{
	struct pm_recorder *recorder = pm->recorder;
	uint64_t at = (uint64_t)(to - pm->base);

	if (at > pm->bytes || bytes > pm->bytes - at)
		abort();
	while (recorder != NULL && bytes != 0) {
		size_t n = 8 - (at & 7);
		if (n > bytes)
			n = bytes;
		if (recorder->count == recorder->room) {
			recorder->room = recorder->room * 2 + 1024;
			recorder->stores = realloc(recorder->stores, recorder->room * sizeof(struct store));
			if (recorder->stores == NULL)
				abort();
		}
		struct store *store = &recorder->stores[recorder->count++];
		*store = (struct store) { .at = at, .bytes = (uint8_t)n, .marked = marked };
		memcpy(store->data, pm->base + at, n);
		at += n;
		bytes -= n;
	}
}

void pm_store(struct pmem *pm, void *to, const void *from, size_t bytes)
{
	watch_store(pm, to, from, bytes, false);
	memcpy(to, from, bytes);
	record(pm, to, bytes, false);
}

void pm_store_u64(struct pmem *pm, uint64_t *to, uint64_t value)
{
	watch_store(pm, to, &value, 8, false);
	__atomic_store_n(to, value, __ATOMIC_RELEASE);
	record(pm, (const uint8_t *)to, 8, false);
}

void pm_store_word(struct pmem *pm, uint64_t *to, uint64_t value)
{
	pm_store_u64(pm, to, value);
	pm_write_back(pm, to, 8);
}

void pm_store_nt(struct pmem *pm, void *to, const void *from, size_t bytes)
{
	watch_store(pm, to, from, bytes, true);
	memcpy(to, from, bytes);
	record(pm, to, bytes, true);
}

void pm_store_lines(struct pmem *pm, void *to, const void *from, size_t bytes)
{
	if ((uintptr_t)to % PMEM_LINE != 0 || bytes % PMEM_LINE != 0)
		abort();
	pm_store_nt(pm, to, from, bytes);
}

void pm_zero_nt(struct pmem *pm, void *to, size_t bytes)
{
	watch_store(pm, to, NULL, bytes, true);
	memset(to, 0, bytes);
	record(pm, to, bytes, true);
}

void pm_write_back(struct pmem *pm, const void *at, size_t bytes)
{
	struct pm_recorder *recorder = pm->recorder;
	const uint64_t from = (uint64_t)((const uint8_t *)at - pm->base) & ~(uint64_t)(PMEM_LINE - 1);
	const uint64_t to = (uint64_t)((const uint8_t *)at - pm->base) + bytes;

	if (watcher != NULL)
		watcher->write_back(watcher->context, (uint64_t)((const uint8_t *)at - pm->base), bytes);
	for (size_t i = 0; recorder != NULL && i < recorder->count; i++) {
		const uint64_t line = recorder->stores[i].at & ~(uint64_t)(PMEM_LINE - 1);
		if (line >= from && line < to)
			recorder->stores[i].marked = true;
	}
}

void pm_fence(struct pmem *pm)
{
	struct pm_recorder *recorder = pm->recorder;
	size_t kept = 0;

	if (watcher != NULL)
		watcher->fence(watcher->context);
	if (recorder == NULL)
		return;
	if (recorder->on_fence != NULL)
		recorder->on_fence(recorder->context);
	recorder->fences++;
	for (size_t i = 0; i < recorder->count; i++) {
		struct store *store = &recorder->stores[i];
		if (store->marked)
			memcpy(recorder->durable + store->at, store->data, store->bytes);
		else
			recorder->stores[kept++] = *store;
	}
	recorder->count = kept;
}

static uint64_t random_next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Whether store i arrives: each line has a random number of its stores, in order. Lines are told
 * apart by a hash; two lines that meet in it share a prefix length, which is one of the possible states. */
#define LINE_CLASSES 4096

void pm_crash_image(struct pm_recorder *recorder, enum pm_crash how, uint64_t *seed, uint8_t *image)
{
	static uint32_t allowed[LINE_CLASSES];

	memcpy(image, recorder->durable, recorder->pm->bytes);
	for (size_t i = 0; i < LINE_CLASSES; i++) {
		uint64_t r = random_next(seed);
		allowed[i] = r % 3 == 0 ? 0 : r % 3 == 1 ? UINT32_MAX : (uint32_t)(r >> 32) % 17;
	}
	for (size_t i = 0; i < recorder->count && how != PM_CRASH_NONE; i++) {
		const struct store *store = &recorder->stores[i];
		uint32_t *left = &allowed[(store->at / PMEM_LINE * 0x9e3779b97f4a7c15ull) >> 52];
		if (how == PM_CRASH_RANDOM && *left == 0)
			continue;
		memcpy(image + store->at, store->data, store->bytes);
		if (how == PM_CRASH_RANDOM && *left != UINT32_MAX)
			--*left;
	}
}
