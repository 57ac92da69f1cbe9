/* SPDX-License-Identifier: BSD-2-Clause */
/* utime.h - picolibc's, plus the function, and the type that it needs and does not include. */
#ifndef LINTEL_UTIME_H
#define LINTEL_UTIME_H
#include <sys/types.h>
#include_next <utime.h>
_BEGIN_STD_C
int utime(const char *path, const struct utimbuf *times);
_END_STD_C
#endif
