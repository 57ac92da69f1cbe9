/* SPDX-License-Identifier: GPL-2.0-only */
/* call_quick.c - the windows of call_fast_path.h. Interrupts off; the activation is still on the free list when they
 * are mapped, and its server's root is still loaded when they are closed. */
#include "kernel/cpu.h"
#include "kernel/door.h"

#include "kernel/call_quick.h"

bool call_quick_map(struct activation *activation, struct trap_frame *frame)
{
	struct space *server = activation->server->space, *client = process_here()->space;
	uint64_t length0 = frame->rbp & ~WINDOW_WRITE, length1 = frame->r15 & ~WINDOW_WRITE;
	uint64_t base0 = 0, base1 = 0;

	for (uint32_t i = 0; i < DOOR_WINDOWS; i++)
		if (activation->window[i].state != WINDOW_CLOSED) /* call_fast_path.h has shown it, and found more to do */
			window_hide(&activation->window[i]);
	if (thread_current()->depth == DOOR_DEPTH_MAX)
		return false;
	if (length0 != 0 && !window_map_quick(server, &activation->window[0], client, frame->rbx, length0,
					      frame->rbp & WINDOW_WRITE, &base0))
		return false;
	if (length1 != 0 && !window_map_quick(server, &activation->window[1], client, frame->r14, length1,
					      frame->r15 & WINDOW_WRITE, &base1)) {
		if (length0 != 0)
			window_hide(&activation->window[0]); /* nobody could touch it: no flush */
		return false;
	}
	frame->rbx = base0;
	frame->r14 = base1;
	return true;
}

void call_quick_close(struct activation *activation)
{
	for (uint32_t i = 0; i < DOOR_WINDOWS; i++)
		if (activation->window[i].state != WINDOW_CLOSED)
			window_close_whole(&activation->window[i]);
}
