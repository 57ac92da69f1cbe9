/* SPDX-License-Identifier: BSD-2-Clause */
/* service.h - init's table: one entry a manifest, and everything that init holds.
 * Locks: [l] supervisor.lock  [I] written before the first service runs. Calls on the door and the
 * supervising thread meet here; nobody makes a door call while holding the lock.
 *
 *   IDLE -> STARTING -> READY            service_ready, or at once for a program that serves nobody
 *   any running state -> WAITING         it ended and will be restarted at restart_ns (supervise.c)
 *                     -> ENDED, FAILED   it ended well and stays down; it failed for good
 *                     -> STOPPED         service_stop
 *   IDLE -> ABSENT                       the machine lacks what it needs (a zone) */
#pragma once

#include <pthread.h>

#include "init/manifest.h"
#include "init/order.h"

enum service_state {
	SERVICE_IDLE,
	SERVICE_STARTING,
	SERVICE_READY,
	SERVICE_WAITING,
	SERVICE_ENDED,
	SERVICE_FAILED,
	SERVICE_STOPPED,
	SERVICE_ABSENT
};

struct service {
	struct manifest manifest; /* [I] */
	bool is_server;           /* [I] ready only when it says so */
	enum service_state state; /* [l] */
	bool wanted;              /* [l] start it as soon as what it needs is there */
	bool stopping;            /* [l] service_stop has been asked: its end is no failure */
	handle_t process;         /* [l] HANDLE_NONE unless it runs */
	handle_t door;            /* [l] its root door, once ready */
	uint32_t pid;             /* [l] */
	uint32_t restarts;        /* [l] since boot */
	uint32_t restarts_in_row; /* [l] without 30 s of good running between */
	uint64_t start_ns;        /* [l] when it was started last */
	uint64_t restart_ns;      /* [l] WAITING: when to start it again */
};

struct supervisor {
	pthread_mutex_t lock;
	pthread_cond_t buried;     /* [l] a service that was to stop has ended */
	handle_t root;            /* [I] the root resource */
	handle_t archive;         /* [I] VMO over the boot archive */
	const uint8_t *image;     /* [I] the archive, mapped */
	uint64_t image_bytes;     /* [I] */
	handle_t wake;            /* [I] event: WAKE_BIT when the supervising thread shall look again */
	const char *script;       /* [I] decoded `script=`, or NULL */
	uint32_t count;           /* [I] */
	uint64_t settle_ns;       /* [I] by then `start = last` waits for nobody any more */
	bool shutdown;            /* [l] asked for */
	uint32_t shutdown_action; /* [l] */
	uint32_t shutdown_code;   /* [l] */
	struct service services[SERVICES_MAX];
};

#define WAKE_BIT (1u << SIGNAL_USER_SHIFT)

extern struct supervisor supervisor;

/* By name, or by mount prefix if it begins with a slash; NULL: there is none. */
struct service *service_find(const char *name);
const char *service_state_name(enum service_state state);

/* A file of the archive, in the mapped image. ERR_NOT_FOUND, ERR_BAD_FORMAT. */
MUST_USE
err_t archive_find(const char *name, const uint8_t **data, uint64_t *bytes);

/* Read every etc/NAME.manifest of the archive into the table; what cannot be used is named in
 * the log and left out. */
void services_load(void);

/* spawn.c: start it now; under supervisor.lock. When it fails *what says at which step, in
 * words. ERR_NOT_FOUND: the machine lacks a zone that it needs. */
MUST_USE
err_t service_spawn(struct service *s, const char **what);

/* supervise.c: start, watch and restart, until somebody asks for the end; then shutdown.c. */
void supervise(void) NORETURN;
/* Wake the supervising thread. */
void supervise_wake(void);

/* shutdown.c: end every program, unmount every file system, and the power. Comes back only if
 * the power does not go. */
void shutdown_system(uint32_t action, uint32_t code);
/* Unmount that file system; one line if it refuses. */
err_t service_unmount(const char *name, handle_t door);

/* door.c: serve init's door; a handle on it for a service. */
MUST_USE
err_t init_door_serve(void);
MUST_USE
err_t init_door_for(const struct service *s, handle_t *door);
