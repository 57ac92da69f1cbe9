/* SPDX-License-Identifier: GPL-2.0-only */
/* trampoline.S - the first instructions of every CPU but the first: real mode to long mode.
 * smp.c copies [trampoline_begin, trampoline_end) to a page below 1 MiB and fills in the addresses marked "by smp.c".
 * State at the entry (Intel SDM volume 3, 8.4.4.1): real mode, cs = page << 8, ip = 0. The tables show the low page at its
 * own address and the kernel half; nothing of this page is used after the jump to smp_enter. */
#include "kernel/arch/x86_64/layout.h"

#define AT(symbol) ((symbol) - trampoline_begin)
#define CR0_PROTECTED 0x11	/* PE ET; caches on */
#define CR0_LONG 0x80010033	/* PG WP NE ET MP PE */
#define CR4_PAE (1 << 5)
#define MSR_EFER 0xc0000080
#define EFER_LME (1 << 8)

	.section .rodata.trampoline, "a"
	.balign	16
	.globl	trampoline_begin
	.code16
trampoline_begin:
	cli
	cld
	movw	%cs, %ax
	movw	%ax, %ds
	movzwl	%ax, %ebx
	shll	$4, %ebx		/* ebx = this page */
	lgdtl	AT(trampoline_gdt_pointer)
	movl	$CR0_PROTECTED, %eax
	movl	%eax, %cr0
	ljmpl	*AT(trampoline_far32)

	.code32
protected:
	movl	$0x10, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	AT(trampoline_root)(%ebx), %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	orl	AT(trampoline_efer)(%ebx), %eax
	wrmsr
	movl	$CR0_LONG, %eax
	movl	%eax, %cr0
	ljmpl	*AT(trampoline_far64)(%ebx)

	.code64
long_mode:
	movabsq	$smp_enter, %rax
	jmp	*%rax

	.balign	8
trampoline_gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* 0x08 64-bit code */
	.quad	0x00cf93000000ffff	/* 0x10 data */
	.quad	0x00cf9b000000ffff	/* 0x18 32-bit code */
	.globl	trampoline_gdt_pointer, trampoline_far32, trampoline_far64, trampoline_root, trampoline_efer
trampoline_gdt_pointer:
	.word	. - trampoline_gdt - 1
	.long	AT(trampoline_gdt)	/* by smp.c: + page */
	.balign	8
trampoline_far32:
	.long	AT(protected)		/* by smp.c: + page */
	.word	0x18
	.balign	8
trampoline_far64:
	.long	AT(long_mode)		/* by smp.c: + page */
	.word	0x08
	.balign	8
trampoline_root:
	.long	0			/* by smp.c */
trampoline_efer:
	.long	0			/* by smp.c: NXE, if tables have NX bits */
	.globl	trampoline_end
trampoline_end:

	.text
	.code64
/* In the image, on the temporary tables: take the kernel's own, and the idle stack. */
smp_enter:
	movq	smp_kernel_root(%rip), %rax
	movq	%rax, %cr3
	movq	smp_stack(%rip), %rsp
	xorl	%ebp, %ebp
	pushq	$0
	jmp	smp_main

	.section .note.GNU-stack, "", @progbits
