/* SPDX-License-Identifier: BSD-2-Clause */
/* sys/xattr.h - extended attributes, as Linux has them but without its name spaces: a name is any 1 to 255 bytes.
 * ENODATA: there is none of that name. */
#ifndef LINTEL_SYS_XATTR_H
#define LINTEL_SYS_XATTR_H

#include <sys/cdefs.h>
#include <sys/types.h>

_BEGIN_STD_C

#define XATTR_CREATE 1
#define XATTR_REPLACE 2
#define XATTR_NAME_MAX 255
#define XATTR_SIZE_MAX 65536

int setxattr(const char *path, const char *name, const void *value, size_t size, int flags);
int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags);
int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags);

/* With size 0: how long the value is. */
ssize_t getxattr(const char *path, const char *name, void *value, size_t size);
ssize_t lgetxattr(const char *path, const char *name, void *value, size_t size);
ssize_t fgetxattr(int fd, const char *name, void *value, size_t size);

/* The names, each with its NUL. */
ssize_t listxattr(const char *path, char *names, size_t size);
ssize_t llistxattr(const char *path, char *names, size_t size);
ssize_t flistxattr(int fd, char *names, size_t size);

int removexattr(const char *path, const char *name);
int lremovexattr(const char *path, const char *name);
int fremovexattr(int fd, const char *name);

_END_STD_C

#endif
