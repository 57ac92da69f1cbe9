/* SPDX-License-Identifier: BSD-2-Clause */
/* io.c - reading and writing. Buffers go straight into the server's window, at most WINDOW_BYTES_MAX at a time. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <lintel/console_client.h>
#include <lintel/fs_client.h>

#include "core/sys.h"
#include "posix/file.h"
#include "posix/hold.h"

#define CONSOLE_NO_WAIT 1
#define IO_BYTES_MAX ((size_t)INT64_MAX)
/* Most files are shorter than the buffers they are read into: the whole buffer is shown only for those that are not. */
#define FIRST_READ_BYTES ((size_t)64 << 10)

/* One server's answer is not trusted: it cannot have moved more than it was given. */
static err_t checked(err_t error, uint64_t done, size_t asked)
{
	return error == OK && done > asked ? ERR_IO : error;
}

static size_t piece(size_t left)
{
	return left < WINDOW_BYTES_MAX ? left : WINDOW_BYTES_MAX;
}

static __attribute__((noinline)) err_t read_long(struct file *file, uint64_t offset, char *buffer, size_t bytes,
												 size_t *total)
{
	size_t at = 0;

	do {
		uint64_t done = 0;
		size_t wanted = at == 0 ? FIRST_READ_BYTES : piece(bytes - at);
		err_t error = fs_read(file->session, file->number, offset + at, buffer + at, wanted, &done);
		error = checked(error, done, wanted);
		if (error != OK && at == 0)
			return error;
		at += error == OK ? done : 0;
		if (error != OK || done < wanted)
			break;
	} while (at < bytes);
	*total = at;
	return OK;
}

static ALWAYS_INLINE err_t read_at(struct file *file, uint64_t offset, char *buffer, size_t bytes, size_t *total)
{
	if (unlikely(bytes > FIRST_READ_BYTES))
		return read_long(file, offset, buffer, bytes, total);
	err_t error = fs_read(file->session, file->number, offset, buffer, bytes, total);
	return checked(error, *total, bytes);
}

/* *end is the file offset after the last byte. */
static err_t write_at(struct file *file, uint64_t offset, const char *buffer, size_t bytes, size_t *total,
					  uint64_t *end)
{
	uint32_t flags = __atomic_load_n(&file->flags, __ATOMIC_RELAXED) & O_APPEND ? FS_OPEN_APPEND : 0;
	size_t at = 0;

	*end = offset;
	do {
		uint64_t done = 0;
		size_t wanted = piece(bytes - at);
		err_t error = fs_write(file->session, file->number, offset + at, flags, buffer + at, wanted, &done, end);
		error = checked(error, done, wanted);
		if (error != OK && at == 0)
			return error;
		at += error == OK ? done : 0;
		if (error != OK || done < wanted)
			break;
	} while (at < bytes);
	*total = at;
	return OK;
}

/* pread and pwrite begin in lease_code.S. */
ssize_t pread_call(int fd, void *buffer, size_t bytes, off_t offset)
{
	struct file *file = file_get_regular(fd, O_RDONLY);
	size_t total = 0;

	if (file == NULL)
		return -1;
	err_t error = offset < 0 || bytes > IO_BYTES_MAX ? ERR_ARGS
													 : read_at(file, (uint64_t)offset, buffer, bytes, &total);
	lease_consider(file, total);
	file_drop(file);
	return error == OK ? (ssize_t)total : fail(error);
}

ssize_t pwrite_call(int fd, const void *buffer, size_t bytes, off_t offset)
{
	struct file *file = file_get_regular(fd, O_WRONLY);
	uint64_t end;
	size_t total = 0;

	if (file == NULL)
		return -1;
	err_t error = offset < 0 || bytes > IO_BYTES_MAX ? ERR_ARGS
													 : write_at(file, (uint64_t)offset, buffer, bytes, &total, &end);
	lease_consider(file, total);
	file_drop(file);
	return error == OK ? (ssize_t)total : fail(error);
}

static err_t console_in(struct file *file, void *buffer, size_t bytes, size_t *total)
{
	uint32_t flags = __atomic_load_n(&file->flags, __ATOMIC_RELAXED) & O_NONBLOCK ? CONSOLE_NO_WAIT : 0;
	uint64_t done = 0;

	if (bytes == 0)
		return OK;
	err_t error = checked(console_read(file->session, flags, buffer, piece(bytes), &done), done, piece(bytes));
	*total = error == OK ? done : 0;
	return error;
}

static err_t console_out(struct file *file, const char *buffer, size_t bytes, size_t *total)
{
	size_t at = 0;

	while (at < bytes) {
		uint64_t done = 0;
		size_t wanted = piece(bytes - at);
		err_t error = checked(console_write(file->session, buffer + at, wanted, &done), done, wanted);
		if (error != OK && at == 0)
			return error;
		if (error != OK || done == 0)
			break;
		at += done;
	}
	*total = at;
	return OK;
}

static ssize_t read_call(int fd, void *buffer, size_t bytes)
{
	struct file *file = file_get(fd);
	size_t total = 0;
	err_t error = ERR_IS_DIR;

	if (file == NULL)
		return -1;
	if (!file_readable(file)) {
		error = ERR_BAD_HANDLE;
	} else if (bytes > IO_BYTES_MAX) {
		error = ERR_ARGS;
	} else if (file->kind == FILE_CONSOLE) {
		error = console_in(file, buffer, bytes, &total);
	} else if (file->kind == FILE_REGULAR) {
		lock_acquire(&file->lock);
		error = read_at(file, file->offset, buffer, bytes, &total);
		file->offset += error == OK ? total : 0;
		lock_release(&file->lock);
		lease_consider(file, total);
	}
	file_drop(file);
	return error == OK ? (ssize_t)total : fail(error);
}

ssize_t read(int fd, void *buffer, size_t bytes)
{
	struct file *file = file_hold(fd);
	ssize_t done = LEASE_ASK;

	if (likely(file != NULL)) {
		struct lease *lease = __atomic_load_n(&file->lease, __ATOMIC_ACQUIRE);
		if (lease != NULL && bytes <= IO_BYTES_MAX) {
			lock_acquire(&file->lock);
			done = lease_read(lease, buffer, bytes, file->offset);
			file->offset += done > 0 ? (uint64_t)done : 0;
			lock_release(&file->lock);
		}
		file_release();
		if (likely(done >= 0))
			return done;
	}
	return read_call(fd, buffer, bytes);
}

static ssize_t write_call(int fd, const void *buffer, size_t bytes)
{
	struct file *file = file_get(fd);
	uint64_t end;
	size_t total = 0;
	err_t error = ERR_BAD_HANDLE;

	if (file == NULL)
		return -1;
	if (file_writable(file) && bytes > IO_BYTES_MAX) {
		error = ERR_ARGS;
	} else if (file_writable(file) && file->kind == FILE_CONSOLE) {
		error = console_out(file, buffer, bytes, &total);
	} else if (file_writable(file) && file->kind == FILE_REGULAR) {
		lock_acquire(&file->lock);
		error = write_at(file, file->offset, buffer, bytes, &total, &end);
		if (error == OK && total > 0)
			file->offset = end;
		lock_release(&file->lock);
		lease_consider(file, total);
	}
	file_drop(file);
	return error == OK ? (ssize_t)total : fail(error);
}

ssize_t write(int fd, const void *buffer, size_t bytes)
{
	struct file *file = file_hold(fd);
	ssize_t done = LEASE_ASK;

	if (likely(file != NULL)) {
		struct lease *lease = __atomic_load_n(&file->write_lease, __ATOMIC_ACQUIRE);
		if (lease != NULL && bytes <= IO_BYTES_MAX) {
			lock_acquire(&file->lock);
			done = lease_write(lease, buffer, bytes, file->offset);
			file->offset += done > 0 ? (uint64_t)done : 0;
			lock_release(&file->lock);
		}
		file_release();
		if (likely(done >= 0))
			return done;
	}
	return write_call(fd, buffer, bytes);
}

static err_t seek_base(struct file *file, off_t offset, int whence, uint64_t *base)
{
	struct fs_stat st;
	err_t error;

	switch (whence) {
	case SEEK_SET:
		*base = 0;
		return OK;
	case SEEK_CUR:
		*base = file->offset;
		return OK;
	case SEEK_END:
		error = fs_fstat(file->session, file->number, &st);
		*base = error == OK ? st.size : 0;
		return error;
	case SEEK_DATA:
	case SEEK_HOLE:
		return offset < 0 ? ERR_NOT_FOUND /* as it lies behind every end */
						  : fs_seek(file->session, file->number, (uint64_t)offset,
									whence == SEEK_DATA ? FS_SEEK_DATA : FS_SEEK_HOLE, base);
	}
	return ERR_ARGS;
}

static off_t seek_call(int fd, off_t offset, int whence)
{
	struct file *file = file_get_regular(fd, -1);
	uint64_t base;
	off_t result = 0;

	if (file == NULL)
		return -1;
	lock_acquire(&file->lock);
	err_t error = seek_base(file, offset, whence, &base);
	if (error == OK) {
		bool found = whence == SEEK_DATA || whence == SEEK_HOLE;
		if (__builtin_add_overflow(base, found ? 0 : offset, &result) || result < 0)
			error = ERR_ARGS;
		else
			file->offset = (uint64_t)result;
	}
	lock_release(&file->lock);
	if (whence == SEEK_END)
		lease_consider(file, 0);
	file_drop(file);
	if (error == OK)
		return result;
	fail(error);
	errno = error == ERR_NOT_FOUND ? ENXIO : errno; /* past the last data, or the end */
	return -1;
}

/* The base to which SEEK_CUR or SEEK_END adds, if it is known here. Under file->lock. */
static int64_t seek_base_here(const struct file *file, int whence)
{
	struct lease *lease = __atomic_load_n(&file->lease, __ATOMIC_ACQUIRE);

	if (whence == SEEK_SET)
		return 0;
	if (whence == SEEK_CUR)
		return (int64_t)file->offset;
	return whence == SEEK_END && lease != NULL ? lease_size(lease) : LEASE_ASK;
}

off_t lseek(int fd, off_t offset, int whence)
{
	struct file *file = file_hold(fd);
	off_t result = -1;

	if (likely(file != NULL)) {
		if (file->kind == FILE_REGULAR) {
			lock_acquire(&file->lock);
			int64_t base = seek_base_here(file, whence);
			if (base < 0 || __builtin_add_overflow(base, offset, &result))
				result = -1;
			if (result >= 0)
				file->offset = (uint64_t)result;
			lock_release(&file->lock);
		}
		file_release();
		if (likely(result >= 0))
			return result;
	}
	return seek_call(fd, offset, whence);
}
