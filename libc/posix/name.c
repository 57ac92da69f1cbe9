/* SPDX-License-Identifier: BSD-2-Clause */
/* name.c - what changes names: mkdir, rmdir, unlink, rename, links. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <lintel/fs_client.h>

#include "core/sys.h"
#include "posix/file.h"
#include "posix/stat.h"

static int finish(err_t error)
{
	return error == OK ? 0 : fail(error);
}

int mkdir(const char *path, mode_t mode)
{
	struct place place;
	err_t error = place_find(path, &place);

	if (error != OK)
		return fail(error);
	do
		error = place.mount == NULL ? ERR_EXISTS : fs_mkdir(place.session, mode_masked(mode), place.rest);
	while (place_again(&place, false, &error));
	return finish(error);
}

int rmdir(const char *path)
{
	struct place place;
	size_t bytes = strlen(path);

	if (bytes > 0 && path[bytes - 1] == '.' && (bytes == 1 || path[bytes - 2] == '/'))
		return fail(ERR_ARGS); /* as POSIX wants it: "." is no name to remove */
	err_t error = place_find(path, &place);
	if (error != OK)
		return fail(error);
	do {
		bool root = place.mount == NULL || *place.rest == 0;
		error = root ? ERR_BUSY : fs_rmdir(place.session, place.rest);
	} while (place_again(&place, false, &error));
	return finish(error);
}

int unlink(const char *path)
{
	struct place place;
	err_t error = place_find(path, &place);

	if (error != OK)
		return fail(error);
	do {
		if (place.mount == NULL)
			error = ERR_IS_DIR;
		else
			error = place.directory ? ERR_NOT_DIR : fs_unlink(place.session, place.rest);
	} while (place_again(&place, false, &error));
	return finish(error);
}

static err_t find_two(const char *from, const char *to, struct place *a, struct place *b)
{
	err_t error = place_find(from, a);

	return error == OK ? place_find(to, b) : error;
}

/* Both must be on one mount. */
static err_t check_two(const struct place *a, const struct place *b)
{
	return a->mount == NULL || b->mount == NULL ? ERR_BUSY : a->mount != b->mount ? ERR_CROSS_DEVICE : OK;
}

/* "x/" names a directory: a rename from or to it must not touch a file. */
static err_t check_directory(const struct place *place)
{
	struct fs_stat st;

	if (!place->directory)
		return OK;
	err_t error = fs_stat(place->session, 0, place->rest, &st);
	return error == OK && st.type != FS_TYPE_DIRECTORY ? ERR_NOT_DIR : error;
}

static err_t rename_places(const struct place *a, const struct place *b)
{
	err_t error = check_two(a, b);

	if (error == OK)
		error = check_directory(a);
	if (error == OK && b->directory)
		error = check_directory(b) == ERR_NOT_DIR ? ERR_NOT_DIR : OK;
	return error == OK ? fs_rename(a->session, 0, a->rest, b->rest) : error;
}

int rename(const char *from, const char *to)
{
	struct place a, b;
	err_t error = find_two(from, to, &a, &b);

	if (error != OK)
		return fail(error);
	do
		error = rename_places(&a, &b);
	while (places_again(&a, &b, &error));
	return finish(error);
}

int link(const char *from, const char *to)
{
	struct place a, b;
	err_t error = find_two(from, to, &a, &b);

	if (error != OK)
		return fail(error);
	do {
		error = check_two(&a, &b);
		if (error == OK)
			error = fs_link(a.session, a.rest, b.rest);
	} while (places_again(&a, &b, &error));
	return finish(error);
}

/* "/proc/self/fd/N" is what programs write who have no right to AT_EMPTY_PATH elsewhere. */
static int fd_of_path(int fd, const char *path, int flags)
{
	static const char descriptors[] = "/proc/self/fd/";
	char *end;

	if (flags == AT_EMPTY_PATH && *path == '\0')
		return fd;
	if (flags != AT_SYMLINK_FOLLOW || strncmp(path, descriptors, sizeof(descriptors) - 1) != 0)
		return -1;
	const unsigned long number = strtoul(path + sizeof(descriptors) - 1, &end, 10);
	return *end == '\0' && number < FD_MAX ? (int)number : -1;
}

static int link_file(int fd, const char *to)
{
	struct file *file = file_get(fd);
	struct place place;

	if (file == NULL)
		return -1;
	err_t error = place_find(to, &place);
	if (error == OK) {
		bool here;
		do {
			here = file->mount != NULL && place.mount == file->mount;
			error = !here ? ERR_CROSS_DEVICE : place.directory ? ERR_NOT_FOUND : OK;
			if (error == OK)
				error = fs_link_file(file->session, file->number, place.rest);
		} while (here && place_again(&place, false, &error));
	}
	file_drop(file);
	return finish(error);
}

/* Of absolute paths, and of others relative to the working directory (AT_FDCWD); and of an open file. */
int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
	const int fd = fd_of_path(from_fd, from, flags);

	if (to_fd != AT_FDCWD && to[0] != '/')
		return fail(ERR_UNSUPPORTED);
	if (fd >= 0)
		return link_file(fd, to);
	if (flags != 0 || (from_fd != AT_FDCWD && from[0] != '/'))
		return fail(flags & ~(AT_EMPTY_PATH | AT_SYMLINK_FOLLOW) ? ERR_ARGS : ERR_UNSUPPORTED);
	return link(from, to);
}

int symlink(const char *target, const char *path)
{
	struct place place;
	err_t error = place_find(path, &place);

	if (error != OK)
		return fail(error);
	do
		error = place.mount == NULL ? ERR_EXISTS : fs_symlink(place.session, target, place.rest);
	while (place_again(&place, false, &error));
	return finish(error);
}

ssize_t readlink(const char *restrict path, char *restrict buffer, size_t bytes)
{
	struct place place;
	uint64_t done = 0;
	err_t error = place_find(path, &place);

	if (error != OK)
		return fail(error);
	do
		error = place.mount == NULL ? ERR_ARGS : fs_readlink(place.session, place.rest, buffer, bytes, &done);
	while (place_again(&place, false, &error));
	if (error == OK && done > bytes)
		error = ERR_IO;
	return error == OK ? (ssize_t)done : fail(error);
}

int remove(const char *path)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return -1;
	return S_ISDIR(st.st_mode) ? rmdir(path) : unlink(path);
}
