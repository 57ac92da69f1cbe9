/* SPDX-License-Identifier: BSD-2-Clause */
/* door_call.S - err_t door_call(handle_t door, uint32_t timeout_us, struct door_message *message)
 * Register layout: abi/include/lintel/door.h. Offsets into struct door_message are checked in core/door.c. */
#define SYSCALL_DOOR_CALL 1 /* checked in core/door.c */

	.text
	.globl door_call
	.type door_call, @function
	.p2align 4
door_call:
	.cfi_startproc
	pushq %rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	pushq %rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbx, 0
	pushq %r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r12, 0
	pushq %r13
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r13, 0
	pushq %r14
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r14, 0
	pushq %r15
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r15, 0
	pushq %rdx                   /* the message */
	.cfi_adjust_cfa_offset 8
	movl %edi, %edi
	shlq $32, %rsi
	orq %rsi, %rdi               /* handle | timeout_us << 32 */
	movq 0(%rdx), %rsi           /* words */
	movq 16(%rdx), %r10
	movq 24(%rdx), %r8
	movq 32(%rdx), %r9
	movq 40(%rdx), %r12
	movq 48(%rdx), %r13          /* handles */
	movq 56(%rdx), %rbx          /* window 0 */
	movq 64(%rdx), %rbp
	movq 72(%rdx), %r14          /* window 1 */
	movq 80(%rdx), %r15
	movq 8(%rdx), %rdx
	movl $SYSCALL_DOOR_CALL, %eax
	syscall
	popq %rcx
	.cfi_adjust_cfa_offset -8
	movq %rsi, 0(%rcx)
	movq %rdx, 8(%rcx)
	movq %r10, 16(%rcx)
	movq %r8, 24(%rcx)
	movq %r9, 32(%rcx)
	movq %r12, 40(%rcx)
	movq %r13, 48(%rcx)
	popq %r15
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r15
	popq %r14
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r14
	popq %r13
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r13
	popq %r12
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r12
	popq %rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbx
	popq %rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbp
	ret
	.cfi_endproc
	.size door_call, . - door_call
	.section .note.GNU-stack, "", @progbits
