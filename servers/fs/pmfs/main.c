/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - pmfs as a server: the zone, the mount, sessions, and one short function for each
 * message of abi/fs.proto. argv: "format" makes a new file system, whatever the media holds.
 * Unmount: `closing` is set, calls that are under way are waited for (a counter per CPU), then the
 * files are closed. */
#include "fs/pmfs/lease.h"
#include "fs/pmfs/notify.h"
#include "fs/pmfs/pmem.h"
#include "fs/pmfs/pmfs.h"
#include "kit/files.h"
#include "kit/kit.h"
#include "kit/lock_door.h"

#include <lintel/fs_server.h>
#include <lintel/pager_server.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define CPUS_MAX 64u

struct open_file {
	struct inode *inode;
	uint32_t flags;
	uint64_t session; /* for its locks */
	uint64_t number;
	bool added;       /* the session has it */
	_Atomic bool watched;
};

#define SESSION_NONE UINT64_MAX

struct session_user {
	_Atomic uint64_t badge; /* 0: the root session, whose user is 0; or a place that was never used */
	struct pmfs_user user;
};

struct gate {
	_Atomic uint32_t inside;
} ALIGNED(64);

static struct pmfs *fs;
static struct kit_files files;
static struct locks locks;
static struct gate gate[CPUS_MAX];
static struct session_user users[KIT_SESSIONS_MAX];
static _Thread_local struct pmfs_user caller; /* of the call that this activation serves */
static _Atomic bool closing;
static struct fs_statfs last_words; /* statfs after unmount */

static void file_close(void *file)
{
	struct open_file *open = file;

	if (open->added)
		locks_close(&locks, pmfs_number(open->inode), open->session, open->number);
	if (open->watched)
		notify_close(pmfs_number(open->inode), open->session, open->number);
	if (pmfs_count_open(open->inode, -1) == 0)
		lease_maybe_drop(open->inode);
	pmfs_close(fs, open->inode);
	free(open);
}

static err_t file_take(struct kit_call *call, uint64_t number, uint32_t flags, struct open_file **out)
{
	void *file;
	err_t err = kit_file_get(&files, call->badge, number, &file);

	if (err != OK)
		return err;
	*out = file;
	if ((*out)->flags & flags || flags == 0)
		return OK;
	kit_file_put(&files, call->badge, number);
	return ERR_DENIED;
}

/* Whose a session is: set before its handle is given out. A call whose session has ended may still be under way when
 * the place gets another one; so the badge is looked at before and after. */
static bool session_user(uint64_t badge, struct pmfs_user *out)
{
	struct session_user *place = &users[badge % KIT_SESSIONS_MAX]; /* the index in files.c's table */

	if (atomic_load(&place->badge) != badge)
		return false;
	*out = place->user;
	atomic_thread_fence(memory_order_acquire);
	return atomic_load(&place->badge) == badge;
}

static err_t session_open(const struct pmfs_user *user, handle_t *session)
{
	uint64_t badge;
	err_t err = kit_session_add(&files, &badge);

	if (err != OK)
		return err;
	struct session_user *place = &users[badge % KIT_SESSIONS_MAX];
	atomic_store(&place->badge, SESSION_NONE);
	atomic_thread_fence(memory_order_release);
	place->user = *user;
	atomic_store(&place->badge, badge);
	err = kit_mint(badge, session);
	if (err != OK)
		kit_session_end(&files, badge);
	return err;
}

static err_t op_connect(struct kit_call *call, handle_t *session)
{
	(void)call;
	return session_open(&caller, session);
}

static err_t op_connect_as(struct kit_call *call, uint32_t user, uint32_t group, const struct fs_groups *groups,
		handle_t *session)
{
	struct pmfs_user next = { .user = user, .group = group, .groups = groups->count };

	(void)call;
	if (groups->count > FS_GROUPS_MAX)
		return ERR_ARGS;
	if (caller.user != 0 && (user != caller.user || group != caller.group || groups->count != 0))
		return ERR_NOT_OWNER;
	memcpy(next.more, &groups->group0, sizeof(next.more));
	return session_open(caller.user != 0 ? &caller : &next, session);
}

static err_t op_identity(struct kit_call *call, uint32_t *user, uint32_t *group)
{
	(void)call;
	*user = caller.user;
	*group = caller.group;
	return OK;
}

static err_t op_open(struct kit_call *call, uint32_t flags, uint32_t mode, const char *name, uint64_t *number,
		uint64_t *size, uint32_t *type, uint64_t *inode)
{
	struct open_file *open = malloc(sizeof(*open));

	if (open == NULL)
		return ERR_NO_MEMORY;
	*open = (struct open_file) { .flags = flags, .session = call->badge };
	err_t err = pmfs_open(fs, name, flags, mode, &open->inode);
	if (err != OK) {
		free(open);
		return err;
	}
	pmfs_count_open(open->inode, 1);
	*size = pmfs_size(open->inode);
	*type = pmfs_type_of(open->inode);
	*inode = pmfs_number(open->inode);
	err = kit_file_add(&files, call->badge, open, number);
	if (err != OK) {
		file_close(open);
		return err;
	}
	open->number = *number;
	open->added = true;
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
	err = pmfs_read(fs, open->inode, offset, data, bytes, done);
	kit_file_put(&files, call->badge, file);
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
	err = pmfs_write(fs, open->inode, offset, append, data, bytes, done, end);
	kit_file_put(&files, call->badge, file);
	return err;
}

static err_t op_stat(struct kit_call *call, uint32_t flags, const char *name, struct fs_stat *st)
{
	(void)call;
	return pmfs_stat(fs, name, !(flags & FS_OPEN_NO_FOLLOW), st);
}

static err_t op_fstat(struct kit_call *call, uint64_t file, struct fs_stat *st)
{
	struct open_file *open;
	err_t err = file_take(call, file, 0, &open);

	if (err != OK)
		return err;
	err = pmfs_fstat(fs, open->inode, st);
	kit_file_put(&files, call->badge, file);
	return err;
}

static err_t op_setattr(struct kit_call *call, uint64_t file, const struct fs_setattr *attr)
{
	struct open_file *open;
	err_t err = file_take(call, file, attr->set & FS_SET_SIZE ? FS_OPEN_WRITE : 0, &open);

	if (err != OK)
		return err;
	err = pmfs_setattr(fs, open->inode, attr);
	kit_file_put(&files, call->badge, file);
	return err;
}

static err_t op_setattr_path(struct kit_call *call, const char *name, const struct fs_setattr *attr)
{
	(void)call;
	return pmfs_setattr_path(fs, name, attr);
}

static err_t op_sync(struct kit_call *call, uint64_t file, uint32_t data_only)
{
	struct open_file *open;
	err_t err = file_take(call, file, 0, &open);

	(void)data_only;
	if (err != OK)
		return err;
	err = pmfs_sync(fs, open->inode);
	kit_file_put(&files, call->badge, file);
	return err;
}

static err_t op_sync_all(struct kit_call *call)
{
	(void)call;
	return pmfs_sync_all(fs);
}

static err_t op_access(struct kit_call *call, uint32_t want, const char *name)
{
	(void)call;
	return pmfs_access(fs, name, want);
}

#define HAPPENED (1u << SIGNAL_USER_SHIFT)

static void watch_ready(uint64_t event, bool there_is)
{
	if (lintel_event_signal((handle_t)event, there_is ? 0 : HAPPENED, there_is ? HAPPENED : 0) != OK)
		kit_log("an event of a watch cannot be signalled");
}

static void watch_end(uint64_t event)
{
	lintel_handle_close((handle_t)event);
}

static const struct notify_ops notify_ops = { watch_ready, watch_end };

static err_t watch_open(struct kit_call *call, struct open_file *open, uint64_t file, uint32_t events,
		handle_t *happened)
{
	handle_t event;
	err_t err = lintel_event_create(&event);

	if (err != OK)
		return err;
	err = lintel_handle_duplicate(event, RIGHT_WAIT | RIGHT_TRANSFER, happened);
	if (err == OK) {
		open->watched = true;
		err = notify_watch(pmfs_number(open->inode), call->badge, file, events, event);
		if (err != OK)
			lintel_handle_close(*happened);
	}
	if (err != OK)
		lintel_handle_close(event);
	return err;
}

static err_t op_watch(struct kit_call *call, uint64_t file, uint32_t events, handle_t *happened)
{
	struct open_file *open;
	err_t err = file_take(call, file, FS_OPEN_READ, &open);

	if (err != OK)
		return err;
	err = events == 0 || events >= FS_EVENT_LOST ? ERR_ARGS : watch_open(call, open, file, events, happened);
	kit_file_put(&files, call->badge, file);
	return err;
}

static err_t op_watch_read(struct kit_call *call, uint64_t file, void *records, size_t room, uint64_t *bytes)
{
	struct open_file *open;
	err_t err = file_take(call, file, 0, &open);

	if (err != OK)
		return err;
	err = notify_read(pmfs_number(open->inode), call->badge, file, records, room, bytes);
	kit_file_put(&files, call->badge, file);
	return err;
}

static err_t op_unlink(struct kit_call *call, const char *name)
{
	(void)call;
	err_t err = pmfs_unlink(fs, name);
	lease_sweep();
	return err;
}

static err_t op_mkdir(struct kit_call *call, uint32_t mode, const char *name)
{
	(void)call;
	return pmfs_mkdir(fs, name, mode);
}

static err_t op_rmdir(struct kit_call *call, const char *name)
{
	(void)call;
	return pmfs_rmdir(fs, name);
}

static err_t op_rename(struct kit_call *call, uint32_t flags, const char *from, const char *to)
{
	(void)call;
	if (flags & ~(uint32_t)FS_OPEN_EXCLUSIVE)
		return ERR_ARGS;
	err_t err = pmfs_rename(fs, from, to, flags & FS_OPEN_EXCLUSIVE);
	lease_sweep();
	return err;
}

static err_t op_readdir(struct kit_call *call, uint64_t file, uint64_t cookie, void *entries, size_t room,
		uint64_t *bytes, uint64_t *next)
{
	struct open_file *open;
	err_t err = file_take(call, file, 0, &open);

	if (err != OK)
		return err;
	err = pmfs_readdir(fs, open->inode, cookie, entries, room, bytes, next);
	kit_file_put(&files, call->badge, file);
	return err;
}

static err_t op_statfs(struct kit_call *call, struct fs_statfs *st)
{
	(void)call;
	if (atomic_load(&closing))
		*st = last_words;
	else
		pmfs_statfs(fs, st);
	return OK;
}

static err_t op_map(struct kit_call *call, uint64_t file, uint32_t rights, handle_t *vmo, uint64_t *size)
{
	struct open_file *open;
	err_t err = file_take(call, file, rights & RIGHT_WRITE ? FS_OPEN_WRITE : FS_OPEN_READ, &open);

	if (err != OK)
		return err;
	if (rights & RIGHT_EXECUTE) {
		kit_file_put(&files, call->badge, file);
		return ERR_DENIED; /* it may change or go while it runs: fs.proto */
	}
	if (pmfs_type_of(open->inode) != FS_TYPE_FILE)
		err = ERR_IS_DIR;
	else if (pmfs_size(open->inode) == 0)
		err = ERR_UNSUPPORTED;
	else
		err = lease_map(open->inode, rights, vmo, size);
	kit_file_put(&files, call->badge, file);
	return err;
}

/* On x86 what can be written can be read, so the file must be open for both. */
static err_t op_lease(struct kit_call *call, uint64_t file, uint32_t rights, handle_t *vmo, uint64_t *bytes)
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
	kit_file_put(&files, call->badge, file);
	return err;
}

static err_t op_seek(struct kit_call *call, uint64_t file, uint64_t offset, uint32_t what, uint64_t *found)
{
	struct open_file *open;
	err_t err = file_take(call, file, 0, &open);

	if (err != OK)
		return err;
	err = pmfs_seek(fs, open->inode, offset, what, found);
	kit_file_put(&files, call->badge, file);
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
	err = kit_lock(&locks, call, pmfs_number(open->inode), file, open->flags, flags, &range, waits, granted);
	kit_file_put(&files, call->badge, file);
	return err;
}

static err_t op_allocate(struct kit_call *call, uint64_t file, uint32_t mode, uint64_t offset, uint64_t bytes)
{
	struct open_file *open;
	err_t err = file_take(call, file, FS_OPEN_WRITE, &open);

	if (err != OK)
		return err;
	err = pmfs_allocate(fs, open->inode, mode, offset, bytes);
	kit_file_put(&files, call->badge, file);
	return err;
}

static err_t op_lock_test(struct kit_call *call, uint64_t file, uint32_t flags, uint64_t first, uint64_t last,
		uint32_t *type, uint64_t *held_first, uint64_t *held_last, uint32_t *holder)
{
	const struct lock_range range = { .first = first, .last = last, .type = kit_lock_type(flags) };
	struct lock_range found;
	struct open_file *open;
	err_t err = file_take(call, file, 0, &open);

	if (err != OK)
		return err;
	err = kit_lock_test(&locks, call, pmfs_number(open->inode), file, flags, &range, &found);
	kit_file_put(&files, call->badge, file);
	if (err != OK)
		return err;
	*type = found.type;
	*held_first = found.first;
	*held_last = found.last;
	*holder = found.holder;
	return OK;
}

static err_t op_attribute_get(struct kit_call *call, uint64_t file, const char *name, void *value, size_t room,
		uint64_t *bytes)
{
	struct open_file *open;
	err_t err = file_take(call, file, 0, &open);

	if (err != OK)
		return err;
	err = pmfs_xattr_get(fs, open->inode, name, value, room, bytes);
	kit_file_put(&files, call->badge, file);
	return err;
}

static err_t op_attribute_set(struct kit_call *call, uint64_t file, uint32_t flags, const char *name, const void *value,
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
	kit_file_put(&files, call->badge, file);
	return err;
}

static err_t op_attribute_list(struct kit_call *call, uint64_t file, void *names, size_t room, uint64_t *bytes)
{
	struct open_file *open;
	err_t err = file_take(call, file, 0, &open);

	if (err != OK)
		return err;
	err = pmfs_xattr_list(fs, open->inode, names, room, bytes);
	kit_file_put(&files, call->badge, file);
	return err;
}

static err_t op_attribute_remove(struct kit_call *call, uint64_t file, const char *name)
{
	struct open_file *open;
	err_t err = file_take(call, file, 0, &open);

	if (err != OK)
		return err;
	err = pmfs_xattr_remove(fs, open->inode, name);
	kit_file_put(&files, call->badge, file);
	return err;
}

static err_t op_copy(struct kit_call *call, uint64_t from, uint64_t from_offset, uint64_t to, uint64_t to_offset,
		uint64_t bytes, uint64_t *done)
{
	struct open_file *source, *target;
	err_t err = file_take(call, from, FS_OPEN_READ, &source);

	if (err != OK)
		return err;
	err = file_take(call, to, FS_OPEN_WRITE, &target);
	if (err == OK) {
		err = pmfs_copy(fs, source->inode, from_offset, target->inode, to_offset, bytes, done);
		kit_file_put(&files, call->badge, to);
	}
	kit_file_put(&files, call->badge, from);
	return err;
}

static err_t op_link(struct kit_call *call, const char *from, const char *to)
{
	(void)call;
	return pmfs_link(fs, from, to);
}

static err_t op_link_file(struct kit_call *call, uint64_t file, const char *to)
{
	struct open_file *open;
	err_t err = file_take(call, file, 0, &open);

	if (err != OK)
		return err;
	err = pmfs_link_file(fs, open->inode, to);
	kit_file_put(&files, call->badge, file);
	return err;
}

static err_t op_symlink(struct kit_call *call, const char *target, const char *name)
{
	(void)call;
	return pmfs_symlink(fs, target, name);
}

static err_t op_readlink(struct kit_call *call, const char *name, void *target, size_t room, uint64_t *bytes)
{
	(void)call;
	return pmfs_readlink(fs, name, target, room, bytes);
}

/* Everybody but the caller has left. */
static void gate_wait(void)
{
	for (;;) {
		uint32_t inside = 0;
		for (uint32_t i = 0; i < CPUS_MAX; i++)
			inside += atomic_load(&gate[i].inside);
		if (inside <= 1)
			return;
		sched_yield();
	}
}

static err_t op_unmount(struct kit_call *call)
{
	if (call->badge != 0)
		return ERR_DENIED;
	pmfs_statfs(fs, &last_words);
	if (atomic_exchange(&closing, true))
		return ERR_BAD_STATE;
	gate_wait();
	const uint32_t open = kit_files_close_all(&files);
	if (open != 0)
		kit_log("%u files were still open", open);
	lease_drop_all();
	err_t err = pmfs_unmount(fs);
	kit_log(err == OK ? "unmounted, clean" : "unmount: error %d", (int)err);
	return err;
}

static const struct fs_ops ops = {
	.connect = op_connect, .open = op_open, .close = op_close, .read = op_read, .write = op_write, .stat = op_stat,
	.fstat = op_fstat, .setattr = op_setattr, .setattr_path = op_setattr_path, .sync = op_sync,
	.sync_all = op_sync_all, .unlink = op_unlink, .mkdir = op_mkdir, .rmdir = op_rmdir, .rename = op_rename,
	.readdir = op_readdir, .statfs = op_statfs, .map = op_map, .seek = op_seek, .link = op_link,
	.symlink = op_symlink, .readlink = op_readlink, .unmount = op_unmount, .lease = op_lease, .lock = op_lock,
	.lock_test = op_lock_test, .attribute_get = op_attribute_get, .attribute_set = op_attribute_set,
	.attribute_list = op_attribute_list, .attribute_remove = op_attribute_remove, .connect_as = op_connect_as,
	.identity = op_identity, .access = op_access, .watch = op_watch, .watch_read = op_watch_read,
	.allocate = op_allocate, .link_file = op_link_file, .copy = op_copy,
};

static err_t op_fault(struct kit_call *call, uint64_t key, uint64_t offset, uint32_t access)
{
	(void)call;
	return lease_fault(key, offset, access);
}

static const struct pager_ops pager = { .fault = op_fault };

static err_t dispatch(struct kit_call *call)
{
	struct gate *here = &gate[kit_cpu() % CPUS_MAX];
	err_t err = ERR_BAD_STATE;

	if (call->badge == LEASE_BADGE)
		caller.user = 0;
	else if (!session_user(call->badge, &caller))
		return ERR_BAD_STATE; /* its client is gone */
	pmfs_act_as(&caller);
	atomic_fetch_add(&here->inside, 1);
	if (!atomic_load(&closing) || call->in.word[0] == (FS_INTERFACE << 16 | FS_MESSAGE_statfs))
		err = call->badge == LEASE_BADGE ? pager_dispatch(&pager, call) : fs_dispatch(&ops, call);
	atomic_fetch_sub(&here->inside, 1);
	return err;
}

static void session_closed(uint64_t badge)
{
	kit_session_end(&files, badge);
}

static void log_line(const char *line)
{
	kit_log("%s", line);
}

static const struct kit_server server = { .name = "pmfs", .dispatch = dispatch, .session_closed = session_closed };

static err_t mount_zone(bool format, handle_t *zone)
{
	char reason[PMFS_REASON_BYTES];
	struct pmfs_options options = { .format = format, .cpus = kit_cpu_count(), .cpu = kit_cpu, .now = kit_now_ns,
		.log = log_line, .revoke = lease_revoke, .publish = lease_publish, .changed = notify_changed };
	uint64_t bytes;
	void *base;

	*zone = lintel_startup_handle(STARTUP_ZONE, STARTUP_ANY, 0);
	if (*zone == HANDLE_NONE) {
		kit_log("there is no persistent memory to mount");
		return ERR_NOT_FOUND;
	}
	err_t err = kit_map_vmo(*zone, SPACE_READ | SPACE_WRITE | SPACE_POPULATE, &base, &bytes);
	if (err != OK) {
		kit_log("the zone cannot be mapped: error %d", (int)err);
		return err;
	}
	err = pmfs_mount(base, bytes, &options, &fs, reason);
	if (err != OK)
		kit_log("refused: %s", reason);
	else
		kit_log("mounted %llu MiB, %s%s", (unsigned long long)(bytes >> 20), pm_describe(),
				pmfs_was_scanned(fs) ? ", every inode checked" : "");
	return err;
}

int main(int argc, char **argv)
{
	bool format = false;
	handle_t zone;

	for (int i = 1; i < argc; i++)
		format |= strcmp(argv[i], "format") == 0 || strcmp(argv[i], "pmfs=format") == 0;
	locks_init(&locks);
	if (kit_prepare(&server) != OK || mount_zone(format, &zone) != OK)
		return 1;
	err_t err = kit_files_init(&files, file_close);
	if (err == OK)
		err = lease_init(fs, zone);
	notify_init(fs, &notify_ops);
	if (err != OK) {
		kit_log("cannot start: error %d", (int)err);
		return 1;
	}
	return kit_main(&server);
}
