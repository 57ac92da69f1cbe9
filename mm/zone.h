/* SPDX-License-Identifier: GPL-2.0-only */
/* zone.h - ranges of physical or device memory, each with one policy.
 * Units: base and length in bytes, multiples of PAGE_SIZE. Pages and extents are counted from
 * zone->start.
 * Owner: zones are static and never go away.
 * Locks: [z] zone->lock (rank ZONE)  [I] immutable after zone_add  [a] atomic.
 * Context: zone_add at boot or in a thread; the rest anywhere that may take a plain spin lock.
 * Z1  zones do not overlap. Z2  only ZONE_RAM has a buddy; the content of other kinds is never read
 *     by the kernel. */
#pragma once

#include <lintel/info.h>
#include "mm/extent.h"
#include "mm/port.h"

#define ZONES_MAX 64
#define ZONE_ORDERS 19u /* blocks of 4 KiB << 0..18: up to 1 GiB */

struct zone {
	struct spinlock lock;
	uint32_t kind;              /* [I] enum zone_kind */
	uint32_t index;             /* [I] */
	uint32_t node;              /* [I] NUMA node */
	uint64_t base;              /* [I] bytes */
	uint64_t bytes;             /* [I] */
	uint64_t start;             /* [I] base rounded down to 1 GiB: address of page 0 and extent 0 */
	uint32_t extents;           /* [I] */
	struct extent **chunk;      /* [I] the table; its entries [a], from NULL to a chunk, once */
	uint64_t chunks_made;       /* [a] */
	uint32_t list[ZONE_ORDERS]; /* [z] 0..8: SPLIT extents by largest free order; 9..18: FREE blocks */
	uint64_t managed_pages;     /* [z] that the buddy can hand out when all is free */
	uint64_t allocated_pages;   /* [z] handed out */
	uint64_t free_pages;        /* [z] in the lists; descriptors of SPLIT extents are not in it */
	uint64_t split_extents;     /* [z] */
	uint64_t used_pages;        /* [a] other kinds: pages of the VMO over it, while one is open */
	uint32_t opened;            /* [a] a zone VMO is open */
	char name[32];              /* [I] */
};

/* Register [base, +bytes). RAM zones start with nothing free: the caller gives them memory with
 * zone_populate(). Returns ERR_ARGS (misaligned, empty, overflow), ERR_EXISTS (Z1), ERR_LIMIT
 * (ZONES_MAX), ERR_NO_MEMORY. */
MUST_USE err_t zone_add(enum zone_kind kind, uint64_t base, uint64_t bytes, uint32_t node, const char *name,
	struct zone **out);
/* Hand [base, +bytes) of a RAM zone to its buddy; page-aligned, inside the zone, never given
 * before. ERR_NO_MEMORY, ERR_ARGS. The memory must be mapped (phys_to_virt): partly covered extents
 * keep their descriptors in it. */
MUST_USE err_t zone_populate(struct zone *zone, uint64_t base, uint64_t bytes);

/* Make the extent descriptors for [base, +bytes), so that zone_populate of it needs no memory.
 * ERR_NO_MEMORY, ERR_ARGS. */
MUST_USE err_t zone_reserve(struct zone *zone, uint64_t base, uint64_t bytes);

struct zone *zone_get(uint32_t index); /* NULL past the end */
uint32_t zone_count(void);
struct zone *zone_find(paddr_t address); /* NULL: in no zone */
void zone_info(struct zone *zone, struct info_zone *out);
bool zone_check(struct zone *zone); /* Z1, Z2, and every extent; takes the lock */
void zones_reset(void);             /* host tests: forget all zones */
