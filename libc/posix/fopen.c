/* SPDX-License-Identifier: BSD-2-Clause */
/* fopen.c - fopen, fdopen and tmpfile: picolibc's buffered streams over descriptors, kept on the list of streams. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "posix/streams.h"

int __stdio_flags(const char *mode, int *open_flags); /* picolibc: 0 and EINVAL for a mode that is none */

FILE *fdopen(int fd, const char *mode)
{
	int open_flags, stream_flags = __stdio_flags(mode, &open_flags);
	struct stream *stream;

	if (stream_flags == 0)
		return NULL;
	stream = calloc(1, sizeof(*stream));
	if (stream == NULL)
		return NULL;
	stream->file = (struct __file_bufio)FDEV_SETUP_BUFIO(fd, stream->buffer, BUFSIZ, read, write, lseek, close,
														  stream_flags, __BFALL);
	FILE *file = &stream->file.xfile.cfile.file;
	if (open_flags & O_APPEND)
		(void)fseeko(file, 0, SEEK_END);
	stream_add(stream);
	return file;
}

FILE *fopen(const char *restrict path, const char *restrict mode)
{
	int open_flags;

	if (__stdio_flags(mode, &open_flags) == 0)
		return NULL;
	int fd = open(path, open_flags, 0666);
	if (fd < 0)
		return NULL;
	FILE *file = fdopen(fd, mode);
	if (file == NULL)
		close(fd);
	return file;
}

FILE *tmpfile(void)
{
	char path[] = "/tmp/tmpfileXXXXXX";
	int fd = mkstemp(path);

	if (fd < 0)
		return NULL;
	unlink(path);
	FILE *file = fdopen(fd, "w+");
	if (file == NULL)
		close(fd);
	return file;
}
