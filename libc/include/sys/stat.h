/* SPDX-License-Identifier: BSD-2-Clause */
/* sys/stat.h - picolibc's, plus the special times of utimensat. */
#ifndef LINTEL_SYS_STAT_H
#define LINTEL_SYS_STAT_H
#include_next <sys/stat.h>
#ifndef UTIME_NOW
#define UTIME_NOW (-2L)
#define UTIME_OMIT (-1L)
#endif
#endif
