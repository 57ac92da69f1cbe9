/* SPDX-License-Identifier: BSD-2-Clause */
/* by_name.c - messages that name a file by its path. */
#include "fs/pmfs/server/calls.h"
#include "fs/pmfs/server/lease.h"

err_t op_stat(struct kit_call *call, uint32_t flags, const char *name, struct fs_stat *st)
{
	(void)call;
	return pmfs_stat(fs, name, !(flags & FS_OPEN_NO_FOLLOW), st);
}

err_t op_setattr_path(struct kit_call *call, const char *name, const struct fs_setattr *attr)
{
	(void)call;
	return pmfs_setattr_path(fs, name, attr);
}

err_t op_access(struct kit_call *call, uint32_t want, const char *name)
{
	(void)call;
	return pmfs_access(fs, name, want);
}

err_t op_unlink(struct kit_call *call, const char *name)
{
	(void)call;
	err_t err = pmfs_unlink(fs, name);
	lease_sweep();
	return err;
}

err_t op_mkdir(struct kit_call *call, uint32_t mode, const char *name)
{
	(void)call;
	return pmfs_mkdir(fs, name, mode);
}

err_t op_rmdir(struct kit_call *call, const char *name)
{
	(void)call;
	return pmfs_rmdir(fs, name);
}

err_t op_rename(struct kit_call *call, uint32_t flags, const char *from, const char *to)
{
	(void)call;
	if (flags & ~(uint32_t)FS_OPEN_EXCLUSIVE)
		return ERR_ARGS;
	err_t err = pmfs_rename(fs, from, to, flags & FS_OPEN_EXCLUSIVE);
	lease_sweep();
	return err;
}

err_t op_link(struct kit_call *call, const char *from, const char *to)
{
	(void)call;
	return pmfs_link(fs, from, to);
}

err_t op_symlink(struct kit_call *call, const char *target, const char *name)
{
	(void)call;
	return pmfs_symlink(fs, target, name);
}

err_t op_readlink(struct kit_call *call, const char *name, void *target, size_t room, uint64_t *bytes)
{
	(void)call;
	return pmfs_readlink(fs, name, target, room, bytes);
}
