/* SPDX-License-Identifier: BSD-2-Clause */
/* steps.c - the table. Delays cover the step: a call takes a few microseconds on an emulated CPU, one that is blocked
 * or spins stays until it is told; where a step is a time inside the kernel the whole call is swept over. */
#include "steps.h"

#include "layout.h"

#define LONG_SPIN 1000000000
#define MS 1000000

#define CALL 30000 /* ns: a few calls */

const struct step steps[] = {
	/* the client */
	{ "client_plain_calls", CLIENT_server, .delay_ns = CALL },
	{ "client_windows", CLIENT_server, SHAPE_WINDOW, .action = DO_TOUCH, .delay_ns = CALL },
	{ "client_long_windows_pages_on_their_way", CLIENT_server, SHAPE_WINDOW | SHAPE_LONG, .action = DO_TOUCH,
	  .delay_ns = 4 * CALL },
	{ "client_window_asks_a_pager", CLIENT_server, SHAPE_PAGED, .action = DO_TOUCH, .delay_ns = 8 * CALL },
	{ "client_touch_asks_a_pager", CLIENT_server, SHAPE_TOUCH, .delay_ns = 8 * CALL },
	{ "client_handles_in_flight", CLIENT_server, SHAPE_HANDLE, .delay_ns = CALL },
	{ "client_handles_windows_deadline", CLIENT_server, SHAPE_HANDLE | SHAPE_WINDOW, 1000000, DO_TOUCH,
	  .delay_ns = 4 * CALL },
	{ "client_deadline_passes_orphan", CLIENT_server, SHAPE_WINDOW, 150, DO_SLEEP, 400000, .delay_ns = MS },
	{ "client_waits_for_an_activation", CLIENT_server, .action = DO_SLEEP, .argument = 100000,
	  .threads = 6, .scarce = true, .entered = true, .delay_ns = 300000 },
	{ "client_deadline_passes_in_the_FIFO", CLIENT_server, SHAPE_HANDLE, 150, DO_SLEEP, 200000, .threads = 1,
	  .scarce = true, .delay_ns = 600000 },
	{ "client_server_spins", CLIENT_server, .action = DO_SPIN, .argument = 2000, .entered = true, .delay_ns = CALL },
	{ "client_server_blocks", CLIENT_server, SHAPE_WINDOW | SHAPE_HANDLE, .action = DO_SLEEP, .argument = 300000,
	  .entered = true, .delay_ns = 400000 },
	{ "client_one_deeper", CLIENT_server, SHAPE_WINDOW | SHAPE_HANDLE, .action = DO_CALL, .inner = DO_TOUCH,
	  .delay_ns = 2 * CALL },
	{ "client_one_deeper_blocked", CLIENT_server, .action = DO_CALL, .inner = DO_SLEEP, .inner_argument = 200000,
	  .entered = true, .delay_ns = 300000 },
	{ "client_one_deeper_orphan", CLIENT_server, SHAPE_WINDOW, 100, DO_CALL, .inner = DO_SLEEP,
	  .inner_argument = 300000, .entered = true, .delay_ns = 400000 },
	{ "client_exits", CLIENT_exits, SHAPE_WINDOW, .action = DO_TOUCH, .delay_ns = CALL },
	{ "client_killed_by_its_server", CLIENT_by_server, SHAPE_WINDOW, .action = DO_KILL },

	/* the server */
	{ "server_plain_calls", client_SERVER, .activations = 2, .delay_ns = CALL },
	{ "server_windows", client_SERVER, SHAPE_WINDOW, .action = DO_TOUCH, .activations = 2, .delay_ns = CALL },
	{ "server_long_windows_fresh_pages", client_SERVER, SHAPE_WINDOW | SHAPE_LONG | SHAPE_FRESH, .action = DO_TOUCH,
	  .activations = 2, .delay_ns = 8 * CALL },
	{ "server_handles_in_flight", client_SERVER, SHAPE_HANDLE, .activations = 2, .delay_ns = 2 * CALL },
	{ "server_handles_windows_deadline", client_SERVER, SHAPE_HANDLE | SHAPE_WINDOW, 1000000, DO_TOUCH,
	  .activations = 2, .delay_ns = 4 * CALL },
	{ "server_deadline_passes_orphans", client_SERVER, SHAPE_WINDOW, 150, DO_SLEEP, 400000, .activations = 2,
	  .delay_ns = MS },
	{ "server_orphans_are_blocked", client_SERVER, SHAPE_WINDOW | SHAPE_HANDLE, 150, DO_SLEEP, 20000000000,
	  .activations = 2, .entered = true, .delay_ns = MS },
	{ "server_callers_wait_in_the_FIFO", client_SERVER, .action = DO_SLEEP, .argument = 20000, .activations = 1,
	  .entered = true, .delay_ns = 100000 },
	{ "server_has_no_activation", client_SERVER, .activations = 0, .delay_ns = CALL },
	{ "server_deadline_in_the_FIFO", client_SERVER, SHAPE_HANDLE, 100, DO_RETURN, .activations = 0,
	  .delay_ns = 300000 },
	{ "server_spins", client_SERVER, .action = DO_SPIN, .argument = LONG_SPIN, .activations = 2, .entered = true,
	  .delay_ns = CALL },
	{ "server_blocks", client_SERVER, SHAPE_WINDOW | SHAPE_HANDLE, .action = DO_SLEEP, .argument = 20000000000,
	  .activations = 2, .entered = true, .delay_ns = CALL },
	{ "server_blocks_as_they_come", client_SERVER, SHAPE_WINDOW, 60000000, DO_SLEEP, 20000000000, .activations = 4,
	  .delay_ns = 4 * CALL }, /* with a deadline: the long way in, which is longer */
	{ "server_exits_in_a_call", client_SERVER_exits, SHAPE_WINDOW, .action = DO_EXIT, .argument = 50,
	  .activations = 2 },
	{ "server_faults_in_a_call", client_SERVER_exits, SHAPE_WINDOW, .action = DO_FAULT, .argument = 50,
	  .activations = 2, .every = 8 },

	/* a chain */
	{ "middle_next_one_returns", client_MIDDLE_server, SHAPE_WINDOW | SHAPE_HANDLE, .action = DO_CALL,
	  .inner = DO_TOUCH, .activations = 2, .delay_ns = 2 * CALL },
	{ "middle_next_one_blocks", client_MIDDLE_server, SHAPE_WINDOW, .action = DO_CALL, .inner = DO_SLEEP,
	  .inner_argument = 300000, .activations = 2, .entered = true, .delay_ns = 400000 },
	{ "middle_orphan", client_MIDDLE_server, SHAPE_WINDOW, 100, DO_CALL, .inner = DO_SLEEP, .inner_argument = 300000,
	  .activations = 2, .entered = true, .delay_ns = 400000 },
	{ "inner_returns", client_server_INNER, SHAPE_WINDOW | SHAPE_HANDLE, .action = DO_CALL, .inner = DO_TOUCH,
	  .activations = 2, .delay_ns = 2 * CALL },
	{ "inner_blocks", client_server_INNER, .action = DO_CALL, .inner = DO_SLEEP, .inner_argument = 20000000000,
	  .activations = 2, .entered = true, .delay_ns = CALL },
	{ "both_plain_calls", CLIENT_SERVER, .activations = 2, .delay_ns = CALL },
	{ "both_windows_handles_deadline", CLIENT_SERVER, SHAPE_WINDOW | SHAPE_HANDLE, 1000, DO_TOUCH, .activations = 2,
	  .delay_ns = 4 * CALL },
	{ "both_blocked", CLIENT_SERVER, SHAPE_WINDOW, .action = DO_SLEEP, .argument = 20000000000, .activations = 2,
	  .entered = true, .delay_ns = CALL },

	/* a pager */
	{ "pager_for_a_touch", client_PAGER, SHAPE_TOUCH, .activations = 2, .entered = true, .delay_ns = CALL, .every = 8 },
	{ "pager_for_a_window", client_PAGER_window, SHAPE_PAGED, .activations = 2, .entered = true, .delay_ns = CALL },
};
const uint32_t steps_count = sizeof(steps) / sizeof(steps[0]);
