/* SPDX-License-Identifier: BSD-2-Clause */
/* walk.h - from a path to inodes. */
#pragma once

#include "directory.h"

struct walk {
	struct pmfs *fs;
	uint64_t version;       /* of the parent when it was asked: while it has that one, the last name says the same */
	struct inode *parent;   /* the directory that holds (or would hold) the last name; NULL for the root */
	struct inode *inode;    /* NULL: the last name is not there. Both are references, but for the root */
	struct dir_name name;   /* the last component, in `path` or in `buffer` */
	char *buffer;           /* the path, once symbolic links have been put in */
	bool wants_directory;   /* the path ends in a slash */
};

/* On success the caller owns the references: walk_end. ERR_NOT_FOUND if a directory on the way is
 * missing, NOT_DIR, NAME_TOO_LONG, TOO_DEEP, CROSS_DEVICE (a link leads out of the file system),
 * NO_MEMORY, CORRUPT. */
MUST_USE err_t walk_path(struct pmfs *fs, const char *path, bool follow, struct walk *out);
void walk_end(struct walk *walk);
/* The inode with a reference that is the caller's from now on. */
struct inode *walk_take(struct walk *walk);

/* Where a symbolic link points: `room` bytes of `target`; *bytes what it has. Locks the inode. */
MUST_USE err_t symlink_read(struct inode *inode, char *target, size_t room, size_t *bytes);
