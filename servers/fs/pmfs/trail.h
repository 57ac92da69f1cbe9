/* SPDX-License-Identifier: BSD-2-Clause */
/* trail.h - paths that the name cache knows in full: followed without a lock, a reference, or a line that another CPU
 * writes. Most calls by name are like that. Whatever is out of the ordinary (a name that is not there, a symbolic link,
 * dots, a directory that may not be searched) is walk.c's.
 *
 * T1  A trail is what was found in the cache for each name, and when. As long as no entry has changed since, every name
 *     still leads where it led (N1), all at one time; no inode on the way has got another number's memory or meaning.
 * T2  So who has locked the inode looks at the whole trail once more, and then has what the path leads to. Its number
 *     alone may have become another file's meanwhile.
 * T3  As long as he has it locked it stays in DRAM, and a name leads to it: whoever forgets an inode, or takes a
 *     directory's last name, has it locked for writing. He needs no reference. */
#pragma once

#include "access.h"
#include "inode.h"
#include "kit/fs.h"
#include "name_cache.h"

#define TRAIL_NAMES_MAX 8u

struct trail {
	uint64_t inode; /* where it leads */
	uint8_t type;
	uint32_t names;
	struct cached_look name[TRAIL_NAMES_MAX];
};

/* T2 */
static ALWAYS_INLINE bool trail_holds(const struct trail *trail)
{
	for (uint32_t i = 0; i < trail->names; i++)
		if (unlikely(!name_cache_still(&trail->name[i])))
			return false;
	return true;
}

/* The directory of that number may be searched, by who is not the superuser. */
bool trail_may_search(struct pmfs *fs, uint64_t number);

static ALWAYS_INLINE bool trail_is_dots(const char *name, uint32_t bytes)
{
	return name[0] == '.' && (bytes == 1 || (bytes == 2 && name[1] == '.'));
}

static inline void trail_begin(struct trail *trail)
{
	trail->inode = PMFS_INODE_ROOT;
	trail->type = PMFS_DIRECTORY;
	trail->names = 0;
}

static ALWAYS_INLINE const char *trail_skip_slashes(const char *path)
{
	while (*path == '/')
		path++;
	return path;
}

/* One name further, if it has come to a directory, which is the caller's to know. */
static ALWAYS_INLINE bool trail_step(struct pmfs *fs, struct trail *trail, const struct dir_name *name)
{
	const uint64_t dir = trail->inode;
	struct dir_hit hit;

	if (unlikely(trail->names == TRAIL_NAMES_MAX || trail_is_dots(name->text, name->bytes)))
		return false;
	if (unlikely(access_user != NULL && !trail_may_search(fs, dir)))
		return false;
	if (!name_cache_look(fs, dir, name, &trail->name[trail->names++], &hit, NULL))
		return false;
	trail->inode = hit.inode;
	trail->type = hit.type;
	return true;
}

/* The same as far as the directory of the last name, which is then *name: where it begins. NULL: the trail ends before
 * it. "": there is no name. */
static ALWAYS_INLINE const char *trail_to_last(struct pmfs *fs, struct trail *trail, const char *path,
		struct dir_name *name)
{
	const char *at = trail_skip_slashes(path);

	trail_begin(trail);
	while (*at != 0) {
		name_cache_take(name, at);
		const char *next = trail_skip_slashes(at + name->bytes);
		if (*next == 0)
			break;
		if (!trail_step(fs, trail, name) || unlikely(trail->type != PMFS_DIRECTORY))
			return NULL;
		at = next;
	}
	return at;
}

/* T2. NULL: it is not in DRAM any more, or the trail does not hold. */
static ALWAYS_INLINE struct inode *trail_end(struct pmfs *fs, const struct trail *trail, bool write)
{
	struct inode *inode = inode_lately(fs, trail->inode);

	if (unlikely(inode == NULL))
		return NULL;
	if (write)
		inode_lock_write(inode);
	else
		inode_lock_read(inode);
	if (likely(inode->number == trail->inode && trail_holds(trail)))
		return inode;
	inode_unlock(inode);
	return NULL;
}

/* What the path leads to, locked for reading: inode_unlock. NULL: use walk_path. */
static ALWAYS_INLINE struct inode *trail_lock(struct pmfs *fs, const char *path, bool follow)
{
	struct trail trail;

	trail_begin(&trail);
	for (path = trail_skip_slashes(path); *path != 0; path = trail_skip_slashes(path)) {
		struct dir_name name;
		name_cache_take(&name, path);
		if (!trail_step(fs, &trail, &name))
			return NULL;
		path += name.bytes;
		if (*path == '/' && unlikely(trail.type != PMFS_DIRECTORY))
			return NULL;
	}
	return likely(trail.type != PMFS_SYMLINK || !follow) ? trail_end(fs, &trail, false) : NULL;
}
