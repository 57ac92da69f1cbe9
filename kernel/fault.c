/* SPDX-License-Identifier: GPL-2.0-only */
/* fault.c - page faults and exceptions of user mode. A fault ends the process whose code made it, which is the server
 * when a thread is inside a door call; its callers get ERR_PEER_DIED. But a process may name a stretch of its code that
 * is ready for faults (process_fixup): there the thread goes on at the landing. */
#include "kernel/fault.h"

#include "kernel/backtrace.h"
#include "kernel/cpu.h"
#include "kernel/door.h"
#include "kernel/log.h"
#include "kernel/syscall_handlers.h"
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

/* Three loads, while another thread of the process may set other values: a mixture is a wrong address, as harmless to
 * others as any that the process could have named. */
static bool fixed_up(struct trap_frame *frame, const struct process *process)
{
	uint64_t bytes = __atomic_load_n(&process->fixup_bytes, __ATOMIC_RELAXED);

	if (frame->rip - __atomic_load_n(&process->fixup_code, __ATOMIC_RELAXED) >= bytes)
		return false;
	frame->rax = frame->rip;
	frame->rip = __atomic_load_n(&process->fixup_landing, __ATOMIC_RELAXED);
	return true;
}

static void process_ends(struct trap_frame *frame, const char *what)
{
	struct thread *thread = thread_current();
	struct process *process = thread_here(thread);

	if (process_is_ending(process)) { /* told already, for another reason; only this thread has not heard of it */
		thread_pend(thread, thread->activation != NULL ? PENDING_PEER_DIED : PENDING_KILL);
		return;
	}
	if (fixed_up(frame, process))
		return;
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

err_t sys_process_fixup(handle_t handle, uint64_t code, uint64_t bytes, uint64_t landing)
{
	struct process *process;
	struct object *object;
	err_t err;

	if (!address_is_user(code, bytes) || !address_is_user(landing, 1))
		return ERR_ARGS;
	err = handle_get(&process_here()->handles, handle, OBJECT_PROCESS, RIGHT_MANAGE, &object);
	if (err != OK)
		return err;
	process = container_of(object, struct process, object);
	__atomic_store_n(&process->fixup_code, code, __ATOMIC_RELAXED);
	__atomic_store_n(&process->fixup_landing, landing, __ATOMIC_RELAXED);
	__atomic_store_n(&process->fixup_bytes, bytes, __ATOMIC_RELAXED);
	object_unref(object);
	return OK;
}
