/* SPDX-License-Identifier: BSD-2-Clause */
/* shell.h - the shell's state, and what a command is.
 * A command runs in the shell's own process (only `run` starts another): it prints to sh->out,
 * complains with shell_complain, reads from sh->in, and answers 0 or an exit status. One thread. */
#pragma once

#include "shell/line.h"
#include "shell/output.h"

#define SHELL_PATH_BYTES 4097

struct shell {
	int in;              /* what `<` opened, or 0 */
	struct output out;   /* what `>` opened, or 1 */
	struct output err;   /* descriptor 2 */
	const char *command; /* the name of the one that runs, for complaints */
	int status;          /* of the last command */
	bool failed;         /* any command so far had a status that was not 0 */
	void (*before)(struct shell *sh); /* called before each command, or NULL */
	bool echo;           /* print each command behind a prompt before it runs: scripts */
	bool leave;          /* `exit` was said */
};

struct command {
	const char *name;
	const char *usage; /* arguments only */
	const char *help;  /* one line */
	int (*run)(struct shell *sh, int argc, char **argv);
};

struct command_group {
	const char *title;
	const struct command *commands;
	size_t count;
};

/* The groups that this program has, in the order of `help`; ended by a group without a title. */
extern const struct command_group *const shell_groups[];

extern const struct command_group group_files;   /* list.c, files.c */
extern const struct command_group group_data;    /* data.c, tree.c */
extern const struct command_group group_shell;   /* words.c */
extern const struct command_group group_system;  /* system.c, programs.c: Lintel only */

/* "command: what: why" on descriptor 2, where `why` is an errno's text; returns 1. */
int shell_complain(struct shell *sh, const char *what, int error);
/* "command: text". Returns 1. */
int shell_refuse(struct shell *sh, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "usage: command ...". Returns 2. */
int shell_usage(struct shell *sh);

const struct command *shell_find(const char *name);

/* Run every command of the line; the last status, also in sh->status. */
int shell_run_line(struct shell *sh, const char *line);

/* Run one command that is already cut into words. */
int shell_run_words(struct shell *sh, int argc, char **argv);

/* Take `-x` options off the front: a bit for each letter of `known` that came (bit 0 the first).
 * *argc and *argv move past them; argv[0] stays the name. -1 after a complaint: an unknown
 * letter. */
int shell_options(struct shell *sh, int *argc, char ***argv, const char *known);

/* directory + "/" + name into `out` of SHELL_PATH_BYTES; false: too long. */
bool shell_join(char *out, const char *directory, const char *name);

/* The last component of a path. */
const char *shell_basename(const char *path);

/* The working directory and "> ", in `out` of SHELL_PATH_BYTES + 4. */
const char *shell_prompt(char *out);

/* Monotonic nanoseconds. */
uint64_t shell_now_ns(void);
