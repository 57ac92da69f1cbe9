/* SPDX-License-Identifier: BSD-2-Clause */
/* name.c - what happens to names: open with create, mkdir, link, symlink, unlink, rmdir, readdir.
 * Each takes one change: the directory, the inode, and a word of a leaf. The directory is locked first. */
#include "name.h"
#include "access.h"
#include "directory.h"
#include "extent_tree.h"
#include "file.h"
#include "name_cache.h"
#include "text.h"
#include "trail.h"
#include "kit/fs.h"

#include <string.h>

#define OPEN_TRIES 8u /* a name that comes and goes under us */

void name_touch(struct pmfs_inode *next, uint64_t now)
{
	next->mtime = next->ctime = now;
}

/* What a new inode starts with. */
struct fresh_inode {
	uint8_t type;
	uint32_t mode;
	const char *target; /* PMFS_SYMLINK */
	bool nameless;
};

static err_t inode_begin(struct change *c, struct inode *inode, struct inode *parent, const struct fresh_inode *what,
		uint64_t now)
{
	struct pmfs_inode *next = change_inode_new(c, inode);
	uint64_t block;
	uint32_t count;

	*next = (struct pmfs_inode) {
		.version = inode->now.version,
		.type = what->type,
		.mode = (uint16_t)(what->mode & 07777),
		.links = what->nameless ? 0 : what->type == PMFS_DIRECTORY ? 2 : 1,
		.parent = what->type == PMFS_DIRECTORY ? (uint32_t)parent->number : 0,
		.mtime = now,
		.ctime = now,
		.atime = now,
	};
	access_begin(next, parent);
	inode->ragged = false;
	inode->linkable = false;
	if (what->target == NULL)
		return OK;
	next->size = strlen(what->target);
	if (next->size <= PMFS_TARGET_INLINE) {
		next->flags |= PMFS_INODE_INLINE;
		memcpy(next->target, what->target, next->size);
		return OK;
	}
	err_t err = change_alloc(c, inode, 0, 1, &block, &count);
	if (err != OK)
		return err;
	uint8_t *to = block_at(c->fs, block);
	pm_store_nt(&c->fs->pm, to, what->target, next->size);
	change_vouch(c, to, what->target, (uint32_t)next->size);
	return tree_map(c, inode, 0, block, 1);
}

/* Locked: the directory, and the new inode is ours alone. */
static err_t make_locked(struct walk *at, const struct fresh_inode *what, struct inode *inode)
{
	struct inode *dir = at->parent;
	const uint64_t now = pmfs_now_ns(dir->fs);
	struct change c;
	err_t err = access_check(dir, ACCESS_WRITE | ACCESS_SEARCH);

	if (err != OK)
		return err;
	change_begin(&c, dir->fs, false);
	struct pmfs_inode *next = change_inode(&c, dir);
	name_touch(next, now);
	next->links += what->type == PMFS_DIRECTORY;
	err = inode_begin(&c, inode, dir, what, now);
	if (err == OK)
		err = dir_add(&c, dir, &at->name, inode->number, what->type);
	if (err != OK) {
		change_abort(&c);
		return err;
	}
	change_commit(&c);
	inode_changed(dir, FS_EVENT_CREATE, at->name.text, at->name.bytes);
	name_cache_put(dir, &at->name, &(struct dir_hit) { inode->number, what->type, at->name.added });
	return OK;
}

/* A new inode under a name that is free; the directory is locked. On success *out has a reference. */
static err_t name_make(struct walk *at, const struct fresh_inode *what, struct inode **out)
{
	struct inode *inode;
	err_t err = inode_take_free(at->fs, &inode);

	if (err != OK)
		return err;
	err = make_locked(at, what, inode);
	if (err != OK) {
		inode_put(inode);
		return err;
	}
	*out = inode;
	return OK;
}

static err_t make_at_path(struct pmfs *fs, const char *path, const struct fresh_inode *what)
{
	struct inode *inode = NULL;
	struct walk at;
	err_t err = walk_to_change(fs, path, &at);

	if (err != OK)
		return err;
	if (at.inode != NULL)
		err = ERR_EXISTS;
	else if (at.wants_directory && what->type != PMFS_DIRECTORY)
		err = ERR_NOT_FOUND;
	else
		err = name_make(&at, what, &inode);
	walk_end(&at);
	if (err == OK)
		inode_put(inode);
	return err;
}

err_t pmfs_mkdir(struct pmfs *fs, const char *path, uint32_t mode)
{
	return make_at_path(fs, path, &(struct fresh_inode) { .type = PMFS_DIRECTORY, .mode = mode });
}

err_t pmfs_symlink(struct pmfs *fs, const char *target, const char *path)
{
	const size_t bytes = strlen(target);

	if (bytes == 0)
		return ERR_NOT_FOUND;
	if (bytes > FS_PATH_BYTES_MAX - 1)
		return ERR_NAME_TOO_LONG;
	return make_at_path(fs, path, &(struct fresh_inode) { .type = PMFS_SYMLINK, .mode = 0777, .target = target });
}

err_t pmfs_readlink(struct pmfs *fs, const char *path, char *target, size_t room, uint64_t *bytes)
{
	struct walk at;
	size_t n = 0;
	err_t err = walk_path(fs, path, false, &at);

	if (err != OK)
		return err;
	err = at.inode == NULL ? ERR_NOT_FOUND : symlink_read(at.inode, target, room, &n);
	walk_end(&at);
	if (err == OK)
		*bytes = n;
	return err;
}

/* --- open --- */

/* By what it is. No lock. */
static inline err_t open_fits(const struct inode *inode, uint32_t flags)
{
	const uint8_t type = inode->type;

	if ((flags & FS_OPEN_CREATE) && (flags & FS_OPEN_EXCLUSIVE))
		return ERR_EXISTS;
	if (type == PMFS_SYMLINK)
		return ERR_TOO_DEEP; /* NO_FOLLOW, as POSIX has it (ELOOP) */
	if ((flags & FS_OPEN_DIRECTORY) && type != PMFS_DIRECTORY)
		return ERR_NOT_DIR;
	if (type == PMFS_DIRECTORY && (flags & (FS_OPEN_WRITE | FS_OPEN_TRUNCATE | FS_OPEN_APPEND)))
		return ERR_IS_DIR;
	return OK;
}

static err_t open_truncate(struct pmfs *fs, struct inode *inode, uint32_t flags)
{
	const struct fs_setattr attr = { .set = FS_SET_SIZE };

	return flags & FS_OPEN_WRITE && pmfs_size(inode) != 0 ? pmfs_setattr(fs, inode, &attr) : OK;
}

static err_t open_check(struct pmfs *fs, struct inode *inode, uint32_t flags)
{
	err_t err = open_fits(inode, flags);

	if (err == OK)
		err = access_check_unlocked(inode, access_for_open(flags));
	return err == OK && flags & FS_OPEN_TRUNCATE ? open_truncate(fs, inode, flags) : err;
}

/* A file that no name leads to: on media it is one that was unlinked while open, which the next mount frees. */
static err_t nameless_make(struct walk *at, uint32_t flags, uint32_t mode, struct inode **out)
{
	const struct fresh_inode what = { .type = PMFS_FILE, .mode = mode, .nameless = true };
	struct pmfs *fs = at->fs;
	struct inode *inode;
	struct change c;

	if (!(flags & FS_OPEN_WRITE))
		return ERR_ARGS;
	if (at->inode == NULL || pmfs_is_unlinked(at->inode))
		return ERR_NOT_FOUND;
	if (at->inode->type != PMFS_DIRECTORY)
		return ERR_NOT_DIR;
	err_t err = access_check_unlocked(at->inode, ACCESS_WRITE | ACCESS_SEARCH);
	if (err == OK)
		err = inode_take_free(fs, &inode);
	if (err != OK)
		return err;
	change_begin(&c, fs, false);
	err = inode_begin(&c, inode, at->inode, &what, pmfs_now_ns(fs));
	if (err != OK) {
		change_abort(&c);
		inode_put(inode);
		return err;
	}
	change_commit(&c);
	inode->linkable = !(flags & FS_OPEN_EXCLUSIVE);
	*out = inode;
	return OK;
}

/* What is there, and is not to be changed. False: it takes a walk. */
static ALWAYS_INLINE bool open_quickly(struct pmfs *fs, const char *path, uint32_t flags, struct pmfs_opened *out,
		err_t *err)
{
	struct inode *inode = NULL;

	if (likely(!(flags & (FS_OPEN_NAME_ONLY | FS_OPEN_NAMELESS | FS_OPEN_EXCLUSIVE | FS_OPEN_TRUNCATE))))
		inode = trail_lock(fs, path, !(flags & FS_OPEN_NO_FOLLOW));
	if (unlikely(inode == NULL))
		return false;
	*err = open_fits(inode, flags);
	if (likely(*err == OK))
		*err = access_check(inode, access_for_open(flags));
	if (likely(*err == OK)) {
		inode_hold(inode);
		out->inode = inode;
		out->number = inode->number;
		out->size = inode->now.size;
		out->type = inode->type;
	}
	inode_unlock(inode);
	return true;
}

/* The directory is locked. */
static err_t open_new(struct walk *at, uint32_t flags, uint32_t mode, struct inode **out)
{
	if (at->wants_directory || (flags & FS_OPEN_DIRECTORY))
		return ERR_IS_DIR;
	return name_make(at, &(struct fresh_inode) { .type = PMFS_FILE, .mode = mode }, out);
}

/* With FS_OPEN_CREATE. False: there is one, and it is to be opened. */
static bool open_makes(struct pmfs *fs, const char *path, uint32_t flags, uint32_t mode, struct inode **out, err_t *err)
{
	struct walk at;

	*err = walk_to_change(fs, path, &at);
	if (*err != OK)
		return true;
	const bool is_there = at.inode != NULL;
	*err = is_there ? ERR_EXISTS : open_new(&at, flags, mode, out);
	walk_end(&at);
	return !is_there || (flags & FS_OPEN_EXCLUSIVE);
}

/* ERR_AGAIN: what a symbolic link leads to was not there, and came before it was made. */
static err_t open_once(struct pmfs *fs, const char *path, uint32_t flags, uint32_t mode, struct inode **out)
{
	struct walk at;
	err_t err = walk_path(fs, path, !(flags & FS_OPEN_NO_FOLLOW), &at);

	if (err != OK)
		return err;
	if (flags & FS_OPEN_NAMELESS) {
		err = nameless_make(&at, flags, mode, out);
	} else if (at.inode != NULL) {
		err = open_check(fs, at.inode, flags);
		if (err == OK) {
			inode_lately_put(at.inode);
			*out = walk_take(&at);
		}
	} else if (!(flags & FS_OPEN_CREATE)) {
		err = ERR_NOT_FOUND;
	} else {
		err = walk_lock(&at);
		if (err == OK)
			err = at.inode != NULL ? ERR_AGAIN : open_new(&at, flags, mode, out);
	}
	walk_end(&at);
	return err;
}

/* What is there and can be written, empty afterwards. False: it takes a walk. */
static bool open_emptied(struct pmfs *fs, const char *path, uint32_t flags, struct pmfs_opened *out, err_t *err)
{
	if (!(flags & FS_OPEN_TRUNCATE) || !(flags & FS_OPEN_WRITE) ||
			!open_quickly(fs, path, flags & ~(uint32_t)FS_OPEN_TRUNCATE, out, err))
		return false;
	if (*err != OK)
		return true;
	*err = open_truncate(fs, out->inode, flags);
	if (*err != OK)
		inode_put(out->inode);
	else
		out->size = pmfs_size(out->inode);
	return true;
}

static __attribute__((noinline)) err_t open_slowly(struct pmfs *fs, const char *path, uint32_t flags, uint32_t mode,
		struct pmfs_opened *out)
{
	struct inode *inode;
	uint32_t tries = OPEN_TRIES;
	err_t err;

	if (open_emptied(fs, path, flags, out, &err))
		return err;
	if (flags & FS_OPEN_NAME_ONLY)
		err = flags & ~(uint32_t)(FS_OPEN_NAME_ONLY | FS_OPEN_NO_FOLLOW) ? ERR_ARGS
				: pmfs_find(fs, path, !(flags & FS_OPEN_NO_FOLLOW), &inode);
	else if ((flags & (FS_OPEN_CREATE | FS_OPEN_NAMELESS)) != FS_OPEN_CREATE ||
			!open_makes(fs, path, flags, mode, &inode, &err))
		for (err = ERR_AGAIN; tries != 0 && err == ERR_AGAIN; tries--)
			err = open_once(fs, path, flags, mode, &inode);
	if (err == OK)
		*out = (struct pmfs_opened) { inode, inode->number, pmfs_size(inode), inode->type };
	return err;
}

static ALWAYS_INLINE err_t open_path(struct pmfs *fs, const char *path, uint32_t flags, uint32_t mode,
		struct pmfs_opened *out)
{
	err_t err;

	return likely(open_quickly(fs, path, flags, out, &err)) ? err : open_slowly(fs, path, flags, mode, out);
}

err_t pmfs_open(struct pmfs *fs, const char *path, uint32_t flags, uint32_t mode, struct inode **out)
{
	struct pmfs_opened opened;
	err_t err = open_path(fs, path, flags, mode, &opened);

	if (err == OK)
		*out = opened.inode;
	return err;
}

err_t pmfs_open_counted(struct pmfs *fs, const char *path, uint32_t flags, uint32_t mode, struct pmfs_opened *out)
{
	err_t err = open_path(fs, path, flags, mode, out);

	if (likely(err == OK))
		atomic_fetch_add(&out->inode->opens, 1);
	return err;
}

/* --- removing --- */

/* Locked: the directory and the inode. An inode whose last name this is, and that nobody has open,
 * is freed by the same change. */
static err_t remove_locked(struct walk *at)
{
	struct inode *dir = at->parent, *inode = at->inode;
	const bool is_dir = inode->type == PMFS_DIRECTORY;
	const bool holds = inode->now.blocks != 0 || inode->now.attributes != 0;
	struct pmfs_inode last;
	bool empty = true;
	struct change c;
	err_t err = access_remove(dir, inode);

	if (err == OK && is_dir)
		err = dir_empty(inode, &empty);
	if (err != OK || !empty)
		return err != OK ? err : ERR_NOT_EMPTY;
	if (holds)
		last = inode->now;
	const uint64_t now = pmfs_now_ns(dir->fs);
	change_begin(&c, dir->fs, true);
	struct pmfs_inode *next_dir = change_inode(&c, dir);
	name_touch(next_dir, now);
	next_dir->links -= is_dir;
	const bool ends = (is_dir || inode->now.links == 1) && inode_is_alone(inode);
	if (ends) {
		inode_free_in(&c, inode);
	} else {
		struct pmfs_inode *next = change_inode(&c, inode);
		next->links = is_dir ? 0 : next->links - 1;
		next->ctime = now;
	}
	err = dir_remove(&c, dir, &at->name, inode->number);
	if (err != OK) {
		change_abort(&c);
		return err;
	}
	change_commit(&c);
	name_cache_put(dir, &at->name, &(struct dir_hit) { .inode = 0 });
	inode_changed(dir, FS_EVENT_DELETE, at->name.text, at->name.bytes);
	inode_changed(inode, inode->now.links == 0 ? FS_EVENT_DELETE_SELF : FS_EVENT_ATTRIBUTES, NULL, 0);
	if (ends)
		inode_release(dir->fs, inode->number, holds ? &last : NULL);
	return OK;
}

static err_t remove_path(struct pmfs *fs, const char *path, bool directory)
{
	struct walk at;
	err_t err = walk_to_change(fs, path, &at);

	if (err != OK)
		return err;
	if (at.inode == NULL)
		err = ERR_NOT_FOUND;
	else if (at.parent == NULL)
		err = directory ? ERR_BUSY : ERR_IS_DIR; /* the root */
	else if (directory && at.inode->type != PMFS_DIRECTORY)
		err = ERR_NOT_DIR;
	else if (!directory && at.inode->type == PMFS_DIRECTORY)
		err = ERR_IS_DIR;
	if (err == OK) {
		inode_lock_write(at.inode);
		err = remove_locked(&at);
		inode_unlock(at.inode);
	}
	walk_end(&at);
	return err;
}

err_t pmfs_unlink(struct pmfs *fs, const char *path)
{
	return remove_path(fs, path, false);
}

err_t pmfs_rmdir(struct pmfs *fs, const char *path)
{
	return remove_path(fs, path, true);
}

/* --- link --- */

static err_t link_locked(struct walk *to, struct inode *inode)
{
	struct inode *dir = to->parent;
	struct change c;
	err_t err = access_check(dir, ACCESS_WRITE | ACCESS_SEARCH);

	if (err == OK && inode->now.links == 0 && !inode->linkable)
		err = ERR_NOT_FOUND;
	if (err == OK && inode->now.links == UINT32_MAX)
		err = ERR_TOO_BIG;
	if (err != OK)
		return err;
	change_begin(&c, dir->fs, false);
	const uint64_t now = pmfs_now_ns(dir->fs);
	name_touch(change_inode(&c, dir), now);
	struct pmfs_inode *next = change_inode(&c, inode);
	next->links++;
	next->ctime = now;
	err = dir_add(&c, dir, &to->name, inode->number, inode->type);
	if (err == OK) {
		change_commit(&c);
		inode->linkable = false;
		name_cache_put(dir, &to->name, &(struct dir_hit) { inode->number, inode->type, to->name.added });
		inode_changed(dir, FS_EVENT_CREATE, to->name.text, to->name.bytes);
		inode_changed(inode, FS_EVENT_ATTRIBUTES, NULL, 0);
	} else {
		change_abort(&c);
	}
	return err;
}

err_t pmfs_link_file(struct pmfs *fs, struct inode *inode, const char *to)
{
	struct walk at;
	err_t err = walk_to_change(fs, to, &at);

	if (err != OK)
		return err;
	if (inode->type == PMFS_DIRECTORY) {
		err = ERR_DENIED;
	} else if (at.inode != NULL) {
		err = ERR_EXISTS;
	} else if (at.wants_directory) {
		err = ERR_NOT_FOUND;
	} else {
		inode_lock_write(inode);
		err = link_locked(&at, inode);
		inode_unlock(inode);
	}
	walk_end(&at);
	return err;
}

err_t pmfs_link(struct pmfs *fs, const char *from, const char *to)
{
	struct inode *inode;
	err_t err = pmfs_find(fs, from, false, &inode);

	if (err != OK)
		return err;
	err = pmfs_link_file(fs, inode, to);
	inode_put(inode);
	return err;
}

/* --- readdir, and what goes by name --- */

err_t pmfs_readdir(struct pmfs *fs, struct inode *inode, uint64_t cookie, void *entries, size_t room,
		uint64_t *bytes, uint64_t *next)
{
	struct dir_list list = { .to = entries, .end = (uint8_t *)entries + room, .next = cookie };

	if (inode->type != PMFS_DIRECTORY)
		return ERR_NOT_DIR;
	inode_lock_read(inode);
	err_t err = inode->now.links == 0 ? OK : dir_list(fs, inode->number, &inode->now, cookie, &list);
	inode_unlock(inode);
	if (err != OK)
		return err;
	*bytes = (size_t)(list.to - (uint8_t *)entries);
	if (list.full && *bytes == 0)
		return ERR_ARGS;
	*next = list.full ? list.next : 0;
	return OK;
}

err_t pmfs_find(struct pmfs *fs, const char *path, bool follow, struct inode **out)
{
	struct walk at;
	err_t err = walk_path(fs, path, follow, &at);

	if (err != OK)
		return err;
	if (at.inode == NULL)
		err = ERR_NOT_FOUND;
	else
		*out = walk_take(&at);
	walk_end(&at);
	return err;
}

static COLD err_t stat_walk(struct pmfs *fs, const char *path, bool follow, struct fs_stat *out)
{
	struct walk at;
	err_t err = walk_path(fs, path, follow, &at);

	if (err != OK)
		return err;
	err = at.inode == NULL ? ERR_NOT_FOUND : pmfs_fstat(fs, at.inode, out);
	if (err == OK)
		inode_lately_put(at.inode);
	walk_end(&at);
	return err;
}

err_t pmfs_stat(struct pmfs *fs, const char *path, bool follow, struct fs_stat *out)
{
	struct inode *inode = trail_lock(fs, path, follow);

	if (unlikely(inode == NULL))
		return stat_walk(fs, path, follow, out);
	stat_fill(inode, out);
	inode_unlock(inode);
	return OK;
}

err_t pmfs_access(struct pmfs *fs, const char *path, uint32_t want)
{
	struct walk at;
	err_t err = walk_path(fs, path, true, &at);

	if (err != OK)
		return err;
	err = at.inode == NULL ? ERR_NOT_FOUND : access_ask(at.inode, want);
	walk_end(&at);
	return err;
}

err_t pmfs_setattr_path(struct pmfs *fs, const char *path, const struct fs_setattr *attr)
{
	struct walk at;
	err_t err = walk_path(fs, path, true, &at);

	if (err != OK)
		return err;
	const uint32_t want = attr->set & FS_SET_SIZE ? ACCESS_WRITE : 0;
	err = at.inode == NULL ? ERR_NOT_FOUND : access_check_unlocked(at.inode, want);
	if (err == OK)
		err = pmfs_setattr(fs, at.inode, attr);
	walk_end(&at);
	return err;
}
