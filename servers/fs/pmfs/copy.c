/* SPDX-License-Identifier: BSD-2-Clause */
/* copy.c - from one file to another, or within one, from pmem to pmem. Data is written as any other data; a hole
 * makes a hole. After a power cut some of it has been copied, from the start. Both inodes are locked for a piece of it
 * at a time, the lower number first. */
#include "file.h"

#define PIECE_BYTES (4ull << 20)

static void both_lock(struct inode *from, struct inode *to)
{
	if (from->number < to->number)
		inode_lock_read(from);
	inode_lock_write(to);
	if (from->number > to->number)
		inode_lock_read(from);
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

err_t pmfs_copy(struct pmfs *fs, struct inode *from, uint64_t from_offset, struct inode *to, uint64_t to_offset,
		uint64_t bytes, uint64_t *done)
{
	err_t err = file_check(from);
	uint64_t copied = 0;
	bool more = true;

	(void)fs;
	if (err == OK)
		err = file_check(to);
	if (err != OK)
		return err;
	if (from_offset > FILE_BYTES_MAX || to_offset > FILE_BYTES_MAX || bytes > FILE_BYTES_MAX - to_offset)
		return ERR_TOO_BIG;
	if (from == to && from_offset < to_offset + bytes && to_offset < from_offset + bytes)
		return ERR_ARGS; /* they overlap */
	while (err == OK && more) {
		uint64_t n;
		both_lock(from, to);
		err = piece_copy(from, from_offset + copied, to, to_offset + copied, bytes - copied, &n, &more);
		if (n != 0)
			inode_changed(to, FS_EVENT_MODIFY, NULL, 0);
		both_unlock(from, to);
		copied += n;
	}
	if (err != OK && copied == 0)
		return err;
	*done = copied;
	return OK;
}
