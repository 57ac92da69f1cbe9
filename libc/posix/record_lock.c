/* SPDX-License-Identifier: BSD-2-Clause */
/* record_lock.c - record locks as far as one process needs them. A process's own locks never conflict, and no lock of
 * another process is seen here: file systems keep none yet. So there is nothing to keep, only requests to check. */
#include "posix/record_lock.h"

#include <errno.h>
#include <unistd.h>
#include <lintel/fs_client.h>

static err_t lock_base(struct file *file, int whence, off_t *base)
{
	struct fs_stat st;
	err_t error = OK;

	*base = 0;
	switch (whence) {
	case SEEK_SET:
		return OK;
	case SEEK_CUR:
		lock_acquire(&file->lock);
		*base = (off_t)file->offset;
		lock_release(&file->lock);
		return OK;
	case SEEK_END:
		error = fs_fstat(file->session, file->number, &st);
		*base = error == OK ? (off_t)st.size : 0;
		return error;
	}
	return ERR_ARGS;
}

/* The bytes meant: from l_start on, or with a negative length before it. 0 or an errno. */
static int check_range(struct file *file, const struct flock *lock)
{
	off_t base, first, last;
	err_t error = lock_base(file, lock->l_whence, &base);

	if (error != OK)
		return lintel_errno(error);
	if (__builtin_add_overflow(base, lock->l_start, &first) || __builtin_add_overflow(first, lock->l_len, &last))
		return EOVERFLOW;
	return first < 0 || last < 0 ? EINVAL : 0;
}

static int check_request(struct file *file, int command, const struct flock *lock)
{
	if (file->kind != FILE_REGULAR)
		return EINVAL;
	switch (lock->l_type) {
	case F_UNLCK:
		if (command == F_GETLK)
			return EINVAL;
		break;
	case F_RDLCK:
		if (command != F_GETLK && !file_readable(file))
			return EBADF;
		break;
	case F_WRLCK:
		if (command != F_GETLK && !file_writable(file))
			return EBADF;
		break;
	default:
		return EINVAL;
	}
	return check_range(file, lock);
}

int record_lock(struct file *file, int command, struct flock *lock)
{
	int error = check_request(file, command, lock);

	if (error != 0) {
		errno = error;
		return -1;
	}
	if (command == F_GETLK)
		lock->l_type = F_UNLCK; /* nothing stands in the way */
	return 0;
}
