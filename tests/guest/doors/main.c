/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - door calls as a client and a server see them: words, handles, windows, badges, deadlines, deaths.
 * The program serves doors itself and calls them from its own threads; where a side has to die, it is a child: this
 * program again, told by argv[1] what to do. */
#include "../check.h"
#include "../raw_call.h"

#include <kit/kit.h>
#include <lintel/door_call.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum request { /* word 0 of a call to this program's door */
	ECHO = 1, FILL, SUM, KEEP_HANDLE, GIVE_HANDLE, SLEEP, RECURSE, FAIL, EXIT, BADGE, WINDOWS, TAKE_TWO, STORE, ADDRESS
};

static handle_t kept; /* what KEEP_HANDLE brought */
static uint32_t sleeps_begun;
static uint32_t sleeps_done;
static uint32_t closed_badges;
static uint64_t closed_badge;

static err_t dispatch(struct kit_call *call)
{
	const uint64_t *in = call->in.word;
	uint64_t *out = call->out.word;
	uint8_t *bytes = call->in.window[0].base;
	uint64_t length = call->in.window[0].length & ~WINDOW_WRITE;

	switch (in[0]) {
	case ECHO:
		for (int i = 0; i < DOOR_WORDS; i++)
			out[i] = in[i] + 1;
		return OK;
	case FILL:
		memset(bytes, (int)in[1], length);
		return OK;
	case SUM:
		for (uint64_t i = 0; i < length; i++)
			out[0] += bytes[i];
		return OK;
	case WINDOWS:
		memcpy(call->in.window[1].base, bytes, length);
		out[0] = length;
		out[1] = call->in.window[1].length;
		return OK;
	case KEEP_HANDLE:
		kept = call->in.handle[0];
		return OK;
	case TAKE_TWO:
		call->out.handle[0] = call->in.handle[1];
		call->out.handle[1] = call->in.handle[0];
		return OK;
	case GIVE_HANDLE:
		return lintel_event_create(&call->out.handle[1]);
	case SLEEP: {
		__atomic_add_fetch(&sleeps_begun, 1, __ATOMIC_SEQ_CST);
		err_t err = lintel_thread_sleep(lintel_clock_ns() + in[1]);

		if (err == ERR_CANCELED) /* the caller has left; finish what was begun */
			err = lintel_thread_sleep(lintel_clock_ns() + in[1]);
		__atomic_add_fetch(&sleeps_done, 1, __ATOMIC_SEQ_CST);
		return err;
	}
	case RECURSE: {
		struct door_message message = { .word = { RECURSE, in[1] + 1 } };
		err_t err = door_call(kit_door(), 0, &message);

		out[0] = err == OK ? message.word[0] : in[1] + 1;
		return OK;
	}
	case FAIL:
		return (err_t)in[1];
	case BADGE:
		out[0] = call->badge;
		return OK;
	case STORE:
		*(volatile uint64_t *)bytes = in[1];
		return OK;
	case ADDRESS:
		out[0] = (uint64_t)(uintptr_t)bytes;
		out[1] = length;
		return OK;
	case EXIT:
		_Exit((int)in[1]);
	default:
		return ERR_BAD_CALL;
	}
}

static void session_closed(uint64_t badge)
{
	closed_badge = badge;
	__atomic_add_fetch(&closed_badges, 1, __ATOMIC_SEQ_CST);
}

static const struct kit_server server = { "doors test", dispatch, session_closed };

static void pause_ns(uint64_t ns)
{
	(void)!lintel_thread_sleep(lintel_clock_ns() + ns);
}

static err_t ask(struct door_message *message)
{
	return door_call(kit_door(), 0, message);
}

/* ---- words, handles, windows ---- */

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

static void forged_handles_are_refused(void)
{
	struct door_message message = { .word = { ECHO } };
	handle_t event, narrowed;

	CHECK_EQUAL(door_call(HANDLE_NONE, 0, &message), ERR_BAD_HANDLE);
	CHECK_EQUAL(door_call(kit_door() ^ 0x10000, 0, &message), ERR_BAD_HANDLE);
	CHECK_EQUAL(door_call(0xffffffff, 0, &message), ERR_BAD_HANDLE);
	CHECK_EQUAL(lintel_event_create(&event), OK);
	CHECK_EQUAL(door_call(event, 0, &message), ERR_WRONG_TYPE);
	CHECK_EQUAL(lintel_handle_duplicate(kit_door(), RIGHT_WAIT, &narrowed), OK);
	CHECK_EQUAL(door_call(narrowed, 0, &message), ERR_DENIED);
	CHECK_EQUAL(lintel_handle_close(event), OK);
	CHECK_EQUAL(lintel_handle_close(narrowed), OK);
}

/* ---- badges, depth, deadlines, exhaustion ---- */

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

/* ---- deaths ---- */

static err_t child_start(const char *what, handle_t *process)
{
	char program[] = "/boot/bin/doors", role[16];
	char *argv[] = { program, role, NULL };
	handle_t door;
	err_t err = kit_mint(77, &door);

	if (err != OK)
		return err;
	const struct spawn_handle handles[] = { { STARTUP_SERVICE, 0, "parent", door, RIGHTS_SAME } };
	struct spawn_request request = { .path = program, .argv = argv, .handles = handles, .handle_count = 1 };

	snprintf(role, sizeof(role), "%s", what);
	err = lintel_spawn(&request, process);
	lintel_handle_close(door);
	return err;
}

/* A child that serves: it hands its door over with KEEP_HANDLE. */
static err_t child_server(handle_t *process, handle_t *door)
{
	err_t err;

	__atomic_store_n(&kept, HANDLE_NONE, __ATOMIC_SEQ_CST);
	err = child_start("serve", process);
	for (int i = 0; err == OK && i < 5000 && __atomic_load_n(&kept, __ATOMIC_SEQ_CST) == HANDLE_NONE; i++)
		pause_ns(1000000);
	*door = kept;
	return err == OK && kept == HANDLE_NONE ? ERR_TIMED_OUT : err;
}

static void a_server_that_exits_in_a_call(void)
{
	struct door_message message = { .word = { EXIT, 3 } };
	handle_t process, door;
	uint32_t seen;
	int32_t status;

	CHECK_EQUAL(child_server(&process, &door), OK);
	CHECK_EQUAL(door_call(door, 0, &message), ERR_PEER_DIED);
	CHECK_EQUAL(message.word[0], 0);
	CHECK_EQUAL(lintel_wait(process, DEADLINE_NEVER, &status), OK);
	CHECK_EQUAL(status, 3);
	CHECK_EQUAL(lintel_object_wait(door, SIGNAL_PEER_DIED, 0, &seen), OK);
	message = (struct door_message){ .word = { ECHO } };
	CHECK_EQUAL(door_call(door, 0, &message), ERR_PEER_DIED);
	CHECK_EQUAL(lintel_handle_close(door), OK);
	CHECK_EQUAL(lintel_handle_close(process), OK);
}

static void *kill_soon(void *argument)
{
	pause_ns(10000000);
	if (lintel_process_kill(*(handle_t *)argument, 9) != OK)
		check_fail("process_kill failed");
	return NULL;
}

static void a_server_that_is_killed_while_it_sleeps_in_a_call(void)
{
	struct door_message message = { .word = { SLEEP, 20000000000ull } };
	handle_t process, door;
	pthread_t killer;

	CHECK_EQUAL(child_server(&process, &door), OK);
	CHECK_EQUAL(pthread_create(&killer, NULL, kill_soon, &process), 0);
	CHECK_EQUAL(door_call(door, 0, &message), ERR_PEER_DIED);
	CHECK_EQUAL(pthread_join(killer, NULL), 0);
	CHECK_EQUAL(lintel_handle_close(door), OK);
	CHECK_EQUAL(lintel_handle_close(process), OK);
}

static void a_server_that_stores_into_a_read_only_window_dies_alone(void)
{
	static uint64_t target = 42;
	struct door_message message = { .word = { STORE, 43 } };
	handle_t process, door;
	int32_t status;

	CHECK_EQUAL(child_server(&process, &door), OK);
	message.window[0] = (struct door_window){ &target, 8 };
	CHECK_EQUAL(door_call(door, 0, &message), ERR_PEER_DIED);
	CHECK_EQUAL(target, 42);
	CHECK_EQUAL(lintel_wait(process, DEADLINE_NEVER, &status), OK);
	CHECK(status < 0);
	CHECK_EQUAL(lintel_handle_close(door), OK);
	CHECK_EQUAL(lintel_handle_close(process), OK);
}

static void a_client_that_dies_in_a_call(void)
{
	uint32_t before = sleeps_done, begun = sleeps_begun;
	handle_t process;
	int32_t status;

	CHECK_EQUAL(child_start("sleep", &process), OK);
	for (int i = 0; i < 10000 && __atomic_load_n(&sleeps_begun, __ATOMIC_SEQ_CST) == begun; i++)
		pause_ns(1000000);
	CHECK_EQUAL(lintel_process_kill(process, 5), OK);
	CHECK_EQUAL(lintel_wait(process, DEADLINE_NEVER, &status), OK);
	CHECK_EQUAL(status, 5);
	CHECK_EQUAL(lintel_handle_close(process), OK);
	for (int i = 0; i < 3000 && __atomic_load_n(&sleeps_done, __ATOMIC_SEQ_CST) == before; i++)
		pause_ns(1000000);
	CHECK_EQUAL(sleeps_done, before + 1);
}

/* ---- deaths at any step ---- */

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t limit)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (random_state >> 8) % limit;
}

/* again: rdi = door; window 0 = 64 bytes of this page; door_call; jmp again. rsp keeps the door: it needs no stack. */
static const uint8_t hammer_code[] = { 0x48, 0x89, 0xfc,                              /* mov rsp, rdi */
									   0x48, 0x89, 0xe7,                              /* mov rdi, rsp */
									   0xbb, 0x00, 0x00, 0x40, 0x00, 0xbd, 0x40, 0, 0, 0, /* rbx, rbp */
									   0xb8, 0x01, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xea };

static err_t hammer_start(handle_t *process)
{
	handle_t thread;
	uint64_t theirs;
	err_t err = bare_create(hammer_code, sizeof(hammer_code), process, &thread);

	if (err != OK)
		return err;
	err = lintel_process_grant(*process, kit_door(), RIGHT_CALL, &theirs);
	if (err == OK)
		err = lintel_process_start(*process, thread, BARE_CODE, BARE_CODE, theirs);
	(void)!lintel_handle_close(thread);
	return err;
}

#define CLIENT_KILLS 200
static void clients_that_die_at_any_step(void)
{
	struct door_message message = { .word = { RECURSE, 0 } };

	for (int i = 0; i < CLIENT_KILLS; i++) {
		handle_t process[3];
		int32_t status;

		for (size_t k = 0; k < ARRAY_LEN(process); k++)
			CHECK_EQUAL(hammer_start(&process[k]), OK);
		pause_ns(random_below(1500000));
		for (size_t k = 0; k < ARRAY_LEN(process); k++) {
			CHECK_EQUAL(lintel_process_kill(process[k], 4), OK);
			CHECK_EQUAL(lintel_wait(process[k], DEADLINE_NEVER, &status), OK);
			CHECK_EQUAL(lintel_handle_close(process[k]), OK);
		}
	}
	CHECK_EQUAL(ask(&message), OK); /* every activation has come back */
	CHECK_EQUAL(message.word[0], DOOR_DEPTH_MAX);
}

static void *hammer_until_dead(void *argument)
{
	const handle_t door = *(handle_t *)argument;
	uint8_t buffer[100] = { 0 };

	for (uint64_t i = 0;; i++) {
		struct door_message message = { .word = { ECHO, i } };
		err_t err;

		if (i & 1)
			message.window[0] = (struct door_window){ buffer, sizeof(buffer) };
		err = door_call(door, i % 7 == 0 ? 1000000 : 0, &message);
		if (err == ERR_PEER_DIED)
			return NULL;
		if (err != OK || message.word[1] != i + 1) {
			printf("call %llu: error %d\n", (unsigned long long)i, (int)err);
			return argument;
		}
	}
}

#define SERVER_KILLS 12
static void servers_that_die_at_any_step(void)
{
	for (int i = 0; i < SERVER_KILLS; i++) {
		pthread_t threads[3];
		handle_t process, door;
		int32_t status;

		CHECK_EQUAL(child_server(&process, &door), OK);
		for (size_t k = 0; k < ARRAY_LEN(threads); k++)
			CHECK_EQUAL(pthread_create(&threads[k], NULL, hammer_until_dead, &door), 0);
		pause_ns(random_below(4000000));
		CHECK_EQUAL(lintel_process_kill(process, 6), OK);
		for (size_t k = 0; k < ARRAY_LEN(threads); k++) {
			void *failed;

			CHECK_EQUAL(pthread_join(threads[k], &failed), 0);
			CHECK(failed == NULL);
		}
		CHECK_EQUAL(lintel_wait(process, DEADLINE_NEVER, &status), OK);
		CHECK_EQUAL(lintel_handle_close(door), OK);
		CHECK_EQUAL(lintel_handle_close(process), OK);
	}
}

/* ---- what the child does ---- */

static int child(const char *role)
{
	handle_t parent = lintel_startup_named(STARTUP_SERVICE, "parent");
	struct door_message message = { .word = { SLEEP, 200000000 } };

	if (strcmp(role, "serve") == 0) {
		if (kit_prepare(&server) != OK || kit_mint(1, &message.handle[0]) != OK)
			return 90;
		message.word[0] = KEEP_HANDLE;
		if (door_call(parent, 0, &message) != OK)
			return 91;
		return kit_main(&server);
	}
	return door_call(parent, 0, &message) == OK ? 92 : 93;
}

/* This process keeps its own house as kit_main() would. */
static void *housekeeper(void *argument)
{
	(void)argument;
	kit_main(&server);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t keeper;

	if (argc > 1)
		return child(argv[1]);
	if (kit_prepare(&server) != OK || pthread_create(&keeper, NULL, housekeeper, NULL) != 0) {
		printf("not ok doors: cannot serve\n");
		return 1;
	}
	CHECK_RUN(words_travel_both_ways);
	CHECK_RUN(a_server_error_comes_back);
	CHECK_RUN(a_window_shows_the_buffer_and_no_more);
	CHECK_RUN(two_windows_at_once);
	CHECK_RUN(a_large_window);
	CHECK_RUN(bad_windows_are_refused);
	CHECK_RUN(handles_move);
	CHECK_RUN(two_handles_or_none);
	CHECK_RUN(forged_handles_are_refused);
	CHECK_RUN(badges_say_who_calls_and_that_they_went);
	CHECK_RUN(nesting_ends_somewhere);
	CHECK_RUN(a_deadline_frees_the_caller);
	CHECK_RUN(more_callers_than_activations);
	CHECK_RUN(a_server_that_exits_in_a_call);
	CHECK_RUN(a_server_that_is_killed_while_it_sleeps_in_a_call);
	CHECK_RUN(a_server_that_stores_into_a_read_only_window_dies_alone);
	CHECK_RUN(a_client_that_dies_in_a_call);
	CHECK_RUN(clients_that_die_at_any_step);
	CHECK_RUN(servers_that_die_at_any_step);
	return check.failed;
}
