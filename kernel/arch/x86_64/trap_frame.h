/* SPDX-License-Identifier: GPL-2.0-only */
/* trap_frame.h - the user's (or interrupted kernel's) registers at the top of the thread's kernel stack.
 * Built alike by system calls, exceptions and interrupts, so that everything that looks at a thread sees one layout.
 * entry.S knows the offsets; trap.c asserts them. */
#pragma once

#include <lintel/types.h>

struct trap_frame {
	uint64_t r15, r14, r13, r12, rbp, rbx;
	uint64_t r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	uint64_t vector; /* exception or interrupt number, or TRAP_SYSCALL */
	uint64_t error;  /* hardware error code, or 0; TRAP_SYSCALL: the call's number (rax is overwritten by the result) */
	uint64_t rip, cs, rflags, rsp, ss;
};

#define USER_RFLAGS 0x202ull           /* interrupts on, and the bit that is always 1 */
#define SYSCALL_INSTRUCTION_BYTES 2u   /* 0f 05 */
#define TRAP_SYSCALL 0x100 /* return by sysret if rip and rflags allow, else by iret */

_Static_assert(sizeof(struct trap_frame) == 22 * 8, "entry.S builds this");

static inline bool trap_from_user(const struct trap_frame *frame)
{
	return (frame->cs & 3) == 3;
}
