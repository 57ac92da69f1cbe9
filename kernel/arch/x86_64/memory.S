/* SPDX-License-Identifier: GPL-2.0-only */
/* memory.S - memcpy, memmove, memset, memcmp: the C compiler calls them by itself, and code may through the __builtin_
 * names. By eights, then bytes. Kernel addresses only; user memory is usercopy.S's. */
	.text

/* void *memcpy(void *to, const void *from, size_t bytes) */
	.globl	memcpy
	.balign	16
memcpy:
	movq	%rdi, %rax
	movq	%rdx, %rcx
	shrq	$3, %rcx
	rep movsq
	movl	%edx, %ecx
	andl	$7, %ecx
	rep movsb
	ret

/* void *memmove(void *to, const void *from, size_t bytes) */
	.globl	memmove
	.balign	16
memmove:
	movq	%rdi, %rax
	subq	%rsi, %rax
	cmpq	%rdx, %rax		/* to - from >= bytes, unsigned: forward is safe */
	jae	memcpy
	movq	%rdi, %rax
	leaq	-1(%rdi, %rdx), %rdi
	leaq	-1(%rsi, %rdx), %rsi
	movq	%rdx, %rcx
	std
	rep movsb
	cld
	ret

/* void *memset(void *to, int value, size_t bytes) */
	.globl	memset
	.balign	16
memset:
	movq	%rdi, %r8
	movzbl	%sil, %eax
	movabsq	$0x0101010101010101, %rcx
	imulq	%rcx, %rax
	movq	%rdx, %rcx
	shrq	$3, %rcx
	rep stosq
	movl	%edx, %ecx
	andl	$7, %ecx
	rep stosb
	movq	%r8, %rax
	ret

/* int memcmp(const void *a, const void *b, size_t bytes) */
	.globl	memcmp
	.balign	16
memcmp:
	xorl	%eax, %eax
	movq	%rdx, %rcx
	cmpq	%rcx, %rcx		/* equal, if there is nothing to compare */
	repe cmpsb
	je	1f
	movzbl	-1(%rdi), %ecx
	movzbl	-1(%rsi), %eax
	subl	%ecx, %eax
1:	ret

	.section .note.GNU-stack, "", @progbits
