/* SPDX-License-Identifier: BSD-2-Clause */
/* races.c - while the server reads and writes its windows, another thread of the client, on another CPU where there is
 * one, takes the pages away, and uses their frames for something else at once. Whatever the server sees is the client's
 * page or zeros; what it stores never lands in a frame that was given back. */
#include "../check.h"
#include "../child.h"
#include "windows.h"

#include <string.h>

#define AREA 0x3000000000ull    /* where the windows' buffer is, 2 MiB aligned */
#define ELSEWHERE 0x3040000000ull
#define LARGE (2u << 20)

static handle_t process, door;
static bool stop;
static uint64_t calls, leaks, refusals, leaked;
static err_t surprise;
static struct {
	uint64_t bytes;
	bool writable;
	uint64_t turns;
} window;

/* ---- the caller ---- */

static void *caller(void *argument)
{
	(void)argument;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		struct door_message message = { .word = { HAMMER, window.turns } };
		err_t err;

		message.window[0] = (struct door_window){ (void *)(uintptr_t)AREA,
							  window.bytes | (window.writable ? WINDOW_WRITE : 0) };
		err = door_call(door, 0, &message);
		if (err == ERR_FAULT) { /* there was nothing, or less than was asked for, when the call came */
			refusals++;
			continue;
		}
		calls++;
		if (err != OK) {
			surprise = err;
			break;
		}
		leaks += message.word[0];
		if (message.word[0] != 0)
			leaked = message.word[1];
	}
	return NULL;
}

/* ---- the taker ---- */

static err_t map_new(uint64_t at, uint64_t bytes)
{
	uint32_t flags = SPACE_READ | SPACE_WRITE | SPACE_FIXED | (bytes >= LARGE ? SPACE_POPULATE : 0);
	handle_t vmo;
	err_t err = lintel_vmo_create(bytes, 0, &vmo);

	if (err != OK)
		return err;
	err = lintel_space_map(lintel_process(), vmo, 0, bytes, at, flags, &at);
	(void)!lintel_handle_close(vmo);
	return err;
}

static void fill(uint64_t at, uint64_t bytes, uint64_t with)
{
	for (volatile uint64_t *word = (uint64_t *)(uintptr_t)at; (uintptr_t)word < at + bytes; word += PAGE_SIZE / 8)
		word[0] = word[1] = with;
}

/* Does every page there still say so? */
static bool says(uint64_t at, uint64_t bytes, uint64_t what)
{
	for (volatile uint64_t *word = (uint64_t *)(uintptr_t)at; (uintptr_t)word < at + bytes; word += PAGE_SIZE / 8)
		if (word[0] != what || word[1] != what)
			return false;
	return true;
}

static err_t take_away(uint64_t bytes)
{
	return lintel_space_unmap(lintel_process(), AREA, bytes);
}

/* The frames that have just become free, most likely. */
static err_t use_them(uint64_t bytes)
{
	err_t err = map_new(ELSEWHERE, bytes);

	if (err != OK)
		return err;
	fill(ELSEWHERE, bytes, SECRET);
	for (int look = 0; look < 3; look++)
		if (!says(ELSEWHERE, bytes, SECRET))
			check_fail("the server stores into memory that was given back");
	return lintel_space_unmap(lintel_process(), ELSEWHERE, bytes);
}

static err_t area_renew(uint64_t bytes)
{
	err_t err = map_new(AREA, bytes);

	if (err == OK)
		fill(AREA, bytes, GOOD);
	return err;
}

static err_t unmaps(uint64_t bytes)
{
	err_t err = take_away(bytes);

	if (err == OK)
		err = use_them(bytes);
	return err == OK ? area_renew(bytes) : err;
}

/* Every second page only, so that a window is swept in parts. */
static err_t unmaps_parts(uint64_t bytes)
{
	err_t err = OK;

	for (uint64_t at = 0; err == OK && at < bytes; at += 2 * PAGE_SIZE)
		err = lintel_space_unmap(lintel_process(), AREA + at, PAGE_SIZE);
	if (err == OK)
		err = use_them(bytes);
	for (uint64_t at = 0; err == OK && at < bytes; at += 2 * PAGE_SIZE) {
		err = map_new(AREA + at, PAGE_SIZE);
		fill(AREA + at, PAGE_SIZE, GOOD);
	}
	return err;
}

/* What may only be read does not change, whatever windows were open. */
static err_t protects(uint64_t bytes)
{
	volatile uint64_t *first = (uint64_t *)(uintptr_t)AREA;
	uint64_t before;
	err_t err;

	first[1] = GOOD;
	err = lintel_space_protect(lintel_process(), AREA, bytes, SPACE_READ);
	before = first[1];
	for (int look = 0; look < 2000; look++)
		if (first[1] != before)
			check_fail("the server stores into a page that may only be read");
	return err == OK ? lintel_space_protect(lintel_process(), AREA, bytes, SPACE_READ | SPACE_WRITE) : err;
}

static handle_t resizable;

static err_t shrinks(uint64_t bytes)
{
	err_t err = lintel_vmo_resize(resizable, PAGE_SIZE);

	if (err == OK)
		err = use_them(bytes);
	if (err == OK)
		err = lintel_vmo_resize(resizable, bytes);
	if (err == OK)
		fill(AREA, bytes, GOOD);
	return err;
}

/* ---- together ---- */

static void race(uint64_t bytes, uint64_t length, bool writable, int rounds, err_t (*act)(uint64_t bytes))
{
	pthread_t thread;
	err_t err = OK;

	window.bytes = length;
	window.writable = writable;
	window.turns = length > 100 * PAGE_SIZE ? 2 : 200;
	stop = false;
	calls = leaks = refusals = 0;
	surprise = OK;
	CHECK_EQUAL(pthread_create(&thread, NULL, caller, NULL), 0);
	for (int round = 0; err == OK && check.why[0] == '\0' && (round < rounds || calls < 20); round++) {
		err = act(bytes);
		if (round % 4 == 0 || kit_cpu_count() == 1)
			pause_ns(300000);
	}
	stop = true;
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	CHECK_EQUAL(err, OK);
	CHECK_EQUAL(surprise, OK);
	if (leaks != 0)
		check_fail("%llu times the server saw 0x%llx", (unsigned long long)leaks, (unsigned long long)leaked);
}

static void with_area(uint64_t bytes, uint64_t length, bool writable, int rounds, err_t (*act)(uint64_t bytes))
{
	CHECK_EQUAL(area_renew(bytes), OK);
	race(bytes, length, writable, rounds, act);
	(void)!take_away(bytes);
}

#define QUICK (8 * PAGE_SIZE)
#define SLOW (40 * PAGE_SIZE)

static void a_few_pages_are_unmapped(void)
{
	with_area(QUICK, QUICK, true, 100, unmaps);
}

static void many_pages_are_unmapped(void)
{
	with_area(SLOW, SLOW, true, 60, unmaps);
}

static void every_second_page_is_unmapped(void)
{
	with_area(QUICK, QUICK, true, 60, unmaps_parts);
}

static void pages_only_read_are_unmapped(void)
{
	with_area(QUICK, QUICK, false, 60, unmaps);
}

static void large_pages_are_unmapped(void)
{
	with_area(2 * LARGE, 2 * LARGE, true, 10, unmaps);
}

static void a_part_of_a_large_page_is_unmapped(void)
{
	with_area(LARGE, QUICK, true, 10, unmaps);
}

static void a_few_pages_are_protected(void)
{
	with_area(QUICK, QUICK, true, 100, protects);
}

static void many_pages_are_protected(void)
{
	with_area(SLOW, SLOW, true, 20, protects);
}

static void large_pages_are_protected(void)
{
	with_area(2 * LARGE, 2 * LARGE, true, 20, protects);
}

static void a_shared_object_shrinks(void)
{
	uint64_t at;

	CHECK_EQUAL(lintel_vmo_create(QUICK, VMO_RESIZABLE, &resizable), OK);
	CHECK_EQUAL(lintel_space_map(lintel_process(), resizable, 0, QUICK, AREA,
				     SPACE_READ | SPACE_WRITE | SPACE_FIXED, &at), OK);
	fill(AREA, QUICK, GOOD);
	race(QUICK, QUICK, true, 60, shrinks);
	(void)!take_away(QUICK);
	CHECK_EQUAL(lintel_handle_close(resizable), OK);
}

int races(void)
{
	if (child_start(&process, &door) != OK) {
		printf("not ok races: no server\n");
		return 1;
	}
	CHECK_RUN(a_few_pages_are_unmapped);
	CHECK_RUN(many_pages_are_unmapped);
	CHECK_RUN(every_second_page_is_unmapped);
	CHECK_RUN(pages_only_read_are_unmapped);
	CHECK_RUN(large_pages_are_unmapped);
	CHECK_RUN(a_part_of_a_large_page_is_unmapped);
	CHECK_RUN(a_few_pages_are_protected);
	CHECK_RUN(many_pages_are_protected);
	CHECK_RUN(large_pages_are_protected);
	CHECK_RUN(a_shared_object_shrinks);
	(void)child_end(process, door);
	return check.failed;
}
