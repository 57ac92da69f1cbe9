/* SPDX-License-Identifier: BSD-2-Clause */
/* tar.h - read a ustar archive (POSIX.1-2017, pax, "ustar Interchange Format") that lies in
 * memory: the boot archive, and the tree that the importer unpacks. Understands prefix, GNU long
 * names and links ('L', 'K'), pax 'path', 'linkpath', 'size' and global headers (skipped), GNU
 * base-256 sizes. Contents are never copied: an entry points into the archive. Pure: no system
 * calls, no allocation. The archive may be anything at all: every byte is checked before it is trusted. */
#pragma once

#include <lintel/types.h>

#define TAR_BLOCK_BYTES 512
#define TAR_NAME_BYTES_MAX 1024 /* longer names are refused */

enum tar_type { TAR_FILE = 1, TAR_DIRECTORY = 2, TAR_SYMLINK = 3, TAR_LINK = 4, TAR_OTHER = 5 };

struct tar_entry {
	enum tar_type type;
	uint32_t mode;     /* permission bits */
	uint32_t uid;
	uint32_t gid;
	uint64_t mtime_s;  /* seconds since the epoch */
	const uint8_t *data; /* contents, in the archive */
	uint64_t bytes;      /* of the contents; 0 unless TAR_FILE */
	char name[TAR_NAME_BYTES_MAX + 1];   /* relative, no leading "/" or "./", no trailing "/"; "" is the root */
	char target[TAR_NAME_BYTES_MAX + 1]; /* TAR_SYMLINK, TAR_LINK */
};

struct tar {
	const uint8_t *base;
	uint64_t bytes;
	uint64_t at;       /* the next header */
	bool ended;
	const char *reason; /* why the last call failed: a constant sentence */
};

void tar_open(struct tar *tar, const void *base, uint64_t bytes);

/* The next entry. ERR_NOT_FOUND: the end (two zero blocks, or the end of the data after a whole entry).
 * ERR_BAD_FORMAT: not an archive, truncated, a bad checksum, size or name ("..", too long);
 * tar->reason says which. */
MUST_USE err_t tar_next(struct tar *tar, struct tar_entry *out);
