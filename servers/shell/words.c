/* SPDX-License-Identifier: BSD-2-Clause */
/* words.c - the shell's own words: help, echo, time, sleep, exit; and the table of the group
 * `shell`. */
#include "shell/commands.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static int help_one(struct shell *sh, const char *name)
{
	const struct command *c = shell_find(name);
	if (!c)
		return shell_refuse(sh, "no such command: %s", name);
	output_print(&sh->out, "%s %s\n    %s\n", c->name, c->usage, c->help);
	return 0;
}

static int command_help(struct shell *sh, int argc, char **argv)
{
	if (argc > 1)
		return help_one(sh, argv[1]);
	for (size_t g = 0; shell_groups[g]; g++) {
		output_print(&sh->out, "%s%s\n", g ? "\n" : "", shell_groups[g]->title);
		for (size_t i = 0; i < shell_groups[g]->count; i++) {
			const struct command *c = &shell_groups[g]->commands[i];
			output_print(&sh->out, "  %-10s %s\n", c->name, c->help);
		}
	}
	output_print(&sh->out, "\nA; B runs both, A && B the second if the first succeeded; <, > and >> redirect. "
	                       "`help COMMAND` tells the arguments.\n");
	return 0;
}

static int command_echo(struct shell *sh, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		output_print(&sh->out, "%s%s", i > 1 ? " " : "", argv[i]);
	output_print(&sh->out, "\n");
	return 0;
}

static int command_time(struct shell *sh, int argc, char **argv)
{
	if (argc < 2)
		return shell_usage(sh);
	char text[FORMAT_BYTES];
	uint64_t start_ns = shell_now_ns();
	int status = shell_run_words(sh, argc - 1, argv + 1);
	output_print(&sh->out, "took %s\n", format_ns(text, shell_now_ns() - start_ns));
	return status;
}

static int command_sleep(struct shell *sh, int argc, char **argv)
{
	char *end = NULL;
	double seconds = argc == 2 ? strtod(argv[1], &end) : -1;
	if (seconds < 0 || seconds > 1e9 || end == argv[1] || *end)
		return shell_usage(sh);
	struct timespec duration = { .tv_sec = (time_t)seconds };
	duration.tv_nsec = (long)((seconds - (double)duration.tv_sec) * 1e9);
	return nanosleep(&duration, NULL) ? shell_refuse(sh, "interrupted") : 0;
}

static int command_exit(struct shell *sh, int argc, char **argv)
{
	(void)argv;
	if (argc != 1)
		return shell_usage(sh);
	sh->leave = true;
	return 0;
}

static const struct command commands[] = {
	{ "help", "[COMMAND]", "this list, or one command's arguments", command_help },
	{ "echo", "[WORD...]", "print words", command_echo },
	{ "time", "COMMAND...", "run a command and say how long it took", command_time },
	{ "sleep", "SECONDS", "do nothing for a while", command_sleep },
	{ "exit", "", "leave the shell; init starts a fresh one", command_exit },
};
const struct command_group group_shell = { "shell", commands, sizeof commands / sizeof commands[0] };
