/* SPDX-License-Identifier: GPL-2.0-only */
/* syscall.c - the dispatcher. Handlers decode first (check all, change nothing), then invoke (cannot fail).
 *
 * A handler whose user memory a pager must fill first unwinds and leaves the request in thread->pager_request; the
 * dispatcher then calls the pager in the caller's name and has the `syscall` instruction made again. */
#include "kernel/syscall.h"

#include "kernel/cpu.h"
#include "kernel/door.h"
#include "kernel/fault.h"
#include "kernel/log.h"
#include "kernel/syscall_handlers.h"
#include "kernel/thread.h"
#include "kernel/trace.h"

#define LOG_LINE_MAX 256

/* Registers that are neither results nor preserved by the calling convention: nothing of the kernel's leaves in them.
 * */
static void registers_clear(struct trap_frame *frame)
{
	frame->rdi = frame->rsi = 0;
	frame->r8 = frame->r9 = frame->r10 = 0;
}

static void restart_with_pager(struct trap_frame *frame, uint64_t number, uint64_t rdx)
{
	err_t err;

	frame->rax = number;
	frame->rdx = rdx;
	frame->rip -= SYSCALL_INSTRUCTION_BYTES;
	err = door_call_pager(frame, true);
	if (err == OK || err == ERR_CANCELED)
		return; /* in the pager now, or on the way to user_return_work and back here */
	frame->rip += SYSCALL_INSTRUCTION_BYTES;
	frame->rax = (uint64_t)(int64_t)ERR_FAULT;
	frame->rdx = 0;
	registers_clear(frame);
}

void syscall_dispatch(struct trap_frame *frame)
{
	uint64_t number = frame->rax;
	uint64_t rdx = frame->rdx;
	struct thread *thread = thread_current();

	cpu_this()->counters.system_calls++;
	if (unlikely(number >= SYSCALL_COUNT)) {
		frame->rax = (uint64_t)(int64_t)ERR_BAD_CALL;
		frame->rdx = 0;
		registers_clear(frame);
		return;
	}
	trace_event(TRACE_SYSCALL, (uint32_t)number, number == SYSCALL_door_call ? frame->rsi : frame->rdi);
	syscall_table[number].handler(frame);
	trace_event(TRACE_SYSCALL_END, (uint32_t)number, frame->rax);
	if (unlikely(thread->pager_request.vmo != NULL))
		restart_with_pager(frame, number, rdx);
	else if (number != SYSCALL_door_call && number != SYSCALL_door_return)
		registers_clear(frame);
}

/* ---- the calls that belong to no object ---- */

err_t sys_null(void)
{
	return OK;
}

err_t sys_debug_log(const char __user *text, uint64_t length)
{
	char line[LOG_LINE_MAX + 1];
	struct process *process = process_here();
	err_t err;

	if (length > LOG_LINE_MAX)
		return ERR_ARGS;
	err = copy_from_user(line, text, length);
	if (err != OK)
		return err;
	while (length > 0 && line[length - 1] == '\n')
		length--;
	line[length] = '\0';
	for (uint64_t i = 0; i < length; i++)
		if ((unsigned char)line[i] < ' ' && line[i] != '\t')
			line[i] = '?';
	log_line("%s[%u]: %s", process->name, process->pid, line);
	return OK;
}
