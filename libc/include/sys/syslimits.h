/* SPDX-License-Identifier: BSD-2-Clause */
/* sys/syslimits.h - picolibc's, with Lintel's limits. */
#ifndef LINTEL_SYS_SYSLIMITS_H
#define LINTEL_SYS_SYSLIMITS_H
#include_next <sys/syslimits.h>
#undef PATH_MAX
#undef OPEN_MAX
#define PATH_MAX 4096
#define OPEN_MAX 1024
#define PTHREAD_KEYS_MAX 128
#define PTHREAD_STACK_MIN 16384
#define PTHREAD_DESTRUCTOR_ITERATIONS 4
#endif
