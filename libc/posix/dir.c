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

#define DIR_BUFFER_BYTES 24576

struct lintel_dir {
	int fd;
	struct lock lock;
	bool complete;     /* under lock: nothing follows what is in the buffer */
	uint64_t position; /* under lock: of the next entry */
	struct file *file; /* a reference */
	size_t at, end;    /* under lock: in the buffer, entries that may be handed out as they are */
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
	dir->complete = false;
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

/* Which of the 16 bytes at `text` no name can have: a NUL, or a slash. */
static ALWAYS_INLINE uint32_t ends_of_name(const char *text)
{
	const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)text);
	const __m128i slash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('/'));

	return (uint32_t)_mm_movemask_epi8(_mm_or_si128(slash, _mm_cmpeq_epi8(bytes, _mm_setzero_si128())));
}

/* There is room behind the buffer, also to look at what is too short to be a record. */
static bool name_is_good(const char *name, size_t bytes)
{
	for (; bytes > 16; name += 16, bytes -= 16)
		if (ends_of_name(name) != 0)
			return false;
	return (ends_of_name(name) & ((1u << bytes) - 1)) == 0;
}

static COLD bool record_is_good(const struct fs_dirent *record)
{
	const size_t bytes = record->record_bytes, name_bytes = record->name_bytes;

	return bytes % 8 == 0 && sizeof(*record) + name_bytes < bytes && name_bytes - 1 < NAME_BYTES_MAX &&
		   name_is_good((const char *)(record + 1), name_bytes);
}

/* A record as most are, so that it takes one look: no longer than it has to be, a name of at most 16 bytes. */
static ALWAYS_INLINE bool record_is_plain(const struct fs_dirent *record)
{
	const size_t bytes = record->record_bytes, name_bytes = record->name_bytes;
	const uint32_t ends = ends_of_name((const char *)(record + 1));

	return bytes == ((sizeof(*record) + name_bytes + 8) & ~(size_t)7) && name_bytes != 0 &&
		   (uint32_t)__builtin_ctz(ends | 1u << 16) == (uint32_t)name_bytes;
}

/* The records at [at, end) of the buffer become the entries that they are, but for the type, up to the first that is
 * not well-formed: where that is. */
static size_t take_records(DIR *dir, size_t at, size_t end)
{
	while (at < end) {
		struct dirent *entry = (struct dirent *)(void *)(dir->buffer + at);
		const struct fs_dirent *record = (const struct fs_dirent *)(const void *)entry;
		const size_t next = at + record->record_bytes;
		if (unlikely(next > end || !(likely(record_is_plain(record)) || record_is_good(record))))
			break;
		entry->d_name[record->name_bytes] = 0;
		entry->d_type = entry_type(record->type);
		at = next;
	}
	return at;
}

/* ERR_IO: what the server has sent begins with no entry. */
static err_t fill(DIR *dir)
{
	uint64_t bytes = 0, next = 0;

	if (dir->complete)
		return OK;
	err_t error = fs_readdir(dir->file->session, dir->file->number, dir->position, dir->buffer,
							 DIR_BUFFER_BYTES, &bytes, &next);

	if (error != OK)
		return error;
	if (bytes > DIR_BUFFER_BYTES)
		return ERR_IO;
	dir->at = 0;
	dir->end = take_records(dir, 0, bytes);
	dir->complete = next == 0 && dir->end == bytes;
	return dir->end == 0 && bytes != 0 ? ERR_IO : OK;
}

/* The next entry of the buffer, in which there is one. */
static ALWAYS_INLINE struct dirent *take_entry(DIR *dir)
{
	struct dirent *entry = (struct dirent *)(void *)(dir->buffer + dir->at);

	dir->at += entry->d_reclen;
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

/* The buffer is empty. NULL at the end, or with errno. */
static struct dirent *read_more(DIR *dir)
{
	if (dir->file->kind == FILE_NAMESPACE)
		return read_namespace(dir);
	err_t error = fill(dir);
	if (error != OK)
		fail(error);
	return dir->at != dir->end ? take_entry(dir) : NULL;
}

/* The lock is held, and let go. */
static __attribute__((noinline)) struct dirent *readdir_locked(DIR *dir)
{
	struct dirent *entry = dir->at != dir->end ? take_entry(dir) : read_more(dir);

	lock_release(&dir->lock);
	return entry;
}

static COLD struct dirent *readdir_waiting(DIR *dir)
{
	lock_acquire(&dir->lock);
	return readdir_locked(dir);
}

static COLD struct dirent *wake_with(DIR *dir, struct dirent *entry)
{
	lock_wake(&dir->lock);
	return entry;
}

/* Most calls find an entry and nobody who waits: those need no frame. */
struct dirent *readdir(DIR *dir)
{
	if (unlikely(!lock_try(&dir->lock)))
		return readdir_waiting(dir);
	if (unlikely(dir->at == dir->end))
		return readdir_locked(dir);
	struct dirent *entry = take_entry(dir);
	if (unlikely(lock_release_quietly(&dir->lock)))
		return wake_with(dir, entry);
	return entry;
}

void seekdir(DIR *dir, long position)
{
	lock_acquire(&dir->lock);
	dir->position = (uint64_t)position;
	dir->at = dir->end = 0;
	dir->complete = false;
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
