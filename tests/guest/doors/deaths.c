/* SPDX-License-Identifier: BSD-2-Clause */
/* deaths.c - the plain ends: a server that exits, is killed, faults; a client that is killed. Every step: ../deaths. */
#include "../check.h"
#include "../child.h"
#include "doors.h"

static void a_server_that_exits_in_a_call(void)
{
	struct door_message message = { .word = { EXIT, 3 } };
	handle_t process, door;
	uint32_t seen;
	int32_t status;

	CHECK_EQUAL(child_server(&process, &door), OK);
	CHECK_EQUAL(door_call(door, 0, &message), ERR_PEER_DIED);
	CHECK_EQUAL(message.word[0], 0);
	CHECK_EQUAL(lintel_wait(process, DEADLINE_NEVER, &status), OK);
	CHECK_EQUAL(status, 3);
	CHECK_EQUAL(lintel_object_wait(door, SIGNAL_PEER_DIED, 0, &seen), OK);
	message = (struct door_message){ .word = { ECHO } };
	CHECK_EQUAL(door_call(door, 0, &message), ERR_PEER_DIED);
	CHECK_EQUAL(lintel_handle_close(door), OK);
	CHECK_EQUAL(lintel_handle_close(process), OK);
}

static void *kill_soon(void *argument)
{
	pause_ns(10000000);
	if (lintel_process_kill(*(handle_t *)argument, 9) != OK)
		check_fail("process_kill failed");
	return NULL;
}

static void a_server_that_is_killed_while_it_sleeps_in_a_call(void)
{
	struct door_message message = { .word = { SLEEP, 20000000000ull } };
	handle_t process, door;
	pthread_t killer;

	CHECK_EQUAL(child_server(&process, &door), OK);
	CHECK_EQUAL(pthread_create(&killer, NULL, kill_soon, &process), 0);
	CHECK_EQUAL(door_call(door, 0, &message), ERR_PEER_DIED);
	CHECK_EQUAL(pthread_join(killer, NULL), 0);
	CHECK_EQUAL(lintel_handle_close(door), OK);
	CHECK_EQUAL(lintel_handle_close(process), OK);
}

static void a_server_that_stores_into_a_read_only_window_dies_alone(void)
{
	static uint64_t target = 42;
	struct door_message message = { .word = { STORE, 43 } };
	handle_t process, door;
	int32_t status;

	CHECK_EQUAL(child_server(&process, &door), OK);
	message.window[0] = (struct door_window){ &target, 8 };
	CHECK_EQUAL(door_call(door, 0, &message), ERR_PEER_DIED);
	CHECK_EQUAL(target, 42);
	CHECK_EQUAL(lintel_wait(process, DEADLINE_NEVER, &status), OK);
	CHECK(status < 0);
	CHECK_EQUAL(lintel_handle_close(door), OK);
	CHECK_EQUAL(lintel_handle_close(process), OK);
}

static void a_client_that_dies_in_a_call(void)
{
	uint32_t before = sleeps_done, begun = sleeps_begun;
	handle_t process;
	int32_t status;

	CHECK_EQUAL(child_spawn("/boot/bin/doors", "sleep", &process), OK);
	for (int i = 0; i < 10000 && __atomic_load_n(&sleeps_begun, __ATOMIC_SEQ_CST) == begun; i++)
		pause_ns(1000000);
	CHECK_EQUAL(lintel_process_kill(process, 5), OK);
	CHECK_EQUAL(lintel_wait(process, DEADLINE_NEVER, &status), OK);
	CHECK_EQUAL(status, 5);
	CHECK_EQUAL(lintel_handle_close(process), OK);
	for (int i = 0; i < 3000 && __atomic_load_n(&sleeps_done, __ATOMIC_SEQ_CST) == before; i++)
		pause_ns(1000000);
	CHECK_EQUAL(sleeps_done, before + 1);
}

int death_tests(void)
{
	CHECK_RUN(a_server_that_exits_in_a_call);
	CHECK_RUN(a_server_that_is_killed_while_it_sleeps_in_a_call);
	CHECK_RUN(a_server_that_stores_into_a_read_only_window_dies_alone);
	CHECK_RUN(a_client_that_dies_in_a_call);
	return check.failed;
}
