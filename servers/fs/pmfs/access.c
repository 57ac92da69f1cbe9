/* SPDX-License-Identifier: BSD-2-Clause */
/* access.c - permissions; see access.h. */
#include "access.h"

#define STICKY 01000u
#define SET_GROUP 02000u
#define SET_USER 04000u
#define GROUP_EXECUTE 010u

_Thread_local const struct pmfs_user *access_user;

static bool in_group(uint32_t group)
{
	if (access_user->group == group)
		return true;
	for (uint32_t i = 0; i < access_user->groups; i++)
		if (access_user->more[i] == group)
			return true;
	return false;
}

static bool owns(const struct inode *inode)
{
	return access_user == NULL || access_user->user == inode->now.uid;
}

err_t access_check_slow(const struct inode *inode, uint32_t want)
{
	const struct pmfs_inode *now = &inode->now;
	const uint32_t shift = owns(inode) ? 6 : in_group(now->gid) ? 3 : 0; /* the first that fits, though it be worse */

	return ((uint32_t)now->mode >> shift & want) == want ? OK : ERR_DENIED;
}

err_t access_remove_slow(const struct inode *dir, const struct inode *inode)
{
	err_t err = access_check_slow(dir, ACCESS_WRITE | ACCESS_SEARCH);

	if (err != OK || !(dir->now.mode & STICKY))
		return err;
	return owns(dir) || owns(inode) ? OK : ERR_NOT_OWNER;
}

err_t access_check_unlocked(struct inode *inode, uint32_t want)
{
	if (likely(access_user == NULL) || want == 0)
		return OK;
	inode_lock_read(inode);
	err_t err = access_check_slow(inode, want);
	inode_unlock(inode);
	return err;
}

err_t access_ask(struct inode *inode, uint32_t want)
{
	if (want & ~(ACCESS_READ | ACCESS_WRITE | ACCESS_SEARCH))
		return ERR_ARGS;
	inode_lock_read(inode);
	err_t err = access_check(inode, want);
	if (err == OK && want & ACCESS_SEARCH && inode->type != PMFS_DIRECTORY && (inode->now.mode & 0111) == 0)
		err = ERR_DENIED;
	inode_unlock(inode);
	return err;
}

void access_begin(struct pmfs_inode *next, const struct inode *dir)
{
	if (access_user != NULL) {
		next->uid = access_user->user;
		next->gid = access_user->group;
	}
	if (dir == NULL || !(dir->now.mode & SET_GROUP))
		return;
	next->gid = dir->now.gid; /* files of such a directory are of its group, and so are its directories, in turn */
	if (next->type == PMFS_DIRECTORY)
		next->mode |= SET_GROUP;
}

static err_t owner_check(const struct inode *inode, const struct fs_setattr *attr)
{
	if (attr->uid != inode->now.uid || !owns(inode))
		return ERR_NOT_OWNER; /* nothing is given away */
	return attr->gid == inode->now.gid || in_group(attr->gid) ? OK : ERR_NOT_OWNER;
}

err_t access_setattr(const struct inode *inode, struct fs_setattr *attr)
{
	if (attr->uid == UINT32_MAX)
		attr->uid = inode->now.uid;
	if (attr->gid == UINT32_MAX)
		attr->gid = inode->now.gid;
	if (attr->set & FS_SET_OWNER && inode->type == PMFS_FILE) {
		const uint32_t mode = attr->set & FS_SET_MODE ? attr->mode : inode->now.mode;
		const bool may_run = mode & GROUP_EXECUTE; /* else the bit means something else */
		attr->mode = mode & ~(SET_USER | (may_run ? SET_GROUP : 0));
		attr->set |= FS_SET_MODE;
	}
	if (access_user == NULL)
		return OK;
	if (attr->set & (FS_SET_MODE | FS_SET_ATIME | FS_SET_MTIME) && !owns(inode))
		return ERR_NOT_OWNER;
	if (attr->set & FS_SET_OWNER && owner_check(inode, attr) != OK)
		return ERR_NOT_OWNER;
	if (attr->set & FS_SET_MODE && inode->type == PMFS_FILE && !in_group(inode->now.gid))
		attr->mode &= ~SET_GROUP;
	return OK;
}
