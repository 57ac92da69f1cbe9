/* SPDX-License-Identifier: BSD-2-Clause */
/* tree.c - names. Every function takes the tree's lock: for reading where it only looks, for
 * writing where it changes. */
#include "kit/fs.h"
#include "node.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NODE_COST 512u /* what a name is counted as, besides its bytes */

/* --- nodes and directories --- */

static struct node *node_new(struct tree *tree, uint32_t type, uint32_t mode)
{
	struct timespec now = { 0 };

	if (atomic_fetch_add(&tree->used, NODE_COST) + NODE_COST > tree->limit) {
		atomic_fetch_sub(&tree->used, NODE_COST);
		return NULL;
	}
	struct node *node = calloc(1, sizeof(*node));
	if (node == NULL) {
		atomic_fetch_sub(&tree->used, NODE_COST);
		return NULL;
	}
	pthread_rwlock_init(&node->lock, NULL);
	clock_gettime(CLOCK_REALTIME, &now);
	node->atime = node->mtime = node->ctime = (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
	node->number = atomic_fetch_add(&tree->numbers, 1) + 1;
	node->type = type;
	node->mode = mode & 07777;
	atomic_fetch_add(&tree->nodes, 1);
	return node;
}

static void node_free(struct tree *tree, struct node *node)
{
	atomic_fetch_sub(&tree->used, NODE_COST + (node->type == FS_TYPE_FILE ? node->size : 0));
	atomic_fetch_sub(&tree->nodes, 1);
	store_free(&node->store);
	pthread_rwlock_destroy(&node->lock);
	free(node->target);
	free(node->bucket);
	free(node->order);
	free(node);
}

/* [t] Without a name and without an opener it goes. */
static void node_settle(struct tree *tree, struct node *node)
{
	if (node->links == 0 && atomic_load(&node->opens) == 0)
		node_free(tree, node);
}

static uint32_t name_hash(const char *name, size_t bytes)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ (uint8_t)name[i]) * 16777619u;
	return hash;
}

static struct entry **entry_find(const struct node *dir, const char *name, size_t bytes)
{
	if (dir->buckets == 0)
		return NULL;
	struct entry **link = &dir->bucket[name_hash(name, bytes) % dir->buckets];
	while (*link != NULL && ((*link)->name_bytes != bytes || memcmp((*link)->name, name, bytes) != 0))
		link = &(*link)->chain;
	return *link != NULL ? link : NULL;
}

static err_t dir_grow(struct node *dir)
{
	const uint32_t buckets = dir->buckets * 2 + 8;
	struct entry **bucket = calloc(buckets, sizeof(struct entry *));

	if (bucket == NULL)
		return ERR_NO_SPACE;
	for (uint32_t i = 0; i < dir->order_count; i++) {
		struct entry *entry = dir->order[i].entry;
		if (entry == NULL)
			continue;
		struct entry **head = &bucket[name_hash(entry->name, entry->name_bytes) % buckets];
		entry->chain = *head;
		*head = entry;
	}
	free(dir->bucket);
	dir->bucket = bucket;
	dir->buckets = buckets;
	return OK;
}

static void order_pack(struct node *dir)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < dir->order_count; i++) {
		if (dir->order[i].entry == NULL)
			continue;
		dir->order[i].entry->place = kept;
		dir->order[kept++] = dir->order[i];
	}
	dir->order_count = kept;
}

static err_t order_grow(struct node *dir)
{
	order_pack(dir);
	if (dir->order_count * 2 <= dir->order_room && dir->order_room != 0)
		return OK;
	const uint32_t room = dir->order_room * 2 + 8;
	struct ordered *order = realloc(dir->order, room * sizeof(*order));
	if (order == NULL)
		return ERR_NO_SPACE;
	dir->order = order;
	dir->order_room = room;
	return OK;
}

static err_t entry_add(struct node *dir, const char *name, size_t bytes, struct node *node)
{
	err_t err = dir->live >= dir->buckets ? dir_grow(dir) : OK;

	if (err == OK && dir->order_count == dir->order_room)
		err = order_grow(dir);
	struct entry *entry = err == OK ? malloc(sizeof(*entry) + bytes) : NULL;
	if (entry == NULL)
		return ERR_NO_SPACE;
	struct entry **head = &dir->bucket[name_hash(name, bytes) % dir->buckets];
	*entry = (struct entry) { .chain = *head, .node = node, .place = dir->order_count, .name_bytes = (uint8_t)bytes };
	memcpy(entry->name, name, bytes);
	*head = entry;
	dir->order[dir->order_count++] = (struct ordered) { .cookie = ++dir->last_cookie, .entry = entry };
	dir->live++;
	return OK;
}

/* The first place in dir->order with a cookie > `cookie`. */
static uint32_t order_after(const struct node *dir, uint64_t cookie)
{
	uint32_t low = 0, high = dir->order_count;

	while (low < high) {
		const uint32_t middle = (low + high) / 2;
		if (dir->order[middle].cookie <= cookie)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void entry_remove(struct node *dir, struct entry **link)
{
	struct entry *entry = *link;

	*link = entry->chain;
	dir->order[entry->place].entry = NULL;
	dir->live--;
	free(entry);
	if (dir->order_count > 2 * dir->live + 8) /* no more holes than names, so that both are passed in no time */
		order_pack(dir);
}

/* --- walking --- */

struct place {
	struct node *parent;  /* NULL: the root itself */
	struct node *node;    /* NULL: not there */
	const char *name;
	size_t bytes;
	bool wants_directory;
	char path[FS_PATH_BYTES_MAX + 1];
};

/* One pass; *again: a link was put into the path. [t] */
static err_t walk_once(struct tree *tree, struct place *at, bool follow, bool *again)
{
	struct kit_component c;
	uint32_t offset = 0;

	*again = false;
	at->parent = NULL;
	at->node = tree->root;
	while (kit_path_next(at->path, &offset, &c)) {
		if (c.bytes > FS_NAME_BYTES_MAX)
			return ERR_NAME_TOO_LONG;
		at->name = at->path + c.start;
		at->bytes = c.bytes;
		if (kit_component_check(at->path, &c, false) != OK) {
			*again = true;
			return kit_path_climb(at->path, &c);
		}
		if (at->node == NULL)
			return ERR_NOT_FOUND;
		if (at->node->type != FS_TYPE_DIRECTORY)
			return ERR_NOT_DIR;
		at->parent = at->node;
		struct entry **link = entry_find(at->parent, at->name, at->bytes);
		at->node = link != NULL ? (*link)->node : NULL;
		if (at->node != NULL && at->node->type == FS_TYPE_SYMLINK && (follow || !c.last || at->wants_directory)) {
			*again = true;
			return kit_path_splice(at->path, &c, at->node->target, at->node->size);
		}
	}
	return OK;
}

/* [t] */
static err_t walk(struct tree *tree, const char *name, bool follow, struct place *at)
{
	bool again = true;
	err_t err = OK;

	strcpy(at->path, name); /* the dispatch has checked its length */
	for (uint32_t turns = 0; err == OK && again; turns++) {
		at->wants_directory = kit_path_wants_directory(at->path);
		err = turns > KIT_LINKS_MAX * 16 ? ERR_TOO_DEEP : walk_once(tree, at, follow, &again);
	}
	if (err == OK && at->wants_directory && at->node != NULL && at->node->type != FS_TYPE_DIRECTORY)
		err = ERR_NOT_DIR;
	return err;
}

/* --- the operations --- */

static err_t make(struct tree *tree, struct place *at, uint32_t type, uint32_t mode, struct node **out)
{
	struct node *node = node_new(tree, type, mode);

	if (node == NULL)
		return ERR_NO_SPACE;
	err_t err = entry_add(at->parent, at->name, at->bytes, node);
	if (err != OK) {
		node_free(tree, node);
		return err;
	}
	node->links = type == FS_TYPE_DIRECTORY ? 2 : 1;
	node->parent = at->parent;
	at->parent->links += type == FS_TYPE_DIRECTORY;
	*out = node;
	return OK;
}

static err_t open_check(struct tree *tree, struct node *node, uint32_t flags)
{
	if ((flags & FS_OPEN_CREATE) && (flags & FS_OPEN_EXCLUSIVE))
		return ERR_EXISTS;
	if (node->type == FS_TYPE_SYMLINK)
		return ERR_TOO_DEEP;
	if ((flags & FS_OPEN_DIRECTORY) && node->type != FS_TYPE_DIRECTORY)
		return ERR_NOT_DIR;
	if (node->type == FS_TYPE_DIRECTORY)
		return flags & (FS_OPEN_WRITE | FS_OPEN_TRUNCATE | FS_OPEN_APPEND) ? ERR_IS_DIR : OK;
	if ((flags & FS_OPEN_TRUNCATE) && (flags & FS_OPEN_WRITE))
		return node_setattr(tree, node, &(struct fs_setattr) { .set = FS_SET_SIZE });
	return OK;
}

err_t tree_open(struct tree *tree, const char *name, uint32_t flags, uint32_t mode, struct node **out)
{
	const bool create = flags & FS_OPEN_CREATE;
	struct place at;

	if (create)
		pthread_rwlock_wrlock(&tree->lock);
	else
		pthread_rwlock_rdlock(&tree->lock);
	err_t err = walk(tree, name, !(flags & FS_OPEN_NO_FOLLOW) && !(create && (flags & FS_OPEN_EXCLUSIVE)), &at);
	if (err == OK && at.node != NULL)
		err = open_check(tree, at.node, flags);
	else if (err == OK && !create)
		err = ERR_NOT_FOUND;
	else if (err == OK)
		err = at.wants_directory || (flags & FS_OPEN_DIRECTORY) ? ERR_IS_DIR
				: make(tree, &at, FS_TYPE_FILE, mode, &at.node);
	if (err == OK) {
		atomic_fetch_add(&at.node->opens, 1);
		*out = at.node;
	}
	pthread_rwlock_unlock(&tree->lock);
	return err;
}

void tree_close(struct tree *tree, struct node *node)
{
	pthread_rwlock_wrlock(&tree->lock);
	atomic_fetch_sub(&node->opens, 1);
	node_settle(tree, node);
	pthread_rwlock_unlock(&tree->lock);
}

err_t tree_stat(struct tree *tree, const char *name, bool follow, struct fs_stat *out)
{
	struct place at;

	pthread_rwlock_rdlock(&tree->lock);
	err_t err = walk(tree, name, follow, &at);
	if (err == OK && at.node == NULL)
		err = ERR_NOT_FOUND;
	if (err == OK)
		node_fill_stat(at.node, at.node->links, out);
	pthread_rwlock_unlock(&tree->lock);
	return err;
}

static err_t make_at(struct tree *tree, const char *name, uint32_t type, uint32_t mode, const char *target)
{
	struct place at;
	struct node *node;
	char *copy = target != NULL ? malloc(strlen(target) + 1) : NULL;

	if (target != NULL && copy == NULL)
		return ERR_NO_SPACE;
	pthread_rwlock_wrlock(&tree->lock);
	err_t err = walk(tree, name, false, &at);
	if (err == OK && at.node != NULL)
		err = ERR_EXISTS;
	if (err == OK && at.wants_directory && type != FS_TYPE_DIRECTORY)
		err = ERR_NOT_FOUND;
	if (err == OK)
		err = make(tree, &at, type, mode, &node);
	if (err == OK && target != NULL) {
		node->size = strlen(target);
		node->target = strcpy(copy, target);
	}
	pthread_rwlock_unlock(&tree->lock);
	if (err != OK)
		free(copy);
	return err;
}

err_t tree_mkdir(struct tree *tree, const char *name, uint32_t mode)
{
	return make_at(tree, name, FS_TYPE_DIRECTORY, mode, NULL);
}

err_t tree_symlink(struct tree *tree, const char *target, const char *name)
{
	return target[0] == 0 ? ERR_NOT_FOUND : make_at(tree, name, FS_TYPE_SYMLINK, 0777, target);
}

err_t tree_readlink(struct tree *tree, const char *name, void *to, size_t room, uint64_t *bytes)
{
	struct place at;

	pthread_rwlock_rdlock(&tree->lock);
	err_t err = walk(tree, name, false, &at);
	if (err == OK && at.node == NULL)
		err = ERR_NOT_FOUND;
	if (err == OK && at.node->type != FS_TYPE_SYMLINK)
		err = ERR_ARGS;
	if (err == OK) {
		*bytes = at.node->size < room ? at.node->size : room;
		memcpy(to, at.node->target, *bytes);
	}
	pthread_rwlock_unlock(&tree->lock);
	return err;
}

err_t tree_link(struct tree *tree, const char *from, const char *to)
{
	struct place source, at;

	pthread_rwlock_wrlock(&tree->lock);
	err_t err = walk(tree, from, false, &source);
	if (err == OK)
		err = source.node == NULL ? ERR_NOT_FOUND : source.node->type == FS_TYPE_DIRECTORY ? ERR_DENIED
				: walk(tree, to, false, &at);
	if (err == OK)
		err = at.node != NULL ? ERR_EXISTS : at.wants_directory ? ERR_NOT_FOUND
				: entry_add(at.parent, at.name, at.bytes, source.node);
	if (err == OK)
		source.node->links++;
	pthread_rwlock_unlock(&tree->lock);
	return err;
}

/* A name goes, and what it named loses a link. [t] */
static void unname(struct tree *tree, struct node *dir, const char *name, size_t bytes)
{
	struct entry **link = entry_find(dir, name, bytes);
	struct node *node = (*link)->node;

	entry_remove(dir, link);
	if (node->type == FS_TYPE_DIRECTORY) {
		dir->links--;
		node->links = 0;
	} else {
		node->links--;
	}
	node_settle(tree, node);
}

err_t tree_remove(struct tree *tree, const char *name, bool directory)
{
	struct place at;

	pthread_rwlock_wrlock(&tree->lock);
	err_t err = walk(tree, name, false, &at);
	if (err == OK && at.node == NULL)
		err = ERR_NOT_FOUND;
	else if (err == OK && at.parent == NULL)
		err = directory ? ERR_BUSY : ERR_IS_DIR;
	else if (err == OK && directory != (at.node->type == FS_TYPE_DIRECTORY))
		err = directory ? ERR_NOT_DIR : ERR_IS_DIR;
	else if (err == OK && at.node->live != 0)
		err = ERR_NOT_EMPTY;
	if (err == OK)
		unname(tree, at.parent, at.name, at.bytes);
	pthread_rwlock_unlock(&tree->lock);
	return err;
}

/* May it happen? [t] */
static err_t rename_check(const struct place *from, const struct place *to, bool exclusive)
{
	if (from->node == NULL)
		return ERR_NOT_FOUND;
	if (from->parent == NULL || to->parent == NULL)
		return ERR_ARGS;
	const bool directory = from->node->type == FS_TYPE_DIRECTORY;
	if (!directory && to->wants_directory)
		return ERR_NOT_DIR;
	for (const struct node *up = to->parent; directory && up != NULL; up = up->parent)
		if (up == from->node)
			return ERR_ARGS;
	if (to->node == NULL || to->node == from->node)
		return OK;
	if (exclusive)
		return ERR_EXISTS;
	if (directory != (to->node->type == FS_TYPE_DIRECTORY))
		return directory ? ERR_NOT_DIR : ERR_IS_DIR;
	return to->node->live != 0 ? ERR_NOT_EMPTY : OK;
}

err_t tree_rename(struct tree *tree, const char *from_name, const char *to_name, bool exclusive)
{
	struct place from, to;

	to.node = NULL;
	pthread_rwlock_wrlock(&tree->lock);
	err_t err = walk(tree, from_name, false, &from);
	if (err == OK)
		err = walk(tree, to_name, false, &to);
	if (err == OK)
		err = rename_check(&from, &to, exclusive);
	if (err == OK && from.node != to.node) {
		struct node *moved = from.node;
		struct entry **link = to.node != NULL ? entry_find(to.parent, to.name, to.bytes) : NULL;
		if (link == NULL)
			err = entry_add(to.parent, to.name, to.bytes, moved);
		if (err == OK) {
			const bool directory = moved->type == FS_TYPE_DIRECTORY;
			if (link != NULL) {
				(*link)->node = moved;
				to.parent->links -= directory;
				to.node->links = directory ? 0 : to.node->links - 1;
				node_settle(tree, to.node);
			}
			entry_remove(from.parent, entry_find(from.parent, from.name, from.bytes));
			from.parent->links -= directory;
			to.parent->links += directory;
			moved->parent = to.parent;
		}
	}
	pthread_rwlock_unlock(&tree->lock);
	return err;
}

err_t tree_readdir(struct tree *tree, struct node *dir, uint64_t cookie, void *entries, size_t room, uint64_t *bytes,
		uint64_t *next)
{
	size_t used = 0;
	bool full = false;

	if (dir->type != FS_TYPE_DIRECTORY)
		return ERR_NOT_DIR;
	*next = cookie;
	pthread_rwlock_rdlock(&tree->lock);
	for (uint32_t at = order_after(dir, cookie); at < dir->order_count && !full; at++) {
		const uint64_t its = dir->order[at].cookie;
		const struct entry *entry = dir->order[at].entry;
		if (entry == NULL)
			continue;
		full = !kit_dirent_put(entries, room, &used, entry->node->number, its, entry->node->type, entry->name,
				entry->name_bytes);
		if (!full)
			*next = its;
	}
	pthread_rwlock_unlock(&tree->lock);
	*bytes = used;
	*next = full ? *next : 0;
	return full && used == 0 ? ERR_ARGS : OK;
}

err_t tree_init(struct tree *tree, uint64_t limit_bytes)
{
	memset(tree, 0, sizeof(*tree));
	tree->limit = limit_bytes;
	pthread_rwlock_init(&tree->lock, NULL);
	tree->root = node_new(tree, FS_TYPE_DIRECTORY, 01777);
	if (tree->root == NULL)
		return ERR_NO_MEMORY;
	tree->root->links = 2;
	return OK;
}

static void destroy_below(struct tree *tree, struct node *dir)
{
	for (uint32_t i = 0; i < dir->order_count; i++) {
		struct entry *entry = dir->order[i].entry;
		if (entry == NULL)
			continue;
		if (entry->node->type == FS_TYPE_DIRECTORY)
			destroy_below(tree, entry->node);
		else if (--entry->node->links == 0)
			node_free(tree, entry->node);
		free(entry);
	}
	node_free(tree, dir);
}

void tree_destroy(struct tree *tree)
{
	destroy_below(tree, tree->root);
	tree->root = NULL;
}
