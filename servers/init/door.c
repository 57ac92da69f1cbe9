/* SPDX-License-Identifier: BSD-2-Clause */
/* door.c - init's own door (abi/init.proto). The badge is the caller's index in the table + 1;
 * badge 0 is never given. With BADGE_MOUNTS_ONLY it is a door of programs that this caller starts.
 * Context: activations, several at a time; the table is reached under supervisor.lock. */
#include "init/service.h"

#include <lintel/fs_client.h>
#include <lintel/names.h>
#include <lintel/syscalls.h>
#include <stdio.h>
#include <string.h>

#include "kit/kit.h"
#include <lintel/init_server.h>

#define DOOR_RIGHTS (RIGHT_CALL | RIGHT_DUPLICATE | RIGHT_TRANSFER | RIGHT_WAIT)
#define KILL_STATUS_STOPPED 0
#define POWER_ACTION_MAX 2
#define BADGE_MOUNTS_ONLY (1ull << 32)

static struct service *service_of(uint64_t badge)
{
	return badge >= 1 && badge <= supervisor.count ? &supervisor.services[badge - 1] : NULL;
}

static struct service *caller_of(const struct kit_call *call)
{
	return service_of(call->badge);
}

static err_t service_ready(struct kit_call *call, handle_t door)
{
	struct service *s = caller_of(call);
	err_t err = ERR_BAD_STATE;
	pthread_mutex_lock(&supervisor.lock);
	if (s && s->state == SERVICE_READY && s->door != HANDLE_NONE)
		err = ERR_EXISTS;
	else if (s && s->process != HANDLE_NONE)
		err = OK;
	if (err == OK) {
		s->door = door;
		s->state = SERVICE_READY;
	}
	pthread_mutex_unlock(&supervisor.lock);
	if (err == OK)
		supervise_wake();
	else if (door != HANDLE_NONE)
		lintel_handle_close(door);
	return err;
}

/* Its process is gone, but the supervising thread has not seen it yet. */
static bool is_dead(handle_t door)
{
	uint32_t seen = 0;
	return lintel_object_wait(door, SIGNAL_PEER_DIED, 0, &seen) == OK && (seen & SIGNAL_PEER_DIED);
}

static err_t open_locked(uint64_t badge, const char *name, handle_t *door)
{
	const struct service *s = service_find(name), *caller = service_of(badge & ~BADGE_MOUNTS_ONLY);
	if (!caller)
		return ERR_DENIED;
	if (!s)
		return ERR_NOT_FOUND;
	bool allowed = s->manifest.mount[0] && manifest_allows_mount(&caller->manifest, s->manifest.mount);
	if (!(badge & BADGE_MOUNTS_ONLY))
		allowed |= manifest_allows_service(&caller->manifest, s->manifest.name);
	if (!allowed)
		return ERR_DENIED;
	if (s->state != SERVICE_READY || s->door == HANDLE_NONE || s->stopping || is_dead(s->door))
		return ERR_BAD_STATE;
	return lintel_handle_duplicate(s->door, DOOR_RIGHTS, door);
}

static err_t service_open(struct kit_call *call, const char *name, handle_t *door)
{
	pthread_mutex_lock(&supervisor.lock);
	err_t err = open_locked(call->badge, name, door);
	pthread_mutex_unlock(&supervisor.lock);
	return err;
}

static err_t mounts_door(struct kit_call *call, handle_t *door)
{
	return caller_of(call) ? kit_mint(call->badge | BADGE_MOUNTS_ONLY, door) : ERR_DENIED;
}

static err_t start_locked(const struct service *caller, const char *name)
{
	struct service *s = service_find(name);
	if (!caller || !caller->manifest.power)
		return ERR_DENIED;
	if (!s)
		return ERR_NOT_FOUND;
	if (s->process != HANDLE_NONE || s->state == SERVICE_WAITING)
		return ERR_EXISTS;
	s->wanted = true;
	s->restarts_in_row = 0;
	s->state = SERVICE_IDLE;
	return OK;
}

static err_t service_start(struct kit_call *call, const char *name)
{
	pthread_mutex_lock(&supervisor.lock);
	err_t err = start_locked(caller_of(call), name);
	pthread_mutex_unlock(&supervisor.lock);
	if (err == OK)
		supervise_wake();
	return err;
}

/* Its end from here on is what was wanted. For a file system *door is a handle to unmount it
 * with, else HANDLE_NONE. */
static err_t stop_begin_locked(const struct service *caller, const char *name, struct service **out, handle_t *door)
{
	struct service *s = service_find(name);
	if (!caller || !caller->manifest.power)
		return ERR_DENIED;
	if (!s)
		return ERR_NOT_FOUND;
	if (s->process == HANDLE_NONE && s->state != SERVICE_WAITING)
		return ERR_BAD_STATE;
	*door = HANDLE_NONE;
	if (s->manifest.mount[0] && s->door != HANDLE_NONE) {
		err_t err = lintel_handle_duplicate(s->door, DOOR_RIGHTS, door);
		if (err != OK)
			return err;
	}
	s->stopping = true;
	*out = s;
	return OK;
}

/* After the unmount: the process goes, and this waits until it has; or everything stays as it was. */
static err_t stop_end_locked(struct service *s, err_t unmounted)
{
	if (unmounted != OK && unmounted != ERR_PEER_DIED) {
		s->stopping = false;
		return unmounted;
	}
	if (s->process != HANDLE_NONE) {
		err_t err = lintel_process_kill(s->process, KILL_STATUS_STOPPED);
		while (err == OK && s->stopping)
			pthread_cond_wait(&supervisor.buried, &supervisor.lock);
		return err;
	}
	if (s->state == SERVICE_WAITING) {
		s->stopping = false;
		s->wanted = false;
		s->state = SERVICE_STOPPED;
	}
	return OK;
}

static err_t service_stop(struct kit_call *call, const char *name)
{
	struct service *s;
	handle_t door;
	pthread_mutex_lock(&supervisor.lock);
	err_t err = stop_begin_locked(caller_of(call), name, &s, &door);
	pthread_mutex_unlock(&supervisor.lock);
	if (err != OK)
		return err;
	err_t unmounted = OK;
	if (door != HANDLE_NONE) {
		unmounted = fs_unmount(door);
		lintel_handle_close(door);
	}
	pthread_mutex_lock(&supervisor.lock);
	err = stop_end_locked(s, unmounted);
	pthread_mutex_unlock(&supervisor.lock);
	return err;
}

/* "name<TAB>state<TAB>pid<TAB>restarts<TAB>mount" */
static err_t service_state(struct kit_call *call, uint32_t index, void *text, size_t text_bytes, uint64_t *bytes)
{
	char line[MANIFEST_NAME_BYTES + MANIFEST_PATH_BYTES + 64];
	(void)call;
	if (index >= supervisor.count)
		return ERR_NOT_FOUND;
	pthread_mutex_lock(&supervisor.lock);
	const struct service *s = &supervisor.services[index];
	int length = snprintf(line, sizeof line, "%s\t%s\t%u\t%u\t%s", s->manifest.name, service_state_name(s->state),
		(unsigned)s->pid, (unsigned)s->restarts, s->manifest.mount);
	pthread_mutex_unlock(&supervisor.lock);
	if ((size_t)length > text_bytes)
		return ERR_ARGS;
	memcpy(text, line, (size_t)length);
	*bytes = (uint64_t)length;
	return OK;
}

/* The supervising thread does it: a caller that is one of those who must go first would wait for
 * itself. */
static err_t shutdown(struct kit_call *call, uint32_t action, uint32_t code)
{
	const struct service *caller = caller_of(call);
	if (!caller || !caller->manifest.power)
		return ERR_DENIED;
	if (action > POWER_ACTION_MAX)
		return ERR_ARGS;
	pthread_mutex_lock(&supervisor.lock);
	supervisor.shutdown = true;
	supervisor.shutdown_action = action;
	supervisor.shutdown_code = code;
	pthread_mutex_unlock(&supervisor.lock);
	supervise_wake();
	return OK;
}

static const struct init_ops ops = {
	.service_open = service_open,
	.service_start = service_start,
	.service_stop = service_stop,
	.service_state = service_state,
	.shutdown = shutdown,
	.service_ready = service_ready,
	.mounts_door = mounts_door,
};

static err_t dispatch(struct kit_call *call)
{
	return init_dispatch(&ops, call);
}

static const struct kit_server server = { .name = "init", .dispatch = dispatch };

static void *keep_house(void *unused)
{
	(void)unused;
	kit_main(&server);
	return NULL;
}

err_t init_door_serve(void)
{
	pthread_t thread;
	err_t err = kit_prepare(&server);
	if (err != OK)
		return err;
	return pthread_create(&thread, NULL, keep_house, NULL) ? ERR_NO_MEMORY : OK;
}

err_t init_door_for(const struct service *s, handle_t *door)
{
	return kit_mint((uint64_t)(s - supervisor.services) + 1, door);
}
