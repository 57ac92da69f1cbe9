/* SPDX-License-Identifier: BSD-2-Clause */
/* trace.h - what trace_read gives: events as they came on one CPU, oldest first. */
#pragma once

#include <lintel/types.h>

enum trace_kind {
	TRACE_SYSCALL = 1,        /* detail: number, value: first argument; of door_call: word 0 of the message */
	TRACE_SYSCALL_END = 2,    /* detail: number, value: result */
	TRACE_DOOR = 3,           /* the kernel's own call to a pager; detail: the server's pid, value: word 0 */
	TRACE_DOOR_END = 4,       /* detail: the server's pid, value: result */
	TRACE_FAULT = 5,          /* detail: 0 read, 1 write, 2 execute, value: address */
	TRACE_FAULT_END = 6,      /* detail: likewise, value: err_t */
	TRACE_SWITCH = 7,         /* detail: the next thread, 0: idle, value: its process */
	TRACE_INTERRUPT = 8,      /* detail: vector, value: the interrupted rip */
	TRACE_INTERRUPT_END = 9,  /* detail: vector */
	TRACE_EXCEPTION = 10,     /* detail: vector, value: rip */
	TRACE_PROCESS = 11,       /* one starts: detail: its pid, value: the first 8 bytes of its name */
	TRACE_KINDS
};

struct trace_record {
	uint64_t time_ns; /* since boot */
	uint32_t thread;  /* 0: idle */
	uint32_t process; /* where the thread executes */
	uint32_t kind;    /* enum trace_kind */
	uint32_t detail;
	uint64_t value;
};

#define TRACE_READ_MAX 128 /* records a call */
