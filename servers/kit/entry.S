/* SPDX-License-Identifier: BSD-2-Clause */
/* entry.S - the server's side of a door call: registers (abi/include/lintel/door.h) -> struct kit_call on the
 * activation's stack -> kit_dispatch() -> door_return. Offsets are asserted in main.c.
 *
 * rsp at entry is the top of the activation, 16-byte aligned; nothing has to be kept for anybody. */

#define CALL_BADGE 0
#define IN_WORDS 8
#define IN_HANDLES 56
#define IN_WINDOWS 64
#define OUT_WORDS 96
#define OUT_HANDLES 144
#define CALL_BYTES 192 /* sizeof(struct kit_call), rounded up to 16 */
#define REPLY_INTERNAL -31 /* ERR_INTERNAL */
#define SYSCALL_DOOR_RETURN 2

	.text
	.globl kit_entry
	.type kit_entry, @function
kit_entry:
	subq	$CALL_BYTES, %rsp
	movq	%rdi, CALL_BADGE(%rsp)
	movq	%rsi, IN_WORDS+0(%rsp)
	movq	%rdx, IN_WORDS+8(%rsp)
	movq	%r10, IN_WORDS+16(%rsp)
	movq	%r8, IN_WORDS+24(%rsp)
	movq	%r9, IN_WORDS+32(%rsp)
	movq	%r12, IN_WORDS+40(%rsp)
	movq	%r13, IN_HANDLES(%rsp)
	movq	%rbx, IN_WINDOWS+0(%rsp)
	movq	%rbp, IN_WINDOWS+8(%rsp)
	movq	%r14, IN_WINDOWS+16(%rsp)
	movq	%r15, IN_WINDOWS+24(%rsp)
	movaps	%xmm0, OUT_WORDS+0(%rsp) /* 0, as every register that carries no message */
	movaps	%xmm0, OUT_WORDS+16(%rsp)
	movaps	%xmm0, OUT_WORDS+32(%rsp)
	movaps	%xmm0, OUT_HANDLES(%rsp)
	xorl	%ebp, %ebp		/* the end of the backtrace */
	movq	%rsp, %rdi
	call	*kit_dispatch(%rip)
	movslq	%eax, %rdi
	movq	OUT_WORDS+0(%rsp), %rsi
	movq	OUT_WORDS+8(%rsp), %rdx
	movq	OUT_WORDS+16(%rsp), %r10
	movq	OUT_WORDS+24(%rsp), %r8
	movq	OUT_WORDS+32(%rsp), %r9
	movq	OUT_WORDS+40(%rsp), %r12
	movq	OUT_HANDLES(%rsp), %r13
	movl	$SYSCALL_DOOR_RETURN, %eax /* the window registers mean nothing here: the kernel clears them */
	syscall

	/* Refused: a handle in the reply is not ours to give. Say so to the caller, without it. */
	movq	$REPLY_INTERNAL, %rdi
	xorl	%esi, %esi
	xorl	%edx, %edx
	xorl	%r10d, %r10d
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	xorl	%r12d, %r12d
	xorl	%r13d, %r13d
	movl	$SYSCALL_DOOR_RETURN, %eax
	syscall
	ud2
	.size kit_entry, . - kit_entry

	.section .note.GNU-stack, "", @progbits
