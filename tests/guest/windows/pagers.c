/* SPDX-License-Identifier: BSD-2-Clause */
/* pagers.c - windows over memory that a pager supplies, here the client itself: pages that go while the server is at
 * work, and a pager that then refuses, or does not answer. A server must not suffer from what a client does to its
 * buffer. */
#include "../check.h"
#include "../child.h"
#include "windows.h"

#define BYTES (4 * PAGE_SIZE)

static handle_t process, door, paged;
static uint64_t at;

static void begin(void)
{
	pager_mood = PAGER_SUPPLIES;
	pager_asked = 0;
	if (paged_create(BYTES, &paged) != OK ||
	    lintel_space_map(lintel_process(), paged, 0, BYTES, 0, SPACE_READ | SPACE_WRITE, &at) != OK)
		check_fail("no memory that is paged");
}

static void finish(void)
{
	struct door_message message = { .word = { ANSWER } };

	CHECK_EQUAL(lintel_space_unmap(lintel_process(), at, BYTES), OK);
	CHECK_EQUAL(lintel_handle_close(paged), OK);
	CHECK_EQUAL(door_call(door, 0, &message), OK); /* it lives */
}

/* Once the call is under way: its page goes, and the pager's mood changes. */
static void *taker(void *mood)
{
	pause_ns(10000000);
	pager_mood = *(enum pager_mood *)mood;
	if (paged_take_back() != OK)
		check_fail("vmo_revoke fails");
	return NULL;
}

static err_t load_while_it_goes(enum pager_mood mood, uint32_t timeout_us, uint64_t *seen)
{
	struct door_message message = { .word = { LOAD, 40000000 } };
	pthread_t thread;
	err_t err;

	message.window[0] = (struct door_window){ (void *)(uintptr_t)at, 64 };
	if (pthread_create(&thread, NULL, taker, &mood) != 0)
		return ERR_NO_MEMORY;
	err = door_call(door, timeout_us, &message);
	pthread_join(thread, NULL);
	*seen = message.word[0];
	return err;
}

static void a_page_that_goes_comes_back(void)
{
	uint64_t seen;

	begin();
	CHECK_EQUAL(load_while_it_goes(PAGER_SUPPLIES, 0, &seen), OK);
	CHECK(seen == GOOD);
	CHECK_EQUAL(pager_asked, 2);
	finish();
}

static void a_pager_that_refuses_leaves_zeros(void)
{
	uint64_t seen;

	begin();
	CHECK_EQUAL(load_while_it_goes(PAGER_REFUSES, 0, &seen), OK);
	CHECK_EQUAL(seen, 0);
	CHECK_EQUAL(pager_asked, 2);
	finish();
}

static void a_pager_that_hangs_holds_the_call_until_its_deadline(void)
{
	uint64_t seen;

	begin();
	CHECK_EQUAL(load_while_it_goes(PAGER_HANGS, 100000, &seen), ERR_TIMED_OUT);
	CHECK_EQUAL(seen, 0);
	pager_mood = PAGER_REFUSES;
	pause_ns(100000000);
	finish();
}

static void a_window_that_the_pager_refuses_is_refused(void)
{
	struct door_message message = { .word = { LOAD } };

	begin();
	pager_mood = PAGER_REFUSES;
	message.window[1] = (struct door_window){ (void *)(uintptr_t)at, BYTES };
	CHECK_EQUAL(door_call(door, 0, &message), ERR_FAULT);
	CHECK_EQUAL(pager_asked, 1);
	finish();
}

int pagers(void)
{
	check.failed = 0;
	if (child_start(&process, &door) != OK) {
		printf("not ok pagers: no server\n");
		return 1;
	}
	CHECK_RUN(a_page_that_goes_comes_back);
	CHECK_RUN(a_pager_that_refuses_leaves_zeros);
	CHECK_RUN(a_pager_that_hangs_holds_the_call_until_its_deadline);
	CHECK_RUN(a_window_that_the_pager_refuses_is_refused);
	(void)child_end(process, door);
	return check.failed;
}
