/* SPDX-License-Identifier: BSD-2-Clause */
/* locate.c - what lies under a page that a client maps, for the pager: a run of blocks, or a hole; and what has to be
 * there before a client may store (F4, F6, M1). */
#include "stores.h"

#define STORE_OWN_BYTES 65536u /* what a store through a mapping takes along (F6) */

/* A zeroed block in a hole. */
static err_t hole_back(struct inode *inode, uint64_t offset)
{
	struct change c;
	uint64_t wrote;

	change_begin(&c, inode->fs, false);
	err_t err = file_blocks_new(inode, &c, offset, NULL, PMFS_BLOCK, 0, PMFS_BLOCK, &wrote);
	if (err == OK) {
		change_commit(&c);
	} else {
		change_abort(&c);
		inode_publish(inode);
	}
	return err;
}

/* Before a client stores there. A store is seldom alone: what others have too is copied with its neighbours. */
static err_t block_ready(struct inode *inode, uint64_t offset)
{
	uint64_t at, run;
	err_t err = file_run_at(inode, NULL, &inode->now, offset, &at, &run);

	if (err != OK)
		return err;
	if (at == 0)
		return hole_back(inode, offset);
	const uint64_t from = offset & ~(uint64_t)(STORE_OWN_BYTES - 1);
	err = file_own(inode, from, min_u64(from + STORE_OWN_BYTES, inode->now.size), false);
	return err == ERR_NO_SPACE ? file_own(inode, offset, offset + PMFS_BLOCK, false) : err;
}

/* M1. The run is cut to the part that is marked. */
static err_t stores_watch(struct inode *inode, uint64_t offset, bool store, struct pmfs_run *run)
{
	const uint64_t part = offset & ~(STORES_PART_BYTES - 1), before = part > run->offset ? part - run->offset : 0;
	bool first;

	if (!store) {
		run->read_only = true;
		return OK;
	}
	err_t err = stores_mark(&inode->stores, offset, &first);
	if (err != OK)
		return err;
	if (first)
		file_times_move(inode, pmfs_now_ns(inode->fs));
	run->offset += before;
	run->device += before;
	run->bytes = min_u64(run->bytes - before, part + STORES_PART_BYTES - run->offset);
	return OK;
}

static err_t locate_locked(struct inode *inode, uint64_t offset, bool allocate, struct pmfs_run *out)
{
	struct tree_hit hit;

	offset = block_down(offset);
	if (offset >= inode->now.size)
		return ERR_ARGS;
	err_t err = allocate ? block_ready(inode, offset) : OK;
	if (err == OK)
		err = tree_lookup(inode->fs, NULL, inode->number, &inode->now, block_of(offset), &hit);
	if (err != OK)
		return err;
	if (!hit.has_at || block_of(offset) - hit.at.logical >= hit.at.count) {
		*out = (struct pmfs_run) { .offset = offset, .bytes = PMFS_BLOCK };
		return OK;
	}
	*out = (struct pmfs_run) {
		.offset = (uint64_t)hit.at.logical << PMFS_BLOCK_SHIFT,
		.device = extent_block(&hit.at) << PMFS_BLOCK_SHIFT,
		.bytes = (uint64_t)hit.at.count << PMFS_BLOCK_SHIFT,
		.read_only = extent_is_shared(&hit.at),
	};
	/* F4: blocks that a truncate could not free go later, without being taken from anybody. */
	out->bytes = min_u64(out->bytes, block_up(inode->now.size) - out->offset);
	return inode->stores == NULL ? OK : stores_watch(inode, offset, allocate, out);
}

err_t pmfs_locate_with(struct pmfs *fs, struct inode *inode, uint64_t offset, bool allocate,
		err_t (*use)(void *context, void *lease, const struct pmfs_run *run), void *context)
{
	struct pmfs_run run;
	err_t err = file_check(inode);

	(void)fs;
	if (err != OK)
		return err;
	if (allocate)
		inode_lock_write(inode);
	else
		inode_lock_read(inode);
	err = locate_locked(inode, offset, allocate, &run);
	if (err == OK)
		err = use(context, inode->lease, &run);
	inode_unlock(inode);
	return err;
}
