/* SPDX-License-Identifier: BSD-2-Clause */
/* fd.c - the descriptor table. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <lintel/fs_client.h>

#include "core/early.h"
#include "core/sys.h"
#include "posix/file.h"
#include "posix/file_lock.h"
#include "posix/hold.h"

struct fd_slot fd_slots[FD_MAX];

#define PATH_ROOM_MIN 64u
#define PATH_ROOM_KEPT 256u /* a longer one is not kept for the next file */

static int limit; /* [a] 1 + the highest descriptor ever used */

int fail(err_t error)
{
	errno = lintel_errno(error);
	return -1;
}

static int fail_errno(int error)
{
	errno = error;
	return -1;
}

static COLD struct file *file_memory_new(size_t path_room)
{
	path_room = path_room < PATH_ROOM_MIN ? PATH_ROOM_MIN : path_room;
	struct file *file = early_alloc(sizeof(*file) + path_room);
	if (file != NULL)
		file->path_room = path_room;
	return file;
}

static void file_memory_free(struct file *file)
{
	struct pthread *self = thread_self();

	if (likely(self->spare == NULL && file->path_room <= PATH_ROOM_KEPT))
		self->spare = file;
	else
		early_free(file);
}

/* Paths are short: word by word. */
static inline void path_copy(char *to, const char *from, size_t bytes)
{
	const size_t word = sizeof(uint64_t);
	size_t at = 0;

	if (bytes >= word) {
		for (; at + word < bytes; at += word)
			memcpy(to + at, from + at, word);
		memcpy(to + bytes - word, from + bytes - word, word);
		at = bytes;
	}
	for (; at < bytes; at++)
		to[at] = from[at];
	to[at] = 0;
}

struct file *file_new(enum file_kind kind, int flags, handle_t session, uint64_t number, struct mount *mount,
					  const char *path, size_t path_bytes)
{
	struct pthread *self = thread_self();
	struct file *file = self->spare;

	/* What this thread's last file to go has left, if there is room for the path. */
	if (unlikely(file == NULL || file->path_room <= path_bytes)) {
		file = file_memory_new(path_bytes + 1);
		if (file == NULL)
			return NULL;
	} else {
		self->spare = NULL;
	}
	file->references = 1;
	file->kind = kind;
	file->flags = flags;
	file->session = session;
	file->own_session = false;
	file->number = number;
	file->mount = mount;
	memset(&file->lock, 0, offsetof(struct file, path_room) - offsetof(struct file, lock));
	path_copy(file->path, path, path_bytes);
	return file;
}

struct file *file_get(int fd)
{
	struct file *file = NULL;

	if (fd >= 0 && fd < FD_MAX) {
		lock_acquire(&fd_slots[fd].lock);
		file = fd_slots[fd].file;
		if (file != NULL)
			__atomic_add_fetch(&file->references, 1, __ATOMIC_RELAXED);
		lock_release(&fd_slots[fd].lock);
	}
	if (file == NULL)
		errno = EBADF;
	return file;
}

void file_end(struct file *file)
{
	hold_wait(file);
	leases_unmap(file->leases);
	/* A file that came from the parent ends with its session: other processes may hold copies of that. */
	if (file->own_session)
		lintel_handle_close(file->session);
	else if (file->kind == FILE_REGULAR || file->kind == FILE_DIRECTORY)
		drop(fs_close(file->session, file->number));
	mount_drop(file->mount);
	file_memory_free(file);
}

COLD struct file *file_get_checked(int fd, int access)
{
	struct file *file = file_get(fd);

	if (file == NULL)
		return NULL;
	int error = 0;
	if (file->kind == FILE_CONSOLE)
		error = ESPIPE;
	else if (file->kind != FILE_REGULAR)
		error = access == O_WRONLY ? EBADF : EISDIR;
	else if ((access == O_RDONLY && !file_readable(file)) || (access == O_WRONLY && !file_writable(file)))
		error = EBADF;
	if (error == 0)
		return file;
	file_drop(file);
	errno = error;
	return NULL;
}

int fd_limit(void)
{
	return __atomic_load_n(&limit, __ATOMIC_RELAXED);
}

static void raise_limit(int fd)
{
	int before = fd_limit();

	while (before <= fd && !__atomic_compare_exchange_n(&limit, &before, fd + 1, true, __ATOMIC_RELAXED,
														__ATOMIC_RELAXED))
		;
}

static ALWAYS_INLINE bool slot_fill(struct fd_slot *slot, struct file *file, bool close_on_exec)
{
	const bool free = slot->file == NULL;

	if (likely(free)) {
		__atomic_store_n(&slot->file, file, __ATOMIC_RELAXED);
		slot->close_on_exec = close_on_exec;
	}
	lock_release(&slot->lock);
	return free;
}

static COLD int fd_install_slowly(struct file *file, int lowest, bool close_on_exec)
{
	if (lowest < 0 || lowest >= FD_MAX)
		return fail_errno(EINVAL);
	for (int fd = lowest; fd < FD_MAX; fd++) {
		struct fd_slot *slot = &fd_slots[fd];
		if (__atomic_load_n(&slot->file, __ATOMIC_RELAXED) != NULL)
			continue;
		raise_limit(fd);
		lock_acquire(&slot->lock);
		if (slot_fill(slot, file, close_on_exec))
			return fd;
	}
	return fail_errno(EMFILE);
}

int fd_install(struct file *file, int lowest, bool close_on_exec)
{
	const unsigned end = (unsigned)fd_limit();
	unsigned fd = (unsigned)lowest;

	while (fd < end && __atomic_load_n(&fd_slots[fd].file, __ATOMIC_RELAXED) != NULL)
		fd++;
	if (likely(fd < end && lock_try(&fd_slots[fd].lock)) && likely(slot_fill(&fd_slots[fd], file, close_on_exec)))
		return (int)fd;
	return fd_install_slowly(file, lowest, close_on_exec);
}

int fd_replace(int fd, struct file *file, bool close_on_exec)
{
	if (fd < 0 || fd >= FD_MAX)
		return fail_errno(EBADF);
	raise_limit(fd);
	lock_acquire(&fd_slots[fd].lock);
	struct file *before = fd_slots[fd].file;
	__atomic_store_n(&fd_slots[fd].file, file, __ATOMIC_RELAXED);
	fd_slots[fd].close_on_exec = close_on_exec;
	lock_release(&fd_slots[fd].lock);
	if (before != NULL) {
		record_locks_end(before);
		file_drop(before);
	}
	return fd;
}

bool fd_close_on_exec(int fd)
{
	lock_acquire(&fd_slots[fd].lock);
	bool on = fd_slots[fd].close_on_exec;
	lock_release(&fd_slots[fd].lock);
	return on;
}

void fd_set_close_on_exec(int fd, bool on)
{
	lock_acquire(&fd_slots[fd].lock);
	fd_slots[fd].close_on_exec = on;
	lock_release(&fd_slots[fd].lock);
}

static int fs_flags_to_open(uint64_t flags)
{
	bool reads = (flags & FS_OPEN_READ) != 0, writes = (flags & FS_OPEN_WRITE) != 0;

	return (writes ? (reads ? O_RDWR : O_WRONLY) : O_RDONLY) | (flags & FS_OPEN_APPEND ? O_APPEND : 0);
}

void fd_inherit(const struct startup_handle *handle)
{
	bool console = handle->fd_kind == STARTUP_FD_CONSOLE;

	if (handle->argument >= FD_MAX || (!console && handle->fd_kind != STARTUP_FD_FILE))
		return;
	struct file *file = file_new(console ? FILE_CONSOLE : FILE_REGULAR, fs_flags_to_open(handle->flags),
								 handle->handle, handle->file, NULL, "", 0);
	if (file == NULL)
		return;
	file->own_session = true;
	file->offset = handle->offset;
	fd_replace((int)handle->argument, file, false);
}

err_t lintel_console_fd(int fd, handle_t door)
{
	if (fd < 0 || fd >= FD_MAX || door == HANDLE_NONE)
		return ERR_ARGS;
	struct file *file = file_new(FILE_CONSOLE, O_RDWR, door, 0, NULL, "", 0);
	if (file == NULL)
		return ERR_NO_MEMORY;
	file->own_session = true;
	fd_replace(fd, file, false);
	return OK;
}

int close(int fd)
{
	struct file *file = NULL;

	if (fd >= 0 && fd < FD_MAX) {
		lock_acquire(&fd_slots[fd].lock);
		file = fd_slots[fd].file;
		__atomic_store_n(&fd_slots[fd].file, NULL, __ATOMIC_RELAXED);
		lock_release(&fd_slots[fd].lock);
	}
	if (file == NULL)
		return fail_errno(EBADF);
	record_locks_end(file);
	file_drop(file);
	return 0;
}

static int duplicate(int fd, int lowest, bool close_on_exec)
{
	struct file *file = file_get(fd);

	if (file == NULL)
		return -1;
	int copy = fd_install(file, lowest, close_on_exec);
	if (copy < 0)
		file_drop(file);
	return copy;
}

int dup(int fd)
{
	return duplicate(fd, 0, false);
}

int dup2(int fd, int wanted)
{
	struct file *file = file_get(fd);

	if (file == NULL)
		return -1;
	if (wanted < 0 || wanted >= FD_MAX || fd == wanted) {
		file_drop(file);
		return fd == wanted ? fd : fail_errno(EBADF);
	}
	return fd_replace(wanted, file, false);
}

static int set_flags(struct file *file, int flags)
{
	const int settable = O_APPEND | O_NONBLOCK;
	int before = __atomic_load_n(&file->flags, __ATOMIC_RELAXED);

	__atomic_store_n(&file->flags, (before & ~settable) | (flags & settable), __ATOMIC_RELAXED);
	lease_flags_changed(file);
	return 0;
}

int fcntl(int fd, int command, ...)
{
	bool locks = command == F_GETLK || command == F_SETLK || command == F_SETLKW;
	struct flock *lock = NULL;
	int argument = 0;
	va_list list;

	va_start(list, command);
	if (locks)
		lock = va_arg(list, struct flock *);
	else if (command != F_GETFD && command != F_GETFL)
		argument = va_arg(list, int);
	va_end(list);
	struct file *file = file_get(fd);
	if (file == NULL)
		return -1;
	int result = 0;
	switch (command) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		result = duplicate(fd, argument, command == F_DUPFD_CLOEXEC);
		break;
	case F_GETFD:
		result = fd_close_on_exec(fd) ? FD_CLOEXEC : 0;
		break;
	case F_SETFD:
		fd_set_close_on_exec(fd, (argument & FD_CLOEXEC) != 0);
		break;
	case F_GETFL:
		result = __atomic_load_n(&file->flags, __ATOMIC_RELAXED);
		break;
	case F_SETFL:
		result = set_flags(file, argument);
		break;
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
		result = record_lock(file, command, lock);
		break;
	default:
		result = fail_errno(EINVAL);
	}
	file_drop(file);
	return result;
}

int isatty(int fd)
{
	struct file *file = file_get(fd);

	if (file == NULL)
		return 0;
	bool console = file->kind == FILE_CONSOLE;
	file_drop(file);
	if (!console)
		errno = ENOTTY;
	return console;
}
