/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - the shell on the console: banner, what a fresh machine does first, then lines until
 * the end; or, with SCRIPT in the environment, that script and the power off with its result. */
#include "shell/lintel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shell/commands.h"
#include "shell/complete.h"
#include "shell/edit.h"

#define TERMINAL_COLUMNS 80
#define POWER_END_EMULATOR 2

const struct command_group *const shell_groups[] = { &group_files, &group_data, &group_system, &group_shell, NULL };

static struct shell shell = { .out = { .fd = 1 }, .err = { .fd = 2 }, .before = mounts_renew };
static struct editor editor;

static void terminal_write(void *context, const char *text, size_t bytes)
{
	struct shell *sh = context;
	output_bytes(&sh->out, text, bytes);
}

/* The next byte typed, -1 when the input is gone. What was typed ahead of a line's end waits for
 * the next line. */
static int next_byte(struct shell *sh)
{
	static uint8_t bytes[256];
	static size_t at, count;
	if (at == count) {
		output_flush(&sh->out);
		ssize_t n = read(0, bytes, sizeof bytes);
		if (n <= 0)
			return -1;
		at = 0;
		count = (size_t)n;
	}
	return bytes[at++];
}

/* false: the input is gone. */
static bool read_line(struct shell *sh, enum edit_result *result)
{
	static char prompt[SHELL_PATH_BYTES + 4];
	edit_start(&editor, shell_prompt(prompt));
	do {
		int byte = next_byte(sh);
		if (byte < 0)
			return false;
		*result = edit_feed(&editor, (uint8_t)byte);
	} while (*result == EDIT_MORE);
	output_flush(&sh->out);
	return true;
}

static int interact(struct shell *sh)
{
	static char line[EDIT_BYTES];
	const struct edit_terminal terminal = { terminal_write, shell_complete, sh };
	enum edit_result result;
	edit_init(&editor, &terminal, TERMINAL_COLUMNS);
	while (!sh->leave) {
		if (!read_line(sh, &result)) {
			sh->command = "shell";
			return shell_complain(sh, "the console", errno);
		}
		if (result != EDIT_LINE)
			continue;
		strcpy(line, editor.text);
		edit_remember(&editor, line);
		shell_run_line(sh, line);
	}
	return 0;
}

/* A fresh pmem gets the tree and a first measurement; one that has it is verified. Said as the
 * commands that it is. */
static void prepare_tree(struct shell *sh)
{
	struct stat st;
	if (!mount_exists("/pmem") || stat(TREE_LIST, &st))
		return;
	sh->echo = true;
	if (stat(TREE_ROOT, &st))
		shell_run_line(sh, "import && verify && bench files --quick");
	else
		shell_run_line(sh, "verify");
	sh->echo = false;
	output_print(&sh->out, "\n");
}

static int run_script(struct shell *sh, const char *script)
{
	sh->echo = true;
	shell_run_line(sh, script);
	output_flush(&sh->out);
	return shell_power(sh, POWER_END_EMULATOR, sh->failed);
}

int main(void)
{
	const char *script = getenv("SCRIPT");
	if (script)
		return run_script(&shell, script);
	banner_print(&shell);
	shell_run_line(&shell, "df");
	output_print(&shell.out, "\n");
	prepare_tree(&shell);
	output_print(&shell.out, "`help` lists the commands.\n");
	return interact(&shell);
}
