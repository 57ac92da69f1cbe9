/* SPDX-License-Identifier: GPL-2.0-only */
/* syscall_process.c - process_*: making, filling, starting, ending and describing processes. */
#include "kernel/cpu.h"
#include "kernel/log.h"
#include "kernel/name.h"
#include "kernel/resource.h"
#include "kernel/syscall_handlers.h"
#include "kernel/thread.h"

#include <lintel/info.h>

static err_t process_get(handle_t handle, uint32_t rights, struct process **out)
{
	struct object *object;
	err_t err = handle_get(&process_here()->handles, handle, OBJECT_PROCESS, rights, &object);

	if (err == OK)
		*out = container_of(object, struct process, object);
	return err;
}

err_t sys_process_create(handle_t creator_handle, const char __user *name, uint64_t name_length,
			 uint64_t memory_limit_pages, uint64_t *result)
{
	struct process *creator, *process;
	char text[KERNEL_NAME_BYTES];
	handle_t handle;
	err_t err = name_from_user(text, name, name_length);

	if (err == OK)
		err = process_get(creator_handle, RIGHT_MANAGE, &creator);
	if (err != OK)
		return err;
	err = process_create(creator, text, memory_limit_pages, &process);
	object_unref(&creator->object);
	if (err != OK)
		return err;
	err = handle_add(&process_here()->handles, &process->object, PROCESS_RIGHTS, &handle);
	object_unref(&process->object);
	if (err == OK)
		*result = handle;
	return err;
}

/* A handle of ours into the table of a process that has not started. */
static err_t grant(struct process *process, handle_t handle, uint32_t rights, handle_t *out)
{
	struct handle_table *ours = &process_here()->handles;
	struct object *object;
	uint32_t have, narrowed;
	err_t err = handle_look(ours, handle, RIGHT_TRANSFER, &object, &have);

	if (err != OK)
		return err;
	err = handle_narrow(have, rights, &narrowed);
	if (err != OK)
		goto drop_object;
	if (__atomic_load_n(&process->state, __ATOMIC_ACQUIRE) != PROCESS_CREATED)
		err = ERR_BAD_STATE;
	else
		err = handle_add(&process->handles, object, narrowed, out);
drop_object:
	object_unref(object);
	return err;
}

err_t sys_process_grant(handle_t process_handle, handle_t handle, uint32_t rights, uint64_t *result)
{
	struct process *process;
	handle_t theirs;
	err_t err = process_get(process_handle, RIGHT_MANAGE, &process);

	if (err != OK)
		return err;
	err = grant(process, handle, rights, &theirs);
	object_unref(&process->object);
	if (err == OK)
		*result = theirs;
	return err;
}

err_t sys_process_grant_many(handle_t process_handle, struct grant_item __user *user_items, uint32_t count)
{
	struct grant_item items[GRANT_ITEMS_MAX];
	struct process *process;
	err_t err;

	if (count == 0 || count > GRANT_ITEMS_MAX)
		return ERR_ARGS;
	err = copy_from_user(items, user_items, count * sizeof(items[0]));
	if (err == OK) /* now, while nothing has happened: can the answer be written? */
		err = copy_to_user(user_items, items, count * sizeof(items[0]));
	if (err == OK)
		err = process_get(process_handle, RIGHT_MANAGE, &process);
	if (err != OK)
		return err;
	for (uint32_t i = 0; i < count && err == OK; i++)
		err = grant(process, items[i].handle, items[i].rights, &items[i].theirs);
	object_unref(&process->object);
	return err == OK ? copy_to_user(user_items, items, count * sizeof(items[0])) : err;
}

err_t sys_process_start(handle_t process_handle, handle_t thread_handle, uint64_t entry, uint64_t stack,
			uint64_t argument)
{
	struct process *process;
	struct thread *thread;
	struct object *object;
	err_t err;

	if (!address_is_user(entry, 1) || !address_is_user(stack, 0))
		return ERR_ARGS;
	err = process_get(process_handle, RIGHT_MANAGE, &process);
	if (err != OK)
		return err;
	err = handle_get(&process_here()->handles, thread_handle, OBJECT_THREAD, RIGHT_MANAGE, &object);
	if (err != OK)
		goto drop_process;
	thread = container_of(object, struct thread, object);
	if (thread->home == process) {
		err = thread_start_in(thread, PROCESS_CREATED, entry, stack, 0, argument);
	} else {
		log_refusal("pid %u: process_start: thread %u is of another process", process_here()->pid,
			    thread->tid);
		err = ERR_ARGS;
	}
	object_unref(object);
drop_process:
	object_unref(&process->object);
	return err;
}

err_t sys_process_exit(int32_t status)
{
	process_end(process_here(), status);
	return OK; /* to nobody: the thread ends, or leaves this process, at the border to user mode */
}

err_t sys_process_kill(handle_t handle, int32_t status)
{
	struct process *process;
	err_t err = process_get(handle, RIGHT_MANAGE, &process);

	if (err != OK)
		return err;
	process_end(process, status);
	object_unref(&process->object);
	return OK;
}

err_t sys_process_info(handle_t handle, struct info_process __user *buffer, uint64_t length)
{
	struct info_process info;
	struct process *process;
	err_t err;

	if (length == 0)
		return ERR_ARGS;
	err = process_get(handle, RIGHT_READ, &process);
	if (err != OK)
		return err;
	process_describe(process, &info);
	object_unref(&process->object);
	return copy_to_user(buffer, &info, length < sizeof(info) ? length : sizeof(info));
}

err_t sys_process_open(handle_t resource_handle, uint32_t pid, uint64_t *result)
{
	struct resource *resource;
	struct process *process;
	handle_t handle;
	err_t err = resource_get(resource_handle, RIGHT_MANAGE, RESOURCE_SYSTEM, 0, 0, &resource);

	if (err != OK)
		return err;
	object_unref(&resource->object);
	process = process_find(pid);
	if (process == NULL)
		return ERR_NOT_FOUND;
	err = handle_add(&process_here()->handles, &process->object, PROCESS_RIGHTS, &handle);
	object_unref(&process->object);
	if (err == OK)
		*result = handle;
	return err;
}
