/* SPDX-License-Identifier: BSD-2-Clause */
/* directory.h - names in one directory. Leaves of 63 slots hold the entries; the directory's tree
 * leads from a name's hash to its leaf. Adding or removing a name changes one word of a leaf (the
 * used bits), or splits a leaf into two new ones.
 * Locks: look-ups hold the directory's lock for reading, changes for writing until the change is committed.
 *
 * D1  An entry's hash lies in its leaf's range; all entries of one hash are in one leaf, told
 * apart by `collision`.
 * D2  In a change, add before remove: a slot that the change frees must not be written before the commit. */
#pragma once

#include "change.h"

#define DIR_NAME_WORDS 4

/* A name that is looked for, and what is reckoned from it once. */
struct dir_name {
	const char *text;
	uint32_t bytes;
	uint32_t hash;                  /* dir_hash, if `hashed` */
	bool hashed;
	uint8_t slot;                   /* where it was found in its leaf, which counts while dir->shape is the same */
	uint8_t added;                  /* where dir_add has put it */
	uint32_t shape;
	uint64_t mix;                   /* for name_cache.h, of which too: */
	uint64_t word[DIR_NAME_WORDS];  /* the first bytes, zero above the end */
};

struct dir_hit {
	uint64_t inode;
	uint8_t type;      /* enum pmfs_type */
	uint8_t slot;      /* of its leaf */
};

/* ERR_NOT_FOUND, ERR_CORRUPT. */
MUST_USE err_t dir_find(const struct inode *dir, struct dir_name *name, struct dir_hit *out);

/* The name must not be there (or is about to be removed in the same change). ERR_NO_SPACE. */
MUST_USE err_t dir_add(struct change *c, struct inode *dir, struct dir_name *name, uint64_t inode, uint8_t type);
/* Remove that name that leads to that inode. */
MUST_USE err_t dir_remove(struct change *c, struct inode *dir, struct dir_name *name, uint64_t inode);

MUST_USE err_t dir_empty(const struct inode *dir, bool *empty);

/* Visit entries in the order of cookies, from `cookie` on (0: all). Return false to stop. */
struct dir_visitor {
	bool (*visit)(void *context, const struct pmfs_dirent *entry, uint64_t cookie);
	void *context;
};
MUST_USE err_t dir_walk(const struct pmfs *fs, uint64_t number, const struct pmfs_inode *dir, uint64_t cookie,
		const struct dir_visitor *visitor);

/* The same, as the protocol's records (struct fs_dirent), as many as there is room for. */
struct dir_list {
	uint8_t *to;        /* the next one */
	const uint8_t *end; /* of the room */
	uint64_t next;      /* cookie of the last one */
	bool full;          /* there is more */
};
MUST_USE err_t dir_list(struct pmfs *fs, uint64_t number, const struct pmfs_inode *dir, uint64_t cookie,
		struct dir_list *list);

uint32_t dir_hash(const struct pmfs *fs, const char *name, size_t bytes);
