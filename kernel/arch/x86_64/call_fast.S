/* SPDX-License-Identifier: GPL-2.0-only */
/* call_fast.S - the short way of a door call and of its return: kernel/call.c less everything uncommon. And the null call.
 *
 * Used where the CPU has FSGSBASE and XSAVE and no PCIDs (cpuid.c chooses); the rest goes to syscall_entry_long.
 *
 * Rules
 * - Interrupts are off from `syscall` to `sysret`. That is the only lock: rounds (handle.h L2, process.c I1) and the
 *   scheduler come before it or after it. Nothing here is written that another CPU writes, or reads other than to end
 *   a process, to revoke memory or to count.
 * - Up to "point of no return" nothing is changed but registers, and syscall_entry_long gets them back: a call without
 *   handles and windows has rbp, r13 and r15 0, and rbx and r14 mean nothing; a return has nothing in r13.
 * - rsp stays the user's: no instruction here can fault (every pointer is the kernel's own; FS bases are canonical, since
 *   they come from rdfsbase or from door_donate's check), NMI and machine check have stacks of their own.
 * - rcx and r11 leave as sysret wants them: the receiver's own rip and flags. */
#include "kernel/arch/x86_64/call_fast.h"
#include "kernel/arch/x86_64/frame.h"
#include "kernel/arch/x86_64/layout.h"

/* All vector and x87 state initial, MXCSR and control word too. Eats eax and edx. */
.macro CLEAR_FPU
	movl	fpu_components(%rip), %eax
	xorl	%edx, %edx
	xrstor64 fpu_initial(%rip)
.endm

/* From the space of the cell `from` to that of `to`, on this CPU. S3 of mm/space.h: mov to cr3 is serialising and, without
 * PCIDs, drops what was cached. A call to oneself changes nothing. Eats rax. */
.macro SWITCH_ROOT from, to
	cmpq	\from, \to
	je	1f
	movl	$1, CELL_ACTIVE(\to)
	movq	CELL_ROOT(\to), %rax
	movq	%rax, %cr3
	movl	$0, CELL_ACTIVE(\from)
	movq	\to, %gs:CPU_CELL
1:
.endm

/* In: edi the handle, eax the same. Out: rbx door, rbp activation (still on the list), r13 serving_cpu, r14 caller,
 * r15 thread. Eats rax; to `long` if anything is uncommon. */
.macro LOOK_UP long
	/* The door: page, slot and generation of the handle (handle.h, L1-L3). */
	movzbl	%ah, %ebx
	movzbl	%al, %ebp
	shrl	$16, %eax
	movq	%gs:CPU_CURRENT, %r15
	movq	THREAD_HERE(%r15), %r14
	movq	PROCESS_SLOTS(%r14), %r13
	movq	(%r13, %rbx, 8), %r13
	shll	$4, %ebp
	addq	%rbp, %r13
	cmpw	%ax, SLOT_GENERATION(%r13)
	jne	\long
	testl	$SLOT_IS_DOOR, SLOT_RIGHTS(%r13)
	jz	\long
	movq	SLOT_OBJECT(%r13), %rbx
	cmpw	%ax, SLOT_GENERATION(%r13)
	jne	\long

	/* An activation. If the server is ending, or somebody waits for one, there is none. */
	movq	DOOR_SERVING(%rbx), %r13
	movl	%gs:CPU_INDEX, %eax
	movq	SERVING_CPU(%r13, %rax, 8), %r13
	movq	HERE_FREE(%r13), %rbp
	testq	%rbp, %rbp
	jz	\long
	cmpl	$DEPTH_MAX, THREAD_DEPTH(%r15)
	jae	\long
.endm

/* From there into the server, but for the message, rip, rsp and the vector registers. Eats rax, r13, r14. */
.macro ENTER
	movq	ACTIVATION_NEXT(%rbp), %rax
	movq	%rax, HERE_FREE(%r13)
	incl	HERE_INSIDE(%r13)
	incq	HERE_CALLS(%r13)
	incq	%gs:CPU_DOOR_CALLS
	incl	THREAD_DEPTH(%r15)
	movq	THREAD_ACTIVATION(%r15), %rax
	movq	%rax, ACTIVATION_OUTER(%rbp)
	movq	%rbp, THREAD_ACTIVATION(%r15)
	movq	ACTIVATION_SERVER(%rbp), %rax
	movq	%rax, THREAD_HERE(%r15)
	movq	%r15, ACTIVATION_THREAD(%rbp)
	movq	%r14, ACTIVATION_CALLER(%rbp)
	movq	%rbx, ACTIVATION_DOOR(%rbp)
	rdfsbase %rax
	movq	%rax, ACTIVATION_FS(%rbp)
	stmxcsr	ACTIVATION_MXCSR(%rbp)
	fnstcw	ACTIVATION_X87(%rbp)

	movq	%gs:CPU_CELL, %r14
	movq	ACTIVATION_CELL(%rbp), %r13
	movq	%r14, ACTIVATION_CALLER_CELL(%rbp)
	SWITCH_ROOT %r14, %r13
	movq	ACTIVATION_TLS(%rbp), %rax
	wrfsbase %rax
.endm

	.text
	.globl	syscall_entry_fast
	.balign	64
syscall_entry_fast:
	swapgs
	cmpq	$NUMBER_DOOR_CALL, %rax
	jne	not_call

	movq	%r13, %rax
	orq	%rbp, %rax
	orq	%r15, %rax
	jnz	call_with_more
	cmpl	$0, %gs:CPU_RETURN_WORK
	jne	call_long
	movl	%edi, %eax
	cmpq	%rax, %rdi		/* a deadline */
	jne	call_long

	LOOK_UP call_long

	/* ---- point of no return ---- */
	movq	%rcx, ACTIVATION_RIP(%rbp)
	movq	%rsp, ACTIVATION_RSP(%rbp)
	ENTER
	movq	%rdx, %r13
	CLEAR_FPU
	movq	%r13, %rdx

	movq	DOOR_ENTRY(%rbx), %rcx
	movq	DOOR_BADGE(%rbx), %rdi
	movq	ACTIVATION_STACK(%rbp), %rsp
	movl	$(FLAG_IF | FLAG_FIXED), %r11d
	xorl	%eax, %eax
	xorl	%ebx, %ebx
	xorl	%ebp, %ebp
	xorl	%r13d, %r13d
	xorl	%r14d, %r14d
	xorl	%r15d, %r15d
	swapgs
	wrgsbase %rax
	sysretq

call_long:
	xorl	%ebx, %ebx
	xorl	%ebp, %ebp
	xorl	%r13d, %r13d
	xorl	%r14d, %r14d
	xorl	%r15d, %r15d
call_not_quick:
	movl	$NUMBER_DOOR_CALL, %eax
	jmp	syscall_entry_long

/* With windows: C maps them, on the kernel's stack and with a whole frame, so that the long way can take over. */
call_with_more:
	testq	%r13, %r13		/* handles */
	jnz	call_not_quick
	cmpl	$0, %gs:CPU_RETURN_WORK
	jne	call_not_quick
	movl	%edi, %eax
	cmpq	%rax, %rdi
	jne	call_not_quick
	movq	%rsp, %gs:CPU_USER_RSP
	movq	%gs:CPU_KSTACK_TOP, %rsp
	pushq	$USER_SS
	pushq	%gs:CPU_USER_RSP
	pushq	%r11
	pushq	$USER_CS
	pushq	%rcx
	pushq	$NUMBER_DOOR_CALL
	pushq	$VECTOR_SYSCALL
	SAVE_REGISTERS
	movq	$NUMBER_DOOR_CALL, FRAME_RAX(%rsp)
	LOOK_UP call_framed
	movq	%rbp, %rdi
	movq	%rsp, %rsi
	movq	%r14, %rdx
	call	call_quick_map
	testb	%al, %al
	jz	call_framed

	/* ---- point of no return ---- */
	movq	FRAME_RIP(%rsp), %rax
	movq	%rax, ACTIVATION_RIP(%rbp)
	movq	FRAME_RSP(%rsp), %rax
	movq	%rax, ACTIVATION_RSP(%rbp)
	movl	$SPECIAL_IS_WINDOWS, ACTIVATION_SPECIAL(%rbp)
	ENTER
	CLEAR_FPU
	movq	DOOR_ENTRY(%rbx), %rcx
	movq	DOOR_BADGE(%rbx), %rdi
	movq	ACTIVATION_STACK(%rbp), %rax
	movq	FRAME_R15(%rsp), %r15
	movq	FRAME_R14(%rsp), %r14
	movq	FRAME_RBP(%rsp), %rbp
	movq	FRAME_RBX(%rsp), %rbx
	movq	FRAME_R10(%rsp), %r10
	movq	FRAME_R9(%rsp), %r9
	movq	FRAME_R8(%rsp), %r8
	movq	FRAME_RDX(%rsp), %rdx
	movq	FRAME_RSI(%rsp), %rsi
	movq	%rax, %rsp
	movl	$(FLAG_IF | FLAG_FIXED), %r11d
	xorl	%eax, %eax
	xorl	%r13d, %r13d
	swapgs
	wrgsbase %rax
	sysretq
call_framed:
	movq	%rsp, %rdi
	jmp	syscall_entry_framed

not_call:
	cmpq	$NUMBER_DOOR_RETURN, %rax
	jne	not_return

	testq	%r13, %r13		/* handles */
	jnz	syscall_entry_long
	cmpl	$0, %gs:CPU_RETURN_WORK
	jne	syscall_entry_long
	movq	%gs:CPU_CURRENT, %r13
	movq	THREAD_ACTIVATION(%r13), %r13
	testq	%r13, %r13
	jz	return_long
	movq	ACTIVATION_CALLER(%r13), %rax
	cmpl	$STATE_ENDING, PROCESS_STATE(%rax)
	jae	return_long
	movq	ACTIVATION_HERE(%r13), %rax
	addq	$HERE_WAITERS, %rax
	cmpq	%rax, (%rax)		/* an empty list points to itself */
	jne	return_long
	movl	ACTIVATION_SPECIAL(%r13), %eax
	testl	%eax, %eax
	jnz	return_special
return_quick:

	/* ---- point of no return: r13 activation; rbx, rbp, r14, r15 end as 0 ---- */
	movq	%gs:CPU_CURRENT, %r15
	movq	ACTIVATION_HERE(%r13), %r14
	movq	HERE_FREE(%r14), %rax
	movq	%rax, ACTIVATION_NEXT(%r13)
	movq	%r13, HERE_FREE(%r14)
	decl	HERE_INSIDE(%r14)
	movq	ACTIVATION_CALLER(%r13), %rax
	movq	%rax, THREAD_HERE(%r15)
	movq	ACTIVATION_OUTER(%r13), %rax
	movq	%rax, THREAD_ACTIVATION(%r15)
	decl	THREAD_DEPTH(%r15)
	movq	$0, ACTIVATION_THREAD(%r13)

	movq	ACTIVATION_CELL(%r13), %rbp
	movq	ACTIVATION_CALLER_CELL(%r13), %rbx
	SWITCH_ROOT %rbp, %rbx
	movq	ACTIVATION_FS(%r13), %rax
	wrfsbase %rax
	movq	%rdx, %rbx
	CLEAR_FPU
	movq	%rbx, %rdx
	ldmxcsr	ACTIVATION_MXCSR(%r13)
	fldcw	ACTIVATION_X87(%r13)

	movslq	%edi, %rax
	movq	ACTIVATION_RIP(%r13), %rcx
	movq	ACTIVATION_RSP(%r13), %rsp
	movl	$(FLAG_IF | FLAG_FIXED), %r11d
	xorl	%edi, %edi
	xorl	%ebx, %ebx
	xorl	%ebp, %ebp
	xorl	%r13d, %r13d
	xorl	%r14d, %r14d
	xorl	%r15d, %r15d
	swapgs
	wrgsbase %rdi
	sysretq

return_special:
	cmpl	$SPECIAL_IS_WINDOWS, %eax
	jne	return_long
	movq	%rsp, %gs:CPU_USER_RSP
	movq	%gs:CPU_KSTACK_TOP, %rsp
	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	movq	%r13, %rdi
	call	call_quick_unmap
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
	movq	%gs:CPU_USER_RSP, %rsp
	testb	%al, %al
	jz	return_long
	movl	$0, ACTIVATION_SPECIAL(%r13)
	jmp	return_quick

return_long:
	xorl	%r13d, %r13d
	movl	$NUMBER_DOOR_RETURN, %eax
	jmp	syscall_entry_long

/* Calls that need nothing but registers: null. */
not_return:
	testq	%rax, %rax
	jnz	syscall_entry_long
	cmpl	$0, %gs:CPU_RETURN_WORK
	jne	syscall_entry_long
	testl	$(FLAG_TF | FLAG_RF), %r11d /* these leave by iret */
	jnz	syscall_entry_long
	incq	%gs:CPU_SYSTEM_CALLS
	xorl	%edi, %edi
	xorl	%esi, %esi
	xorl	%edx, %edx
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	xorl	%r10d, %r10d
	swapgs
	wrgsbase %rdi
	sysretq

	.section .note.GNU-stack, "", @progbits
