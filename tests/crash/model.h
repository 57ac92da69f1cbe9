/* SPDX-License-Identifier: BSD-2-Clause */
/* model.h - what the file system has to hold, in plain memory, and the calls that change it. Knows
 * nothing of pmfs but the meaning of its calls.
 * A model is a value: copied for every call; contents are shared and never changed. */
#pragma once

#include "media.h"

#include <lintel/fs_proto.h>

#define MODEL_NAMES 72
#define MODEL_NODES 48
#define MODEL_PATH 280
#define MODEL_XATTRS 2
#define MODEL_XATTR_BYTES 16384
#define MODEL_MASK_WORDS 8 /* of 64 blocks: the largest file that is followed block by block */

enum call_kind {
	CALL_CREATE, CALL_MKDIR, CALL_UNLINK, CALL_RMDIR, CALL_LINK, CALL_SYMLINK, CALL_RENAME, CALL_WRITE, CALL_APPEND,
	CALL_RESIZE, CALL_ALLOCATE, CALL_COPY, CALL_CLONE, CALL_ATTRIBUTES, CALL_RESIZE_AND_MODE, CALL_OPEN_TRUNCATE,
	CALL_MAPPED_STORE, CALL_SYNC_ALL,
	CALL_OTHER_CPU, /* the only client goes on there, whose fences settle nothing that was written back here */
	/* on the client's one open file: */
	CALL_OPEN, CALL_NAMELESS, CALL_FILE_WRITE, CALL_FILE_SYNC, CALL_FILE_LINK, CALL_CLOSE,
	/* extended attributes of a name: */
	CALL_XATTR_SET, CALL_XATTR_REMOVE,
};

struct call {
	enum call_kind kind;
	const char *a;
	const char *b;      /* LINK, RENAME: the new name; SYMLINK: the target; XATTR: one of model_xattrs */
	uint32_t offset;    /* RESIZE: the size; ATTRIBUTES: the mode */
	uint32_t bytes;
	uint32_t mode;      /* ALLOCATE: enum fs_allocate; COPY, from `offset` of a to b: the offset there; ATTRIBUTES: how
	                     * often; MAPPED_STORE: 1 as libc does with a lease, 0 as a program does that syncs then */
	uint32_t serial;    /* of the data that is written: no two calls write the same */
};

struct blob;

struct model_node {
	uint8_t type;       /* enum fs_type; 0: free */
	bool opaque;        /* contents are not followed; of a directory: names in it */
	bool mtime_known;
	bool mtime_may_stay; /* a store through a mapping need not have moved it */
	bool linkable;      /* has never had a name */
	bool late;          /* its times may not be durable yet */
	uint32_t links;     /* files and symbolic links: names */
	uint32_t opens;
	uint32_t mode;
	uint64_t mtime;
	uint64_t size;
	struct blob *blob;  /* contents or target; NULL: empty, or all holes */
	uint64_t mapped[MODEL_MASK_WORDS]; /* blocks */
	uint64_t xattr[MODEL_XATTRS]; /* xattr_hash of the value; 0: there is none */
};

struct model_name {
	char path[MODEL_PATH];
	uint32_t node;
};

struct model {
	uint32_t names;     /* sorted by path */
	struct model_name name[MODEL_NAMES];
	struct model_node node[MODEL_NODES];
	int32_t file[CLIENTS]; /* the open file's node; -1 */
};

void model_make(struct model *m);
void model_copy(struct model *to, const struct model *from);
void model_free(struct model *m);
uint64_t model_hash(const struct model *m);
/* Contents or target: *bytes of them; zeroes follow up to the size. */
const uint8_t *model_contents(const struct model_node *n, uint64_t *bytes);
const struct model_node *model_find(const struct model *m, const char *path);

/* How many steps a call has: after each of them a power cut may come. */
uint32_t call_steps(const struct call *call);
/* Carry out its first `steps` steps. What it has to answer. `full` says that there was no space: nothing
 * happens then, but for writes, which did `full_bytes`. */
err_t model_apply(struct model *m, uint32_t client, const struct call *call, uint32_t steps, bool full,
		uint64_t full_bytes);

/* Does it make a range of the file zero where that is? */
static inline bool call_zeroes(const struct call *call)
{
	return call->kind == CALL_ALLOCATE && call->mode & (FS_ALLOCATE_ZERO_RANGE | FS_ALLOCATE_PUNCH_HOLE);
}

/* The bytes that a call writes. */
void call_data(const struct call *call, uint64_t offset, uint8_t *to, size_t bytes);

/* The names that calls use; and a number, not 0, for a value. */
extern const char *const model_xattrs[MODEL_XATTRS];
uint64_t xattr_hash(const uint8_t *value, size_t bytes);

/* --- what was found --- */

struct found {
	char path[MODEL_PATH];
	struct fs_stat st;
	const uint8_t *data; /* contents or target; NULL: not read */
	uint64_t xattr[MODEL_XATTRS];
};

struct finding {
	uint32_t count;      /* sorted by path */
	uint8_t *arena;      /* its contents; made at the first use */
	struct found entry[MODEL_NAMES + 8];
};

/* The node that a write is for, as names are now; -1: it is no write, or there is none. */
int32_t call_target(const struct model *m, const struct call *call, uint32_t client);
/* A write that is under way and may have come part of the way. NULL: none. */
struct torn {
	const struct call *call;
	int32_t node;
};
/* Is it this? */
bool model_matches(const struct model *m, const struct torn torn[CLIENTS], const struct finding *found,
		char why[300]);
