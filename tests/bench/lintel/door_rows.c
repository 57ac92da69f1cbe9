/* SPDX-License-Identifier: BSD-2-Clause */
/* door_rows.c - the null call and doors. */
#include <errno.h>
#include <lintel/door_call.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <string.h>
#include <sys/mman.h>

#include "echo.h"

static bool null_call(struct bench *b, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		if (lintel_null() != OK)
			return bench_fail(b, "the null call failed", 0);
	}
	return true;
}

static bool door_empty(struct bench *b, uint64_t count)
{
	struct door_message message = { 0 };
	handle_t door = echo_door(0);
	for (uint64_t i = 0; i < count; i++) {
		message.word[0] = ECHO_REPLY;
		err_t err = door_call(door, 0, &message);
		if (err != OK)
			return lintel_fail(b, "door_call", err);
	}
	return message.word[1] == count || bench_fail(b, "the reply is wrong", 0);
}

/* Each reply's words are the next call's; each goes up by one every time. */
static bool door_words(struct bench *b, uint64_t count)
{
	struct door_message message = { .word = { 0, 1, 2, 3, 4, 5 } };
	handle_t door = echo_door(0);
	for (uint64_t i = 0; i < count; i++) {
		message.word[0] = ECHO_REPLY;
		err_t err = door_call(door, 0, &message);
		if (err != OK)
			return lintel_fail(b, "door_call", err);
	}
	for (uint64_t i = 1; i < DOOR_WORDS; i++) {
		if (message.word[i] != i + count)
			return bench_fail(b, "the reply's words are wrong", 0);
	}
	return true;
}

#define WINDOW_BYTES (2u << 20)

static unsigned char *window; /* WINDOW_BYTES, aligned to as much, so that large pages can serve */

/* Touched page by page, an anonymous mapping is made of 4 KiB pages. */
static bool make_window(struct bench *b)
{
	unsigned char *memory = mmap(NULL, 2 * WINDOW_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return bench_fail(b, "mmap", errno);
	b->memory = memory;
	window = memory + (WINDOW_BYTES - (uintptr_t)memory % WINDOW_BYTES) % WINDOW_BYTES;
	return echo_start(b);
}

/* Populated at once, of 2 MiB ones. */
static bool make_large_window(struct bench *b)
{
	handle_t vmo;
	uint64_t address = 0;
	err_t err = lintel_vmo_create(2 * WINDOW_BYTES, 0, &vmo);
	if (err == OK)
		err = lintel_space_map(lintel_process(), vmo, 0, 2 * WINDOW_BYTES, 0,
							   SPACE_READ | SPACE_WRITE | SPACE_POPULATE, &address);
	if (err != OK)
		return lintel_fail(b, "mapping memory", err);
	lintel_handle_close(vmo);
	b->memory = (void *)(uintptr_t)address;
	window = b->memory;
	return echo_start(b);
}

static void unmap_large_window(struct bench *b)
{
	echo_stop(b);
	if (b->memory)
		(void)!lintel_space_unmap(lintel_process(), (uintptr_t)b->memory, 2 * WINDOW_BYTES);
}

static void stop_with_window(struct bench *b)
{
	echo_stop(b);
	if (b->memory)
		munmap(b->memory, 2 * WINDOW_BYTES);
}

static bool fill_window(struct bench *b, uint64_t count)
{
	(void)count;
	memset(window, 0x5a, b->argument);
	window[b->argument - 1] = 0xa5;
	return true;
}

static bool door_window(struct bench *b, uint64_t count)
{
	struct door_message message = { 0 };
	handle_t door = echo_door(0);
	for (uint64_t i = 0; i < count; i++) {
		message.word[0] = ECHO_WINDOW;
		message.window[0] = (struct door_window){ window, b->argument };
		err_t err = door_call(door, 0, &message);
		if (err != OK)
			return lintel_fail(b, "door_call with a window", err);
	}
	bool right = message.word[0] == b->argument && message.word[1] == 0x5a && message.word[2] == 0xa5;
	return right || bench_fail(b, "the server did not see the window", 0);
}

/* A handle goes there and comes back. */
static bool door_handle(struct bench *b, uint64_t count)
{
	struct door_message message = { 0 };
	handle_t door = echo_door(0);
	err_t err = lintel_event_create(&message.handle[0]);
	for (uint64_t i = 0; i < count && err == OK; i++) {
		message.word[0] = ECHO_REPLY;
		err = door_call(door, 0, &message);
	}
	if (err == OK)
		err = lintel_event_signal(message.handle[0], 0, 1u << SIGNAL_USER_SHIFT);
	if (message.handle[0] != HANDLE_NONE)
		lintel_handle_close(message.handle[0]);
	return err == OK || lintel_fail(b, "passing a handle", err);
}

static bool door_nested(struct bench *b, uint64_t count)
{
	struct door_message message = { 0 };
	handle_t door = echo_door(0);
	for (uint64_t i = 0; i < count; i++) {
		message.word[0] = ECHO_FORWARD;
		err_t err = door_call(door, 0, &message);
		if (err != OK)
			return lintel_fail(b, "door_call", err);
	}
	return message.word[1] == 2 * count || bench_fail(b, "the reply is wrong", 0);
}

/* The server's thread has another one do it, and sleeps until it is done. */
static bool door_blocking(struct bench *b, uint64_t count)
{
	struct door_message message = { 0 };
	handle_t door = echo_door(0);
	for (uint64_t i = 0; i < count; i++) {
		message.word[0] = ECHO_BLOCK;
		err_t err = door_call(door, 0, &message);
		if (err != OK)
			return lintel_fail(b, "door_call", err);
	}
	return message.word[1] == count || bench_fail(b, "the reply is wrong", 0);
}

#define WINDOW_ROW(name, text, bytes, n) \
	{ .id = name, .what = "door call and return with a window of " text, .argument = bytes, \
	  .count = n, .setup = make_window, .prepare = fill_window, .body = door_window, \
	  .teardown = stop_with_window }

static const struct row rows[] = {
	{ .id = "null_call", .what = "null system call", .count = 5000, .body = null_call },
	{ .id = "door_0", .what = "door call and return", .count = 2000, .setup = echo_start,
	  .body = door_empty, .teardown = echo_stop },
	{ .id = "door_6", .what = "door call and return, 6 words each way", .count = 2000,
	  .setup = echo_start, .body = door_words, .teardown = echo_stop },
	WINDOW_ROW("door_win64", "64 B", 64, 2000),
	WINDOW_ROW("door_win4k", "4 KiB", 4096, 2000),
	{ .id = "door_win2m", .what = "door call and return with a window of 2 MiB", .argument = WINDOW_BYTES,
	  .count = 500, .setup = make_large_window, .prepare = fill_window, .body = door_window,
	  .teardown = unmap_large_window },
	WINDOW_ROW("door_win2m_small", "2 MiB in small pages", WINDOW_BYTES, 500),
	{ .id = "door_handle", .what = "door call and return with a handle", .count = 1000,
	  .setup = echo_start, .body = door_handle, .teardown = echo_stop },
	{ .id = "door_nested", .what = "door call through a server to a second one", .count = 1000,
	  .setup = echo_start_two, .body = door_nested, .teardown = echo_stop },
	{ .id = "door_blocking", .what = "door call to a thread that blocks and is woken", .count = 500,
	  .setup = echo_start, .body = door_blocking, .teardown = echo_stop },
};
const struct row_group native_rows = { rows, sizeof rows / sizeof rows[0] };
