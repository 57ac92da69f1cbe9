/* SPDX-License-Identifier: BSD-2-Clause */
/* range.c - what happens to ranges of open files: blocks come, go, move and are copied. A lease stays what it was: its
 * server takes back what has to be. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <lintel/fs_client.h>

#include "core/sys.h"
#include "posix/file.h"

#define COPY_BYTES 16384 /* on the stack */

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
		return errno;
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

/* Where the server does not, or is not one: through the caller. */
static err_t copy_through(int from, off_t from_offset, int to, off_t to_offset, size_t bytes, uint64_t *done)
{
	char buffer[COPY_BYTES];

	while (*done < bytes) {
		const size_t piece = bytes - *done < sizeof(buffer) ? bytes - *done : sizeof(buffer);
		const ssize_t got = pread(from, buffer, piece, from_offset + (off_t)*done);
		const ssize_t put = got > 0 ? pwrite(to, buffer, (size_t)got, to_offset + (off_t)*done) : got;
		if (put < 0 && *done == 0)
			return ERR_IO; /* errno says more */
		if (put <= 0)
			break;
		*done += (uint64_t)put;
	}
	return OK;
}

static err_t copy_files(const struct file *from, off_t from_offset, const struct file *to, off_t to_offset,
						size_t bytes, uint64_t *done)
{
	if (from->session != to->session)
		return ERR_UNSUPPORTED;
	err_t error = fs_copy(from->session, from->number, (uint64_t)from_offset, to->number, (uint64_t)to_offset, bytes,
						  done);
	return error == OK && *done > bytes ? ERR_IO : error;
}

/* Open for reading and for writing, and not to append: both, or errno. */
static bool both_get(int from, int to, struct file **source, struct file **target)
{
	*source = file_get_regular(from, O_RDONLY);
	*target = *source != NULL ? file_get_regular(to, O_WRONLY) : NULL;
	if (*target != NULL && !((*target)->flags & O_APPEND))
		return true;
	if (*target != NULL) {
		file_drop(*target);
		errno = EBADF;
	}
	if (*source != NULL)
		file_drop(*source);
	return false;
}

int range_clone(int fd, const struct file_clone_range *range)
{
	struct file *source, *target;

	if (range->src_fd < 0 || range->src_fd > INT_MAX)
		return fail(ERR_BAD_HANDLE);
	if (!both_get((int)range->src_fd, fd, &source, &target))
		return -1;
	const bool apart = source->session != target->session;
	const err_t error = apart ? ERR_CROSS_DEVICE
							  : fs_clone(source->session, source->number, range->src_offset, target->number,
										 range->dest_offset, range->src_length);
	file_drop(target);
	file_drop(source);
	if (error != ERR_UNSUPPORTED)
		return error == OK ? 0 : fail(error);
	errno = EOPNOTSUPP;
	return -1;
}

static ssize_t copy_checked(int from, off_t from_offset, int to, off_t to_offset, size_t bytes)
{
	struct file *source, *target;
	uint64_t done = 0;

	if (!both_get(from, to, &source, &target))
		return -1;
	err_t error = from_offset < 0 || to_offset < 0 || bytes > INT64_MAX ? ERR_ARGS : OK;
	if (error == OK)
		error = copy_files(source, from_offset, target, to_offset, bytes, &done);
	file_drop(target);
	file_drop(source);
	if (error == ERR_UNSUPPORTED) {
		error = copy_through(from, from_offset, to, to_offset, bytes, &done);
		return error == OK ? (ssize_t)done : -1;
	}
	return error == OK ? (ssize_t)done : fail(error);
}

/* Without an offset of the caller's own, where the descriptor stands; that moves then. */
ssize_t copy_file_range(int from, off_t *from_offset, int to, off_t *to_offset, size_t bytes, unsigned flags)
{
	if (flags != 0)
		return fail(ERR_ARGS);
	const off_t source = from_offset != NULL ? *from_offset : lseek(from, 0, SEEK_CUR);
	const off_t target = to_offset != NULL ? *to_offset : lseek(to, 0, SEEK_CUR);
	if ((from_offset == NULL && source < 0) || (to_offset == NULL && target < 0))
		return -1;
	const ssize_t done = copy_checked(from, source, to, target, bytes);
	if (done < 0)
		return -1;
	if (from_offset != NULL)
		*from_offset += done;
	else
		lseek(from, source + done, SEEK_SET);
	if (to_offset != NULL)
		*to_offset += done;
	else
		lseek(to, target + done, SEEK_SET);
	return done;
}
