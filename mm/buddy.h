/* SPDX-License-Identifier: GPL-2.0-only */
/* buddy.h - power-of-two blocks of a RAM zone. Blocks of 2 MiB and more are whole extents; smaller
 * ones come out of SPLIT extents, the fullest that can serve first, so that whole extents stay
 * whole.
 * Units: page numbers within the zone; a block of order n is 2^n pages and aligned to its size.
 * A block may be given back in parts: every page (or extent) of an allocated block carries its own
 * state.
 * B1  no two free buddies of one order. B2  a page is in one free block, or allocated, or reserved.
 * B3  free_pages is the sum over the lists; managed = allocated + free + one page for each extent
 *     split on demand. */
#pragma once

#include "mm/zone.h"

#define BUDDY_NONE UINT64_MAX

/* A block, or BUDDY_NONE. Its content is whatever was there. */
uint64_t buddy_alloc(struct zone *zone, uint32_t order) TA_EXCL(zone->lock);
/* A block of at most 2^order_max pages (order_max < 9): the largest that the fullest extent has; *order
 * says how large. */
uint64_t buddy_alloc_up_to(struct zone *zone, uint32_t order_max, uint32_t *order) TA_EXCL(zone->lock);
/* Give back; panics on a page that is not allocated. From order 9 up the block must be whole
 * extents. */
void buddy_free(struct zone *zone, uint64_t page, uint32_t order) TA_EXCL(zone->lock);
bool buddy_check(struct zone *zone) TA_EXCL(zone->lock); /* B1-B3 */

/* Internals that zone_populate shares. */
void buddy_list_add(struct zone *zone, uint32_t order, uint32_t extent) TA_EXCL(zone->lock);
void buddy_list_remove(struct zone *zone, uint32_t order, uint32_t extent) TA_EXCL(zone->lock);
