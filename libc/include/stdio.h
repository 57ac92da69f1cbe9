/* SPDX-License-Identifier: BSD-2-Clause */
/* stdio.h - picolibc's, with the buffer size that the library was built with. */
#ifndef LINTEL_STDIO_H
#define LINTEL_STDIO_H
#undef BUFSIZ
#define BUFSIZ 4096
#include_next <stdio.h>
#endif
