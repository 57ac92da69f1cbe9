/* SPDX-License-Identifier: GPL-2.0-only */
/* syscall_object.c - system calls on handles and on whatever they name: close, duplicate, inspect, wait. */
#include "kernel/cpu.h"
#include "kernel/syscall_handlers.h"
#include "kernel/thread.h"

static struct handle_table *table_here(void)
{
	return &process_here()->handles;
}

err_t sys_handle_close(handle_t handle)
{
	return handle_close(table_here(), handle);
}

err_t sys_handle_duplicate(handle_t handle, uint32_t rights, uint64_t *result)
{
	struct object *object;
	uint32_t have, narrowed;
	handle_t copy;
	err_t err = handle_look(table_here(), handle, RIGHT_DUPLICATE, &object, &have);

	if (err != OK)
		return err;
	err = handle_narrow(have, rights, &narrowed);
	if (err == OK)
		err = handle_add(table_here(), object, narrowed, &copy);
	object_unref(object);
	if (err == OK)
		*result = copy;
	return err;
}

err_t sys_handle_info(handle_t handle, uint64_t *result)
{
	uint32_t type, rights;
	err_t err = handle_rights(table_here(), handle, &type, &rights);

	if (err == OK)
		*result = type | (uint64_t)rights << 32;
	return err;
}

err_t sys_object_wait(handle_t handle, uint32_t signals, uint64_t deadline, uint64_t *result)
{
	struct object *object;
	uint32_t observed;
	err_t err;

	if (signals == 0)
		return ERR_ARGS;
	err = handle_get(table_here(), handle, OBJECT_NONE, RIGHT_WAIT, &object);
	if (err != OK)
		return err;
	err = object_wait(object, signals, deadline, &observed);
	object_unref(object);
	if (err == OK)
		*result = observed;
	return err;
}

/* References on all objects, or on none. */
static err_t wait_items_get(const struct wait_item *items, struct object_wait_entry *entries, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		err_t err = ERR_ARGS;

		if (items[i].wanted != 0)
			err = handle_get(table_here(), items[i].handle, OBJECT_NONE, RIGHT_WAIT, &entries[i].object);
		if (err != OK) {
			while (i-- > 0)
				object_unref(entries[i].object);
			return err;
		}
		entries[i].wanted = items[i].wanted;
	}
	return OK;
}

err_t sys_object_wait_many(struct wait_item __user *user_items, uint32_t count, uint64_t deadline, uint64_t *result)
{
	struct wait_item items[WAIT_ITEMS_MAX];
	struct object_wait_entry entries[WAIT_ITEMS_MAX];
	uint32_t ready = 0;
	err_t err;

	if (count == 0 || count > WAIT_ITEMS_MAX)
		return ERR_ARGS;
	err = copy_from_user(items, user_items, count * sizeof(items[0]));
	if (err == OK) /* now, while nothing has happened: can the answer be written? */
		err = copy_to_user(user_items, items, count * sizeof(items[0]));
	if (err == OK)
		err = wait_items_get(items, entries, count);
	if (err != OK)
		return err;
	err = object_wait_many(entries, count, deadline, &ready);
	for (uint32_t i = 0; i < count; i++) {
		items[i].observed = entries[i].observed;
		object_unref(entries[i].object);
	}
	if (err == OK) /* signals are levels: should this have to be made again, they are found again */
		err = copy_to_user(user_items, items, count * sizeof(items[0]));
	if (err == OK)
		*result = ready;
	return err;
}
