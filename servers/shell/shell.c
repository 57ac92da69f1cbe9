/* SPDX-License-Identifier: BSD-2-Clause */
/* shell.c - running commands: look them up, redirect, complain. */
#include "shell/shell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int shell_refuse(struct shell *sh, const char *format, ...)
{
	char text[512];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	output_flush(&sh->out);
	output_print(&sh->err, "%s: %s\n", sh->command, text);
	output_flush(&sh->err);
	return 1;
}

int shell_complain(struct shell *sh, const char *what, int error)
{
	return shell_refuse(sh, "%s: %s", what, strerror(error));
}

int shell_usage(struct shell *sh)
{
	const struct command *command = shell_find(sh->command);
	output_flush(&sh->out);
	output_print(&sh->err, "usage: %s %s\n", sh->command, command ? command->usage : "");
	output_flush(&sh->err);
	return 2;
}

const struct command *shell_find(const char *name)
{
	for (size_t g = 0; shell_groups[g]; g++) {
		for (size_t i = 0; i < shell_groups[g]->count; i++) {
			if (!strcmp(shell_groups[g]->commands[i].name, name))
				return &shell_groups[g]->commands[i];
		}
	}
	return NULL;
}

int shell_options(struct shell *sh, int *argc, char ***argv, const char *known)
{
	int found = 0;
	while (*argc > 1 && (*argv)[1][0] == '-' && (*argv)[1][1]) {
		const char *word = (*argv)[1];
		bool last = !strcmp(word, "--");
		for (const char *c = word + 1; *c && !last; c++) {
			const char *letter = strchr(known, *c);
			if (!letter) {
				shell_usage(sh);
				return -1;
			}
			found |= 1 << (letter - known);
		}
		(*argv)[1] = (*argv)[0];
		(*argv)++;
		(*argc)--;
		if (last)
			break;
	}
	return found;
}

bool shell_join(char *out, const char *directory, const char *name)
{
	size_t length = strlen(directory);
	const char *slash = length && directory[length - 1] == '/' ? "" : "/";
	return snprintf(out, SHELL_PATH_BYTES, "%s%s%s", directory, slash, name) < SHELL_PATH_BYTES;
}

const char *shell_basename(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash && slash[1] ? slash + 1 : path;
}

uint64_t shell_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int shell_run_words(struct shell *sh, int argc, char **argv)
{
	const struct command *command = shell_find(argv[0]);
	sh->command = argv[0];
	if (!command) {
		shell_refuse(sh, "no such command; `help` lists them, `run PROGRAM` starts a program");
		return 127;
	}
	int status = command->run(sh, argc, argv);
	output_flush(&sh->out);
	if (sh->out.failed) {
		sh->out.failed = false;
		sh->command = argv[0];
		return shell_complain(sh, "output", errno ? errno : EIO);
	}
	return status;
}

/* Open what `<` and `>` name; undone by end_redirections. */
static int begin_redirections(struct shell *sh, const struct line_command *c)
{
	sh->command = c->argv[0];
	if (c->input) {
		int fd = open(c->input, O_RDONLY);
		if (fd < 0)
			return shell_complain(sh, c->input, errno);
		sh->in = fd;
	}
	if (c->output) {
		int fd = open(c->output, O_WRONLY | O_CREAT | (c->append ? O_APPEND : O_TRUNC), 0644);
		if (fd < 0)
			return shell_complain(sh, c->output, errno);
		sh->out.fd = fd;
	}
	return 0;
}

static int end_redirections(struct shell *sh, int status)
{
	if (sh->in != 0)
		close(sh->in);
	if (sh->out.fd != 1 && close(sh->out.fd) && !status)
		status = shell_complain(sh, "output", errno);
	sh->in = 0;
	sh->out.fd = 1;
	return status;
}

static int run_command(struct shell *sh, struct line_command *c)
{
	errno = 0;
	int status = begin_redirections(sh, c);
	if (!status)
		status = shell_run_words(sh, c->argc, c->argv);
	return end_redirections(sh, status);
}

const char *shell_prompt(char *out)
{
	if (!getcwd(out, SHELL_PATH_BYTES))
		strcpy(out, "?");
	return strcat(out, "> ");
}

/* A script shows what it runs: [from, to) less the blanks and the separator around it. */
static void echo_command(struct shell *sh, const char *from, const char *to)
{
	static char prompt[SHELL_PATH_BYTES + 4];
	from += strspn(from, " \t;&");
	while (to > from && strchr(" \t;&", to[-1]))
		to--;
	output_print(&sh->out, "%s%.*s\n", shell_prompt(prompt), (int)(to - from), from);
	output_flush(&sh->out);
}

int shell_run_line(struct shell *sh, const char *line)
{
	static struct line_command c; /* large, and never in use twice: no command calls this */
	const char *cursor = line;
	bool skip = false;
	do {
		const char *start = cursor;
		const char *why = line_next(&cursor, &c);
		if (why) {
			sh->command = "shell";
			shell_refuse(sh, "%s", why);
			sh->failed = true;
			return sh->status = 2;
		}
		if (c.argc && !skip) {
			if (sh->echo)
				echo_command(sh, start, cursor);
			if (sh->before)
				sh->before(sh);
			sh->status = run_command(sh, &c);
			sh->failed |= sh->status != 0;
		}
		skip = c.next == LINE_AND && (skip || sh->status);
	} while (c.next != LINE_END && !sh->leave);
	return sh->status;
}
