/* SPDX-License-Identifier: BSD-2-Clause */
/* open.c - open, creat, and what follows from a descriptor: stat, truncate, sync. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <lintel/fs_client.h>

#include "core/sys.h"
#include "posix/file.h"
#include "posix/file_lock.h"
#include "posix/hold.h"
#include "posix/stat.h"

#define OPEN_LOCKS (O_SHLOCK | O_EXLOCK)

static mode_t umask_bits = 022; /* [a] */

mode_t umask(mode_t mask)
{
	return __atomic_exchange_n(&umask_bits, mask & 0777, __ATOMIC_RELAXED);
}

mode_t mode_masked(mode_t mode)
{
	return mode & 07777 & ~__atomic_load_n(&umask_bits, __ATOMIC_RELAXED);
}

static inline bool is_nameless(int flags)
{
	return (flags & O_TMPFILE) == O_TMPFILE;
}

_Static_assert(O_RDONLY + 1 == FS_OPEN_READ && O_WRONLY + 1 == FS_OPEN_WRITE &&
				   O_RDWR + 1 == (FS_OPEN_READ | FS_OPEN_WRITE), "the access modes differ by one");

uint32_t open_flags_to_fs(int flags)
{
	uint32_t out = (uint32_t)(flags & O_ACCMODE) + 1;

	out |= flags & O_CREAT ? FS_OPEN_CREATE : 0;
	out |= flags & O_EXCL ? FS_OPEN_EXCLUSIVE : 0;
	out |= flags & O_TRUNC ? FS_OPEN_TRUNCATE : 0;
	out |= flags & O_APPEND ? FS_OPEN_APPEND : 0;
	out |= is_nameless(flags) ? FS_OPEN_NAMELESS : flags & O_DIRECTORY ? FS_OPEN_DIRECTORY : 0;
	out |= flags & O_NOFOLLOW ? FS_OPEN_NO_FOLLOW : 0;
	return out;
}

/* A new struct file for the opened place, with a reference to its mount. */
static ALWAYS_INLINE err_t open_place(struct place *place, int flags, mode_t mode, struct file **out)
{
	uint64_t number = 0, size, inode;
	uint32_t type = FS_TYPE_DIRECTORY;

	if (place->mount == NULL) {
		if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT))
			return ERR_IS_DIR;
	} else {
		if (place->directory && (flags & O_CREAT))
			return ERR_IS_DIR;
		if (!mount_try_reference(place->mount))
			return ERR_PEER_DIED;
		const uint32_t directory = place->directory && !is_nameless(flags) ? FS_OPEN_DIRECTORY : 0;
		const int now = flags & OPEN_LOCKS ? flags & ~O_TRUNC : flags;
		err_t error = fs_open(place->session, open_flags_to_fs(now) | directory, mode_masked(mode), place->rest,
							  &number, &size, &type, &inode);
		if (error != OK) {
			mount_drop(place->mount);
			return error;
		}
	}
	enum file_kind kind = place->mount == NULL        ? FILE_NAMESPACE
						  : type == FS_TYPE_DIRECTORY ? FILE_DIRECTORY
													  : FILE_REGULAR;
	flags &= ~(OPEN_LOCKS | O_CREAT | O_EXCL | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY));
	const size_t path_bytes = place->path_bytes != 0 ? place->path_bytes : strlen(place->path);
	*out = file_new(kind, flags, place->session, number, place->mount, place->path, path_bytes);
	if (*out != NULL)
		return OK;
	if (place->mount != NULL)
		drop(fs_close(place->session, number));
	mount_drop(place->mount);
	return ERR_NO_MEMORY;
}

/* O_SHLOCK, O_EXLOCK: there is no descriptor before the lock, and nothing is truncated. The file goes if it fails. */
static COLD int lock_and_truncate(struct file *file, int flags)
{
	err_t error = file_lock_opening(file, flags);

	if (error == OK && flags & O_TRUNC && file->kind == FILE_REGULAR && file_writable(file))
		error = fs_setattr(file->session, file->number, &(struct fs_setattr){ .set = FS_SET_SIZE });
	if (error == OK)
		return 0;
	file_drop(file);
	errno = error == ERR_LIMIT ? ENOLCK : error == ERR_UNSUPPORTED ? EOPNOTSUPP : lintel_errno(error);
	return -1;
}

static ALWAYS_INLINE int open_path(const char *path, int flags, mode_t mode)
{
	struct place place;
	struct file *file = NULL;

	if ((flags & O_ACCMODE) == O_ACCMODE || (flags & OPEN_LOCKS) == OPEN_LOCKS)
		return fail(ERR_ARGS);
	err_t error = place_find(path, &place);
	if (error != OK)
		return fail(error);
	bool follow = !(flags & O_NOFOLLOW) && (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL);
	do
		error = open_place(&place, flags, mode, &file);
	while (place_again(&place, follow, &error));
	if (error != OK)
		return fail(error);
	if (unlikely(flags & OPEN_LOCKS) && lock_and_truncate(file, flags) != 0)
		return -1;
	int fd = fd_install(file, 0, (flags & O_CLOEXEC) != 0);
	if (fd < 0)
		file_drop(file);
	return fd;
}

static __attribute__((noinline)) int open_specially(const char *path, int flags, mode_t mode)
{
	return open_path(path, flags, mode);
}

__attribute__((flatten)) int open(const char *path, int flags, ...)
{
	const int plain = O_ACCMODE | O_CLOEXEC;
	mode_t mode = 0;

	if (likely((flags & ~plain) == 0)) /* what is tested for the other flags goes away */
		return open_path(path, flags & plain, 0);
	if (flags & O_CREAT || is_nameless(flags)) {
		va_list list;
		va_start(list, flags);
		mode = va_arg(list, mode_t);
		va_end(list);
	}
	return open_specially(path, flags, mode);
}

int creat(const char *path, mode_t mode)
{
	return open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

static int set_size(int fd, off_t size)
{
	struct fs_setattr attr = { .set = FS_SET_SIZE, .size = (uint64_t)size };
	struct file *file = file_get_regular(fd, O_WRONLY);

	if (file == NULL) {
		errno = errno == EBADF ? EINVAL : errno;
		return -1;
	}
	err_t error = fs_setattr(file->session, file->number, &attr);
	file_drop(file);
	return error == OK ? 0 : fail(error);
}

int ftruncate(int fd, off_t size)
{
	return size < 0 ? fail(ERR_ARGS) : set_size(fd, size);
}

static int sync_fd(int fd, uint32_t data_only)
{
	struct file *file = file_get(fd);
	err_t error = ERR_ARGS;

	if (file == NULL)
		return -1;
	if (file->kind == FILE_REGULAR || file->kind == FILE_DIRECTORY)
		error = fs_sync(file->session, file->number, data_only);
	file_drop(file);
	return error == OK ? 0 : fail(error);
}

/* A leased file's data is durable when a write returns. Is anything else left to do? */
static bool synced_already(int fd, uint32_t late)
{
	struct file *file = file_hold(fd);
	bool synced = false;

	if (file != NULL) {
		struct lease *lease = __atomic_load_n(&file->lease, __ATOMIC_ACQUIRE);
		int64_t flags = lease == NULL ? LEASE_ASK : lease_flags(lease);
		synced = flags >= 0 && ((uint32_t)flags & late) == 0;
		file_release();
	}
	return synced;
}

int fsync(int fd)
{
	return synced_already(fd, FS_LEASE_TIMES_LATE | FS_LEASE_STORES) ? 0 : sync_fd(fd, 0);
}

int fdatasync(int fd)
{
	return synced_already(fd, FS_LEASE_STORES) ? 0 : sync_fd(fd, 1);
}

void sync(void)
{
	struct mount *mounts[MOUNTS_MAX];
	uint32_t count = mount_list(mounts);

	for (uint32_t i = 0; i < count; i++) {
		handle_t session;
		if (mount_session(mounts[i], &session) == OK)
			drop(fs_sync_all(session));
		mount_drop(mounts[i]);
	}
}
