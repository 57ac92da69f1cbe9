/* SPDX-License-Identifier: GPL-2.0-only */
/* frame.c - frames with per-CPU caches in front of the zones.
 * A cache lock and a zone lock have the same rank and are never held together: batches cross
 * through a local array.
 * F2  a frame in a cache counts as allocated in its zone; frame_free_count adds the caches up. */
#include "mm/frame.h"
#include "mm/buddy.h"

#define CACHE_FRAMES 64u
#define BATCH_ORDER 5u
_Static_assert(1u << BATCH_ORDER == FRAME_BATCH && FRAME_BATCH <= CACHE_FRAMES, "a batch is a block, if there is one");

struct frame_cache {
	struct spinlock lock;
	uint32_t count;               /* under lock */
	uint32_t node;                /* [I] after boot */
	int64_t kernel_pages;         /* [a] allocated minus freed here with account NULL */
	uint64_t frame[CACHE_FRAMES]; /* under lock */
} ALIGNED(64);

static struct frame_cache frame_caches[CPUS_MAX] = {
	[0 ... CPUS_MAX - 1] = { .lock = SPINLOCK_INIT(LOCK_RANK_ZONE) },
};

static struct frame_cache *cache_here(void)
{
	return &frame_caches[cpu_current()];
}

static void kernel_pages_add(struct account *account, int64_t pages)
{
	if (!account)
		__atomic_fetch_add(&cache_here()->kernel_pages, pages, __ATOMIC_RELAXED);
}

/* From the zones of this CPU's node first, then from any other: what take() gets from the first that has some. */
static uint32_t zones_take(uint32_t (*take)(struct zone *zone, uint32_t order, uint64_t *frame), uint32_t order,
	uint64_t *frame)
{
	uint32_t node = cache_here()->node;
	uint32_t count = zone_count();
	uint32_t got = 0;

	for (uint32_t pass = 0; pass < 2 && !got; pass++) {
		for (uint32_t i = 0; i < count && !got; i++) {
			struct zone *zone = zone_get(i);

			if (zone->kind == ZONE_RAM && (zone->node == node) == (pass == 0))
				got = take(zone, order, frame);
		}
	}
	return got;
}

/* One block. */
static uint32_t take_block(struct zone *zone, uint32_t order, uint64_t *block)
{
	uint64_t page;

	spin_lock(&zone->lock);
	page = buddy_alloc(zone, order);
	spin_unlock(&zone->lock);
	*block = zone->start + (page << PAGE_SHIFT);
	return page != BUDDY_NONE;
}

/* Up to 2^order frames, in blocks as large as the fullest extents have, the highest of each first. */
static uint32_t take_frames(struct zone *zone, uint32_t order, uint64_t *frame)
{
	uint32_t got = 0;

	spin_lock(&zone->lock);
	while (got < 1u << order) {
		uint32_t at = order;
		uint64_t page;

		while (1u << at > (1u << order) - got)
			at--;
		page = buddy_alloc_up_to(zone, at, &at);
		if (page == BUDDY_NONE)
			break;
		for (uint32_t i = 1u << at; i-- > 0;)
			frame[got++] = zone->start + ((page + i) << PAGE_SHIFT);
	}
	spin_unlock(&zone->lock);
	return got;
}

/* Give [page, +pages) back in the largest aligned blocks. */
static void range_give(struct zone *zone, uint64_t page, uint64_t pages) TA_EXCL(zone->lock)
{
	while (pages) {
		uint32_t order = page ? (uint32_t)__builtin_ctzll(page) : ZONE_ORDERS - 1;

		if (order >= ZONE_ORDERS)
			order = ZONE_ORDERS - 1;
		while (1ull << order > pages)
			order--;
		buddy_free(zone, page, order);
		page += 1ull << order;
		pages -= 1ull << order;
	}
}

/* How many of the frames are neighbours, each next to the one before it, up or down as the first two are. */
static uint32_t neighbours(const uint64_t *frame, uint32_t count)
{
	uint64_t step = count > 1 ? frame[1] - frame[0] : 0;
	uint32_t run = 1;

	if (step != PAGE_SIZE && step != -(uint64_t)PAGE_SIZE)
		return 1;
	while (run < count && frame[run] - frame[run - 1] == step)
		run++;
	return run;
}

static void zones_give(const uint64_t *frame, uint32_t count) TA_NONE
{
	struct zone *held = NULL;
	uint32_t run;

	for (uint32_t i = 0; i < count; i += run) {
		struct zone *zone = zone_find(PADDR(frame[i]));
		uint64_t lowest;

		ASSERT(zone && zone->kind == ZONE_RAM);
		run = neighbours(&frame[i], count - i);
		lowest = frame[i] < frame[i + run - 1] ? frame[i] : frame[i + run - 1];
		if (zone != held) {
			if (held)
				spin_unlock(&held->lock);
			held = zone;
			spin_lock(&held->lock);
		}
		range_give(zone, (lowest - zone->start) >> PAGE_SHIFT, run);
	}
	if (held)
		spin_unlock(&held->lock);
}

void frame_caches_drain(void)
{
	uint64_t frame[CACHE_FRAMES];

	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++) {
		struct frame_cache *cache = &frame_caches[cpu];
		uint32_t count;

		spin_lock(&cache->lock);
		count = cache->count;
		__builtin_memcpy(frame, cache->frame, count * sizeof(frame[0]));
		cache->count = 0;
		spin_unlock(&cache->lock);
		zones_give(frame, count);
	}
}

/* Refill this CPU's cache and return one frame; false: no memory anywhere. */
static bool cache_refill(uint64_t *out)
{
	struct frame_cache *cache = cache_here();
	uint64_t frame[FRAME_BATCH];
	uint32_t got = zones_take(take_frames, BATCH_ORDER, frame);

	if (!got) {
		frame_caches_drain();
		got = zones_take(take_frames, 0, frame);
	}
	if (!got)
		return false;
	*out = frame[--got];
	spin_lock(&cache->lock);
	while (got && cache->count < CACHE_FRAMES)
		cache->frame[cache->count++] = frame[--got];
	spin_unlock(&cache->lock);
	zones_give(frame, got);
	return true;
}

static bool frame_take(uint64_t *out)
{
	struct frame_cache *cache = cache_here();
	bool hit;

	spin_lock(&cache->lock);
	hit = cache->count > 0;
	if (hit)
		*out = cache->frame[--cache->count];
	spin_unlock(&cache->lock);
	return hit || cache_refill(out);
}

static void frame_put(uint64_t frame)
{
	struct frame_cache *cache = cache_here();
	uint64_t batch[FRAME_BATCH];
	uint32_t count = 0;

	spin_lock(&cache->lock);
	if (cache->count == CACHE_FRAMES) {
		while (count < FRAME_BATCH)
			batch[count++] = cache->frame[--cache->count];
	}
	cache->frame[cache->count++] = frame;
	spin_unlock(&cache->lock);
	zones_give(batch, count);
}

err_t frame_alloc(struct account *account, paddr_t *out)
{
	uint64_t frame;
	err_t err = account_charge(account, 1);

	if (err != OK)
		return err;
	if (!frame_take(&frame)) {
		account_release(account, 1);
		return ERR_NO_MEMORY;
	}
	kernel_pages_add(account, 1);
	*out = PADDR(frame);
	return OK;
}

void frame_zero(paddr_t frame)
{
	__builtin_memset(phys_to_virt(frame), 0, PAGE_SIZE);
}

err_t frame_alloc_zeroed(struct account *account, paddr_t *out)
{
	err_t err = frame_alloc(account, out);

	if (err == OK)
		frame_zero(*out);
	return err;
}

void frame_free(struct account *account, paddr_t frame)
{
	DASSERT(!(frame.v & PAGE_MASK));
	frame_put(frame.v);
	account_release(account, 1);
	kernel_pages_add(account, -1);
}

void frame_free_batch(struct account *account, const uint64_t *frame, uint32_t count)
{
	struct frame_cache *cache = cache_here();
	uint32_t left = count;

	spin_lock(&cache->lock);
	while (left && cache->count < CACHE_FRAMES)
		cache->frame[cache->count++] = frame[--left];
	spin_unlock(&cache->lock);
	zones_give(frame, left);
	account_release(account, count);
	kernel_pages_add(account, -(int64_t)count);
}

static uint32_t run_order(uint64_t pages)
{
	return pages <= 1 ? 0 : 64 - (uint32_t)__builtin_clzll(pages - 1);
}

uint64_t frame_run_pages(uint64_t pages)
{
	if (run_order(pages) < EXTENT_ORDER)
		return pages;
	return (pages + EXTENT_PAGES - 1) & ~(uint64_t)(EXTENT_PAGES - 1);
}

static void run_give(uint64_t first, uint64_t pages)
{
	struct zone *zone = zone_find(PADDR(first));

	ASSERT(zone && zone->kind == ZONE_RAM);
	spin_lock(&zone->lock);
	range_give(zone, (first - zone->start) >> PAGE_SHIFT, pages);
	spin_unlock(&zone->lock);
}

err_t frame_alloc_run(struct account *account, uint64_t pages, paddr_t *out)
{
	uint32_t order = run_order(pages);
	uint64_t taken = frame_run_pages(pages);
	uint64_t block;
	err_t err;

	if (!pages || order >= ZONE_ORDERS)
		return ERR_ARGS;
	err = account_charge(account, taken);
	if (err != OK)
		return err;
	if (!zones_take(take_block, order, &block)) {
		frame_caches_drain();
		if (!zones_take(take_block, order, &block)) {
			account_release(account, taken);
			return ERR_NO_MEMORY;
		}
	}
	if (taken < 1ull << order)
		run_give(block + (taken << PAGE_SHIFT), (1ull << order) - taken);
	kernel_pages_add(account, (int64_t)taken);
	*out = PADDR(block);
	return OK;
}

void frame_free_run(struct account *account, paddr_t first, uint64_t pages)
{
	uint64_t taken = frame_run_pages(pages);

	run_give(first.v, taken);
	account_release(account, taken);
	kernel_pages_add(account, -(int64_t)taken);
}

err_t frame_alloc_large(struct account *account, paddr_t *out)
{
	return frame_alloc_run(account, EXTENT_PAGES, out);
}

void frame_free_large(struct account *account, paddr_t frame)
{
	frame_free_run(account, frame, EXTENT_PAGES);
}

static uint64_t zones_sum(uint64_t *managed)
{
	uint64_t free = 0;

	*managed = 0;
	for (uint32_t i = 0; i < zone_count(); i++) {
		struct zone *zone = zone_get(i);

		spin_lock(&zone->lock);
		free += zone->managed_pages - zone->allocated_pages;
		*managed += zone->managed_pages;
		spin_unlock(&zone->lock);
	}
	return free;
}

uint64_t frame_free_count(void)
{
	uint64_t managed;
	uint64_t free = zones_sum(&managed);

	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++) {
		struct frame_cache *cache = &frame_caches[cpu];

		spin_lock(&cache->lock);
		free += cache->count;
		spin_unlock(&cache->lock);
	}
	return free;
}

uint64_t frame_managed_count(void)
{
	uint64_t managed;

	zones_sum(&managed);
	return managed;
}

uint64_t frame_kernel_count(void)
{
	int64_t sum = 0;

	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++)
		sum += __atomic_load_n(&frame_caches[cpu].kernel_pages, __ATOMIC_RELAXED);
	return (uint64_t)sum;
}

void frame_set_cpu_node(uint32_t cpu, uint32_t node)
{
	ASSERT(cpu < CPUS_MAX);
	frame_caches[cpu].node = node;
}

bool frame_check(void)
{
	bool good = true;

	for (uint32_t i = 0; i < zone_count(); i++)
		good = zone_check(zone_get(i)) && good;
	return good && frame_free_count() <= frame_managed_count() &&
		   frame_kernel_count() <= frame_managed_count() - frame_free_count();
}
