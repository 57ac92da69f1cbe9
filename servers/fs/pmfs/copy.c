/* SPDX-License-Identifier: BSD-2-Clause */
/* copy.c - from one file to another, or within one, from pmem to pmem. Whole blocks are shared (share.c), all of them
 * in one change, where that writes less than a copy would. Other data is written as any other data; a hole makes a
 * hole. After a power cut some of it has been copied, from the start. Both inodes are locked for a piece of it at a
 * time, the lower number first. A clone is all of it shared, or an error. */
#include "file.h"

#define PIECE_BYTES (4ull << 20)

static void source_lock(struct inode *from, bool write)
{
	if (write)
		inode_lock_write(from);
	else
		inode_lock_read(from);
}

/* `write`: also the source. */
static void both_lock(struct inode *from, struct inode *to, bool write)
{
	if (from->number < to->number)
		source_lock(from, write);
	inode_lock_write(to);
	if (from->number > to->number)
		source_lock(from, write);
}

static void both_unlock(struct inode *from, struct inode *to)
{
	inode_unlock(to);
	if (from != to)
		inode_unlock(from);
}

static err_t hole_copy(struct inode *to, uint64_t offset, uint64_t bytes)
{
	const uint64_t end = offset + bytes, inside = min_u64(end, to->now.size);
	err_t err = file_rags_cut(to);

	if (err == OK && offset < inside)
		err = file_punch(to, offset, inside);
	return err == OK && end > to->now.size ? file_resize(to, end) : err;
}

/* What lies in one run, or in one hole. */
static err_t run_copy(struct inode *from, uint64_t from_offset, struct inode *to, uint64_t to_offset, uint64_t bytes,
		uint64_t *done)
{
	uint64_t at, run;
	err_t err = file_run_at(from, NULL, &from->now, from_offset, &at, &run);

	*done = 0;
	if (err != OK)
		return err;
	run = min_u64(run, bytes);
	if (at != 0)
		return file_write(to, to_offset, from->fs->pm.base + at, run, done);
	err = hole_copy(to, to_offset, run);
	*done = err == OK ? run : 0;
	return err;
}

/* Locked. *more: the source does not end there. */
static err_t piece_copy(struct inode *from, uint64_t from_offset, struct inode *to, uint64_t to_offset, uint64_t bytes,
		uint64_t *done, bool *more)
{
	const uint64_t size = from->now.size, piece = min_u64(bytes, PIECE_BYTES);
	const uint64_t end = from_offset < size ? min_u64(piece, size - from_offset) : 0;
	err_t err = OK;

	for (*done = 0; err == OK && *done < end;) {
		uint64_t n;
		err = run_copy(from, from_offset + *done, to, to_offset + *done, end - *done, &n);
		*done += n;
	}
	*more = end == piece && piece < bytes;
	return err;
}

struct copy {
	struct inode *from;
	uint64_t from_offset;
	struct inode *to;
	uint64_t to_offset;
	uint64_t bytes;
};

static err_t copy_check(const struct copy *copy)
{
	err_t err = file_check(copy->from);

	if (err == OK)
		err = file_check(copy->to);
	if (err != OK)
		return err;
	if (copy->from_offset > FILE_BYTES_MAX || copy->to_offset > FILE_BYTES_MAX ||
			copy->bytes > FILE_BYTES_MAX - copy->to_offset)
		return ERR_TOO_BIG;
	if (copy->from == copy->to && copy->from_offset < copy->to_offset + copy->bytes &&
			copy->to_offset < copy->from_offset + copy->bytes)
		return ERR_ARGS; /* they overlap */
	return OK;
}

/* Both trees are written anew, and that should not be more than the data. */
static bool sharing_pays(const struct copy *copy, uint64_t bytes)
{
	const struct pmfs *fs = copy->from->fs;

	return bytes >= PMFS_BLOCK &&
			bytes >> PMFS_BLOCK_SHIFT >= tree_nodes(fs, &copy->from->now) + tree_nodes(fs, &copy->to->now);
}

/* What is left of it begins at a block: as much of that as can be shared; *done is 0 if nothing is. */
static err_t blocks_share(const struct copy *copy, uint64_t *done)
{
	both_lock(copy->from, copy->to, true);
	const uint64_t bytes = file_shareable(copy->from, copy->from_offset, copy->to, copy->to_offset, copy->bytes);
	err_t err = OK;
	*done = 0;
	if (sharing_pays(copy, bytes)) {
		err = file_share(copy->from, copy->from_offset, copy->to, copy->to_offset, bytes);
		*done = err == OK ? bytes : 0;
	}
	if (*done != 0)
		inode_changed(copy->to, FS_EVENT_MODIFY, NULL, 0);
	both_unlock(copy->from, copy->to);
	return err;
}

static err_t bytes_copy(const struct copy *copy, uint64_t bytes, uint64_t *done, bool *more)
{
	both_lock(copy->from, copy->to, false);
	err_t err = piece_copy(copy->from, copy->from_offset, copy->to, copy->to_offset, bytes, done, more);
	if (*done != 0)
		inode_changed(copy->to, FS_EVENT_MODIFY, NULL, 0);
	both_unlock(copy->from, copy->to);
	return err;
}

static void copy_advance(struct copy *copy, uint64_t done)
{
	copy->from_offset += done;
	copy->to_offset += done;
	copy->bytes -= done;
}

/* Up to where both begin a block, then blocks, then the rest. */
static err_t copy_all(struct copy *copy)
{
	const uint64_t before = block_up(copy->from_offset) - copy->from_offset;
	const bool aligned = (copy->from_offset ^ copy->to_offset) % PMFS_BLOCK == 0;
	err_t err = OK;
	bool more = true;
	uint64_t n;

	if (aligned && copy->bytes >= before + PMFS_BLOCK) {
		if (before != 0) {
			err = bytes_copy(copy, before, &n, &more);
			copy_advance(copy, n);
			if (err != OK || n != before)
				return err;
		}
		if (blocks_share(copy, &n) == OK) /* else by copying: less space may be needed */
			copy_advance(copy, n);
	}
	for (more = copy->bytes != 0; err == OK && more;) {
		err = bytes_copy(copy, copy->bytes, &n, &more);
		copy_advance(copy, n);
	}
	return err;
}

err_t pmfs_copy(struct pmfs *fs, struct inode *from, uint64_t from_offset, struct inode *to, uint64_t to_offset,
		uint64_t bytes, uint64_t *done)
{
	struct copy copy = { from, from_offset, to, to_offset, bytes };
	err_t err = copy_check(&copy);

	(void)fs;
	if (err != OK)
		return err;
	if (from == to) { /* what is copied must not become what is to be copied */
		const uint64_t size = pmfs_size(from);
		copy.bytes = bytes = from_offset < size ? min_u64(bytes, size - from_offset) : 0;
	}
	err = copy_all(&copy);
	if (err != OK && copy.bytes == bytes)
		return err;
	*done = bytes - copy.bytes;
	return OK;
}

/* Both are locked for writing. */
static err_t clone_locked(struct copy *copy)
{
	const uint64_t size = copy->from->now.size;

	if ((copy->from_offset | copy->to_offset) % PMFS_BLOCK != 0 || copy->from_offset > size)
		return ERR_ARGS;
	if (copy->bytes == 0)
		copy->bytes = size - copy->from_offset;
	err_t err = copy_check(copy);
	if (err != OK)
		return err;
	if (copy->bytes > size - copy->from_offset)
		return ERR_ARGS;
	if (copy->bytes == 0)
		return OK;
	if (file_shareable(copy->from, copy->from_offset, copy->to, copy->to_offset, copy->bytes) != copy->bytes)
		return ERR_ARGS;
	return file_share(copy->from, copy->from_offset, copy->to, copy->to_offset, copy->bytes);
}

err_t pmfs_clone(struct pmfs *fs, struct inode *from, uint64_t from_offset, struct inode *to, uint64_t to_offset,
		uint64_t bytes)
{
	struct copy copy = { from, from_offset, to, to_offset, bytes };
	err_t err = copy_check(&copy);

	(void)fs;
	if (err != OK)
		return err;
	both_lock(from, to, true);
	err = clone_locked(&copy);
	if (err == OK && copy.bytes != 0)
		inode_changed(to, FS_EVENT_MODIFY, NULL, 0);
	both_unlock(from, to);
	return err;
}
