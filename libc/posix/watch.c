/* SPDX-License-Identifier: BSD-2-Clause */
/* watch.c - watching files and directories; see lintel/watch.h. */
#include <lintel/watch.h>
#include <lintel/fs_client.h>

#include "core/sys.h"
#include "posix/file.h"

int lintel_watch(int fd, uint32_t events, handle_t *happened)
{
	struct file *file = file_get(fd);
	err_t error = ERR_UNSUPPORTED;

	if (file == NULL)
		return -1;
	if (file->kind == FILE_REGULAR || file->kind == FILE_DIRECTORY)
		error = fs_watch(file->session, file->number, events, happened);
	file_drop(file);
	return error == OK ? 0 : fail(error);
}

ssize_t lintel_watch_read(int fd, void *records, size_t bytes)
{
	struct file *file = file_get(fd);
	err_t error = ERR_UNSUPPORTED;
	uint64_t done = 0;

	if (file == NULL)
		return -1;
	if (file->kind == FILE_REGULAR || file->kind == FILE_DIRECTORY)
		error = fs_watch_read(file->session, file->number, records, bytes, &done);
	file_drop(file);
	return error == OK ? (ssize_t)done : fail(error);
}
