/* SPDX-License-Identifier: BSD-2-Clause */
/* hold.h - a thread's hold on an open file for the length of a call that never waits for a server: cheaper than a
 * reference, as no line that other threads write is written. Private to libc; lease_code.S does the same in assembly.
 *
 * H1  A thread publishes in its control block which file it is about to use, and then looks again whether the
 *     descriptor still leads to the file. Whoever takes the last reference away has emptied the descriptor before, and
 *     looks at all threads afterwards (hold_wait). Both do so with a full barrier in between, so either the thread
 *     finds the descriptor changed, or the closer finds the file held and waits.
 * H2  Between file_hold and file_release a thread neither calls a server nor closes anything. It may wait for the
 *     file's lock: its owner has a reference or a hold of his own, and drops neither before the lock. */
#pragma once

#include "posix/file.h"
#include "thread/thread.h"

/* NULL: try with a reference (file_get), which also says why if there is no such file. */
static inline struct file *file_hold(int fd)
{
	struct pthread *self = thread_self();

	if (unlikely((unsigned)fd >= FD_MAX))
		return NULL;
	struct file *file = __atomic_load_n(&fd_slots[fd].file, __ATOMIC_RELAXED);
	if (file == NULL)
		return NULL;
	__atomic_store_n(&self->held, file, __ATOMIC_SEQ_CST);
	if (likely(__atomic_load_n(&fd_slots[fd].file, __ATOMIC_SEQ_CST) == file))
		return file;
	__atomic_store_n(&self->held, NULL, __ATOMIC_RELEASE);
	return NULL;
}

static inline void file_release(void)
{
	__atomic_store_n(&thread_self()->held, NULL, __ATOMIC_RELEASE);
}

/* Nobody holds the file when it returns. The file has no references, and no descriptor leads to it. */
void hold_wait_for_others(const struct file *file);

static inline void hold_wait(const struct file *file)
{
	/* Alone: there is no other thread that could start one either. */
	if (unlikely(__atomic_load_n(&threads, __ATOMIC_RELAXED) != thread_self() ||
				 __atomic_load_n(&thread_self()->all_next, __ATOMIC_RELAXED) != NULL))
		hold_wait_for_others(file);
}
