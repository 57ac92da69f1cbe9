/* SPDX-License-Identifier: BSD-2-Clause */
/* child.h - for tests of doors: this program serves a door, and runs again as a process of its own that serves another
 * one, which it hands to the first. */
#pragma once

#include <kit/kit.h>
#include <lintel/door_call.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <pthread.h>

__attribute__((unused)) static void pause_ns(uint64_t ns)
{
	(void)!lintel_thread_sleep(lintel_clock_ns() + ns);
}

static void *house_keep(void *server)
{
	kit_main(server);
	return NULL;
}

/* Our own door; a thread keeps its house as kit_main() would. */
__attribute__((unused)) static err_t house_begin(const struct kit_server *server)
{
	pthread_t keeper;
	err_t err = kit_prepare(server);

	if (err == OK && pthread_create(&keeper, NULL, house_keep, (void *)(uintptr_t)server) != 0)
		err = ERR_NO_MEMORY;
	return err;
}

/* The program again, with `role` as its argument and our door as its service "parent". */
__attribute__((unused)) static err_t child_spawn(const char *program, const char *role, handle_t *process)
{
	char *argv[] = { (char *)(uintptr_t)program, (char *)(uintptr_t)role, NULL };
	handle_t parent;
	err_t err = kit_mint(77, &parent);

	if (err != OK)
		return err;
	const struct spawn_handle handles[] = { { STARTUP_SERVICE, 0, "parent", parent, RIGHTS_SAME } };
	const struct spawn_request request = { .path = program, .argv = argv, .handles = handles, .handle_count = 1 };

	err = lintel_spawn(&request, process);
	(void)!lintel_handle_close(parent);
	return err;
}

/* The same, and wait until its door has come: our dispatch function puts it into *announced. */
__attribute__((unused)) static err_t child_serves(const char *program, handle_t *announced, handle_t *process)
{
	err_t err;

	__atomic_store_n(announced, HANDLE_NONE, __ATOMIC_RELEASE);
	err = child_spawn(program, "serve", process);
	for (int i = 0; err == OK && i < 10000; i++) { /* a hang detector */
		if (__atomic_load_n(announced, __ATOMIC_ACQUIRE) != HANDLE_NONE)
			return OK;
		pause_ns(1000000);
	}
	return err == OK ? ERR_TIMED_OUT : err;
}

/* The child's side: hand a door over, with word 0 as the parent wants it. */
__attribute__((unused)) static err_t child_announce(uint64_t word, handle_t door)
{
	struct door_message message = { .word = { word }, .handle = { door } };

	return door_call(lintel_startup_named(STARTUP_SERVICE, "parent"), 0, &message);
}

/* ... and serve. An exit status. */
__attribute__((unused)) static int child_main(const struct kit_server *server, uint64_t word)
{
	handle_t door;

	if (kit_prepare(server) != OK || kit_mint(1, &door) != OK)
		return 90;
	return child_announce(word, door) == OK ? kit_main(server) : 91;
}

/* Kill it, if it lives; its exit status. */
__attribute__((unused)) static int32_t child_end(handle_t process, handle_t door)
{
	int32_t status = -99;

	(void)!lintel_process_kill(process, 0);
	(void)!lintel_wait(process, DEADLINE_NEVER, &status);
	(void)!lintel_handle_close(door);
	(void)!lintel_handle_close(process);
	return status;
}
