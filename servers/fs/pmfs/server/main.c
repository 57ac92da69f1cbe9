/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - pmfs as a server: the zone, the mount, and the way in for every call. argv: "format" makes a new file
 * system, whatever the media holds. Unmount: `closing` is set, calls that are under way are waited for (a counter per
 * CPU), then the files are closed. */
#include "fs/pmfs/notify.h"
#include "fs/pmfs/pmem.h"
#include "fs/pmfs/server/calls.h"
#include "fs/pmfs/server/lease.h"

#include <lintel/pager_server.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <sched.h>
#include <string.h>

#define CPUS_MAX 64u

struct gate {
	_Atomic uint32_t inside;
} ALIGNED(64);

struct pmfs *fs;
struct kit_files files;
struct locks locks;
static struct gate gate[CPUS_MAX];
static _Atomic bool closing;
static struct fs_statfs last_words; /* statfs after unmount */

static err_t op_sync_all(struct kit_call *call)
{
	(void)call;
	return pmfs_sync_all(fs);
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
	.allocate = op_allocate, .link_file = op_link_file, .copy = op_copy, .clone = op_clone,
};

static err_t op_fault(struct kit_call *call, uint64_t key, uint64_t offset, uint32_t access)
{
	(void)call;
	return lease_fault(key, offset, access);
}

static const struct pager_ops pager = { .fault = op_fault };

/* A client's page is missing: the kernel calls. */
static COLD err_t dispatch_pager(struct kit_call *call)
{
	struct gate *here = &gate[kit_cpu() % CPUS_MAX];

	pmfs_act_as(NULL);
	atomic_fetch_add(&here->inside, 1);
	err_t err = atomic_load(&closing) ? ERR_BAD_STATE : pager_dispatch(&pager, call);
	atomic_fetch_sub(&here->inside, 1);
	return err;
}

static err_t dispatch(struct kit_call *call)
{
	struct gate *here = &gate[kit_cpu() % CPUS_MAX];
	err_t err = ERR_BAD_STATE;

	if (unlikely(call->badge == LEASE_BADGE))
		return dispatch_pager(call);
	if (unlikely(!session_act(call->badge)))
		return ERR_BAD_STATE; /* its client is gone */
	atomic_fetch_add(&here->inside, 1);
	if (likely(!atomic_load(&closing)) || call->in.word[0] == (FS_INTERFACE << 16 | FS_MESSAGE_statfs))
		err = fs_dispatch(&ops, call);
	atomic_fetch_sub_explicit(&here->inside, 1, memory_order_release);
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
	err_t err = kit_files_init(&files, sizeof(struct open_file), file_close);
	if (err == OK)
		err = lease_init(fs, zone);
	notify_init(fs, &notify_ops);
	if (err != OK) {
		kit_log("cannot start: error %d", (int)err);
		return 1;
	}
	return kit_main(&server);
}
