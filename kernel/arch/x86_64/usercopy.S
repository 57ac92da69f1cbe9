/* SPDX-License-Identifier: GPL-2.0-only */
/* usercopy.S - the only code that touches user memory with user addresses, and the only stac.
 *
 * Each instruction that may fault has a line in .extable: (its address, where to go on). trap.c asks fault_resolve();
 * if that cannot help, rax becomes its err_t and execution goes on at the second address. A copy that fails may have
 * been done in part. Nothing but rip, rax and the string registers changes on that way.
 * Copies use rep movsb where it is fast (ERMS), else rep movsq and the rest by bytes; chosen once at boot (patch.h). */
#include "kernel/arch/x86_64/layout.h"
#include "kernel/arch/x86_64/patch.h"

#define ERR_FAULT_VALUE -7

	PATCH_LIST_BEGIN usercopy_patches

.macro MAY_FAULT continue
773:
	.pushsection .extable, "a"
	.balign	8
	.quad	773b, \continue
	.popsection
.endm

/* Refuses [address, +rdx) unless it lies below USER_LIMIT; eats rax. */
.macro CHECK_USER address
	movabsq	$USER_LIMIT, %rax
	cmpq	%rax, \address
	jae	copy_refused
	subq	\address, %rax
	cmpq	%rdx, %rax
	jb	copy_refused
.endm

/* rdi, rsi, rdx = to, from, bytes */
.macro COPY
	USER_ACCESS_BEGIN
	movl	%edx, %eax
	movq	%rdx, %rcx
	PATCH_BEGIN
	jmp	1f
	PATCH_END FEATURE_ERMS
	shrq	$3, %rcx
	MAY_FAULT copy_failed
	rep movsq
	movl	%eax, %ecx
	andl	$7, %ecx
1:	MAY_FAULT copy_failed
	rep movsb
	USER_ACCESS_END
	xorl	%eax, %eax
	ret
.endm

	.text
/* err_t copy_from_user(void *to, const void __user *from, size_t bytes) */
	.globl	copy_from_user
	.balign	16
copy_from_user:
	CHECK_USER %rsi
	COPY

/* err_t copy_to_user(void __user *to, const void *from, size_t bytes) */
	.globl	copy_to_user
	.balign	16
copy_to_user:
	CHECK_USER %rdi
	COPY

/* err_t user_load32(const uint32_t __user *address, uint32_t *out) */
	.globl	user_load32
	.balign	16
user_load32:
	movl	$4, %edx
	CHECK_USER %rdi
	USER_ACCESS_BEGIN
	MAY_FAULT copy_failed
	movl	(%rdi), %ecx
	USER_ACCESS_END
	movl	%ecx, (%rsi)
	xorl	%eax, %eax
	ret

/* err_t user_store32(uint32_t __user *address, uint32_t value) */
	.globl	user_store32
	.balign	16
user_store32:
	movl	$4, %edx
	CHECK_USER %rdi
	USER_ACCESS_BEGIN
	MAY_FAULT copy_failed
	movl	%esi, (%rdi)
	USER_ACCESS_END
	xorl	%eax, %eax
	ret

copy_failed:
	USER_ACCESS_END
	ret
copy_refused:
	movl	$ERR_FAULT_VALUE, %eax
	ret

/* bool probe_load64(const uint64_t *kernel_address, uint64_t *out): false if it cannot be read. For backtraces. */
	.globl	probe_load64
	.balign	16
probe_load64:
	MAY_FAULT probe_failed
	movq	(%rdi), %rax
	movq	%rax, (%rsi)
	movl	$1, %eax
	ret
probe_failed:
	xorl	%eax, %eax
	ret

	PATCH_LIST_END usercopy_patches
	.section .note.GNU-stack, "", @progbits
