/* SPDX-License-Identifier: BSD-2-Clause */
/* walk.h - from a path to inodes: to what it leads to (walk_path), or to where a name can be changed (walk_to_change).
 *
 * W1  While the parent is locked for writing, the walk says what is there: `inode`, or NULL, is what the last name
 *     leads to. Whoever changes that name has it locked so.
 * W2  A parent that was locked before there was a reference needs none (trail.h, T3). */
#pragma once

#include "directory.h"

struct walk {
	struct pmfs *fs;
	uint64_t version;       /* of the parent when it was asked: while it has that one, the last name says the same */
	struct inode *parent;   /* the directory that holds (or would hold) the last name; NULL for the root */
	struct inode *inode;    /* NULL: the last name is not there. Both are references, but for the root, and W2 */
	struct dir_name name;   /* the last component, in `path` or in `buffer` */
	char *buffer;           /* the path, once symbolic links have been put in */
	bool wants_directory;   /* the path ends in a slash */
	bool locked;            /* W1 */
	bool lent;              /* W2: no reference on the parent */
};

/* On success the caller owns the references: walk_end. ERR_NOT_FOUND if a directory on the way is
 * missing, NOT_DIR, NAME_TOO_LONG, TOO_DEEP, CROSS_DEVICE (a link leads out of the file system),
 * NO_MEMORY, CORRUPT. */
MUST_USE err_t walk_path(struct pmfs *fs, const char *path, bool follow, struct walk *out);
/* The same with W1, and no link followed that is the last name; of the root, which has no parent, nothing is locked. */
MUST_USE err_t walk_to_change(struct pmfs *fs, const char *path, struct walk *out);
/* The same for two names in one directory. walk_end(first) unlocks it, and comes before walk_end(second). False: it
 * takes walk_path; nothing is locked. */
MUST_USE bool walk_to_change_both(struct pmfs *fs, const char *first_path, const char *second_path,
		struct walk *first, struct walk *second, err_t *err);
/* W1 for a walk that has a parent: it is looked once more what is there. ERR_NOT_FOUND: the parent has been removed. */
MUST_USE err_t walk_lock(struct walk *walk);
/* Unlocks, too. */
void walk_end(struct walk *walk);
/* The inode with a reference that is the caller's from now on. */
struct inode *walk_take(struct walk *walk);

/* Where a symbolic link points: `room` bytes of `target`; *bytes what it has. Locks the inode. */
MUST_USE err_t symlink_read(struct inode *inode, char *target, size_t room, size_t *bytes);
