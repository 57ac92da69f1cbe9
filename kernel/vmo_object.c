/* SPDX-License-Identifier: GPL-2.0-only */
/* vmo_object.c - VMOs behind handles: the vmo_* and zone_* system calls. */
#include "kernel/vmo_object.h"

#include "kernel/cpu.h"
#include "kernel/door.h"
#include "kernel/resource.h"
#include "kernel/syscall_handlers.h"
#include "kernel/thread.h"
#include "mm/pager.h"
#include "mm/pool.h"
#include "mm/zone.h"

#define COPY_CHUNK 1024u /* bytes that vmo_read and vmo_write carry at a time, on the kernel stack */

#define RIGHTS_COMMON (RIGHT_DUPLICATE | RIGHT_TRANSFER | RIGHT_READ | RIGHT_WRITE)
#define RIGHTS_ANONYMOUS (RIGHTS_COMMON | RIGHT_EXECUTE)
#define RIGHTS_PAGER (RIGHTS_COMMON | RIGHT_EXECUTE | RIGHT_SERVE)
#define RIGHTS_DEVICE (RIGHTS_COMMON | RIGHT_SERVE)

static struct pool vmo_object_pool;

static void vmo_object_destroy(struct object *object)
{
	struct vmo_object *vmo_object = container_of(object, struct vmo_object, object);

	vmo_unref(vmo_object->vmo);
	pool_free(&vmo_object_pool, vmo_object);
}

const struct object_class vmo_object_class = {
	.type = OBJECT_VMO,
	.rights = RIGHTS_PAGER,
	.destroy = vmo_object_destroy,
};

/* A pager VMO dies: its door is no longer needed. */
static void pager_release(void *pager)
{
	struct door *door = pager;

	object_unref(&door->object);
}

void vmo_object_init(void)
{
	pool_init(&vmo_object_pool, "VMO handle", sizeof(struct vmo_object));
	vmo_pager_release = pager_release;
}

err_t vmo_object_create(struct vmo *vmo, struct vmo_object **out)
{
	struct vmo_object *object = pool_alloc_raw(&vmo_object_pool); /* all members are set below */

	if (object == NULL) {
		vmo_unref(vmo);
		return ERR_NO_MEMORY;
	}
	object_init(&object->object, &vmo_object_class);
	object->vmo = vmo;
	*out = object;
	return OK;
}

/* Takes the VMO's reference over and puts a handle into the caller's table. */
static err_t vmo_give(struct vmo *vmo, uint32_t rights, uint64_t *result)
{
	struct vmo_object *object;
	handle_t handle;
	err_t err = vmo_object_create(vmo, &object);

	if (err != OK)
		return err;
	err = handle_add(&process_here()->handles, &object->object, rights, &handle);
	object_unref(&object->object);
	if (err == OK)
		*result = handle;
	return err;
}

static err_t vmo_get(handle_t handle, uint32_t rights, struct vmo_object **out)
{
	struct object *object;
	err_t err = handle_get(&process_here()->handles, handle, OBJECT_VMO, rights, &object);

	if (err == OK)
		*out = container_of(object, struct vmo_object, object);
	return err;
}

static struct account *caller_account(void)
{
	return process_here()->account;
}

err_t sys_vmo_create(uint64_t size, uint32_t flags, uint64_t *result)
{
	struct vmo *vmo;
	err_t err;

	if (flags & ~(uint32_t)(VMO_RESIZABLE | VMO_CONTIGUOUS))
		return ERR_ARGS;
	err = vmo_create(size, flags, caller_account(), &vmo);
	return err == OK ? vmo_give(vmo, RIGHTS_ANONYMOUS, result) : err;
}

err_t sys_vmo_create_pager(uint64_t size, handle_t pager, uint64_t key, uint64_t *result)
{
	struct object *object;
	struct door *door;
	struct vmo *vmo;
	err_t err = handle_get(&process_here()->handles, pager, OBJECT_DOOR, RIGHT_CALL, &object);

	if (err != OK)
		return err;
	door = container_of(object, struct door, object);
	err = vmo_create_pager(size, door, key, caller_account(), &vmo);
	if (err != OK) {
		object_unref(object);
		return err;
	}
	pager_family_add(&door->serving->pagers, vmo);
	return vmo_give(vmo, RIGHTS_PAGER, result); /* the VMO keeps the door's reference */
}

err_t sys_vmo_create_physical(handle_t resource, uint64_t base, uint64_t size, uint32_t flags, uint64_t *result)
{
	struct resource *mmio;
	struct vmo *vmo;
	err_t err;

	if (flags & ~(uint32_t)(VMO_UNCACHED | VMO_WRITE_COMBINE))
		return ERR_ARGS;
	err = resource_get(resource, RIGHT_MANAGE, RESOURCE_MMIO, base, size, &mmio);
	if (err != OK)
		return err;
	object_unref(&mmio->object);
	err = vmo_create_physical(base, size, flags, &vmo);
	return err == OK ? vmo_give(vmo, RIGHTS_DEVICE, result) : err;
}

err_t sys_vmo_slice(handle_t handle, uint64_t offset, uint64_t size, uint32_t rights, uint64_t *result)
{
	struct vmo_object *parent;
	struct vmo *vmo;
	err_t err;

	if (rights & ~(uint32_t)RIGHTS_ALL)
		return ERR_ARGS;
	err = vmo_get(handle, RIGHT_READ | rights, &parent);
	if (err != OK)
		return err;
	err = vmo_slice(parent->vmo, offset, size, &vmo);
	object_unref(&parent->object);
	return err == OK ? vmo_give(vmo, rights, result) : err;
}

err_t sys_vmo_copy(handle_t handle, uint64_t offset, uint64_t bytes, uint64_t size, uint64_t *result)
{
	struct vmo_object *parent;
	struct vmo *vmo;
	err_t err = vmo_get(handle, RIGHT_READ, &parent);

	if (err != OK)
		return err;
	err = vmo_copy(parent->vmo, offset, bytes, size, caller_account(), &vmo);
	object_unref(&parent->object);
	return err == OK ? vmo_give(vmo, RIGHTS_ANONYMOUS, result) : err;
}

err_t sys_vmo_size(handle_t handle, uint64_t *result)
{
	struct vmo_object *object;
	err_t err = vmo_get(handle, RIGHT_READ, &object);

	if (err != OK)
		return err;
	*result = vmo_bytes(object->vmo);
	object_unref(&object->object);
	return OK;
}

err_t sys_vmo_resize(handle_t handle, uint64_t bytes)
{
	struct vmo_object *object;
	err_t err = vmo_get(handle, RIGHT_WRITE, &object);

	if (err != OK)
		return err;
	err = vmo_resize(object->vmo, bytes);
	object_unref(&object->object);
	return err;
}

err_t sys_vmo_read(handle_t handle, uint64_t offset, void __user *buffer, uint64_t length)
{
	uint8_t chunk[COPY_CHUNK];
	struct vmo_object *object;
	err_t err = vmo_get(handle, RIGHT_READ, &object);

	if (err != OK)
		return err;
	for (uint64_t done = 0; done < length && err == OK;) {
		uint64_t step = length - done < COPY_CHUNK ? length - done : COPY_CHUNK;

		err = vmo_read(object->vmo, offset + done, chunk, step);
		if (err == OK)
			err = copy_to_user((uint8_t __user *)buffer + done, chunk, step);
		done += step;
	}
	object_unref(&object->object);
	return err;
}

err_t sys_vmo_write(handle_t handle, uint64_t offset, const void __user *buffer, uint64_t length)
{
	uint8_t chunk[COPY_CHUNK];
	struct vmo_object *object;
	err_t err = vmo_get(handle, RIGHT_WRITE, &object);

	if (err != OK)
		return err;
	for (uint64_t done = 0; done < length && err == OK;) {
		uint64_t step = length - done < COPY_CHUNK ? length - done : COPY_CHUNK;

		err = copy_from_user(chunk, (const uint8_t __user *)buffer + done, step);
		if (err == OK)
			err = vmo_write(object->vmo, offset + done, chunk, step);
		done += step;
	}
	object_unref(&object->object);
	return err;
}

err_t sys_vmo_supply(handle_t handle, uint64_t offset, handle_t source_handle, uint64_t source_offset, uint64_t size,
		     uint32_t rights)
{
	struct vmo_object *object, *source;
	err_t err;

	if (!(rights & RIGHT_READ) || (rights & ~(uint32_t)(RIGHT_READ | RIGHT_WRITE)))
		return ERR_ARGS;
	err = vmo_get(handle, RIGHT_SERVE, &object);
	if (err != OK)
		return err;
	err = vmo_get(source_handle, rights, &source);
	if (err == OK) {
		err = vmo_supply(object->vmo, offset, source->vmo, source_offset, size, rights & RIGHT_WRITE);
		object_unref(&source->object);
	}
	object_unref(&object->object);
	return err;
}

err_t sys_vmo_revoke(handle_t handle, uint64_t offset, uint64_t size)
{
	struct vmo_object *object;
	err_t err = vmo_get(handle, RIGHT_SERVE, &object);

	if (err != OK)
		return err;
	err = vmo_revoke(object->vmo, offset, size);
	object_unref(&object->object);
	return err;
}

err_t sys_vmo_physical(handle_t handle, uint64_t offset, uint64_t *result)
{
	struct vmo_object *object;
	paddr_t address;
	err_t err = vmo_get(handle, RIGHT_READ | RIGHT_SERVE, &object);

	if (err != OK)
		return err;
	err = vmo_physical(object->vmo, offset, &address);
	object_unref(&object->object);
	if (err == OK)
		*result = address.v;
	return err;
}

err_t sys_zone_open(handle_t resource, uint32_t index, uint64_t *result)
{
	struct resource *covering;
	struct zone *zone;
	struct vmo *vmo;
	err_t err = resource_get(resource, RIGHT_MANAGE, RESOURCE_ZONE, index, 1, &covering);

	if (err != OK)
		return err;
	object_unref(&covering->object);
	zone = zone_get(index);
	if (zone == NULL)
		return ERR_NOT_FOUND;
	if (zone->kind != ZONE_PMEM)
		return ERR_UNSUPPORTED;
	err = vmo_create_zone(zone, &vmo);
	return err == OK ? vmo_give(vmo, RIGHTS_DEVICE, result) : err;
}
