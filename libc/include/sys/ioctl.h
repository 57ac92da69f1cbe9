/* SPDX-License-Identifier: BSD-2-Clause */
/* sys/ioctl.h - there is no device that a request could go to: ioctl fails (ENOTTY), but for clones, as on Linux.
 *
 * ioctl(fd, FICLONE, source) and ioctl(fd, FICLONERANGE, &range) make all, or a range, of the open file `source`
 * that of `fd`, without copying: both files have the same blocks on media until one of them is written to. It
 * happens at once: after a power cut all of it is there or nothing. Offsets and lengths are whole blocks (fstat's
 * st_blksize), but what ends with the source may end inside a block, if it becomes the end of `fd`; src_length 0 is
 * up to the source's end. `fd` is not cut: what it has behind the range stays.
 * Errors: EBADF (source not open for reading, fd not for writing, or with O_APPEND), EINVAL (not whole blocks, behind
 * the end, overlapping), EISDIR, EXDEV (two file systems), EOPNOTSUPP (a file system that cannot do it), ENOSPC, EFBIG.
 * copy_file_range does the same where it can, and copies the rest. */
#ifndef LINTEL_SYS_IOCTL_H
#define LINTEL_SYS_IOCTL_H

#include <sys/cdefs.h>

_BEGIN_STD_C

struct file_clone_range {
	__INT64_TYPE__ src_fd;
	__UINT64_TYPE__ src_offset;
	__UINT64_TYPE__ src_length;
	__UINT64_TYPE__ dest_offset;
};

/* Linux's numbers. */
#define FICLONE 0x40049409
#define FICLONERANGE 0x4020940d

int ioctl(int fd, int request, ...);

_END_STD_C

#endif
