/* SPDX-License-Identifier: GPL-2.0-only */
/* mm.h - the whole of mm/: start, cleaning up caches, checking everything. */
#pragma once

#include "mm/bootalloc.h"

void mm_init_pools(void); /* part of mm_init; host tests without a boot_info call it alone */
/* Give back what caches hold: magazines, empty slabs, cached stacks, cached frames. Afterwards
 * frame_free_count() is what leak tests compare; before it, cached stacks and half-used slabs count
 * as taken. */
void mm_reclaim(void);
bool mm_check(void); /* zones, frames, pools, kernel space; each space and VMO has a check of its own */
