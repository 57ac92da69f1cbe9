/* SPDX-License-Identifier: GPL-2.0-only */
/* syscall_space.c - space_map, space_unmap, space_protect: a process's mappings, by whoever may manage it. */
#include "kernel/cpu.h"
#include "kernel/process.h"
#include "kernel/syscall_handlers.h"
#include "kernel/thread.h"
#include "kernel/vmo_object.h"

/* The process's space with a reference, while it still has one. */
static err_t space_get(handle_t handle, struct space **out)
{
	struct object *object;
	err_t err = handle_get(&process_here()->handles, handle, OBJECT_PROCESS, RIGHT_MANAGE, &object);

	if (err != OK)
		return err;
	err = process_space_get(container_of(object, struct process, object), out);
	object_unref(object);
	return err;
}

static uint32_t rights_needed(uint32_t flags)
{
	return (flags & SPACE_READ ? RIGHT_READ : 0) | (flags & SPACE_WRITE ? RIGHT_READ | RIGHT_WRITE : 0) |
	       (flags & SPACE_EXECUTE ? RIGHT_READ | RIGHT_EXECUTE : 0);
}

err_t sys_space_map(handle_t process, handle_t vmo_handle, uint64_t offset, uint64_t size, uint64_t hint,
		    uint32_t flags, uint64_t *result)
{
	struct handle_table *table = &process_here()->handles;
	struct object *object;
	struct space *space;
	uint32_t rights;
	vaddr_t address;
	err_t err;

	if (flags & ~(uint32_t)SPACE_FLAGS_ALL)
		return ERR_ARGS;
	err = handle_look(table, vmo_handle, 0, &object, &rights);
	if (err != OK)
		return err;
	if (object->class->type != OBJECT_VMO)
		err = ERR_WRONG_TYPE;
	else if (rights_needed(flags) & ~rights)
		err = ERR_DENIED;
	else
		err = space_get(process, &space);
	if (err == OK) {
		err = space_map(space, container_of(object, struct vmo_object, object)->vmo, offset, size, VADDR(hint),
				flags, rights & (RIGHT_READ | RIGHT_WRITE | RIGHT_EXECUTE), &address);
		space_unref(space);
	}
	object_unref(object);
	if (err == OK)
		*result = address.v;
	return err;
}

err_t sys_space_unmap(handle_t process, uint64_t address, uint64_t size)
{
	struct space *space;
	err_t err = space_get(process, &space);

	if (err != OK)
		return err;
	err = space_unmap(space, VADDR(address), size);
	space_unref(space);
	return err;
}

err_t sys_space_advise(handle_t process, uint64_t address, uint64_t size, uint32_t flags)
{
	struct space *space;
	err_t err = space_get(process, &space);

	if (err != OK)
		return err;
	err = space_advise(space, VADDR(address), size, flags);
	space_unref(space);
	return err;
}

err_t sys_space_protect(handle_t process, uint64_t address, uint64_t size, uint32_t flags)
{
	struct space *space;
	err_t err;

	if (flags & ~(uint32_t)(SPACE_READ | SPACE_WRITE | SPACE_EXECUTE))
		return ERR_ARGS;
	err = space_get(process, &space);
	if (err != OK)
		return err;
	err = space_protect(space, VADDR(address), size, flags);
	space_unref(space);
	return err;
}
