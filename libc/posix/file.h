/* SPDX-License-Identifier: BSD-2-Clause */
/* file.h - open files and descriptors. Private to libc.
 * A descriptor is a slot that points to a struct file; dup makes two slots point to one. Each slot has a lock and a
 * cache line of its own, so threads with different descriptors never meet. */
#pragma once

#include <fcntl.h>
#include <sys/types.h>
#include <lintel/fs_proto.h>
#include <lintel/startup.h>

#include "core/lock.h"
#include "posix/lease.h"
#include "posix/mount.h"

#define FD_MAX 1024

enum file_kind {
	FILE_CONSOLE = 1,   /* door: of a console */
	FILE_REGULAR = 2,   /* session, number: an open file */
	FILE_DIRECTORY = 3, /* the same, a directory */
	FILE_NAMESPACE = 4  /* a directory of the mount table itself */
};

struct file {
	uint32_t references; /* [a] slots, and calls under way */
	enum file_kind kind; /* [I] */
	int flags;           /* [a] O_... as opened */
	handle_t session;    /* [I] who is asked */
	bool own_session;    /* [I] the handle goes with the file */
	uint64_t number;     /* [I] */
	struct mount *mount; /* [I] a reference, or NULL */
	struct lock lock;    /* from here to path_room it begins as zero */
	struct lock lease_lock;
	uint64_t offset;     /* under lock */
	struct lease *lease; /* [a] the one to use, or NULL; see lease.h */
	struct lease *write_lease; /* [a] the same if writes may use it */
	struct lease *leases; /* under lease_lock; all, newest first */
	uint32_t calls;      /* [a] made for want of a lease */
	bool lease_refused;  /* [a] no use in asking (again) */
	size_t path_room;    /* [I] bytes */
	char path[];         /* [I] plain absolute, as opened; "" where there is none */
};

struct fd_slot {
	struct lock lock;
	bool close_on_exec; /* under lock */
	struct file *file;  /* [a] changed under lock; NULL: free */
} ALIGNED(64);

extern struct fd_slot fd_slots[FD_MAX];

/* The file behind a descriptor, referenced; NULL and errno = EBADF when there is none. */
struct file *file_get(int fd);
void file_end(struct file *file); /* after its last reference */

static inline void file_drop(struct file *file) /* closes it with the last reference */
{
	if (__atomic_sub_fetch(&file->references, 1, __ATOMIC_ACQ_REL) == 0)
		file_end(file);
}

/* After a call that did what a lease would have done, and moved `bytes`: is it time for one? */
static inline void lease_consider(struct file *file, size_t bytes)
{
	const uint32_t weight = 1 + (uint32_t)(bytes >> CALL_BYTES_SHIFT);

	if (file->kind != FILE_REGULAR || __atomic_load_n(&file->lease_refused, __ATOMIC_RELAXED))
		return;
	if (__atomic_load_n(&file->lease, __ATOMIC_RELAXED) != NULL ||
		__atomic_add_fetch(&file->calls, weight, __ATOMIC_RELAXED) >= LEASE_AFTER_CALLS)
		lease_reconsider(file);
}

static inline bool file_readable(const struct file *file)
{
	return (file->flags & O_ACCMODE) != O_WRONLY;
}

static inline bool file_writable(const struct file *file)
{
	return (file->flags & O_ACCMODE) != O_RDONLY;
}

struct file *file_get_checked(int fd, int access); /* for file_get_regular */

/* As file_get, but it must be of kind FILE_REGULAR (EISDIR, ESPIPE, EBADF otherwise) and open for `access`
 * (O_RDONLY or O_WRONLY, or -1 for either). */
static ALWAYS_INLINE struct file *file_get_regular(int fd, int access)
{
	if (unlikely((unsigned)fd >= FD_MAX || !lock_try(&fd_slots[fd].lock)))
		return file_get_checked(fd, access);
	struct file *file = fd_slots[fd].file;
	const bool fits = file != NULL && file->kind == FILE_REGULAR &&
					  (access == O_RDONLY ? file_readable(file) : access != O_WRONLY || file_writable(file));
	if (likely(fits))
		__atomic_add_fetch(&file->references, 1, __ATOMIC_RELAXED);
	lock_release(&fd_slots[fd].lock);
	return likely(fits) ? file : file_get_checked(fd, access);
}

/* `path` has path_bytes without its NUL. NULL: no memory. */
struct file *file_new(enum file_kind kind, int flags, handle_t session, uint64_t number, struct mount *mount,
					  const char *path, size_t path_bytes);

/* Put the file (its reference is taken over) at the lowest free descriptor >= lowest. -1 and errno on failure. */
int fd_install(struct file *file, int lowest, bool close_on_exec);
int fd_replace(int fd, struct file *file, bool close_on_exec); /* whatever fd was is closed */
bool fd_close_on_exec(int fd);
int fd_limit(void); /* descriptors from here on have never been used */
void fd_set_close_on_exec(int fd, bool on);

void fd_inherit(const struct startup_handle *handle);

/* O_... to enum fs_open_flag. */
uint32_t open_flags_to_fs(int flags);

/* errno = what the error says; always -1. */
int fail(err_t error);

struct file_clone_range;
int range_clone(int fd, const struct file_clone_range *range); /* ioctl's FICLONERANGE (range.c) */
