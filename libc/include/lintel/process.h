/* SPDX-License-Identifier: BSD-2-Clause */
/* process.h - what a program on Lintel can do beyond POSIX: its start-up handles, mounts, and spawning.
 * Handles that these functions return stay libc's unless it says otherwise: do not close them. */
#pragma once

#include <lintel/startup.h>
#include <lintel/types.h>

/* ---- This process ---- */

handle_t lintel_process(void); /* this process, RIGHT_MANAGE */

/* The index-th start-up handle of that kind (and, where `argument` is not STARTUP_ANY, that argument); HANDLE_NONE when
 * there is none. Kinds FD, MOUNT and SYSINFO are libc's own and never returned. */
#define STARTUP_ANY UINT32_MAX
handle_t lintel_startup_handle(uint32_t kind, uint32_t argument, uint32_t index);

/* The start-up handle of kind STARTUP_SERVICE or STARTUP_SERVE of that name; HANDLE_NONE when there is none. */
handle_t lintel_startup_named(uint32_t kind, const char *name);

/* The monotonic clock, by rdtsc and the system page where there is one. */
uint64_t lintel_clock_ns(void);
const struct sysinfo_page *lintel_sysinfo(void); /* NULL if the parent gave none */

/* The errno value for an ABI result. */
int lintel_errno(err_t error);

/* ---- Mounts ---- */

/* Mount the file system behind `door` at the absolute path `prefix`. Takes the handle over on success.
 * Children spawned later get it too. ERR_ARGS, ERR_EXISTS, ERR_TOO_MANY, ERR_NO_MEMORY. */
MUST_USE err_t lintel_mount_add(const char *prefix, handle_t door);

/* Forget the mount; files that are open on it stay usable. ERR_NOT_FOUND. */
MUST_USE err_t lintel_mount_remove(const char *prefix);

/* The index-th mount; *prefix stays valid until it is removed. ERR_NOT_FOUND past the last. */
MUST_USE err_t lintel_mount_get(uint32_t index, const char **prefix, handle_t *door);

/* Make `door` (taken over) descriptor `fd`, a console; whatever fd was is closed. */
MUST_USE err_t lintel_console_fd(int fd, handle_t door);

/* ---- Spawning ---- */

/* A handle for the child. `handle` stays the parent's; the child gets a copy with `rights` (RIGHTS_SAME keeps them).
 * Where `name` is not NULL the argument becomes that name's index (STARTUP_SERVICE, STARTUP_SERVE, STARTUP_MOUNT). */
struct spawn_handle {
	uint32_t kind;
	uint32_t argument;
	const char *name;
	handle_t handle;
	uint32_t rights;
};

/* The child's descriptor `child_fd` is the parent's `parent_fd`. */
struct spawn_fd {
	int parent_fd;
	int child_fd;
};

/* All zero but for a source (`path`, or `image`) is a good request: own environment, cwd, mounts and descriptors. */
struct spawn_request {
	const char *path;        /* the program's file, ... */
	const void *image;       /* ... or its bytes in memory */
	size_t image_bytes;
	const char *name;        /* of the process; NULL: the last part of path or argv[0] */
	char *const *argv;       /* NULL-terminated; NULL: just the name */
	char *const *env;        /* NULL: this process's environment */
	const char *cwd;         /* absolute; NULL: this process's */
	const struct spawn_fd *fds; /* NULL: all descriptors without FD_CLOEXEC */
	uint32_t fd_count;
	uint32_t handle_count;
	const struct spawn_handle *handles;
	bool no_mounts;          /* give none of this process's mounts */
	uint32_t user, group;    /* whose the child is, if user is not 0; else this process's. Only user 0 may say so */
	size_t stack_bytes;      /* of the first thread; 0: 256 KiB */
	uint64_t memory_limit_pages; /* 0: no limit of its own */
};

/* Load and start a program. On OK *process (the caller's to close) has all rights; wait on SIGNAL_TERMINATED, then
 * process_info has the status. ERR_BAD_FORMAT: not an ELF that Lintel runs; ERR_NOT_FOUND and the like: the file. */
MUST_USE err_t lintel_spawn(const struct spawn_request *request, handle_t *process);

/* Wait until it has ended, and give its exit status. ERR_TIMED_OUT after `deadline` (monotonic ns). */
MUST_USE err_t lintel_wait(handle_t process, uint64_t deadline, int32_t *status);
