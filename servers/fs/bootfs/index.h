/* SPDX-License-Identifier: BSD-2-Clause */
/* index.h - the boot archive as a tree of names: built once from the ustar entries, never changed,
 * so nobody locks. Contents stay in the archive. Entries are sorted by directory and name: a
 * look-up is a binary search, a directory's entries are neighbours. Directories that the archive
 * does not name are made up. Pure. */
#pragma once

#include <lintel/fs_proto.h>

struct index_entry {
	char *path;            /* whole, "" is the root; owned by the index */
	uint32_t parent_bytes; /* of the path, without the slash */
	uint32_t type;         /* enum fs_type */
	uint32_t mode;
	uint32_t uid, gid;
	uint32_t subdirectories;
	uint64_t mtime_s;
	const uint8_t *data;   /* in the archive; of a symbolic link: its target, owned by the index */
	uint64_t bytes;
};

struct index {
	struct index_entry *entry;
	uint32_t count;
	uint32_t room;
};

/* ERR_BAD_FORMAT with a sentence in *reason; ERR_NO_MEMORY. */
MUST_USE err_t index_build(struct index *index, const void *archive, uint64_t bytes, const char **reason);
void index_free(struct index *index);
void index_keep_root(struct index *index); /* an empty directory is left */

/* Follow a path (fs.proto); *out is an entry's number + 1: its inode number. */
MUST_USE err_t index_walk(const struct index *index, const char *path, bool follow, uint32_t *out);

/* The entries of a directory are [*first, *end). */
void index_children(const struct index *index, uint32_t directory, uint32_t *first, uint32_t *end);
const char *index_name(const struct index_entry *entry);
