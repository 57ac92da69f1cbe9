/* SPDX-License-Identifier: GPL-2.0-only */
/* call_fast.h - what entry.S and call_fast_path.h know of the kernel's structures. Plain numbers; call_fast.c asserts
 * each. */
#pragma once

/* enum syscall_number */
#define NUMBER_NULL 0
#define NUMBER_DOOR_CALL 1
#define NUMBER_DOOR_RETURN 2

/* struct cpu, by GS; more in layout.h */
#define CPU_CURRENT 24
#define CPU_INDEX 36
#define CPU_CELL 40
#define CPU_PCID_ROOT 48
#define CPU_SYSTEM_CALLS 912

/* struct thread, struct process */
#define THREAD_ACTIVATION 136
#define THREAD_DEPTH 144
#define DEPTH_MAX 16

/* struct handle_door, struct door (an object is its first member) */
#define SLOT_HANDLE 0
#define SLOT_DOOR 8
#define DOOR_SERVING 64
#define DOOR_ENTRY 72
#define DOOR_BADGE 120

/* struct serving, struct serving_cpu, struct space_cpu */
#define SERVING_CPU 8
#define HERE_FREE 0
#define HERE_ARRIVED 8
#define HERE_LEFT 16
#define HERE_CROWDED 24
#define CELL_ROOT 0
#define CELL_ACTIVE 8
#define CELL_ENDING 12
#define CELL_DOORS 16
#define CELL_STALE 36
#define CELL_PCID 48

/* struct activation */
#define ACTIVATION_NEXT 0
#define ACTIVATION_HERE 8
#define ACTIVATION_CELL 24
#define ACTIVATION_STACK 32
#define ACTIVATION_TLS 40
#define ACTIVATION_THREAD 48
#define ACTIVATION_OUTER 56
#define ACTIVATION_CALLER_CELL 64
#define ACTIVATION_DOOR 72
#define ACTIVATION_RIP 80
#define ACTIVATION_RSP 88
#define ACTIVATION_FS 96
#define ACTIVATION_MXCSR 104
#define ACTIVATION_X87 108
#define ACTIVATION_SPECIAL 112
#define SPECIAL_IS_WINDOWS 4

/* struct window, two of them in an activation; the offsets of the members are asserted for the first */
#define ACTIVATION_WINDOW_0 120
#define ACTIVATION_WINDOW_1 272
#define WINDOW_SHOWS 0
#define WINDOW_LIMIT 8
#define WINDOW_BYTES 16
#define WINDOW_RIGHT 24
#define WINDOW_FIRST 32
#define WINDOW_ENTRIES 40
#define WINDOW_STATE 44
#define WINDOW_SHIFT 48
#define STATE_WHOLE 1
#define ENTRY_PRESENT 1
