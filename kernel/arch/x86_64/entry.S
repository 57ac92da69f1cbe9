/* SPDX-License-Identifier: GPL-2.0-only */
/* entry.S - every way into the kernel, and the one way back to user mode.
 *
 * Rules
 * - Each entry builds one struct trap_frame; from user mode it ends at the top of the thread's kernel stack.
 * - GS base: the kernel's is this CPU's struct cpu. The user's is always 0: it is set to 0 on the way out (with FSGSBASE
 *   user code can change it; without, it cannot), so it neither leaks nor needs saving.
 * - NMI, double fault and machine check may come between any two instructions, so with any GS base and any stack: they
 *   have stacks of their own, save GS base as it is, and find their CPU in the word at the stack's top.
 * - Nothing else can come before swapgs on the way in or after it on the way out: interrupts are off, the stack is
 *   mapped, user code cannot set debug registers, and single-stepping stops at syscall (flag mask).
 * - rip and rsp reach iretq and sysretq in a form that cannot fault with user GS base: see user_return.
 * - AC, which a user can set, would open user memory to the kernel: cleared at once (SMAP). DF too. */
#include "kernel/arch/x86_64/frame.h"
#include "kernel/arch/x86_64/layout.h"
#include "kernel/arch/x86_64/patch.h"

	PATCH_LIST_BEGIN entry_patches

/* Hands GS to the user with base 0; eats rcx. */
.macro GIVE_GS
	xorl	%ecx, %ecx
	swapgs
	PATCH_BEGIN
	wrgsbase %rcx
	PATCH_END FEATURE_FSGSBASE
.endm

	.text

/* syscall: rcx = user rip, r11 = user flags, flags masked by SYSCALL_FLAG_MASK, still the user's stack and GS. */
	.globl	syscall_entry
	.balign	64
syscall_entry:
	swapgs
	.globl	syscall_entry_long
syscall_entry_long:			/* from call_fast_path.h, after its swapgs */
	movq	%rsp, %gs:CPU_USER_RSP
	movq	%gs:CPU_KSTACK_TOP, %rsp
	pushq	$USER_SS
	pushq	%gs:CPU_USER_RSP
	pushq	%r11
	pushq	$USER_CS
	pushq	%rcx
	pushq	%rax			/* the call's number */
	pushq	$VECTOR_SYSCALL
	SAVE_REGISTERS
	movq	%rsp, %rdi
	.globl	syscall_entry_framed
syscall_entry_framed:			/* from call_fast_path.h: rdi and rsp at the frame */
	xorl	%ebp, %ebp		/* ends the kernel's chain of frames */
	sti
	call	syscall_dispatch
	cli

/* The one way back to user mode. rsp = the frame, interrupts off. */
user_return:
	cmpl	$0, %gs:CPU_RETURN_WORK
	jne	user_return_with_work
	movq	FRAME_RIP(%rsp), %rcx
	shrq	$47, %rcx
	jnz	user_return_wild
	cmpl	$VECTOR_SYSCALL, FRAME_VECTOR(%rsp)
	jne	user_return_by_iret
	testl	$(FLAG_TF | FLAG_RF), FRAME_RFLAGS(%rsp)
	jnz	user_return_by_iret
	RESTORE_REGISTERS
	GIVE_GS
	movq	16(%rsp), %rcx		/* rip */
	movq	32(%rsp), %r11		/* flags */
	movq	40(%rsp), %rsp
	sysretq

user_return_wild:			/* not an address of the user half: fault at 0, which is never mapped, in user mode */
	movq	$0, FRAME_RIP(%rsp)
user_return_by_iret:
	GIVE_GS
	RESTORE_REGISTERS
	addq	$16, %rsp
	iretq

/* Work comes as bits set by this CPU, or by others who then send an interrupt: it is pending when user mode is reached
 * and brings us back here, so nothing is lost after the last look. */
user_return_with_work:
	movq	%rsp, %rdi
	call	user_return_work
	cli
	jmp	user_return

/* NORETURN void arch_return_to_user(struct trap_frame *frame) */
	.globl	arch_return_to_user
arch_return_to_user:
	cli
	movq	%rdi, %rsp
	xorl	%ebp, %ebp
	jmp	user_return

/* Exceptions and interrupts: vector and error code are on the stack. */
	.balign	64
trap_common:
	cld
	SAVE_REGISTERS
	USER_ACCESS_END
	testb	$3, FRAME_CS(%rsp)
	jz	trap_from_kernel
	swapgs
	lfence				/* no speculation past a wrong guess of the branch with the wrong GS */
	xorl	%ebp, %ebp
	movq	%rsp, %rdi
	call	trap_dispatch
	cli
	jmp	user_return
trap_from_kernel:
	lfence
	movq	%rsp, %rdi
	call	trap_dispatch
	RESTORE_REGISTERS
	addq	$16, %rsp
	iretq

/* NMI, double fault, machine check: on a stack of their own. rbx keeps the GS base that was. */
	.balign	64
trap_paranoid:
	cld
	SAVE_REGISTERS
	USER_ACCESS_END
	movl	$0xc0000101, %ecx	/* IA32_GS_BASE */
	rdmsr
	movl	%eax, %ebx
	shlq	$32, %rdx
	orq	%rdx, %rbx
	movq	FRAME_BYTES(%rsp), %rax	/* struct cpu *, just above the frame */
	movq	%rax, %rdx
	shrq	$32, %rdx
	wrmsr
	lfence
	movq	%rsp, %rdi
	call	trap_dispatch_paranoid
	movl	$0xc0000101, %ecx
	movl	%ebx, %eax
	movq	%rbx, %rdx
	shrq	$32, %rdx
	wrmsr
	RESTORE_REGISTERS
	addq	$16, %rsp
	iretq

/* One stub a vector, 16 bytes apart. Exceptions 8, 10-14, 17, 21, 29, 30 push an error code (Intel SDM volume 3, table
 * 6-1; AMD APM volume 2, 8.2); for the others we push 0. */
.macro TRAP_STUB number
	.balign	16
	.if !((\number == 8) || (\number >= 10 && \number <= 14) || (\number == 17) || (\number == 21) || \
	      (\number == 29) || (\number == 30))
	pushq	$0
	.endif
	pushq	$\number
	.if (\number == 2) || (\number == 8) || (\number == 18)
	jmp	trap_paranoid
	.else
	jmp	trap_common
	.endif
.endm

	.globl	trap_stubs
	.balign	16
trap_stubs:
	.altmacro			/* %next: its value, not its name */
	.set	next, 0
	.rept	VECTORS
	TRAP_STUB %next
	.set	next, next + 1
	.endr
	.noaltmacro

	PATCH_LIST_END entry_patches
	.section .note.GNU-stack, "", @progbits
