/* SPDX-License-Identifier: GPL-2.0-only */
/* call_fast_path.h - the code of call_fast.S and call_fast_pcid.S, for assembly: what they do alike.
 *
 * They define, before they include this:
 *   ENTRY                    the entry's name
 *   CHECK_SERVER_ROOT other  to `other` if SWITCH_ROOT cannot load the server's root. In: r11, rax serving_cpu, which
 *                            stays. Eats rcx
 *   CHECK_CALLER_ROOT other  the same for the caller's cell in r14. Eats rax, rbp
 *   SWITCH_ROOT from, to     from the space of one cell to that of another, on this CPU. Eats rax
 *   CLOSE_WINDOWS            hide both windows of the activation in rbx, all that are open being whole. Eats rax, rcx
 *
 * Rules
 * - Interrupts are off from `syscall` to `sysret`. That is the only lock: rounds (handle.h L2, process.c I1) and the
 *   scheduler come before it or after it. Nothing here is written that another CPU writes, or reads other than to end
 *   a process, to revoke memory or to count. Nor is cpu->return_work looked at: whoever has work for us from outside
 *   sends an interrupt, and that comes after `sysret`; what we had ourselves was done before we last left.
 * - Up to "point of no return" nothing is changed but registers, what is dead in a free activation, and windows that
 *   are shown there and that nobody is in. syscall_entry_long gets the registers back: a call without handles and
 *   windows has rbp, r13 and r15 0, and rbx and r14 mean nothing; a return has nothing in r13, rbx, rbp, r14 and r15.
 *   The user's flags end with every crossing (lintel/door.h).
 * - rsp stays the user's: no instruction here can fault (every pointer is the kernel's own; FS bases are canonical, as
 *   they come from rdfsbase or from door_donate's check), NMI and machine check have stacks of their own.
 * - rcx and r11 leave as sysret wants them: the receiver's own rip and flags. */
#pragma once

#define USER_FLAGS (FLAG_IF | FLAG_FIXED)

/* All vector and x87 state initial, MXCSR and control word too. XRSTOR takes edx:eax AND XCR0 (SDM volume 1, 13.8), and
 * XCR0 has no high half here: edx does not matter. Eats eax. */
.macro CLEAR_FPU
	movl	$-1, %eax
	xrstor64 fpu_initial(%rip)
.endm

/* In: rdi the handle. Out: the door, the caller's cell, rax serving_cpu, r11 activation (still on the list). To `long`
 * if anything is uncommon, a deadline too: then rdi is more than a handle (handle.h, L1-L3). `cell` may be r11. */
.macro LOOK_UP door, cell, long
	movq	%gs:CPU_CELL, \cell
	movzwl	%di, %eax
	movq	CELL_DOORS(\cell), %r11
	shrl	$8, %eax
	movq	(%r11, %rax, 8), %r11
	movzbl	%dil, %eax
	shll	$4, %eax
	addq	%r11, %rax
	cmpq	%rdi, SLOT_HANDLE(%rax)
	jne	\long
	movq	SLOT_DOOR(%rax), \door
	cmpq	%rdi, SLOT_HANDLE(%rax)
	jne	\long

	/* An activation. If the server is ending, or somebody waits for one, there is none. */
	movl	%gs:CPU_INDEX, %eax
	movq	DOOR_SERVING(\door), %r11
	movq	SERVING_CPU(%r11, %rax, 8), %rax
	movq	HERE_FREE(%rax), %r11
	testq	%r11, %r11
	jz	\long
.endm

/* From there into the server, but for the message, the root, rip, rsp and the vector registers. In: rax serving_cpu,
 * rcx thread, r11 activation. Out: rdi the server's cell. */
.macro ENTER door
	incl	THREAD_DEPTH(%rcx)
	movq	ACTIVATION_NEXT(%r11), %rdi
	movq	%rdi, HERE_FREE(%rax)
	incq	HERE_ARRIVED(%rax)
	movq	THREAD_ACTIVATION(%rcx), %rdi
	movq	%rdi, ACTIVATION_OUTER(%r11)
	movq	%r11, THREAD_ACTIVATION(%rcx)
	movq	%rcx, ACTIVATION_THREAD(%r11)
	movq	\door, ACTIVATION_DOOR(%r11)
	rdfsbase %rdi
	movq	%rdi, ACTIVATION_FS(%r11)
	stmxcsr	ACTIVATION_MXCSR(%r11)
	fnstcw	ACTIVATION_X87(%r11)
	movq	ACTIVATION_CELL(%r11), %rdi
.endm

/* The rest, from the space of the cell `from`. Eats rax. */
.macro SWITCH from
	movq	\from, ACTIVATION_CALLER_CELL(%r11)
	SWITCH_ROOT \from, %rdi
	movq	ACTIVATION_TLS(%r11), %rax
	wrfsbase %rax
.endm

/* Does the window (its offset in the activation) remember this very buffer? The same pages, the same right, the same
 * client (mm/window.h). Eats rax, rcx. */
.macro REMEMBERED window, address, length, miss
	movq	\window + WINDOW_LIMIT(%r11), %rcx
	movq	\window + WINDOW_BYTES(%r11), %rax
	subq	\address, %rcx			/* from the buffer to the window's end */
	subq	%rcx, %rax			/* from the window's start to the buffer */
	cmpq	$4095, %rax
	ja	\miss
	movq	\length, %rax
	xorq	\window + WINDOW_RIGHT(%r11), %rax	/* with the same right, the bare length */
	jz	\miss
	subq	%rax, %rcx			/* from the buffer's end to the window's */
	jb	\miss
	cmpq	$4095, %rcx
	ja	\miss
	movq	\window + WINDOW_SHOWS(%r11), %rax
	cmpq	%gs:CPU_CELL, %rax
	jne	\miss
.endm

/* Show it; `address` becomes the server's. Eats rax, rcx. */
.macro SHOW window, address
	movq	\window + WINDOW_FIRST(%r11), %rax
	movl	\window + WINDOW_ENTRIES(%r11), %ecx
7:	orq	$ENTRY_PRESENT, -8(%rax, %rcx, 8)
	decl	%ecx
	jnz	7b
	movl	$STATE_WHOLE, \window + WINDOW_STATE(%r11)
	addq	\window + WINDOW_SHIFT(%r11), \address
.endm

/* The server's, or the caller's, user mode. `zero` is 0: GS base, so that it carries nothing. */
.macro USER_MODE zero
	swapgs
	wrgsbase \zero
	sysretq
.endm

/* The server's rip, badge, stack and flags; eax is 0. In: r11 activation, which is not known any more. */
.macro START door
	movq	DOOR_ENTRY(\door), %rcx
	movq	DOOR_BADGE(\door), %rdi
	movq	ACTIVATION_STACK(%r11), %rsp
	movl	$USER_FLAGS, %r11d
	xorl	%eax, %eax
.endm

	.text
	.globl	ENTRY
	.balign	64
ENTRY:
	swapgs
	cmpq	$NUMBER_DOOR_CALL, %rax
	jne	not_call

	movq	%r13, %rax
	orq	%rbp, %rax
	orq	%r15, %rax
	jnz	call_with_more
call_look_up:
	LOOK_UP	%rbx, %r14, call_long
	movq	%rcx, ACTIVATION_RIP(%r11)
	CHECK_SERVER_ROOT call_uncommon
	movq	%gs:CPU_CURRENT, %rcx
	cmpl	$DEPTH_MAX, THREAD_DEPTH(%rcx)
	jae	call_uncommon

	/* ---- point of no return ---- */
call_enter:
	movq	%rsp, ACTIVATION_RSP(%r11)
	ENTER	%rbx
	SWITCH	%r14
call_leave_kernel:
	CLEAR_FPU
	START	%rbx
	xorl	%ebx, %ebx
	xorl	%r14d, %r14d
	USER_MODE %rax

call_uncommon:
	movq	ACTIVATION_RIP(%r11), %rcx
call_long:
	xorl	%ebx, %ebx
	xorl	%r14d, %r14d
call_not_quick:
	movl	$NUMBER_DOOR_CALL, %eax
	movl	$USER_FLAGS, %r11d
	jmp	syscall_entry_long

/* With windows that remember their buffers, or else by way of C. */
call_with_more:
	testq	%r13, %r13		/* handles */
	jnz	call_not_quick
	LOOK_UP	%r13, %r11, call_more_long
	movq	%rcx, ACTIVATION_RIP(%r11)
	CHECK_SERVER_ROOT call_more_uncommon
	testq	%rbp, %rbp
	jz	call_no_window_0
	REMEMBERED ACTIVATION_WINDOW_0, %rbx, %rbp, call_window_miss
	SHOW	ACTIVATION_WINDOW_0, %rbx
call_window_1:
	testq	%r15, %r15
	jnz	call_window_1_too
	xorl	%r14d, %r14d
call_windows_shown:
	movq	%gs:CPU_CURRENT, %rcx
	cmpl	$DEPTH_MAX, THREAD_DEPTH(%rcx)
	jae	call_windows_uncommon

	/* ---- point of no return ---- */
	movl	$SPECIAL_IS_WINDOWS, ACTIVATION_SPECIAL(%r11)
	movq	%rsp, ACTIVATION_RSP(%r11)
	movq	ACTIVATION_HERE(%r11), %rax
	ENTER	%r13
	movq	%gs:CPU_CELL, %rcx
	SWITCH	%rcx
call_windows_leave_kernel:
	CLEAR_FPU
	START	%r13
	xorl	%r13d, %r13d
	USER_MODE %rax

call_no_window_0:
	xorl	%ebx, %ebx
	jmp	call_window_1
call_window_1_too:
	REMEMBERED ACTIVATION_WINDOW_1, %r14, %r15, call_window_1_miss
	SHOW	ACTIVATION_WINDOW_1, %r14
	jmp	call_windows_shown

call_windows_uncommon:			/* what is shown is hidden again by call_quick_map */
	testq	%r15, %r15
	jz	call_window_1_miss
	subq	ACTIVATION_WINDOW_1 + WINDOW_SHIFT(%r11), %r14
call_window_1_miss:
	testq	%rbp, %rbp
	jz	call_window_miss
	subq	ACTIVATION_WINDOW_0 + WINDOW_SHIFT(%r11), %rbx
call_window_miss:	/* C maps them, on the kernel's stack and with a whole frame, so that the long way can take over */
	movq	%r13, ACTIVATION_DOOR(%r11)	/* dead in a free one */
	movq	ACTIVATION_RIP(%r11), %rcx
	xorl	%r13d, %r13d
	movq	%rsp, %gs:CPU_USER_RSP
	movq	%gs:CPU_KSTACK_TOP, %rsp
	pushq	$USER_SS
	pushq	%gs:CPU_USER_RSP
	pushq	$USER_FLAGS
	pushq	$USER_CS
	pushq	%rcx
	pushq	$NUMBER_DOOR_CALL
	pushq	$VECTOR_SYSCALL
	SAVE_REGISTERS
	movq	$NUMBER_DOOR_CALL, FRAME_RAX(%rsp)
	movq	%r11, %rbp
	movq	%r11, %rdi
	movq	%rsp, %rsi
	call	call_quick_map
	testb	%al, %al
	jz	call_framed

	/* ---- point of no return ---- */
	movq	%rbp, %r11
	movq	ACTIVATION_DOOR(%r11), %r13
	movq	FRAME_RIP(%rsp), %rdi
	movq	%rdi, ACTIVATION_RIP(%r11)
	movq	FRAME_RSP(%rsp), %rdi
	movq	%rdi, ACTIVATION_RSP(%r11)
	movl	$SPECIAL_IS_WINDOWS, ACTIVATION_SPECIAL(%r11)
	movq	ACTIVATION_HERE(%r11), %rax
	movq	%gs:CPU_CURRENT, %rcx
	ENTER	%r13
	movq	%gs:CPU_CELL, %rcx
	SWITCH	%rcx
	CLEAR_FPU
	movq	DOOR_ENTRY(%r13), %rcx
	movq	DOOR_BADGE(%r13), %rdi
	movq	ACTIVATION_STACK(%r11), %rax
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
	movl	$USER_FLAGS, %r11d
	xorl	%eax, %eax
	xorl	%r13d, %r13d
	USER_MODE %rax
call_more_uncommon:
	movq	ACTIVATION_RIP(%r11), %rcx
call_more_long:
	xorl	%r13d, %r13d
	jmp	call_not_quick
call_framed:
	movq	%rsp, %rdi
	jmp	syscall_entry_framed

not_call:
	cmpq	$NUMBER_DOOR_RETURN, %rax
	jne	not_return

	testq	%r13, %r13		/* handles */
	jnz	syscall_entry_long
return_look_up:
	movq	%gs:CPU_CURRENT, %r15
	movq	THREAD_ACTIVATION(%r15), %rbx
	testq	%rbx, %rbx
	jz	return_long
	movq	ACTIVATION_CALLER_CELL(%rbx), %r14
	CHECK_CALLER_ROOT return_long
	movq	ACTIVATION_HERE(%rbx), %rbp
	movl	CELL_ENDING(%r14), %eax
	orl	HERE_CROWDED(%rbp), %eax
	orl	ACTIVATION_SPECIAL(%rbx), %eax
	jnz	return_special

	/* ---- point of no return: rbx activation, r14 the caller's cell, rbp serving_cpu, r15 thread ---- */
return_enter:
	movq	HERE_FREE(%rbp), %rax
	movq	%rax, ACTIVATION_NEXT(%rbx)
	movq	%rbx, HERE_FREE(%rbp)
	incq	HERE_LEFT(%rbp)
	movq	ACTIVATION_OUTER(%rbx), %rax
	movq	%rax, THREAD_ACTIVATION(%r15)
	decl	THREAD_DEPTH(%r15)
	movq	%r13, ACTIVATION_THREAD(%rbx)	/* 0 */
	movq	ACTIVATION_CELL(%rbx), %rbp
	SWITCH_ROOT %rbp, %r14
	movq	ACTIVATION_FS(%rbx), %rax
	wrfsbase %rax
return_leave_kernel:
	CLEAR_FPU
	ldmxcsr	ACTIVATION_MXCSR(%rbx)
	fldcw	ACTIVATION_X87(%rbx)
	movslq	%edi, %rax
	movq	ACTIVATION_RIP(%rbx), %rcx
	movq	ACTIVATION_RSP(%rbx), %rsp
	movl	$USER_FLAGS, %r11d
	xorl	%edi, %edi
	xorl	%ebx, %ebx
	xorl	%ebp, %ebp
	xorl	%r14d, %r14d
	xorl	%r15d, %r15d
	USER_MODE %rdi

return_special:
	cmpl	$SPECIAL_IS_WINDOWS, %eax
	jne	return_long
	movl	ACTIVATION_WINDOW_0 + WINDOW_STATE(%rbx), %eax
	orl	ACTIVATION_WINDOW_1 + WINDOW_STATE(%rbx), %eax
	cmpl	$STATE_WHOLE, %eax
	jne	return_long
	CLOSE_WINDOWS
	movl	$0, ACTIVATION_SPECIAL(%rbx)
	jmp	return_enter

return_long:
	movl	$NUMBER_DOOR_RETURN, %eax
	movl	$USER_FLAGS, %r11d
	jmp	syscall_entry_long

/* Calls that need nothing but registers: null. */
not_return:
	testq	%rax, %rax
	jnz	syscall_entry_long
	testl	$(FLAG_TF | FLAG_RF), %r11d /* these leave by iret */
	jnz	syscall_entry_long
	incq	%gs:CPU_SYSTEM_CALLS
	xorl	%edi, %edi
	xorl	%esi, %esi
	xorl	%edx, %edx
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	xorl	%r10d, %r10d
	USER_MODE %rdi
