/* SPDX-License-Identifier: BSD-2-Clause */
/* calls.S - see fuzz.h. */
#define PAGER 1             /* PAGER_INTERFACE, asserted in main.c */
#define PAGER_REFUSES -25  /* ERR_IO */

	.text
	.globl	fuzz_call, fuzz_server, fuzz_thread

fuzz_call:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rdi
	movq	%rdi, %r11
	movq	0(%r11), %rax
	movq	16(%r11), %rsi
	movq	24(%r11), %rdx
	movq	32(%r11), %r10
	movq	40(%r11), %r8
	movq	48(%r11), %r9
	movq	56(%r11), %r12
	movq	64(%r11), %r13
	movq	72(%r11), %r14
	movq	80(%r11), %r15
	movq	88(%r11), %rbx
	movq	96(%r11), %rbp
	movq	8(%r11), %rdi
	syscall
	popq	%r11
	movq	%rax, 0(%r11)
	movq	%rdx, 24(%r11)
	movq	%r13, 64(%r11)
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret

fuzz_server:				/* no stack */
	movq	%rsi, %rax
	shrq	$16, %rax
	cmpq	$PAGER, %rax
	je	3f
	testq	%rbx, %rbx		/* a length may be 0 and a flag */
	jz	1f
	movb	(%rbx), %al
	testq	%rbp, %rbp
	jns	1f
	movb	%al, (%rbx)
1:	testq	%r14, %r14
	jz	2f
	movb	(%r14), %al
2:	xorl	%edi, %edi
	movl	$2, %eax		/* door_return */
	syscall
	xorl	%r13d, %r13d		/* a handle went meanwhile */
	xorl	%edi, %edi
	movl	$2, %eax
	syscall
	ud2
3:	movl	$PAGER_REFUSES, %edi	/* else the touch is made again, for ever */
	xorl	%r13d, %r13d
	movl	$2, %eax
	syscall
	ud2

fuzz_thread:
	movq	%rdi, %rax
	xorl	%edi, %edi
	syscall
	ud2
	.section .note.GNU-stack, "", @progbits
