/* SPDX-License-Identifier: BSD-2-Clause */
/* space.h - free blocks, in DRAM only: rebuilt at mount from what the inodes hold.
 * The device is divided into groups, each with a bitmap and a lock of its own; a CPU starts
 * looking in its own group, so CPUs meet only when the device runs full. Large requests get 2 MiB
 * aligned runs while there are any. A small reserve is kept for changes that free more than they
 * take (truncate and unlink rewrite tree nodes first).
 * Units: blocks. Locks: [g] group->lock  [r] space->reserve_lock, never both. */
#pragma once

#include <lintel/types.h>
#include <pthread.h>

#define SPACE_LARGE 512u         /* 2 MiB */
#define SPACE_RESERVE 64u        /* less on small devices */
#define SPACE_PREFER_LARGE (1ull << 63)

struct space_group {
	pthread_mutex_t lock;
	uint64_t first;    /* [I] */
	uint32_t blocks;   /* [I] */
	uint32_t free;     /* [g] */
	uint32_t hint;     /* [g] where the last search ended */
	uint64_t *used;    /* [g] bitmap: 1 is used; NULL as long as all are free */
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
/* All is marked: set the reserve aside. */
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
void space_free(struct space *space, uint64_t start, uint64_t count);
uint64_t space_count_free(struct space *space); /* without the reserve */
bool space_is_used(struct space *space, uint64_t block);
