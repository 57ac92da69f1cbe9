/* SPDX-License-Identifier: BSD-2-Clause */
/* list.c - looking at names: ls, stat, pwd, cd; and directories as sorted lists for those who
 * walk them. */
#include "shell/commands.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SCREEN_COLUMNS 80

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool names_add(struct names *n, const char *name)
{
	if (n->count == n->room) {
		size_t room = n->room ? n->room * 2 : 32;
		char **bigger = realloc(n->name, room * sizeof *bigger);
		if (!bigger)
			return false;
		n->name = bigger;
		n->room = room;
	}
	n->name[n->count] = strdup(name);
	return n->name[n->count] && ++n->count;
}

void names_free(struct names *n)
{
	for (size_t i = 0; i < n->count; i++)
		free(n->name[i]);
	free(n->name);
	*n = (struct names){ 0 };
}

int names_read(const char *path, struct names *n)
{
	*n = (struct names){ 0 };
	DIR *directory = opendir(path);
	if (!directory)
		return errno;
	int error = 0;
	struct dirent *entry;
	for (errno = 0; !error && (entry = readdir(directory)); errno = 0) {
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") && !names_add(n, entry->d_name))
			error = ENOMEM;
	}
	if (!error)
		error = errno;
	closedir(directory);
	if (error)
		names_free(n);
	else if (n->count)
		qsort(n->name, n->count, sizeof *n->name, compare_names);
	return error;
}

static char type_letter(mode_t mode)
{
	if (S_ISDIR(mode))
		return 'd';
	if (S_ISLNK(mode))
		return 'l';
	return S_ISREG(mode) ? '-' : 'c';
}

static const char *mode_text(mode_t mode, char text[11])
{
	static const char letters[] = "rwxrwxrwx";
	text[0] = type_letter(mode);
	for (int i = 0; i < 9; i++)
		text[1 + i] = mode & (0400 >> i) ? letters[i] : '-';
	text[10] = '\0';
	return text;
}

static const char *time_text(time_t when, char text[FORMAT_BYTES])
{
	struct tm tm;
	if (!gmtime_r(&when, &tm))
		return strcpy(text, "?");
	strftime(text, FORMAT_BYTES, "%Y-%m-%d %H:%M", &tm);
	return text;
}

static void list_row(struct table *t, const char *path, const char *name, const struct stat *st)
{
	char mode[11], when[FORMAT_BYTES], target[SHELL_PATH_BYTES];
	table_row(t);
	table_cell(t, 0, "%s", mode_text(st->st_mode, mode));
	table_cell(t, 1, "%u", (unsigned)st->st_nlink);
	table_cell(t, 2, "%" PRIu64, (uint64_t)st->st_size);
	table_cell(t, 3, "%s", time_text(st->st_mtime, when));
	ssize_t length = S_ISLNK(st->st_mode) ? readlink(path, target, sizeof target - 1) : -1;
	if (length >= 0)
		table_cell(t, 4, "%s -> %.*s", name, (int)length, target);
	else
		table_cell(t, 4, "%s%s", name, S_ISDIR(st->st_mode) ? "/" : "");
}

static int list_long(struct shell *sh, const char *directory, const struct names *n)
{
	int status = 0;
	char path[SHELL_PATH_BYTES];
	struct table t;
	table_start(&t, 0x6, "mode|links|bytes|modified|name");
	for (size_t i = 0; i < n->count; i++) {
		struct stat st;
		if (!shell_join(path, directory, n->name[i]))
			status = shell_complain(sh, n->name[i], ENAMETOOLONG);
		else if (lstat(path, &st))
			status = shell_complain(sh, path, errno);
		else
			list_row(&t, path, n->name[i], &st);
	}
	table_print(&t, &sh->out, NULL);
	return status;
}

/* Names down the columns, as many columns as fit. */
static void list_short(struct shell *sh, const struct names *n)
{
	size_t widest = 1;
	for (size_t i = 0; i < n->count; i++) {
		size_t length = strlen(n->name[i]);
		widest = length > widest ? length : widest;
	}
	size_t columns = SCREEN_COLUMNS / (widest + 2) ? SCREEN_COLUMNS / (widest + 2) : 1;
	size_t rows = (n->count + columns - 1) / columns;
	for (size_t row = 0; row < rows; row++) {
		for (size_t at = row; at < n->count; at += rows) {
			bool last = at + rows >= n->count;
			output_print(&sh->out, "%-*s%s", last ? 0 : (int)widest, n->name[at], last ? "\n" : "  ");
		}
	}
}

static int list_one(struct shell *sh, const char *path, bool as_table)
{
	struct stat st;
	if (lstat(path, &st))
		return shell_complain(sh, path, errno);
	if (!S_ISDIR(st.st_mode)) {
		if (!as_table) {
			output_print(&sh->out, "%s\n", path);
			return 0;
		}
		struct table t;
		table_start(&t, 0x6, "mode|links|bytes|modified|name");
		list_row(&t, path, path, &st);
		table_print(&t, &sh->out, NULL);
		return 0;
	}
	struct names n;
	int error = names_read(path, &n);
	if (error)
		return shell_complain(sh, path, error);
	int status = 0;
	if (as_table)
		status = list_long(sh, path, &n);
	else
		list_short(sh, &n);
	names_free(&n);
	return status;
}

int command_ls(struct shell *sh, int argc, char **argv)
{
	int options = shell_options(sh, &argc, &argv, "l");
	if (options < 0)
		return 2;
	if (argc == 1)
		return list_one(sh, ".", options & 1);
	int status = 0;
	for (int i = 1; i < argc; i++) {
		if (argc > 2)
			output_print(&sh->out, "%s%s:\n", i > 1 ? "\n" : "", argv[i]);
		status |= list_one(sh, argv[i], options & 1);
	}
	return status;
}

static const char *type_name(mode_t mode)
{
	if (S_ISDIR(mode))
		return "directory";
	if (S_ISLNK(mode))
		return "symbolic link";
	return S_ISREG(mode) ? "file" : "device";
}

int command_stat(struct shell *sh, int argc, char **argv)
{
	if (argc < 2)
		return shell_usage(sh);
	int status = 0;
	for (int i = 1; i < argc; i++) {
		struct stat st;
		char size[FORMAT_BYTES], allocated[FORMAT_BYTES], when[FORMAT_BYTES], mode[11];
		if (lstat(argv[i], &st)) {
			status = shell_complain(sh, argv[i], errno);
			continue;
		}
		output_print(&sh->out, "%s: %s, inode %" PRIu64 ", %u link%s\n", argv[i], type_name(st.st_mode),
		             (uint64_t)st.st_ino, (unsigned)st.st_nlink, st.st_nlink == 1 ? "" : "s");
		output_print(&sh->out, "  size      %" PRIu64 " bytes (%s), %s allocated\n", (uint64_t)st.st_size,
		             format_bytes(size, (uint64_t)st.st_size), format_bytes(allocated, (uint64_t)st.st_blocks * 512));
		output_print(&sh->out, "  mode      %s (%04o), owner %u:%u\n", mode_text(st.st_mode, mode),
		             (unsigned)st.st_mode & 07777, (unsigned)st.st_uid, (unsigned)st.st_gid);
		output_print(&sh->out, "  modified  %s UTC\n", time_text(st.st_mtime, when));
	}
	return status;
}

int command_pwd(struct shell *sh, int argc, char **argv)
{
	(void)argc, (void)argv;
	char path[SHELL_PATH_BYTES];
	if (!getcwd(path, sizeof path))
		return shell_complain(sh, "the working directory", errno);
	output_print(&sh->out, "%s\n", path);
	return 0;
}

int command_cd(struct shell *sh, int argc, char **argv)
{
	if (argc > 2)
		return shell_usage(sh);
	const char *path = argc == 2 ? argv[1] : "/";
	return chdir(path) ? shell_complain(sh, path, errno) : 0;
}
