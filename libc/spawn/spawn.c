/* SPDX-License-Identifier: BSD-2-Clause */
/* spawn.c - starting a program: read and check its ELF, make a process, map its segments and stack, give it its
 * handles, mounts and descriptors, write its startup block, start its first thread. All in user mode; the kernel sees
 * no ELF. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <lintel/info.h>
#include <lintel/process.h>

#include "core/process.h"
#include "core/sys.h"
#include "posix/file.h"
#include "spawn/block.h"
#include "spawn/image.h"
#include "spawn/inherit.h"

#define STACK_BYTES_DEFAULT (256u << 10)
#define STACK_BYTES_MAX (1ull << 30)
#define STACK_ALIGN 16u
_Static_assert(STARTUP_HANDLES_MAX <= GRANT_ITEMS_MAX, "one call grants them all");
#define OWN_HANDLES 4 /* process, thread, sysinfo, mounts' door */
#define PROCESS_RIGHTS (RIGHT_MANAGE | RIGHT_READ | RIGHT_DUPLICATE)
#define THREAD_RIGHTS (RIGHT_MANAGE | RIGHT_READ | RIGHT_DUPLICATE)
#define SYSINFO_RIGHTS (RIGHT_READ | RIGHT_DUPLICATE | RIGHT_TRANSFER)

/* Everything that a spawn under way holds. */
struct spawning {
	const struct spawn_request *request;
	const char *name;
	size_t name_bytes;
	handle_t process;
	handle_t thread;
	struct block_builder block;
	const struct inherit *inherit;
	struct grant_item *items; /* one for each of the block's handles */
	uint64_t entry;
	uint64_t block_address; /* and the stack ends there */
};

/* Into the block now, into the child's table with all the others (grant_handles). */
static err_t give(struct spawning *spawn, handle_t handle, uint32_t rights, const struct startup_handle *entry)
{
	uint32_t index = block_of(&spawn->block)->handles;
	err_t error = block_add_handle(&spawn->block, entry);

	if (error == OK)
		spawn->items[index] = (struct grant_item){ .handle = handle, .rights = rights };
	return error;
}

static err_t grant_handles(struct spawning *spawn)
{
	struct startup_block *block = block_of(&spawn->block);
	struct startup_handle *entries = (struct startup_handle *)((char *)block + block->handles_offset);
	err_t error = lintel_process_grant_many(spawn->process, spawn->items, block->handles);

	for (uint32_t i = 0; i < block->handles && error == OK; i++)
		entries[i].handle = spawn->items[i].theirs;
	return error;
}

static err_t give_requested(struct spawning *spawn, const struct spawn_handle *wanted)
{
	struct startup_handle entry = { .kind = wanted->kind, .argument = wanted->argument };

	if (wanted->name != NULL) {
		err_t error = block_add_name(&spawn->block, wanted->name, &entry.argument);
		if (error != OK)
			return error;
	}
	return give(spawn, wanted->handle, wanted->rights, &entry);
}

static err_t give_mount(struct spawning *spawn, const struct mount *mount)
{
	struct startup_handle entry = { .kind = STARTUP_MOUNT };
	err_t error = block_add_name(&spawn->block, mount->prefix, &entry.argument);

	return error != OK ? error : give(spawn, mount->door, RIGHTS_SAME, &entry);
}

static err_t give_mounts(struct spawning *spawn)
{
	struct startup_handle door = { .kind = STARTUP_SERVICE };
	err_t error = OK;

	for (uint32_t i = 0; i < spawn->inherit->mount_count && error == OK; i++)
		error = give_mount(spawn, spawn->inherit->mounts[i]);
	if (error != OK || spawn->inherit->mounts_door == HANDLE_NONE)
		return error;
	error = block_add_name(&spawn->block, MOUNTS_DOOR_NAME, &door.argument);
	return error != OK ? error : give(spawn, spawn->inherit->mounts_door, RIGHTS_SAME, &door);
}

static err_t give_handles(struct spawning *spawn)
{
	const struct spawn_request *request = spawn->request;
	struct startup_handle process = { .kind = STARTUP_PROCESS }, thread = { .kind = STARTUP_THREAD };
	struct startup_handle sysinfo = { .kind = STARTUP_SYSINFO };
	err_t error = give(spawn, spawn->process, PROCESS_RIGHTS, &process);

	if (error == OK)
		error = give(spawn, spawn->thread, THREAD_RIGHTS, &thread);
	if (error == OK && process_sysinfo_handle() != HANDLE_NONE)
		error = give(spawn, process_sysinfo_handle(), SYSINFO_RIGHTS, &sysinfo);
	if (error == OK)
		error = give_mounts(spawn);
	for (uint32_t i = 0; i < spawn->inherit->fd_count && error == OK; i++) {
		const struct inherited_fd *fd = &spawn->inherit->fds[i];
		error = give(spawn, fd->session, RIGHTS_SAME, &fd->entry);
	}
	for (uint32_t i = 0; i < request->handle_count && error == OK; i++)
		error = give_requested(spawn, &request->handles[i]);
	return error == OK ? grant_handles(spawn) : error;
}

/* The stack, and above it, from the middle of a page on, the startup block: one mapping for both, and mostly one page
 * that is touched. */
static err_t map_stack(struct spawning *spawn)
{
	struct startup_block *block = block_of(&spawn->block);
	size_t bytes = spawn->request->stack_bytes != 0 ? spawn->request->stack_bytes : STACK_BYTES_DEFAULT;
	uint64_t block_bytes = (block->bytes + STACK_ALIGN - 1) & ~(uint64_t)(STACK_ALIGN - 1);
	handle_t vmo;

	if (bytes > STACK_BYTES_MAX)
		return ERR_ARGS;
	uint64_t mapped = round_to_pages(bytes + block_bytes);
	err_t error = lintel_vmo_create(mapped, 0, &vmo);
	if (error != OK)
		return error;
	error = lintel_space_map(spawn->process, vmo, 0, mapped, 0, SPACE_READ | SPACE_WRITE | SPACE_GUARD,
							 &block->stack_base);
	if (error == OK) {
		block->stack_bytes = mapped - block_bytes;
		spawn->block_address = block->stack_base + block->stack_bytes;
		error = lintel_vmo_write(vmo, block->stack_bytes, block, block->bytes);
	}
	lintel_handle_close(vmo);
	return error;
}

static err_t map_sysinfo(struct spawning *spawn)
{
	if (process_sysinfo_handle() == HANDLE_NONE)
		return OK;
	return lintel_space_map(spawn->process, process_sysinfo_handle(), 0, PAGE_SIZE, 0, SPACE_READ,
							&block_of(&spawn->block)->sysinfo);
}

/* Fill the new process and start it; on failure it is left for the caller to close. */
static err_t populate(struct spawning *spawn, struct image *image)
{
	err_t error = lintel_thread_create(spawn->process, spawn->name, spawn->name_bytes, &spawn->thread);

	if (error != OK)
		return error;
	error = image_map(image, spawn->process);
	if (error == OK)
		error = map_sysinfo(spawn);
	if (error == OK)
		error = give_handles(spawn);
	if (error == OK)
		error = map_stack(spawn); /* with the block, which is complete now */
	if (error == OK)
		error = lintel_process_start(spawn->process, spawn->thread, image->elf.entry, spawn->block_address,
									 spawn->block_address);
	lintel_handle_close(spawn->thread);
	return error;
}

static const char *process_name(const struct spawn_request *request)
{
	const char *path = request->name != NULL   ? request->name
					   : request->path != NULL ? request->path
					   : request->argv != NULL && request->argv[0] != NULL ? request->argv[0]
																			: "program";
	const char *slash = strrchr(path, '/');

	return slash != NULL && slash[1] != 0 ? slash + 1 : path;
}

static err_t begin_block(struct spawning *spawn, char *buffer)
{
	const struct spawn_request *request = spawn->request;
	char cwd[PATH_BYTES_MAX + 1];
	char *const only_name[] = { (char *)(uintptr_t)spawn->name, NULL };
	const struct inherit *inherit = spawn->inherit;

	cwd_copy(cwd);
	if (request->handle_count > STARTUP_HANDLES_MAX)
		return ERR_TOO_MANY;
	if (request->cwd != NULL && request->cwd[0] != '/')
		return ERR_ARGS;
	return block_begin(&spawn->block, buffer, request->argv != NULL ? request->argv : only_name,
					   request->env != NULL ? request->env : environ, request->cwd != NULL ? request->cwd : cwd,
					   1 + inherit->mount_count + request->handle_count,
					   OWN_HANDLES + inherit->mount_count + inherit->fd_count + request->handle_count);
}

static err_t create(struct spawning *spawn, struct image *image, handle_t *process)
{
	const struct spawn_request *request = spawn->request;
	char *buffer = malloc(STARTUP_BYTES_MAX);
	err_t error;

	if (buffer == NULL)
		return ERR_NO_MEMORY;
	error = begin_block(spawn, buffer);
	if (error != OK)
		goto free_buffer;
	uint64_t limit = request->memory_limit_pages != 0 ? request->memory_limit_pages : UINT64_MAX;
	error = lintel_process_create(lintel_process(), spawn->name, spawn->name_bytes, limit, &spawn->process);
	if (error != OK)
		goto free_buffer;
	error = populate(spawn, image);
	if (error == OK) {
		*process = spawn->process;
	} else {
		drop(lintel_process_kill(spawn->process, 0));
		lintel_handle_close(spawn->process);
	}
free_buffer:
	free(buffer);
	return error;
}

err_t lintel_spawn(const struct spawn_request *request, handle_t *process)
{
	struct inherit inherit;
	struct grant_item items[STARTUP_HANDLES_MAX];
	struct spawning spawn = { .request = request, .name = process_name(request), .inherit = &inherit, .items = items };
	struct image image;
	err_t error = image_load(request, &image);

	if (error != OK)
		return error;
	spawn.name_bytes = strnlen(spawn.name, 31);
	error = inherit_collect(request, &inherit);
	if (error == OK) {
		error = create(&spawn, &image, process);
		inherit_release(&inherit);
	}
	image_release(&image);
	return error;
}

err_t lintel_wait(handle_t process, uint64_t deadline, int32_t *status)
{
	struct info_process info;
	uint32_t observed;
	err_t error = lintel_object_wait(process, SIGNAL_TERMINATED, deadline, &observed);

	if (error == OK)
		error = lintel_process_info(process, &info, sizeof(info));
	if (error == OK)
		*status = info.exit_status;
	return error;
}
