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
