/* SPDX-License-Identifier: BSD-2-Clause */
/* kit.h - what a server links: the call as C sees it, the start, sessions, activations, the log.
 * A server's main() prepares itself and ends with `return kit_main(&server)`. Calls arrive on
 * activations, several at a time, on every CPU: the dispatch function and all below it must be
 * ready for that. main()'s own thread keeps house. Context of the dispatch function: an activation
 * (KIT_STACK_BYTES of stack, a libc thread context of its own). It may block and allocate; it must
 * not exit the thread. Start-up handles (zones, services, the archive) come from libc:
 * lintel_startup_handle, lintel_startup_named. */
#pragma once

#include <lintel/door.h>

#define KIT_STACK_BYTES (64u << 10)
#define KIT_ACTIVATIONS_DEFAULT 4   /* per CPU, if the environment's ACTIVATIONS says nothing */
#define KIT_ACTIVATIONS_CEILING 64  /* per CPU, donated one by one when callers starve */

/* One call. entry.S fills it and sends `out` back; its offsets are asserted in main.c. */
struct kit_call {
	uint64_t badge;          /* the caller's session; 0 is the root session */
	struct door_message in;  /* window addresses are ours, lengths carry WINDOW_WRITE */
	struct door_message out; /* words and handles of the reply; zero at entry */
};

struct kit_server {
	const char *name;
	err_t (*dispatch)(struct kit_call *call);
	void (*session_closed)(uint64_t badge); /* the last handle of that badge is gone; NULL: nobody cares */
};

/* Create the root door, donate activations, tell init (service_ready), keep house. Comes back with
 * an exit status, and only if the start failed. */
int kit_main(const struct kit_server *server);

/* The same in two steps, for a server that needs its door (for pager VMOs) before it may be called. */
MUST_USE err_t kit_prepare(const struct kit_server *server);

/* The root door, with RIGHT_SERVE. HANDLE_NONE before kit_prepare. */
handle_t kit_door(void);

/* A handle on the root door with this badge, to give to a client. Badges are the server's to
 * choose and never reused. */
MUST_USE err_t kit_mint(uint64_t badge, handle_t *session);

/* The CPU that runs the caller: of an activation known without a system call. */
extern _Thread_local uint32_t kit_activation_cpu; /* main.c's; + 1 */
uint32_t kit_cpu_ask(void);
static inline uint32_t kit_cpu(void)
{
	return likely(kit_activation_cpu != 0) ? kit_activation_cpu - 1 : kit_cpu_ask();
}
uint32_t kit_cpu_count(void);

/* Nanoseconds since the epoch; after kit_prepare. */
uint64_t kit_now_ns(void);

/* One line to the kernel's log, which says what process it is from. */
void kit_log(const char *format, ...) PRINTF(1, 2);

/* Map a whole VMO (enum space_flag) and learn its size. */
MUST_USE err_t kit_map_vmo(handle_t vmo, uint32_t flags, void **base, uint64_t *bytes);
