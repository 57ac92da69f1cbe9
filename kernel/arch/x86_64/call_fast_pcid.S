/* SPDX-License-Identifier: GPL-2.0-only */
/* call_fast_pcid.S - the short way of a door call on CPUs with PCIDs: like call_fast.S, but a root is loaded without a
 * flush while this CPU keeps its translations (mmu.c), and windows are flushed one by one when they close. */
#include "kernel/arch/x86_64/call_fast.h"
#include "kernel/arch/x86_64/frame.h"
#include "kernel/arch/x86_64/layout.h"

#define ENTRY syscall_entry_fast_pcid

/* Is the cell's tag still this root's? Nobody's: pcid_root[0] is 0. */
.macro CHECK_ROOT cell, root, other
	movl	CELL_PCID(\cell), %eax
	movq	CELL_ROOT(\cell), \root
	cmpq	\root, %gs:CPU_PCID_ROOT(, %rax, 8)
	jne	\other
.endm
.macro CHECK_SERVER_ROOT other
	movq	ACTIVATION_CELL(%r11), %rcx
	CHECK_ROOT %rcx, %rcx, \other
	movq	ACTIVATION_HERE(%r11), %rax
.endm
.macro CHECK_CALLER_ROOT other
	CHECK_ROOT %r14, %rbp, \other
.endm

/* S3 of mm/space.h, and the pair of mm/tlb.c: `active` is stored, by a locked instruction, before `stale` is looked at;
 * and that is cleared before the load that makes it good. */
.macro SWITCH_ROOT from, to
	lock incl CELL_ACTIVE(\to)
	movl	CELL_PCID(\to), %eax
	orq	CELL_ROOT(\to), %rax
	cmpl	$0, CELL_STALE(\to)
	jne	5f
	orq	cr3_no_flush(%rip), %rax
6:	movq	%rax, %cr3
	decl	CELL_ACTIVE(\from)
	movq	\to, %gs:CPU_CELL
	.subsection 1
5:	movl	$0, CELL_STALE(\to)
	jmp	6b
	.previous
.endm

.macro CLOSE_WINDOWS
	movq	%rsp, %gs:CPU_USER_RSP
	movq	%gs:CPU_KSTACK_TOP, %rsp
	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%r8
	pushq	%r9
	pushq	%r10
	movq	%rbx, %rdi
	call	call_quick_close
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdx
	popq	%rsi
	popq	%rdi
	movq	%gs:CPU_USER_RSP, %rsp
.endm

#include "kernel/arch/x86_64/call_fast_path.h"

	.section .note.GNU-stack, "", @progbits
