/* SPDX-License-Identifier: BSD-2-Clause */
/* rename.c - one change moves a name, and drops what had the new name before.
 * R1  Between directories, and for directories at all, fs->rename_lock is held: parents do not change under it.
 * R2  Of two directories, an ancestor is locked before what lies below it; otherwise by number. Then the moved and the
 *     replaced inode, by number.
 * R3  In one directory, what is no directory moves under that one's lock alone: it is looked for under it, too. */
#include "access.h"
#include "directory.h"
#include "name.h"
#include "name_cache.h"

#include <string.h>

struct rename {
	struct pmfs *fs;
	struct walk from;
	struct walk to;
	bool directory;  /* what moves is one */
	bool exclusive;
	bool ends;       /* the replaced inode is freed by the same change */
};

/* Is `above` the directory `dir` or an ancestor of it? rename_lock is held. */
static err_t dir_is_below(struct pmfs *fs, const struct inode *above, struct inode *dir, bool *below)
{
	struct inode *at = dir;
	err_t err = OK;

	*below = false;
	inode_hold(at);
	for (uint64_t steps = 0; err == OK; steps++) {
		struct inode *parent;
		if (at == above)
			*below = true;
		if (*below || at == fs->root)
			break;
		inode_lock_read(at);
		const uint64_t up = at->now.parent;
		const bool removed = at->now.links == 0;
		inode_unlock(at);
		err = removed ? ERR_NOT_FOUND : steps > FS_PATH_BYTES_MAX * 16 ? ERR_CORRUPT : inode_get(fs, up, &parent);
		if (err == OK) {
			inode_put(at);
			at = parent;
		}
	}
	inode_put(at);
	return err;
}

/* What can be said without locks; types do not change. */
static err_t rename_check(struct rename *r)
{
	struct inode *moved = r->from.inode, *replaced = r->to.inode;
	bool below;

	if (moved == NULL)
		return ERR_NOT_FOUND;
	if (r->from.parent == NULL || r->to.parent == NULL)
		return ERR_ARGS; /* the root stays */
	r->directory = moved->type == PMFS_DIRECTORY;
	if (!r->directory && r->to.wants_directory)
		return ERR_NOT_DIR;
	if (replaced != NULL && r->exclusive)
		return ERR_EXISTS;
	if (replaced != NULL && r->directory && replaced->type != PMFS_DIRECTORY)
		return ERR_NOT_DIR;
	if (replaced != NULL && !r->directory && replaced->type == PMFS_DIRECTORY)
		return ERR_IS_DIR;
	if (!r->directory && r->from.parent == r->to.parent)
		return OK;
	if (r->directory) {
		err_t err = dir_is_below(r->fs, moved, r->to.parent, &below);
		if (err != OK || below)
			return err != OK ? err : ERR_ARGS;
	}
	if (replaced == NULL || !r->directory)
		return OK;
	err_t err = dir_is_below(r->fs, replaced, r->from.parent, &below);
	return err != OK ? err : below && replaced != moved ? ERR_NOT_EMPTY : OK;
}

static err_t lock_parents(struct rename *r)
{
	struct inode *a = r->from.parent, *b = r->to.parent;
	bool below = false;

	if (a == b) {
		inode_lock_write(a);
		inode_lately_put(a); /* it was not found there, or what moves is a directory */
		return OK;
	}
	err_t err = dir_is_below(r->fs, b, a, &below);
	if (err != OK)
		return err;
	if (!below) {
		bool above;
		err = dir_is_below(r->fs, a, b, &above);
		if (err != OK)
			return err;
		below = !above && b->number < a->number;
	}
	inode_lock_write(below ? b : a);
	inode_lock_write(below ? a : b);
	return OK;
}

static void unlock_parents(struct rename *r)
{
	inode_unlock(r->from.parent);
	if (r->to.parent != r->from.parent)
		inode_unlock(r->to.parent);
}

static void lock_children(struct rename *r)
{
	struct inode *a = r->from.inode, *b = r->to.inode;

	if (b == NULL) {
		inode_lock_write(a);
		return;
	}
	inode_lock_write(a->number < b->number ? a : b);
	inode_lock_write(a->number < b->number ? b : a);
}

static void unlock_children(struct rename *r)
{
	inode_unlock(r->from.inode);
	if (r->to.inode != NULL)
		inode_unlock(r->to.inode);
}

/* Does the name still lead where it led when we looked? The parent is locked; it says so as long as it is of the same
 * version. ERR_AGAIN: a new walk sees what there is. */
static err_t name_still_leads(struct walk *at)
{
	const struct inode *dir = at->parent;
	struct dir_hit hit = { .inode = 0 };

	if (dir->now.links == 0)
		return ERR_NOT_FOUND;
	if (likely(dir->now.version == at->version))
		return OK;
	err_t err = dir_find(dir, &at->name, &hit);
	if (err != OK && err != ERR_NOT_FOUND)
		return err;
	return hit.inode == (at->inode != NULL ? at->inode->number : 0) ? OK : ERR_AGAIN;
}

static err_t rename_change(struct rename *r, struct change *c)
{
	struct inode *moved = r->from.inode, *replaced = r->to.inode;
	struct inode *from = r->from.parent, *to = r->to.parent;
	const uint64_t now = pmfs_now_ns(r->fs);

	name_touch(change_inode(c, from), now);
	name_touch(change_inode(c, to), now);
	change_inode(c, moved)->ctime = now;
	if (r->directory) {
		change_inode(c, moved)->parent = (uint32_t)to->number;
		change_inode(c, from)->links--;
		change_inode(c, to)->links += replaced == NULL;
	}
	if (replaced != NULL) {
		struct pmfs_inode *gone = change_inode(c, replaced);
		gone->links = r->directory ? 0 : gone->links - 1;
		gone->ctime = now;
		r->ends = gone->links == 0 && inode_is_alone(replaced);
		if (r->ends)
			inode_free_in(c, replaced);
	}
	err_t err = dir_add(c, to, &r->to.name, moved->number, moved->type);
	if (err == OK && replaced != NULL)
		err = dir_remove(c, to, &r->to.name, replaced->number);
	if (err == OK)
		err = dir_remove(c, from, &r->from.name, moved->number);
	return err;
}

/* A directory that gets another parent is written to: its ".." changes. */
static err_t rename_allowed(const struct rename *r)
{
	const struct inode *moved = r->from.inode, *replaced = r->to.inode;
	err_t err = access_remove(r->from.parent, moved);

	if (err == OK)
		err = replaced != NULL ? access_remove(r->to.parent, replaced)
				: access_check(r->to.parent, ACCESS_WRITE | ACCESS_SEARCH);
	if (err == OK && r->directory && r->from.parent != r->to.parent)
		err = access_check(moved, ACCESS_WRITE);
	return err;
}

static void rename_tell(const struct rename *r)
{
	const struct inode *replaced = r->to.inode;

	inode_changed(r->from.parent, FS_EVENT_MOVED_FROM, r->from.name.text, r->from.name.bytes);
	inode_changed(r->to.parent, FS_EVENT_MOVED_TO, r->to.name.text, r->to.name.bytes);
	inode_changed(r->from.inode, FS_EVENT_MOVED_SELF, NULL, 0);
	if (replaced != NULL)
		inode_changed(replaced, replaced->now.links == 0 ? FS_EVENT_DELETE_SELF : FS_EVENT_ATTRIBUTES, NULL, 0);
}

/* Everything is locked, and the names lead where they led. */
static err_t rename_locked(struct rename *r)
{
	struct change c;
	bool empty = true;
	err_t err = rename_allowed(r);

	if (err == OK && r->to.inode != NULL && r->directory)
		err = dir_empty(r->to.inode, &empty);
	if (err != OK || !empty)
		return err != OK ? err : ERR_NOT_EMPTY;
	struct pmfs_inode last;
	if (r->to.inode != NULL)
		last = r->to.inode->now;
	change_begin(&c, r->fs, false);
	err = rename_change(r, &c);
	if (err != OK) {
		change_abort(&c);
		return err;
	}
	change_commit(&c);
	name_cache_put(r->from.parent, &r->from.name, &(struct dir_hit) { .inode = 0 });
	name_cache_put(r->to.parent, &r->to.name,
			&(struct dir_hit) { r->from.inode->number, r->from.inode->type, r->to.name.added });
	if (r->ends)
		inode_release(r->fs, r->to.inode->number, &last);
	rename_tell(r);
	return OK;
}

/* The parents are locked. */
static err_t rename_children(struct rename *r)
{
	lock_children(r);
	err_t err = rename_locked(r);
	unlock_children(r);
	return err;
}

static err_t rename_walked(struct rename *r)
{
	err_t err = rename_check(r);

	if (err != OK || r->from.inode == r->to.inode)
		return err; /* two names of one inode: nothing happens, as POSIX says */
	err = lock_parents(r);
	if (err != OK)
		return err;
	err = name_still_leads(&r->from);
	if (err == OK)
		err = name_still_leads(&r->to);
	if (err == OK)
		err = rename_children(r);
	unlock_parents(r);
	return err;
}

/* ERR_AGAIN: the names have come to lead elsewhere before all was locked. */
static err_t rename_once(struct rename *r, const char *from, const char *to)
{
	struct pmfs *fs = r->fs;
	err_t err = walk_path(fs, from, false, &r->from);

	if (err != OK)
		return err;
	err = walk_path(fs, to, false, &r->to);
	if (err == OK) {
		const bool wide = r->from.parent != r->to.parent ||
				(r->from.inode != NULL && r->from.inode->type == PMFS_DIRECTORY);
		if (wide)
			pthread_mutex_lock(&fs->rename_lock);
		err = rename_walked(r);
		if (wide)
			pthread_mutex_unlock(&fs->rename_lock);
		walk_end(&r->to);
	}
	walk_end(&r->from);
	return err;
}

/* R3. False: it is not like that. */
static bool rename_near(struct rename *r, const char *from, const char *to, err_t *err)
{
	if (unlikely(!walk_to_change_both(r->fs, from, to, &r->from, &r->to, err)))
		return false;
	if (unlikely(*err != OK))
		return true;
	const bool near = likely(r->from.inode == NULL || r->from.inode->type != PMFS_DIRECTORY);
	if (near)
		*err = rename_check(r);
	if (near && likely(*err == OK && r->from.inode != r->to.inode))
		*err = rename_children(r);
	walk_end(&r->from); /* unlocks the directory */
	walk_end(&r->to);
	return near;
}

err_t pmfs_rename(struct pmfs *fs, const char *from, const char *to, bool exclusive)
{
	struct rename r; /* large: the walks fill theirs */
	err_t err;

	r.fs = fs;
	r.exclusive = exclusive;
	r.directory = r.ends = false;
	if (likely(rename_near(&r, from, to, &err)))
		return err;
	err = ERR_AGAIN;
	for (int i = 0; i < 8 && err == ERR_AGAIN; i++)
		err = rename_once(&r, from, to);
	return err;
}
