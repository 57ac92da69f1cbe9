/* SPDX-License-Identifier: BSD-2-Clause */
/* services.c - talking to init: services, start, stop, poweroff, reboot. */
#include "shell/lintel.h"

#include <lintel/init_client.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <stdlib.h>
#include <string.h>

#define POWER_WAIT_NS 30000000000ull

handle_t init_door(void)
{
	return lintel_startup_named(STARTUP_SERVICE, "init");
}

int command_services(struct shell *sh, int argc, char **argv)
{
	struct table t;
	err_t err;
	(void)argv;
	if (argc != 1)
		return shell_usage(sh);
	table_start(&t, 0xc, "service|state|pid|restarts|mount");
	for (uint32_t i = 0;; i++) {
		char line[256];
		uint64_t bytes = 0;
		err = init_service_state(init_door(), i, line, sizeof line - 1, &bytes);
		if (err != OK)
			break;
		line[bytes < sizeof line ? bytes : sizeof line - 1] = '\0';
		table_row(&t);
		char *cell = line;
		for (size_t c = 0; c < 5 && cell; c++) {
			char *tab = strchr(cell, '\t');
			if (tab)
				*tab++ = '\0';
			table_cell(&t, c, "%s", c == 2 && !strcmp(cell, "0") ? "-" : cell);
			cell = tab;
		}
	}
	table_print(&t, &sh->out, NULL);
	return err == ERR_NOT_FOUND ? 0 : shell_complain_lintel(sh, "init", err);
}

int command_start(struct shell *sh, int argc, char **argv)
{
	if (argc != 2)
		return shell_usage(sh);
	err_t err = init_service_start(init_door(), argv[1]);
	return err == OK ? 0 : shell_complain_lintel(sh, argv[1], err);
}

int command_stop(struct shell *sh, int argc, char **argv)
{
	if (argc != 2)
		return shell_usage(sh);
	err_t err = init_service_stop(init_door(), argv[1]);
	return err == OK ? 0 : shell_complain_lintel(sh, argv[1], err);
}

int shell_power(struct shell *sh, uint32_t action, uint32_t code)
{
	err_t err = init_shutdown(init_door(), action, code);
	if (err == OK) {
		err = lintel_thread_sleep(lintel_clock_ns() + POWER_WAIT_NS);
		return err == OK ? shell_refuse(sh, "init does not take the system down") :
		                   shell_complain_lintel(sh, "waiting for the end", err);
	}
	shell_complain_lintel(sh, "init", err);
	err = lintel_system_power(system_resource(), action, code);
	return shell_complain_lintel(sh, "power", err);
}

int command_poweroff(struct shell *sh, int argc, char **argv)
{
	char *end = "";
	unsigned long code = argc == 2 ? strtoul(argv[1], &end, 10) : 0;
	if (argc > 2 || *end || code > 127)
		return shell_usage(sh);
	return shell_power(sh, argc == 2 ? 2 : 0, (uint32_t)code);
}

int command_reboot(struct shell *sh, int argc, char **argv)
{
	(void)argv;
	return argc == 1 ? shell_power(sh, 1, 0) : shell_usage(sh);
}
