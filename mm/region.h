/* SPDX-License-Identifier: GPL-2.0-only */
/* region.h - a contiguous span of one space that shows a part of one VMO, and the table of a
 * space's regions.
 *
 * The table is an immutable sorted array, replaced as a whole by map, unmap and protect and
 * published by one store. Faults read it without a lock, under the space's per-CPU sequence
 * (space.h, S2). A region never changes once published.
 * Units: addresses and lengths in bytes, multiples of PAGE_SIZE.
 * Owner: the space owns its regions; a region holds a reference on its VMO (never a slice: those
 * are resolved).
 * Locks: [s] space->lock  [v] vmo->lock  [I] immutable.
 * R1  regions of a table are sorted and disjoint; guard pages of neighbours may touch but hold no
 *     region.
 * R2  a region is in its VMO's list from before it is published until after its translations are
 *     gone. */
#pragma once

#include "mm/vmo.h"

struct space;

#define REGIONS_MAX 32768u /* a space's ceiling: ERR_LIMIT */

struct region {
	uint64_t base;            /* [I] */
	uint64_t bytes;           /* [I] */
	uint64_t offset;          /* [I] in the VMO */
	struct vmo *vmo;          /* [I] */
	struct space *space;      /* [I] */
	uint32_t flags;           /* [I] SPACE_READ, SPACE_WRITE, SPACE_EXECUTE, SPACE_GUARD, SPACE_LARGE */
	uint32_t max_rights;      /* [I] RIGHT_READ, RIGHT_WRITE, RIGHT_EXECUTE: what space_protect may give */
	struct region *vmo_next;  /* [v] */
	struct region **vmo_link; /* [v] what points here; NULL: in no list */
};

struct region_table {
	uint32_t count;
	uint32_t capacity;
	uint64_t pages; /* of frames it lies in; 0: a pool object */
	struct region *region[];
};

/* The region that holds `address`, or NULL. `table` may be NULL. */
struct region *region_find(const struct region_table *table, uint64_t address);
/* Index of the first region whose end is past `address` (count: none). */
uint32_t region_index(const struct region_table *table, uint64_t address);
/* Is [base, +bytes) free of regions and of their guard pages (and, with `guard`, one page around it
 * too)? */
bool region_is_free(const struct region_table *table, uint64_t base, uint64_t bytes, bool guard);
/* The lowest free place at or above `from`, below USER_END, outside the window slot, for which
 * (address - skew) is a multiple of `alignment`. ERR_NO_MEMORY: the space is full. */
MUST_USE err_t region_find_gap(const struct region_table *table, uint64_t from, uint64_t bytes, uint64_t alignment,
	uint64_t skew, bool guard, uint64_t *out);

/* A region in its VMO's list, holding a reference on it. ERR_NO_MEMORY. */
MUST_USE err_t region_create(struct space *space, uint64_t base, uint64_t bytes, struct vmo *vmo, uint64_t offset,
	uint32_t flags, uint32_t max_rights, struct region **out);
void region_unlist(struct region *region);  /* out of the VMO's list; waits for a revocation that walks it */
void region_destroy(struct region *region); /* unlists, drops the VMO, frees */
uint64_t region_count(void);                /* of all spaces */

/* The kernel pays, so that a process at its ceiling can still unmap. ERR_LIMIT (REGIONS_MAX),
 * ERR_NO_MEMORY. */
MUST_USE err_t region_table_create(uint32_t capacity, struct region_table **out);
void region_table_destroy(struct region_table *table);     /* NULL is allowed */
bool region_table_check(const struct region_table *table); /* R1 */
void region_init_pools(void);
