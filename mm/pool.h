/* SPDX-License-Identifier: GPL-2.0-only */
/* pool.h - kernel objects of one size, in slabs of frames that the kernel pays for.
 * Units: bytes. Objects are 16-byte aligned, 64-byte aligned when their size is a multiple of 64;
 * at most 8 KiB.
 * Owner: the pool is static; objects belong to who allocated them.
 * Locks: a magazine lock (this CPU's, rank POOL), then the pool's lock (rank POOL); one after the
 * other, never nested;
 *        frames are allocated and freed with neither held.
 * Context: threads; never from an interrupt.
 * P1  used + objects in magazines + objects free in slabs = slabs * objects_per_slab. */
#pragma once

#include "mm/port.h"

#define POOL_MAGAZINE 16u

struct pool_slab;

struct pool_magazine {
	struct spinlock lock;
	uint32_t count;              /* under lock */
	int64_t used;                /* allocated minus freed on this CPU; under lock */
	void *object[POOL_MAGAZINE]; /* under lock */
} ALIGNED(64);

struct pool {
	struct spinlock lock;
	const char *name;          /* [I] */
	uint32_t object_bytes;     /* [I] as asked, rounded up to the alignment */
	uint32_t slab_order;       /* [I] a slab is 2^slab_order pages */
	uint32_t first_offset;     /* [I] of the first object in a slab */
	uint32_t objects_per_slab; /* [I] */
	struct pool_slab *partial; /* under lock: slabs with a free object, the empty ones last */
	uint64_t slabs;            /* under lock */
	uint64_t slab_free;        /* under lock: objects free in slabs */
	struct pool *next;         /* all pools, for pools_reclaim */
	struct pool_magazine magazine[CPUS_MAX];
};

void pool_init(struct pool *pool, const char *name, size_t object_bytes);
void *pool_alloc(struct pool *pool); /* zeroed, or NULL: no memory */
void *pool_alloc_raw(struct pool *pool); /* content undefined */
void pool_free(struct pool *pool, void *object);
uint64_t pool_count(struct pool *pool); /* objects in use; exact when nobody allocates meanwhile */
void pools_reclaim(void);               /* empty all magazines, give all empty slabs back; any CPU may call it */
bool pool_check(struct pool *pool);     /* P1 */
