/* SPDX-License-Identifier: BSD-2-Clause */
/* stores.h - what clients may have stored to a file through mappings, by way of the caches: which parts of it, and how
 * they become durable.
 *
 * M1  From pmfs_lease_stores on, pages that clients have are for reading until one of them faults to store. Then
 *     the part around is marked, and can be written to (locate.c). Pages that they had before are taken back first.
 * M2  A sync takes marked parts back before it writes them back, and forgets the marks: what is stored meanwhile
 *     faults, waits for the inode's lock, and is marked again. Only of a small file clients keep what they have:
 *     writing it back costs less than that fault.
 * M3  The time moves when a part is marked, so at the first store after a sync.
 * M4  Marks stay where they are. Before blocks move inside the file, or get another file's name too (share.c, S2), what
 *     is marked is written back. */
#pragma once

#include "file.h"

#define STORES_PART_BYTES (2ull << 20)     /* a large page's, so that it stays one */
#ifndef STORES_KEEP_BYTES
#define STORES_KEEP_BYTES (128u << 10)     /* up to this size, M2 */
#endif

struct stores {
	uint64_t marked; /* parts */
	uint64_t words;
	uint64_t mark[]; /* a bit a part */
};

/* Clients hold nothing that they could store to. No marks. */
struct stores *stores_new(void);
void stores_free(struct stores *stores);

/* Marks the part in which `offset` lies; *stores may move. *first: it had no mark. ERR_NO_MEMORY. */
MUST_USE err_t stores_mark(struct stores **stores, uint64_t offset, bool *first);
/* The next marked parts in a row, at or after *from: to *end. False: there are none. `stores` may be NULL. */
bool stores_next(const struct stores *stores, uint64_t *from, uint64_t *end);
static inline bool stores_any(const struct stores *stores)
{
	return stores != NULL && stores->marked != 0;
}
