/* SPDX-License-Identifier: BSD-2-Clause */
/* programs.c - starting programs, and the table of the group `system`. */
#include "shell/lintel.h"

#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shell/leaks.h"

#define PROGRAM_FOLDER "/boot/bin"
#define RESOURCES_MAX 16

enum { RUN_CHECKED = 1, RUN_LENDING = 2, RUN_SYSTEM = 4, RUN_USER = 8, RUN_COUNTERS = 16 }; /* -c, -r, -s, -u; bench */

/* What a program gets of our resources: what a driver uses, or all, or the kernel's counters to read. */
static uint32_t resources_lend(struct spawn_handle *handles, uint32_t max, int options)
{
	static const struct {
		enum resource_kind kind;
		int options;
	} kinds[] = {
		{ RESOURCE_PORT, RUN_LENDING }, { RESOURCE_IRQ, RUN_LENDING },	{ RESOURCE_MMIO, RUN_LENDING },
		{ RESOURCE_ZONE, RUN_LENDING }, { RESOURCE_SYSTEM, RUN_SYSTEM | RUN_COUNTERS },
	};
	uint32_t count = 0;
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		for (uint32_t i = 0; (options & kinds[k].options) && count < max; i++) {
			handle_t handle = lintel_startup_handle(STARTUP_RESOURCE, kinds[k].kind, i);
			if (handle == HANDLE_NONE)
				break;
			handles[count++] = (struct spawn_handle){ STARTUP_RESOURCE, kinds[k].kind, NULL, handle,
				options & RUN_COUNTERS ? RIGHT_READ : RIGHTS_SAME };
		}
	}
	return count;
}

/* Run it with our descriptors and mounts, and wait. The program's own status is the command's. */
static int run_program(struct shell *sh, const char *path, char **argv, int options, uint32_t user)
{
	const struct spawn_fd fds[] = { { sh->in, 0 }, { sh->out.fd, 1 }, { 2, 2 } };
	struct spawn_handle handles[RESOURCES_MAX];
	const struct spawn_request request = {
		.path = path,
		.argv = argv,
		.fds = fds,
		.fd_count = ARRAY_LEN(fds),
		.handles = handles,
		.handle_count = resources_lend(handles, RESOURCES_MAX, options),
		.user = user,
		.group = user,
	};
	handle_t process;
	int32_t status = 0;
	output_flush(&sh->out);
	err_t err = lintel_spawn(&request, &process);
	if (err != OK)
		return shell_complain_lintel(sh, path, err);
	err = lintel_wait(process, DEADLINE_NEVER, &status);
	lintel_handle_close(process);
	if (err != OK)
		return shell_complain_lintel(sh, path, err);
	if (status)
		shell_refuse(sh, "%s ended with status %d", argv[0], (int)status);
	return status;
}

/* Start it with one page of memory: that fails, and our heap has grown by then to what a start takes. */
static void warm_up(const char *path, char **argv)
{
	const struct spawn_request request = { .path = path, .argv = argv, .memory_limit_pages = 1 };
	handle_t process;
	if (lintel_spawn(&request, &process) == OK)
		lintel_handle_close(process);
}

/* The same, and then nothing may be missing. */
static int run_checked(struct shell *sh, const char *path, char **argv, int options)
{
	static struct leaks before;
	warm_up(path, argv);
	err_t err = leaks_begin(&before);
	if (err != OK)
		return shell_complain_lintel(sh, "system information", err);
	int status = run_program(sh, path, argv, options, 0);
	int leaks = leaks_end(sh, &before, argv[0]);
	return status ? status : leaks != 0;
}

int command_run(struct shell *sh, int argc, char **argv)
{
	static char folder_path[SHELL_PATH_BYTES];
	uint32_t user = 0;
	int options = shell_options(sh, &argc, &argv, "crsu");
	if (options & RUN_USER && argc > 2) {
		user = (uint32_t)strtoul(argv[1], NULL, 10);
		argc--;
		argv++;
	}
	if (options < 0 || argc < 2 || (options & RUN_USER && user == 0))
		return options < 0 ? 2 : shell_usage(sh);
	const char *path = argv[1];
	if (!strchr(path, '/')) {
		if (!shell_join(folder_path, PROGRAM_FOLDER, path))
			return shell_complain_lintel(sh, path, ERR_NAME_TOO_LONG);
		path = folder_path;
	}
	return options & RUN_CHECKED ? run_checked(sh, path, argv + 1, options)
			: run_program(sh, path, argv + 1, options, user);
}

int command_bench(struct shell *sh, int argc, char **argv)
{
	(void)argc;
	return run_program(sh, PROGRAM_FOLDER "/bench", argv, RUN_COUNTERS, 0);
}

static const struct command commands[] = {
	{ "ps", "", "processes: memory, threads, handles, time", command_ps },
	{ "kill", "PID...", "end processes", command_kill },
	{ "free", "", "memory and objects in use", command_free },
	{ "zones", "", "memory zones: kind, size, use, metadata cost", command_zones },
	{ "doors", "[-s]", "doors: calls and activations, per CPU; -s only the sums", command_doors },
	{ "counters", "", "IPIs, TLB flushes, faults, calls, per CPU", command_counters },
	{ "trace", "on|off|dump", "events of every CPU: calls, faults, switches, interrupts", command_trace },
	{ "df", "[PATH...]", "how full file systems are", command_df },
	{ "mount", "[SERVICE [PREFIX]]", "what is mounted, or start a file system and mount it", command_mount },
	{ "umount", "PREFIX", "unmount a file system and stop its server", command_umount },
	{ "services", "", "services that init looks after", command_services },
	{ "start", "SERVICE", "start a service", command_start },
	{ "stop", "SERVICE", "stop a service", command_stop },
	{ "run", "[-c] [-r] [-u USER] PROGRAM [ARGUMENT...]",
	  "run a program by path or name; -c: what does it leave behind? -r: with our resources; -u: as that user",
	  command_run },
	{ "bench", "[GROUP...] [--quick] [--json]", "benchmarks: files, memory, ipc", command_bench },
	{ "poweroff", "[STATUS]", "unmount everything and switch off; STATUS ends the emulator with it", command_poweroff },
	{ "reboot", "", "unmount everything and start anew", command_reboot },
};
const struct command_group group_system = { "system", commands, ARRAY_LEN(commands) };
