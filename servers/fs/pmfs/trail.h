/* SPDX-License-Identifier: BSD-2-Clause */
/* trail.h - paths that the name cache knows in full: followed without a lock, a reference, or a line that another CPU
 * writes. Most calls by name are like that. Whatever is out of the ordinary (a name that is not there, a symbolic link,
 * dots, a directory that may not be searched) is walk.c's.
 *
 * T1  A trail is what was found in the cache for each name, and when. As long as no entry has changed since, every name
 *     still leads where it led (N1), all at one time; no inode on the way has got another number's memory or meaning.
 * T2  So who has locked the inode looks at the whole trail once more, and then has what the path leads to. Its number
 *     alone may have become another file's meanwhile. */
#pragma once

#include "access.h"
#include "inode.h"
#include "kit/fs.h"
#include "name_cache.h"

/* The directory in which *path has its last name, with a reference (inode_put); *path moves to that name. NULL: it is
 * the root, or use walk_path from there. */
struct inode *trail_parent(struct pmfs *fs, const char **path);

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

/* One name further, from a directory: *path moves past it and the slashes behind it. */
static ALWAYS_INLINE bool trail_step(struct pmfs *fs, struct trail *trail, const char **path)
{
	const uint64_t dir = trail->inode;
	const char *at = *path;
	struct dir_hit hit;
	struct dir_name name;

	name_cache_take(&name, at);
	if (unlikely(trail->names == TRAIL_NAMES_MAX || trail_is_dots(at, name.bytes)))
		return false;
	if (unlikely(access_user != NULL && !trail_may_search(fs, dir)))
		return false;
	if (!name_cache_look(fs, dir, &name, &trail->name[trail->names++], &hit, NULL))
		return false;
	trail->inode = hit.inode;
	trail->type = hit.type;
	at += name.bytes;
	if (*at == '/' && unlikely(hit.type != PMFS_DIRECTORY))
		return false;
	while (*at == '/')
		at++;
	*path = at;
	return true;
}

/* T2. NULL: it is not in DRAM any more, or the trail does not hold. */
static ALWAYS_INLINE struct inode *trail_end(struct pmfs *fs, const struct trail *trail)
{
	struct inode *inode = inode_lately(fs, trail->inode);

	if (unlikely(inode == NULL))
		return NULL;
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
	while (*path == '/')
		path++;
	while (*path != 0)
		if (!trail_step(fs, &trail, &path))
			return NULL;
	return likely(trail.type != PMFS_SYMLINK || !follow) ? trail_end(fs, &trail) : NULL;
}
