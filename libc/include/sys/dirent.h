/* SPDX-License-Identifier: BSD-2-Clause */
/* sys/dirent.h - what <dirent.h> includes: the entry and the (opaque) directory stream. */
#ifndef LINTEL_SYS_DIRENT_H
#define LINTEL_SYS_DIRENT_H

#include <sys/cdefs.h>
#include <sys/types.h>

#define DT_UNKNOWN 0
#define DT_CHR 2
#define DT_DIR 4
#define DT_REG 8
#define DT_LNK 10

typedef struct lintel_dir DIR;

/* As a file system sends it (struct fs_dirent of abi/fs.proto, and the name): an entry is handed out where it lies, and
 * what lies behind its name's NUL is the next one. */
struct dirent {
	ino_t d_ino;
	off_t d_off; /* where seekdir goes on after this entry */
	unsigned short d_reclen;
	unsigned short d_namlen;
	unsigned char d_type;
	char d_name[256] __attribute__((__aligned__(4)));
};
#define _DIRENT_HAVE_D_TYPE 1
#define _DIRENT_HAVE_D_NAMLEN 1

#endif
