/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - memfs as a server: files in memory, gone when it ends. The porting guide walks through
 * this program. argv: limit=BYTES (K, M or G may follow): how much it may hold; 64M if not given. */
#include "kit/files.h"
#include "kit/kit.h"
#include "kit/lock_door.h"
#include "node.h"

#include <lintel/fs_server.h>
#include <stdlib.h>
#include <string.h>

struct open_file {
	struct node *node;
	uint32_t flags;
};

static struct tree tree;
static struct kit_files files;
static struct locks locks;

static void file_close(void *file, uint64_t badge, uint64_t number)
{
	struct open_file *open = file;

	locks_close(&locks, open->node->number, badge, number);
	tree_close(&tree, open->node);
}

/* The file, opened with one of these flags (0: any). The caller puts it back. */
static err_t file_take(struct kit_call *call, uint64_t number, uint32_t flags, struct open_file **out)
{
	void *file;
	err_t err = kit_file_get(&files, call->badge, number, &file);

	if (err != OK)
		return err;
	*out = file;
	if (flags == 0 || ((*out)->flags & flags))
		return OK;
	kit_file_put(&files, call->badge, file);
	return ERR_DENIED;
}

static err_t op_connect(struct kit_call *call, handle_t *session)
{
	uint64_t badge;
	err_t err = kit_session_add(&files, &badge);

	(void)call;
	if (err != OK)
		return err;
	err = kit_mint(badge, session);
	if (err != OK)
		kit_session_end(&files, badge);
	return err;
}

static err_t op_open(struct kit_call *call, uint32_t flags, uint32_t mode, const char *name, uint64_t *number,
		uint64_t *size, uint32_t *type, uint64_t *inode)
{
	struct node *node;
	struct kit_new_file new;
	err_t err = tree_open(&tree, name, flags, mode, &node);

	if (err != OK)
		return err;
	err = kit_file_add(&files, call->badge, &new);
	if (err != OK) {
		tree_close(&tree, node);
		return err;
	}
	*(struct open_file *)new.file = (struct open_file) { .node = node, .flags = flags };
	*number = new.number;
	*size = node_size(node);
	*type = node->type;
	*inode = node->number;
	kit_file_ready(&files, call->badge, &new);
	return OK;
}

static err_t op_close(struct kit_call *call, uint64_t file)
{
	return kit_file_close(&files, call->badge, file);
}

static err_t op_read(struct kit_call *call, uint64_t file, uint64_t offset, void *data, size_t bytes, uint64_t *done)
{
	struct open_file *open;
	err_t err = file_take(call, file, FS_OPEN_READ, &open);

	if (err != OK)
		return err;
	err = node_read(open->node, offset, data, bytes, done);
	kit_file_put(&files, call->badge, open);
	return err;
}

static err_t op_write(struct kit_call *call, uint64_t file, uint64_t offset, uint32_t flags, const void *data,
		size_t bytes, uint64_t *done, uint64_t *end)
{
	struct open_file *open;
	err_t err = file_take(call, file, FS_OPEN_WRITE, &open);

	if (err != OK)
		return err;
	const bool append = flags & FS_OPEN_APPEND; /* fcntl can take back what open said */
	err = node_write(&tree, open->node, offset, append, data, bytes, done, end);
	kit_file_put(&files, call->badge, open);
	return err;
}

static err_t op_stat(struct kit_call *call, uint32_t flags, const char *name, struct fs_stat *st)
{
	(void)call;
	return tree_stat(&tree, name, !(flags & FS_OPEN_NO_FOLLOW), st);
}

static err_t op_fstat(struct kit_call *call, uint64_t file, struct fs_stat *st)
{
	struct open_file *open;
	err_t err = file_take(call, file, 0, &open);

	if (err != OK)
		return err;
	node_stat(&tree, open->node, st);
	kit_file_put(&files, call->badge, open);
	return OK;
}

static err_t op_setattr(struct kit_call *call, uint64_t file, const struct fs_setattr *attr)
{
	struct open_file *open;
	err_t err = file_take(call, file, attr->set & FS_SET_SIZE ? FS_OPEN_WRITE : 0, &open);

	if (err != OK)
		return err;
	err = node_setattr(&tree, open->node, attr);
	kit_file_put(&files, call->badge, open);
	return err;
}

static err_t op_allocate(struct kit_call *call, uint64_t file, uint32_t mode, uint64_t offset, uint64_t bytes)
{
	struct open_file *open;
	err_t err = file_take(call, file, FS_OPEN_WRITE, &open);

	if (err != OK)
		return err;
	err = node_allocate(&tree, open->node, mode, offset, bytes);
	kit_file_put(&files, call->badge, open);
	return err;
}

static err_t op_setattr_path(struct kit_call *call, const char *name, const struct fs_setattr *attr)
{
	struct node *node;
	err_t err = tree_open(&tree, name, 0, 0, &node);

	(void)call;
	if (err != OK)
		return err;
	err = node_setattr(&tree, node, attr);
	tree_close(&tree, node);
	return err;
}

static err_t op_sync(struct kit_call *call, uint64_t file, uint32_t flags)
{
	const bool stored = flags & FS_SYNC_STORED;
	struct open_file *open;

	if (flags & ~(uint32_t)(FS_SYNC_DATA_ONLY | FS_SYNC_STORED))
		return ERR_ARGS;
	err_t err = file_take(call, file, stored ? FS_OPEN_WRITE : 0, &open);
	if (err != OK)
		return err;
	if (stored)
		node_stored(open->node);
	kit_file_put(&files, call->badge, open); /* and memory is as durable as it gets */
	return OK;
}

static err_t op_sync_all(struct kit_call *call)
{
	(void)call;
	return OK;
}

static err_t op_unlink(struct kit_call *call, const char *name)
{
	(void)call;
	return tree_remove(&tree, name, false);
}

static err_t op_mkdir(struct kit_call *call, uint32_t mode, const char *name)
{
	(void)call;
	return tree_mkdir(&tree, name, mode);
}

static err_t op_rmdir(struct kit_call *call, const char *name)
{
	(void)call;
	return tree_remove(&tree, name, true);
}

static err_t op_rename(struct kit_call *call, uint32_t flags, const char *from, const char *to)
{
	(void)call;
	return flags & ~(uint32_t)FS_OPEN_EXCLUSIVE ? ERR_ARGS
			: tree_rename(&tree, from, to, flags & FS_OPEN_EXCLUSIVE);
}

static err_t op_readdir(struct kit_call *call, uint64_t file, uint64_t cookie, void *entries, size_t room,
		uint64_t *bytes, uint64_t *next)
{
	struct open_file *open;
	err_t err = file_take(call, file, 0, &open);

	if (err != OK)
		return err;
	err = tree_readdir(&tree, open->node, cookie, entries, room, bytes, next);
	kit_file_put(&files, call->badge, open);
	return err;
}

static err_t op_statfs(struct kit_call *call, struct fs_statfs *st)
{
	const uint64_t used = atomic_load(&tree.used), left = used < tree.limit ? tree.limit - used : 0;

	(void)call;
	*st = (struct fs_statfs) { .block_size = PAGE_SIZE, .blocks = tree.limit / PAGE_SIZE,
		.blocks_free = left / PAGE_SIZE, .inodes = tree.limit / 512, .inodes_free = left / 512, .type = "memfs" };
	return OK;
}

static err_t op_map(struct kit_call *call, uint64_t file, uint32_t rights, handle_t *vmo, uint64_t *size)
{
	struct open_file *open;
	err_t err = file_take(call, file, rights & RIGHT_WRITE ? FS_OPEN_WRITE : FS_OPEN_READ, &open);

	if (err != OK)
		return err;
	if (rights & RIGHT_EXECUTE) {
		kit_file_put(&files, call->badge, open);
		return ERR_DENIED; /* it may change or go while it runs: fs.proto */
	}
	err = node_share(open->node, rights, vmo, size);
	kit_file_put(&files, call->badge, open);
	return err;
}

static err_t op_lock(struct kit_call *call, uint64_t file, uint32_t flags, uint64_t first, uint64_t last,
		uint32_t holder, uint64_t *waits, handle_t *granted)
{
	const struct lock_range range = { first, last, kit_lock_type(flags), holder };
	struct open_file *open;
	err_t err = file_take(call, file, 0, &open);

	if (err != OK)
		return err;
	err = kit_lock(&locks, call, open->node->number, file, open->flags, flags, &range, waits, granted);
	kit_file_put(&files, call->badge, open);
	return err;
}

static err_t op_lock_test(struct kit_call *call, uint64_t file, uint32_t flags, uint64_t first, uint64_t last,
		uint32_t *type, uint64_t *held_first, uint64_t *held_last, uint32_t *holder)
{
	const struct lock_range range = { .first = first, .last = last, .type = kit_lock_type(flags) };
	struct open_file *open;
	err_t err = file_take(call, file, 0, &open);

	if (err != OK)
		return err;
	err = kit_lock_test(&locks, call, open->node->number, file, flags, &range, type, held_first, held_last, holder);
	kit_file_put(&files, call->badge, open);
	return err;
}

static err_t op_link(struct kit_call *call, const char *from, const char *to)
{
	(void)call;
	return tree_link(&tree, from, to);
}

static err_t op_symlink(struct kit_call *call, const char *target, const char *name)
{
	(void)call;
	return tree_symlink(&tree, target, name);
}

static err_t op_readlink(struct kit_call *call, const char *name, void *target, size_t room, uint64_t *bytes)
{
	(void)call;
	return tree_readlink(&tree, name, target, room, bytes);
}

static err_t op_unmount(struct kit_call *call)
{
	return call->badge == 0 ? OK : ERR_DENIED; /* nothing has to be written */
}

/* No seek: every byte of a file is data. */
static const struct fs_ops ops = {
	.connect = op_connect, .open = op_open, .close = op_close, .read = op_read, .write = op_write, .stat = op_stat,
	.fstat = op_fstat, .setattr = op_setattr, .setattr_path = op_setattr_path, .sync = op_sync,
	.sync_all = op_sync_all, .unlink = op_unlink, .mkdir = op_mkdir, .rmdir = op_rmdir, .rename = op_rename,
	.readdir = op_readdir, .statfs = op_statfs, .map = op_map, .link = op_link, .symlink = op_symlink,
	.readlink = op_readlink, .unmount = op_unmount, .lock = op_lock, .lock_test = op_lock_test,
	.allocate = op_allocate,
};

static err_t dispatch(struct kit_call *call)
{
	return fs_dispatch(&ops, call);
}

static void session_closed(uint64_t badge)
{
	kit_session_end(&files, badge);
}

static const struct kit_server server = { .name = "memfs", .dispatch = dispatch, .session_closed = session_closed };

static uint64_t limit_of(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		char *end;
		if (strncmp(argv[i], "limit=", 6) != 0)
			continue;
		const uint64_t value = strtoull(argv[i] + 6, &end, 10);
		return value << (*end == 'G' ? 30 : *end == 'M' ? 20 : *end == 'K' ? 10 : 0);
	}
	return 64ull << 20;
}

int main(int argc, char **argv)
{
	locks_init(&locks);
	if (tree_init(&tree, limit_of(argc, argv)) != OK ||
			kit_files_init(&files, sizeof(struct open_file), file_close) != OK)
		return 1;
	return kit_main(&server);
}
