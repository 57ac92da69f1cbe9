/* SPDX-License-Identifier: BSD-2-Clause */
/* unistd.h - picolibc's, plus copying from file to file. */
#ifndef LINTEL_UNISTD_H
#define LINTEL_UNISTD_H
#include_next <unistd.h>
#include <sys/cdefs.h>

#if __GNU_VISIBLE
#ifdef __cplusplus
extern "C" {
#endif
ssize_t copy_file_range(int from, off_t *from_offset, int to, off_t *to_offset, size_t bytes, unsigned flags);
#ifdef __cplusplus
}
#endif
#endif
#endif
