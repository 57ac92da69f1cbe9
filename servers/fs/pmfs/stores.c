/* SPDX-License-Identifier: BSD-2-Clause */
/* stores.c - see stores.h. */
#include "stores.h"

#include <stdlib.h>
#include <string.h>

#define WORD_BITS 64u

/* --- marks --- */

struct stores *stores_new(void)
{
	return calloc(1, sizeof(struct stores));
}

void stores_free(struct stores *stores)
{
	free(stores);
}

static err_t stores_grow(struct stores **stores, uint64_t words)
{
	struct stores *s = realloc(*stores, sizeof(*s) + words * sizeof(s->mark[0]));

	if (s == NULL)
		return ERR_NO_MEMORY;
	memset(&s->mark[s->words], 0, (words - s->words) * sizeof(s->mark[0]));
	s->words = words;
	*stores = s;
	return OK;
}

err_t stores_mark(struct stores **stores, uint64_t offset, bool *first)
{
	const uint64_t part = offset / STORES_PART_BYTES, word = part / WORD_BITS, bit = 1ull << part % WORD_BITS;

	if (word >= (*stores)->words) {
		err_t err = stores_grow(stores, word + word / 2 + 1);
		if (err != OK)
			return err;
	}
	*first = !((*stores)->mark[word] & bit);
	(*stores)->mark[word] |= bit;
	(*stores)->marked += *first;
	return OK;
}

/* The first part from `part` on that is marked, or is not. All parts, if there is none. */
static uint64_t part_next(const struct stores *s, uint64_t part, bool marked)
{
	const uint64_t parts = s->words * WORD_BITS, invert = marked ? 0 : UINT64_MAX;

	while (part < parts) {
		const uint64_t rest = (s->mark[part / WORD_BITS] ^ invert) >> part % WORD_BITS;
		if (rest != 0)
			return part + (uint32_t)__builtin_ctzll(rest);
		part = (part / WORD_BITS + 1) * WORD_BITS;
	}
	return parts;
}

bool stores_next(const struct stores *stores, uint64_t *from, uint64_t *end)
{
	if (!stores_any(stores))
		return false;
	const uint64_t first = part_next(stores, *from / STORES_PART_BYTES, true);
	if (first == stores->words * WORD_BITS)
		return false;
	*from = first * STORES_PART_BYTES;
	*end = part_next(stores, first, false) * STORES_PART_BYTES;
	return true;
}

static void stores_forget(struct stores *stores)
{
	stores->marked = 0;
	memset(stores->mark, 0, stores->words * sizeof(stores->mark[0]));
}

/* --- what they mean for the file, which is locked for writing --- */

/* Not fenced. */
static err_t range_write_back(struct inode *inode, uint64_t offset, uint64_t end)
{
	struct pmem *pm = &inode->fs->pm;
	err_t err = OK;

	end = min_u64(end, inode->now.size);
	while (err == OK && offset < end) {
		uint64_t at, run;
		err = file_run_at(inode, NULL, &inode->now, offset, &at, &run);
		if (err == OK && at != 0)
			pm_write_back(pm, pm->base + at, min_u64(run, end - offset));
		offset += err == OK ? run : 0;
	}
	return err;
}

err_t file_stores_write_back(struct inode *inode)
{
	uint64_t end;
	err_t err = OK;

	if (!inode->left_in_caches && !stores_any(inode->stores))
		return OK;
	if (inode->left_in_caches)
		err = range_write_back(inode, 0, inode->now.size);
	else
		for (uint64_t from = 0; err == OK && stores_next(inode->stores, &from, &end); from = end)
			err = range_write_back(inode, from, end);
	pm_fence(&inode->fs->pm);
	return err;
}

/* M2. */
static err_t stores_settle(struct inode *inode)
{
	const bool keep = inode->now.size <= STORES_KEEP_BYTES;
	uint64_t end;

	for (uint64_t from = 0; !keep && stores_next(inode->stores, &from, &end); from = end)
		file_revoke(inode, from, end - from);
	err_t err = file_stores_write_back(inode);
	if (err == OK) {
		inode->left_in_caches = false;
		if (!keep && inode->stores != NULL)
			stores_forget(inode->stores);
	}
	inode_publish(inode);
	return err;
}

err_t pmfs_lease_stores(struct inode *inode)
{
	err_t err = OK;

	inode_lock_write(inode);
	if (inode->stores == NULL) {
		inode->stores = stores_new();
		if (inode->stores == NULL)
			err = ERR_NO_MEMORY;
		else
			file_revoke(inode, 0, FILE_BYTES_MAX); /* M1 */
		inode_publish(inode);
	}
	inode_unlock(inode);
	return err;
}

err_t pmfs_lease_end(struct inode *inode)
{
	err_t err = OK;

	inode_lock_write(inode);
	atomic_store(&inode->lease, NULL);
	if (inode->now.links != 0 && stores_any(inode->stores))
		err = file_stores_write_back(inode);
	stores_free(inode->stores);
	inode->stores = NULL;
	if (err == OK && inode->type == PMFS_FILE)
		err = file_tail_clear(inode, NULL, inode->now.size, UINT64_MAX);
	inode_unlock(inode);
	return err;
}

/* Writes are fenced when they are made, leased ones by the client; what can be late are stores, and the times. */
err_t pmfs_sync(struct pmfs *fs, struct inode *inode)
{
	err_t err = OK;

	(void)fs;
	inode_lock_write(inode);
	if (unlikely(inode->left_in_caches) || stores_any(inode->stores))
		err = stores_settle(inode);
	if (err == OK)
		err = inode_flush_times(inode);
	inode_unlock(inode);
	return err;
}
