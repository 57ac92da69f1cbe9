/* SPDX-License-Identifier: BSD-2-Clause */
/* inherit.h - what a child gets from its parent's POSIX side: mounts, and files opened anew. Private to libc. */
#pragma once

#include <lintel/process.h>
#include <lintel/startup.h>

#include "posix/mount.h"

#define INHERITED_FDS_MAX 48

struct inherited_fd {
	struct startup_handle entry; /* all but the child's handle */
	handle_t session;            /* to be granted */
	struct file *file;           /* whose session it is, a reference; NULL: of one of `sessions` */
};

struct inherit {
	uint32_t user, group; /* the child's, if user is not 0 */
	uint32_t mount_count;
	struct mount *mounts[MOUNTS_MAX]; /* references */
	handle_t mounts_door; /* HANDLE_NONE: none, or no mounts */
	uint32_t fd_count;
	struct inherited_fd fds[INHERITED_FDS_MAX];
	uint32_t session_count;
	struct {
		struct mount *mount;          /* a reference */
		handle_t session;             /* made for this child: its open files end with it */
	} sessions[MOUNTS_MAX];
};

/* ERR_TOO_MANY; errors of opening a file again. Nothing is held on failure. */
MUST_USE err_t inherit_collect(const struct spawn_request *request, struct inherit *out);
void inherit_release(struct inherit *inherit);
