/* SPDX-License-Identifier: BSD-2-Clause */
/* programs.c - starting programs, and the table of the group `system`. */
#include "shell/lintel.h"

#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <stdio.h>
#include <string.h>

#define PROGRAM_FOLDER "/boot/bin"

/* Run it with our descriptors and mounts, and wait. The program's own status is the command's. */
static int run_program(struct shell *sh, const char *path, char **argv)
{
	const struct spawn_fd fds[] = { { sh->in, 0 }, { sh->out.fd, 1 }, { 2, 2 } };
	const struct spawn_request request = {
		.path = path,
		.argv = argv,
		.fds = fds,
		.fd_count = ARRAY_LEN(fds),
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

int command_run(struct shell *sh, int argc, char **argv)
{
	char path[SHELL_PATH_BYTES];
	if (argc < 2)
		return shell_usage(sh);
	if (strchr(argv[1], '/'))
		return run_program(sh, argv[1], argv + 1);
	if (!shell_join(path, PROGRAM_FOLDER, argv[1]))
		return shell_complain_lintel(sh, argv[1], ERR_NAME_TOO_LONG);
	return run_program(sh, path, argv + 1);
}

int command_bench(struct shell *sh, int argc, char **argv)
{
	(void)argc;
	return run_program(sh, PROGRAM_FOLDER "/bench", argv);
}

static const struct command commands[] = {
	{ "ps", "", "processes: memory, threads, handles, time", command_ps },
	{ "kill", "PID...", "end processes", command_kill },
	{ "free", "", "memory and objects in use", command_free },
	{ "zones", "", "memory zones: kind, size, use, metadata cost", command_zones },
	{ "doors", "[-s]", "doors: calls and activations, per CPU; -s only the sums", command_doors },
	{ "counters", "", "IPIs, TLB flushes, faults, calls, per CPU", command_counters },
	{ "df", "[PATH...]", "how full file systems are", command_df },
	{ "mount", "[SERVICE [PREFIX]]", "what is mounted, or start a file system and mount it", command_mount },
	{ "umount", "PREFIX", "unmount a file system and stop its server", command_umount },
	{ "services", "", "services that init looks after", command_services },
	{ "start", "SERVICE", "start a service", command_start },
	{ "stop", "SERVICE", "stop a service", command_stop },
	{ "run", "PROGRAM [ARGUMENT...]", "run a program: a path, or a name in " PROGRAM_FOLDER, command_run },
	{ "bench", "[GROUP...] [--quick] [--json]", "benchmarks: files, memory, ipc", command_bench },
	{ "poweroff", "[STATUS]", "unmount everything and switch off; STATUS ends the emulator with it", command_poweroff },
	{ "reboot", "", "unmount everything and start anew", command_reboot },
};
const struct command_group group_system = { "system", commands, ARRAY_LEN(commands) };
