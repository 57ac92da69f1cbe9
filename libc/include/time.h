/* SPDX-License-Identifier: BSD-2-Clause */
/* time.h - picolibc's; with the CPU-time clock it needs pid_t, which it does not include itself. */
#ifndef LINTEL_TIME_H
#define LINTEL_TIME_H
#include <sys/types.h>
#include_next <time.h>
#endif
