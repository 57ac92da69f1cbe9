/* SPDX-License-Identifier: BSD-2-Clause */
/* crossing.S - see crossing.h. */
#define CALL_DOOR 0
#define CALL_WORDS 8
#define CALL_HANDLES 56
#define CALL_WINDOWS 64
#define GENERAL_BYTES 144
#define GENERAL_WORDS 18
#define GENERAL_R13 48
#define GENERAL_RDX 88
#define GENERAL_RSI 96
#define GENERAL_RAX 112
#define VECTORS_BYTES 768
#define VECTORS_HIGH 512
#define NUMBER_DOOR_CALL 1
#define NUMBER_DOOR_RETURN 2
#define NUMBER_PROCESS_EXIT 15
#define NUMBER_THREAD_SLEEP 26
/* CF PF AF ZF SF DF OF NT AC ID, IF and the 1 */
#define FLAGS_PATTERN 0x244ed7
#define FLAGS_CALM 0x202

/* All vector and x87 registers, their control words, GS base. Eats rax. */
.macro FILL_UNNAMED
	cmpb	$0, with_avx(%rip)
	je	1f
	.irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
	vmovdqu	pattern(%rip), %ymm\n
	.endr
	jmp	2f
1:
	.irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
	movdqu	pattern(%rip), %xmm\n
	.endr
2:	fninit
	.rept 8
	fldpi
	.endr
	fldcw	pattern_x87(%rip)
	ldmxcsr	pattern_mxcsr(%rip)
	cmpb	$0, with_fsgsbase(%rip)
	je	3f
	movq	pattern(%rip), %rax
	shrq	$17, %rax		/* canonical */
	wrgsbase %rax
3:
.endm

.macro FILL_FLAGS
	pushq	$FLAGS_PATTERN
	popfq
.endm

/* Everything onto the stack: struct general at rbx, struct vectors at rsp, aligned. */
.macro SAVE_ALL
	pushfq
	pushq	%r11
	pushq	%rcx
	pushq	%rax
	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%r10
	pushq	%r8
	pushq	%r9
	pushq	%r12
	pushq	%r13
	pushq	%rbx
	pushq	%rbp
	pushq	%r14
	pushq	%r15
	pushq	$0
	pushq	$0
	movq	%rsp, %rbx
	subq	$VECTORS_BYTES, %rsp
	andq	$-64, %rsp
	cld
	movq	%rsp, %rdi		/* FXSAVE leaves gaps */
	movl	$VECTORS_BYTES/8, %ecx
	xorl	%eax, %eax
	rep stosq
	fxsave64 (%rsp)
	cmpb	$0, with_avx(%rip)
	je	1f
	.irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
	vextractf128 $1, %ymm\n, VECTORS_HIGH+16*\n(%rsp)
	.endr
1:	cmpb	$0, with_fsgsbase(%rip)
	je	2f
	rdgsbase %rax
	movq	%rax, 0(%rbx)
	rdfsbase %rax
	movq	%rax, 8(%rbx)
2:	pushq	$FLAGS_CALM
	popfq
.endm

	.text
	.globl	client_call, client_touch, client_after_call, server_entry

client_call:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	FILL_UNNAMED
	movq	%rdi, %r11
	movq	pattern(%rip), %rbx
	movq	%rbx, %r14
	movq	CALL_WINDOWS+8(%r11), %rbp
	testq	%rbp, %rbp
	jz	1f
	movq	CALL_WINDOWS+0(%r11), %rbx
1:	movq	CALL_WINDOWS+24(%r11), %r15
	testq	%r15, %r15
	jz	2f
	movq	CALL_WINDOWS+16(%r11), %r14
2:	movq	CALL_DOOR(%r11), %rdi
	movq	CALL_WORDS+0(%r11), %rsi
	movq	CALL_WORDS+8(%r11), %rdx
	movq	CALL_WORDS+16(%r11), %r10
	movq	CALL_WORDS+24(%r11), %r8
	movq	CALL_WORDS+32(%r11), %r9
	movq	CALL_WORDS+40(%r11), %r12
	movq	CALL_HANDLES(%r11), %r13
	FILL_FLAGS
	movl	$NUMBER_DOOR_CALL, %eax
	syscall
client_after_call:
	SAVE_ALL
	movl	GENERAL_RAX(%rbx), %r12d
client_keep:
	cld
	movq	%rbx, %rsi
	leaq	client_general(%rip), %rdi
	movl	$GENERAL_WORDS, %ecx
	rep movsq
	movq	%rsp, %rsi
	leaq	client_vectors(%rip), %rdi
	movl	$VECTORS_BYTES/8, %ecx
	rep movsq
	fninit
	ldmxcsr	calm_mxcsr(%rip)
	cmpb	$0, with_avx(%rip)
	je	1f
	vzeroupper
1:	movl	%r12d, %eax
	leaq	GENERAL_BYTES(%rbx), %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret

client_touch:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	FILL_UNNAMED
	movq	pattern(%rip), %rax
	.irp n, rbx, rbp, r12, r13, r14, r15, rcx, rdx, rsi, r8, r9, r10, r11
	movq	%rax, %\n
	.endr
	FILL_FLAGS
	movq	(%rdi), %rax
	SAVE_ALL
	jmp	client_keep

/* rsp: top of the activation, a multiple of 16. */
server_entry:
	SAVE_ALL
	movq	%rbx, %rdi
	movq	%rsp, %rsi
	call	server_look
	movq	GENERAL_RSI(%rbx), %rcx	/* the action */
	movq	GENERAL_RDX(%rbx), %rdx	/* its argument */
	movq	GENERAL_R13(%rbx), %r13
	movq	%rax, %r12
	FILL_UNNAMED
	cmpq	$5, %rcx
	ja	action_return
	leaq	actions(%rip), %rax
	movslq	(%rax, %rcx, 4), %rcx
	addq	%rcx, %rax
	jmp	*%rax
	.balign	4
actions:
	.long	action_return - actions, action_sleep - actions, action_spin - actions, action_exit - actions
	.long	action_fault - actions, action_refused - actions

action_return:				/* r12 word 0, r13 handles */
	movq	%r12, %rsi
	movq	pattern(%rip), %rax
	.irp n, rbx, rbp, r14, r15
	movq	%rax, %\n
	.endr
	xorl	%edi, %edi
	xorl	%edx, %edx
	xorl	%r10d, %r10d
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	xorl	%r12d, %r12d
	FILL_FLAGS
	movl	$NUMBER_DOOR_RETURN, %eax
	syscall
	ud2

/* What is left in all registers while it cannot answer. Eats rax. */
.macro FILL_NAMED
	movq	pattern(%rip), %rax
	.irp n, rbx, rbp, r14, r15, rsi, rdi, r8, r9, r10, r11
	movq	%rax, %\n
	.endr
.endm

action_sleep:
	FILL_NAMED
	movq	%rdx, %rdi
	movl	$NUMBER_THREAD_SLEEP, %eax
	FILL_FLAGS
	movl	$NUMBER_THREAD_SLEEP, %eax
	syscall
	jmp	action_return

action_spin:
	FILL_NAMED
	FILL_FLAGS
1:	decq	%rdx
	jnz	1b
	jmp	action_return

action_exit:
	FILL_NAMED
	movl	%r12d, %edi
	movl	$NUMBER_PROCESS_EXIT, %eax
	FILL_FLAGS
	syscall
	ud2

action_fault:
	FILL_NAMED
	FILL_FLAGS
	ud2

action_refused:
	FILL_NAMED
	xorl	%edi, %edi
	movl	$0x7ff0fff0, %r13d
	movl	$NUMBER_DOOR_RETURN, %eax
	syscall
	xorl	%r13d, %r13d
	jmp	action_return

	.section .rodata
	.balign	4
calm_mxcsr:
	.long	0x1f80
	.section .note.GNU-stack, "", @progbits
