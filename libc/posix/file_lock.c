/* SPDX-License-Identifier: BSD-2-Clause */
/* file_lock.c - fcntl's record locks and flock, which the file's server keeps (abi/fs.proto, lock).
 * A lock that must be waited for comes with an event; the server signals it, and nobody waits inside the server. As
 * events outlive the server that was to signal them, the wait looks after the server now and then. */
#include "posix/file_lock.h"

#include <errno.h>
#include <sys/file.h>
#include <unistd.h>
#include <lintel/fs_client.h>

#include "core/process.h"
#include "core/sys.h"

#define LOOK_NS 1000000000u
#define GRANTED (1u << SIGNAL_USER_SHIFT)
#define GIVEN_UP (2u << SIGNAL_USER_SHIFT)

bool record_locks_used;

/* The server learns of our end some time later; whoever waits for it must find our locks gone. */
static void locks_last_act(void)
{
	for (int fd = 0; fd < fd_limit(); fd++) {
		struct file *file = fd_slots[fd].file;
		if (file != NULL && (file->kind == FILE_REGULAR || file->kind == FILE_DIRECTORY))
			close(fd);
	}
}

static void locks_begin(void)
{
	__atomic_store_n(&process_last_act, locks_last_act, __ATOMIC_RELEASE);
	__atomic_store_n(&record_locks_used, true, __ATOMIC_RELAXED);
}

static err_t event_wait(const struct file *file, handle_t event)
{
	struct fs_stat st;
	uint32_t seen = 0;
	err_t error;

	do {
		error = lintel_object_wait(event, GRANTED | GIVEN_UP, lintel_clock_ns() + LOOK_NS, &seen);
		if (error == ERR_TIMED_OUT && fs_fstat(file->session, file->number, &st) == ERR_PEER_DIED)
			return ERR_PEER_DIED;
	} while (error == ERR_TIMED_OUT);
	if (error != OK)
		return error;
	return seen & GRANTED ? OK : ERR_BAD_HANDLE; /* another thread has closed the file */
}

static err_t lock_set(const struct file *file, uint32_t flags, uint64_t first, uint64_t last)
{
	handle_t event = HANDLE_NONE;
	uint64_t waits = 0;
	err_t error = fs_lock(file->session, file->number, flags, first, last, (uint32_t)getpid(), &waits, &event);

	if (error != OK || waits == 0)
		return error;
	error = event_wait(file, event);
	lintel_handle_close(event);
	return error;
}

static int lock_fail(err_t error)
{
	if (error == ERR_LIMIT) {
		errno = ENOLCK;
		return -1;
	}
	if (error == ERR_DENIED) {
		errno = EBADF; /* not open for what the lock is for */
		return -1;
	}
	return fail(error);
}

static err_t lock_base(struct file *file, int whence, off_t *base)
{
	struct fs_stat st;
	err_t error = OK;

	*base = 0;
	switch (whence) {
	case SEEK_SET:
		return OK;
	case SEEK_CUR:
		lock_acquire(&file->lock);
		*base = (off_t)file->offset;
		lock_release(&file->lock);
		return OK;
	case SEEK_END:
		error = fs_fstat(file->session, file->number, &st);
		*base = error == OK ? (off_t)st.size : 0;
		return error;
	}
	return ERR_ARGS;
}

/* The bytes meant: from l_start on, or with a negative length before it. 0 or an errno. */
static int lock_range(struct file *file, const struct flock *lock, uint64_t *first, uint64_t *last)
{
	off_t base, start, end;
	err_t error = lock_base(file, lock->l_whence, &base);

	if (error != OK)
		return lintel_errno(error);
	if (__builtin_add_overflow(base, lock->l_start, &start))
		return EOVERFLOW;
	if (lock->l_len > 0 && __builtin_add_overflow(start, lock->l_len - 1, &end))
		return EOVERFLOW;
	if (lock->l_len < 0) {
		end = start - 1;
		if (__builtin_add_overflow(start, lock->l_len, &start))
			return EINVAL;
	}
	if (start < 0)
		return EINVAL;
	*first = (uint64_t)start;
	*last = lock->l_len == 0 ? UINT64_MAX : (uint64_t)end;
	return 0;
}

static int lock_type(const struct flock *lock, uint32_t *type)
{
	switch (lock->l_type) {
	case F_RDLCK: *type = FS_LOCK_SHARED; return 0;
	case F_WRLCK: *type = FS_LOCK_EXCLUSIVE; return 0;
	case F_UNLCK: *type = FS_LOCK_UNLOCK; return 0;
	}
	return EINVAL;
}

static int lock_get(const struct file *file, uint32_t type, uint64_t first, uint64_t last, struct flock *lock)
{
	uint32_t held_type, holder;
	uint64_t held_first, held_last;
	err_t error = fs_lock_test(file->session, file->number, type, first, last, &held_type, &held_first, &held_last,
							   &holder);

	if (error != OK)
		return lock_fail(error);
	if (held_type == FS_LOCK_UNLOCK) {
		lock->l_type = F_UNLCK;
		return 0;
	}
	*lock = (struct flock){ .l_type = held_type == FS_LOCK_SHARED ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET,
							.l_start = (off_t)held_first, .l_pid = (short)holder,
							.l_len = held_last == UINT64_MAX ? 0 : (off_t)(held_last - held_first + 1) };
	return 0;
}

int record_lock(struct file *file, int command, struct flock *lock)
{
	uint64_t first = 0, last = 0;
	uint32_t type = 0;
	int error = file->kind != FILE_REGULAR ? EINVAL : lock_type(lock, &type);

	if (error == 0)
		error = lock_range(file, lock, &first, &last);
	if (error == 0 && command == F_GETLK && type == FS_LOCK_UNLOCK)
		error = EINVAL;
	if (error != 0) {
		errno = error;
		return -1;
	}
	if (command == F_GETLK)
		return lock_get(file, type, first, last, lock);
	locks_begin();
	const err_t result = lock_set(file, type | (command == F_SETLKW ? FS_LOCK_WAIT : 0), first, last);
	return result == OK ? 0 : lock_fail(result);
}

void record_locks_end_all(struct file *file)
{
	handle_t event;
	uint64_t waits;

	if (file->kind != FILE_REGULAR)
		return;
	drop(fs_lock(file->session, file->number, FS_LOCK_UNLOCK, 0, UINT64_MAX, 0, &waits, &event));
}

err_t file_lock_opening(struct file *file, int flags)
{
	const uint32_t whole = FS_LOCK_WHOLE | (flags & O_EXLOCK ? FS_LOCK_EXCLUSIVE : FS_LOCK_SHARED);
	const uint32_t opening = whole | (flags & O_EXLOCK ? FS_LOCK_OPENING : 0);

	if (file->kind != FILE_REGULAR && file->kind != FILE_DIRECTORY)
		return ERR_UNSUPPORTED;
	locks_begin();
	err_t error = lock_set(file, opening, 0, UINT64_MAX);
	if (error != ERR_AGAIN || flags & O_NONBLOCK)
		return error;
	error = lock_set(file, whole | FS_LOCK_WAIT, 0, UINT64_MAX);
	return error == OK && opening != whole ? lock_set(file, opening, 0, UINT64_MAX) : error;
}

int flock(int fd, int operation)
{
	const int wanted = operation & ~LOCK_NB;
	const uint32_t type = wanted == LOCK_SH ? FS_LOCK_SHARED : wanted == LOCK_EX ? FS_LOCK_EXCLUSIVE : FS_LOCK_UNLOCK;

	if (wanted != LOCK_SH && wanted != LOCK_EX && wanted != LOCK_UN)
		return fail(ERR_ARGS);
	struct file *file = file_get(fd);
	if (file == NULL)
		return -1;
	locks_begin();
	err_t error = ERR_ARGS;
	if (file->kind == FILE_REGULAR || file->kind == FILE_DIRECTORY)
		error = lock_set(file, type | FS_LOCK_WHOLE | (operation & LOCK_NB ? 0 : FS_LOCK_WAIT), 0, UINT64_MAX);
	file_drop(file);
	return error == OK ? 0 : lock_fail(error);
}
