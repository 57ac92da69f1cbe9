/* SPDX-License-Identifier: BSD-2-Clause */
/* file.h - what file.c, allocate.c, share.c, copy.c and locate.c have in common: the data of one inode, which is locked
 * for writing unless a function says otherwise. The rules (F1 to F6) are at the top of file.c. */
#pragma once

#include "change.h"
#include "extent_tree.h"

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint32_t block_of(uint64_t offset)
{
	return (uint32_t)(offset >> PMFS_BLOCK_SHIFT);
}

static inline uint64_t block_down(uint64_t offset)
{
	return offset & ~(uint64_t)(PMFS_BLOCK - 1);
}

static inline uint64_t block_up(uint64_t offset)
{
	return block_down(offset + PMFS_BLOCK - 1);
}

/* Is it a regular file? IS_DIR, UNSUPPORTED. No lock. */
MUST_USE err_t file_check(const struct inode *inode);

/* Locked for reading. */
static inline void stat_fill(const struct inode *inode, struct fs_stat *out)
{
	const struct pmfs_inode *now = &inode->now;

	*out = (struct fs_stat) {
		.inode = inode->number,
		.size = now->size,
		.blocks = now->blocks << PMFS_BLOCK_SHIFT,
		.type = now->type,
		.mode = now->mode,
		.links = now->links,
		.uid = now->uid,
		.gid = now->gid,
		.block_size = PMFS_BLOCK,
		.atime = now->atime,
		.mtime = now->mtime,
		.ctime = now->ctime,
	};
}

/* F4: before blocks go away, or others take their places in the file. */
void file_revoke(struct inode *inode, uint64_t offset, uint64_t bytes);

/* What lies at `offset` in that version: a run of data (*at is its place on the device) or a hole (*at = 0), and its
 * length. Locked for reading. */
MUST_USE err_t file_run_at(struct inode *inode, struct change *c, const struct pmfs_inode *version, uint64_t offset,
		uint64_t *at, uint64_t *bytes);

/* The same before something is stored there. *shared: all of it is also others' (F6). */
MUST_USE err_t file_run_to_store(struct inode *inode, struct change *c, const struct pmfs_inode *version,
		uint64_t offset, uint64_t *at, uint64_t *bytes, bool *shared);

/* F3, before anything that could bring them into the file again. */
MUST_USE err_t file_rags_cut(struct inode *inode);

/* F1: clear [from, to) of the block in which `from` lies, where it is mapped. */
MUST_USE err_t file_tail_clear(struct inode *inode, struct change *c, uint64_t from, uint64_t to);

/* F5: clear everything past the size. *cleared counts blocks that were not zero. Not fenced. */
MUST_USE err_t file_past_clear(struct inode *inode, uint64_t *cleared);

/* New blocks for the run of `run` bytes at `offset`, as far as one run of blocks goes: `old` on the device, which
 * others have too, or a hole (0). The parts of them that `data` does not fill are what they were; NULL: zeroes. *wrote
 * is how much of the data they took. */
MUST_USE err_t file_blocks_new(struct inode *inode, struct change *c, uint64_t offset, const uint8_t *data,
		uint64_t bytes, uint64_t old, uint64_t run, uint64_t *wrote);

/* The blocks of [offset, end) that the file has are nobody else's afterwards, and say so (share.c). `frees`: on the way
 * to something that frees. ERR_NO_SPACE. */
MUST_USE err_t file_own(struct inode *inode, uint64_t offset, uint64_t end, bool frees);

/* Both are locked for writing. How much of a copy from `from_offset` on can be done by sharing whole blocks. */
uint64_t file_shareable(const struct inode *from, uint64_t from_offset, const struct inode *to, uint64_t to_offset,
		uint64_t bytes);
/* So much, all at once. ERR_NO_SPACE, ERR_NO_MEMORY, ERR_TOO_BIG. */
MUST_USE err_t file_share(struct inode *from, uint64_t from_offset, struct inode *to, uint64_t to_offset,
		uint64_t bytes);

/* Stores through mappings, durable (stores.c). */
MUST_USE err_t file_stores_write_back(struct inode *inode);

/* Commits what the change has; if that is nothing but data in place, the time is written later. */
void file_change_end(struct change *c, struct inode *inode);
/* mtime and ctime, in DRAM; on media with the next change or sync. */
void file_times_move(struct inode *inode, uint64_t now);
/* Gives it up: what was stored is durable, and clients see the inode as it is. */
void file_change_abort(struct change *c, struct inode *inode);

/* All of it, or as much as there is space for and ERR_NO_SPACE; *written in any case. */
MUST_USE err_t file_write(struct inode *inode, uint64_t offset, const uint8_t *data, uint64_t bytes, uint64_t *written);
MUST_USE err_t file_resize(struct inode *inode, uint64_t size);
/* [offset, end) is a hole, or zero in blocks of which it fills but a part (allocate.c, A3). */
MUST_USE err_t file_punch(struct inode *inode, uint64_t offset, uint64_t end);
