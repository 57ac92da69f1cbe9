/* SPDX-License-Identifier: BSD-2-Clause */
/* file_lock.h - record locks and flock. Private to libc. */
#pragma once

#include <fcntl.h>

#include "posix/file.h"

/* fcntl's F_GETLK, F_SETLK, F_SETLKW. -1 and errno. */
int record_lock(struct file *file, int command, struct flock *lock);
/* What open's O_SHLOCK or O_EXLOCK (and O_NONBLOCK) of `flags` wants. ERR_AGAIN, ERR_LIMIT, ERR_UNSUPPORTED. */
MUST_USE err_t file_lock_opening(struct file *file, int flags);
/* A descriptor of the file is about to be closed: this process's record locks on it go, though other descriptors
 * may still lead to it. */
void record_locks_end_all(struct file *file);
extern bool record_locks_used; /* [a] has this process ever set a lock? */

static inline void record_locks_end(struct file *file)
{
	if (unlikely(__atomic_load_n(&record_locks_used, __ATOMIC_RELAXED)))
		record_locks_end_all(file);
}
