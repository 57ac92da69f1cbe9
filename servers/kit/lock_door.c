/* SPDX-License-Identifier: BSD-2-Clause */
/* lock_door.c - locks for clients that may have to wait: each gets an event of its own, and waits outside. */
#include "kit/lock_door.h"

#include <lintel/syscalls.h>

#define GRANTED (1u << SIGNAL_USER_SHIFT)
#define GIVEN_UP (2u << SIGNAL_USER_SHIFT)

void locks_wake(uint64_t event, bool granted)
{
	if (lintel_event_signal((handle_t)event, 0, granted ? GRANTED : GIVEN_UP) != OK)
		kit_log("an event of a lock cannot be signalled");
	lintel_handle_close((handle_t)event);
}

static err_t event_make(handle_t *ours, handle_t *theirs)
{
	err_t err = lintel_event_create(ours);

	if (err != OK)
		return err;
	err = lintel_handle_duplicate(*ours, RIGHT_WAIT | RIGHT_TRANSFER, theirs);
	if (err != OK)
		lintel_handle_close(*ours);
	return err;
}

static err_t lock_check(uint32_t flags, uint32_t open_flags, const struct lock_range *range)
{
	const uint32_t known = FS_LOCK_SHARED | FS_LOCK_EXCLUSIVE | FS_LOCK_UNLOCK | FS_LOCK_WAIT | FS_LOCK_WHOLE |
			FS_LOCK_OPENING;
	const bool record = !(flags & FS_LOCK_WHOLE);

	if (flags & ~known || range->first > range->last)
		return ERR_ARGS;
	if (flags & FS_LOCK_OPENING && (record || range->type != FS_LOCK_EXCLUSIVE))
		return ERR_ARGS;
	if (range->type != FS_LOCK_SHARED && range->type != FS_LOCK_EXCLUSIVE && range->type != FS_LOCK_UNLOCK)
		return ERR_ARGS;
	if (record && range->type == FS_LOCK_SHARED && !(open_flags & FS_OPEN_READ))
		return ERR_DENIED;
	return record && range->type == FS_LOCK_EXCLUSIVE && !(open_flags & FS_OPEN_WRITE) ? ERR_DENIED : OK;
}

static struct lock_owner owner_of(const struct kit_call *call, uint64_t number, uint32_t flags)
{
	const bool whole = flags & FS_LOCK_WHOLE;

	return (struct lock_owner) { .session = call->badge, .whole = whole, .file = whole ? number : 0 };
}

err_t kit_lock(struct locks *locks, const struct kit_call *call, uint64_t inode, uint64_t number, uint32_t open_flags,
		uint32_t flags, const struct lock_range *range, uint64_t *waits, handle_t *granted)
{
	const struct lock_owner owner = owner_of(call, number, flags);
	handle_t event = HANDLE_NONE;
	bool queued = false;
	err_t err = lock_check(flags, open_flags, range);

	*granted = HANDLE_NONE;
	if (err == OK)
		err = locks_set(locks, inode, &owner, range, 0, &queued);
	if (err == ERR_AGAIN && flags & FS_LOCK_WAIT) {
		err = event_make(&event, granted);
		if (err != OK)
			return err;
		err = locks_set(locks, inode, &owner, range, event, &queued);
		if (!queued) {
			lintel_handle_close(event);
			lintel_handle_close(*granted);
			*granted = HANDLE_NONE;
		}
	}
	*waits = queued;
	return err;
}

err_t kit_lock_test(struct locks *locks, const struct kit_call *call, uint64_t inode, uint64_t number, uint32_t flags,
		const struct lock_range *range, uint32_t *type, uint64_t *held_first, uint64_t *held_last, uint32_t *holder)
{
	const struct lock_owner owner = owner_of(call, number, flags);
	struct lock_range found;
	err_t err = lock_check(flags, FS_OPEN_READ | FS_OPEN_WRITE, range);

	if (err != OK)
		return err;
	if (!locks_test(locks, inode, &owner, range, &found))
		found = (struct lock_range) { .type = FS_LOCK_UNLOCK };
	*type = found.type;
	*held_first = found.first;
	*held_last = found.last;
	*holder = found.holder;
	return OK;
}
