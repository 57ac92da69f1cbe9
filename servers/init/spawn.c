/* SPDX-License-Identifier: BSD-2-Clause */
/* spawn.c - starting one service: exactly the handles, descriptors and words that its manifest
 * names. Handles made for it (resources, zones, its handle on init's door) are closed here once
 * the child has its copies. */
#include "init/service.h"

#include <lintel/info.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit/kit.h"

#define GRANTS_MAX 48
#define SCRIPT_ENVIRONMENT "SCRIPT="
#define DOOR_RIGHTS (RIGHT_CALL | RIGHT_DUPLICATE | RIGHT_TRANSFER | RIGHT_WAIT)
#define ZONE_RIGHTS (RIGHT_READ | RIGHT_WRITE | RIGHT_DUPLICATE | RIGHT_TRANSFER)
#define ARCHIVE_RIGHTS (RIGHT_READ | RIGHT_DUPLICATE | RIGHT_TRANSFER)

/* What a child shall get, while it is put together. */
struct grants {
	uint32_t count;
	struct spawn_handle handle[GRANTS_MAX];
	uint32_t owned; /* of the first handles: how many are ours to close */
};

static err_t grant_add(struct grants *g, uint32_t kind, uint32_t argument, const char *name, handle_t handle,
	uint32_t rights)
{
	if (g->count == GRANTS_MAX)
		return ERR_TOO_MANY;
	g->handle[g->count++] = (struct spawn_handle){ kind, argument, name, handle, rights };
	return OK;
}

/* A handle that was made for this child: closed by grants_close, or here if there is no room.
 * Only before others. */
static err_t grant_own(struct grants *g, uint32_t kind, uint32_t argument, const char *name, handle_t handle,
	uint32_t rights)
{
	err_t err = grant_add(g, kind, argument, name, handle, rights);
	if (err != OK)
		lintel_handle_close(handle);
	else
		g->owned = g->count;
	return err;
}

static void grants_close(struct grants *g)
{
	for (uint32_t i = 0; i < g->owned; i++)
		lintel_handle_close(g->handle[i].handle);
}

static err_t grant_init_door(struct grants *g, const struct service *s)
{
	handle_t door;
	err_t err = init_door_for(s, &door);
	return err == OK ? grant_own(g, STARTUP_SERVICE, 0, "init", door, RIGHTS_SAME) : err;
}

static err_t grant_resources(struct grants *g, const struct manifest *m)
{
	for (uint32_t i = 0; i < m->resource_count; i++) {
		const struct manifest_resource *r = &m->resource[i];
		handle_t handle;
		err_t err = lintel_resource_create(supervisor.root, r->kind, r->base, r->length, &handle);
		if (err == OK)
			err = grant_own(g, STARTUP_RESOURCE, r->kind, NULL, handle, r->rights);
		if (err != OK)
			return err;
	}
	return OK;
}

/* The index of the PMEM zone of that name. ERR_NOT_FOUND: the machine has none. */
static err_t zone_find(const char *name, uint32_t *index)
{
	for (uint32_t i = 0;; i++) {
		struct info_zone zone;
		uint64_t written;
		err_t err = lintel_system_info(supervisor.root, INFO_ZONE, i, &zone, sizeof zone, &written);
		if (err != OK)
			return err;
		if (zone.kind == ZONE_PMEM && !strncmp(zone.name, name, sizeof zone.name)) {
			*index = i;
			return OK;
		}
	}
}

static err_t grant_zones(struct grants *g, const struct manifest *m, const char **what)
{
	for (uint32_t i = 0; i < m->zone_count; i++) {
		uint32_t index;
		handle_t vmo;
		*what = m->zone[i];
		err_t err = zone_find(m->zone[i], &index);
		if (err == OK)
			err = lintel_zone_open(supervisor.root, index, &vmo);
		if (err == OK)
			err = grant_own(g, STARTUP_ZONE, i, NULL, vmo, ZONE_RIGHTS);
		if (err != OK)
			return err;
	}
	return OK;
}

/* Doors of services and file systems that run and that the manifest names. */
static err_t grant_doors(struct grants *g, const struct manifest *m)
{
	for (uint32_t i = 0; i < supervisor.count; i++) {
		const struct service *other = &supervisor.services[i];
		err_t err = OK;
		if (other->state != SERVICE_READY || other->door == HANDLE_NONE)
			continue;
		if (manifest_allows_service(m, other->manifest.name))
			err = grant_add(g, STARTUP_SERVICE, 0, other->manifest.name, other->door, DOOR_RIGHTS);
		if (err == OK && other->manifest.mount[0] && manifest_allows_mount(m, other->manifest.mount))
			err = grant_add(g, STARTUP_MOUNT, 0, other->manifest.mount, other->door, DOOR_RIGHTS);
		if (err != OK)
			return err;
	}
	return OK;
}

static err_t grants_collect(struct grants *g, const struct service *s, const char **what)
{
	const struct manifest *m = &s->manifest;
	err_t err = grant_zones(g, m, what);
	if (err != OK)
		return err;
	*what = "its handle on init";
	err = grant_init_door(g, s);
	if (err != OK)
		return err;
	*what = "its resources";
	err = grant_resources(g, m);
	if (err != OK)
		return err;
	*what = "its doors";
	err = grant_doors(g, m);
	if (err == OK && m->archive)
		err = grant_add(g, STARTUP_ARCHIVE, 0, NULL, supervisor.archive, ARCHIVE_RIGHTS);
	return err;
}

/* Our own descriptors 0, 1 and 2 are the console that runs now; the child gets copies. */
static err_t console_attach(void)
{
	const struct service *console = service_find("console");
	if (!console || console->state != SERVICE_READY)
		return ERR_BAD_STATE;
	for (int fd = 0; fd < 3; fd++) {
		handle_t door;
		err_t err = lintel_handle_duplicate(console->door, DOOR_RIGHTS, &door);
		if (err == OK) {
			err = lintel_console_fd(fd, door);
			if (err != OK)
				lintel_handle_close(door);
		}
		if (err != OK)
			return err;
	}
	return OK;
}

static err_t launch(const struct service *s, const struct grants *g, const uint8_t *image, uint64_t image_bytes,
	handle_t *process)
{
	static const struct spawn_fd console_fds[] = { { 0, 0 }, { 1, 1 }, { 2, 2 } };
	const struct manifest *m = &s->manifest;
	const char *argv[MANIFEST_ARGUMENTS_MAX + 2] = { m->name };
	for (uint32_t i = 0; i < m->argument_count; i++)
		argv[i + 1] = manifest_argument(m, i);
	char activations[32];
	char *script = NULL;
	snprintf(activations, sizeof activations, "ACTIVATIONS=%u", m->activations);
	if (supervisor.script && m->stdio_console) {
		script = malloc(strlen(SCRIPT_ENVIRONMENT) + strlen(supervisor.script) + 1);
		if (!script)
			return ERR_NO_MEMORY;
		strcat(strcpy(script, SCRIPT_ENVIRONMENT), supervisor.script);
	}
	char *environment[] = { activations, script, NULL };
	const struct spawn_request request = {
		.image = image,
		.image_bytes = image_bytes,
		.name = m->name,
		.argv = (char *const *)argv,
		.env = environment,
		.cwd = "/",
		.fds = console_fds,
		.fd_count = m->stdio_console ? ARRAY_LEN(console_fds) : 0,
		.handle_count = g->count,
		.handles = g->handle,
		.no_mounts = true,
		.stack_bytes = m->stack_bytes,
		.memory_limit_pages = m->memory_bytes >> PAGE_SHIFT,
	};
	err_t err = lintel_spawn(&request, process);
	free(script);
	return err;
}

static uint32_t pid_of(handle_t process)
{
	struct info_process info;
	return lintel_process_info(process, &info, sizeof info) == OK ? info.pid : 0;
}

err_t service_spawn(struct service *s, const char **what)
{
	struct grants grants = { 0 };
	const uint8_t *image;
	uint64_t image_bytes;
	*what = "its binary is not in the boot archive";
	if (archive_find(s->manifest.binary, &image, &image_bytes) != OK)
		return ERR_BAD_FORMAT;
	err_t err = grants_collect(&grants, s, what);
	if (err == OK && s->manifest.stdio_console) {
		*what = "the console";
		err = console_attach();
	}
	if (err == OK) {
		*what = s->manifest.binary;
		err = launch(s, &grants, image, image_bytes, &s->process);
	}
	grants_close(&grants);
	if (err != OK)
		return err;
	s->pid = pid_of(s->process);
	s->start_ns = lintel_clock_ns();
	s->state = s->is_server ? SERVICE_STARTING : SERVICE_READY;
	return OK;
}
