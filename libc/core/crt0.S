/* SPDX-License-Identifier: BSD-2-Clause */
/* crt0.S - the first instructions of a program (rdi: startup block).
 * Ends the chain of frames and aligns the stack as a C function expects it. */
	.text
	.globl _start
	.type _start, @function
_start:
	.cfi_startproc
	.cfi_undefined %rip
	xorl %ebp, %ebp
	andq $-16, %rsp
	call start_program
	ud2
	.cfi_endproc
	.size _start, . - _start

	.section .note.GNU-stack, "", @progbits
