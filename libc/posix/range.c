/* SPDX-License-Identifier: BSD-2-Clause */
/* range.c - what happens to ranges of an open file: blocks come, go and move. A lease stays what it was: its server
 * takes back what has to be. */
#include <errno.h>
#include <fcntl.h>
#include <lintel/fs_client.h>

#include "core/sys.h"
#include "posix/file.h"

_Static_assert(FALLOC_FL_KEEP_SIZE == FS_ALLOCATE_KEEP_SIZE && FALLOC_FL_PUNCH_HOLE == FS_ALLOCATE_PUNCH_HOLE &&
				   FALLOC_FL_COLLAPSE_RANGE == FS_ALLOCATE_COLLAPSE_RANGE &&
				   FALLOC_FL_ZERO_RANGE == FS_ALLOCATE_ZERO_RANGE &&
				   FALLOC_FL_INSERT_RANGE == FS_ALLOCATE_INSERT_RANGE,
			   "a mode is handed on as it is");

/* An error number, or 0. */
static int allocate(int fd, uint32_t mode, off_t offset, off_t bytes)
{
	struct file *file = file_get_regular(fd, O_WRONLY);

	if (file == NULL)
		return errno == EISDIR ? ENODEV : errno;
	err_t error = offset < 0 || bytes <= 0
					  ? ERR_ARGS
					  : fs_allocate(file->session, file->number, mode, (uint64_t)offset, (uint64_t)bytes);
	file_drop(file);
	return error == OK ? 0 : error == ERR_UNSUPPORTED ? EOPNOTSUPP : lintel_errno(error);
}

int fallocate(int fd, int mode, off_t offset, off_t bytes)
{
	const int error = allocate(fd, (uint32_t)mode, offset, bytes);

	if (error == 0)
		return 0;
	errno = error;
	return -1;
}

int posix_fallocate(int fd, off_t offset, off_t bytes)
{
	const int before = errno, error = allocate(fd, 0, offset, bytes);

	errno = before;
	return error;
}
