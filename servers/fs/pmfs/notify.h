/* SPDX-License-Identifier: BSD-2-Clause */
/* notify.h - who wants to know what happens to a file or directory. A watch belongs to an open file of a session, and
 * ends with it. What has happened is queued, and an event says that there is something; nobody ever waits here: what
 * finds no room is lost, and that is told (FS_EVENT_LOST).
 * Advisory: what clients store through leases and mappings is not seen; of a directory only its names are.
 * Locks: one mutex, a leaf below the inodes' locks. Pure: the server says how an event is signalled. */
#pragma once

#include "pmfs.h"

#define NOTIFY_WATCHES_MAX 1024u     /* of all sessions */
#define NOTIFY_SESSION_MAX 128u
#define NOTIFY_QUEUE_BYTES 8192u     /* of one watch */

struct notify_ops {
	void (*ready)(uint64_t event, bool there_is); /* something is in the queue now; or nothing is any more */
	void (*end)(uint64_t event);                  /* the watch is gone */
};

void notify_init(struct pmfs *fs, const struct notify_ops *ops);
/* For these enum fs_event; the event is taken over on success. A second time for the same file: other events, and the
 * event replaces the one before. ERR_TOO_MANY, ERR_NO_MEMORY. */
MUST_USE err_t notify_watch(uint64_t inode, uint64_t session, uint64_t file, uint32_t events, uint64_t event);
void notify_close(uint64_t inode, uint64_t session, uint64_t file);
/* Whole struct fs_event_record, as many as there is room for; they leave the queue. ERR_NOT_FOUND: nobody watches.
 * ERR_ARGS: not even one fits. */
MUST_USE err_t notify_read(uint64_t inode, uint64_t session, uint64_t file, void *records, size_t room,
		uint64_t *bytes);

/* It has happened to that inode; `name` (may be NULL) in it. pmfs_options.changed. */
void notify_changed(uint64_t inode, uint32_t events, const char *name, size_t name_bytes);
