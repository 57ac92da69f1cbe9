/* SPDX-License-Identifier: BSD-2-Clause */
/* sys/statvfs.h - how full a file system is. */
#ifndef LINTEL_SYS_STATVFS_H
#define LINTEL_SYS_STATVFS_H

#include <sys/cdefs.h>
#include <sys/types.h>

_BEGIN_STD_C

#define ST_RDONLY 1
#define ST_NOSUID 2
#define ST_UNCLEAN 0x100 /* Lintel: the last shutdown was not clean */

struct statvfs {
	unsigned long f_bsize;
	unsigned long f_frsize;
	fsblkcnt_t f_blocks;
	fsblkcnt_t f_bfree;
	fsblkcnt_t f_bavail;
	unsigned long f_files;
	unsigned long f_ffree;
	unsigned long f_favail;
	unsigned long f_fsid;
	unsigned long f_flag;
	unsigned long f_namemax;
	char f_type[16]; /* Lintel: the file system's name */
};

int statvfs(const char *__restrict path, struct statvfs *__restrict out);
int fstatvfs(int fd, struct statvfs *out);

_END_STD_C

#endif
