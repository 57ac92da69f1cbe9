/* SPDX-License-Identifier: BSD-2-Clause */
/* mount.h - which file system serves which paths; the working directory. Private to libc.
 * A mount's session (a door of this process's own) is made at its first use and lives as long as the mount does. When
 * its server has died and init has another one, a new mount takes its place in the table; open files keep the old. */
#pragma once

#include <limits.h>
#include <lintel/door_call.h>
#include <lintel/process.h>

#include "core/lock.h"
#include "posix/path.h"
#include "thread/thread.h"

#define MOUNTS_MAX 32

struct mount {
	uint32_t references; /* [a] the table's, and one for each open file */
	bool listed;         /* under the table's lock: it has been in the table, and keeps its memory */
	bool only;           /* [a] changed under the table's lock: it is in the table, short, and no mount lies below it */
	size_t prefix_bytes; /* [I] */
	handle_t door;       /* [I] */
	handle_t session;    /* [a] HANDLE_NONE until the first use */
	struct lock connecting;
	uint64_t start;      /* [I] the prefix's first bytes, as door_text_word tells them */
	uint64_t start_mask; /* [I] which of them count */
	uint64_t ask_after;  /* under the lock `renewing`: until then (ns) init is not asked for a successor */
	char prefix[];       /* [I] plain absolute path */
};

/* Where a path leads: a mount and the path below it; or, with mount == NULL, a directory of the name space itself
 * ("/", or a directory on the way to a mount) that no file system serves. */
struct place {
	struct mount *mount; /* no reference: mount.c, M2 */
	handle_t session;
	const char *rest;    /* within `path` */
	bool directory;      /* the text says that it must be one */
	bool renewed;        /* place_again has asked for a new server */
	uint32_t resolved;   /* how often place_again has followed links */
	const char *path;    /* absolute and plain: the caller's own text, or `own` */
	size_t path_bytes;   /* of the caller's own text; 0: `own` is used */
	char own[PATH_BYTES_MAX + 1];
};

MUST_USE err_t place_find(const char *path, struct place *out);

/* After a call to the place's file system: is it to be made again, at the place as it is now? Yes, if the answer was
 * that a link leads out of the file system (the links are followed now, the last name's only if `follow`), or that its
 * server has died and there is another one. Where the place cannot be found any more, *error is why. */
bool place_failed(struct place *place, bool follow, err_t *error); /* place_again, where *error is not OK */

static inline bool place_again(struct place *place, bool follow, err_t *error)
{
	return unlikely(*error != OK) && place_failed(place, follow, error);
}

bool places_failed(struct place *a, struct place *b, err_t *error); /* places_again, where *error is not OK */

/* The same for two; last names are not followed. */
static inline bool places_again(struct place *a, struct place *b, err_t *error)
{
	return unlikely(*error != OK) && places_failed(a, b, error);
}

struct mount *mount_reference(struct mount *mount); /* whoever calls has one, or the table's lock */

static inline bool mount_try_reference(struct mount *mount) /* false: it is over */
{
	uint32_t references = __atomic_load_n(&mount->references, __ATOMIC_RELAXED);

	while (references != 0 && !__atomic_compare_exchange_n(&mount->references, &references, references + 1, true,
														   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		;
	return references != 0;
}

bool mount_is_over(const struct mount *mount);
void mount_end(struct mount *mount);  /* after its last reference */

static inline void mount_drop(struct mount *mount) /* NULL is fine */
{
	if (mount != NULL && __atomic_sub_fetch(&mount->references, 1, __ATOMIC_SEQ_CST) == 0)
		mount_end(mount);
}

MUST_USE err_t mount_connect(struct mount *mount, handle_t *out);

/* The session, which is made at the first use. */
static inline MUST_USE err_t mount_session(struct mount *mount, handle_t *out)
{
	handle_t session = __atomic_load_n(&mount->session, __ATOMIC_ACQUIRE);

	if (unlikely(session == HANDLE_NONE))
		return mount_connect(mount, out);
	*out = session;
	return OK;
}

struct mount *mount_search(const char *path, uint64_t start, const char **rest); /* for mount_of */

/* The mount that serves `path`, not referenced; NULL when none does. Most often it is the last one again: a short
 * prefix, which the path's first bytes tell, and behind which it goes on. */
static inline struct mount *mount_of(const char *path, const char **rest)
{
	const uint64_t start = door_text_word(path);
	struct mount *last = thread_self()->mount;

	if (likely(last != NULL && __atomic_load_n(&last->only, __ATOMIC_ACQUIRE) &&
			   ((start ^ last->start) & last->start_mask) == 0 &&
			   path[last->prefix_bytes] == '/')) {
		*rest = path + last->prefix_bytes + 1;
		return last;
	}
	return mount_search(path, start, rest);
}

/* Init's door by which successors of this process's file systems are to be had, and no more: its children get it with
 * their mounts. HANDLE_NONE: this process has no way to ask init. */
#define MOUNTS_DOOR_NAME "mounts" /* of STARTUP_SERVICE */
handle_t mounts_door(void);

/* The mount's server has died: put a mount on its successor into its place, if init has one or will soon.
 * ERR_PEER_DIED: it has not, or this process cannot ask it. */
MUST_USE err_t mount_renew(struct mount *dead);

/* The index-th different name right below the plain directory `path` on the way to mounts; false past the last. */
bool mount_child_name(const char *path, uint32_t index, char name[NAME_BYTES_MAX + 1]);

void cwd_init(const char *path);
void cwd_copy(char out[PATH_BYTES_MAX + 1]);

/* For spawn: a mount of the same prefix that is in no table, on another door (taken over). NULL: no memory. */
struct mount *mount_beside(const struct mount *mount, handle_t door);

/* For spawn: every mount there is, each with a reference. Returns how many. */
uint32_t mount_list(struct mount *out[MOUNTS_MAX]);
