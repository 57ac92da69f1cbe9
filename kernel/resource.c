/* SPDX-License-Identifier: GPL-2.0-only */
/* resource.c - resources, and the I/O ports that they give access to. */
#include "kernel/resource.h"

#include "kernel/cpu.h"
#include "kernel/log.h"
#include "kernel/syscall_handlers.h"
#include "kernel/thread.h"
#include "mm/pool.h"

#define PORTS 0x10000u
#define PORT_BYTES_MAX 64

static struct pool resource_pool;

void resource_init(void)
{
	pool_init(&resource_pool, "resource", sizeof(struct resource));
}

static void resource_destroy(struct object *object)
{
	pool_free(&resource_pool, container_of(object, struct resource, object));
}

const struct object_class resource_class = {
	.type = OBJECT_RESOURCE,
	.rights = RESOURCE_RIGHTS,
	.destroy = resource_destroy,
};

static err_t resource_create(enum resource_kind kind, uint64_t base, uint64_t length, struct resource **out)
{
	struct resource *resource = pool_alloc(&resource_pool);

	if (resource == NULL)
		return ERR_NO_MEMORY;
	object_init(&resource->object, &resource_class);
	resource->kind = kind;
	resource->base = base;
	resource->length = length;
	*out = resource;
	return OK;
}

err_t resource_create_root(struct resource **out)
{
	return resource_create(RESOURCE_ROOT, 0, 0, out);
}

bool resource_covers(const struct resource *resource, enum resource_kind kind, uint64_t base, uint64_t length)
{
	if (resource->kind == RESOURCE_ROOT)
		return true;
	if (resource->kind != kind)
		return false;
	return base >= resource->base && length <= resource->length && base - resource->base <= resource->length - length;
}

err_t resource_get(handle_t handle, uint32_t rights, enum resource_kind kind, uint64_t base, uint64_t length,
		   struct resource **out)
{
	struct object *object;
	err_t err = handle_get(&process_here()->handles, handle, OBJECT_RESOURCE, rights, &object);

	if (err != OK)
		return err;
	*out = container_of(object, struct resource, object);
	if (resource_covers(*out, kind, base, length))
		return OK;
	log_refusal("pid %u: resource of kind %u [0x%lx, +0x%lx) does not cover kind %u [0x%lx, +0x%lx)",
		    process_here()->pid, (*out)->kind, (*out)->base, (*out)->length, kind, base, length);
	object_unref(object);
	return ERR_DENIED;
}

/* Does the range make sense for the kind? */
static bool range_is_valid(uint32_t kind, uint64_t base, uint64_t length)
{
	switch (kind) {
	case RESOURCE_SYSTEM:
		return base == 0 && length == 0;
	case RESOURCE_PORT:
		return length != 0 && length <= PORTS && base <= PORTS - length;
	case RESOURCE_IRQ:
	case RESOURCE_ZONE:
		return length != 0 && length <= UINT32_MAX && base <= UINT32_MAX - length;
	case RESOURCE_MMIO:
		return length != 0 && base + length > base;
	default: /* a second root is a copy of the handle */
		return false;
	}
}

err_t sys_resource_create(handle_t parent, uint32_t kind, uint64_t base, uint64_t length, uint64_t *result)
{
	struct resource *wider, *resource;
	handle_t handle;
	err_t err;

	if (!range_is_valid(kind, base, length))
		return ERR_ARGS;
	err = resource_get(parent, RIGHT_MANAGE, kind, base, length, &wider);
	if (err != OK)
		return err;
	object_unref(&wider->object);
	err = resource_create(kind, base, length, &resource);
	if (err != OK)
		return err;
	err = handle_add(&process_here()->handles, &resource->object, RESOURCE_RIGHTS, &handle);
	object_unref(&resource->object);
	if (err == OK)
		*result = handle;
	return err;
}

/* ---- I/O ports ---- */

static err_t port_check(handle_t handle, uint32_t port, uint32_t width)
{
	struct resource *resource;
	err_t err;

	if ((width != 1 && width != 2 && width != 4) || port > PORTS - width)
		return ERR_ARGS;
	err = resource_get(handle, RIGHT_MANAGE, RESOURCE_PORT, port, width, &resource);
	if (err == OK)
		object_unref(&resource->object);
	return err;
}

err_t sys_port_read(handle_t resource, uint32_t port, uint32_t width, uint64_t *result)
{
	err_t err = port_check(resource, port, width);

	if (err == OK)
		*result = arch_port_read((uint16_t)port, width);
	return err;
}

err_t sys_port_write(handle_t resource, uint32_t port, uint32_t width, uint32_t value)
{
	err_t err = port_check(resource, port, width);

	if (err == OK)
		arch_port_write((uint16_t)port, width, value);
	return err;
}

err_t sys_port_write_bytes(handle_t resource, uint32_t port, const void __user *buffer, uint64_t length)
{
	uint8_t bytes[PORT_BYTES_MAX];
	err_t err;

	if (length == 0 || length > sizeof(bytes))
		return ERR_ARGS;
	err = port_check(resource, port, 1);
	if (err == OK)
		err = copy_from_user(bytes, buffer, length);
	for (uint64_t i = 0; err == OK && i < length; i++)
		arch_port_write((uint16_t)port, 1, bytes[i]);
	return err;
}
