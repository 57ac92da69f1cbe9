/* SPDX-License-Identifier: BSD-2-Clause */
/* files.c - changing names and moving bytes: cat, cp, mv, rm, mkdir, rmdir; and the table of the
 * group `files`. */
#include "shell/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

char bulk_buffer[BULK_BYTES] __attribute__((aligned(4096)));

int bulk_write(int fd, const void *data, size_t bytes)
{
	const char *from = data;
	while (bytes) {
		ssize_t n = write(fd, from, bytes);
		if (n < 0)
			return errno;
		if (n == 0)
			return EIO;
		from += n;
		bytes -= (size_t)n;
	}
	return 0;
}

static int cat_one(struct shell *sh, int fd, const char *name)
{
	for (;;) {
		ssize_t n = read(fd, bulk_buffer, sizeof bulk_buffer);
		if (n < 0)
			return shell_complain(sh, name, errno);
		if (n == 0)
			return 0;
		output_bytes(&sh->out, bulk_buffer, (size_t)n);
	}
}

static int command_cat(struct shell *sh, int argc, char **argv)
{
	if (argc < 2 && sh->in == 0)
		return shell_usage(sh);
	if (argc < 2)
		return cat_one(sh, sh->in, "input");
	int status = 0;
	for (int i = 1; i < argc; i++) {
		int fd = open(argv[i], O_RDONLY);
		if (fd < 0) {
			status = shell_complain(sh, argv[i], errno);
			continue;
		}
		status |= cat_one(sh, fd, argv[i]);
		close(fd);
	}
	return status;
}

/* Copy the bytes and close both; a file that could not be written whole is reported, and stays
 * for a look at it. */
static int copy_bytes(struct shell *sh, int in, int out, const char *from, const char *to)
{
	int status = 0;
	for (;;) {
		ssize_t n = read(in, bulk_buffer, sizeof bulk_buffer);
		if (n < 0)
			status = shell_complain(sh, from, errno);
		if (n <= 0)
			break;
		int error = bulk_write(out, bulk_buffer, (size_t)n);
		if (error) {
			status = shell_complain(sh, to, error);
			break;
		}
	}
	close(in);
	if (close(out) && !status)
		status = shell_complain(sh, to, errno);
	return status;
}

/* The blocks become `to`'s as well; closes both. */
static int clone_blocks(struct shell *sh, int in, int out, const char *to)
{
	int status = ioctl(out, FICLONE, in) ? shell_complain(sh, to, errno) : 0;
	close(in);
	if (close(out) && !status)
		status = shell_complain(sh, to, errno);
	return status;
}

static int copy_file(struct shell *sh, const char *from, const char *to, mode_t mode, bool clone)
{
	struct stat a, b;
	if (!stat(from, &a) && !stat(to, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
		return shell_refuse(sh, "%s and %s are the same file", from, to);
	int in = open(from, O_RDONLY);
	if (in < 0)
		return shell_complain(sh, from, errno);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC, mode & 0777);
	if (out < 0) {
		int error = errno;
		close(in);
		return shell_complain(sh, to, error);
	}
	return clone ? clone_blocks(sh, in, out, to) : copy_bytes(sh, in, out, from, to);
}

int files_copy(struct shell *sh, const char *from, const char *to, mode_t mode)
{
	return copy_file(sh, from, to, mode, false);
}

static int copy_link(struct shell *sh, const char *from, const char *to)
{
	char target[SHELL_PATH_BYTES];
	ssize_t length = readlink(from, target, sizeof target - 1);
	if (length < 0)
		return shell_complain(sh, from, errno);
	target[length] = '\0';
	return symlink(target, to) ? shell_complain(sh, to, errno) : 0;
}

enum { COPY_RECURSE = 1, COPY_CLONE = 2 }; /* how; cp's options, in their order */

static int copy_any(struct shell *sh, const char *from, const char *to, int how);

static int copy_directory(struct shell *sh, const char *from, const char *to, mode_t mode, int how)
{
	size_t length = strlen(from);
	if (!strncmp(from, to, length) && (to[length] == '/' || !to[length]))
		return shell_refuse(sh, "%s cannot be copied into itself", from);
	if (mkdir(to, mode & 0777) && errno != EEXIST)
		return shell_complain(sh, to, errno);
	struct names n;
	int error = names_read(from, &n);
	if (error)
		return shell_complain(sh, from, error);
	int status = 0;
	for (size_t i = 0; i < n.count; i++) {
		char inner_from[SHELL_PATH_BYTES], inner_to[SHELL_PATH_BYTES];
		if (!shell_join(inner_from, from, n.name[i]) || !shell_join(inner_to, to, n.name[i]))
			status = shell_complain(sh, n.name[i], ENAMETOOLONG);
		else
			status |= copy_any(sh, inner_from, inner_to, how);
	}
	names_free(&n);
	return status;
}

static int copy_any(struct shell *sh, const char *from, const char *to, int how)
{
	struct stat st;
	if (lstat(from, &st))
		return shell_complain(sh, from, errno);
	if (S_ISLNK(st.st_mode) && (how & COPY_RECURSE))
		return copy_link(sh, from, to);
	if (!S_ISDIR(st.st_mode))
		return copy_file(sh, from, to, st.st_mode, how & COPY_CLONE);
	if (!(how & COPY_RECURSE))
		return shell_refuse(sh, "%s is a directory; -r copies it", from);
	return copy_directory(sh, from, to, st.st_mode, how);
}

int files_remove(struct shell *sh, const char *path, bool recurse)
{
	struct stat st;
	if (lstat(path, &st))
		return shell_complain(sh, path, errno);
	if (!S_ISDIR(st.st_mode))
		return unlink(path) ? shell_complain(sh, path, errno) : 0;
	if (!recurse)
		return shell_refuse(sh, "%s is a directory; -r removes it and all in it", path);
	struct names n;
	int error = names_read(path, &n);
	if (error)
		return shell_complain(sh, path, error);
	int status = 0;
	for (size_t i = 0; i < n.count; i++) {
		char inner[SHELL_PATH_BYTES];
		if (!shell_join(inner, path, n.name[i]))
			status = shell_complain(sh, n.name[i], ENAMETOOLONG);
		else
			status |= files_remove(sh, inner, true);
	}
	names_free(&n);
	if (!status && rmdir(path))
		status = shell_complain(sh, path, errno);
	return status;
}

/* Where `from` goes when the target was `to`: into it, if that is a directory. */
static bool target_path(char *out, const char *from, const char *to)
{
	struct stat st;
	if (!stat(to, &st) && S_ISDIR(st.st_mode))
		return shell_join(out, to, shell_basename(from));
	return snprintf(out, SHELL_PATH_BYTES, "%s", to) < SHELL_PATH_BYTES;
}

static int move_one(struct shell *sh, const char *from, const char *to)
{
	if (!rename(from, to))
		return 0;
	if (errno != EXDEV)
		return shell_complain(sh, from, errno);
	int status = copy_any(sh, from, to, COPY_RECURSE);
	return status ? status : files_remove(sh, from, true);
}

/* cp and mv: all but the last name go to the last. */
static int to_target(struct shell *sh, int argc, char **argv, bool move, int how)
{
	if (argc < 3)
		return shell_usage(sh);
	const char *to = argv[argc - 1];
	struct stat st;
	if (argc > 3 && (stat(to, &st) || !S_ISDIR(st.st_mode)))
		return shell_complain(sh, to, ENOTDIR);
	int status = 0;
	for (int i = 1; i < argc - 1; i++) {
		char target[SHELL_PATH_BYTES];
		if (!target_path(target, argv[i], to))
			status = shell_complain(sh, argv[i], ENAMETOOLONG);
		else
			status |= move ? move_one(sh, argv[i], target) : copy_any(sh, argv[i], target, how);
	}
	return status;
}

static int command_cp(struct shell *sh, int argc, char **argv)
{
	int options = shell_options(sh, &argc, &argv, "rc");
	return options < 0 ? 2 : to_target(sh, argc, argv, false, options);
}

static int command_mv(struct shell *sh, int argc, char **argv)
{
	return shell_options(sh, &argc, &argv, "") < 0 ? 2 : to_target(sh, argc, argv, true, 0);
}

static int command_rm(struct shell *sh, int argc, char **argv)
{
	int options = shell_options(sh, &argc, &argv, "rf");
	if (options < 0)
		return 2;
	if (argc < 2)
		return shell_usage(sh);
	int status = 0;
	for (int i = 1; i < argc; i++) {
		struct stat st;
		if ((options & 2) && lstat(argv[i], &st) && errno == ENOENT)
			continue;
		status |= files_remove(sh, argv[i], options & 1);
	}
	return status;
}

int files_make_path(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		int failed = mkdir(path, 0755) && errno != EEXIST;
		*slash = '/';
		if (failed)
			return errno;
	}
	struct stat st;
	if (!mkdir(path, 0755))
		return 0;
	return errno == EEXIST && !stat(path, &st) && S_ISDIR(st.st_mode) ? 0 : errno;
}

static int command_mkdir(struct shell *sh, int argc, char **argv)
{
	int options = shell_options(sh, &argc, &argv, "p");
	if (options < 0)
		return 2;
	if (argc < 2)
		return shell_usage(sh);
	int status = 0;
	for (int i = 1; i < argc; i++) {
		int error = 0;
		if (options & 1)
			error = files_make_path(argv[i]);
		else if (mkdir(argv[i], 0755))
			error = errno;
		if (error)
			status = shell_complain(sh, argv[i], error);
	}
	return status;
}

static int command_rmdir(struct shell *sh, int argc, char **argv)
{
	if (argc < 2)
		return shell_usage(sh);
	int status = 0;
	for (int i = 1; i < argc; i++) {
		if (rmdir(argv[i]))
			status = shell_complain(sh, argv[i], errno);
	}
	return status;
}

static const struct command commands[] = {
	{ "ls", "[-l] [PATH...]", "list files", command_ls },
	{ "cat", "FILE...", "print files", command_cat },
	{ "cp", "[-r] [-c] FROM... TO", "copy files, with -r directories too, with -c by sharing blocks", command_cp },
	{ "mv", "FROM... TO", "rename or move", command_mv },
	{ "rm", "[-r] [-f] PATH...", "remove files, with -r directories too", command_rm },
	{ "mkdir", "[-p] PATH...", "make directories, with -p all on the way", command_mkdir },
	{ "rmdir", "PATH...", "remove empty directories", command_rmdir },
	{ "stat", "PATH...", "size, kind, links and times", command_stat },
	{ "cd", "[PATH]", "change the working directory", command_cd },
	{ "pwd", "", "print the working directory", command_pwd },
};
const struct command_group group_files = { "files", commands, sizeof commands / sizeof commands[0] };
