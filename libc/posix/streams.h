/* SPDX-License-Identifier: BSD-2-Clause */
/* streams.h - the list of open streams, which picolibc's stdio does not keep: fflush(NULL) and exit() go through it.
 * Private to libc. */
#pragma once

#include <stdio.h>
#include <stdio-bufio.h>

/* What fopen, fdopen and tmpfile give. picolibc frees it as it would its own, by the address of the first member. */
struct stream {
	struct __file_bufio file;
	struct stream *next, **link; /* under the list's lock; link NULL: not on it */
	char buffer[BUFSIZ];
};

void stream_add(struct stream *stream);
