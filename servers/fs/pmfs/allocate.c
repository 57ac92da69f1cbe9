/* SPDX-License-Identifier: BSD-2-Clause */
/* allocate.c - blocks without data, and data without blocks: fs.proto's `allocate`.
 * A1  A new block is zeroed before anybody can reach it: no block is allocated and not written. So clients read, write
 * and map a file that was allocated ahead without a word, and it costs what zeroing costs, once.
 * A2  Holes are filled from the range's start, in as many changes as it takes (one for up to 48 runs); each leaves
 * a file that has more blocks and the same contents. The size grows with them, or the flag PMFS_INODE_KEPT (F5) comes
 * with the first block past it.
 * A3  Zeroes go into blocks where they are, as a write puts data there: a power cut leaves words that are old or
 * zero. Blocks that a hole fills whole go with the tree, from the range's end, each whole or not at all.
 * A4  What moves moves in one change, with the size (extent_shift.c).
 * A5  Blocks that go away or that others take the places of are taken from clients first (F4); zeroes in place are
 * not worth that. */
#include "file.h"

#define MODES_KNOWN \
	(FS_ALLOCATE_KEEP_SIZE | FS_ALLOCATE_PUNCH_HOLE | FS_ALLOCATE_COLLAPSE_RANGE | FS_ALLOCATE_ZERO_RANGE | \
			FS_ALLOCATE_INSERT_RANGE)

/* --- filling --- */

/* As far as one change takes. *done: so many bytes from `offset` on have blocks; `zero`: and what others have too
 * (F6) is zero. */
static err_t holes_fill(struct inode *inode, struct change *c, bool zero, uint64_t offset, uint64_t end,
		uint64_t *done)
{
	for (*done = 0; offset + *done < end && !change_is_full(c);) {
		uint64_t at, run;
		bool shared;
		err_t err = file_run_to_store(inode, c, change_inode(c, inode), offset + *done, &at, &run, &shared);
		uint64_t n = min_u64(run, end - offset - *done);
		if (err == OK && (at == 0 || (shared && zero)))
			err = file_blocks_new(inode, c, offset + *done, NULL, n, at, run, &n);
		if (err != OK)
			return err;
		*done += n;
	}
	return OK;
}

/* A3: in the blocks that the inode has, but for those that others have too. The caller fences; a change that makes them
 * part of the file does (F1, A1). */
static err_t zeroes_store(struct inode *inode, uint64_t from, uint64_t end)
{
	struct pmem *pm = &inode->fs->pm;

	inode_settle(inode);
	while (from < end) {
		uint64_t at, run;
		bool shared;
		err_t err = file_run_to_store(inode, NULL, &inode->now, from, &at, &run, &shared);
		if (err != OK)
			return err;
		run = min_u64(run, end - from);
		if (at != 0 && !shared)
			pm_zero_nt(pm, pm->base + at, run);
		from += run;
	}
	return OK;
}

static err_t fill_step(struct inode *inode, uint32_t mode, uint64_t offset, uint64_t end, uint64_t *done)
{
	struct change c;

	change_begin(&c, inode->fs, false);
	struct pmfs_inode *next = change_inode(&c, inode);
	const bool zero = mode & FS_ALLOCATE_ZERO_RANGE;
	err_t err = holes_fill(inode, &c, zero, offset, end, done);
	const uint64_t reached = offset + *done;
	if (err == OK && zero)
		err = zeroes_store(inode, offset, reached);
	if (err == OK && reached > next->size && !(mode & FS_ALLOCATE_KEEP_SIZE)) {
		err = file_tail_clear(inode, &c, next->size, reached);
		next->size = reached;
	} else if (err == OK && reached > block_up(next->size)) {
		next->flags |= PMFS_INODE_KEPT;
	}
	if (err == OK)
		file_change_end(&c, inode);
	else
		file_change_abort(&c, inode);
	return err;
}

static err_t fill(struct inode *inode, uint32_t mode, uint64_t offset, uint64_t end)
{
	err_t err = OK;

	while (err == OK && offset < end) {
		uint64_t done;
		err = fill_step(inode, mode, offset, end, &done);
		offset += done;
	}
	return err;
}

/* --- punching --- */

static err_t punch_blocks(struct inode *inode, uint64_t from, uint64_t end)
{
	bool done = false;
	err_t err = OK;

	file_revoke(inode, from, end - from);
	while (err == OK && !done) {
		struct change c;
		change_begin(&c, inode->fs, true);
		err = tree_cut_some(&c, inode, block_of(from), block_of(end), &done);
		if (err == OK)
			file_change_end(&c, inode);
		else
			file_change_abort(&c, inode);
	}
	return err;
}

static err_t zeroes_alone(struct inode *inode, uint64_t offset, uint64_t end)
{
	struct change c;
	err_t err = file_own(inode, offset, end, true);

	if (err == OK)
		err = zeroes_store(inode, offset, end);
	change_begin(&c, inode->fs, false);
	file_change_end(&c, inode);
	return err;
}

err_t file_punch(struct inode *inode, uint64_t offset, uint64_t end)
{
	const uint64_t last_end = block_up(inode->now.size); /* what lies behind the size is zero: the block goes */

	if (end >= inode->now.size && end < last_end)
		end = last_end;
	const uint64_t first = block_up(offset), last = block_down(end);
	if (first >= last)
		return zeroes_alone(inode, offset, end);
	err_t err = file_own(inode, offset, first, true);
	if (err == OK)
		err = file_own(inode, last, end, true);
	if (err == OK)
		err = punch_blocks(inode, first, last);
	if (err == OK)
		err = zeroes_store(inode, offset, first);
	if (err == OK)
		err = zeroes_store(inode, last, end);
	pm_fence(&inode->fs->pm);
	return err;
}

/* --- moving --- */

static err_t move(struct inode *inode, bool down, uint64_t offset, uint64_t bytes)
{
	struct tree_gone gone;
	struct change c;

	file_revoke(inode, offset, block_up(inode->now.size) - offset);
	err_t err = file_stores_write_back(inode); /* M4 */
	if (err != OK) {
		inode_publish(inode);
		return err;
	}
	change_begin(&c, inode->fs, down);
	struct pmfs_inode *next = change_inode(&c, inode);
	err = down ? tree_move_down(&c, inode, block_of(offset), block_of(bytes), &gone)
			: tree_move_up(&c, inode, block_of(offset), block_of(bytes), &gone);
	next->size += down ? -bytes : bytes;
	if (err == OK)
		file_change_end(&c, inode);
	else
		file_change_abort(&c, inode);
	tree_gone_end(&gone, inode->fs, err == OK);
	return err;
}

static err_t collapse(struct inode *inode, uint64_t offset, uint64_t bytes)
{
	return offset + bytes >= inode->now.size ? ERR_ARGS : move(inode, true, offset, bytes);
}

static err_t insert(struct inode *inode, uint64_t offset, uint64_t bytes)
{
	if (offset >= inode->now.size)
		return ERR_ARGS;
	return bytes > FILE_BYTES_MAX - inode->now.size ? ERR_TOO_BIG : move(inode, false, offset, bytes);
}

/* --- all of them --- */

/* Which of them it is: a mode that says nothing else fills. ERR_UNSUPPORTED, ERR_ARGS. */
static err_t mode_check(uint32_t mode, uint64_t offset, uint64_t bytes)
{
	const uint32_t keep = FS_ALLOCATE_KEEP_SIZE, what = mode & ~keep;
	const bool moves = what & (FS_ALLOCATE_COLLAPSE_RANGE | FS_ALLOCATE_INSERT_RANGE);

	if (mode & ~(uint32_t)MODES_KNOWN)
		return ERR_UNSUPPORTED;
	if (moves && mode & (mode - 1))
		return ERR_ARGS; /* nothing else goes with it */
	if ((what & (what - 1)) || (what == FS_ALLOCATE_PUNCH_HOLE && !(mode & keep)))
		return ERR_UNSUPPORTED;
	return bytes == 0 || (moves && (offset | bytes) % PMFS_BLOCK != 0) ? ERR_ARGS : OK;
}

static err_t allocate_as(struct inode *inode, uint32_t mode, uint64_t offset, uint64_t bytes)
{
	if (mode & FS_ALLOCATE_PUNCH_HOLE)
		return file_punch(inode, offset, offset + bytes);
	if (mode & FS_ALLOCATE_COLLAPSE_RANGE)
		return collapse(inode, offset, bytes);
	if (mode & FS_ALLOCATE_INSERT_RANGE)
		return insert(inode, offset, bytes);
	return fill(inode, mode, offset, offset + bytes);
}

err_t pmfs_allocate(struct pmfs *fs, struct inode *inode, uint32_t mode, uint64_t offset, uint64_t bytes)
{
	err_t err = file_check(inode);

	(void)fs;
	if (err == OK)
		err = mode_check(mode, offset, bytes);
	if (err != OK)
		return err;
	if (offset > FILE_BYTES_MAX || bytes > FILE_BYTES_MAX - offset)
		return ERR_TOO_BIG;
	inode_lock_write(inode);
	err = file_rags_cut(inode);
	if (err == OK)
		err = allocate_as(inode, mode, offset, bytes);
	if (err == OK)
		inode_changed(inode, FS_EVENT_MODIFY, NULL, 0);
	inode_unlock(inode);
	return err;
}
