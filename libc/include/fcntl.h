/* SPDX-License-Identifier: BSD-2-Clause */
/* fcntl.h - picolibc's, plus files without a name, locks from the start, and blocks without data. */
#ifndef LINTEL_FCNTL_H
#define LINTEL_FCNTL_H
#include_next <fcntl.h>
#include <sys/cdefs.h>

#ifndef O_TMPFILE
#define O_TMPFILE (0x1000000 | O_DIRECTORY)
#endif

#if __MISC_VISIBLE || __BSD_VISIBLE || __GNU_VISIBLE
#define O_SHLOCK _FSHLOCK /* open, and flock(LOCK_SH) before the descriptor is there; with O_NONBLOCK not waiting */
#define O_EXLOCK _FEXLOCK /* the same with LOCK_EX; and while that lasts, others use the file by calls only */
#endif

#ifdef __cplusplus
extern "C" {
#endif
int posix_fallocate(int fd, off_t offset, off_t bytes);
#if __GNU_VISIBLE
#define FALLOC_FL_KEEP_SIZE 0x01
#define FALLOC_FL_PUNCH_HOLE 0x02
#define FALLOC_FL_COLLAPSE_RANGE 0x08
#define FALLOC_FL_ZERO_RANGE 0x10
#define FALLOC_FL_INSERT_RANGE 0x20
int fallocate(int fd, int mode, off_t offset, off_t bytes);
#endif
#ifdef __cplusplus
}
#endif
#endif
