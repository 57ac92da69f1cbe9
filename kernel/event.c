/* SPDX-License-Identifier: GPL-2.0-only */
/* event.c - events: see event.h. */
#include "kernel/event.h"

#include "kernel/cpu.h"
#include "kernel/syscall_handlers.h"
#include "kernel/thread.h"
#include "mm/pool.h"

#define EVENT_RIGHTS (RIGHT_DUPLICATE | RIGHT_TRANSFER | RIGHT_WAIT | RIGHT_SIGNAL)

static struct pool event_pool;

void event_init(void)
{
	pool_init(&event_pool, "event", sizeof(struct event));
}

static void event_destroy(struct object *object)
{
	pool_free(&event_pool, container_of(object, struct event, object));
}

const struct object_class event_class = {
	.type = OBJECT_EVENT,
	.rights = EVENT_RIGHTS,
	.destroy = event_destroy,
};

err_t event_create(struct event **out)
{
	struct event *event = pool_alloc(&event_pool);

	if (event == NULL)
		return ERR_NO_MEMORY;
	object_init(&event->object, &event_class);
	*out = event;
	return OK;
}

err_t sys_event_create(uint64_t *result)
{
	struct event *event;
	handle_t handle;
	err_t err = event_create(&event);

	if (err != OK)
		return err;
	err = handle_add(&process_here()->handles, &event->object, EVENT_RIGHTS, &handle);
	object_unref(&event->object);
	if (err == OK)
		*result = handle;
	return err;
}

err_t sys_event_signal(handle_t handle, uint32_t clear, uint32_t set)
{
	struct object *object;
	err_t err;

	if ((clear | set) & ~(uint32_t)SIGNAL_USER_MASK)
		return ERR_ARGS;
	err = handle_get(&process_here()->handles, handle, OBJECT_EVENT, RIGHT_SIGNAL, &object);
	if (err != OK)
		return err;
	object_signal(object, clear, set);
	object_unref(object);
	return OK;
}
