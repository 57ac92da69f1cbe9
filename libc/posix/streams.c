/* SPDX-License-Identifier: BSD-2-Clause */
/* streams.c - the list of open streams, and what goes through it: fflush, fclose, the end of the program.
 * fflush and fclose stand in for picolibc's; start.c names fflush, so that this file is linked before picolibc is
 * searched.
 * Locks: the list's, then a stream's (as flockfile takes it). */
#include "posix/streams.h"

#include <stdint.h>
#include <sys/lock.h>

#include "core/lock.h"

#define LOCK_OF_NO_STREAM ((_LOCK_RECURSIVE_T)(uintptr_t)1) /* picolibc: strings as streams have it */

static struct lock list_lock;
static struct stream *streams; /* under list_lock */

/* Linked in only where the program uses them. */
extern FILE *const stdin __attribute__((weak));
extern FILE *const stdout __attribute__((weak));
extern FILE *const stderr __attribute__((weak));

void stream_add(struct stream *stream)
{
	lock_acquire(&list_lock);
	stream->next = streams;
	stream->link = &streams;
	if (streams != NULL)
		streams->link = &stream->next;
	streams = stream;
	lock_release(&list_lock);
}

static void stream_remove(FILE *file)
{
	lock_acquire(&list_lock);
	for (struct stream *each = streams; each != NULL; each = each->next) {
		if (&each->file.xfile.cfile.file != file)
			continue;
		*each->link = each->next;
		if (each->next != NULL)
			each->next->link = each->link;
		break;
	}
	lock_release(&list_lock);
}

static int flush_one(FILE *file)
{
	int result = 0;

	flockfile(file);
	if (file->flush != NULL)
		result = file->flush(file);
	funlockfile(file);
	return result;
}

/* Those that can be written to: a thread that waits for input keeps its stream locked. */
static int flush_all(void)
{
	FILE *standard[] = { &stdin != NULL ? stdin : NULL, &stdout != NULL ? stdout : NULL,
						 &stderr != NULL ? stderr : NULL };
	int result = 0;

	for (size_t i = 0; i < ARRAY_LEN(standard); i++) {
		if (standard[i] != NULL && (standard[i]->flags & __SWR) && flush_one(standard[i]) != 0)
			result = EOF;
	}
	lock_acquire(&list_lock);
	for (struct stream *each = streams; each != NULL; each = each->next) {
		FILE *file = &each->file.xfile.cfile.file;
		if ((file->flags & __SWR) && flush_one(file) != 0)
			result = EOF;
	}
	lock_release(&list_lock);
	return result;
}

int fflush(FILE *file)
{
	return file == NULL ? flush_all() : flush_one(file);
}

int fclose(FILE *file)
{
	struct __file_close *closable = (struct __file_close *)file;

	stream_remove(file);
	int result = flush_one(file);
	if (file->lock != NULL && file->lock != LOCK_OF_NO_STREAM) {
		__lock_close_recursive(file->lock);
		file->lock = NULL; /* of stdout and its like, which are still there, a new one is made at their next use */
	}
	if ((file->flags & __SCLOSE) && closable->close != NULL && closable->close(file) != 0)
		result = EOF;
	return result;
}

/* With the last of the destructors, like picolibc's flush of stdout. */
__attribute__((destructor(101))) static void flush_at_exit(void)
{
	flush_all();
}
