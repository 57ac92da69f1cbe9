/* SPDX-License-Identifier: BSD-2-Clause */
/* sys/file.h - flock; picolibc has the constants (fcntl.h), and leaves the function to the system. */
#pragma once

#include <fcntl.h>

#ifndef LOCK_SH /* not shown by fcntl.h to strict POSIX programs */
#define LOCK_SH 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8
#endif

#ifdef __cplusplus
extern "C" {
#endif

int flock(int fd, int operation);

#ifdef __cplusplus
}
#endif
