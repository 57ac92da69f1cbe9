/* SPDX-License-Identifier: GPL-2.0-only */
/* call_fast.S - the short way of a door call and of its return, kernel/call.c less everything uncommon; and the null
 * call. For CPUs with FSGSBASE and XSAVE and without PCIDs (cpuid.c chooses); what is uncommon goes to syscall_entry_long. */
#include "kernel/arch/x86_64/call_fast.h"
#include "kernel/arch/x86_64/frame.h"
#include "kernel/arch/x86_64/layout.h"

#define ENTRY syscall_entry_fast

.macro CHECK_SERVER_ROOT other
.endm
.macro CHECK_CALLER_ROOT other
.endm

/* S3 of mm/space.h: mov to cr3 is serialising and drops what was cached. A call to oneself counts twice in between. */
.macro SWITCH_ROOT from, to
	incl	CELL_ACTIVE(\to)
	movq	CELL_ROOT(\to), %rax
	movq	%rax, %cr3
	decl	CELL_ACTIVE(\from)
	movq	\to, %gs:CPU_CELL
.endm

.macro HIDE window
	cmpl	$0, \window + WINDOW_STATE(%rbx)
	je	8f
	movq	\window + WINDOW_FIRST(%rbx), %rax
	movl	\window + WINDOW_ENTRIES(%rbx), %ecx
7:	andq	$~ENTRY_PRESENT, -8(%rax, %rcx, 8)
	decl	%ecx
	jnz	7b
	movl	$0, \window + WINDOW_STATE(%rbx)
8:
.endm

.macro CLOSE_WINDOWS			/* the caller's root drops them from the TLB */
	HIDE	ACTIVATION_WINDOW_0
	HIDE	ACTIVATION_WINDOW_1
.endm

#include "kernel/arch/x86_64/call_fast_path.h"

	.section .note.GNU-stack, "", @progbits
