/* SPDX-License-Identifier: GPL-2.0-only */
/* extent.h - the descriptor of 2 MiB of a zone, and the page descriptors that it is split into on
 * demand.
 *
 * An extent costs 32 bytes: 16 MiB a TiB. Only when its pages differ (some allocated, some free,
 * some not memory at all) is it SPLIT: one page of the extent itself then holds 512 page
 * descriptors of 8 bytes. So a split needs no memory from elsewhere and cannot fail; when all other
 * pages are free again, the page goes back and the extent is whole.
 *
 *   HOLE --(never changes)
 *   FREE <-- buddy_free / buddy_alloc --> ALLOCATED          whole 2 MiB
 *   FREE -- extent_split --> SPLIT -- extent_join --> FREE   4 KiB .. 1 MiB blocks inside
 *
 * Descriptors lie in chunks of 128 (one page); a zone's chunks are made when first needed, so that
 * registering a zone costs 8 bytes per 256 MiB. A chunk that is not there means: 128 extents in the
 * state HOLE.
 * Locks: all under zone->lock. */
#pragma once

#include "mm/port.h"

#define EXTENT_SHIFT 21
#define EXTENT_PAGES 512u
#define EXTENT_ORDER 9u        /* log2 of EXTENT_PAGES */
#define EXTENT_NONE UINT32_MAX /* end of a list of extents */
#define PAGE_NONE UINT16_MAX   /* end of a list of pages within an extent */
#define EXTENT_CHUNK 128u      /* extents a chunk */

enum extent_state {
	EXTENT_HOLE = 0,      /* no memory, or memory that the buddy does not manage (PMEM, devices) */
	EXTENT_FREE = 1,      /* first extent of a free block of 2^order pages; in the zone's list `order` */
	EXTENT_FREE_PART = 2, /* inside such a block */
	EXTENT_ALLOCATED = 3, /* handed out whole */
	EXTENT_SPLIT = 4,     /* page descriptors tell; in the zone's list `order` if one is free */
};

struct extent {
	uint32_t next; /* EXTENT_NONE ends; index into the zone */
	uint32_t previous;
	uint8_t state;               /* enum extent_state */
	uint8_t order;               /* FREE: of the block. SPLIT: largest free order, EXTENT_ORDER = nothing is free */
	uint16_t free_pages;         /* SPLIT only */
	uint16_t descriptors;        /* SPLIT only: the page, within the extent, that holds struct page[512] */
	uint16_t head[EXTENT_ORDER]; /* SPLIT only: first free block of each order 0..8 */
};
_Static_assert(sizeof(struct extent) == 32, "16 MiB of extents a TiB");
_Static_assert(EXTENT_CHUNK * sizeof(struct extent) == PAGE_SIZE, "a chunk is a page");

enum page_state {
	PAGE_RESERVED = 0, /* not memory, the kernel image, or the descriptors themselves */
	PAGE_FREE = 1,     /* first page of a free block of 2^order pages */
	PAGE_FREE_PART = 2,
	PAGE_ALLOCATED = 3,
};

struct page {
	uint8_t state; /* enum page_state */
	uint8_t order; /* FREE only */
	uint16_t next; /* FREE only: within the extent */
	uint16_t previous;
	uint16_t spare;
};
_Static_assert(sizeof(struct page) == 8, "8 bytes a page once split");
_Static_assert(EXTENT_PAGES * sizeof(struct page) == PAGE_SIZE, "the descriptors of an extent are one page");

struct zone;

/* The descriptor of extent `index`, or NULL if its chunk was never made. */
struct extent *extent_get(struct zone *zone, uint32_t index);
/* Make the chunk that holds `index`. ERR_NO_MEMORY. Without zone->lock: it allocates. */
MUST_USE err_t extent_reserve(struct zone *zone, uint32_t index);
struct page *extent_pages(struct zone *zone, uint32_t index); /* SPLIT only: its 512 descriptors */

/* Off all lists -> SPLIT, every page PAGE_RESERVED. `descriptors` is the page that will tell so. */
void extent_split(struct zone *zone, uint32_t index, uint16_t descriptors);
/* Give `count` reserved or allocated pages from `first` on. */
void extent_give_range(struct zone *zone, uint32_t index, uint32_t first, uint32_t count);
uint32_t extent_reserved(struct zone *zone, uint32_t index); /* how many pages are PAGE_RESERVED */
/* Blocks inside a SPLIT extent. Keep extent->order and free_pages right; the zone's lists are the
 * caller's. */
uint16_t extent_take(struct zone *zone, uint32_t index, uint32_t order);
void extent_give(struct zone *zone, uint32_t index, uint16_t page, uint32_t order);
bool extent_check(struct zone *zone, uint32_t index); /* its lists, counts and states agree */
