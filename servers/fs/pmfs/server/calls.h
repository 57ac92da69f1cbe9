/* SPDX-License-Identifier: BSD-2-Clause */
/* calls.h - what the files of the server share: its state, and one short function for each message of abi/fs.proto.
 * They run on activations, several at a time on each CPU; parameters and errors are those of the messages. */
#pragma once

#include "fs/pmfs/pmfs.h"
#include "kit/files.h"
#include "kit/kit.h"
#include "kit/locks.h"

#include <lintel/fs_server.h>
#include <stdatomic.h>

struct open_file {
	struct inode *inode;
	uint64_t inode_number;
	uint32_t flags;
	_Atomic bool watched;
	_Atomic bool exclusive; /* it has its inode's leases shut: wait.c */
};

/* main.c: set before the first call. */
extern struct pmfs *fs;
extern struct kit_files files;
extern struct locks locks;

/* session.c */
extern _Thread_local struct pmfs_user caller; /* of the call that this activation serves */
extern struct session_user {
	_Atomic uint64_t badge; /* 0: the root session, whose user is 0; or a place that was never used */
	struct pmfs_user user;
} ALIGNED(64) session_users[KIT_SESSIONS_MAX]; /* by the index in files.c's table */

/* The caller is from now on whose session it is; that was set before its handle was given out. A call whose session has
 * ended may still be under way when the place gets another one; so the badge is looked at before and after. False: the
 * session has ended. */
static inline bool session_act(uint64_t badge)
{
	const struct session_user *place = &session_users[badge % KIT_SESSIONS_MAX];

	if (atomic_load_explicit(&place->badge, memory_order_acquire) != badge)
		return false;
	__builtin_memcpy(&caller, &place->user, offsetof(struct pmfs_user, more));
	if (unlikely(caller.groups != 0))
		caller = place->user;
	atomic_thread_fence(memory_order_acquire);
	pmfs_act_as(&caller);
	return likely(atomic_load_explicit(&place->badge, memory_order_relaxed) == badge);
}
err_t op_connect(struct kit_call *call, handle_t *session);
err_t op_connect_as(struct kit_call *call, uint32_t user, uint32_t group, const struct fs_groups *groups,
		handle_t *session);
err_t op_identity(struct kit_call *call, uint32_t *user, uint32_t *group);

/* The file, opened with one of these flags (0: any); the caller puts it back (kit_file_put). */
static inline MUST_USE err_t file_take(struct kit_call *call, uint64_t number, uint32_t flags, struct open_file **out)
{
	void *file;
	err_t err = kit_file_get(&files, call->badge, number, &file);

	if (err != OK)
		return err;
	*out = file;
	if ((*out)->flags & flags || flags == 0)
		return OK;
	kit_file_put(&files, call->badge, file);
	return ERR_DENIED;
}

/* by_file.c */
void file_close(void *file, uint64_t badge, uint64_t number);
err_t op_open(struct kit_call *call, uint32_t flags, uint32_t mode, const char *name, uint64_t *number,
		uint64_t *size, uint32_t *type, uint64_t *inode);
err_t op_close(struct kit_call *call, uint64_t file);
err_t op_read(struct kit_call *call, uint64_t file, uint64_t offset, void *data, size_t bytes, uint64_t *done);
err_t op_write(struct kit_call *call, uint64_t file, uint64_t offset, uint32_t flags, const void *data, size_t bytes,
		uint64_t *done, uint64_t *end);
err_t op_fstat(struct kit_call *call, uint64_t file, struct fs_stat *st);
err_t op_setattr(struct kit_call *call, uint64_t file, const struct fs_setattr *attr);
err_t op_sync(struct kit_call *call, uint64_t file, uint32_t flags);
err_t op_readdir(struct kit_call *call, uint64_t file, uint64_t cookie, void *entries, size_t room, uint64_t *bytes,
		uint64_t *next);
err_t op_map(struct kit_call *call, uint64_t file, uint32_t rights, handle_t *vmo, uint64_t *size);
err_t op_lease(struct kit_call *call, uint64_t file, uint32_t rights, handle_t *vmo, uint64_t *bytes);
err_t op_seek(struct kit_call *call, uint64_t file, uint64_t offset, uint32_t what, uint64_t *found);
err_t op_allocate(struct kit_call *call, uint64_t file, uint32_t mode, uint64_t offset, uint64_t bytes);
err_t op_copy(struct kit_call *call, uint64_t from, uint64_t from_offset, uint64_t to, uint64_t to_offset,
		uint64_t bytes, uint64_t *done);
err_t op_clone(struct kit_call *call, uint64_t from, uint64_t from_offset, uint64_t to, uint64_t to_offset,
		uint64_t bytes);
err_t op_link_file(struct kit_call *call, uint64_t file, const char *to);

/* attributes.c */
err_t op_attribute_get(struct kit_call *call, uint64_t file, const char *name, void *value, size_t room,
		uint64_t *bytes);
err_t op_attribute_set(struct kit_call *call, uint64_t file, uint32_t flags, const char *name, const void *value,
		size_t bytes);
err_t op_attribute_list(struct kit_call *call, uint64_t file, void *names, size_t room, uint64_t *bytes);
err_t op_attribute_remove(struct kit_call *call, uint64_t file, const char *name);

/* by_name.c */
err_t op_stat(struct kit_call *call, uint32_t flags, const char *name, struct fs_stat *st);
err_t op_setattr_path(struct kit_call *call, const char *name, const struct fs_setattr *attr);
err_t op_access(struct kit_call *call, uint32_t want, const char *name);
err_t op_unlink(struct kit_call *call, const char *name);
err_t op_mkdir(struct kit_call *call, uint32_t mode, const char *name);
err_t op_rmdir(struct kit_call *call, const char *name);
err_t op_rename(struct kit_call *call, uint32_t flags, const char *from, const char *to);
err_t op_link(struct kit_call *call, const char *from, const char *to);
err_t op_symlink(struct kit_call *call, const char *target, const char *name);
err_t op_readlink(struct kit_call *call, const char *name, void *target, size_t room, uint64_t *bytes);

/* wait.c. exclusive_end: while the file still has its lock, or the next one's claim would be lost. */
void exclusive_end(struct open_file *open);
extern const struct notify_ops notify_ops;
err_t op_lock(struct kit_call *call, uint64_t file, uint32_t flags, uint64_t first, uint64_t last, uint32_t holder,
		uint64_t *waits, handle_t *granted);
err_t op_lock_test(struct kit_call *call, uint64_t file, uint32_t flags, uint64_t first, uint64_t last,
		uint32_t *type, uint64_t *held_first, uint64_t *held_last, uint32_t *holder);
err_t op_watch(struct kit_call *call, uint64_t file, uint32_t events, handle_t *happened);
err_t op_watch_read(struct kit_call *call, uint64_t file, void *records, size_t room, uint64_t *bytes);
