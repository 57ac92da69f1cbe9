/* SPDX-License-Identifier: BSD-2-Clause */
/* place.c - from a path to the file system that serves it; and what a file system cannot do for itself: follow symbolic
 * links that lead out of it, and outlive its server. */
#include <string.h>
#include <lintel/fs_client.h>

#include "core/sys.h"
#include "posix/mount.h"

#define LINKS_MAX 40
#define RESOLVED_MAX 4 /* times that the tree may change under us while we look */

static bool namespace_has(const char *path)
{
	char name[NAME_BYTES_MAX + 1];

	return strcmp(path, "/") == 0 || mount_child_name(path, 0, name);
}

/* Mount and session for out->path, where it takes more than a look. */
static COLD err_t place_enter_slowly(struct place *out)
{
	err_t error;

	for (;;) {
		out->mount = mount_of(out->path, &out->rest);
		if (out->mount == NULL)
			return namespace_has(out->path) ? OK : ERR_NOT_FOUND;
		error = mount_session(out->mount, &out->session);
		if (error == OK)
			return OK;
		if (mount_is_over(out->mount)) {
			error = OK; /* it has gone while we looked */
		} else if (error == ERR_PEER_DIED && !out->renewed) {
			out->renewed = true;
			error = mount_renew(out->mount);
		}
		out->mount = NULL;
		if (error != OK)
			return error;
	}
}

static ALWAYS_INLINE err_t place_enter(struct place *out)
{
	out->mount = mount_of(out->path, &out->rest);
	if (likely(out->mount != NULL)) {
		out->session = __atomic_load_n(&out->mount->session, __ATOMIC_ACQUIRE);
		if (likely(out->session != HANDLE_NONE))
			return OK;
	}
	return place_enter_slowly(out);
}

/* A path that is not plain as it is. */
static err_t place_normalise(const char *path, struct place *out)
{
	char base[PATH_BYTES_MAX + 1]; /* 4 KiB: not initialised for nothing */

	base[0] = 0;
	if (path[0] != '/')
		cwd_copy(base);
	out->path = out->own;
	return path_normalise(base, path, out->own, &out->directory);
}

err_t place_find(const char *path, struct place *out)
{
	err_t error = OK;

	out->renewed = false;
	out->resolved = 0;
	if (path == NULL)
		return ERR_FAULT;
	out->path = path;
	out->directory = false;
	out->path_bytes = path_plain_bytes(path);
	if (unlikely(out->path_bytes == 0))
		error = place_normalise(path, out);
	return error == OK ? place_enter(out) : error;
}

/* ---- Links, one name after the other ---- */

struct walk {
	char done[PATH_BYTES_MAX + 1];    /* absolute, without links; "" is the root */
	char pending[PATH_BYTES_MAX + 1]; /* what follows */
	char target[PATH_BYTES_MAX + 1];
	uint32_t links;
};

/* The mount's file system is asked for the target of the link at walk->done. */
static err_t link_ask(struct walk *walk, struct mount *mount, const char *rest, bool *is_link)
{
	handle_t session;
	struct fs_stat st;
	uint64_t bytes = 0;
	err_t error = mount_session(mount, &session);

	*is_link = false;
	if (error == OK)
		error = fs_stat(session, FS_OPEN_NO_FOLLOW, rest, &st);
	if (error == OK && st.type == FS_TYPE_SYMLINK) {
		*is_link = true;
		error = fs_readlink(session, rest, walk->target, PATH_BYTES_MAX, &bytes);
		if (error == OK && bytes > PATH_BYTES_MAX)
			error = ERR_IO;
		walk->target[error == OK ? bytes : 0] = 0;
	}
	return error;
}

/* The target of the link at walk->done, NUL-terminated; *is_link false when it is none, or not there. */
static err_t link_read(struct walk *walk, bool *is_link)
{
	const char *rest;
	struct mount *mount;
	err_t error;

	do {
		mount = mount_of(walk->done, &rest);
		*is_link = false;
		error = mount == NULL ? OK : link_ask(walk, mount, rest, is_link);
	} while (error != OK && mount_is_over(mount));
	return error == ERR_NOT_FOUND ? OK : error; /* whoever uses the path will be told, or makes it */
}

/* The link's target goes in front of what is pending. */
static err_t link_follow(struct walk *walk, size_t parent_bytes, const char *rest)
{
	char joined[PATH_BYTES_MAX + 1];
	size_t bytes = strlen(walk->target), rest_bytes = strlen(rest);

	if (++walk->links > LINKS_MAX)
		return ERR_TOO_DEEP;
	if (bytes == 0)
		return ERR_NOT_FOUND;
	if (bytes + 1 + rest_bytes > PATH_BYTES_MAX)
		return ERR_NAME_TOO_LONG;
	memcpy(joined, walk->target, bytes);
	joined[bytes] = '/';
	memcpy(joined + bytes + 1, rest, rest_bytes + 1);
	strcpy(walk->pending, joined);
	walk->done[walk->target[0] == '/' ? 0 : parent_bytes] = 0;
	return OK;
}

/* Take the first name off walk->pending, and append it to walk->done or follow it. */
static err_t walk_step(struct walk *walk, bool follow)
{
	char *name = walk->pending + strspn(walk->pending, "/");
	size_t bytes = strcspn(name, "/"), at = strlen(walk->done);
	const char *rest = name + bytes;
	bool last = rest[strspn(rest, "/")] == 0, is_link = false;
	err_t error = OK;

	if (bytes == 2 && name[0] == '.' && name[1] == '.') {
		char *slash = strrchr(walk->done, '/');
		if (slash != NULL)
			*slash = 0;
	} else if (bytes != 0 && !(bytes == 1 && name[0] == '.')) {
		if (bytes > NAME_BYTES_MAX || at + 1 + bytes > PATH_BYTES_MAX)
			return ERR_NAME_TOO_LONG;
		walk->done[at] = '/';
		memcpy(walk->done + at + 1, name, bytes);
		walk->done[at + 1 + bytes] = 0;
		if (!last || follow)
			error = link_read(walk, &is_link);
	}
	if (error == OK && is_link)
		return link_follow(walk, at, rest);
	memmove(walk->pending, rest, strlen(rest) + 1);
	return error;
}

/* Replace `path` by the path without links that it leads to. */
static err_t path_resolve(char path[PATH_BYTES_MAX + 1], bool follow)
{
	struct walk walk = { .links = 0 };
	err_t error = OK;

	strcpy(walk.pending, path);
	while (error == OK && walk.pending[strspn(walk.pending, "/")] != 0)
		error = walk_step(&walk, follow);
	if (error == OK)
		strcpy(path, walk.done[0] == 0 ? "/" : walk.done);
	return error;
}

/* ---- Again ---- */

static err_t place_resolve(struct place *place, bool follow)
{
	if (place->path != place->own)
		strcpy(place->own, place->path);
	place->path = place->own;
	place->path_bytes = 0;
	err_t error = path_resolve(place->own, follow || place->directory);
	return error == OK ? place_enter(place) : error;
}

static err_t place_renew(struct place *place)
{
	place->renewed = true;
	err_t error = mount_renew(place->mount);
	return error == OK ? place_enter(place) : error;
}

/* Did the call fail because the mount has gone meanwhile (mount.c, M2)? */
static bool place_is_over(const struct place *place, err_t error)
{
	return (error == ERR_BAD_HANDLE || error == ERR_PEER_DIED) && mount_is_over(place->mount);
}

bool place_failed(struct place *place, bool follow, err_t *error)
{
	if (place->mount == NULL)
		return false;
	if (*error == ERR_CROSS_DEVICE) {
		*error = place->resolved++ < RESOLVED_MAX ? place_resolve(place, follow) : ERR_TOO_DEEP;
		return *error == OK;
	}
	if (place_is_over(place, *error)) {
		*error = place_enter(place);
		return *error == OK;
	}
	if (*error != ERR_PEER_DIED || place->renewed)
		return false;
	*error = place_renew(place);
	return *error == OK;
}

bool places_failed(struct place *a, struct place *b, err_t *error)
{
	if (a->mount == NULL || b->mount == NULL)
		return false;
	if (*error == ERR_CROSS_DEVICE && a->resolved++ == 0) {
		*error = place_resolve(a, false);
		if (*error == OK)
			*error = place_resolve(b, false);
		return *error == OK;
	}
	if (place_is_over(a, *error) || place_is_over(b, *error)) {
		*error = place_enter(a);
		if (*error == OK)
			*error = place_enter(b);
		return *error == OK;
	}
	if (*error != ERR_PEER_DIED || a->renewed)
		return false;
	*error = place_renew(a);
	if (*error == OK)
		*error = place_renew(b);
	return *error == OK;
}
