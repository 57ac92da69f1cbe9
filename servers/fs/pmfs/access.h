/* SPDX-License-Identifier: BSD-2-Clause */
/* access.h - who may do what: owner, group and mode bits, as POSIX has them. The user is the thread's (pmfs_act_as);
 * NULL is the superuser, who may everything and for whom every question here costs one load.
 * A1  What an open file may be used for is decided when it is opened, and what a name may be when the call comes.
 * A2  A directory on the way must be searchable (walk.c); a name is made or removed by who may write to its directory,
 *     and removed from a sticky one only by the owner of either.
 * A3  The inode that is asked about is locked. */
#pragma once

#include "inode.h"

#define ACCESS_READ 4u
#define ACCESS_WRITE 2u
#define ACCESS_SEARCH 1u

MUST_USE err_t access_check_slow(const struct inode *inode, uint32_t want);
MUST_USE err_t access_remove_slow(const struct inode *dir, const struct inode *inode);

/* All that is wanted; ERR_DENIED. */
static inline MUST_USE err_t access_check(const struct inode *inode, uint32_t want)
{
	return likely(access_user == NULL) ? OK : access_check_slow(inode, want);
}

/* May the name that leads to the inode be taken out of the directory (A2)? */
static inline MUST_USE err_t access_remove(const struct inode *dir, const struct inode *inode)
{
	return likely(access_user == NULL) ? OK : access_remove_slow(dir, inode);
}

/* The same, not locked. */
MUST_USE err_t access_check_unlocked(struct inode *inode, uint32_t want);
/* What access() asks: nobody executes a file that nobody may execute. Not locked. */
MUST_USE err_t access_ask(struct inode *inode, uint32_t want);
/* What opening with these enum fs_open_flag wants. */
static inline uint32_t access_for_open(uint32_t flags)
{
	return (flags & FS_OPEN_READ ? ACCESS_READ : 0) |
			(flags & (FS_OPEN_WRITE | FS_OPEN_TRUNCATE) ? ACCESS_WRITE : 0);
}

/* A new inode's owner, group and mode; its directory is locked. */
void access_begin(struct pmfs_inode *next, const struct inode *dir);
/* Mode, owner and times: may they be set so? The mode loses its set-id bits where it has to. Locked. */
MUST_USE err_t access_setattr(const struct inode *inode, struct fs_setattr *attr);
