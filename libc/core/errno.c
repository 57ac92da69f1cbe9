/* SPDX-License-Identifier: BSD-2-Clause */
/* errno.c - from the ABI's results to POSIX's errno. */
#include <errno.h>
#include <lintel/process.h>

/* No default: the compiler says when errors.def has grown. */
int lintel_errno(err_t error)
{
	switch ((enum lintel_error)error) {
	case OK: return 0;
	case ERR_ARGS: return EINVAL;
	case ERR_BAD_HANDLE: return EBADF;
	case ERR_WRONG_TYPE: return EBADF;
	case ERR_DENIED: return EACCES;
	case ERR_NO_MEMORY: return ENOMEM;
	case ERR_LIMIT: return ENOMEM;
	case ERR_FAULT: return EFAULT;
	case ERR_EXISTS: return EEXIST;
	case ERR_NOT_FOUND: return ENOENT;
	case ERR_TIMED_OUT: return ETIMEDOUT;
	case ERR_CANCELED: return EINTR;
	case ERR_PEER_DIED: return EIO;
	case ERR_BAD_STATE: return EIO;
	case ERR_AGAIN: return EAGAIN;
	case ERR_UNSUPPORTED: return ENOTSUP;
	case ERR_BAD_CALL: return ENOSYS;
	case ERR_TOO_DEEP: return ELOOP;
	case ERR_NO_SPACE: return ENOSPC;
	case ERR_NOT_DIR: return ENOTDIR;
	case ERR_IS_DIR: return EISDIR;
	case ERR_NOT_EMPTY: return ENOTEMPTY;
	case ERR_NAME_TOO_LONG: return ENAMETOOLONG;
	case ERR_READ_ONLY: return EROFS;
	case ERR_TOO_BIG: return EFBIG;
	case ERR_IO: return EIO;
	case ERR_CORRUPT: return EIO;
	case ERR_CROSS_DEVICE: return EXDEV;
	case ERR_BUSY: return EBUSY;
	case ERR_BAD_FORMAT: return ENOEXEC;
	case ERR_TOO_MANY: return EMFILE;
	case ERR_INTERNAL: return EIO;
	case ERR_DEADLOCK: return EDEADLK;
	case ERR_NOT_OWNER: return EPERM;
	case ERR_NO_ATTRIBUTE: return ENODATA;
	}
	return EIO; /* a server's own number */
}
