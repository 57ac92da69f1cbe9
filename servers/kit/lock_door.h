/* SPDX-License-Identifier: BSD-2-Clause */
/* lock_door.h - the messages lock and lock_test of abi/fs.proto on a table of locks. */
#pragma once

#include "kit/kit.h"
#include "kit/locks.h"

static inline uint32_t kit_lock_type(uint32_t flags)
{
	return flags & (FS_LOCK_SHARED | FS_LOCK_EXCLUSIVE | FS_LOCK_UNLOCK);
}

/* The file `number` of the caller's session is the file `inode`, opened with open_flags (enum fs_open_flag). */
MUST_USE err_t kit_lock(struct locks *locks, const struct kit_call *call, uint64_t inode, uint64_t number,
		uint32_t open_flags, uint32_t flags, const struct lock_range *range, uint64_t *waits, handle_t *granted);
MUST_USE err_t kit_lock_test(struct locks *locks, const struct kit_call *call, uint64_t inode, uint64_t number,
		uint32_t flags, const struct lock_range *range, uint32_t *type, uint64_t *held_first, uint64_t *held_last,
		uint32_t *holder);
