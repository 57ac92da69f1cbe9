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

#include "inode.h"
#include "name_cache.h"

/* What the path leads to, locked for reading: inode_unlock. NULL: use walk_path. */
struct inode *trail_lock(struct pmfs *fs, const char *path, bool follow);

/* The directory in which *path has its last name, with a reference (inode_put); *path moves to that name. NULL: it is
 * the root, or use walk_path from there. */
struct inode *trail_parent(struct pmfs *fs, const char **path);
