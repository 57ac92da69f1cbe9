/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - nothing crosses a door but the message: every way in and every way back, each with all registers filled. */
#include "../check.h"
#include "../child.h"
#include "crossing.h"
#include "server.h"
#include "suspects.h"

#include <lintel/info.h>
#include <string.h>

static uint8_t buffer[24 * PAGE_SIZE] __attribute__((aligned(4096)));

/* ---- the child and its door ---- */

static handle_t process, door, paged;
static volatile uint64_t *pages;

static err_t dispatch(struct kit_call *call)
{
	paged = call->in.handle[1];
	__atomic_store_n(&door, call->in.handle[0], __ATOMIC_RELEASE);
	return OK;
}

static const struct kit_server server = { "registers test", dispatch, NULL };

static err_t server_start(void)
{
	uint64_t at;
	err_t err = child_serves("/boot/bin/registers", &door, &process);

	if (err == OK)
		err = lintel_space_map(lintel_process(), paged, 0, PAGED_BYTES, 0, SPACE_READ, &at);
	if (err == OK)
		pages = (volatile uint64_t *)(uintptr_t)at;
	return err;
}

static void server_end(void)
{
	(void)!lintel_space_unmap(lintel_process(), (uintptr_t)pages, PAGED_BYTES);
	(void)!lintel_handle_close(paged);
	(void)child_end(process, door);
}

/* Make the call; both sides look. */
static void crosses(const struct crossing *call, err_t wanted)
{
	uint32_t client;
	err_t err = client_call(call);

	client = client_suspects(err) | vectors_suspects(&client_vectors, CLIENT_MXCSR, CLIENT_X87);
	CHECK_EQUAL(err, wanted);
	if (client != 0)
		check_fail("the client sees 0x%x", client);
	if (err == OK && client_general.rsi != 0)
		check_fail("the server saw 0x%llx", (unsigned long long)client_general.rsi);
}

static void is_refused(const struct crossing *call, err_t wanted)
{
	uint32_t client;
	err_t err = client_call(call);

	client = client_suspects(err) | own_suspects();
	CHECK_EQUAL(err, wanted);
	if (client != 0)
		check_fail("the client sees 0x%x", client);
}

#define TIMES 60
#define OFTEN(statement)                           \
	for (int i_ = 0; i_ < TIMES; i_++) {       \
		if (i_ % 20 == 19)                 \
			pause_ns(1000000);         \
		statement;                         \
		if (check.why[0] != '\0')          \
			return;                    \
	}

static struct crossing to_server(enum action action, uint64_t argument, uint64_t with)
{
	return (struct crossing){ .door = door, .word = { action, argument, with } };
}

/* ---- ways that end well ---- */

static void words_alone(void)
{
	const struct crossing call = to_server(ACTION_RETURN, 0, 0);

	OFTEN(crosses(&call, OK));
}

static void a_window(void)
{
	struct crossing call = to_server(ACTION_RETURN, 0, WITH_WINDOW_0);

	call.window[0] = (uintptr_t)buffer + 100;
	call.window[1] = 64 | WINDOW_WRITE;
	OFTEN(crosses(&call, OK));
}

static void two_windows_one_of_them_long(void)
{
	struct crossing call = to_server(ACTION_RETURN, 0, WITH_WINDOW_0 | WITH_WINDOW_1);

	call.window[0] = (uintptr_t)buffer + 100;
	call.window[1] = 64;
	call.window[2] = (uintptr_t)buffer;
	call.window[3] = sizeof(buffer) | WINDOW_WRITE;
	OFTEN(crosses(&call, OK));
}

static void with_handle(struct crossing *call)
{
	handle_t event;

	CHECK_EQUAL(lintel_event_create(&event), OK);
	call->handles = event;
	crosses(call, OK);
	CHECK_EQUAL(lintel_handle_close((handle_t)client_general.r13), OK);
}

static void a_handle(void)
{
	struct crossing call = to_server(ACTION_RETURN, 0, WITH_HANDLE);

	OFTEN(with_handle(&call));
}

static void a_deadline(void)
{
	struct crossing call = to_server(ACTION_RETURN, 0, 0);

	call.door |= 5000000ull << 32;
	OFTEN(crosses(&call, OK));
}

static void everything_at_once(void)
{
	struct crossing call = to_server(ACTION_RETURN, 0, WITH_WINDOW_0 | WITH_WINDOW_1 | WITH_HANDLE);

	call.door |= 5000000ull << 32;
	call.window[0] = (uintptr_t)buffer + 100;
	call.window[1] = 64 | WINDOW_WRITE;
	call.window[2] = (uintptr_t)buffer + 5000;
	call.window[3] = 10;
	OFTEN(with_handle(&call));
}

static void a_server_that_blocks(void)
{
	OFTEN({
		struct crossing call = to_server(ACTION_SLEEP, lintel_clock_ns() + 100000, 0);

		crosses(&call, OK);
	});
}

static void a_server_that_is_preempted(void)
{
	const struct crossing call = to_server(ACTION_SPIN, 3000000, 0);

	for (int i = 0; i < 8; i++)
		crosses(&call, OK);
}

static void a_reply_that_is_refused_first(void)
{
	const struct crossing call = to_server(ACTION_REFUSED, 0, 0);

	OFTEN(crosses(&call, OK));
}

static void a_pager(void)
{
	const struct crossing call = to_server(ACTION_RETURN, 0, 0);

	for (uint64_t page = 0; page < 100; page++) {
		client_touch(&pages[page * 512]);
		CHECK_EQUAL(client_general.rax, 'p');
		CHECK_EQUAL(own_suspects(), 0);
		for (const uint64_t *at = &client_general.r15; at <= &client_general.r11; at++)
			CHECK(at == &client_general.rax || at == &client_general.rdi || *at == CLIENT_PATTERN);
		CHECK_EQUAL(client_general.flags, 0x244ed7);
	}
	crosses(&call, OK); /* says what the pager saw */
}

static void a_window_that_a_pager_fills(void)
{
	struct crossing call = to_server(ACTION_RETURN, 0, WITH_WINDOW_0);

	for (uint64_t page = 100; page < 200; page++) {
		call.window[0] = (uintptr_t)&pages[page * 512] + 8;
		call.window[1] = 64;
		crosses(&call, OK);
	}
}

/* ---- ways that do not ---- */

static void refused_calls(void)
{
	struct crossing call = to_server(ACTION_RETURN, 0, 0);
	handle_t event, narrow;

	CHECK_EQUAL(lintel_event_create(&event), OK);
	CHECK_EQUAL(lintel_handle_duplicate(door, RIGHT_WAIT, &narrow), OK);
	call.door = door ^ 0x10000;
	is_refused(&call, ERR_BAD_HANDLE);
	call.door = event;
	is_refused(&call, ERR_WRONG_TYPE);
	call.door = narrow;
	is_refused(&call, ERR_DENIED);
	call.door = door;
	call.handles = door ^ 0x10000;
	is_refused(&call, ERR_BAD_HANDLE);
	call.handles = 0;
	call.window[0] = 8;
	call.window[1] = 64;
	is_refused(&call, ERR_FAULT);
	call.door |= 5000000ull << 32;
	is_refused(&call, ERR_FAULT);
	CHECK_EQUAL(lintel_handle_close(event), OK);
	CHECK_EQUAL(lintel_handle_close(narrow), OK);
}

/* It is a thread of the server's. Before it has gone the next caller may find no activation, and time out outside. */
static void the_orphan_goes(void)
{
	struct info_process info = { .threads = 0 };

	for (int i = 0; i < 20000 && info.threads != 1; i++) {
		CHECK_EQUAL(lintel_process_info(process, &info, sizeof(info)), OK);
		pause_ns(1000000);
	}
	CHECK_EQUAL(info.threads, 1);
}

static void a_deadline_that_passes(void)
{
	for (int i = 0; i < 10; i++) {
		struct crossing call = to_server(ACTION_SLEEP, lintel_clock_ns() + 20000000, WITH_WINDOW_0);

		call.door |= 3000ull << 32;
		call.window[0] = (uintptr_t)buffer;
		call.window[1] = 64;
		crosses(&call, ERR_TIMED_OUT);
		the_orphan_goes();
		call = to_server(ACTION_SPIN, 20000000, 0);
		call.door |= 3000ull << 32;
		crosses(&call, ERR_TIMED_OUT);
		the_orphan_goes();
	}
}

static void again(void)
{
	server_end();
	CHECK_EQUAL(server_start(), OK);
}

static void a_server_that_exits(void)
{
	const struct crossing call = to_server(ACTION_EXIT, 0, 0);
	int32_t status;

	crosses(&call, ERR_PEER_DIED);
	is_refused(&call, ERR_PEER_DIED);
	CHECK_EQUAL(lintel_wait(process, DEADLINE_NEVER, &status), OK);
	CHECK_EQUAL(status, 0); /* what it saw */
}

static void a_server_that_faults(void)
{
	struct crossing call = to_server(ACTION_FAULT, 0, WITH_WINDOW_1);

	call.window[2] = (uintptr_t)buffer;
	call.window[3] = 64 | WINDOW_WRITE;
	crosses(&call, ERR_PEER_DIED);
}

static void *kill_soon(void *argument)
{
	pause_ns(20000000);
	(void)!lintel_process_kill(*(handle_t *)argument, 0);
	return NULL;
}

static void killed_during(enum action action, uint64_t argument)
{
	const struct crossing call = to_server(action, argument, 0);
	pthread_t killer;

	CHECK_EQUAL(pthread_create(&killer, NULL, kill_soon, &process), 0);
	crosses(&call, ERR_PEER_DIED);
	CHECK_EQUAL(pthread_join(killer, NULL), 0);
}

static void a_server_that_is_killed_while_it_sleeps(void)
{
	killed_during(ACTION_SLEEP, DEADLINE_NEVER);
}

static void a_server_that_is_killed_while_it_spins(void)
{
	killed_during(ACTION_SPIN, 1ull << 40);
}

/* ---- this program ---- */

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "serve") == 0)
		return server_main();
	side_begin(CLIENT_PATTERN, CLIENT_MXCSR, CLIENT_X87);
	if (house_begin(&server) != OK || server_start() != OK) {
		printf("not ok registers: cannot serve\n");
		return 1;
	}
	CHECK_RUN(words_alone);
	CHECK_RUN(a_window);
	CHECK_RUN(two_windows_one_of_them_long);
	CHECK_RUN(a_handle);
	CHECK_RUN(a_deadline);
	CHECK_RUN(everything_at_once);
	CHECK_RUN(a_server_that_blocks);
	CHECK_RUN(a_server_that_is_preempted);
	CHECK_RUN(a_reply_that_is_refused_first);
	CHECK_RUN(a_pager);
	CHECK_RUN(a_window_that_a_pager_fills);
	CHECK_RUN(refused_calls);
	CHECK_RUN(a_deadline_that_passes);
	CHECK_RUN(a_server_that_exits);
	CHECK_RUN(again);
	CHECK_RUN(a_server_that_faults);
	CHECK_RUN(again);
	CHECK_RUN(a_server_that_is_killed_while_it_sleeps);
	CHECK_RUN(again);
	CHECK_RUN(a_server_that_is_killed_while_it_spins);
	server_end();
	return check.failed;
}
