/* SPDX-License-Identifier: GPL-2.0-only */
/* call_fast.c - the numbers of call_fast.h against the structures. */
#include "kernel/arch/x86_64/call_fast.h"

#include <lintel/syscall_numbers.h>

#include "kernel/arch/x86_64/layout.h"
#include "kernel/cpu.h"
#include "kernel/door.h"

#define AT(type, member, offset) _Static_assert(offsetof(struct type, member) == (offset), "call_fast.h")

_Static_assert(SYSCALL_null == NUMBER_NULL && SYSCALL_door_call == NUMBER_DOOR_CALL &&
		       SYSCALL_door_return == NUMBER_DOOR_RETURN,
	       "call_fast.h");
_Static_assert(PROCESS_ENDING == STATE_ENDING && PROCESS_ENDED > STATE_ENDING && sizeof(enum process_state) == 4,
	       "call_fast.h");
_Static_assert(DOOR_DEPTH_MAX == DEPTH_MAX && SLOT_DOOR == SLOT_IS_DOOR, "call_fast.h");
_Static_assert(HANDLE_SLOTS_PER_PAGE == 256 && HANDLE_INDEX_BITS == 16 && sizeof(struct handle_slot) == 16,
	       "call_fast.S takes a handle apart");
_Static_assert((int)SPECIAL_WINDOWS == SPECIAL_IS_WINDOWS, "call_fast.h");
AT(trap_frame, r15, FRAME_R15);
AT(trap_frame, r14, FRAME_R14);
AT(trap_frame, rbp, FRAME_RBP);
AT(trap_frame, rbx, FRAME_RBX);
AT(trap_frame, r10, FRAME_R10);
AT(trap_frame, r9, FRAME_R9);
AT(trap_frame, r8, FRAME_R8);
AT(trap_frame, rdx, FRAME_RDX);
AT(trap_frame, rsi, FRAME_RSI);
AT(cpu, current, CPU_CURRENT);
AT(cpu, index, CPU_INDEX);
AT(cpu, cell, CPU_CELL);
AT(cpu, door_calls, CPU_DOOR_CALLS);
AT(cpu, counters.system_calls, CPU_SYSTEM_CALLS);
AT(thread, here, THREAD_HERE);
AT(thread, activation, THREAD_ACTIVATION);
AT(thread, depth, THREAD_DEPTH);
AT(process, handles.pages, PROCESS_SLOTS);
AT(process, state, PROCESS_STATE);
AT(handle_slot, object, SLOT_OBJECT);
AT(handle_slot, rights, SLOT_RIGHTS);
AT(handle_slot, generation, SLOT_GENERATION);
AT(door, object, 0);
AT(door, serving, DOOR_SERVING);
AT(door, entry, DOOR_ENTRY);
AT(door, badge, DOOR_BADGE);
AT(serving, cpu, SERVING_CPU);
AT(serving_cpu, free, HERE_FREE);
AT(serving_cpu, calls, HERE_CALLS);
AT(serving_cpu, inside, HERE_INSIDE);
AT(serving_cpu, starved.waiters.next, HERE_WAITERS);
AT(space_cpu, root, CELL_ROOT);
AT(space_cpu, active, CELL_ACTIVE);
AT(activation, next_free, ACTIVATION_NEXT);
AT(activation, here, ACTIVATION_HERE);
AT(activation, server, ACTIVATION_SERVER);
AT(activation, cell, ACTIVATION_CELL);
AT(activation, stack, ACTIVATION_STACK);
AT(activation, tls, ACTIVATION_TLS);
AT(activation, thread, ACTIVATION_THREAD);
AT(activation, outer, ACTIVATION_OUTER);
AT(activation, caller, ACTIVATION_CALLER);
AT(activation, caller_cell, ACTIVATION_CALLER_CELL);
AT(activation, door, ACTIVATION_DOOR);
AT(activation, rip, ACTIVATION_RIP);
AT(activation, rsp, ACTIVATION_RSP);
AT(activation, fs, ACTIVATION_FS);
AT(activation, fpu_control, ACTIVATION_MXCSR);
AT(activation, special, ACTIVATION_SPECIAL);
