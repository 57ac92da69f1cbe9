/* SPDX-License-Identifier: BSD-2-Clause */
/* handles.c - handles: closing, copying, narrowing, staleness, running out, and hostile values. */
#include "check.h"
#include "raw_call.h"

#include <pthread.h>
#include <stdlib.h>

#define BIT0 (1u << SIGNAL_USER_SHIFT)

static void a_closed_handle_is_gone(void)
{
	handle_t event;

	CHECK_EQUAL(lintel_event_create(&event), OK);
	CHECK_EQUAL(lintel_event_signal(event, 0, BIT0), OK);
	CHECK_EQUAL(lintel_handle_close(event), OK);
	CHECK_EQUAL(lintel_handle_close(event), ERR_BAD_HANDLE);
	CHECK_EQUAL(lintel_event_signal(event, 0, BIT0), ERR_BAD_HANDLE);
}

static void a_stale_handle_never_names_the_next_object(void)
{
	handle_t first, next;

	CHECK_EQUAL(lintel_event_create(&first), OK);
	CHECK_EQUAL(lintel_handle_close(first), OK);
	for (int i = 0; i < 70000; i++) {
		CHECK_EQUAL(lintel_event_create(&next), OK);
		CHECK(next != first);
		CHECK_EQUAL(lintel_handle_close(next), OK);
	}
	CHECK_EQUAL(lintel_event_signal(first, 0, BIT0), ERR_BAD_HANDLE);
}

static void hostile_values_name_nothing(void)
{
	const handle_t values[] = { 0, 1, 0xffff, 0x10000, 0xffff0000, 0xffffffff, 0x7fffffff, 0x80000000, 0x0001ffff };
	uint64_t info;

	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		if (lintel_handle_info(values[i], &info) == OK)
			CHECK((info & 0xffffffff) > OBJECT_NONE && (info & 0xffffffff) < OBJECT_TYPES);
	CHECK_EQUAL(lintel_handle_info(0, &info), ERR_BAD_HANDLE);
	CHECK_EQUAL(lintel_handle_close(0), ERR_BAD_HANDLE);
	CHECK_EQUAL(lintel_handle_close(0xffffffff), ERR_BAD_HANDLE);
}

static void a_copy_has_the_same_or_fewer_rights(void)
{
	handle_t event, copy, narrow;
	uint64_t info;

	CHECK_EQUAL(lintel_event_create(&event), OK);
	CHECK_EQUAL(lintel_handle_duplicate(event, RIGHTS_SAME, &copy), OK);
	CHECK_EQUAL(lintel_handle_close(event), OK);
	CHECK_EQUAL(lintel_event_signal(copy, 0, BIT0), OK);
	CHECK_EQUAL(lintel_handle_duplicate(copy, RIGHT_WAIT, &narrow), OK);
	CHECK_EQUAL(lintel_handle_info(narrow, &info), OK);
	CHECK_EQUAL(info & 0xffffffff, OBJECT_EVENT);
	CHECK_EQUAL(info >> 32, RIGHT_WAIT);
	CHECK_EQUAL(lintel_event_signal(narrow, 0, BIT0), ERR_DENIED);
	CHECK_EQUAL(lintel_handle_duplicate(narrow, RIGHT_WAIT, &event), ERR_DENIED);
	CHECK_EQUAL(lintel_handle_duplicate(copy, RIGHT_MANAGE, &event), ERR_DENIED);
	CHECK_EQUAL(lintel_handle_duplicate(copy, 1u << 20, &event), ERR_ARGS);
	CHECK_EQUAL(lintel_handle_close(copy), OK);
	CHECK_EQUAL(lintel_handle_close(narrow), OK);
}

static void the_table_ends_in_an_error_and_recovers(void)
{
	handle_t *handles = malloc(70000 * sizeof(handle_t));
	uint32_t count = 0;
	err_t err = OK;

	CHECK(handles != NULL);
	while (count < 70000 && (err = lintel_event_create(&handles[count])) == OK)
		count++;
	for (uint32_t i = 0; i < count; i++)
		CHECK_EQUAL(lintel_handle_close(handles[i]), OK);
	CHECK(err == ERR_LIMIT || err == ERR_NO_MEMORY);
	CHECK(count > 60000 || err == ERR_NO_MEMORY);
	CHECK_EQUAL(lintel_event_create(&handles[0]), OK);
	CHECK_EQUAL(lintel_handle_close(handles[0]), OK);
	free(handles);
}

static handle_t contested[64];

static void *close_them(void *unused)
{
	uintptr_t closed = 0;

	(void)unused;
	for (int i = 0; i < 64; i++)
		if (lintel_handle_close(contested[i]) == OK)
			closed++;
	return (void *)closed;
}

static void two_closers_close_each_once(void)
{
	for (int round = 0; round < 50; round++) {
		pthread_t thread;
		void *theirs;
		uintptr_t ours;

		for (int i = 0; i < 64; i++)
			CHECK_EQUAL(lintel_event_create(&contested[i]), OK);
		CHECK_EQUAL(pthread_create(&thread, NULL, close_them, NULL), 0);
		ours = (uintptr_t)close_them(NULL);
		pthread_join(thread, &theirs);
		CHECK_EQUAL(ours + (uintptr_t)theirs, 64);
	}
}

int main(void)
{
	CHECK_RUN(a_closed_handle_is_gone);
	CHECK_RUN(a_stale_handle_never_names_the_next_object);
	CHECK_RUN(hostile_values_name_nothing);
	CHECK_RUN(a_copy_has_the_same_or_fewer_rights);
	CHECK_RUN(the_table_ends_in_an_error_and_recovers);
	CHECK_RUN(two_closers_close_each_once);
	return check.failed;
}
