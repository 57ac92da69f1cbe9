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
_Static_assert(DOOR_DEPTH_MAX == DEPTH_MAX, "call_fast.h");
_Static_assert(HANDLE_SLOTS_PER_PAGE == 256 && HANDLE_INDEX_BITS == 16 && sizeof(struct handle_door) == 16,
	       "call_fast_path.h takes a handle apart");
_Static_assert((int)SPECIAL_WINDOWS == SPECIAL_IS_WINDOWS, "call_fast.h");
AT(trap_frame, r15, FRAME_R15);
AT(trap_frame, r14, FRAME_R14);
AT(trap_frame, r12, FRAME_R12);
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
AT(cpu, pcid_root, CPU_PCID_ROOT);
AT(cpu, counters.system_calls, CPU_SYSTEM_CALLS);
AT(thread, activation, THREAD_ACTIVATION);
AT(thread, depth, THREAD_DEPTH);
AT(handle_door, handle, SLOT_HANDLE);
AT(handle_door, door, SLOT_DOOR);
AT(door, object, 0);
AT(door, serving, DOOR_SERVING);
AT(door, entry, DOOR_ENTRY);
AT(door, badge, DOOR_BADGE);
AT(serving, cpu, SERVING_CPU);
AT(serving_cpu, free, HERE_FREE);
AT(serving_cpu, arrived, HERE_ARRIVED);
AT(serving_cpu, left, HERE_LEFT);
AT(serving_cpu, crowded, HERE_CROWDED);
AT(space_cpu, root, CELL_ROOT);
AT(space_cpu, active, CELL_ACTIVE);
AT(space_cpu, ending, CELL_ENDING);
AT(space_cpu, doors, CELL_DOORS);
AT(space_cpu, stale, CELL_STALE);
AT(space_cpu, pcid, CELL_PCID);
AT(activation, next_free, ACTIVATION_NEXT);
AT(activation, here, ACTIVATION_HERE);
AT(activation, cell, ACTIVATION_CELL);
AT(activation, stack, ACTIVATION_STACK);
AT(activation, tls, ACTIVATION_TLS);
AT(activation, thread, ACTIVATION_THREAD);
AT(activation, outer, ACTIVATION_OUTER);
AT(activation, caller_cell, ACTIVATION_CALLER_CELL);
AT(activation, door, ACTIVATION_DOOR);
AT(activation, rip, ACTIVATION_RIP);
AT(activation, rsp, ACTIVATION_RSP);
AT(activation, fs, ACTIVATION_FS);
AT(activation, fpu_control, ACTIVATION_MXCSR);
AT(activation, special, ACTIVATION_SPECIAL);
AT(activation, window[0], ACTIVATION_WINDOW_0);
AT(activation, window[1], ACTIVATION_WINDOW_1);
AT(window, shows, WINDOW_SHOWS);
AT(window, client_limit, WINDOW_LIMIT);
AT(window, bytes, WINDOW_BYTES);
AT(window, right, WINDOW_RIGHT);
AT(window, first, WINDOW_FIRST);
AT(window, entries, WINDOW_ENTRIES);
AT(window, state, WINDOW_STATE);
AT(window, shift, WINDOW_SHIFT);
_Static_assert(WINDOW_WHOLE == STATE_WHOLE && WINDOW_CLOSED == 0 && PTE_PRESENT == ENTRY_PRESENT, "call_fast.h");
