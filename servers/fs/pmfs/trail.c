/* SPDX-License-Identifier: BSD-2-Clause */
/* trail.c - see trail.h. */
#include "trail.h"
#include "access.h"
#include "kit/fs.h"

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
static COLD bool may_search(struct pmfs *fs, uint64_t number)
{
	struct inode *dir = number == PMFS_INODE_ROOT ? fs->root : inode_lately(fs, number);

	if (dir == NULL)
		return false;
	inode_lock_read(dir);
	const bool may = dir->number == number && access_check(dir, ACCESS_SEARCH) == OK;
	inode_unlock(dir);
	return may;
}

static ALWAYS_INLINE bool is_dots(const char *name, uint32_t bytes)
{
	return name[0] == '.' && (bytes == 1 || (bytes == 2 && name[1] == '.'));
}

static inline void trail_begin(struct trail *trail)
{
	trail->inode = PMFS_INODE_ROOT;
	trail->type = PMFS_DIRECTORY;
	trail->names = 0;
}

/* One name further: *path moves past it and the slashes behind it. */
static ALWAYS_INLINE bool trail_step(struct pmfs *fs, struct trail *trail, const char **path)
{
	const uint64_t dir = trail->inode;
	const char *at = *path;
	struct dir_hit hit;
	struct dir_name name;

	name_cache_take(&name, at);
	if (unlikely(trail->type != PMFS_DIRECTORY || trail->names == TRAIL_NAMES_MAX || is_dots(at, name.bytes)))
		return false;
	if (unlikely(access_user != NULL && !may_search(fs, dir)))
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

__attribute__((flatten)) struct inode *trail_lock(struct pmfs *fs, const char *path, bool follow)
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

/* Where the name that starts there ends, and whether another one follows. */
static ALWAYS_INLINE bool another_follows(const char *path)
{
	path += kit_name_bytes(path);
	while (*path == '/')
		path++;
	return *path != 0;
}

struct inode *trail_parent(struct pmfs *fs, const char **path)
{
	const char *at = *path;
	struct trail trail;

	trail_begin(&trail);
	while (*at == '/')
		at++;
	while (another_follows(at))
		if (!trail_step(fs, &trail, &at))
			return NULL;
	if (trail.names == 0)
		return NULL;
	struct inode *dir = trail_end(fs, &trail);
	if (dir == NULL)
		return NULL;
	inode_hold(dir);
	inode_unlock(dir);
	*path = at;
	return dir;
}
