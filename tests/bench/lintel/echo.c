/* SPDX-License-Identifier: BSD-2-Clause */
/* echo.c - starting and stopping the echo servers. A server hands us its root door as every server hands it to init:
 * this process plays init for it. */
#include "echo.h"

#include <lintel/door_call.h>
#include <lintel/init_server.h>
#include <lintel/names.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <stdio.h>

#include "kit/kit.h"

#define READY_POLL_NS 1000000u
#define READY_TRIES 5000
#define ECHO_ENVIRONMENT "ACTIVATIONS=2"

static handle_t arrived[2]; /* door of the badge - 1 */

static err_t take_door(struct kit_call *call, handle_t door)
{
	if (call->badge < 1 || call->badge > ARRAY_LEN(arrived))
		return ERR_BAD_STATE;
	__atomic_store_n(&arrived[call->badge - 1], door, __ATOMIC_RELEASE);
	return OK;
}

static err_t parent_dispatch(struct kit_call *call)
{
	static const struct init_ops ops = { .service_ready = take_door };
	return init_dispatch(&ops, call);
}

static const struct kit_server parent_server = { .name = "bench", .dispatch = parent_dispatch };

static struct {
	handle_t process;
	handle_t door;
} servers[ARRAY_LEN(arrived)];

handle_t echo_door(unsigned which)
{
	return servers[which].door;
}

bool lintel_fail(struct bench *b, const char *what, err_t err)
{
	char text[BENCH_REASON_BYTES];
	snprintf(text, sizeof text, "%s: %s", what, lintel_error_sentence(err));
	return bench_fail(b, text, 0);
}

static err_t wait_for_door(size_t which)
{
	for (int i = 0; i < READY_TRIES; i++) {
		servers[which].door = __atomic_exchange_n(&arrived[which], HANDLE_NONE, __ATOMIC_ACQUIRE);
		if (servers[which].door != HANDLE_NONE)
			return OK;
		err_t err = lintel_thread_sleep(lintel_clock_ns() + READY_POLL_NS);
		if (err != OK)
			return err;
	}
	return ERR_TIMED_OUT;
}

static err_t spawn_server(size_t which)
{
	char *argv[] = { "bench-echo", CHILD_WORD, "echo", NULL };
	char *environment[] = { ECHO_ENVIRONMENT, NULL };
	handle_t ours;
	if (kit_door() == HANDLE_NONE) {
		err_t err = kit_prepare(&parent_server);
		if (err != OK)
			return err;
	}
	err_t err = kit_mint(which + 1, &ours);
	if (err != OK)
		return err;
	const struct spawn_handle handle = { STARTUP_SERVICE, 0, "init", ours, RIGHTS_SAME };
	const struct spawn_request request = {
		.path = bench_program,
		.argv = argv,
		.env = environment,
		.handle_count = 1,
		.handles = &handle,
	};
	err = lintel_spawn(&request, &servers[which].process);
	lintel_handle_close(ours);
	return err == OK ? wait_for_door(which) : err;
}

void echo_stop(struct bench *b)
{
	(void)b;
	for (size_t i = 0; i < ARRAY_LEN(servers); i++) {
		int32_t status;
		if (servers[i].door != HANDLE_NONE)
			lintel_handle_close(servers[i].door);
		if (servers[i].process != HANDLE_NONE) {
			if (lintel_process_kill(servers[i].process, 0) == OK)
				(void)!lintel_wait(servers[i].process, DEADLINE_NEVER, &status);
			lintel_handle_close(servers[i].process);
		}
		servers[i].door = servers[i].process = HANDLE_NONE;
	}
}

bool echo_start(struct bench *b)
{
	err_t err = spawn_server(0);
	return err == OK || lintel_fail(b, "starting the echo server", err);
}

/* The first server keeps the second's door. */
bool echo_start_two(struct bench *b)
{
	struct door_message message = { .word = { ECHO_KEEP } };
	if (!echo_start(b))
		return false;
	err_t err = spawn_server(1);
	if (err == OK)
		err = lintel_handle_duplicate(servers[1].door, RIGHTS_SAME, &message.handle[0]);
	if (err == OK)
		err = door_call(servers[0].door, 0, &message);
	return err == OK || lintel_fail(b, "starting the second server", err);
}
