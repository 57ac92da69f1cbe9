/* SPDX-License-Identifier: BSD-2-Clause */
/* space.h - free blocks, in DRAM only: rebuilt at mount from what the inodes hold.
 * The device is divided into groups, each with a bitmap and a lock of its own; a CPU starts
 * looking in its own group, so CPUs meet only when the device runs full. Large requests get 2 MiB
 * aligned runs while there are any. A small reserve is kept for changes that free more than they
 * take (truncate and unlink rewrite tree nodes first).
 * Blocks that more than one extent claims (clones) are in a list of their group, run by run, with the number of claims
 * (space_share.c); what is in use and in no list is claimed once. A `start` with PMFS_EXTENT_SHARED may be in a list.
 * Units: blocks. Locks: [g] group->lock  [r] space->reserve_lock, never both. */
#pragma once

#include "layout.h"

#include <pthread.h>

#define SPACE_LARGE 512u         /* 2 MiB */
#define SPACE_RESERVE 64u        /* less on small devices */
#define SPACE_PREFER_LARGE (1ull << 63)

/* A run of blocks with that many claims, 2 and more; while mounting 1 and more. */
struct space_share {
	uint32_t first;    /* in the group */
	uint32_t blocks;
	uint32_t claims;
};

struct space_group {
	pthread_mutex_t lock;
	uint64_t first;    /* [I] */
	uint32_t blocks;   /* [I] */
	uint32_t free;     /* [g] */
	uint32_t hint;     /* [g] where the last search ended */
	uint64_t *used;    /* [g] bitmap: 1 is used; NULL as long as all are free */
	struct space_share *share; /* [g] ascending; neighbours that touch have other claims */
	uint32_t shares;   /* [g] */
	uint32_t shares_room; /* [g] */
} ALIGNED(64);

struct space {
	uint64_t first;    /* [I] the first block that can be free */
	uint64_t blocks;   /* [I] end of the device */
	uint32_t group_blocks; /* [I] */
	uint32_t groups;   /* [I] */
	uint32_t cpus;     /* [I] */
	struct space_group *group;
	pthread_mutex_t reserve_lock;
	uint32_t reserve_count;                /* [r] */
	uint32_t reserve_wanted;               /* [I] after space_ready */
	uint64_t reserve[SPACE_RESERVE];       /* [r] */
};

/* All of [first, blocks) free. */
MUST_USE err_t space_init(struct space *space, uint64_t first, uint64_t blocks, uint32_t cpus);
void space_destroy(struct space *space);

/* While mounting, one thread: these blocks are in use. ERR_CORRUPT: outside, or in use already.
 * ERR_NO_MEMORY. */
MUST_USE err_t space_mark(struct space *space, uint64_t start, uint64_t count);
/* The same of blocks that other extents may claim as well, in this way. ERR_CORRUPT: one has them without. */
MUST_USE err_t space_claim(struct space *space, uint64_t start, uint64_t count);
/* All is marked: what was claimed but once is forgotten, and the reserve is set aside. */
void space_ready(struct space *space);
/* Before unmounting, one thread: the reserve goes back. */
void space_unready(struct space *space);

/* For the summary (summary.h), one thread. The bits of 64 blocks, 1 is used, also past the device's
 * end; `block` is a multiple of 64. */
uint64_t space_word(const struct space *space, uint64_t block);
MUST_USE err_t space_word_set(struct space *space, uint64_t block, uint64_t used); /* ERR_NO_MEMORY */
uint32_t space_free_in(const struct space *space, uint64_t start, uint32_t count);
/* A free run of that length, which stays free. */
bool space_find_run(const struct space *space, uint64_t want, uint64_t *start);

/* A run of 1 to `want` blocks; at `goal` if that is free (0: anywhere). With the bit SPACE_PREFER_LARGE in `goal`: at
 * the start of a free, aligned 2 MiB, if there is one, of which others are not given blocks unasked. With `reserve` the
 * last blocks may be used, one at a time. ERR_NO_SPACE. */
MUST_USE err_t space_alloc(struct space *space, uint32_t cpu, uint64_t goal, uint32_t want, bool reserve,
		uint64_t *start, uint32_t *count);
/* One claim less; what nobody claims any more is free. `start` with PMFS_EXTENT_SHARED: there may be other claims. */
void space_free(struct space *space, uint64_t start, uint64_t count);
uint64_t space_count_free(struct space *space); /* without the reserve */
bool space_is_used(struct space *space, uint64_t block);

/* --- blocks that several extents claim (space_share.c) --- */

/* One claim more on blocks in use. ERR_NO_MEMORY: there is none more on any. */
MUST_USE err_t space_share(struct space *space, uint64_t start, uint64_t count);
/* One less. Without memory to note it they rest until the next mount. */
void space_drop(struct space *space, uint64_t start, uint64_t count);
/* Is it claimed more than once? *count, in: how many blocks to look at; out: of how many, in one group, that is so. */
bool space_is_shared(struct space *space, uint64_t block, uint64_t *count);
/* The run at or behind `block` that is; no lock, one thread. False: there is none. */
bool space_next_share(const struct space *space, uint64_t block, struct pmfs_summary_share *out);
/* From the summary. ERR_CORRUPT: not in use, or in a list already. ERR_NO_MEMORY. */
MUST_USE err_t space_share_set(struct space *space, const struct pmfs_summary_share *share);
void space_shares_ready(struct space *space); /* by space_ready */
/* For space_share.c: the group is locked, or there is one thread. */
bool space_range_is(const struct space_group *group, uint32_t bit, uint32_t count, bool used);
