/* SPDX-License-Identifier: BSD-2-Clause */
/* node.h - memfs's files and directories, and what paths do to them. Pure but for store.h and pthread.
 * Locks: [t] the tree: names, links, directories; held inside the tree_* functions. [n]
 * node->lock: one file's data. Reading and writing a file takes only its own lock. Order: tree, node. */
#pragma once

#include "store.h"

#include <lintel/fs_proto.h>
#include <pthread.h>
#include <stdatomic.h>

#define MEMFS_FILE_BYTES_MAX (1ull << 40)

struct node;

struct entry {
	struct entry *chain;  /* next of the same hash */
	struct node *node;
	uint32_t place;       /* in its directory's order */
	uint8_t name_bytes;
	char name[];
};

struct ordered {
	uint64_t cookie;      /* rising; never used again in this directory */
	struct entry *entry;  /* NULL: it was removed */
};

struct node {
	uint64_t number;      /* [I] */
	uint32_t type;        /* [I] enum fs_type */
	uint32_t links;       /* [t] */
	_Atomic uint32_t opens; /* [a] gone when neither a name nor an opener is left */
	struct node *parent;  /* [t] directories */
	pthread_rwlock_t lock;
	uint32_t mode, uid, gid;        /* [n] */
	uint64_t atime, mtime, ctime;   /* [n] */
	uint64_t size;                  /* [n] files; [I] symbolic links */
	struct store store;             /* [n] files */
	char *target;                   /* [I] symbolic links */
	struct entry **bucket;          /* [t] directories: a hash table, */
	uint32_t buckets;
	struct ordered *order;          /* [t] and all entries; never many more holes than entries */
	uint32_t order_count, order_room, live;
	uint64_t last_cookie;
};

struct tree {
	pthread_rwlock_t lock;
	struct node *root;
	_Atomic uint64_t numbers;
	_Atomic uint64_t used;     /* bytes of data and of names */
	uint64_t limit;            /* more is ERR_NO_SPACE */
	_Atomic uint64_t nodes;
};

MUST_USE err_t tree_init(struct tree *tree, uint64_t limit_bytes);
void tree_destroy(struct tree *tree);

/* One reference (opens) on *out. `name` is a path as fs.proto has it. */
MUST_USE err_t tree_open(struct tree *tree, const char *name, uint32_t flags, uint32_t mode, struct node **out);
void tree_close(struct tree *tree, struct node *node);

MUST_USE err_t tree_stat(struct tree *tree, const char *name, bool follow, struct fs_stat *out);
MUST_USE err_t tree_mkdir(struct tree *tree, const char *name, uint32_t mode);
MUST_USE err_t tree_symlink(struct tree *tree, const char *target, const char *name);
MUST_USE err_t tree_readlink(struct tree *tree, const char *name, void *to, size_t room, uint64_t *bytes);
MUST_USE err_t tree_link(struct tree *tree, const char *from, const char *to);
MUST_USE err_t tree_remove(struct tree *tree, const char *name, bool directory);
MUST_USE err_t tree_rename(struct tree *tree, const char *from, const char *to, bool exclusive);
MUST_USE err_t tree_readdir(struct tree *tree, struct node *dir, uint64_t cookie, void *entries, size_t room,
		uint64_t *bytes, uint64_t *next);

MUST_USE err_t node_read(struct node *node, uint64_t offset, void *to, size_t bytes, uint64_t *done);
MUST_USE err_t node_write(struct tree *tree, struct node *node, uint64_t offset, bool append, const void *from,
		size_t bytes, uint64_t *done, uint64_t *end);
/* A client has stored through its mapping: mtime moves. */
void node_stored(struct node *node);
/* What needs no blocks: room up to the range's end, zeroes in it, or both. UNSUPPORTED: room past the size, and what
 * moves bytes. */
MUST_USE err_t node_allocate(struct tree *tree, struct node *node, uint32_t mode, uint64_t offset, uint64_t bytes);
MUST_USE err_t node_setattr(struct tree *tree, struct node *node, const struct fs_setattr *attr);
uint64_t node_size(struct node *node);
void node_stat(struct tree *tree, struct node *node, struct fs_stat *out);
void node_fill_stat(struct node *node, uint32_t links, struct fs_stat *out);
MUST_USE err_t node_share(struct node *node, uint32_t rights, handle_t *vmo, uint64_t *size);
