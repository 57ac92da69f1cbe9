/* SPDX-License-Identifier: GPL-2.0-only */
/* syscall_thread.c - thread_* and cpu_current. */
#include "kernel/cpu.h"
#include "kernel/futex.h"
#include "kernel/log.h"
#include "kernel/name.h"
#include "kernel/sched.h"
#include "kernel/syscall_handlers.h"
#include "kernel/thread.h"

static err_t thread_get(handle_t handle, struct thread **out)
{
	struct object *object;
	err_t err = handle_get(&process_here()->handles, handle, OBJECT_THREAD, RIGHT_MANAGE, &object);

	if (err == OK)
		*out = container_of(object, struct thread, object);
	return err;
}

err_t sys_thread_create(handle_t process_handle, const char __user *name, uint64_t name_length, uint64_t *result)
{
	struct handle_table *table = &process_here()->handles;
	char text[KERNEL_NAME_BYTES];
	struct object *object;
	struct thread *thread;
	handle_t handle;
	err_t err = name_from_user(text, name, name_length);

	if (err == OK)
		err = handle_get(table, process_handle, OBJECT_PROCESS, RIGHT_MANAGE, &object);
	if (err != OK)
		return err;
	err = thread_create(container_of(object, struct process, object), text, &thread);
	object_unref(object);
	if (err != OK)
		return err;
	err = handle_add(table, &thread->object, THREAD_RIGHTS, &handle);
	object_unref(&thread->object);
	if (err == OK)
		*result = handle;
	return err;
}

err_t sys_thread_start(handle_t handle, uint64_t entry, uint64_t stack, uint64_t tls, uint64_t argument)
{
	struct thread *thread;
	err_t err;

	if (!address_is_user(entry, 1) || !address_is_user(stack, 0) || !address_is_user(tls, 0))
		return ERR_ARGS;
	err = thread_get(handle, &thread);
	if (err != OK)
		return err;
	err = thread_start_in(thread, PROCESS_RUNNING, entry, stack, tls, argument);
	object_unref(&thread->object);
	return err;
}

err_t sys_thread_exit(uint64_t clear)
{
	uint32_t woken;
	err_t err = OK;

	if (thread_current()->activation != NULL)
		return ERR_BAD_STATE;
	if (clear != 0) {
		err = clear % 4 == 0 && address_is_user(clear, 4) ? user_store32((uint32_t __user *)clear, 0) : ERR_ARGS;
		if (err == ERR_AGAIN)
			return err; /* its pager first, then again */
		if (err == OK)
			err = futex_wake(clear, 1, &woken);
	}
	if (err != OK)
		log_refusal("pid %u: thread_exit: nobody hears of it at 0x%lx", process_here()->pid, clear);
	thread_exit();
}

err_t sys_thread_yield(void)
{
	sched_yield();
	return OK;
}

err_t sys_thread_set_tls(uint64_t tls)
{
	if (!address_is_user(tls, 0))
		return ERR_ARGS;
	arch_fs_base_set(tls);
	return OK;
}

err_t sys_thread_set_affinity(handle_t handle, uint64_t cpu_mask)
{
	struct thread *thread;
	err_t err = thread_get(handle, &thread);

	if (err != OK)
		return err;
	err = thread_set_affinity(thread, cpu_mask);
	object_unref(&thread->object);
	return err;
}

err_t sys_thread_set_priority(handle_t handle, uint32_t priority)
{
	struct thread *thread;
	err_t err;

	if (priority >= PRIORITIES)
		return ERR_ARGS;
	err = thread_get(handle, &thread);
	if (err != OK)
		return err;
	if (priority > thread_current()->priority)
		err = ERR_DENIED;
	else
		thread_set_priority(thread, priority);
	object_unref(&thread->object);
	return err;
}

err_t sys_thread_sleep(uint64_t deadline)
{
	err_t err = wait_block(deadline, false);

	return err == ERR_TIMED_OUT ? OK : err;
}

err_t sys_cpu_current(uint64_t *result)
{
	*result = cpu_current();
	return OK;
}
