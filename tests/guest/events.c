/* SPDX-License-Identifier: BSD-2-Clause */
/* events.c - signals and waiting: levels, deadlines, many at once, hostile arguments. */
#include "check.h"
#include "raw_call.h"

#include <pthread.h>
#include <sys/mman.h>

#define BIT(n) (1u << (SIGNAL_USER_SHIFT + (n)))

static handle_t ping, pong;

static void signals_are_levels(void)
{
	handle_t event;
	uint32_t seen = 0;

	CHECK_EQUAL(lintel_event_create(&event), OK);
	CHECK_EQUAL(lintel_object_wait(event, BIT(0), 0, &seen), ERR_TIMED_OUT);
	CHECK_EQUAL(lintel_event_signal(event, 0, BIT(0) | BIT(3)), OK);
	CHECK_EQUAL(lintel_object_wait(event, BIT(0), 0, &seen), OK);
	CHECK_EQUAL(seen, BIT(0) | BIT(3));
	CHECK_EQUAL(lintel_object_wait(event, BIT(0), DEADLINE_NEVER, &seen), OK);
	CHECK_EQUAL(lintel_event_signal(event, BIT(0), 0), OK);
	CHECK_EQUAL(lintel_object_wait(event, BIT(0), 0, &seen), ERR_TIMED_OUT);
	CHECK_EQUAL(lintel_event_signal(event, 0, SIGNAL_TERMINATED), ERR_ARGS);
	CHECK_EQUAL(lintel_object_wait(event, 0, 0, &seen), ERR_ARGS);
	CHECK_EQUAL(lintel_handle_close(event), OK);
}

static void a_deadline_ends_the_wait(void)
{
	uint64_t start = now_ns();
	handle_t event;
	uint32_t seen;

	CHECK_EQUAL(lintel_event_create(&event), OK);
	CHECK_EQUAL(lintel_object_wait(event, BIT(0), start + MILLISECONDS(20), &seen), ERR_TIMED_OUT);
	CHECK(now_ns() >= start + MILLISECONDS(20));
	CHECK_EQUAL(lintel_thread_sleep(now_ns() + MILLISECONDS(5)), OK);
	CHECK_EQUAL(lintel_thread_sleep(0), OK);
	CHECK_EQUAL(lintel_handle_close(event), OK);
}

static void *answer(void *rounds)
{
	uint32_t seen;

	for (uintptr_t i = 0; i < (uintptr_t)rounds; i++) {
		if (lintel_object_wait(ping, BIT(0), IN_10_S, &seen) != OK)
			return "no ping";
		(void)!lintel_event_signal(ping, BIT(0), 0);
		(void)!lintel_event_signal(pong, 0, BIT(0));
	}
	return NULL;
}

static void no_wake_up_is_lost_in_ten_thousand(void)
{
	const uintptr_t rounds = 10000;
	pthread_t thread;
	void *why;
	uint32_t seen;

	CHECK_EQUAL(lintel_event_create(&ping), OK);
	CHECK_EQUAL(lintel_event_create(&pong), OK);
	CHECK_EQUAL(pthread_create(&thread, NULL, answer, (void *)rounds), 0);
	for (uintptr_t i = 0; i < rounds; i++) {
		CHECK_EQUAL(lintel_event_signal(ping, 0, BIT(0)), OK);
		CHECK_EQUAL(lintel_object_wait(pong, BIT(0), IN_10_S, &seen), OK);
		CHECK_EQUAL(lintel_event_signal(pong, BIT(0), 0), OK);
	}
	pthread_join(thread, &why);
	CHECK(why == NULL);
	CHECK_EQUAL(lintel_handle_close(ping), OK);
	CHECK_EQUAL(lintel_handle_close(pong), OK);
}

static struct wait_item items[WAIT_ITEMS_MAX];

static void *signal_two(void *unused)
{
	(void)unused;
	(void)!lintel_thread_sleep(now_ns() + MILLISECONDS(10));
	(void)!lintel_event_signal(items[40].handle, 0, BIT(1));
	return NULL;
}

static void one_of_sixty_four(void)
{
	pthread_t thread;
	uint32_t ready = 0;

	for (int i = 0; i < WAIT_ITEMS_MAX; i++) {
		CHECK_EQUAL(lintel_event_create(&items[i].handle), OK);
		items[i].wanted = BIT(1);
	}
	CHECK_EQUAL(lintel_object_wait_many(items, WAIT_ITEMS_MAX, now_ns() + MILLISECONDS(5), &ready), ERR_TIMED_OUT);
	CHECK_EQUAL(pthread_create(&thread, NULL, signal_two, NULL), 0);
	CHECK_EQUAL(lintel_object_wait_many(items, WAIT_ITEMS_MAX, IN_10_S, &ready), OK);
	CHECK_EQUAL(ready, 1);
	CHECK_EQUAL(items[40].observed, BIT(1));
	CHECK_EQUAL(items[39].observed, 0);
	pthread_join(thread, NULL);
	CHECK_EQUAL(lintel_event_signal(items[7].handle, 0, BIT(1)), OK);
	CHECK_EQUAL(lintel_object_wait_many(items, WAIT_ITEMS_MAX, 0, &ready), OK);
	CHECK_EQUAL(ready, 2);
	for (int i = 0; i < WAIT_ITEMS_MAX; i++)
		CHECK_EQUAL(lintel_handle_close(items[i].handle), OK);
}

static void hostile_lists_are_refused(void)
{
	struct wait_item one = { 0 };
	uint32_t ready;

	CHECK_EQUAL(lintel_event_create(&one.handle), OK);
	one.wanted = BIT(0);
	CHECK_EQUAL(lintel_object_wait_many(&one, 0, 0, &ready), ERR_ARGS);
	CHECK_EQUAL(lintel_object_wait_many(&one, WAIT_ITEMS_MAX + 1, 0, &ready), ERR_ARGS);
	CHECK_EQUAL(lintel_object_wait_many(&one, UINT32_MAX, 0, &ready), ERR_ARGS);
	CHECK_EQUAL(lintel_object_wait_many(NULL, 1, 0, &ready), ERR_FAULT);
	CHECK_EQUAL(lintel_object_wait_many((void *)0xffff800000000000, 1, 0, &ready), ERR_FAULT);
	CHECK_EQUAL(lintel_object_wait_many((void *)(USER_LIMIT - 4), 1, 0, &ready), ERR_FAULT);
	one.wanted = 0;
	CHECK_EQUAL(lintel_object_wait_many(&one, 1, 0, &ready), ERR_ARGS);
	CHECK_EQUAL(lintel_handle_close(one.handle), OK);
	one.wanted = BIT(0);
	CHECK_EQUAL(lintel_object_wait_many(&one, 1, 0, &ready), ERR_BAD_HANDLE);
}

int main(void)
{
	CHECK_RUN(signals_are_levels);
	CHECK_RUN(a_deadline_ends_the_wait);
	CHECK_RUN(no_wake_up_is_lost_in_ten_thousand);
	CHECK_RUN(one_of_sixty_four);
	CHECK_RUN(hostile_lists_are_refused);
	return check.failed;
}
