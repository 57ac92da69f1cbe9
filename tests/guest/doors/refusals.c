/* SPDX-License-Identifier: BSD-2-Clause */
/* refusals.c - bad handles, as the door and in the message; returns that are none; chains that come back; a server
 * without a stack. Each refusal changes nothing. */
#include "../check.h"
#include "../child.h"
#include "../raw_call.h"
#include "doors.h"

#include <lintel/info.h>

static handle_t process, door; /* another process's */

static void forged_handles_are_refused(void)
{
	struct door_message message = { .word = { ECHO } };
	handle_t event, narrowed;

	CHECK_EQUAL(door_call(HANDLE_NONE, 0, &message), ERR_BAD_HANDLE);
	CHECK_EQUAL(door_call(door ^ 0x10000, 0, &message), ERR_BAD_HANDLE);
	CHECK_EQUAL(door_call(0xffffffff, 0, &message), ERR_BAD_HANDLE);
	CHECK_EQUAL(lintel_event_create(&event), OK);
	CHECK_EQUAL(door_call(event, 0, &message), ERR_WRONG_TYPE);
	CHECK_EQUAL(lintel_handle_duplicate(door, RIGHT_WAIT, &narrowed), OK);
	CHECK_EQUAL(door_call(narrowed, 0, &message), ERR_DENIED);
	CHECK_EQUAL(lintel_handle_close(event), OK);
	CHECK_EQUAL(lintel_handle_close(narrowed), OK);
}

static void a_closed_handle_stays_closed(void)
{
	struct door_message message = { .word = { ECHO } };
	handle_t copy, event[200];

	CHECK_EQUAL(lintel_handle_duplicate(door, RIGHTS_SAME, &copy), OK);
	CHECK_EQUAL(door_call(copy, 0, &message), OK);
	CHECK_EQUAL(lintel_handle_close(copy), OK);
	CHECK_EQUAL(door_call(copy, 0, &message), ERR_BAD_HANDLE);
	for (size_t i = 0; i < ARRAY_LEN(event); i++) /* one of them in its place, perhaps */
		CHECK_EQUAL(lintel_handle_duplicate(door, RIGHTS_SAME, &event[i]), OK);
	CHECK_EQUAL(door_call(copy, 0, &message), ERR_BAD_HANDLE);
	for (size_t i = 0; i < ARRAY_LEN(event); i++)
		CHECK_EQUAL(lintel_handle_close(event[i]), OK);
	CHECK_EQUAL(door_call(copy, 0, &message), ERR_BAD_HANDLE);
}

/* Refused for that handle; the good one beside it, and a good window, do not go either. */
static void goes_with(handle_t bad, err_t wanted)
{
	struct door_message message = { .word = { TAKE_TWO }, .handle = { HANDLE_NONE, bad } };
	char buffer[64];
	handle_t good;

	CHECK_EQUAL(lintel_event_create(&good), OK);
	message.handle[0] = good;
	message.window[0] = (struct door_window){ buffer, sizeof(buffer) | WINDOW_WRITE };
	CHECK_EQUAL(door_call(door, 0, &message), wanted);
	CHECK_EQUAL(message.word[0], 0);
	CHECK(message.handle[0] == HANDLE_NONE && message.handle[1] == HANDLE_NONE);
	message = (struct door_message){ .word = { TAKE_TWO }, .handle = { good, bad } };
	CHECK_EQUAL(door_call(door, 1000000, &message), wanted);
	CHECK_EQUAL(lintel_handle_close(good), OK);
}

static void bad_handles_in_a_message_are_refused(void)
{
	handle_t event, narrow;

	CHECK_EQUAL(lintel_event_create(&event), OK);
	CHECK_EQUAL(lintel_handle_duplicate(event, RIGHT_WAIT | RIGHT_SIGNAL, &narrow), OK);
	goes_with(event ^ 0x10000, ERR_BAD_HANDLE);
	goes_with(0xfff0fff0, ERR_BAD_HANDLE);
	goes_with(narrow, ERR_DENIED);
	CHECK_EQUAL(lintel_handle_close(narrow), OK);
	goes_with(narrow, ERR_BAD_HANDLE);
	CHECK_EQUAL(lintel_handle_close(event), OK);
}

static void bad_handles_in_a_reply_are_refused(void)
{
	struct door_message message = { .word = { GIVE_BAD, 0xfff0fff0 } };

	CHECK_EQUAL(door_call(door, 0, &message), ERR_INTERNAL);
	CHECK(message.handle[0] == HANDLE_NONE && message.word[0] == 0);
	message = (struct door_message){ .word = { NARROW } };
	CHECK_EQUAL(door_call(door, 0, &message), ERR_INTERNAL);
	CHECK(message.handle[0] == HANDLE_NONE && message.handle[1] == HANDLE_NONE);
}

/* The reply comes when nobody takes it any more: its handle is closed, and does not stay with the server. */
static void handles_for_nobody_are_closed(void)
{
	struct info_process before, after;
	handle_t event;

	CHECK_EQUAL(lintel_event_create(&event), OK);
	CHECK_EQUAL(lintel_process_info(process, &before, sizeof(before)), OK);
	for (int i = 0; i < 5; i++) {
		struct door_message message = { .word = { SLEEP_AND_GIVE, 20000000 } };

		CHECK_EQUAL(door_call(door, 2000, &message), ERR_TIMED_OUT);
	}
	for (int i = 0; i < 200; i++) {
		pause_ns(5000000);
		CHECK_EQUAL(lintel_process_info(process, &after, sizeof(after)), OK);
		if (after.threads == before.threads) /* all orphans have gone */
			break;
	}
	CHECK_EQUAL(after.threads, before.threads);
	CHECK_EQUAL(after.handles, before.handles);
	CHECK_EQUAL(lintel_handle_close(event), OK);
}

static void a_return_without_a_call_is_refused(void)
{
	const uint64_t nothing[6] = { 0 };

	for (int i = 0; i < 3; i++)
		CHECK_EQUAL(raw_call(SYSCALL_door_return, nothing).err, ERR_BAD_STATE);
}

/* An answer, and then the thread, home again, answers once more. */
static void returning_twice_is_refused(void)
{
	const uint64_t nothing[6] = { 0 };
	struct door_message message = { .word = { ECHO } };

	CHECK_EQUAL(door_call(door, 0, &message), OK);
	CHECK_EQUAL(raw_call(SYSCALL_door_return, nothing).err, ERR_BAD_STATE);
	message.word[0] = ECHO;
	CHECK_EQUAL(door_call(door, 0, &message), OK);
	CHECK_EQUAL(message.word[0], ECHO + 1);
}

/* Here -> there -> here -> there ... */
static void a_chain_that_comes_back_ends_somewhere(void)
{
	struct door_message message = { .word = { BE_OTHER } };

	CHECK_EQUAL(lintel_handle_duplicate(door, RIGHTS_SAME, &message.handle[0]), OK);
	CHECK_EQUAL(door_call(kit_door(), 0, &message), OK);
	for (int i = 0; i < 3; i++) {
		message = (struct door_message){ .word = { BOUNCE } };
		CHECK_EQUAL(door_call(i % 2 ? door : kit_door(), 0, &message), OK);
		CHECK_EQUAL(message.word[0], DOOR_DEPTH_MAX);
		CHECK_EQUAL((int64_t)message.word[1], ERR_TOO_DEEP);
	}
}

static void a_server_that_unmaps_its_own_stack(void)
{
	struct door_message message = { .word = { UNMAP_STACK } };
	handle_t victim, its_door;

	CHECK_EQUAL(child_server(&victim, &its_door), OK);
	CHECK_EQUAL(door_call(its_door, 0, &message), ERR_PEER_DIED);
	CHECK(child_end(victim, its_door) < 0);
	message = (struct door_message){ .word = { ECHO } };
	CHECK_EQUAL(door_call(door, 0, &message), OK);
}

int refusal_tests(void)
{
	if (child_server(&process, &door) != OK) {
		printf("not ok refusals: no server\n");
		return 1;
	}
	CHECK_RUN(forged_handles_are_refused);
	CHECK_RUN(a_closed_handle_stays_closed);
	CHECK_RUN(bad_handles_in_a_message_are_refused);
	CHECK_RUN(bad_handles_in_a_reply_are_refused);
	CHECK_RUN(handles_for_nobody_are_closed);
	CHECK_RUN(a_return_without_a_call_is_refused);
	CHECK_RUN(returning_twice_is_refused);
	CHECK_RUN(a_chain_that_comes_back_ends_somewhere);
	CHECK_RUN(a_server_that_unmaps_its_own_stack);
	(void)child_end(process, door);
	return check.failed;
}
