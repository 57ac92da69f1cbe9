/* SPDX-License-Identifier: BSD-2-Clause */
/* native_lintel.c - what only Lintel has: the null call, doors, events, the bare futex.
 * The server is this program again, in a process of its own ("echo"), built on servers/kit. It
 * hands us its root door as every server hands it to init: this process plays init for it. */
#include "bench.h"

#include <errno.h>
#include <lintel/door_call.h>
#include <lintel/init_server.h>
#include <lintel/names.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kit/kit.h"

const char *bench_program = "/boot/bin/bench";

#define READY_POLL_NS 1000000u
#define READY_TRIES 5000
#define ECHO_ENVIRONMENT "ACTIVATIONS=2"

/* Word 0 of a call to the echo server. */
enum echo { ECHO_REPLY = 0,
	ECHO_WINDOW = 1,
	ECHO_KEEP = 2,
	ECHO_FORWARD = 3 };

/* ---- The child: the server ---- */

static handle_t kept; /* the door that ECHO_FORWARD calls */

static err_t echo_window(struct kit_call *call)
{
	const unsigned char *bytes = call->in.window[0].base;
	uint64_t length = call->in.window[0].length & ~WINDOW_WRITE;
	if (!bytes || !length)
		return ERR_ARGS;
	call->out.word[0] = length;
	call->out.word[1] = bytes[0];
	call->out.word[2] = bytes[length - 1];
	return OK;
}

static err_t echo_keep(struct kit_call *call)
{
	if (kept != HANDLE_NONE)
		lintel_handle_close(kept);
	kept = call->in.handle[0];
	return OK;
}

static err_t echo_forward(struct kit_call *call)
{
	struct door_message message = { .word = { ECHO_REPLY, call->in.word[1] } };
	err_t err = door_call(kept, 0, &message);
	call->out.word[1] = message.word[1] + 1;
	return err;
}

static err_t echo_dispatch(struct kit_call *call)
{
	switch (call->in.word[0]) {
	case ECHO_REPLY:
		for (int i = 1; i < DOOR_WORDS; i++)
			call->out.word[i] = call->in.word[i] + 1;
		call->out.handle[0] = call->in.handle[0];
		return OK;
	case ECHO_WINDOW: return echo_window(call);
	case ECHO_KEEP: return echo_keep(call);
	case ECHO_FORWARD: return echo_forward(call);
	}
	return ERR_BAD_CALL;
}

static const struct kit_server echo_server = { .name = "bench-echo", .dispatch = echo_dispatch };

bool native_child(int argc, char **argv, int *status)
{
	if (argc < 3 || strcmp(argv[1], CHILD_WORD))
		return false;
	*status = strcmp(argv[2], "echo") ? 7 : kit_main(&echo_server);
	return true;
}

/* The memory manager chooses by itself. */
void native_use_large_pages(void *memory, size_t bytes, bool large)
{
	(void)memory, (void)bytes, (void)large;
}

/* pmfs and memfs choose extents by themselves. */
void native_reserve(int fd, uint64_t bytes)
{
	(void)fd, (void)bytes;
}

unsigned native_cpus(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	return cpus > 0 ? (unsigned)cpus : 1;
}

/* ---- The parent: taking the door over ---- */

static handle_t arrived[2]; /* door of the badge - 1 */

static err_t take_door(struct kit_call *call, handle_t door)
{
	if (call->badge < 1 || call->badge > ARRAY_LEN(arrived))
		return ERR_BAD_STATE;
	__atomic_store_n(&arrived[call->badge - 1], door, __ATOMIC_RELEASE);
	return OK;
}

static err_t parent_dispatch(struct kit_call *call)
{
	static const struct init_ops ops = { .service_ready = take_door };
	return init_dispatch(&ops, call);
}

static const struct kit_server parent_server = { .name = "bench", .dispatch = parent_dispatch };

static struct {
	handle_t process;
	handle_t door;
} servers[ARRAY_LEN(arrived)];

static bool fail(struct bench *b, const char *what, err_t err)
{
	char text[BENCH_REASON_BYTES];
	snprintf(text, sizeof text, "%s: %s", what, lintel_error_sentence(err));
	return bench_fail(b, text, 0);
}

static err_t wait_for_door(size_t which)
{
	for (int i = 0; i < READY_TRIES; i++) {
		servers[which].door = __atomic_exchange_n(&arrived[which], HANDLE_NONE, __ATOMIC_ACQUIRE);
		if (servers[which].door != HANDLE_NONE)
			return OK;
		err_t err = lintel_thread_sleep(lintel_clock_ns() + READY_POLL_NS);
		if (err != OK)
			return err;
	}
	return ERR_TIMED_OUT;
}

static err_t spawn_server(size_t which)
{
	char *argv[] = { "bench-echo", CHILD_WORD, "echo", NULL };
	char *environment[] = { ECHO_ENVIRONMENT, NULL };
	handle_t ours;
	if (kit_door() == HANDLE_NONE) {
		err_t err = kit_prepare(&parent_server);
		if (err != OK)
			return err;
	}
	err_t err = kit_mint(which + 1, &ours);
	if (err != OK)
		return err;
	const struct spawn_handle handle = { STARTUP_SERVICE, 0, "init", ours, RIGHTS_SAME };
	const struct spawn_request request = {
		.path = bench_program,
		.argv = argv,
		.env = environment,
		.handle_count = 1,
		.handles = &handle,
	};
	err = lintel_spawn(&request, &servers[which].process);
	lintel_handle_close(ours);
	return err == OK ? wait_for_door(which) : err;
}

static void stop_servers(struct bench *b)
{
	(void)b;
	for (size_t i = 0; i < ARRAY_LEN(servers); i++) {
		int32_t status;
		if (servers[i].door != HANDLE_NONE)
			lintel_handle_close(servers[i].door);
		if (servers[i].process != HANDLE_NONE) {
			if (lintel_process_kill(servers[i].process, 0) == OK)
				(void)!lintel_wait(servers[i].process, DEADLINE_NEVER, &status);
			lintel_handle_close(servers[i].process);
		}
		servers[i].door = servers[i].process = HANDLE_NONE;
	}
}

static bool one_server(struct bench *b)
{
	err_t err = spawn_server(0);
	return err == OK || fail(b, "starting the echo server", err);
}

/* The first server keeps the second's door. */
static bool two_servers(struct bench *b)
{
	struct door_message message = { .word = { ECHO_KEEP } };
	if (!one_server(b))
		return false;
	err_t err = spawn_server(1);
	if (err == OK)
		err = lintel_handle_duplicate(servers[1].door, RIGHTS_SAME, &message.handle[0]);
	if (err == OK)
		err = door_call(servers[0].door, 0, &message);
	return err == OK || fail(b, "starting the second server", err);
}

/* ---- Rows ---- */

static bool null_call(struct bench *b, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		err_t err = lintel_null();
		if (err != OK)
			return fail(b, "null", err);
	}
	return true;
}

static bool door_empty(struct bench *b, uint64_t count)
{
	struct door_message message = { 0 };
	for (uint64_t i = 0; i < count; i++) {
		message.word[0] = ECHO_REPLY;
		err_t err = door_call(servers[0].door, 0, &message);
		if (err != OK)
			return fail(b, "door_call", err);
	}
	return message.word[1] == count || bench_fail(b, "the reply is wrong", 0);
}

/* Each reply's words are the next call's; each goes up by one every time. */
static bool door_words(struct bench *b, uint64_t count)
{
	struct door_message message = { .word = { 0, 1, 2, 3, 4, 5 } };
	for (uint64_t i = 0; i < count; i++) {
		message.word[0] = ECHO_REPLY;
		err_t err = door_call(servers[0].door, 0, &message);
		if (err != OK)
			return fail(b, "door_call", err);
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
	return one_server(b);
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
		return fail(b, "mapping memory", err);
	lintel_handle_close(vmo);
	b->memory = (void *)(uintptr_t)address;
	window = b->memory;
	return one_server(b);
}

static void unmap_large_window(struct bench *b)
{
	stop_servers(b);
	if (b->memory)
		(void)!lintel_space_unmap(lintel_process(), (uintptr_t)b->memory, 2 * WINDOW_BYTES);
}

static void stop_with_window(struct bench *b)
{
	stop_servers(b);
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
	for (uint64_t i = 0; i < count; i++) {
		message.word[0] = ECHO_WINDOW;
		message.window[0] = (struct door_window){ window, b->argument };
		err_t err = door_call(servers[0].door, 0, &message);
		if (err != OK)
			return fail(b, "door_call with a window", err);
	}
	bool right = message.word[0] == b->argument && message.word[1] == 0x5a && message.word[2] == 0xa5;
	return right || bench_fail(b, "the server did not see the window", 0);
}

/* A handle goes there and comes back. */
static bool door_handle(struct bench *b, uint64_t count)
{
	struct door_message message = { 0 };
	err_t err = lintel_event_create(&message.handle[0]);
	for (uint64_t i = 0; i < count && err == OK; i++) {
		message.word[0] = ECHO_REPLY;
		err = door_call(servers[0].door, 0, &message);
	}
	if (err == OK)
		err = lintel_event_signal(message.handle[0], 0, 1u << SIGNAL_USER_SHIFT);
	if (message.handle[0] != HANDLE_NONE)
		lintel_handle_close(message.handle[0]);
	return err == OK || fail(b, "passing a handle", err);
}

static bool door_nested(struct bench *b, uint64_t count)
{
	struct door_message message = { 0 };
	for (uint64_t i = 0; i < count; i++) {
		message.word[0] = ECHO_FORWARD;
		err_t err = door_call(servers[0].door, 0, &message);
		if (err != OK)
			return fail(b, "door_call", err);
	}
	return message.word[1] == 2 * count || bench_fail(b, "the reply is wrong", 0);
}

static bool event_signal(struct bench *b, uint64_t count)
{
	handle_t event;
	err_t err = lintel_event_create(&event);
	if (err != OK)
		return fail(b, "event_create", err);
	for (uint64_t i = 0; i < count && err == OK; i++)
		err = lintel_event_signal(event, 0, 1u << SIGNAL_USER_SHIFT);
	lintel_handle_close(event);
	return err == OK || fail(b, "event_signal", err);
}

static bool futex_wake(struct bench *b, uint64_t count)
{
	static uint32_t word;
	for (uint64_t i = 0; i < count; i++) {
		uint32_t woken;
		err_t err = lintel_futex_wake((uintptr_t)&word, 1, &woken);
		if (err != OK)
			return fail(b, "futex_wake", err);
	}
	return true;
}

#define WINDOW_ROW(name, text, bytes, n) \
	{ .id = name, .what = "door call and return with a window of " text, .argument = bytes, \
	  .count = n, .setup = make_window, .prepare = fill_window, .body = door_window, \
	  .teardown = stop_with_window }

static const struct row rows[] = {
	{ .id = "null_call", .what = "null system call", .count = 5000, .body = null_call },
	{ .id = "door_0", .what = "door call and return", .count = 2000, .setup = one_server,
	  .body = door_empty, .teardown = stop_servers },
	{ .id = "door_6", .what = "door call and return, 6 words each way", .count = 2000,
	  .setup = one_server, .body = door_words, .teardown = stop_servers },
	WINDOW_ROW("door_win64", "64 B", 64, 2000),
	WINDOW_ROW("door_win4k", "4 KiB", 4096, 2000),
	{ .id = "door_win2m", .what = "door call and return with a window of 2 MiB", .argument = WINDOW_BYTES,
	  .count = 500, .setup = make_large_window, .prepare = fill_window, .body = door_window,
	  .teardown = unmap_large_window },
	WINDOW_ROW("door_win2m_small", "2 MiB in small pages", WINDOW_BYTES, 500),
	{ .id = "door_handle", .what = "door call and return with a handle", .count = 1000,
	  .setup = one_server, .body = door_handle, .teardown = stop_servers },
	{ .id = "door_nested", .what = "door call through a server to a second one", .count = 1000,
	  .setup = two_servers, .body = door_nested, .teardown = stop_servers },
	{ .id = "event_signal", .what = "event signal, nobody waits", .count = 2000,
	  .body = event_signal },
	{ .id = "futex_wake", .what = "futex wake, nobody waits", .count = 2000, .body = futex_wake },
};
const struct row_group native_rows = { rows, sizeof rows / sizeof rows[0] };
