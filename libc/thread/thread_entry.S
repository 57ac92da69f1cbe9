/* SPDX-License-Identifier: BSD-2-Clause */
/* thread_entry.S - the first instructions of a thread; rdi is its struct pthread.
 * Ends the chain of frames and aligns the stack as a C function expects it. */
	.text
	.globl thread_entry
	.type thread_entry, @function
thread_entry:
	.cfi_startproc
	.cfi_undefined %rip
	xorl %ebp, %ebp
	andq $-16, %rsp
	call thread_main
	ud2
	.cfi_endproc
	.size thread_entry, . - thread_entry

	.section .note.GNU-stack, "", @progbits
