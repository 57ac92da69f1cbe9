/* SPDX-License-Identifier: BSD-2-Clause */
/* walk.c - path look-up: one directory locked (for reading) at a time. */
#include "walk.h"
#include "directory.h"
#include "extent_tree.h"
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

/* A reference on what the name leads to. */
static err_t child_get(struct inode *dir, const char *name, size_t bytes, struct inode **out)
{
	struct dir_hit hit;
	err_t err;

	if (dir->type != PMFS_DIRECTORY)
		return ERR_NOT_DIR;
	inode_lock_read(dir);
	err = dir->now.links == 0 ? ERR_NOT_FOUND : dir_find(dir, name, bytes, &hit);
	if (err == OK)
		err = inode_get(dir->fs, hit.inode, out);
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

static bool is_dots(const char *name, uint32_t bytes)
{
	return name[0] == '.' && (bytes == 1 || (bytes == 2 && name[1] == '.'));
}

/* From the root along the path. *again: the path has changed, start anew. */
static err_t walk_once(struct walker *w, bool follow, struct walk *out, bool *again)
{
	struct kit_component c;
	uint32_t at = 0;

	*again = false;
	out->inode = w->fs->root;
	inode_hold(out->inode);
	while (kit_path_next(w->path, &at, &c)) {
		const char *name = w->path + c.start;
		if (c.bytes > FS_NAME_BYTES_MAX)
			return ERR_NAME_TOO_LONG;
		if (is_dots(name, c.bytes)) {
			*again = true;
			err_t err = walker_buffer(w);
			return err == OK ? kit_path_climb(w->buffer, &c) : err;
		}
		if (out->inode == NULL)
			return ERR_NOT_FOUND;
		if (out->parent != NULL)
			inode_put(out->parent);
		out->parent = out->inode;
		out->inode = NULL;
		out->name = name;
		out->bytes = c.bytes;
		err_t err = child_get(out->parent, name, c.bytes, &out->inode);
		if (err == ERR_NOT_FOUND && c.last)
			return OK;
		if (err != OK)
			return err;
		if (out->inode->type == PMFS_SYMLINK && (!c.last || follow || out->wants_directory)) {
			*again = true;
			return splice_link(w, &c, out->inode);
		}
	}
	return OK;
}

static void walk_drop(struct walk *walk)
{
	if (walk->inode != NULL)
		inode_put(walk->inode);
	if (walk->parent != NULL)
		inode_put(walk->parent);
	walk->inode = walk->parent = NULL;
}

err_t walk_path(struct pmfs *fs, const char *path, bool follow, struct walk *out)
{
	struct walker w = { .fs = fs, .path = path };
	bool again;
	err_t err;

	*out = (struct walk) { 0 };
	do {
		out->wants_directory = kit_path_wants_directory(w.path);
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

void walk_end(struct walk *walk)
{
	walk_drop(walk);
	free(walk->buffer);
	walk->buffer = NULL;
}
