/* SPDX-License-Identifier: GPL-2.0-only */
/* trace.h - a ring of events for each CPU, written by that CPU alone. Off, a hook costs one branch that is never taken,
 * on a line that nobody writes. Context of the hooks: any, with a current thread; interrupts on or off. */
#pragma once

#include "kernel/thread.h"

#include <lintel/trace.h>

extern bool trace_is_on; /* [a] written by sys_trace_control only */

/* In the name of the current thread, and of the process where it executes. */
void trace_write(enum trace_kind kind, uint32_t detail, uint64_t value);

static inline void trace_event(enum trace_kind kind, uint32_t detail, uint64_t value)
{
	if (unlikely(__atomic_load_n(&trace_is_on, __ATOMIC_RELAXED)))
		trace_write(kind, detail, value);
}

/* A call that no system call tells of: the kernel's own, to a pager. Before the thread is in the server, and before it
 * is back in the toucher. */
static inline void trace_door(const struct process *server, uint64_t word0)
{
	trace_event(TRACE_DOOR, server->pid, word0);
}

static inline void trace_door_end(const struct process *server, err_t result)
{
	trace_event(TRACE_DOOR_END, server->pid, (uint64_t)(int64_t)result);
}

static inline void trace_process(const struct process *process)
{
	uint64_t name;

	__builtin_memcpy(&name, process->name, sizeof(name));
	trace_event(TRACE_PROCESS, process->pid, name);
}

static inline void trace_switch(const struct thread *next)
{
	if (unlikely(__atomic_load_n(&trace_is_on, __ATOMIC_RELAXED)))
		trace_write(TRACE_SWITCH, next->tid, pid_here(next));
}
