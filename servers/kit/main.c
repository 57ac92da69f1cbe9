/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - the life of a server: door, activations, "ready", and then the house is kept by main()'s thread:
 * callers that starve get another activation, badges that died are handed to the server.
 * Locks: none; `kit` is written before the first call can arrive, `donated` by main()'s thread alone. */
#include "kit/kit.h"

#include <lintel/init_client.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <lintel/tls.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_BYTES_MAX 256
#define STARVED_PAUSE_NS 10000000ull /* between looks, when the ceiling is reached */

/* What entry.S assumes. */
_Static_assert(offsetof(struct kit_call, badge) == 0, "CALL_BADGE");
_Static_assert(offsetof(struct kit_call, in.word) == 8, "IN_WORDS");
_Static_assert(offsetof(struct kit_call, in.handle) == 56, "IN_HANDLES");
_Static_assert(offsetof(struct kit_call, in.window) == 64, "IN_WINDOWS");
_Static_assert(offsetof(struct kit_call, out.word) == 96, "OUT_WORDS");
_Static_assert(offsetof(struct kit_call, out.handle) == 144, "OUT_HANDLES");
_Static_assert(sizeof(struct kit_call) <= 192, "CALL_BYTES");
_Static_assert(ERR_INTERNAL == -31, "REPLY_INTERNAL");
_Static_assert(SYSCALL_door_return == 2, "SYSCALL_DOOR_RETURN");

void kit_entry(void); /* entry.S */
extern err_t (*kit_dispatch)(struct kit_call *call);
err_t (*kit_dispatch)(struct kit_call *call); /* for entry.S: the server's */

static struct {
	const struct kit_server *server;
	const struct sysinfo_page *system; /* NULL: our parent gave none */
	handle_t door;
	uint32_t cpus;
	uint32_t donated; /* per CPU */
} kit;

/* In an activation: the CPU + 1, once somebody asked. An activation belongs to one CPU for good. */
_Thread_local uint32_t kit_activation_cpu;
static _Thread_local bool in_activation; /* set by activation_donate */

handle_t kit_door(void)
{
	return kit.door;
}

uint32_t kit_cpu_count(void)
{
	const struct sysinfo_page *page = lintel_sysinfo();

	return page != NULL && page->cpus != 0 ? page->cpus : 1;
}

uint32_t kit_cpu_ask(void)
{
	uint32_t cpu = 0;

	if (lintel_cpu_current(&cpu) != OK)
		return 0;
	if (in_activation)
		kit_activation_cpu = cpu + 1;
	return cpu;
}

/* Each change of a file asks. As lintel_clock_ns has it. */
uint64_t kit_now_ns(void)
{
	const struct sysinfo_page *page = kit.system;

	if (unlikely(page == NULL))
		return lintel_clock_ns();
	const uint64_t ticks = __builtin_ia32_rdtsc() - page->tsc_base;
	return page->boot_unix_ns + (uint64_t)(((unsigned __int128)ticks * page->tsc_mult) >> page->tsc_shift);
}

void kit_log(const char *format, ...)
{
	char line[LOG_BYTES_MAX];
	va_list arguments;

	va_start(arguments, format);
	int length = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	size_t bytes = length > 0 ? (size_t)length : 0;
	if (bytes > sizeof(line) - 1)
		bytes = sizeof(line) - 1;
	if (lintel_debug_log(line, bytes) != OK)
		return; /* nowhere to say it */
}

err_t kit_mint(uint64_t badge, handle_t *session)
{
	return lintel_door_mint(kit.door, badge, session);
}

err_t kit_map_vmo(handle_t vmo, uint32_t flags, void **base, uint64_t *bytes)
{
	uint64_t size, address;
	err_t err = lintel_vmo_size(vmo, &size);

	if (err != OK)
		return err;
	err = lintel_space_map(lintel_process(), vmo, 0, (size + PAGE_MASK) & ~PAGE_MASK, 0, flags, &address);
	if (err != OK)
		return err;
	*base = (void *)(uintptr_t)address;
	*bytes = size;
	return OK;
}

static err_t activation_donate(uint32_t cpu)
{
	void *stack, *tls;
	err_t err = tls_create(KIT_STACK_BYTES, &stack, &tls);

	if (err != OK)
		return err;
	*(bool *)((char *)tls + ((char *)&in_activation - (char *)__builtin_thread_pointer())) = true;
	err = lintel_door_donate(kit.door, cpu, (uintptr_t)stack, (uintptr_t)tls);
	if (err != OK)
		tls_destroy(tls);
	return err;
}

/* One more on every CPU. */
static err_t activations_add(void)
{
	for (uint32_t cpu = 0; cpu < kit.cpus; cpu++) {
		err_t err = activation_donate(cpu);
		if (err != OK)
			return err;
	}
	kit.donated++;
	return OK;
}

static uint32_t activations_wanted(void)
{
	const char *text = getenv("ACTIVATIONS");
	const unsigned long wanted = text != NULL ? strtoul(text, NULL, 10) : 0;

	return wanted >= 1 && wanted <= KIT_ACTIVATIONS_CEILING ? (uint32_t)wanted : KIT_ACTIVATIONS_DEFAULT;
}

err_t kit_prepare(const struct kit_server *server)
{
	kit.server = server;
	kit.system = lintel_sysinfo();
	kit_dispatch = server->dispatch;
	kit.cpus = kit_cpu_count();
	err_t err = lintel_door_create((uintptr_t)kit_entry, server->name, strlen(server->name), &kit.door);
	if (err != OK)
		return err;
	for (uint32_t i = activations_wanted(); i > 0 && err == OK; i--)
		err = activations_add();
	return kit.donated != 0 ? OK : err; /* with one on each CPU it can serve */
}

/* Hand init a copy of the root door that cannot mint or take badges. */
static err_t service_announce(void)
{
	handle_t init = lintel_startup_named(STARTUP_SERVICE, "init");
	handle_t ready = lintel_startup_handle(STARTUP_SERVE, STARTUP_ANY, 0);
	handle_t copy;

	if (init != HANDLE_NONE) {
		err_t err = lintel_handle_duplicate(kit.door, RIGHT_CALL | RIGHT_DUPLICATE | RIGHT_TRANSFER | RIGHT_WAIT,
				&copy);
		if (err != OK)
			return err;
		err = init_service_ready(init, copy);
		if (err != OK)
			return err;
	}
	return ready != HANDLE_NONE ? lintel_event_signal(ready, 0, 1u << SIGNAL_USER_SHIFT) : OK;
}

static void closed_badges_take(void)
{
	uint64_t badge;

	while (lintel_door_closed(kit.door, &badge) == OK)
		if (kit.server->session_closed != NULL)
			kit.server->session_closed(badge);
}

static err_t house_keep(void)
{
	bool full = false; /* no more activations to give: look again after a pause */

	for (;;) {
		const uint32_t wanted = SIGNAL_BADGE_CLOSED | (full ? 0 : SIGNAL_STARVED);
		const uint64_t deadline = full ? lintel_clock_ns() + STARVED_PAUSE_NS : DEADLINE_NEVER;
		uint32_t seen = 0;
		err_t err = lintel_object_wait(kit.door, wanted, deadline, &seen);
		if (err != OK && err != ERR_TIMED_OUT)
			return err;
		full = false;
		if (seen & SIGNAL_BADGE_CLOSED)
			closed_badges_take();
		if (seen & SIGNAL_STARVED)
			full = kit.donated >= KIT_ACTIVATIONS_CEILING || activations_add() != OK;
	}
}

int kit_main(const struct kit_server *server)
{
	err_t err = kit.door == HANDLE_NONE ? kit_prepare(server) : OK;

	if (err != OK) {
		kit_log("cannot serve: error %d", (int)err);
		return 1;
	}
	err = service_announce();
	if (err != OK) {
		kit_log("init does not take the door: error %d", (int)err);
		return 1;
	}
	err = house_keep();
	kit_log("stops serving: error %d", (int)err);
	return 1;
}
