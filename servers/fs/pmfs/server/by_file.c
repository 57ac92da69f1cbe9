/* SPDX-License-Identifier: BSD-2-Clause */
/* by_file.c - messages about an open file. */
#include "fs/pmfs/notify.h"
#include "fs/pmfs/server/calls.h"
#include "fs/pmfs/server/lease.h"

static inline void inode_close(struct inode *inode)
{
	if (likely(pmfs_close_counted(inode)))
		return;
	lease_maybe_drop(inode);
	pmfs_close(fs, inode);
}

void file_close(void *file, uint64_t badge, uint64_t number)
{
	struct open_file *open = file;

	if (unlikely(atomic_load_explicit(&open->exclusive, memory_order_relaxed)))
		exclusive_end(open);
	locks_close(&locks, open->inode_number, badge, number);
	if (unlikely(atomic_load_explicit(&open->watched, memory_order_relaxed)))
		notify_close(open->inode_number, badge, number);
	inode_close(open->inode);
}

err_t op_open(struct kit_call *call, uint32_t flags, uint32_t mode, const char *name, uint64_t *number,
		uint64_t *size, uint32_t *type, uint64_t *inode)
{
	struct pmfs_opened opened;
	struct kit_new_file new;
	err_t err = pmfs_open_counted(fs, name, flags, mode, &opened);

	if (unlikely(err != OK))
		return err;
	err = kit_file_add(&files, call->badge, &new);
	if (unlikely(err != OK)) {
		inode_close(opened.inode);
		return err;
	}
	*(struct open_file *)new.file =
			(struct open_file) { .inode = opened.inode, .inode_number = opened.number, .flags = flags };
	*number = new.number;
	*size = opened.size;
	*type = opened.type;
	*inode = opened.number;
	kit_file_ready(&files, call->badge, &new);
	return OK;
}

err_t op_close(struct kit_call *call, uint64_t file)
{
	return kit_file_close(&files, call->badge, file);
}

err_t op_read(struct kit_call *call, uint64_t file, uint64_t offset, void *data, size_t bytes, uint64_t *done)
{
	struct open_file *open;
	err_t err = file_take(call, file, FS_OPEN_READ, &open);

	if (err != OK)
		return err;
	err = pmfs_read(fs, open->inode, offset, data, bytes, done);
	kit_file_put(&files, call->badge, open);
	return err;
}

err_t op_write(struct kit_call *call, uint64_t file, uint64_t offset, uint32_t flags, const void *data,
		size_t bytes, uint64_t *done, uint64_t *end)
{
	struct open_file *open;
	err_t err = file_take(call, file, FS_OPEN_WRITE, &open);

	if (err != OK)
		return err;
	const bool append = flags & FS_OPEN_APPEND; /* fcntl can take back what open said */
	err = pmfs_write(fs, open->inode, offset, append, data, bytes, done, end);
	kit_file_put(&files, call->badge, open);
	return err;
}

err_t op_fstat(struct kit_call *call, uint64_t file, struct fs_stat *st)
{
	struct open_file *open;
	err_t err = file_take(call, file, 0, &open);

	if (err != OK)
		return err;
	err = pmfs_fstat(fs, open->inode, st);
	kit_file_put(&files, call->badge, open);
	return err;
}

err_t op_setattr(struct kit_call *call, uint64_t file, const struct fs_setattr *attr)
{
	struct open_file *open;
	err_t err = file_take(call, file, attr->set & FS_SET_SIZE ? FS_OPEN_WRITE : 0, &open);

	if (err != OK)
		return err;
	err = pmfs_setattr(fs, open->inode, attr);
	kit_file_put(&files, call->badge, open);
	return err;
}

err_t op_sync(struct kit_call *call, uint64_t file, uint32_t flags)
{
	const bool stored = flags & FS_SYNC_STORED;
	struct open_file *open;

	if (flags & ~(uint32_t)(FS_SYNC_DATA_ONLY | FS_SYNC_STORED))
		return ERR_ARGS;
	err_t err = file_take(call, file, stored ? FS_OPEN_WRITE : 0, &open);
	if (err != OK)
		return err;
	err = stored ? pmfs_stored(fs, open->inode) : pmfs_sync(fs, open->inode);
	kit_file_put(&files, call->badge, open);
	return err;
}

err_t op_readdir(struct kit_call *call, uint64_t file, uint64_t cookie, void *entries, size_t room,
		uint64_t *bytes, uint64_t *next)
{
	struct open_file *open;
	err_t err = file_take(call, file, 0, &open);

	if (err != OK)
		return err;
	err = pmfs_readdir(fs, open->inode, cookie, entries, room, bytes, next);
	kit_file_put(&files, call->badge, open);
	return err;
}

err_t op_map(struct kit_call *call, uint64_t file, uint32_t rights, handle_t *vmo, uint64_t *size)
{
	struct open_file *open;
	err_t err = file_take(call, file, rights & RIGHT_WRITE ? FS_OPEN_WRITE : FS_OPEN_READ, &open);

	if (err != OK)
		return err;
	if (rights & RIGHT_EXECUTE) {
		kit_file_put(&files, call->badge, open);
		return ERR_DENIED; /* it may change or go while it runs: fs.proto */
	}
	if (pmfs_type_of(open->inode) != FS_TYPE_FILE)
		err = ERR_IS_DIR;
	else if (pmfs_size(open->inode) == 0)
		err = ERR_UNSUPPORTED;
	else
		err = lease_map(open->inode, rights, vmo, size);
	kit_file_put(&files, call->badge, open);
	return err;
}

/* On x86 what can be written can be read, so the file must be open for both. */
err_t op_lease(struct kit_call *call, uint64_t file, uint32_t rights, handle_t *vmo, uint64_t *bytes)
{
	struct open_file *open;
	err_t err = file_take(call, file, FS_OPEN_READ, &open);

	if (err != OK)
		return err;
	if (pmfs_type_of(open->inode) != FS_TYPE_FILE)
		err = ERR_IS_DIR;
	else if (rights & RIGHT_WRITE && !(open->flags & FS_OPEN_WRITE))
		err = ERR_DENIED;
	else
		err = lease_grant(open->inode, rights | RIGHT_READ, vmo, bytes);
	kit_file_put(&files, call->badge, open);
	return err;
}

err_t op_seek(struct kit_call *call, uint64_t file, uint64_t offset, uint32_t what, uint64_t *found)
{
	struct open_file *open;
	err_t err = file_take(call, file, 0, &open);

	if (err != OK)
		return err;
	err = pmfs_seek(fs, open->inode, offset, what, found);
	kit_file_put(&files, call->badge, open);
	return err;
}

err_t op_allocate(struct kit_call *call, uint64_t file, uint32_t mode, uint64_t offset, uint64_t bytes)
{
	struct open_file *open;
	err_t err = file_take(call, file, FS_OPEN_WRITE, &open);

	if (err != OK)
		return err;
	err = pmfs_allocate(fs, open->inode, mode, offset, bytes);
	kit_file_put(&files, call->badge, open);
	return err;
}

/* The two files of a copy; both_put gives them back. */
static err_t both_take(struct kit_call *call, uint64_t from, uint64_t to, struct open_file **source,
		struct open_file **target)
{
	err_t err = file_take(call, from, FS_OPEN_READ, source);

	if (err != OK)
		return err;
	err = file_take(call, to, FS_OPEN_WRITE, target);
	if (err != OK)
		kit_file_put(&files, call->badge, *source);
	return err;
}

static void both_put(struct kit_call *call, struct open_file *source, struct open_file *target)
{
	kit_file_put(&files, call->badge, target);
	kit_file_put(&files, call->badge, source);
}

err_t op_copy(struct kit_call *call, uint64_t from, uint64_t from_offset, uint64_t to, uint64_t to_offset,
		uint64_t bytes, uint64_t *done)
{
	struct open_file *source, *target;
	err_t err = both_take(call, from, to, &source, &target);

	if (err != OK)
		return err;
	err = pmfs_copy(fs, source->inode, from_offset, target->inode, to_offset, bytes, done);
	both_put(call, source, target);
	return err;
}

err_t op_clone(struct kit_call *call, uint64_t from, uint64_t from_offset, uint64_t to, uint64_t to_offset,
		uint64_t bytes)
{
	struct open_file *source, *target;
	err_t err = both_take(call, from, to, &source, &target);

	if (err != OK)
		return err;
	err = pmfs_clone(fs, source->inode, from_offset, target->inode, to_offset, bytes);
	both_put(call, source, target);
	return err;
}

err_t op_link_file(struct kit_call *call, uint64_t file, const char *to)
{
	struct open_file *open;
	err_t err = file_take(call, file, 0, &open);

	if (err != OK)
		return err;
	err = pmfs_link_file(fs, open->inode, to);
	kit_file_put(&files, call->badge, open);
	return err;
}
