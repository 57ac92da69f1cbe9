/* SPDX-License-Identifier: BSD-2-Clause */
/* wait.c - what a client may wait for, at an event, outside: locks of other programs, and changes that it watches. */
#include "fs/pmfs/notify.h"
#include "fs/pmfs/server/calls.h"
#include "kit/lock_door.h"

#include <lintel/syscalls.h>
#include <pthread.h>

#define HAPPENED (1u << SIGNAL_USER_SHIFT)

static void watch_ready(uint64_t event, bool there_is)
{
	if (lintel_event_signal((handle_t)event, there_is ? 0 : HAPPENED, there_is ? HAPPENED : 0) != OK)
		kit_log("an event of a watch cannot be signalled");
}

static void watch_end(uint64_t event)
{
	lintel_handle_close((handle_t)event);
}

const struct notify_ops notify_ops = { watch_ready, watch_end };

static err_t watch_open(struct kit_call *call, struct open_file *open, uint64_t file, uint32_t events,
		handle_t *happened)
{
	handle_t event;
	err_t err = lintel_event_create(&event);

	if (err != OK)
		return err;
	err = lintel_handle_duplicate(event, RIGHT_WAIT | RIGHT_TRANSFER, happened);
	if (err == OK) {
		open->watched = true;
		err = notify_watch(open->inode_number, call->badge, file, events, event);
		if (err != OK)
			lintel_handle_close(*happened);
	}
	if (err != OK)
		lintel_handle_close(event);
	return err;
}

err_t op_watch(struct kit_call *call, uint64_t file, uint32_t events, handle_t *happened)
{
	struct open_file *open;
	err_t err = file_take(call, file, FS_OPEN_READ, &open);

	if (err != OK)
		return err;
	err = events == 0 || events >= FS_EVENT_LOST ? ERR_ARGS : watch_open(call, open, file, events, happened);
	kit_file_put(&files, call->badge, open);
	return err;
}

err_t op_watch_read(struct kit_call *call, uint64_t file, void *records, size_t room, uint64_t *bytes)
{
	struct open_file *open;
	err_t err = file_take(call, file, 0, &open);

	if (err != OK)
		return err;
	err = notify_read(open->inode_number, call->badge, file, records, room, bytes);
	kit_file_put(&files, call->badge, open);
	return err;
}

/* [whole] One at a time sets a whole file's lock, and what follows from it. */
static pthread_mutex_t whole = PTHREAD_MUTEX_INITIALIZER;

void exclusive_end(struct open_file *open)
{
	if (atomic_exchange(&open->exclusive, false))
		pmfs_lease_shut(open->inode, false);
}

static err_t lock_whole(struct kit_call *call, struct open_file *open, uint64_t file, uint32_t flags,
		const struct lock_range *range, uint64_t *waits, handle_t *granted)
{
	pthread_mutex_lock(&whole);
	if (range->type != FS_LOCK_EXCLUSIVE)
		exclusive_end(open);
	err_t err = kit_lock(&locks, call, open->inode_number, file, open->flags, flags, range, waits, granted);
	if (err == OK && *waits == 0 && flags & FS_LOCK_OPENING && !atomic_exchange(&open->exclusive, true))
		pmfs_lease_shut(open->inode, true);
	pthread_mutex_unlock(&whole);
	return err;
}

err_t op_lock(struct kit_call *call, uint64_t file, uint32_t flags, uint64_t first, uint64_t last,
		uint32_t holder, uint64_t *waits, handle_t *granted)
{
	const struct lock_range range = { first, last, kit_lock_type(flags), holder };
	struct open_file *open;
	err_t err = file_take(call, file, 0, &open);

	if (err != OK)
		return err;
	if (flags & FS_LOCK_WHOLE)
		err = lock_whole(call, open, file, flags, &range, waits, granted);
	else
		err = kit_lock(&locks, call, open->inode_number, file, open->flags, flags, &range, waits, granted);
	kit_file_put(&files, call->badge, open);
	return err;
}

err_t op_lock_test(struct kit_call *call, uint64_t file, uint32_t flags, uint64_t first, uint64_t last,
		uint32_t *type, uint64_t *held_first, uint64_t *held_last, uint32_t *holder)
{
	const struct lock_range range = { .first = first, .last = last, .type = kit_lock_type(flags) };
	struct open_file *open;
	err_t err = file_take(call, file, 0, &open);

	if (err != OK)
		return err;
	err = kit_lock_test(&locks, call, open->inode_number, file, flags, &range, type, held_first, held_last,
			holder);
	kit_file_put(&files, call->badge, open);
	return err;
}
