/* SPDX-License-Identifier: GPL-2.0-only */
/* pool.c - slabs with per-CPU magazines. See pool.h for P1.
 * A slab starts with its header; the header is found from an object by masking, because slabs are
 * aligned to their size (so is the direct map). Free objects of a slab are chained through their
 * first word. */
#include "mm/pool.h"
#include "mm/frame.h"

#define SLAB_ORDER_MAX 3u
#define SLAB_HEADER_BYTES 64u
#define REFILL (POOL_MAGAZINE / 2)

struct pool_slab {
	struct pool *pool;       /* [I] */
	struct pool_slab *next;  /* pool lock: among those with a free object */
	struct pool_slab **link; /* pool lock: what points here; NULL: in no list */
	void *free;              /* pool lock */
	uint32_t free_count;     /* pool lock */
};
_Static_assert(sizeof(struct pool_slab) <= SLAB_HEADER_BYTES, "objects start after the header");

static struct pool *pools; /* registered at boot, one CPU */

static uint64_t slab_bytes(const struct pool *pool)
{
	return PAGE_SIZE << pool->slab_order;
}

static void pool_register(struct pool *pool)
{
	for (struct pool *at = pools; at; at = at->next)
		if (at == pool)
			return;
	pool->next = pools;
	pools = pool;
}

void pool_init(struct pool *pool, const char *name, size_t object_bytes)
{
	uint32_t bytes = (uint32_t)((object_bytes + 15) & ~(size_t)15);
	struct pool *next = pool->next;
	uint32_t order = 0;

	ASSERT(object_bytes && object_bytes <= 8192);
	*pool = (struct pool){
		.name = name, .object_bytes = bytes, .first_offset = SLAB_HEADER_BYTES, .next = next
	};
	spin_init(&pool->lock, LOCK_RANK_POOL);
	for (uint32_t cpu = 0; cpu < CPUS_MAX; cpu++)
		spin_init(&pool->magazine[cpu].lock, LOCK_RANK_POOL);
	/* The smallest slab that wastes at most an eighth, if there is one. */
	while (order < SLAB_ORDER_MAX &&
		   ((PAGE_SIZE << order) - SLAB_HEADER_BYTES) % bytes > (PAGE_SIZE << order) / 8)
		order++;
	while ((PAGE_SIZE << order) - SLAB_HEADER_BYTES < bytes)
		order++;
	pool->slab_order = order;
	pool->objects_per_slab = (uint32_t)((slab_bytes(pool) - SLAB_HEADER_BYTES) / bytes);
	pool_register(pool);
}

static struct pool_slab *slab_of(const struct pool *pool, void *object)
{
	return (struct pool_slab *)((uintptr_t)object & ~(uintptr_t)(slab_bytes(pool) - 1));
}

static void slab_list(struct pool *pool, struct pool_slab *slab) TA_EXCL(pool->lock)
{
	slab->next = pool->partial;
	slab->link = &pool->partial;
	if (slab->next)
		slab->next->link = &slab->next;
	pool->partial = slab;
}

static void slab_unlist(struct pool_slab *slab)
{
	*slab->link = slab->next;
	if (slab->next)
		slab->next->link = slab->link;
	slab->link = NULL;
}

/* A new slab, all objects free; not in the list yet. */
static struct pool_slab *slab_create(struct pool *pool)
{
	struct pool_slab *slab;
	paddr_t run;

	if (frame_alloc_run(NULL, 1ull << pool->slab_order, &run) != OK)
		return NULL;
	slab = phys_to_virt(run);
	ASSERT(((uintptr_t)slab & (slab_bytes(pool) - 1)) == 0);
	*slab = (struct pool_slab){ .pool = pool, .free_count = pool->objects_per_slab };
	for (uint32_t i = pool->objects_per_slab; i-- > 0;) {
		void **object =
			(void **)((char *)slab + pool->first_offset + (uint64_t)i * pool->object_bytes);

		*object = slab->free;
		slab->free = object;
	}
	return slab;
}

static void slab_destroy(struct pool *pool, struct pool_slab *slab)
{
	frame_free_run(NULL, virt_to_phys(slab), 1ull << pool->slab_order);
}

/* Up to `want` objects out of slabs that exist. */
static uint32_t slabs_take(struct pool *pool, void **object, uint32_t want) TA_EXCL(pool->lock)
{
	uint32_t got = 0;

	while (got < want && pool->partial) {
		struct pool_slab *slab = pool->partial;

		object[got++] = slab->free;
		slab->free = *(void **)slab->free;
		pool->slab_free--;
		if (--slab->free_count == 0)
			slab_unlist(slab);
	}
	return got;
}

/* Objects back into their slabs. Slabs that become empty are unlisted and chained to *empty, but
 * for one kept. */
static void slabs_give(struct pool *pool, void **object, uint32_t count, bool keep_one,
	struct pool_slab **empty) TA_EXCL(pool->lock)
{
	for (uint32_t i = 0; i < count; i++) {
		struct pool_slab *slab = slab_of(pool, object[i]);

		ASSERT(slab->pool == pool && slab->free_count < pool->objects_per_slab);
		*(void **)object[i] = slab->free;
		slab->free = object[i];
		pool->slab_free++;
		if (slab->free_count++ == 0)
			slab_list(pool, slab);
		if (slab->free_count < pool->objects_per_slab)
			continue;
		if (keep_one && pool->slab_free < 2ull * pool->objects_per_slab)
			continue;
		slab_unlist(slab);
		pool->slabs--;
		pool->slab_free -= pool->objects_per_slab;
		slab->next = *empty;
		*empty = slab;
	}
}

static void slabs_destroy(struct pool *pool, struct pool_slab *empty)
{
	while (empty) {
		struct pool_slab *next = empty->next;

		slab_destroy(pool, empty);
		empty = next;
	}
}

/* One object, and some more for the magazine. */
static void *pool_refill(struct pool *pool, struct pool_magazine *magazine)
{
	void *object[REFILL];
	struct pool_slab *slab;
	struct pool_slab *empty = NULL;
	uint32_t got;

	spin_lock(&pool->lock);
	got = slabs_take(pool, object, REFILL);
	spin_unlock(&pool->lock);
	if (!got) {
		slab = slab_create(pool);
		if (!slab)
			return NULL;
		spin_lock(&pool->lock);
		slab_list(pool, slab);
		pool->slabs++;
		pool->slab_free += pool->objects_per_slab;
		got = slabs_take(pool, object, REFILL);
		spin_unlock(&pool->lock);
	}
	spin_lock(&magazine->lock);
	magazine->used++;
	while (got > 1 && magazine->count < POOL_MAGAZINE)
		magazine->object[magazine->count++] = object[--got];
	spin_unlock(&magazine->lock);
	if (got > 1) {
		spin_lock(&pool->lock);
		slabs_give(pool, object + 1, got - 1, true, &empty);
		spin_unlock(&pool->lock);
		slabs_destroy(pool, empty);
	}
	return object[0];
}

void *pool_alloc_raw(struct pool *pool)
{
	struct pool_magazine *magazine = &pool->magazine[cpu_current()];
	void *object = NULL;

	spin_lock(&magazine->lock);
	if (magazine->count) {
		object = magazine->object[--magazine->count];
		magazine->used++;
	}
	spin_unlock(&magazine->lock);
	return object ? object : pool_refill(pool, magazine);
}

void *pool_alloc(struct pool *pool)
{
	void *object = pool_alloc_raw(pool);

	if (object)
		__builtin_memset(object, 0, pool->object_bytes);
	return object;
}

void pool_free(struct pool *pool, void *object)
{
	struct pool_magazine *magazine = &pool->magazine[cpu_current()];
	struct pool_slab *empty = NULL;
	void *spill[REFILL];
	uint32_t count = 0;

	DASSERT(slab_of(pool, object)->pool == pool);
	spin_lock(&magazine->lock);
	if (magazine->count == POOL_MAGAZINE) {
		while (count < REFILL)
			spill[count++] = magazine->object[--magazine->count];
	}
	magazine->object[magazine->count++] = object;
	magazine->used--;
	spin_unlock(&magazine->lock);
	if (!count)
		return;
	spin_lock(&pool->lock);
	slabs_give(pool, spill, count, true, &empty);
	spin_unlock(&pool->lock);
	slabs_destroy(pool, empty);
}

uint64_t pool_count(struct pool *pool)
{
	int64_t used = 0;

	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++) {
		spin_lock(&pool->magazine[cpu].lock);
		used += pool->magazine[cpu].used;
		spin_unlock(&pool->magazine[cpu].lock);
	}
	return (uint64_t)used;
}

/* All slabs that are empty leave the list. */
static struct pool_slab *slabs_collect_empty(struct pool *pool) TA_EXCL(pool->lock)
{
	struct pool_slab *empty = NULL;
	struct pool_slab *next;

	for (struct pool_slab *slab = pool->partial; slab; slab = next) {
		next = slab->next;
		if (slab->free_count < pool->objects_per_slab)
			continue;
		slab_unlist(slab);
		pool->slabs--;
		pool->slab_free -= pool->objects_per_slab;
		slab->next = empty;
		empty = slab;
	}
	return empty;
}

static void pool_reclaim(struct pool *pool)
{
	struct pool_slab *empty = NULL;

	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++) {
		struct pool_magazine *magazine = &pool->magazine[cpu];
		void *object[POOL_MAGAZINE];
		uint32_t count;

		spin_lock(&magazine->lock);
		count = magazine->count;
		__builtin_memcpy(object, magazine->object, count * sizeof(object[0]));
		magazine->count = 0;
		spin_unlock(&magazine->lock);
		spin_lock(&pool->lock);
		slabs_give(pool, object, count, false, &empty);
		spin_unlock(&pool->lock);
	}
	slabs_destroy(pool, empty);
	spin_lock(&pool->lock);
	empty = slabs_collect_empty(pool);
	spin_unlock(&pool->lock);
	slabs_destroy(pool, empty);
}

void pools_reclaim(void)
{
	for (struct pool *pool = pools; pool; pool = pool->next)
		pool_reclaim(pool);
}

bool pool_check(struct pool *pool)
{
	uint64_t taken = pool_count(pool);
	uint64_t listed = 0;
	bool good;

	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++) {
		spin_lock(&pool->magazine[cpu].lock);
		taken += pool->magazine[cpu].count;
		spin_unlock(&pool->magazine[cpu].lock);
	}
	spin_lock(&pool->lock);
	for (struct pool_slab *slab = pool->partial; slab; slab = slab->next)
		listed += slab->free_count;
	good = listed == pool->slab_free && taken + listed == pool->slabs * pool->objects_per_slab;
	spin_unlock(&pool->lock);
	return good;
}
