/* SPDX-License-Identifier: BSD-2-Clause */
/* mount.h - which file system serves which paths; the working directory. Private to libc.
 * A mount's session (a door of this process's own) is made at its first use and lives as long as the mount does. */
#pragma once

#include <limits.h>
#include <lintel/process.h>

#include "core/lock.h"
#include "posix/path.h"

#define MOUNTS_MAX 32

struct mount {
	uint32_t references; /* [a] the table's, and one for each open file and each call under way */
	size_t prefix_bytes; /* [I] */
	handle_t door;       /* [I] */
	handle_t session;    /* [a] HANDLE_NONE until the first use */
	struct lock connecting;
	char prefix[];       /* [I] plain absolute path */
};

/* Where a path leads: a mount and the path below it; or, with mount == NULL, a directory of the name space itself
 * ("/", or a directory on the way to a mount) that no file system serves. */
struct place {
	struct mount *mount; /* a reference */
	handle_t session;
	const char *rest;    /* within `path` */
	bool directory;      /* the text says that it must be one */
	char path[PATH_BYTES_MAX + 1];
};

MUST_USE err_t place_find(const char *path, struct place *out);
void place_drop(struct place *place);

struct mount *mount_reference(struct mount *mount);
void mount_drop(struct mount *mount); /* NULL is fine */
MUST_USE err_t mount_session(struct mount *mount, handle_t *out);

/* The index-th different name right below the plain directory `path` on the way to mounts; false past the last. */
bool mount_child_name(const char *path, uint32_t index, char name[NAME_BYTES_MAX + 1]);

void cwd_init(const char *path);
void cwd_copy(char out[PATH_BYTES_MAX + 1]);

/* For spawn: every mount there is, each with a reference. Returns how many. */
uint32_t mount_list(struct mount *out[MOUNTS_MAX]);
