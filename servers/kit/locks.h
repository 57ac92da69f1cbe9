/* SPDX-License-Identifier: BSD-2-Clause */
/* locks.h - advisory locks on files, for any file system: POSIX record locks, which belong to a session (a process),
 * and flock's, which belong to an open file of a session. The two kinds do not see each other.
 * Files are numbers (inodes). Nobody sleeps here: a request that has to wait is queued with an event, and the event is
 * signalled when the lock is its owner's, or never will be (locks_wake). So a waiting client holds no activation.
 *
 * L1  The locks of an owner on a file do not overlap, and neighbours of one type are one.
 * L2  No lock conflicts with another owner's of the same kind on the same file.
 * L3  A queued request conflicts with some lock; when locks go or shrink, the queue is looked at in its order.
 * L4  Record locks wait in no circle: a request that would close one is refused with ERR_DEADLOCK. (flock's may, as in
 *     every Unix: its owners are not processes.)
 * Pure but for locks_wake. Locks: one mutex; a file without locks and an empty table cost a relaxed load. */
#pragma once

#include <lintel/fs_proto.h>
#include <pthread.h>
#include <stdatomic.h>

#define LOCKS_BUCKETS 256u
#define LOCKS_MAX 65536u   /* locks and requests of one session */
#define LOCKS_WAITING_MAX 256u /* requests of one session */
#define LOCKS_LAST UINT64_MAX

struct lock_owner {
	uint64_t session;
	bool whole;    /* flock */
	uint64_t file; /* flock: its number in the session; record locks: 0 */
};

struct lock_range {
	uint64_t first;
	uint64_t last;   /* included; LOCKS_LAST: whatever the file's size becomes */
	uint32_t type;   /* FS_LOCK_SHARED, FS_LOCK_EXCLUSIVE; to set: or FS_LOCK_UNLOCK */
	uint32_t holder; /* what the owner calls itself; told to whom it stands in the way */
};

struct lock_entry;

struct locks {
	pthread_mutex_t mutex;
	struct lock_entry *bucket[LOCKS_BUCKETS];
	_Atomic uint64_t count; /* locks and requests there are */
};

void locks_init(struct locks *locks);
/* Sets, changes or removes. What conflicts: ERR_AGAIN; or, with an `event`, the request waits: *waits is true.
 * ERR_DEADLOCK (L4), ERR_LIMIT, ERR_NO_MEMORY (nothing has changed). The event is the table's until locks_wake. */
MUST_USE err_t locks_set(struct locks *locks, uint64_t inode, const struct lock_owner *owner,
		const struct lock_range *range, uint64_t event, bool *waits);
/* The first lock that stands in the way, or false. */
bool locks_test(struct locks *locks, uint64_t inode, const struct lock_owner *owner, const struct lock_range *range,
		struct lock_range *found);
/* The session closes an open file, or has ended: its record locks on the inode go, whichever of its files they were set
 * by, and the file's own. The last that is done with the file. */
void locks_close_any(struct locks *locks, uint64_t inode, uint64_t session, uint64_t file);
static inline void locks_close(struct locks *locks, uint64_t inode, uint64_t session, uint64_t file)
{
	if (unlikely(atomic_load_explicit(&locks->count, memory_order_relaxed) != 0))
		locks_close_any(locks, inode, session, file);
}

/* The waiting request has its lock (granted), or is given up because its file was closed. The event is the callee's to
 * end. Called with the mutex held. lock_door.c; tests have their own. */
void locks_wake(uint64_t event, bool granted);
