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

static ALWAYS_INLINE bool trail_follow(struct pmfs *fs, const char *path, bool follow, struct trail *out)
{
	struct dir_hit at = { .inode = PMFS_INODE_ROOT, .type = PMFS_DIRECTORY };
	struct dir_name name;

	out->names = 0;
	while (*path == '/')
		path++;
	while (*path != 0) {
		const uint64_t dir = at.inode;
		name_cache_take(&name, path);
		if (unlikely(at.type != PMFS_DIRECTORY || out->names == TRAIL_NAMES_MAX || is_dots(path, name.bytes)))
			return false;
		if (unlikely(access_user != NULL && !may_search(fs, dir)))
			return false;
		if (!name_cache_look(fs, dir, &name, &out->name[out->names++], &at))
			return false;
		path += name.bytes;
		if (*path == '/' && unlikely(at.type != PMFS_DIRECTORY))
			return false;
		while (*path == '/')
			path++;
	}
	out->inode = at.inode;
	return likely(at.inode != 0 && (at.type != PMFS_SYMLINK || !follow));
}

struct inode *trail_lock(struct pmfs *fs, const char *path, bool follow)
{
	struct trail trail;

	if (!trail_follow(fs, path, follow, &trail))
		return NULL;
	struct inode *inode = inode_lately(fs, trail.inode);
	if (unlikely(inode == NULL))
		return NULL;
	inode_lock_read(inode);
	if (likely(inode->number == trail.inode && trail_holds(&trail)))
		return inode;
	inode_unlock(inode);
	return NULL;
}
