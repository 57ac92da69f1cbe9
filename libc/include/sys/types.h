/* SPDX-License-Identifier: BSD-2-Clause */
/* sys/types.h - picolibc's, plus the types of threads. */
#ifndef LINTEL_SYS_TYPES_H
#define LINTEL_SYS_TYPES_H
#include_next <sys/types.h>
#include <sys/_pthreadtypes.h>
#endif
