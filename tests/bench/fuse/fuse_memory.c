/* SPDX-License-Identifier: BSD-2-Clause */
/* fuse_memory.c - the FUSE peer: a file system in memory on libfuse's low-level interface, as lean
 * as that interface allows: one thread, no caching in the kernel: data by direct_io, names
 * and attributes are asked for each time. Usage: fuse_memory MOUNTPOINT
 *
 * A node's number is its address. All names lie in one hash table, keyed by directory and name;
 * each directory also has them in an array, for readdir, whose index is the offset. */
#define FUSE_USE_VERSION 34

#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TABLE_ENTRIES (1u << 17)
#define REPLY_BYTES_MAX (1u << 20)

struct name;

struct node {
	struct stat attributes;
	uint64_t lookups; /* that the kernel holds */
	/* A file: its bytes. */
	char *bytes;
	size_t capacity;
	/* A directory: its names; removed ones are NULL. */
	struct name **names;
	size_t name_count, name_capacity;
	size_t live;
};

struct name {
	struct name *next; /* of the same hash */
	struct node *parent, *node;
	uint32_t hash;
	size_t slot;
	char text[];
};

static struct node root;
static struct name *table[TABLE_ENTRIES];

static struct node *node_of(fuse_ino_t number)
{
	return number == FUSE_ROOT_ID ? &root : (struct node *)number;
}

/* FNV-1a. */
static uint32_t hash_of(const struct node *parent, const char *text)
{
	uint32_t hash = 2166136261u ^ (uint32_t)((uintptr_t)parent >> 4);
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 16777619u;
	return hash;
}

static struct name **find_name(struct node *parent, const char *text)
{
	uint32_t hash = hash_of(parent, text);
	struct name **at = &table[hash % TABLE_ENTRIES];
	while (*at && ((*at)->hash != hash || (*at)->parent != parent || strcmp((*at)->text, text)))
		at = &(*at)->next;
	return at;
}

static bool reserve_slot(struct node *parent)
{
	if (parent->name_count < parent->name_capacity)
		return true;
	size_t capacity = parent->name_capacity ? parent->name_capacity * 2 : 16;
	struct name **names = realloc(parent->names, capacity * sizeof *names);
	if (!names)
		return false;
	parent->names = names;
	parent->name_capacity = capacity;
	return true;
}

static bool add_name(struct node *parent, const char *text, struct node *node)
{
	size_t bytes = strlen(text) + 1;
	struct name *name = malloc(sizeof *name + bytes);
	if (!name || !reserve_slot(parent)) {
		free(name);
		return false;
	}
	memcpy(name->text, text, bytes);
	name->parent = parent;
	name->node = node;
	name->hash = hash_of(parent, text);
	name->slot = parent->name_count;
	name->next = table[name->hash % TABLE_ENTRIES];
	table[name->hash % TABLE_ENTRIES] = name;
	parent->names[parent->name_count++] = name;
	parent->live++;
	return true;
}

static void remove_name(struct name **at)
{
	struct name *name = *at;
	struct node *parent = name->parent;
	*at = name->next;
	parent->names[name->slot] = NULL;
	parent->live--;
	while (parent->name_count && !parent->names[parent->name_count - 1])
		parent->name_count--;
	free(name);
}

static void free_if_unused(struct node *node)
{
	if (node == &root || node->lookups || node->attributes.st_nlink)
		return;
	free(node->bytes);
	free(node->names);
	free(node);
}

static struct node *make_node(fuse_req_t request, mode_t mode)
{
	struct node *node = calloc(1, sizeof *node);
	if (!node)
		return NULL;
	node->attributes.st_ino = (ino_t)(uintptr_t)node;
	node->attributes.st_mode = mode;
	node->attributes.st_nlink = S_ISDIR(mode) ? 2 : 1;
	node->attributes.st_uid = fuse_req_ctx(request)->uid;
	node->attributes.st_gid = fuse_req_ctx(request)->gid;
	node->attributes.st_blksize = 4096;
	return node;
}

static void fill_entry(struct fuse_entry_param *entry, struct node *node)
{
	memset(entry, 0, sizeof *entry);
	entry->ino = (fuse_ino_t)node;
	entry->attr = node->attributes;
	node->lookups++;
}

static void do_lookup(fuse_req_t request, fuse_ino_t parent, const char *text)
{
	struct name *name = *find_name(node_of(parent), text);
	struct fuse_entry_param entry;
	if (!name) {
		fuse_reply_err(request, ENOENT);
		return;
	}
	fill_entry(&entry, name->node);
	fuse_reply_entry(request, &entry);
}

static void do_forget(fuse_req_t request, fuse_ino_t number, uint64_t lookups)
{
	struct node *node = node_of(number);
	node->lookups -= lookups;
	free_if_unused(node);
	fuse_reply_none(request);
}

static void do_getattr(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *file)
{
	(void)file;
	fuse_reply_attr(request, &node_of(number)->attributes, 0);
}

/* ---- Files ---- */

static bool resize(struct node *node, size_t bytes)
{
	size_t old = (size_t)node->attributes.st_size;
	if (bytes > node->capacity) {
		size_t capacity = node->capacity ? node->capacity : 4096;
		while (capacity < bytes)
			capacity *= 2;
		char *moved = realloc(node->bytes, capacity);
		if (!moved)
			return false;
		node->bytes = moved;
		node->capacity = capacity;
	}
	if (bytes > old)
		memset(node->bytes + old, 0, bytes - old);
	node->attributes.st_size = (off_t)bytes;
	node->attributes.st_blocks = (blkcnt_t)((bytes + 511) / 512);
	return true;
}

static void do_setattr(fuse_req_t request, fuse_ino_t number, struct stat *wanted, int which,
	struct fuse_file_info *file)
{
	struct node *node = node_of(number);
	(void)file;
	if (which & FUSE_SET_ATTR_SIZE && !resize(node, (size_t)wanted->st_size)) {
		fuse_reply_err(request, ENOSPC);
		return;
	}
	if (which & FUSE_SET_ATTR_MODE)
		node->attributes.st_mode = wanted->st_mode;
	if (which & FUSE_SET_ATTR_MTIME)
		node->attributes.st_mtim = wanted->st_mtim;
	fuse_reply_attr(request, &node->attributes, 0);
}

static void do_open(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *file)
{
	if (file->flags & O_TRUNC)
		resize(node_of(number), 0);
	file->direct_io = 1;
	fuse_reply_open(request, file);
}

static void do_read(fuse_req_t request, fuse_ino_t number, size_t bytes, off_t offset, struct fuse_file_info *file)
{
	const struct node *node = node_of(number);
	(void)file;
	off_t left = node->attributes.st_size - offset;
	if (left <= 0)
		fuse_reply_buf(request, NULL, 0);
	else
		fuse_reply_buf(request, node->bytes + offset, bytes < (size_t)left ? bytes : (size_t)left);
}

static void do_write(fuse_req_t request, fuse_ino_t number, const char *bytes, size_t length, off_t offset,
	struct fuse_file_info *file)
{
	struct node *node = node_of(number);
	size_t end = (size_t)offset + length;
	(void)file;
	if (end > (size_t)node->attributes.st_size && !resize(node, end)) {
		fuse_reply_err(request, ENOSPC);
		return;
	}
	memcpy(node->bytes + offset, bytes, length);
	fuse_reply_write(request, length);
}

static void do_fsync(fuse_req_t request, fuse_ino_t number, int data_only, struct fuse_file_info *file)
{
	(void)number, (void)data_only, (void)file;
	fuse_reply_err(request, 0);
}

/* ---- Names ---- */

/* A new node with its name, or NULL after an error was replied. */
static struct node *make_named(fuse_req_t request, fuse_ino_t parent, const char *text, mode_t mode)
{
	if (*find_name(node_of(parent), text)) {
		fuse_reply_err(request, EEXIST);
		return NULL;
	}
	struct node *node = make_node(request, mode);
	if (!node || !add_name(node_of(parent), text, node)) {
		free(node);
		fuse_reply_err(request, ENOSPC);
		return NULL;
	}
	if (S_ISDIR(mode))
		node_of(parent)->attributes.st_nlink++;
	return node;
}

static void do_create(fuse_req_t request, fuse_ino_t parent, const char *text, mode_t mode, struct fuse_file_info *file)
{
	struct fuse_entry_param entry;
	struct node *node = make_named(request, parent, text, S_IFREG | (mode & 07777));
	if (!node)
		return;
	fill_entry(&entry, node);
	file->direct_io = 1;
	fuse_reply_create(request, &entry, file);
}

static void do_mkdir(fuse_req_t request, fuse_ino_t parent, const char *text, mode_t mode)
{
	struct fuse_entry_param entry;
	struct node *node = make_named(request, parent, text, S_IFDIR | (mode & 07777));
	if (!node)
		return;
	fill_entry(&entry, node);
	fuse_reply_entry(request, &entry);
}

/* 0, or why not. A directory has to be empty. */
static int drop(fuse_ino_t parent, const char *text, bool directory)
{
	struct name **at = find_name(node_of(parent), text);
	if (!*at)
		return ENOENT;
	struct node *node = (*at)->node;
	if (directory && !S_ISDIR(node->attributes.st_mode))
		return ENOTDIR;
	if (directory && node->live)
		return ENOTEMPTY;
	remove_name(at);
	node->attributes.st_nlink -= directory ? 2 : 1;
	if (directory)
		node_of(parent)->attributes.st_nlink--;
	free_if_unused(node);
	return 0;
}

static void do_unlink(fuse_req_t request, fuse_ino_t parent, const char *text)
{
	fuse_reply_err(request, drop(parent, text, false));
}

static void do_rmdir(fuse_req_t request, fuse_ino_t parent, const char *text)
{
	fuse_reply_err(request, drop(parent, text, true));
}

static void do_rename(fuse_req_t request, fuse_ino_t parent, const char *text, fuse_ino_t new_parent,
	const char *new_text, unsigned flags)
{
	struct name **at = find_name(node_of(parent), text);
	if (flags || !*at) {
		fuse_reply_err(request, flags ? EINVAL : ENOENT);
		return;
	}
	struct node *node = (*at)->node;
	struct name *target = *find_name(node_of(new_parent), new_text);
	int error = target ? drop(new_parent, new_text, S_ISDIR(target->node->attributes.st_mode)) : 0;
	if (!error && !add_name(node_of(new_parent), new_text, node))
		error = ENOSPC;
	if (!error)
		remove_name(find_name(node_of(parent), text));
	fuse_reply_err(request, error);
}

static void do_opendir(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *file)
{
	(void)number;
	fuse_reply_open(request, file);
}

/* Offsets: 0 and 1 are "." and "..", then the names' places. */
static void do_readdir(fuse_req_t request, fuse_ino_t number, size_t bytes, off_t offset, struct fuse_file_info *file)
{
	static char buffer[REPLY_BYTES_MAX];
	const struct node *node = node_of(number);
	size_t used = 0, limit = bytes < sizeof buffer ? bytes : sizeof buffer;
	(void)file;
	for (size_t at = (size_t)offset; at < node->name_count + 2; at++) {
		const struct name *name = at < 2 ? NULL : node->names[at - 2];
		if (at >= 2 && !name)
			continue;
		const char *text = at == 0 ? "." : at == 1 ? ".."
												   : name->text;
		const struct stat *attributes = name ? &name->node->attributes : &node->attributes;
		size_t length = fuse_add_direntry(request, buffer + used, limit - used, text, attributes, (off_t)at + 1);
		if (length > limit - used)
			break;
		used += length;
	}
	fuse_reply_buf(request, buffer, used);
}

static const struct fuse_lowlevel_ops operations = {
	.lookup = do_lookup,
	.forget = do_forget,
	.getattr = do_getattr,
	.setattr = do_setattr,
	.open = do_open,
	.read = do_read,
	.write = do_write,
	.fsync = do_fsync,
	.create = do_create,
	.mkdir = do_mkdir,
	.unlink = do_unlink,
	.rmdir = do_rmdir,
	.rename = do_rename,
	.opendir = do_opendir,
	.readdir = do_readdir,
};

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	root.attributes.st_ino = FUSE_ROOT_ID;
	root.attributes.st_mode = S_IFDIR | 0755;
	root.attributes.st_nlink = 2;
	memset(table, 0, sizeof table); /* no page fault is paid for later */
	struct fuse_args arguments = FUSE_ARGS_INIT(1, argv);
	struct fuse_session *session = fuse_session_new(&arguments, &operations, sizeof operations, NULL);
	if (!session || fuse_session_mount(session, argv[1]))
		return 1;
	int status = fuse_session_loop(session) ? 1 : 0;
	fuse_session_unmount(session);
	fuse_session_destroy(session);
	return status;
}
