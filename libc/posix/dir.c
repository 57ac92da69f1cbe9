/* SPDX-License-Identifier: BSD-2-Clause */
/* dir.c - directory streams. A position is the server's cookie of the entry before; in the name space itself, the
 * number of entries passed. What the server sends is checked before it is believed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <lintel/fs_client.h>

#include "core/sys.h"
#include "posix/file.h"

#define DIR_BUFFER_BYTES 8192

struct lintel_dir {
	int fd;
	struct file *file; /* a reference */
	struct lock lock;
	uint64_t position; /* under lock: of the next entry */
	size_t at, end;    /* under lock: in the buffer */
	struct dirent entry;
	char buffer[DIR_BUFFER_BYTES] ALIGNED(8);
};

DIR *fdopendir(int fd)
{
	struct file *file = file_get(fd);

	if (file == NULL)
		return NULL;
	if (file->kind != FILE_DIRECTORY && file->kind != FILE_NAMESPACE) {
		file_drop(file);
		errno = ENOTDIR;
		return NULL;
	}
	DIR *dir = malloc(sizeof(*dir));
	if (dir == NULL) {
		file_drop(file);
		return NULL;
	}
	*dir = (DIR){ .fd = fd, .file = file };
	return dir;
}

DIR *opendir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	DIR *dir = fdopendir(fd);
	if (dir == NULL)
		close(fd);
	return dir;
}

int closedir(DIR *dir)
{
	int fd = dir->fd;

	file_drop(dir->file);
	free(dir);
	return close(fd);
}

int dirfd(DIR *dir)
{
	return dir->fd;
}

static unsigned char entry_type(uint32_t type)
{
	switch ((enum fs_type)type) {
	case FS_TYPE_FILE: return DT_REG;
	case FS_TYPE_DIRECTORY: return DT_DIR;
	case FS_TYPE_SYMLINK: return DT_LNK;
	case FS_TYPE_DEVICE: return DT_CHR;
	}
	return DT_UNKNOWN;
}

static err_t fill(DIR *dir)
{
	uint64_t bytes = 0, next = 0;
	err_t error = fs_readdir(dir->file->session, dir->file->number, dir->position, dir->buffer,
							 sizeof(dir->buffer), &bytes, &next);

	if (error != OK)
		return error;
	if (bytes > sizeof(dir->buffer))
		return ERR_IO;
	dir->at = 0;
	dir->end = bytes;
	return OK;
}

/* Copies the name and looks that it has neither a NUL nor a slash: 8 bytes at a time, of which the record, filled up to
 * whole words, has all. */
static bool name_take(char *to, const char *from, size_t bytes)
{
	const uint64_t ones = 0x0101010101010101ull, slashes = ones * '/';
	uint64_t bad = 0;

	if (bytes % sizeof(ones) == 0)
		to[bytes] = 0; /* else the last word brings its own */
	for (; bytes != 0; bytes -= bytes < 8 ? bytes : 8, from += 8, to += 8) {
		const uint64_t beyond = bytes < 8 ? UINT64_MAX << 8 * bytes : 0;
		uint64_t word;
		memcpy(&word, from, sizeof(word));
		const uint64_t text = word | beyond, unlike = text ^ slashes;
		bad |= ((text - ones) & ~text) | ((unlike - ones) & ~unlike);
		word &= ~beyond;
		memcpy(to, &word, sizeof(word));
	}
	return (bad & ones << 7) == 0;
}

/* The next record of the buffer into dir->entry; ERR_IO if it is not well-formed. */
static err_t take_record(DIR *dir)
{
	struct fs_dirent record;
	size_t left = dir->end - dir->at;

	if (left < sizeof(record))
		return ERR_IO;
	memcpy(&record, dir->buffer + dir->at, sizeof(record));
	const size_t padded = (record.name_bytes + 7u) & ~(size_t)7;
	if (record.record_bytes % 8 != 0 || record.record_bytes > left || record.name_bytes == 0 ||
		record.name_bytes > NAME_BYTES_MAX || sizeof(record) + padded > record.record_bytes)
		return ERR_IO;
	if (!name_take(dir->entry.d_name, dir->buffer + dir->at + sizeof(record), record.name_bytes))
		return ERR_IO;
	dir->entry.d_ino = record.inode;
	dir->entry.d_off = (off_t)record.cookie;
	dir->entry.d_reclen = sizeof(struct dirent);
	dir->entry.d_type = entry_type(record.type);
	dir->at += record.record_bytes;
	dir->position = record.cookie;
	return OK;
}

static err_t read_namespace(DIR *dir, bool *more)
{
	dir->entry = (struct dirent){ .d_reclen = sizeof(struct dirent), .d_type = DT_DIR };
	*more = mount_child_name(dir->file->path, (uint32_t)dir->position, dir->entry.d_name);
	if (*more) {
		dir->entry.d_ino = 2 + dir->position;
		dir->entry.d_off = (off_t)++dir->position;
	}
	return OK;
}

static err_t read_server(DIR *dir, bool *more)
{
	err_t error = OK;

	if (dir->at == dir->end)
		error = fill(dir);
	*more = dir->at != dir->end;
	return error != OK || !*more ? error : take_record(dir);
}

struct dirent *readdir(DIR *dir)
{
	bool more = false;

	lock_acquire(&dir->lock);
	err_t error = dir->file->kind == FILE_NAMESPACE ? read_namespace(dir, &more) : read_server(dir, &more);
	lock_release(&dir->lock);
	if (error != OK)
		fail(error);
	return error == OK && more ? &dir->entry : NULL;
}

void seekdir(DIR *dir, long position)
{
	lock_acquire(&dir->lock);
	dir->position = (uint64_t)position;
	dir->at = dir->end = 0;
	lock_release(&dir->lock);
}

long telldir(DIR *dir)
{
	lock_acquire(&dir->lock);
	long position = (long)dir->position;
	lock_release(&dir->lock);
	return position;
}

void rewinddir(DIR *dir)
{
	seekdir(dir, 0);
}
