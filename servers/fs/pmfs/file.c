/* SPDX-License-Identifier: BSD-2-Clause */
/* file.c - the data of one inode: reading, writing, sizes, holes, and what mappings need to know.
 * F1  In the last block, bytes past the size are zero, on media too (a crash may leave some; mount
 * clears them. Clients store some through mappings; they are cleared when the file grows, and when
 * the lease ends).
 * F2  Data of a new block, or past the old size, is durable before the size or the tree lets anybody see it.
 * F3  No block lies past the size's last block (a crash in a truncate may leave some; mount frees them).
 * F4  Clients that hold a lease reach blocks of this file inside its size, and no others: before a block goes away it
 * is taken from them, and none is given while the inode is locked for writing.
 * F5  But F3 does not hold of a file with the flag PMFS_INODE_KEPT: its blocks past the size were asked for
 * (allocate.c). They are zero, on media too (a crash in a write may leave some data there; mount clears it).
 * F6  What is stored to a block that other extents claim too goes into a new one, which takes its place in this file's
 * tree. Clients get a block whose extent is PMFS_EXTENT_SHARED for reading only; a store of theirs faults and is a
 * write here. So bytes past the size in such a block are zero, and stay so. */
#include "file.h"

#include "access.h"
#include "stores.h"

#include <string.h>

#define WRITE_RUN_BLOCKS_MAX 65536u /* asked for in one go */

void file_revoke(struct inode *inode, uint64_t offset, uint64_t bytes)
{
	if (inode->lease != NULL && inode->fs->options.revoke != NULL && bytes != 0)
		inode->fs->options.revoke(inode->lease, offset, bytes);
}

/* *may_share: the extent says so. */
static inline err_t run_find(struct inode *inode, struct change *c, const struct pmfs_inode *version, uint64_t offset,
		uint64_t *at, uint64_t *bytes, bool *may_share)
{
	const uint32_t block = block_of(offset);
	struct tree_hit hit;
	err_t err = tree_lookup(inode->fs, c, inode->number, version, block, &hit);

	if (err != OK)
		return err;
	if (hit.has_at && block - hit.at.logical < hit.at.count) {
		const uint64_t into = offset - ((uint64_t)hit.at.logical << PMFS_BLOCK_SHIFT);
		*at = (extent_block(&hit.at) << PMFS_BLOCK_SHIFT) + into;
		*bytes = ((uint64_t)hit.at.count << PMFS_BLOCK_SHIFT) - into;
		*may_share = extent_is_shared(&hit.at);
	} else {
		*at = 0;
		*bytes = (hit.has_next ? (uint64_t)hit.next << PMFS_BLOCK_SHIFT : FILE_BYTES_MAX) - offset;
		*may_share = false;
	}
	return OK;
}

err_t file_run_at(struct inode *inode, struct change *c, const struct pmfs_inode *version, uint64_t offset,
		uint64_t *at, uint64_t *bytes)
{
	bool may_share;

	return run_find(inode, c, version, offset, at, bytes, &may_share);
}

err_t file_run_to_store(struct inode *inode, struct change *c, const struct pmfs_inode *version, uint64_t offset,
		uint64_t *at, uint64_t *bytes, bool *shared)
{
	err_t err = run_find(inode, c, version, offset, at, bytes, shared);

	if (likely(err != OK || !*shared))
		return err;
	const uint64_t into = offset & (PMFS_BLOCK - 1);
	uint64_t count = (into + *bytes) >> PMFS_BLOCK_SHIFT;
	*shared = space_is_shared(&inode->fs->space, *at >> PMFS_BLOCK_SHIFT, &count);
	*bytes = (count << PMFS_BLOCK_SHIFT) - into;
	return OK;
}

err_t file_check(const struct inode *inode)
{
	return inode->type == PMFS_FILE ? OK : inode->type == PMFS_DIRECTORY ? ERR_IS_DIR : ERR_UNSUPPORTED;
}

/* What lies in the one extent that most files have, and inside the size. */
static ALWAYS_INLINE bool read_quickly(const struct inode *inode, uint64_t offset, void *data, size_t bytes)
{
	const struct pmfs_inode *now = &inode->now;
	const struct pmfs_extent *extent = &now->root[0];
	const uint64_t into = offset - ((uint64_t)extent->logical << PMFS_BLOCK_SHIFT);
	const uint64_t run = (uint64_t)extent->count << PMFS_BLOCK_SHIFT, block = extent_block(extent);

	if (unlikely(now->levels != 0 || now->entries != 1 || into >= run || bytes > run - into))
		return false;
	if (unlikely(offset >= now->size || bytes > now->size - offset))
		return false;
	if (unlikely(!block_range_good(inode->fs, block, extent->count)))
		return false;
	memcpy(data, inode->fs->pm.base + (block << PMFS_BLOCK_SHIFT) + into, bytes);
	return true;
}

static __attribute__((noinline)) err_t read_runs(struct inode *inode, uint64_t offset, void *data, size_t bytes,
		uint64_t *done)
{
	struct pmfs *fs = inode->fs;
	const uint64_t end = offset < inode->now.size ? min_u64(inode->now.size - offset, bytes) : 0;
	uint64_t copied = 0;
	err_t err = OK;

	while (copied < end) {
		uint64_t at, run;
		err = file_run_at(inode, NULL, &inode->now, offset + copied, &at, &run);
		if (err != OK)
			break;
		run = min_u64(run, end - copied);
		if (at != 0)
			memcpy((uint8_t *)data + copied, fs->pm.base + at, run);
		else
			memset((uint8_t *)data + copied, 0, run);
		copied += run;
	}
	if (err == OK)
		*done = copied;
	return err;
}

err_t pmfs_read(struct pmfs *fs, struct inode *inode, uint64_t offset, void *data, size_t bytes, uint64_t *done)
{
	err_t err = OK;

	(void)fs;
	if (unlikely(inode->type != PMFS_FILE))
		return file_check(inode);
	inode_lock_read(inode);
	if (likely(read_quickly(inode, offset, data, bytes)))
		*done = bytes;
	else
		err = read_runs(inode, offset, data, bytes, done);
	inode_unlock(inode);
	return err;
}

/* With `c`, before that is committed. */
err_t file_tail_clear(struct inode *inode, struct change *c, uint64_t from, uint64_t to)
{
	const uint64_t block_end = (from + PMFS_BLOCK - 1) & ~(uint64_t)(PMFS_BLOCK - 1);
	uint64_t at, run;
	bool shared;

	to = min_u64(to, block_end);
	if (from >= to)
		return OK;
	err_t err = file_run_to_store(inode, NULL, &inode->now, from, &at, &run, &shared);
	if (err != OK || at == 0 || shared) /* F6 */
		return err;
	pm_zero_nt(&inode->fs->pm, inode->fs->pm.base + at, to - from);
	if (c != NULL)
		c->wrote = true;
	else
		pm_fence(&inode->fs->pm);
	return OK;
}

void pmfs_lease_shut(struct inode *inode, bool shut)
{
	inode_lock_write(inode);
	inode->shut = shut;
	if (shut)
		file_revoke(inode, 0, FILE_BYTES_MAX);
	inode_publish(inode);
	inode_unlock(inode);
}

/* F2. A few bytes behind the end, where nobody else stores: the record vouches for them, and what lies behind them
 * in their block is cleared at mount (F1). */
static void data_stored(struct inode *inode, struct change *c, uint64_t offset, const uint8_t *to, const uint8_t *data,
		uint64_t bytes)
{
	if (offset < inode->now.size || inode->lease != NULL || (offset & (PMFS_BLOCK - 1)) + bytes > PMFS_BLOCK)
		c->wrote = true;
	else
		change_vouch(c, to, data, (uint32_t)bytes);
}

/* [from, end) of a new block's bytes, which `old` had, or nobody. */
static void edge_fill(struct pmem *pm, uint8_t *to, uint64_t old, uint64_t from, uint64_t end)
{
	if (from == end)
		return;
	if (old != 0)
		pm_store_nt(pm, to + from, pm->base + old + from, end - from);
	else
		pm_zero_nt(pm, to + from, end - from);
}

err_t file_blocks_new(struct inode *inode, struct change *c, uint64_t offset, const uint8_t *data, uint64_t bytes,
		uint64_t old, uint64_t run, uint64_t *wrote)
{
	struct pmfs *fs = inode->fs;
	const uint64_t into = offset & (PMFS_BLOCK - 1);
	const uint32_t first = block_of(offset);
	uint64_t want = (into + bytes + PMFS_BLOCK - 1) >> PMFS_BLOCK_SHIFT;
	uint64_t goal = 0, start;
	struct tree_hit hit;
	uint32_t count;

	want = min_u64(min_u64(want, (into + run) >> PMFS_BLOCK_SHIFT), WRITE_RUN_BLOCKS_MAX);
	err_t err = tree_lookup(fs, c, inode->number, change_inode(c, inode), first, &hit);
	if (err != OK)
		return err;
	if (hit.has_at && (uint64_t)hit.at.logical + hit.at.count == first)
		goal = extent_block(&hit.at) + hit.at.count;
	if (goal != 0 && (goal - first) % SPACE_LARGE != 0) { /* from the next 2 MiB on it is worth large leaves */
		want = min_u64(want, SPACE_LARGE - first % SPACE_LARGE);
		goal |= first % SPACE_LARGE == 0 ? SPACE_PREFER_LARGE : 0;
	}
	err = change_alloc(c, inode, goal, (uint32_t)want, &start, &count);
	if (err != OK)
		return err;
	uint8_t *to = block_at(fs, start);
	const uint64_t whole = (uint64_t)count << PMFS_BLOCK_SHIFT;
	const uint64_t n = min_u64(bytes, whole - into);
	if (old != 0)
		old -= into;
	edge_fill(&fs->pm, to, old, 0, into);
	if (data != NULL)
		pm_store_nt(&fs->pm, to + into, data, n);
	else
		pm_zero_nt(&fs->pm, to + into, n);
	edge_fill(&fs->pm, to, old, into + n, whole);
	if (into == 0 && data != NULL && old == 0)
		data_stored(inode, c, offset, to, data, n);
	else
		c->wrote = true;
	*wrote = n;
	file_revoke(inode, (uint64_t)first << PMFS_BLOCK_SHIFT, whole); /* zero pages that stood for the hole, or F4 */
	return old != 0 ? tree_replace(c, inode, first, start, count) : tree_map(c, inode, first, start, count);
}

/* As much as one change takes. *done counts what will be visible after the commit. */
static err_t write_some(struct inode *inode, struct change *c, uint64_t offset, const uint8_t *data, uint64_t bytes,
		uint64_t *done)
{
	struct pmfs *fs = inode->fs;

	*done = 0;
	while (*done < bytes && !change_is_full(c)) {
		uint64_t at, run, n;
		bool shared;
		err_t err = file_run_to_store(inode, c, change_inode(c, inode), offset + *done, &at, &run, &shared);
		if (err != OK)
			return err;
		if (at != 0 && !shared) {
			n = min_u64(run, bytes - *done);
			if (offset + *done < inode->now.size)
				inode_settle(inode);
			pm_store_nt(&fs->pm, fs->pm.base + at, data + *done, n);
			data_stored(inode, c, offset + *done, fs->pm.base + at, data + *done, n);
		} else {
			err = file_blocks_new(inode, c, offset + *done, data + *done, bytes - *done, at, run, &n);
			if (err != OK)
				return err;
		}
		*done += n;
	}
	return OK;
}

/* F5. */
err_t file_past_clear(struct inode *inode, uint64_t *cleared)
{
	struct pmem *pm = &inode->fs->pm;
	uint64_t offset = inode->now.size;

	while (offset < FILE_BYTES_MAX) {
		uint64_t at, run;
		err_t err = file_run_at(inode, NULL, &inode->now, offset, &at, &run);
		if (err != OK)
			return err;
		for (const uint64_t end = offset + run; at != 0 && offset < end;) {
			const uint64_t n = min_u64(block_up(offset + 1), end) - offset;
			if (!pm_is_zero(pm->base + at, n)) {
				pm_zero_nt(pm, pm->base + at, n);
				++*cleared;
			} else {
				pm_write_back(pm, pm->base + at, n); /* C7 in change.h */
			}
			at += n;
			offset += n;
			run -= n;
		}
		offset += run;
	}
	return OK;
}

/* In DRAM; on media with the next change or sync. */
void file_times_move(struct inode *inode, uint64_t now)
{
	inode_settle(inode); /* else its journal may be reading `now` */
	inode->now.mtime = inode->now.ctime = now;
	inode->times_dirty = true;
	inode_publish(inode);
}

void file_change_end(struct change *c, struct inode *inode)
{
	struct pmfs_inode *next = change_inode(c, inode);

	next->mtime = next->ctime = pmfs_now_ns(inode->fs);
	if (c->allocated_count != 0 || c->freed_count != 0 || next->size != inode->now.size ||
			next->flags != inode->now.flags) {
		change_commit(c);
		return;
	}
	pm_fence(&inode->fs->pm);
	const uint64_t now = next->mtime;
	change_abort(c);
	file_times_move(inode, now);
}

void file_change_abort(struct change *c, struct inode *inode)
{
	pm_fence(&inode->fs->pm);
	change_abort(c);
	inode_publish(inode);
}

/* One change's worth, all of it or nothing; with ERR_NO_SPACE, *done is what could have been. An
 * overwrite inside the file changes no metadata but the time, which is written later. */
static err_t write_try(struct inode *inode, uint64_t offset, const uint8_t *data, uint64_t bytes, uint64_t *done)
{
	uint64_t cleared = 0;
	struct change c;

	change_begin(&c, inode->fs, false);
	struct pmfs_inode *next = change_inode(&c, inode);
	err_t err = offset > next->size ? file_tail_clear(inode, &c, next->size, offset) : OK;
	if (err == OK)
		err = write_some(inode, &c, offset, data, bytes, done);
	if (err != OK) { /* the tree may be half changed: none of it counts */
		const err_t kept = next->flags & PMFS_INODE_KEPT ? file_past_clear(inode, &cleared) : OK; /* F5 */
		file_change_abort(&c, inode);
		return kept != OK ? kept : err;
	}
	if (offset + *done > next->size)
		next->size = offset + *done;
	file_change_end(&c, inode);
	return OK;
}

/* Where there is not enough space for all: as much as there is space for, and ERR_NO_SPACE. */
static err_t write_step(struct inode *inode, uint64_t offset, const uint8_t *data, uint64_t bytes, uint64_t *done)
{
	err_t err = write_try(inode, offset, data, bytes, done);
	bool less = false;

	while (err == ERR_NO_SPACE && *done != 0) {
		less = true;
		err = write_try(inode, offset, data, *done, done);
	}
	if (err != OK)
		*done = 0;
	return err == OK && less ? ERR_NO_SPACE : err;
}

static uint32_t blocks_of_size(uint64_t size)
{
	return (uint32_t)((size + PMFS_BLOCK - 1) >> PMFS_BLOCK_SHIFT);
}

err_t file_rags_cut(struct inode *inode)
{
	err_t err = inode->ragged ? tree_drop_from(inode, blocks_of_size(inode->now.size)) : OK;

	if (err == OK)
		inode->ragged = false;
	return err;
}

err_t file_write(struct inode *inode, uint64_t offset, const uint8_t *data, uint64_t bytes, uint64_t *written)
{
	err_t err = file_rags_cut(inode);

	*written = 0;
	while (err == OK && *written < bytes) {
		uint64_t n = 0;
		err = write_step(inode, offset + *written, data + *written, bytes - *written, &n);
		*written += n;
	}
	return err;
}

/* Flat: what others may call is part of it all the same. */
__attribute__((flatten)) err_t pmfs_write(struct pmfs *fs, struct inode *inode, uint64_t offset, bool append,
		const void *data, size_t bytes, uint64_t *done, uint64_t *end)
{
	err_t err = file_check(inode);
	uint64_t written = 0;

	(void)fs;
	if (err != OK)
		return err;
	inode_lock_write(inode);
	if (append)
		offset = inode->now.size;
	if (offset > FILE_BYTES_MAX || bytes > FILE_BYTES_MAX - offset)
		err = ERR_TOO_BIG;
	if (err == OK)
		err = file_write(inode, offset, data, bytes, &written);
	if (written != 0)
		inode_changed(inode, FS_EVENT_MODIFY, NULL, 0);
	inode_unlock(inode);
	if (err != OK && (written == 0 || err != ERR_NO_SPACE))
		return err;
	*done = written;
	*end = offset + written;
	return OK;
}

static void resize_to(struct change *c, struct inode *inode, uint64_t size)
{
	struct pmfs_inode *next = change_inode(c, inode);

	next->size = size;
	next->mtime = next->ctime = pmfs_now_ns(inode->fs);
}

static err_t file_grow(struct inode *inode, uint64_t size)
{
	struct change c;

	change_begin(&c, inode->fs, true);
	resize_to(&c, inode, size);
	err_t err = file_tail_clear(inode, &c, inode->now.size, size);
	if (err == OK)
		change_commit(&c);
	else
		change_abort(&c);
	return err;
}

/* The size and its blocks go at once, but for those that do not fit into one change or need nodes for which there
 * is no room: they are rags then. The end of the last block is cleared after the commit (F1). */
static err_t file_shrink(struct inode *inode, uint64_t size)
{
	const uint64_t old = inode->now.size;
	struct change c;
	bool done = false;

	err_t err = size % PMFS_BLOCK != 0 ? file_own(inode, size, size + 1, true) : OK; /* its end is cleared below */
	if (err != OK)
		return err;
	file_revoke(inode, block_down(size), old - block_down(size));
	change_begin(&c, inode->fs, true);
	err = tree_cut_some(&c, inode, blocks_of_size(size), TREE_KEYS_END, &done);
	if (err != OK) {
		change_abort(&c);
		change_begin(&c, inode->fs, true);
	}
	resize_to(&c, inode, size);
	change_commit(&c);
	inode->ragged = err != OK || !done;
	err = file_tail_clear(inode, NULL, size, old);
	return err == OK ? file_rags_cut(inode) : err;
}

/* Locked for writing. */
err_t file_resize(struct inode *inode, uint64_t size)
{
	err_t err = size > FILE_BYTES_MAX ? ERR_TOO_BIG : file_rags_cut(inode);

	if (err != OK)
		return err;
	return size < inode->now.size ? file_shrink(inode, size) : file_grow(inode, size);
}

static err_t attributes_set(struct inode *inode, const struct fs_setattr *attr)
{
	struct change c;

	if ((attr->set & ~(uint32_t)FS_SET_SIZE) == 0)
		return OK;
	change_begin(&c, inode->fs, false);
	struct pmfs_inode *next = change_inode(&c, inode);
	if (attr->set & FS_SET_MODE)
		next->mode = (uint16_t)(attr->mode & 07777);
	if (attr->set & FS_SET_OWNER) {
		next->uid = attr->uid;
		next->gid = attr->gid;
	}
	if (attr->set & FS_SET_ATIME)
		next->atime = attr->atime;
	if (attr->set & FS_SET_MTIME)
		next->mtime = attr->mtime;
	next->ctime = pmfs_now_ns(inode->fs);
	change_commit(&c);
	return OK;
}

/* F5: a file that is about to be cut gives up the blocks past its size too: they are rags now. */
static void kept_give_up(struct inode *inode)
{
	struct change c;

	change_begin(&c, inode->fs, true);
	change_inode(&c, inode)->flags &= (uint16_t)~PMFS_INODE_KEPT;
	change_commit(&c);
	inode->ragged = true;
}

err_t pmfs_setattr(struct pmfs *fs, struct inode *inode, const struct fs_setattr *wanted)
{
	struct fs_setattr allowed = *wanted, *attr = &allowed;
	const uint32_t known = FS_SET_SIZE | FS_SET_MODE | FS_SET_OWNER | FS_SET_ATIME | FS_SET_MTIME;
	err_t err = OK;

	(void)fs;
	if (attr->set & ~known)
		return ERR_ARGS;
	if (attr->set & FS_SET_SIZE) {
		err = file_check(inode);
		if (err != OK)
			return err == ERR_UNSUPPORTED ? ERR_ARGS : err;
	}
	inode_lock_write(inode);
	err = access_setattr(inode, attr);
	if (err == OK && attr->set & FS_SET_SIZE && inode->now.flags & PMFS_INODE_KEPT && attr->size <= inode->now.size)
		kept_give_up(inode);
	if (err == OK && attr->set & FS_SET_SIZE)
		err = file_resize(inode, attr->size);
	if (err == OK)
		err = attributes_set(inode, attr);
	if (err == OK)
		inode_changed(inode, attr->set & FS_SET_SIZE ? FS_EVENT_MODIFY : FS_EVENT_ATTRIBUTES, NULL, 0);
	inode_unlock(inode);
	return err;
}

err_t pmfs_fstat(struct pmfs *fs, struct inode *inode, struct fs_stat *out)
{
	(void)fs;
	inode_lock_read(inode);
	stat_fill(inode, out);
	inode_unlock(inode);
	return OK;
}

void inode_publish(struct inode *inode)
{
	struct fs_stat st;

	if (inode->lease == NULL || inode->fs->options.publish == NULL)
		return;
	stat_fill(inode, &st);
	inode->fs->options.publish(inode->lease, &st,
			(inode->times_dirty ? FS_LEASE_TIMES_LATE : 0u) |
			(stores_any(inode->stores) || inode->left_in_caches ? FS_LEASE_STORES : 0u) |
			(inode->shut ? FS_LEASE_SHUT : 0u));
}

err_t pmfs_stored(struct pmfs *fs, struct inode *inode)
{
	err_t err = file_check(inode);

	if (err != OK)
		return err;
	inode_lock_write(inode);
	file_times_move(inode, pmfs_now_ns(fs));
	inode_unlock(inode);
	return OK;
}

err_t pmfs_seek(struct pmfs *fs, struct inode *inode, uint64_t offset, uint32_t what, uint64_t *found)
{
	err_t err = file_check(inode);

	(void)fs;
	if (err != OK || (what != FS_SEEK_DATA && what != FS_SEEK_HOLE))
		return ERR_ARGS;
	inode_lock_read(inode);
	const uint64_t size = inode->now.size;
	if (offset >= size)
		err = ERR_NOT_FOUND;
	while (err == OK && offset < size) {
		uint64_t at, run;
		err = file_run_at(inode, NULL, &inode->now, offset, &at, &run);
		if (err != OK || (at != 0) == (what == FS_SEEK_DATA))
			break;
		offset += run;
	}
	inode_unlock(inode);
	if (err != OK)
		return err;
	if (offset >= size && what == FS_SEEK_DATA)
		return ERR_NOT_FOUND;
	*found = min_u64(offset, size);
	return OK;
}
