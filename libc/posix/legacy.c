/* SPDX-License-Identifier: BSD-2-Clause */
/* legacy.c - what POSIX has dropped or has a successor for, and programs still call: getwd, ioctl, utime, utimes. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>
#include <utime.h>

#include "posix/file.h"
#include "posix/mount.h"

/* The buffer has PATH_MAX bytes, says SUSv2; on failure it holds the reason. */
char *getwd(char *buffer)
{
	char path[PATH_BYTES_MAX + 1];

	cwd_copy(path);
	if (strlen(path) < PATH_MAX)
		return strcpy(buffer, path);
	errno = ENAMETOOLONG;
	strcpy(buffer, strerror(ENAMETOOLONG));
	return NULL;
}

int ioctl(int fd, int request, ...)
{
	va_list more;

	va_start(more, request);
	if (request == FICLONE) {
		const struct file_clone_range all = { .src_fd = va_arg(more, int) };
		va_end(more);
		return range_clone(fd, &all);
	}
	if (request == FICLONERANGE) {
		const struct file_clone_range *range = va_arg(more, const struct file_clone_range *);
		va_end(more);
		return range_clone(fd, range);
	}
	va_end(more);
	struct file *file = file_get(fd);
	if (file == NULL)
		return -1;
	file_drop(file);
	errno = ENOTTY;
	return -1;
}

int utime(const char *path, const struct utimbuf *times)
{
	if (times == NULL)
		return utimensat(AT_FDCWD, path, NULL, 0);
	const struct timespec exact[2] = { { .tv_sec = times->actime }, { .tv_sec = times->modtime } };
	return utimensat(AT_FDCWD, path, exact, 0);
}

static struct timespec time_from_us(struct timeval time)
{
	bool valid = time.tv_usec >= 0 && time.tv_usec < 1000000;

	/* utimensat gives some values of tv_nsec a meaning of their own. */
	return (struct timespec){ .tv_sec = time.tv_sec, .tv_nsec = valid ? time.tv_usec * 1000 : 1000000000 };
}

int utimes(const char *path, const struct timeval times[2])
{
	if (times == NULL)
		return utimensat(AT_FDCWD, path, NULL, 0);
	const struct timespec exact[2] = { time_from_us(times[0]), time_from_us(times[1]) };
	return utimensat(AT_FDCWD, path, exact, 0);
}
