/* SPDX-License-Identifier: BSD-2-Clause */
/* windows.c - windows over what is not there, not allowed, not memory, shown twice; windows inside windows; windows
 * that are over. Races: ../windows. */
#include "../check.h"
#include "../child.h"
#include "doors.h"

#include <sys/mman.h>

static handle_t target; /* whom the tests call */

static err_t ask(struct door_message *message)
{
	return door_call(target, 0, message);
}

static void bad_windows_are_refused(void)
{
	static const char read_only[64] = "constant";
	const struct {
		uint64_t base, length;
		err_t wanted;
	} cases[] = {
		{ 0, 1, ERR_FAULT },
		{ 0x1000, 4096, ERR_FAULT },
		{ 0xffff800000000000, 64, ERR_FAULT },
		{ 0x7ffffffff000 - 8, 64, ERR_FAULT },
		{ UINT64_MAX - 100, 4096, ERR_FAULT },
		{ 0x8000000000000000, 8, ERR_FAULT },
		{ WINDOW_BYTES_MAX, WINDOW_BYTES_MAX + 1, ERR_ARGS },
		{ 0x400000, WINDOW_WRITE - 1, ERR_ARGS },
		{ (uintptr_t)read_only, sizeof(read_only) | WINDOW_WRITE, ERR_FAULT },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (int window = 0; window < DOOR_WINDOWS; window++) {
			struct door_message message = { .word = { ECHO } };
			err_t err;

			message.window[window] =
				(struct door_window){ (void *)(uintptr_t)cases[i].base, cases[i].length };
			err = ask(&message);
			if (err != cases[i].wanted)
				check_fail("case %zu, window %d: %d, not %d", i, window, err, cases[i].wanted);
		}
}

/* Three pages, the one in the middle changed. */
static void a_hole_in_the_middle(void)
{
	uint8_t *buffer = mmap(NULL, 3 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct door_message message = { .word = { FILL, 1 } };

	CHECK(buffer != MAP_FAILED);
	message.window[0] = (struct door_window){ buffer + 5, 3 * PAGE_SIZE - 10 };
	message.window[0].length |= WINDOW_WRITE;
	CHECK_EQUAL(ask(&message), OK);
	CHECK_EQUAL(mprotect(buffer + PAGE_SIZE, PAGE_SIZE, PROT_READ), 0);
	CHECK_EQUAL(ask(&message), ERR_FAULT);
	CHECK_EQUAL(mprotect(buffer + PAGE_SIZE, PAGE_SIZE, PROT_NONE), 0);
	message.window[0].length &= ~WINDOW_WRITE;
	message.word[0] = SUM;
	CHECK_EQUAL(ask(&message), ERR_FAULT);
	CHECK_EQUAL(munmap(buffer + PAGE_SIZE, PAGE_SIZE), 0);
	CHECK_EQUAL(ask(&message), ERR_FAULT);
	message.window[1] = (struct door_window){ buffer, PAGE_SIZE };
	CHECK_EQUAL(ask(&message), ERR_FAULT);
	CHECK_EQUAL(munmap(buffer, 3 * PAGE_SIZE), 0);
}

static void windows_that_overlap(void)
{
	static uint8_t buffer[3 * PAGE_SIZE];
	struct door_message message = { .word = { WINDOWS } };

	for (size_t i = 0; i < sizeof(buffer); i++)
		buffer[i] = (uint8_t)(i / PAGE_SIZE);
	message.window[0] = (struct door_window){ buffer + 2 * PAGE_SIZE - 50, 100 };
	message.window[1] = (struct door_window){ buffer + PAGE_SIZE - 50, 2 * PAGE_SIZE | WINDOW_WRITE };
	CHECK_EQUAL(ask(&message), OK); /* copies the one over the beginning of the other */
	CHECK(buffer[PAGE_SIZE - 51] == 0 && buffer[PAGE_SIZE - 50] == 1 && buffer[PAGE_SIZE - 1] == 1);
	CHECK(buffer[PAGE_SIZE] == 2 && buffer[PAGE_SIZE + 49] == 2 && buffer[PAGE_SIZE + 50] == 1);
}

static void a_length_of_nothing(void)
{
	struct door_message message = { .word = { ADDRESS } };

	message.window[0] = (struct door_window){ (void *)0x8000000000000000, WINDOW_WRITE };
	CHECK_EQUAL(ask(&message), OK);
	CHECK_EQUAL(message.word[0], 0);
	CHECK_EQUAL(message.word[1], 0);
}

/* Device memory may be shown like other memory: the server sees what the client sees. */
static void device_memory(void)
{
	handle_t resource = lintel_startup_handle(STARTUP_RESOURCE, RESOURCE_MMIO, 0), vmo;
	struct door_message message = { .word = { SUM } };
	uint64_t at, sum = 0;

	if (resource == HANDLE_NONE) /* `run -r` lends one */
		return;
	CHECK_EQUAL(lintel_vmo_create_physical(resource, 0xfed40000, PAGE_SIZE, VMO_UNCACHED, &vmo), OK);
	CHECK_EQUAL(lintel_space_map(lintel_process(), vmo, 0, PAGE_SIZE, 0, SPACE_READ, &at), OK);
	for (uint64_t i = 0; i < 64; i++)
		sum += ((volatile uint8_t *)(uintptr_t)at)[i];
	message.window[0] = (struct door_window){ (void *)(uintptr_t)at, 64 };
	CHECK_EQUAL(ask(&message), OK);
	CHECK_EQUAL(message.word[0], sum);
	message = (struct door_message){ .word = { STORE } };
	message.window[0] = (struct door_window){ (void *)(uintptr_t)at, 64 | WINDOW_WRITE };
	CHECK_EQUAL(ask(&message), ERR_FAULT); /* it was mapped to be read */
	CHECK_EQUAL(lintel_space_unmap(lintel_process(), at, PAGE_SIZE), OK);
	CHECK_EQUAL(lintel_handle_close(vmo), OK);
}

/* ---- what only another process's server can do ---- */

/* The other side hands its window on, from byte `from` on. */
static err_t handed_on(uint64_t from, uint64_t length, uint64_t *sum)
{
	static uint8_t buffer[PAGE_SIZE + 200];
	struct door_message message = { .word = { PASS_ON, from, length } };
	err_t err;

	for (size_t i = 0; i < sizeof(buffer); i++)
		buffer[i] = (uint8_t)i;
	message.window[0] = (struct door_window){ buffer + 100, PAGE_SIZE };
	err = ask(&message);
	*sum = message.word[1];
	return err == OK ? (err_t)message.word[0] : err;
}

static void a_window_is_handed_on_no_further_than_it_goes(void)
{
	uint64_t sum;

	CHECK_EQUAL(handed_on(0, 3, &sum), OK);
	CHECK_EQUAL(sum, 100 + 101 + 102);
	CHECK_EQUAL(handed_on(PAGE_SIZE - 2, 2, &sum), OK);
	CHECK_EQUAL(sum, 2 * ((PAGE_SIZE + 98) & 255) + 1);
	CHECK_EQUAL(handed_on(0, 4 * PAGE_SIZE, &sum), ERR_FAULT);
	CHECK_EQUAL(handed_on(0, 8 | WINDOW_WRITE, &sum), ERR_FAULT);
	CHECK_EQUAL(handed_on(64 * PAGE_SIZE, 8, &sum), ERR_FAULT);
	CHECK_EQUAL(handed_on((uint64_t)-8 * PAGE_SIZE, 8, &sum), ERR_FAULT);
}

static void a_window_that_is_over_cannot_be_handed_on(void)
{
	uint8_t buffer[64] = { 1 };
	struct door_message message = { .word = { KEEP_ADDRESS } };

	message.window[0] = (struct door_window){ buffer, sizeof(buffer) };
	CHECK_EQUAL(ask(&message), OK);
	message = (struct door_message){ .word = { PASS_KEPT } };
	CHECK_EQUAL(ask(&message), OK);
	CHECK_EQUAL((int64_t)message.word[0], ERR_FAULT);
}

/* It is not its own memory: unmapping finds nothing there. */
static void a_server_cannot_change_its_window(void)
{
	uint8_t buffer[64] = { 5 };
	struct door_message message = { .word = { CHANGE_WINDOW } };

	message.window[0] = (struct door_window){ buffer, sizeof(buffer) };
	CHECK_EQUAL(ask(&message), OK);
	CHECK_EQUAL((int64_t)message.word[0], OK);
	CHECK_EQUAL((int64_t)message.word[1], ERR_NOT_FOUND);
	CHECK_EQUAL((int64_t)message.word[2], ERR_ARGS);
	CHECK_EQUAL(message.word[3], 5);
}

/* The last one: the server dies of it. */
static void a_server_that_looks_into_a_window_that_is_over(void)
{
	struct door_message message = { .word = { LOAD_KEPT } };

	CHECK_EQUAL(ask(&message), ERR_PEER_DIED);
}

static void tests_of_windows(void)
{
	CHECK_RUN(bad_windows_are_refused);
	CHECK_RUN(a_hole_in_the_middle);
	CHECK_RUN(windows_that_overlap);
	CHECK_RUN(a_length_of_nothing);
	CHECK_RUN(device_memory);
}

int window_tests(void)
{
	handle_t process;

	target = kit_door();
	tests_of_windows();
	if (child_server(&process, &target) != OK) {
		printf("not ok windows: no other process\n");
		return check.failed + 1;
	}
	tests_of_windows();
	CHECK_RUN(a_window_is_handed_on_no_further_than_it_goes);
	CHECK_RUN(a_window_that_is_over_cannot_be_handed_on);
	CHECK_RUN(a_server_cannot_change_its_window);
	CHECK_RUN(a_server_that_looks_into_a_window_that_is_over);
	(void)child_end(process, target);
	return check.failed;
}
