/* SPDX-License-Identifier: BSD-2-Clause */
/* watch.h - being told of changes to a file or directory, by the file system that has it. Advisory: what is stored
 * through mappings, or without a call in an open file, is not seen; of a directory only its names are. */
#pragma once

#include <sys/types.h>
#include <lintel/fs_proto.h> /* enum fs_event, struct fs_event_record */

#define LINTEL_WATCH_HAPPENED (1u << SIGNAL_USER_SHIFT)

/* Watch what the descriptor, open for reading, leads to, until it is closed. *happened, an event and the caller's to
 * close, has the signal LINTEL_WATCH_HAPPENED as long as there is something to read. A second time: other events,
 * another handle. 0, or -1 and errno: ENOTSUP if the file system does not tell. */
int lintel_watch(int fd, uint32_t events, handle_t *happened);

/* Whole records of what has happened, oldest first; 0: nothing. EINVAL: not even one fits (name_bytes is at most
 * 255). */
ssize_t lintel_watch_read(int fd, void *records, size_t bytes);
