/* SPDX-License-Identifier: BSD-2-Clause */
/* attributes.c - messages about extended attributes. */
#include "fs/pmfs/server/calls.h"

err_t op_attribute_get(struct kit_call *call, uint64_t file, const char *name, void *value, size_t room,
		uint64_t *bytes)
{
	struct open_file *open;
	err_t err = file_take(call, file, 0, &open);

	if (err != OK)
		return err;
	err = pmfs_xattr_get(fs, open->inode, name, value, room, bytes);
	kit_file_put(&files, call->badge, open);
	return err;
}

err_t op_attribute_set(struct kit_call *call, uint64_t file, uint32_t flags, const char *name, const void *value,
		size_t bytes)
{
	struct open_file *open;
	err_t err = file_take(call, file, 0, &open);

	if (err != OK)
		return err;
	if (flags & ~(uint32_t)(FS_ATTRIBUTE_CREATE | FS_ATTRIBUTE_REPLACE))
		err = ERR_ARGS;
	else
		err = pmfs_xattr_set(fs, open->inode, name, value, bytes, flags);
	kit_file_put(&files, call->badge, open);
	return err;
}

err_t op_attribute_list(struct kit_call *call, uint64_t file, void *names, size_t room, uint64_t *bytes)
{
	struct open_file *open;
	err_t err = file_take(call, file, 0, &open);

	if (err != OK)
		return err;
	err = pmfs_xattr_list(fs, open->inode, names, room, bytes);
	kit_file_put(&files, call->badge, open);
	return err;
}

err_t op_attribute_remove(struct kit_call *call, uint64_t file, const char *name)
{
	struct open_file *open;
	err_t err = file_take(call, file, 0, &open);

	if (err != OK)
		return err;
	err = pmfs_xattr_remove(fs, open->inode, name);
	kit_file_put(&files, call->badge, open);
	return err;
}
