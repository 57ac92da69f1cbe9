/* SPDX-License-Identifier: BSD-2-Clause */
/* mounts.c - file systems as wholes: df, mount, umount. */
#include "shell/lintel.h"

#include <errno.h>
#include <inttypes.h>
#include <lintel/init_client.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define READY_POLL_NS 20000000u
#define READY_TRIES 500

bool mount_exists(const char *prefix)
{
	const char *mounted;
	handle_t door;
	for (uint32_t i = 0; lintel_mount_get(i, &mounted, &door) == OK; i++) {
		if (!strcmp(mounted, prefix))
			return true;
	}
	return false;
}

static bool is_dead(handle_t door)
{
	uint32_t seen = 0;
	return lintel_object_wait(door, SIGNAL_PEER_DIED, 0, &seen) == OK && (seen & SIGNAL_PEER_DIED);
}

/* OK: the mount has a living server again. */
static err_t mount_renew(const char *prefix)
{
	char name[128];
	handle_t fresh;
	if (strlen(prefix) >= sizeof name)
		return ERR_NAME_TOO_LONG;
	strcpy(name, prefix); /* the mount's own goes with it */
	err_t err = init_service_open(init_door(), name, &fresh);
	if (err != OK)
		return err;
	err = lintel_mount_remove(name);
	if (err == OK)
		err = lintel_mount_add(name, fresh);
	if (err != OK)
		lintel_handle_close(fresh);
	return err;
}

void mounts_renew(struct shell *sh)
{
	const char *prefix;
	handle_t door;
	for (uint32_t i = 0; lintel_mount_get(i, &prefix, &door) == OK; i++) {
		if (!is_dead(door))
			continue;
		output_print(&sh->err, "%s: its server died; ", prefix);
		if (mount_renew(prefix) == OK)
			output_print(&sh->err, "mounted again from its successor\n");
		else
			output_print(&sh->err, "there is no successor yet\n");
		output_flush(&sh->err);
	}
}

static void df_row(struct table *t, const char *prefix, const struct statvfs *v)
{
	char text[FORMAT_BYTES];
	uint64_t unit = v->f_frsize ? v->f_frsize : v->f_bsize;
	uint64_t used = v->f_blocks - v->f_bfree;
	const char *note = v->f_flag & ST_UNCLEAN ? "last shutdown was not clean" :
	                   v->f_flag & ST_RDONLY  ? "read-only" : "";
	table_row(t);
	table_cell(t, 0, "%s", prefix);
	table_cell(t, 1, "%.*s", (int)sizeof v->f_type, v->f_type);
	table_cell(t, 2, "%s", format_bytes(text, v->f_blocks * unit));
	table_cell(t, 3, "%s", format_bytes(text, used * unit));
	table_cell(t, 4, "%s", format_bytes(text, v->f_bfree * unit));
	table_cell(t, 5, "%u%%", (unsigned)(v->f_blocks ? used * 100 / v->f_blocks : 0));
	table_cell(t, 6, "%s", format_count(text, v->f_files - v->f_ffree));
	table_cell(t, 7, "%s", note);
}

int command_df(struct shell *sh, int argc, char **argv)
{
	struct table t;
	int status = 0;
	const char *prefix;
	handle_t door;
	table_start(&t, 0x7c, "mount|type|size|used|free|use|inodes|");
	for (uint32_t i = 0; argc == 1 ? lintel_mount_get(i, &prefix, &door) == OK : (int)i < argc - 1; i++) {
		struct statvfs v;
		if (argc > 1)
			prefix = argv[i + 1];
		if (statvfs(prefix, &v))
			status = shell_complain(sh, prefix, errno);
		else
			df_row(&t, prefix, &v);
	}
	table_print(&t, &sh->out, status ? NULL : "no file system is mounted");
	return status;
}

static int mount_list(struct shell *sh)
{
	const char *prefix;
	handle_t door;
	struct table t;
	table_start(&t, 0, "mount|type|access");
	for (uint32_t i = 0; lintel_mount_get(i, &prefix, &door) == OK; i++) {
		struct statvfs v;
		bool known = !statvfs(prefix, &v);
		table_row(&t);
		table_cell(&t, 0, "%s", prefix);
		table_cell(&t, 1, "%.*s", (int)sizeof v.f_type, known ? v.f_type : "?");
		table_cell(&t, 2, "%s", !known ? strerror(errno) : v.f_flag & ST_RDONLY ? "read-only" : "read-write");
	}
	table_print(&t, &sh->out, "no file system is mounted");
	return 0;
}

/* Where a service's manifest mounts it: init's fifth word about it. */
static err_t mount_of_service(const char *name, char *prefix, size_t prefix_bytes)
{
	for (uint32_t i = 0;; i++) {
		char line[256];
		uint64_t bytes = 0;
		err_t err = init_service_state(init_door(), i, line, sizeof line - 1, &bytes);
		if (err != OK)
			return err;
		line[bytes < sizeof line ? bytes : sizeof line - 1] = '\0';
		size_t length = strcspn(line, "\t");
		const char *last = strrchr(line, '\t');
		if (length != strlen(name) || strncmp(line, name, length) || !last)
			continue;
		if (!last[1] || strlen(last + 1) >= prefix_bytes)
			return ERR_ARGS;
		strcpy(prefix, last + 1);
		return OK;
	}
}

/* Its door, once it is ready; it has 10 s. */
static err_t wait_for_service(const char *name, handle_t *door)
{
	err_t err = ERR_BAD_STATE;
	for (int i = 0; i < READY_TRIES && err == ERR_BAD_STATE; i++) {
		err = init_service_open(init_door(), name, door);
		if (err == ERR_BAD_STATE && lintel_thread_sleep(lintel_clock_ns() + READY_POLL_NS) != OK)
			break;
	}
	return err;
}

int command_mount(struct shell *sh, int argc, char **argv)
{
	char prefix[128];
	handle_t door;
	if (argc == 1)
		return mount_list(sh);
	if (argc > 3)
		return shell_usage(sh);
	err_t err = mount_of_service(argv[1], prefix, sizeof prefix);
	if (err != OK)
		return shell_refuse(sh, "%s: there is no file system of that name", argv[1]);
	const char *where = argc == 3 ? argv[2] : prefix;
	if (mount_exists(where))
		return shell_complain_lintel(sh, where, ERR_EXISTS);
	err = init_service_start(init_door(), argv[1]);
	if (err == OK || err == ERR_EXISTS)
		err = wait_for_service(argv[1], &door);
	if (err != OK)
		return shell_complain_lintel(sh, argv[1], err);
	err = lintel_mount_add(where, door);
	if (err != OK) {
		lintel_handle_close(door);
		return shell_complain_lintel(sh, where, err);
	}
	return 0;
}

/* A working directory inside it would hang in the air. */
static bool is_below(const char *prefix)
{
	char path[SHELL_PATH_BYTES];
	size_t length = strlen(prefix);
	return getcwd(path, sizeof path) && !strncmp(path, prefix, length) && (!path[length] || path[length] == '/');
}

int command_umount(struct shell *sh, int argc, char **argv)
{
	if (argc != 2)
		return shell_usage(sh);
	if (!mount_exists(argv[1]))
		return shell_refuse(sh, "%s: nothing is mounted there", argv[1]);
	if (is_below(argv[1]))
		return shell_refuse(sh, "%s: the working directory is in it", argv[1]);
	err_t err = init_service_stop(init_door(), argv[1]);
	if (err == OK)
		err = lintel_mount_remove(argv[1]);
	return err == OK ? 0 : shell_complain_lintel(sh, argv[1], err);
}
