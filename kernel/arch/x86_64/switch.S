/* SPDX-License-Identifier: GPL-2.0-only */
/* switch.S - from one kernel stack to another. What C does not save across a call is saved here, on the old stack;
 * context.c builds a new thread's stack in the same form. */
	.text

/* void context_switch(uint64_t *old_rsp, uint64_t new_rsp) */
	.globl	context_switch
	.balign	16
context_switch:
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret

	.section .note.GNU-stack, "", @progbits
