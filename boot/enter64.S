/* SPDX-License-Identifier: GPL-2.0-only */
/* enter64.S - from 32-bit protected mode without paging to 64-bit C at the linked address. Every entry joins at
 * boot_enter; the UEFI entry comes down from long mode first, so that there is one builder of page tables.
 * Rules: all this runs at its physical address; memory of the loader's is not touched; .bss is zero already (ELF
 * loaders clear it). Page tables: see layout.h. */

#include "boot/layout.h"

#define PHYSICAL(symbol) ((symbol) - BOOT_IMAGE_VIRTUAL)
#define SELECTOR_CODE64 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_CODE32 0x18
#define CR0_PAGING (1 << 31)
#define CR0_BOOT 0x80010033 /* PG WP NE ET MP PE */
#define CR4_PAE (1 << 5)
#define MSR_EFER 0xc0000080
#define EFER_LME (1 << 8)
#define EFER_NXE (1 << 11)
#define CPUID_NX (1 << 20)
#define CPUID_LM (1 << 29)
#define EFLAGS_ID (1 << 21)
#define UART 0x3f8
#define UART_STATUS (UART + 5)
#define UART_EMPTY 0x20
#define LEAF 0x83  /* present, writable, 2 MiB */
#define TABLE 0x03 /* present, writable */

	.section .boot, "ax"

/* From the UEFI application, in long mode and identity-mapped. rdi = struct boot_raw, below 4 GiB. */
	.code64
	.globl uefi_start
uefi_start:
	cli
	cld
	lgdt	PHYSICAL(boot_gdt_low)
	movl	$PHYSICAL(boot_stack_top), %esp
	pushq	$SELECTOR_CODE32
	pushq	$1f
	lretq
	.code32
1:	movl	$SELECTOR_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	%cr0, %eax
	andl	$~CR0_PAGING, %eax
	movl	%eax, %cr0
	movl	$MSR_EFER, %ecx
	rdmsr
	andl	$~EFER_LME, %eax
	wrmsr
	movl	$PHYSICAL(boot_from_uefi), %ebp

/* edi = what the C entry takes, ebp = physical address of the C entry, flat segments. */
	.globl boot_enter
boot_enter:
	cli
	cld
	movl	$PHYSICAL(boot_stack_top), %esp
	call	check_cpu		/* esi = CPUID 0x80000001 edx */
	call	build_tables
	movl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	$PHYSICAL(boot_root), %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	testl	$CPUID_NX, %esi
	jz	1f
	orl	$EFER_NXE, %eax
1:	wrmsr
	movl	$CR0_BOOT, %eax
	movl	%eax, %cr0
	lgdt	PHYSICAL(boot_gdt_low)
	ljmp	$SELECTOR_CODE64, $2f

	.code64
2:	movq	$boot_stack_top, %rsp
	lgdt	boot_gdt_high
	movl	$SELECTOR_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	lldt	%ax
	movl	%edi, %edi		/* upper halves are undefined after the switch */
	movl	%ebp, %eax
	addq	$BOOT_IMAGE_VIRTUAL, %rax
	xorl	%ebp, %ebp		/* ends the chain of frames */
	pushq	$0			/* C expects rsp + 8 to be 16-byte aligned at its entry */
	jmp	*%rax

	.code32
build_tables:
	movl	$PHYSICAL(boot_leaves), %ebx
	movl	$LEAF, %eax
1:	movl	%eax, (%ebx)
	movl	$0, 4(%ebx)
	addl	$8, %ebx
	addl	$0x200000, %eax
	jnc	1b			/* 2,048 leaves: until 4 GiB */
	movl	$PHYSICAL(boot_leaves) + TABLE, %eax
	movl	%eax, PHYSICAL(boot_low)
	movl	%eax, PHYSICAL(boot_high) + 510 * 8
	addl	$0x1000, %eax
	movl	%eax, PHYSICAL(boot_low) + 8
	movl	%eax, PHYSICAL(boot_high) + 511 * 8
	addl	$0x1000, %eax
	movl	%eax, PHYSICAL(boot_low) + 16
	addl	$0x1000, %eax
	movl	%eax, PHYSICAL(boot_low) + 24
	movl	$PHYSICAL(boot_low) + TABLE, %eax
	movl	%eax, PHYSICAL(boot_root)
	movl	%eax, PHYSICAL(boot_root) + 256 * 8
	movl	$PHYSICAL(boot_high) + TABLE, %eax
	movl	%eax, PHYSICAL(boot_root) + 511 * 8
	ret

check_cpu:
	pushfl
	popl	%eax
	movl	%eax, %ecx
	xorl	$EFLAGS_ID, %eax
	pushl	%eax
	popfl
	pushfl
	popl	%eax
	xorl	%ecx, %eax
	testl	$EFLAGS_ID, %eax
	jz	no_long_mode
	movl	$0x80000000, %eax
	cpuid
	cmpl	$0x80000001, %eax
	jb	no_long_mode
	movl	$0x80000001, %eax
	cpuid
	testl	$CPUID_LM, %edx
	jz	no_long_mode
	movl	%edx, %esi
	ret
no_long_mode:
	movl	$text_no_long_mode, %esi

/* esi = a text for the first serial port; does not return. */
	.globl boot_stop
boot_stop:
	lodsb
	testb	%al, %al
	jz	3f
	movb	%al, %ah
	movl	$100000, %ecx		/* a port that is not there never says "empty" */
	movl	$UART_STATUS, %edx
1:	inb	%dx, %al
	testb	$UART_EMPTY, %al
	jnz	2f
	decl	%ecx
	jnz	1b
2:	movb	%ah, %al
	movl	$UART, %edx
	outb	%al, %dx
	jmp	boot_stop
3:	cli
	hlt
	jmp	3b

text_no_long_mode:
	.asciz	"lintel: this CPU has no 64-bit mode (CPUID 0x80000001, edx bit 29); stopped\r\n"

	.section .rodata
	.balign	8
boot_gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* 0x08 64-bit code; all marked "accessed", so the CPU never writes here */
	.quad	0x00cf93000000ffff	/* 0x10 data */
	.quad	0x00cf9b000000ffff	/* 0x18 32-bit code */
boot_gdt_end:
boot_gdt_low:
	.word	boot_gdt_end - boot_gdt - 1
	.quad	PHYSICAL(boot_gdt)
boot_gdt_high:
	.word	boot_gdt_end - boot_gdt - 1
	.quad	boot_gdt

	.section .bss.page, "aw", @nobits
	.balign	4096
boot_root:
	.skip	4096
boot_low:
	.skip	4096
boot_high:
	.skip	4096
boot_leaves:
	.skip	4 * 4096
	.globl	boot_stack_guard, boot_stack, boot_stack_top
boot_stack_guard:			/* mm_init may leave this page unmapped */
	.skip	4096
boot_stack:
	.skip	BOOT_STACK_BYTES
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
