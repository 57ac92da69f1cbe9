/* SPDX-License-Identifier: BSD-2-Clause */
/* dir.c - directory streams. A position is the server's cookie of the entry before; in the name space itself, the
 * number of entries passed. What the server sends is checked before it is believed. */
#include <dirent.h>
#include <emmintrin.h>
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
	char buffer[DIR_BUFFER_BYTES + sizeof(struct dirent)] ALIGNED(8); /* room behind, for who copies whole entries */
};

_Static_assert(offsetof(struct dirent, d_ino) == offsetof(struct fs_dirent, inode), "entries are handed out in place");
_Static_assert(offsetof(struct dirent, d_off) == offsetof(struct fs_dirent, cookie), "the same");
_Static_assert(offsetof(struct dirent, d_reclen) == offsetof(struct fs_dirent, record_bytes), "the same");
_Static_assert(offsetof(struct dirent, d_namlen) == offsetof(struct fs_dirent, name_bytes), "the same");
_Static_assert(offsetof(struct dirent, d_type) == offsetof(struct fs_dirent, type), "the same");
_Static_assert(offsetof(struct dirent, d_name) == sizeof(struct fs_dirent), "the same");

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
	dir->fd = fd;
	dir->file = file;
	dir->lock = (struct lock){ 0 };
	dir->position = dir->at = dir->end = 0;
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

static ALWAYS_INLINE unsigned char entry_type(uint32_t type)
{
	static const unsigned char types[] = {
		[FS_TYPE_FILE] = DT_REG, [FS_TYPE_DIRECTORY] = DT_DIR, [FS_TYPE_SYMLINK] = DT_LNK, [FS_TYPE_DEVICE] = DT_CHR,
	};

	return type < sizeof(types) ? types[type] : DT_UNKNOWN; /* 0 is DT_UNKNOWN, too */
}

static err_t fill(DIR *dir)
{
	uint64_t bytes = 0, next = 0;
	err_t error = fs_readdir(dir->file->session, dir->file->number, dir->position, dir->buffer,
							 DIR_BUFFER_BYTES, &bytes, &next);

	if (error != OK)
		return error;
	if (bytes > DIR_BUFFER_BYTES)
		return ERR_IO;
	dir->at = 0;
	dir->end = bytes;
	return OK;
}

/* Is there neither a NUL nor a slash in the name? Looks at 16 bytes at a time: there is room behind the buffer. */
static ALWAYS_INLINE bool name_is_good(const char *name, size_t bytes)
{
	for (;;) {
		const __m128i text = _mm_loadu_si128((const __m128i *)(const void *)name);
		const __m128i bad = _mm_or_si128(_mm_cmpeq_epi8(text, _mm_set1_epi8('/')),
										 _mm_cmpeq_epi8(text, _mm_setzero_si128()));
		const uint32_t where = (uint32_t)_mm_movemask_epi8(bad);
		if (likely(bytes <= 16))
			return (where & ((1u << bytes) - 1)) == 0;
		if (where != 0)
			return false;
		name += 16;
		bytes -= 16;
	}
}

/* The next record of the buffer, as the entry that it is, but for the type; NULL if it is not well-formed. */
static ALWAYS_INLINE struct dirent *take_record(DIR *dir)
{
	struct dirent *entry = (struct dirent *)(void *)(dir->buffer + dir->at);
	const struct fs_dirent *record = (const struct fs_dirent *)(const void *)entry;
	const size_t left = dir->end - dir->at, record_bytes = record->record_bytes, name_bytes = record->name_bytes;

	if (left < sizeof(*record) || record_bytes % 8 != 0 || record_bytes > left ||
		name_bytes - 1 >= NAME_BYTES_MAX || sizeof(*record) + name_bytes >= record_bytes ||
		!name_is_good(entry->d_name, name_bytes))
		return NULL;
	entry->d_name[name_bytes] = 0;
	entry->d_type = entry_type(record->type);
	dir->at += record_bytes;
	dir->position = (uint64_t)entry->d_off;
	return entry;
}

static struct dirent *read_namespace(DIR *dir)
{
	struct dirent *entry = (struct dirent *)(void *)dir->buffer;

	*entry = (struct dirent){ .d_reclen = sizeof(struct dirent), .d_type = DT_DIR };
	if (!mount_child_name(dir->file->path, (uint32_t)dir->position, entry->d_name))
		return NULL;
	entry->d_namlen = (unsigned short)strlen(entry->d_name);
	entry->d_ino = 2 + dir->position;
	entry->d_off = (off_t)++dir->position;
	return entry;
}

static struct dirent *read_server(DIR *dir)
{
	err_t error = fill(dir);

	if (error != OK) {
		fail(error);
		return NULL;
	}
	if (dir->at == dir->end)
		return NULL;
	struct dirent *entry = take_record(dir);
	if (entry == NULL)
		fail(ERR_IO);
	return entry;
}

/* The buffer is empty. NULL at the end, or with errno. */
static COLD struct dirent *read_more(DIR *dir)
{
	return dir->file->kind == FILE_NAMESPACE ? read_namespace(dir) : read_server(dir);
}

struct dirent *readdir(DIR *dir)
{
	lock_acquire(&dir->lock);
	const bool buffered = likely(dir->at != dir->end);
	struct dirent *entry = buffered ? take_record(dir) : read_more(dir);
	lock_release(&dir->lock);
	if (unlikely(entry == NULL && buffered))
		fail(ERR_IO);
	return entry;
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
