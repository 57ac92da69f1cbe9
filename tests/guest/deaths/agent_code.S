/* SPDX-License-Identifier: BSD-2-Clause */
/* agent_code.S - what an agent executes: position-independent, no stack, no memory but the board. Copied into a VMO and
 * mapped at AGENT_CODE.
 *
 * rsp holds the agent's slot throughout: door calls keep it for a client, and it is the `stack` that a server donates.
 * FS base of an activation is a word of its own, in which DO_CALL keeps the handles that it passes on. */
#include "layout.h"

#define PAGER_GIVES_UP -25 /* ERR_IO */

	.text
	.globl	agent_code, agent_code_end, agent_client, agent_exiter, agent_server
	.balign	64
agent_code:

/* A client's thread: the slot's call, for ever. rdi = slot */
agent_client:
	movq	%rdi, %rsp
next_call:
	movq	SLOT_CURSOR(%rsp), %rax
	testb	$FLAG_TOUCH, SLOT_FLAGS(%rsp)
	jz	1f
	movb	(%rax), %cl
1:	movq	SLOT_WINDOWS(%rsp), %rbx
	testb	$FLAG_WINDOW, SLOT_FLAGS(%rsp)
	jz	2f
	movq	%rax, %rbx
2:	addq	$0x1000, %rax
	andq	$~AGENT_PAGED_BYTES, %rax
	movq	%rax, SLOT_CURSOR(%rsp)
	lock incq SLOT_BEGUN(%rsp)
	movq	SLOT_DOOR(%rsp), %rdi
	movq	SLOT_WORDS+0(%rsp), %rsi
	movq	SLOT_WORDS+8(%rsp), %rdx
	movq	SLOT_WORDS+16(%rsp), %r10
	movq	SLOT_WORDS+24(%rsp), %r8
	movq	SLOT_WORDS+32(%rsp), %r9
	movq	SLOT_WORDS+40(%rsp), %r12
	movq	SLOT_HANDLES(%rsp), %r13
	movq	SLOT_WINDOWS+8(%rsp), %rbp
	movq	SLOT_WINDOWS+16(%rsp), %r14
	movq	SLOT_WINDOWS+24(%rsp), %r15
	movl	$NUMBER_DOOR_CALL, %eax
	syscall
	testq	%r13, %r13
	jz	3f
	movq	%r13, SLOT_HANDLES(%rsp)
3:	movq	%rax, SLOT_RESULT(%rsp)
	jmp	next_call

/* Another thread of a client: ends the process when it is told. rdi = slot */
agent_exiter:
	movq	%rdi, %rsp
1:	pause
	cmpq	$0, SLOT_RELEASE(%rsp)
	je	1b
exit:
	movl	$STATUS_EXIT, %edi
	movl	$NUMBER_PROCESS_EXIT, %eax
	syscall
	ud2

/* A server's main thread: a door, activations, the door to the parent; then sleep. rdi = slot */
agent_server:
	movq	%rdi, %rsp
	leaq	entry(%rip), %rdi
	leaq	name(%rip), %rsi
	movl	$5, %edx
	movl	$NUMBER_DOOR_CREATE, %eax
	syscall
	testl	%eax, %eax
	jnz	failed
	movq	%rdx, SLOT_SELF(%rsp)
	leaq	SLOT_SAVED(%rsp), %r12
	xorl	%ebx, %ebx		/* CPU */
1:	movq	SLOT_ACTIVATIONS(%rsp), %rbp
2:	decq	%rbp
	js	3f
	movq	SLOT_SELF(%rsp), %rdi
	movq	%rbx, %rsi
	movq	%rsp, %rdx
	movq	%r12, %r10
	addq	$8, %r12
	movl	$NUMBER_DOOR_DONATE, %eax
	syscall
	testl	%eax, %eax
	jnz	failed
	jmp	2b
3:	incq	%rbx
	cmpq	SLOT_CPUS(%rsp), %rbx
	jb	1b
	movq	SLOT_SELF(%rsp), %rdi	/* a copy for the parent */
	movl	$0x80000000, %esi
	movl	$NUMBER_HANDLE_DUPLICATE, %eax
	syscall
	testl	%eax, %eax
	jnz	failed
	movq	%rdx, %r13
	movq	SLOT_PARENT(%rsp), %rdi
	movq	SLOT_INDEX(%rsp), %rsi
	xorl	%edx, %edx
	xorl	%r10d, %r10d
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	xorl	%r12d, %r12d
	xorl	%ebp, %ebp
	xorl	%r15d, %r15d
	movl	$NUMBER_DOOR_CALL, %eax
	syscall
	testl	%eax, %eax
	jnz	failed
4:	movq	$-1, %rdi
	movl	$NUMBER_THREAD_SLEEP, %eax
	syscall
	jmp	4b
failed:
	negl	%eax
	leal	100(%rax), %edi
	movl	$NUMBER_PROCESS_EXIT, %eax
	syscall
	ud2
name:	.ascii	"agent"

/* A server's door. */
entry:
	lock incq SLOT_ENTERED(%rsp)
	cmpq	$DO_COUNT, %rsi
	jae	do_pager
	leaq	actions(%rip), %rax
	movslq	(%rax, %rsi, 4), %rcx
	addq	%rcx, %rax
	jmp	*%rax
	.balign	4
actions:
	.long	do_return - actions, do_spin - actions, do_sleep - actions, do_call - actions, do_exit - actions
	.long	do_fault - actions, do_kill - actions, do_touch - actions, do_keep - actions, do_follow - actions
	.long	do_recurse - actions

do_return:
	xorl	%edi, %edi
answer:					/* edi result, r13 handles */
	movl	$NUMBER_DOOR_RETURN, %eax
	syscall
	xorl	%r13d, %r13d		/* refused: they are gone. Without them, then */
	xorl	%edi, %edi
	movl	$NUMBER_DOOR_RETURN, %eax
	syscall
	ud2

do_spin:
	pause
	cmpq	$0, SLOT_RELEASE(%rsp)
	jne	do_return
	decq	%rdx
	jnz	do_spin
	jmp	do_return

do_sleep:
	movq	%rdx, %rbx
	movl	$NUMBER_CLOCK_GET, %eax
	syscall
	leaq	(%rdx, %rbx), %rdi
	movl	$NUMBER_THREAD_SLEEP, %eax
	syscall
	jmp	do_return

do_call:
	movq	%r13, %fs:0
	movq	%r9, %rdi
	shlq	$32, %rdi
	orq	SLOT_NEXT(%rsp), %rdi
	movq	%r10, %rsi
	movq	%r8, %rdx
	xorl	%r10d, %r10d
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	xorl	%r12d, %r12d
	movl	$NUMBER_DOOR_CALL, %eax
	syscall
	movl	%eax, %edi
	testl	%eax, %eax
	jz	answer
	movq	%fs:0, %r13		/* if they were not moved, they go back */
	jmp	answer

do_exit:
	pause
	decq	%rdx
	jns	do_exit
	jmp	exit

do_fault:
	pause
	decq	%rdx
	jns	do_fault
	ud2

do_kill:
	movq	SLOT_VICTIM(%rsp), %rdi
	movl	$STATUS_KILLED_BY_SERVER, %esi
	movl	$NUMBER_PROCESS_KILL, %eax
	syscall
	movq	SLOT_VICTIM(%rsp), %rdi
	movl	$NUMBER_HANDLE_CLOSE, %eax
	syscall
	jmp	do_return

do_touch:				/* rbx, rbp, then r14, r15 */
	testq	%rbp, %rbp
	jz	do_return
1:	movb	(%rbx), %al
	testq	%rbp, %rbp
	jns	2f
	movb	%al, (%rbx)
2:	addq	$0x1000, %rbx
	leaq	(%rbp, %rbp), %rax	/* without the flag, doubled */
	subq	$0x1000, %rbp
	cmpq	$0x2000, %rax
	ja	1b
	movq	%r14, %rbx
	movq	%r15, %rbp
	xorl	%r15d, %r15d
	jmp	do_touch

do_keep:
	movl	%r13d, %r13d
	movq	%r13, SLOT_VICTIM(%rsp)
	xorl	%r13d, %r13d
	jmp	do_return

do_follow:
	movl	%r13d, %r13d
	xchgq	%r13, SLOT_NEXT(%rsp)
	movq	%r13, %rdi
	xorl	%r13d, %r13d
	testq	%rdi, %rdi
	jz	do_return
	movl	$NUMBER_HANDLE_CLOSE, %eax
	syscall
	jmp	do_return

do_recurse:
	decq	%rdx
	jz	do_return
	movq	SLOT_SELF(%rsp), %rdi
	btsq	$55, %rdi		/* 8.4 s */
	movl	$NUMBER_DOOR_CALL, %eax
	syscall
	movl	%eax, %edi
	jmp	answer

do_pager:				/* never supplies anything */
	pause
	cmpq	$0, SLOT_RELEASE(%rsp)
	je	do_pager
	movl	$PAGER_GIVES_UP, %edi
	jmp	answer

agent_code_end:
	.section .note.GNU-stack, "", @progbits
