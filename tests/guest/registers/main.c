/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - nothing crosses a door but the message: every way in and every way back, each with all registers filled. */
#include "../check.h"
#include "crossing.h"
#include "server.h"

#include <kit/kit.h>
#include <lintel/door_call.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <pthread.h>
#include <string.h>

struct general client_general;
struct vectors client_vectors __attribute__((aligned(64)));
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

static void pause_ns(uint64_t ns)
{
	(void)!lintel_thread_sleep(lintel_clock_ns() + ns);
}

static err_t server_start(void)
{
	char program[] = "/boot/bin/registers", role[] = "serve";
	char *argv[] = { program, role, NULL };
	uint64_t at;
	handle_t parent;
	err_t err = kit_mint(1, &parent);

	if (err != OK)
		return err;
	const struct spawn_handle handles[] = { { STARTUP_SERVICE, 0, "parent", parent, RIGHTS_SAME } };
	const struct spawn_request request = { .path = program, .argv = argv, .handles = handles, .handle_count = 1 };

	__atomic_store_n(&door, HANDLE_NONE, __ATOMIC_RELAXED);
	err = lintel_spawn(&request, &process);
	(void)!lintel_handle_close(parent);
	for (int i = 0; err == OK && i < 10000 && __atomic_load_n(&door, __ATOMIC_ACQUIRE) == HANDLE_NONE; i++)
		pause_ns(1000000);
	if (err == OK && door == HANDLE_NONE)
		err = ERR_TIMED_OUT;
	if (err == OK)
		err = lintel_space_map(lintel_process(), paged, 0, PAGED_BYTES, 0, SPACE_READ, &at);
	if (err == OK)
		pages = (volatile uint64_t *)(uintptr_t)at;
	return err;
}

/* Its exit status. */
static int32_t server_end(void)
{
	int32_t status = -99;

	(void)!lintel_process_kill(process, 0);
	(void)!lintel_wait(process, DEADLINE_NEVER, &status);
	(void)!lintel_space_unmap(lintel_process(), (uintptr_t)pages, PAGED_BYTES);
	(void)!lintel_handle_close(paged);
	(void)!lintel_handle_close(door);
	(void)!lintel_handle_close(process);
	return status;
}

/* ---- what the client may see ---- */

static uint32_t general_suspects(err_t err)
{
	const struct general *g = &client_general;
	uint32_t suspects = 0;

	if ((int64_t)g->rax != err)
		suspects |= SUSPECT_RAX;
	if (g->rdi != 0)
		suspects |= SUSPECT_RDI;
	if ((g->rdx | g->r10 | g->r8 | g->r9 | g->r12) != 0 || (err != OK && g->rsi != 0))
		suspects |= SUSPECT_WORDS;
	if (err != OK && g->r13 != 0)
		suspects |= SUSPECT_HANDLES;
	if ((g->rbx | g->rbp) != 0)
		suspects |= SUSPECT_WINDOW_0;
	if ((g->r14 | g->r15) != 0)
		suspects |= SUSPECT_WINDOW_1;
	if (g->rcx != 0 && g->rcx != (uintptr_t)client_after_call)
		suspects |= SUSPECT_RCX;
	if (g->r11 != 0 && g->r11 != FLAGS_ALWAYS)
		suspects |= SUSPECT_R11;
	if (g->flags != FLAGS_ALWAYS)
		suspects |= SUSPECT_FLAGS;
	if (g->gs != 0)
		suspects |= SUSPECT_GS;
	if (with_fsgsbase && g->fs != (uintptr_t)__builtin_thread_pointer())
		suspects |= SUSPECT_FS;
	return suspects;
}

/* The call did not go to the server: vectors are still the client's own, or nothing. */
static uint32_t own_suspects(void)
{
	uint32_t suspects = 0, mxcsr;
	uint16_t x87;

	memcpy(&x87, client_vectors.fx, 2);
	memcpy(&mxcsr, client_vectors.fx + 24, 4);
	if (mxcsr != CLIENT_MXCSR || x87 != CLIENT_X87)
		suspects |= SUSPECT_CONTROL;
	for (size_t i = 160; i < 416; i++)
		if (client_vectors.fx[i] != (uint8_t)CLIENT_PATTERN)
			suspects |= SUSPECT_XMM;
	for (size_t i = 0; with_avx && i < sizeof(client_vectors.high); i++)
		if (client_vectors.high[i] != (uint8_t)CLIENT_PATTERN)
			suspects |= SUSPECT_YMM;
	return suspects;
}

/* Make the call; both sides look. */
static void crosses(const struct crossing *call, err_t wanted)
{
	uint32_t client;
	err_t err = client_call(call);

	client = general_suspects(err) | vectors_suspects(&client_vectors, CLIENT_MXCSR, CLIENT_X87);
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

	client = general_suspects(err) | own_suspects();
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

static void a_deadline_that_passes(void)
{
	for (int i = 0; i < 10; i++) {
		struct crossing call = to_server(ACTION_SLEEP, lintel_clock_ns() + 20000000, WITH_WINDOW_0);

		call.door |= 3000ull << 32;
		call.window[0] = (uintptr_t)buffer;
		call.window[1] = 64;
		crosses(&call, ERR_TIMED_OUT);
		pause_ns(30000000); /* the orphan has gone, or others find no activation */
		call = to_server(ACTION_SPIN, 20000000, 0);
		call.door |= 3000ull << 32;
		crosses(&call, ERR_TIMED_OUT);
		pause_ns(50000000);
	}
}

static void again(void)
{
	(void)server_end();
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

static void *housekeeper(void *argument)
{
	(void)argument;
	kit_main(&server);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t keeper;

	features_find();
	if (argc > 1 && strcmp(argv[1], "serve") == 0)
		return server_main();
	for (int i = 0; i < 4; i++)
		pattern[i] = CLIENT_PATTERN;
	pattern_mxcsr = CLIENT_MXCSR;
	pattern_x87 = CLIENT_X87;
	if (kit_prepare(&server) != OK || pthread_create(&keeper, NULL, housekeeper, NULL) != 0 || server_start() != OK) {
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
	(void)server_end();
	return check.failed;
}
