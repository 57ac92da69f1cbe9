/* SPDX-License-Identifier: BSD-2-Clause */
/* hold.h - a thread's hold on an open file for the length of a call that never waits for a server: cheaper than a
 * reference, as no line that other threads write is written. Private to libc.
 *
 * H1  A thread has one cell, and publishes there which file it is about to use; then it looks again whether the
 *     descriptor still leads to the file. Whoever takes the last reference away has emptied the descriptor before, and
 *     looks at all cells afterwards. Both do so with a full barrier in between, so either the thread finds the
 *     descriptor empty, or the closer finds the file in its cell and waits (hold_wait).
 * H2  Between file_hold and file_release a thread neither calls a server nor closes anything; it may wait for the
 *     file's lock, whose owner has a reference or a hold of his own, and the last reference is not dropped under it. */
#pragma once

#include "posix/file.h"
#include "thread/thread.h"

struct hold {
	struct file *file; /* [a] what the thread uses, or NULL */
	uint32_t taken;    /* [a] */
} ALIGNED(64);

/* NULL: by a reference then (file_get), which has the reason too if there is no such file. */
static inline struct file *file_hold(int fd)
{
	struct hold *hold = thread_self()->hold;

	if (unlikely(hold == NULL || (unsigned)fd >= FD_MAX))
		return NULL;
	struct file *file = __atomic_load_n(&fd_slots[fd].file, __ATOMIC_RELAXED);
	if (file == NULL)
		return NULL;
	__atomic_store_n(&hold->file, file, __ATOMIC_SEQ_CST);
	if (likely(__atomic_load_n(&fd_slots[fd].file, __ATOMIC_SEQ_CST) == file))
		return file;
	__atomic_store_n(&hold->file, NULL, __ATOMIC_RELEASE);
	return NULL;
}

static inline void file_release(void)
{
	__atomic_store_n(&thread_self()->hold->file, NULL, __ATOMIC_RELEASE);
}

/* Gives the calling thread a cell, if one is left; without, it goes on with references. */
void hold_prepare(void);
/* Nobody holds the file when it returns. The file has no references, and no descriptor leads to it. */
void hold_wait(const struct file *file);
