/* SPDX-License-Identifier: BSD-2-Clause */
/* walk.c - path look-up: one directory locked at a time. */
#include "walk.h"
#include "access.h"
#include "name_cache.h"
#include "extent_tree.h"
#include "trail.h"
#include "kit/fs.h"

#include <stdlib.h>
#include <string.h>

#define RESTARTS_MAX 256 /* links, and the dots that came out of them */

struct walker {
	struct pmfs *fs;
	const char *path;
	char *buffer;
	uint32_t links;
	uint32_t restarts;
};

err_t symlink_read(struct inode *inode, char *target, size_t room, size_t *bytes)
{
	err_t err = OK;

	inode_lock_read(inode);
	const size_t size = inode->now.size;
	const size_t n = size < room ? size : room;
	if (inode->type != PMFS_SYMLINK) {
		err = ERR_ARGS;
	} else if (inode->now.flags & PMFS_INODE_INLINE) {
		memcpy(target, inode->now.target, n);
	} else {
		struct tree_hit hit;
		err = tree_lookup(inode->fs, NULL, inode->number, &inode->now, 0, &hit);
		if (err == OK && (!hit.has_at || (uint64_t)hit.at.count << PMFS_BLOCK_SHIFT < size))
			err = ERR_CORRUPT;
		if (err == OK)
			memcpy(target, block_at(inode->fs, hit.at.physical), n);
	}
	inode_unlock(inode);
	if (err == OK)
		*bytes = n;
	return err;
}

/* A reference on what the name leads to. The directory is locked, and has not been removed. */
static inline err_t child_get_locked(struct inode *dir, struct walk *out)
{
	struct dir_hit hit;
	err_t err = access_check(dir, ACCESS_SEARCH);

	if (err == OK)
		err = dir_find(dir, &out->name, &hit);
	return err == OK ? inode_get(dir->fs, hit.inode, &out->inode) : err;
}

/* And the version of the directory that said so. */
static err_t child_get(struct inode *dir, struct walk *out)
{
	if (dir->type != PMFS_DIRECTORY)
		return ERR_NOT_DIR;
	inode_lock_read(dir);
	out->version = dir->now.version;
	err_t err = dir->now.links == 0 ? ERR_NOT_FOUND : child_get_locked(dir, out);
	inode_unlock(dir);
	return err;
}

static err_t walker_buffer(struct walker *w)
{
	if (w->buffer != NULL)
		return OK;
	w->buffer = malloc(FS_PATH_BYTES_MAX + 1);
	if (w->buffer == NULL)
		return ERR_NO_MEMORY;
	if (strlen(w->path) > FS_PATH_BYTES_MAX)
		return ERR_NAME_TOO_LONG;
	strcpy(w->buffer, w->path);
	w->path = w->buffer;
	return OK;
}

static err_t splice_link(struct walker *w, const struct kit_component *c, struct inode *link)
{
	char *target;
	size_t bytes;

	if (++w->links > KIT_LINKS_MAX)
		return ERR_TOO_DEEP;
	err_t err = walker_buffer(w);
	if (err != OK)
		return err;
	target = malloc(FS_PATH_BYTES_MAX);
	if (target == NULL)
		return ERR_NO_MEMORY;
	err = symlink_read(link, target, FS_PATH_BYTES_MAX, &bytes);
	if (err == OK)
		err = kit_path_splice(w->buffer, c, target, bytes);
	free(target);
	return err;
}

static inline bool is_dots(const char *name, size_t bytes)
{
	return name[0] == '.' && (bytes == 1 || (bytes == 2 && name[1] == '.'));
}

/* The mount holds the root: nobody else has to, and all paths start there. */
static inline void put(struct pmfs *fs, struct inode *inode)
{
	if (inode != NULL && inode != fs->root)
		inode_put(inode);
}

/* The component that starts at `at`, and the first byte of the one after it, or the end. */
static inline struct kit_component component_at(const char *path, uint32_t at, uint32_t *next)
{
	const uint32_t end = at + kit_name_bytes(path + at);

	*next = end;
	while (path[*next] == '/')
		++*next;
	return (struct kit_component) { .start = at, .bytes = end - at, .last = path[*next] == 0 };
}

/* Go down into one component. *again: the path has changed, start anew. */
static err_t walk_into(struct walker *w, const struct kit_component *c, bool follow, struct walk *out, bool *again)
{
	const char *name = w->path + c->start;

	if (c->bytes > FS_NAME_BYTES_MAX)
		return ERR_NAME_TOO_LONG;
	if (unlikely(is_dots(name, c->bytes))) {
		*again = true;
		err_t err = walker_buffer(w);
		return err == OK ? kit_path_climb(w->buffer, c) : err;
	}
	if (out->inode == NULL)
		return ERR_NOT_FOUND;
	put(w->fs, out->parent);
	out->parent = out->inode;
	out->inode = NULL;
	name_cache_prepare(&out->name, name, c->bytes);
	err_t err = child_get(out->parent, out);
	if (err == ERR_NOT_FOUND && c->last)
		return OK;
	if (err != OK)
		return err;
	if (unlikely(out->inode->type == PMFS_SYMLINK) && (!c->last || follow || out->wants_directory)) {
		*again = true;
		return splice_link(w, c, out->inode);
	}
	return OK;
}

/* Where to begin: the directory of the path's last name with a reference, if it is known, or the root. *at: from which
 * name on. */
static struct inode *walk_from(struct walker *w, struct dir_name *name, uint32_t *at)
{
	struct trail trail;
	const char *last = trail_to_last(w->fs, &trail, w->path, name);
	struct inode *dir = last != NULL && trail.names != 0 ? trail_end(w->fs, &trail, false) : NULL;

	if (dir == NULL) {
		*at = (uint32_t)(trail_skip_slashes(w->path) - w->path);
		return w->fs->root;
	}
	*at = (uint32_t)(last - w->path);
	inode_hold(dir);
	inode_unlock(dir);
	return dir;
}

/* From there along the path. */
static err_t walk_once(struct walker *w, bool follow, struct walk *out, bool *again)
{
	uint32_t at, end;
	err_t err = OK;

	*again = false;
	out->inode = walk_from(w, &out->name, &end);
	out->wants_directory = w->path[end] == 0;
	for (at = end; err == OK && !*again && w->path[at] != 0; at = end) {
		const struct kit_component c = component_at(w->path, at, &end);
		out->wants_directory = c.last && end != c.start + c.bytes;
		err = walk_into(w, &c, follow, out, again);
	}
	return err;
}

static void walk_drop(struct walk *walk)
{
	put(walk->fs, walk->inode);
	if (!walk->lent)
		put(walk->fs, walk->parent);
	walk->inode = walk->parent = NULL;
}

err_t walk_path(struct pmfs *fs, const char *path, bool follow, struct walk *out)
{
	struct walker w = { .fs = fs, .path = path };
	bool again;
	err_t err;

	out->fs = fs;
	out->parent = out->inode = NULL;
	out->locked = out->lent = false;
	do {
		err = walk_once(&w, follow, out, &again);
		if (err == OK && again && ++w.restarts > RESTARTS_MAX)
			err = ERR_TOO_DEEP;
		if (err != OK || again)
			walk_drop(out);
	} while (err == OK && again);
	out->buffer = w.buffer;
	if (err == OK && out->wants_directory && out->inode != NULL && out->inode->type != PMFS_DIRECTORY)
		err = ERR_NOT_DIR;
	if (err != OK)
		walk_end(out);
	return err;
}

err_t walk_lock(struct walk *walk)
{
	struct inode *dir = walk->parent;

	inode_lock_write(dir);
	walk->locked = true;
	inode_lately_put(dir);
	if (dir->now.links == 0)
		return ERR_NOT_FOUND;
	if (likely(dir->now.version == walk->version))
		return OK;
	put(walk->fs, walk->inode);
	walk->inode = NULL;
	err_t err = child_get_locked(dir, walk);
	if (err != OK)
		return err == ERR_NOT_FOUND ? OK : err;
	return walk->wants_directory && walk->inode->type != PMFS_DIRECTORY ? ERR_NOT_DIR : OK;
}

/* As far as the last name, with which the path ends. False: it takes walk_path. */
static ALWAYS_INLINE bool near_name(struct pmfs *fs, const char *path, struct trail *trail, struct dir_name *name)
{
	const char *last = trail_to_last(fs, trail, path, name);

	return likely(last != NULL && *last != 0 && last[name->bytes] == 0) && likely(name->bytes <= FS_NAME_BYTES_MAX) &&
			likely(!trail_is_dots(last, name->bytes));
}

/* What is there; the directory is locked. */
static err_t near_get(struct inode *dir, struct walk *out)
{
	out->fs = dir->fs;
	out->parent = dir;
	out->inode = NULL;
	out->buffer = NULL;
	out->wants_directory = false;
	out->lent = true;
	if (unlikely(dir->now.links == 0))
		return ERR_NOT_FOUND;
	err_t err = child_get_locked(dir, out);
	return err == ERR_NOT_FOUND ? OK : err;
}

/* Most often the directory is known, and need not be looked at before it is locked for the change. */
static ALWAYS_INLINE bool walk_near(struct pmfs *fs, const char *path, struct walk *out, err_t *err)
{
	struct trail trail;

	if (unlikely(!near_name(fs, path, &trail, &out->name)))
		return false;
	struct inode *dir = trail_end(fs, &trail, true);
	if (unlikely(dir == NULL))
		return false;
	out->locked = true;
	*err = near_get(dir, out);
	if (unlikely(*err != OK))
		walk_end(out);
	return true;
}

err_t walk_to_change(struct pmfs *fs, const char *path, struct walk *out)
{
	err_t err;

	if (likely(walk_near(fs, path, out, &err)))
		return err;
	err = walk_path(fs, path, false, out);
	if (err != OK || out->parent == NULL)
		return err;
	err = walk_lock(out);
	if (err != OK)
		walk_end(out);
	return err;
}

bool walk_to_change_both(struct pmfs *fs, const char *first_path, const char *second_path, struct walk *first,
		struct walk *second, err_t *err)
{
	struct trail trail, other; /* both before there is a lock: who follows one may lock directories on the way */

	if (unlikely(!near_name(fs, first_path, &trail, &first->name) ||
			!near_name(fs, second_path, &other, &second->name) || trail.inode != other.inode))
		return false;
	struct inode *dir = trail_end(fs, &trail, true);
	if (unlikely(dir == NULL))
		return false;
	if (unlikely(!trail_holds(&other))) {
		inode_unlock(dir);
		return false;
	}
	first->locked = true;
	second->locked = false;
	*err = near_get(dir, first);
	if (likely(*err == OK))
		*err = near_get(dir, second);
	if (unlikely(*err != OK))
		walk_end(first);
	return true;
}

struct inode *walk_take(struct walk *walk)
{
	struct inode *inode = walk->inode;

	if (inode == walk->fs->root)
		inode_hold(inode);
	walk->inode = NULL;
	return inode;
}

void walk_end(struct walk *walk)
{
	if (walk->locked)
		inode_unlock(walk->parent);
	walk->locked = false;
	walk_drop(walk);
	if (unlikely(walk->buffer != NULL)) {
		free(walk->buffer);
		walk->buffer = NULL;
	}
}
