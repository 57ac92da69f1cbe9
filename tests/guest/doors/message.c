/* SPDX-License-Identifier: BSD-2-Clause */
/* message.c - what a call carries, there and back, to this program itself and to another process; badges, depth,
 * deadlines, exhaustion. */
#include "../check.h"
#include "../child.h"
#include "doors.h"

#include <string.h>
#include <sys/mman.h>

static handle_t target; /* whom the tests call */

static err_t ask(struct door_message *message)
{
	return door_call(target, 0, message);
}

static void words_travel_both_ways(void)
{
	struct door_message message = { .word = { ECHO, 20, 30, 40, 50, UINT64_MAX } };

	CHECK_EQUAL(ask(&message), OK);
	CHECK_EQUAL(message.word[0], ECHO + 1);
	CHECK_EQUAL(message.word[4], 51);
	CHECK_EQUAL(message.word[5], 0);
}

static void a_server_error_comes_back(void)
{
	struct door_message message = { .word = { FAIL, (uint64_t)(int64_t)ERR_CORRUPT } };

	CHECK_EQUAL(ask(&message), ERR_CORRUPT);
}

static void a_window_shows_the_buffer_and_no_more(void)
{
	static uint8_t buffer[3 * PAGE_SIZE];
	struct door_message message = { .word = { FILL, 0x5a } };

	message.window[0] = (struct door_window){ buffer + 100, 5000 | WINDOW_WRITE };
	CHECK_EQUAL(ask(&message), OK);
	CHECK(buffer[99] == 0 && buffer[100] == 0x5a && buffer[5099] == 0x5a && buffer[5100] == 0);

	message.word[0] = SUM;
	message.window[0] = (struct door_window){ buffer + 100, 5000 };
	CHECK_EQUAL(ask(&message), OK);
	CHECK_EQUAL(message.word[0], 5000 * 0x5a);
}

static void two_windows_at_once(void)
{
	char from[300], to[300] = { 0 };
	struct door_message message = { .word = { WINDOWS } };

	memset(from, 7, sizeof(from));
	message.window[0] = (struct door_window){ from, sizeof(from) };
	message.window[1] = (struct door_window){ to, sizeof(to) | WINDOW_WRITE };
	CHECK_EQUAL(ask(&message), OK);
	CHECK_EQUAL(message.word[1], sizeof(to) | WINDOW_WRITE);
	CHECK(memcmp(from, to, sizeof(from)) == 0);
}

static void a_large_window(void)
{
	const size_t bytes = 4u << 20;
	uint8_t *buffer = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct door_message message = { .word = { FILL, 1 } };

	CHECK(buffer != MAP_FAILED);
	message.window[0] = (struct door_window){ buffer, bytes | WINDOW_WRITE };
	CHECK_EQUAL(ask(&message), OK);
	for (size_t i = 0; i < bytes; i += 4096)
		CHECK(buffer[i] == 1);
	munmap(buffer, bytes);
}

static void handles_move(void)
{
	struct door_message message = { .word = { KEEP_HANDLE } };
	handle_t event;
	uint32_t seen;

	CHECK_EQUAL(lintel_event_create(&event), OK);
	message.handle[0] = event;
	CHECK_EQUAL(ask(&message), OK);
	CHECK_EQUAL(lintel_event_signal(event, 0, 1u << SIGNAL_USER_SHIFT), ERR_BAD_HANDLE);
	CHECK_EQUAL(lintel_event_signal(kept, 0, 1u << SIGNAL_USER_SHIFT), OK);
	CHECK_EQUAL(lintel_object_wait(kept, 1u << SIGNAL_USER_SHIFT, 0, &seen), OK);
	CHECK_EQUAL(lintel_handle_close(kept), OK);

	message = (struct door_message){ .word = { GIVE_HANDLE } };
	CHECK_EQUAL(ask(&message), OK);
	CHECK(message.handle[0] == HANDLE_NONE && message.handle[1] != HANDLE_NONE);
	CHECK_EQUAL(lintel_handle_close(message.handle[1]), OK);
}

static void two_handles_or_none(void)
{
	struct door_message message = { .word = { TAKE_TWO } };
	handle_t first, second;

	CHECK_EQUAL(lintel_event_create(&first), OK);
	CHECK_EQUAL(lintel_event_create(&second), OK);
	message.handle[0] = first;
	message.handle[1] = second;
	CHECK_EQUAL(ask(&message), OK);
	first = message.handle[1];
	second = message.handle[0];

	message = (struct door_message){ .word = { TAKE_TWO }, .handle = { first, second ^ 0x10000 } };
	CHECK_EQUAL(ask(&message), ERR_BAD_HANDLE);
	message = (struct door_message){ .word = { TAKE_TWO }, .handle = { first, first } };
	CHECK_EQUAL(ask(&message), ERR_BAD_HANDLE);
	CHECK_EQUAL(lintel_handle_close(first), OK);
	CHECK_EQUAL(lintel_handle_close(second), OK);
}

static void badges_say_who_calls_and_that_they_went(void)
{
	struct door_message message = { .word = { BADGE } };
	uint32_t before = closed_badges;
	handle_t badged, copy;

	CHECK_EQUAL(kit_mint(0x1234567890, &badged), OK);
	CHECK_EQUAL(door_call(badged, 0, &message), OK);
	CHECK_EQUAL(message.word[0], 0x1234567890);
	CHECK_EQUAL(lintel_handle_duplicate(badged, RIGHTS_SAME, &copy), OK);
	CHECK_EQUAL(lintel_handle_close(badged), OK);
	pause_ns(5000000);
	CHECK_EQUAL(closed_badges, before);
	CHECK_EQUAL(lintel_handle_close(copy), OK);
	for (int i = 0; i < 1000 && __atomic_load_n(&closed_badges, __ATOMIC_SEQ_CST) == before; i++)
		pause_ns(1000000);
	CHECK_EQUAL(closed_badges, before + 1);
	CHECK_EQUAL(closed_badge, 0x1234567890);
}

static void nesting_ends_somewhere(void)
{
	struct door_message message = { .word = { RECURSE, 0 } };

	CHECK_EQUAL(ask(&message), OK);
	CHECK_EQUAL(message.word[0], DOOR_DEPTH_MAX);
}

static void a_deadline_frees_the_caller(void)
{
	struct door_message message = { .word = { SLEEP, 60000000 } };
	uint64_t start = lintel_clock_ns();
	uint32_t before = sleeps_done;

	CHECK_EQUAL(door_call(kit_door(), 5000, &message), ERR_TIMED_OUT);
	CHECK(lintel_clock_ns() - start >= 5000000);
	for (int i = 0; i < 1000 && __atomic_load_n(&sleeps_done, __ATOMIC_SEQ_CST) == before; i++)
		pause_ns(1000000);
	CHECK_EQUAL(sleeps_done, before + 1); /* the server's side went on */

	message = (struct door_message){ .word = { SLEEP, 1000 } };
	CHECK_EQUAL(door_call(kit_door(), 4000000, &message), OK);
}

static void *caller(void *argument)
{
	struct door_message message = { .word = { SLEEP, 2000000 } };

	for (int i = 0; i < 5; i++) {
		message.word[0] = SLEEP;
		message.word[1] = 2000000;
		if (ask(&message) != OK)
			__atomic_add_fetch((int *)argument, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static void more_callers_than_activations(void)
{
	pthread_t threads[40];
	int failed = 0;

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, caller, &failed), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
	CHECK_EQUAL(failed, 0);
}

/* To whomever. */
static void tests_of_messages(void)
{
	CHECK_RUN(words_travel_both_ways);
	CHECK_RUN(a_server_error_comes_back);
	CHECK_RUN(a_window_shows_the_buffer_and_no_more);
	CHECK_RUN(two_windows_at_once);
	CHECK_RUN(a_large_window);
	CHECK_RUN(two_handles_or_none);
	CHECK_RUN(nesting_ends_somewhere);
}

int message_tests(void)
{
	handle_t process;

	target = kit_door();
	tests_of_messages();
	CHECK_RUN(handles_move);
	CHECK_RUN(badges_say_who_calls_and_that_they_went);
	CHECK_RUN(a_deadline_frees_the_caller);
	CHECK_RUN(more_callers_than_activations);
	if (child_server(&process, &target) != OK) {
		printf("not ok messages: no other process\n");
		return check.failed + 1;
	}
	tests_of_messages();
	(void)child_end(process, target);
	return check.failed;
}
