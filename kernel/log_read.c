/* SPDX-License-Identifier: GPL-2.0-only */
/* log_read.c - the log for user mode: reading it, and waiting for more.
 *
 * A line may be logged under any lock and in any interrupt, where nobody can be woken. So the writer leaves a note in
 * `news` and at its CPU, and the CPU wakes the readers on its way to user mode or to sleep.
 * A reader counts itself and queues up before it looks at the log's end; a writer moves the end before it looks at the
 * count. So one of the two sees the other. */
#include "kernel/cpu.h"
#include "kernel/log.h"
#include "kernel/resource.h"
#include "kernel/syscall_handlers.h"
#include "kernel/thread.h"
#include "kernel/wait.h"
#include <lintel/info.h>

static struct wait_queue readers;
static uint32_t reader_count; /* [a] that wait or are about to */
static bool news;             /* [a] something was logged, and the readers were not woken yet */

void log_read_init(void)
{
	wait_queue_init(&readers);
}

void log_readers_remind(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* the log's end is moved */
	if (__atomic_load_n(&reader_count, __ATOMIC_RELAXED) == 0)
		return;
	__atomic_store_n(&news, true, __ATOMIC_RELEASE);
	__atomic_or_fetch(&cpu_this()->return_work, RETURN_LOG, __ATOMIC_RELAXED);
}

void log_readers_wake(void)
{
	uint64_t state;

	if (!__atomic_load_n(&news, __ATOMIC_RELAXED) || !__atomic_exchange_n(&news, false, __ATOMIC_ACQ_REL))
		return;
	state = spin_lock_irq(&readers.lock);
	while (wait_wake_first(&readers) != NULL)
		;
	spin_unlock_irq(&readers.lock, state);
}

/* Until the log is longer than `position`. */
static err_t wait_for_more(uint64_t position, uint64_t deadline)
{
	struct waiter waiter = { .thread = thread_current() };
	uint64_t state;
	err_t err = OK;

	__atomic_add_fetch(&reader_count, 1, __ATOMIC_SEQ_CST);
	while (err == OK && log_end() <= position) {
		state = spin_lock_irq(&readers.lock);
		wait_enqueue(&readers, &waiter);
		spin_unlock_irq(&readers.lock, state);
		if (log_end() <= position)
			err = wait_block(deadline, false);
		(void)wait_cancel(&waiter);
	}
	__atomic_sub_fetch(&reader_count, 1, __ATOMIC_SEQ_CST);
	return err;
}

err_t sys_log_read(handle_t handle, uint64_t position, char __user *text, uint64_t length, uint64_t deadline,
		   uint64_t *result)
{
	char copy[LOG_READ_MAX + 1];
	struct resource *system;
	size_t bytes;
	uint64_t next;
	err_t err;

	err = resource_get(handle, RIGHT_READ, RESOURCE_SYSTEM, 0, 0, &system);
	if (err != OK)
		return err;
	object_unref(&system->object);
	if (length == 0)
		return ERR_ARGS;
	log_shown(process_here()->pid, position);
	for (;;) {
		log_copy(&position, copy, length < LOG_READ_MAX ? length : LOG_READ_MAX, &bytes, &next);
		if (bytes > 0)
			break;
		err = wait_for_more(position, deadline);
		if (err != OK)
			return err;
	}
	copy[bytes] = '\0';
	err = copy_to_user(text, copy, bytes < length ? bytes + 1 : bytes);
	if (err == OK)
		*result = next;
	return err;
}
