/* SPDX-License-Identifier: GPL-2.0-only */
/* fault.c - page faults and exceptions of user mode. A fault ends the process whose code made it, which is the server
 * when a thread is inside a door call; its callers get ERR_PEER_DIED. */
#include "kernel/fault.h"

#include "kernel/backtrace.h"
#include "kernel/cpu.h"
#include "kernel/door.h"
#include "kernel/log.h"
#include "kernel/thread.h"
#include "kernel/trace.h"

static const char *const exception_names[] = {
	[0] = "division error", [1] = "debug trap", [3] = "breakpoint", [4] = "overflow", [5] = "bound range",
	[6] = "invalid instruction", [7] = "no floating point", [10] = "invalid TSS", [11] = "segment not present",
	[12] = "stack fault", [13] = "general protection", [14] = "page fault", [16] = "x87 error",
	[17] = "alignment check", [19] = "SIMD error", [21] = "control protection",
};

static const char *exception_name(uint64_t vector)
{
	const char *name = vector < ARRAY_LEN(exception_names) ? exception_names[vector] : NULL;

	return name != NULL ? name : "exception";
}

static void process_ends(struct trap_frame *frame, const char *what)
{
	struct thread *thread = thread_current();
	struct process *process = thread_here(thread);

	if (process_is_ending(process)) { /* told already, for another reason; only this thread has not heard of it */
		thread_pend(thread, thread->activation != NULL ? PENDING_PEER_DIED : PENDING_KILL);
		return;
	}
	log_line("%s[%u] thread %u: %s, rip 0x%lx rsp 0x%lx", process->name, process->pid, thread->tid, what, frame->rip,
		 frame->rsp);
	backtrace_user(frame->rip, frame->rsp, frame->rbp);
	process_end(process, EXIT_STATUS_FAULT - (int32_t)frame->vector);
}

void fault_refused(struct trap_frame *frame, vaddr_t address, err_t why)
{
	char what[96];

	format_text(what, sizeof(what), "page fault at 0x%lx (%s)", address.v,
		    why == ERR_NO_MEMORY ? "no memory left" :
		    why == ERR_LIMIT ? "the process's memory ceiling is reached" :
		    why == ERR_FAULT ? "nothing there, or not allowed" : "its pager failed");
	process_ends(frame, what);
}

void fault_pager_failed(struct trap_frame *frame, vaddr_t address, err_t why)
{
	if (window_give_up(process_here()->space, address.v) != OK)
		fault_refused(frame, address, why);
}

void exception_handle(struct trap_frame *frame)
{
	cpu_this()->counters.faults++;
	trace_event(TRACE_EXCEPTION, (uint32_t)frame->vector, frame->rip);
	process_ends(frame, exception_name(frame->vector));
}

err_t fault_resolve(vaddr_t address, enum access access)
{
	struct thread *thread = thread_current();
	err_t err;

	cpu_this()->counters.faults++;
	if (!address_is_user(address.v, 1))
		return ERR_FAULT;
	thread->fault_address = address.v;
	trace_event(TRACE_FAULT, access, address.v);
	err = space_fault(thread_here(thread)->space, address, access, &thread->pager_request);
	trace_event(TRACE_FAULT_END, access, (uint64_t)(int64_t)err);
	return err;
}

void fault_handle(struct trap_frame *frame, vaddr_t address, enum access access)
{
	err_t err = fault_resolve(address, access);
	bool paged = err == ERR_AGAIN;

	if (paged)
		err = door_call_pager(frame, false);
	if (err == OK || err == ERR_CANCELED) /* being ended, or a deadline: user_return_work sees to it; then once more */
		return;
	if (paged)
		fault_pager_failed(frame, address, err);
	else
		fault_refused(frame, address, err);
}
