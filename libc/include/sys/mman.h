/* SPDX-License-Identifier: BSD-2-Clause */
/* sys/mman.h - memory mappings. A MAP_PRIVATE mapping of a file is a copy of its bytes, made when it is mapped. */
#ifndef LINTEL_SYS_MMAN_H
#define LINTEL_SYS_MMAN_H

#include <sys/cdefs.h>
#include <sys/types.h>

_BEGIN_STD_C

#define PROT_NONE 0
#define PROT_READ 1
#define PROT_WRITE 2
#define PROT_EXEC 4

#define MAP_FIXED 0x008
#define MAP_POPULATE 0x010
#define MAP_SHARED 0x100
#define MAP_PRIVATE 0x200
#define MAP_ANONYMOUS 0x400
#define MAP_ANON MAP_ANONYMOUS
#define MAP_NORESERVE 0x800
#define MAP_FAILED ((void *)-1)

#define MS_ASYNC 1
#define MS_INVALIDATE 2
#define MS_SYNC 4

#define POSIX_MADV_NORMAL 0
#define POSIX_MADV_RANDOM 1
#define POSIX_MADV_SEQUENTIAL 2
#define POSIX_MADV_WILLNEED 3
#define POSIX_MADV_DONTNEED 4

/* Not POSIX: anonymous memory that has not been touched yet comes in pages of 2 MiB where it can, or in small ones. */
#define MADV_HUGEPAGE 14
#define MADV_NOHUGEPAGE 15

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset);
int munmap(void *address, size_t length);
int mprotect(void *address, size_t length, int protection);
int msync(void *address, size_t length, int flags);
int madvise(void *address, size_t length, int advice);
int posix_madvise(void *address, size_t length, int advice);

_END_STD_C

#endif
