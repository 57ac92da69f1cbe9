/* SPDX-License-Identifier: BSD-2-Clause */
/* trail.c - see trail.h. */
#include "trail.h"

/* The directory of that number may be searched, by who is not the superuser. */
COLD bool trail_may_search(struct pmfs *fs, uint64_t number)
{
	struct inode *dir = number == PMFS_INODE_ROOT ? fs->root : inode_lately(fs, number);

	if (dir == NULL)
		return false;
	inode_lock_read(dir);
	const bool may = dir->number == number && access_check(dir, ACCESS_SEARCH) == OK;
	inode_unlock(dir);
	return may;
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
