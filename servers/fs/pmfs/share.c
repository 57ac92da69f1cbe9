/* SPDX-License-Identifier: BSD-2-Clause */
/* share.c - blocks that several files have: how a file gets them, and how it gets its own again (F6).
 * S1  To share is one change of both files: extents that say so in both, or in neither. Before it the new claims are
 * counted (space.h), after it those that went are; so at any time no block has fewer claims than extents.
 * S2  Before it, too: clients hold nothing of the source's range that they could store to, stores that are only in the
 * caches are written back (through mappings, and from before an unclean end), and bytes past the source's end are
 * cleared, as nobody can clear them afterwards.
 * S3  A block whose last other claim has gone is written in place. Its extent goes on saying PMFS_EXTENT_SHARED until a
 * client wants to store there. */
#include "file.h"

/* --- own blocks --- */

/* What lies at `offset`, a block's, in one run; *bytes of it. *changed: there is something to commit. */
static err_t run_own(struct inode *inode, struct change *c, uint64_t offset, uint64_t end, uint64_t *bytes,
		bool *changed)
{
	const uint32_t block = block_of(offset);
	struct pmem *pm = &inode->fs->pm;
	struct tree_hit hit;
	err_t err = tree_lookup(inode->fs, c, inode->number, change_inode(c, inode), block, &hit);

	if (err != OK)
		return err;
	if (!hit.has_at || block - hit.at.logical >= hit.at.count) {
		*bytes = (hit.has_next ? (uint64_t)hit.next << PMFS_BLOCK_SHIFT : FILE_BYTES_MAX) - offset;
		return OK;
	}
	const uint64_t physical = extent_block(&hit.at) + (block - hit.at.logical), at = physical << PMFS_BLOCK_SHIFT;
	uint64_t count = hit.at.count - (block - hit.at.logical);
	*bytes = count << PMFS_BLOCK_SHIFT;
	if (!extent_is_shared(&hit.at))
		return OK;
	count = min_u64(*bytes, end - offset) >> PMFS_BLOCK_SHIFT;
	const bool shared = space_is_shared(&inode->fs->space, physical, &count);
	*bytes = count << PMFS_BLOCK_SHIFT;
	*changed = true;
	if (shared)
		return file_blocks_new(inode, c, offset, pm->base + at, *bytes, at, *bytes, bytes);
	file_revoke(inode, offset, *bytes); /* clients have it for reading only */
	return tree_replace(c, inode, block, physical, (uint32_t)count);
}

/* As far as one change takes. */
static err_t own_step(struct inode *inode, uint64_t offset, uint64_t end, bool frees, uint64_t *done)
{
	bool changed = false;
	struct change c;
	err_t err = OK;

	change_begin(&c, inode->fs, frees);
	for (*done = 0; err == OK && offset + *done < end && !change_is_full(&c);) {
		uint64_t n = 0;
		err = run_own(inode, &c, offset + *done, end, &n, &changed);
		*done += n;
	}
	if (err == OK && changed)
		change_commit(&c);
	else if (err == OK)
		change_abort(&c);
	else
		file_change_abort(&c, inode);
	return err;
}

err_t file_own(struct inode *inode, uint64_t offset, uint64_t end, bool frees)
{
	err_t err = OK;

	offset = block_down(offset);
	end = block_up(end);
	while (err == OK && offset < end) {
		uint64_t done;
		err = own_step(inode, offset, end, frees, &done);
		offset += done;
	}
	return err;
}

/* --- sharing --- */

uint64_t file_shareable(const struct inode *from, uint64_t from_offset, const struct inode *to, uint64_t to_offset,
		uint64_t bytes)
{
	const uint64_t size = from->now.size;

	if ((from_offset | to_offset) % PMFS_BLOCK != 0 || from_offset >= size)
		return 0;
	bytes = min_u64(bytes, size - from_offset);
	const bool whole = from_offset + bytes == size && to_offset + bytes >= to->now.size;
	return whole ? bytes : block_down(bytes);
}

/* S2. */
static err_t source_ready(struct inode *from, struct change *c, uint64_t offset, uint64_t bytes)
{
	const uint64_t size = from->now.size;

	file_revoke(from, offset, block_up(bytes));
	err_t err = file_stores_write_back(from);
	if (err == OK && offset + bytes == size)
		err = file_tail_clear(from, c, size, UINT64_MAX);
	return err;
}

err_t file_share(struct inode *from, uint64_t from_offset, struct inode *to, uint64_t to_offset, uint64_t bytes)
{
	const uint64_t whole = block_up(bytes), end = to_offset + bytes;
	struct tree_gone gone, claimed;
	struct change c;
	err_t err = file_rags_cut(to);

	if (err != OK)
		return err;
	change_begin(&c, from->fs, false);
	struct pmfs_inode *next = change_inode(&c, to);
	err = source_ready(from, &c, from_offset, bytes);
	if (err == OK && to_offset > next->size)
		err = file_tail_clear(to, &c, next->size, to_offset);
	file_revoke(to, to_offset, whole);
	gone = claimed = (struct tree_gone) { .count = 0 };
	if (err == OK)
		err = tree_share(&c, from, block_of(from_offset), to, block_of(to_offset), block_of(whole), &gone, &claimed);
	next->size = end > next->size ? end : next->size;
	next->mtime = next->ctime = pmfs_now_ns(to->fs);
	if (err == OK)
		change_commit(&c);
	else
		file_change_abort(&c, to);
	inode_publish(from);
	tree_gone_end(&claimed, from->fs, err != OK);
	tree_gone_end(&gone, from->fs, err == OK);
	return err;
}
