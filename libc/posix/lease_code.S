/* SPDX-License-Identifier: BSD-2-Clause */
/* lease_code.S - reading and writing a leased file without a call. The rules of the lease page are L1 to L4 of
 * servers/fs/pmfs/lease.h; offsets into struct lease and struct fs_lease_page are checked in posix/lease.c.
 *
 *   ssize_t lease_read(const struct lease *, void *buffer, size_t bytes, uint64_t offset)
 *   ssize_t lease_write(const struct lease *, const void *buffer, size_t bytes, uint64_t offset)
 *   int64_t lease_size(const struct lease *)
 *   int64_t lease_flags(const struct lease *)
 *   int64_t lease_stat(const struct lease *, struct stat *)
 *
 * Result: what was asked for, or LEASE_ASK (-1): ask the server, or LEASE_FAULT (-2): a page could not be had - the
 * server has taken it back or is dead, or the caller's buffer is no good. The kernel sends every fault that is made
 * between lease_code_start and lease_code_end to lease_code_fault (process_fixup), so nothing in there may use the
 * stack or a register that the caller wants to keep.
 *
 * Instructions: `rep movs` needs some 35 cycles to get going on current CPUs and vector copies do not, up to where both
 * are as fast as memory is; AVX stores half a line at a time. Writes bypass the cache (Intel SDM vol. 1, 10.4.6) in
 * whole words; the bytes before and behind go through the cache and are written back. sfence: all of it is durable when
 * the call returns, before the epoch is looked at again. x86 loads are seen in order, so the epoch read first and last
 * brackets the copy. */

#define LEASE_BASE 0 /* struct lease */
#define LEASE_PAGE 8
#define LEASE_ROOM 16
#define PAGE_EPOCH 0 /* struct fs_lease_page */
#define PAGE_SEQUENCE 4
#define PAGE_WRITE_UNTIL 8
#define PAGE_INODE 16
#define PAGE_SIZE_WORD 56
#define PAGE_FLAGS 128
#define STAT_INODE 8 /* struct stat */
#define STAT_UNUSED 120

	.macro function name
	.globl \name
	.type \name, @function
	.p2align 4
\name:
	.cfi_startproc
	.endm

	.macro end name
	.cfi_endproc
	.size \name, . - \name
	.endm

	.text
	.p2align 4
	.globl lease_code_start
lease_code_start:

/* r8 from, rsi to, rax bytes, r10 page, r11d epoch */
	function lease_read
	movq LEASE_PAGE(%rdi), %r10
	movl PAGE_EPOCH(%r10), %r11d
	testb $1, %r11b
	jnz .Lask
	movq PAGE_SIZE_WORD(%r10), %rax
	subq %rcx, %rax              /* what is left from the offset on */
	jbe .Lat_the_end
	cmpq %rdx, %rax
	cmovaq %rdx, %rax
	leaq (%rcx, %rax), %rdx
	cmpq LEASE_ROOM(%rdi), %rdx
	ja .Lask
	movq LEASE_BASE(%rdi), %r8
	addq %rcx, %r8
	cmpq $16, %rax
	jae .Lread_16
	cmpl $8, %eax
	jb .Lread_7
	movq (%r8), %rcx             /* 8 to 15: two words that may overlap */
	movq -8(%r8, %rax), %rdx
	movq %rcx, (%rsi)
	movq %rdx, -8(%rsi, %rax)
.Lread_done:
	cmpl PAGE_EPOCH(%r10), %r11d
	jne .Lask
	ret
.Lat_the_end:
	xorl %eax, %eax
	ret
.Lask:
	movq $-1, %rax
	ret

.Lread_7:
	cmpl $4, %eax
	jb .Lread_3
	movl (%r8), %ecx
	movl -4(%r8, %rax), %edx
	movl %ecx, (%rsi)
	movl %edx, -4(%rsi, %rax)
	jmp .Lread_done
.Lread_3:
	testl %eax, %eax
	jz .Lread_done
	movl %eax, %edx
	shrl $1, %edx                /* first, middle and last */
	movzbl (%r8), %ecx
	movzbl (%r8, %rdx), %edi
	movzbl -1(%r8, %rax), %r9d
	movb %cl, (%rsi)
	movb %dil, (%rsi, %rdx)
	movb %r9b, -1(%rsi, %rax)
	jmp .Lread_done

.Lread_16:
	cmpq $128, %rax
	jae .Lread_128
	movups -16(%r8, %rax), %xmm1
	leaq -16(%rsi, %rax), %rdx
1:	movups (%r8), %xmm0
	movups %xmm0, (%rsi)
	addq $16, %r8
	addq $16, %rsi
	cmpq %rdx, %rsi
	jb 1b
	movups %xmm1, (%rdx)
	jmp .Lread_done

.Lread_128:
	cmpb $0, lease_wide(%rip)
	je .Lread_sse
	vmovdqu -128(%r8, %rax), %ymm4
	vmovdqu -96(%r8, %rax), %ymm5
	vmovdqu -64(%r8, %rax), %ymm6
	vmovdqu -32(%r8, %rax), %ymm7
	leaq -128(%rsi, %rax), %rdx
1:	vmovdqu (%r8), %ymm0
	vmovdqu 32(%r8), %ymm1
	vmovdqu 64(%r8), %ymm2
	vmovdqu 96(%r8), %ymm3
	vmovdqu %ymm0, (%rsi)
	vmovdqu %ymm1, 32(%rsi)
	vmovdqu %ymm2, 64(%rsi)
	vmovdqu %ymm3, 96(%rsi)
	addq $128, %r8
	addq $128, %rsi
	cmpq %rdx, %rsi
	jb 1b
	vmovdqu %ymm4, (%rdx)
	vmovdqu %ymm5, 32(%rdx)
	vmovdqu %ymm6, 64(%rdx)
	vmovdqu %ymm7, 96(%rdx)
	vzeroupper
	jmp .Lread_done

.Lread_sse:
	movups -64(%r8, %rax), %xmm4
	movups -48(%r8, %rax), %xmm5
	movups -32(%r8, %rax), %xmm6
	movups -16(%r8, %rax), %xmm7
	leaq -64(%rsi, %rax), %rdx
1:	movups (%r8), %xmm0
	movups 16(%r8), %xmm1
	movups 32(%r8), %xmm2
	movups 48(%r8), %xmm3
	movups %xmm0, (%rsi)
	movups %xmm1, 16(%rsi)
	movups %xmm2, 32(%rsi)
	movups %xmm3, 48(%rsi)
	addq $64, %r8
	addq $64, %rsi
	cmpq %rdx, %rsi
	jb 1b
	movups %xmm4, (%rdx)
	movups %xmm5, 16(%rdx)
	movups %xmm6, 32(%rdx)
	movups %xmm7, 48(%rdx)
	jmp .Lread_done
	end lease_read

/* The line of the byte before (%r8): clwb, clflushopt or clflush, as the CPU has them. */
	.macro write_back
	cmpb $1, lease_flush(%rip)
	ja 8f
	je 7f
	clflush -1(%r8)
	jmp 9f
7:	clflushopt -1(%r8)
	jmp 9f
8:	clwb -1(%r8)
9:
	.endm

/* r8 to, rsi from, rdi bytes left, rax bytes, r10 page, r11d epoch */
	function lease_write
	movq LEASE_PAGE(%rdi), %r10
	movl PAGE_EPOCH(%r10), %r11d
	testb $1, %r11b
	jnz .Lask
	leaq (%rcx, %rdx), %rax
	cmpq PAGE_SIZE_WORD(%r10), %rax
	ja .Lask
	cmpq LEASE_ROOM(%rdi), %rax
	ja .Lask
	movq LEASE_BASE(%rdi), %r8
	addq %rcx, %r8
	movq %rdx, %rdi
	rdtsc
	shlq $32, %rdx
	orq %rdx, %rax
	cmpq PAGE_WRITE_UNTIL(%r10), %rax
	jae .Lask
	movq %rdi, %rax
	testb $7, %r8b
	jnz .Lwrite_head
.Lwrite_aligned:
	cmpq $256, %rdi
	jae .Lwrite_bulk
.Lwrite_words:
	subq $8, %rdi
	jb .Lwrite_tail
1:	movq (%rsi), %rcx
	movnti %rcx, (%r8)
	addq $8, %rsi
	addq $8, %r8
	subq $8, %rdi
	jae 1b
.Lwrite_tail:
	addq $8, %rdi
	jnz .Lwrite_bytes
.Lwrite_done:
	sfence
	cmpl PAGE_EPOCH(%r10), %r11d
	jne .Lask
	ret

.Lwrite_bytes:                       /* 1 to 7, from a word's start on */
	movzbl (%rsi), %ecx
	movb %cl, (%r8)
	incq %rsi
	incq %r8
	decq %rdi
	jnz .Lwrite_bytes
	write_back
	jmp .Lwrite_done

.Lwrite_head:                        /* up to a word's start, or the end */
	testq %rdi, %rdi
	jz .Lwrite_done
1:	movzbl (%rsi), %ecx
	movb %cl, (%r8)
	incq %rsi
	incq %r8
	decq %rdi
	jz 2f
	testb $7, %r8b
	jnz 1b
2:	write_back
	testq %rdi, %rdi
	jz .Lwrite_done
	jmp .Lwrite_aligned

.Lwrite_bulk:
	testb $31, %r8b
	jz 1f
	movq (%rsi), %rcx
	movnti %rcx, (%r8)
	addq $8, %rsi
	addq $8, %r8
	subq $8, %rdi
	jmp .Lwrite_bulk
1:	cmpb $0, lease_wide(%rip)
	je .Lwrite_sse
	subq $128, %rdi
2:	vmovdqu (%rsi), %ymm0
	vmovdqu 32(%rsi), %ymm1
	vmovdqu 64(%rsi), %ymm2
	vmovdqu 96(%rsi), %ymm3
	vmovntdq %ymm0, (%r8)
	vmovntdq %ymm1, 32(%r8)
	vmovntdq %ymm2, 64(%r8)
	vmovntdq %ymm3, 96(%r8)
	addq $128, %rsi
	addq $128, %r8
	subq $128, %rdi
	jae 2b
	vzeroupper
	addq $128, %rdi
	jmp .Lwrite_words

.Lwrite_sse:
	subq $64, %rdi
1:	movups (%rsi), %xmm0
	movups 16(%rsi), %xmm1
	movups 32(%rsi), %xmm2
	movups 48(%rsi), %xmm3
	movntdq %xmm0, (%r8)
	movntdq %xmm1, 16(%r8)
	movntdq %xmm2, 32(%r8)
	movntdq %xmm3, 48(%r8)
	addq $64, %rsi
	addq $64, %r8
	subq $64, %rdi
	jae 1b
	addq $64, %rdi
	jmp .Lwrite_words
	end lease_write

	function lease_size
	movq LEASE_PAGE(%rdi), %r10
	movl PAGE_EPOCH(%r10), %r11d
	testb $1, %r11b
	jnz .Lask
	movq PAGE_SIZE_WORD(%r10), %rax
	ret
	end lease_size

	function lease_flags
	movq LEASE_PAGE(%rdi), %r10
	movl PAGE_FLAGS(%r10), %eax
	ret
	end lease_flags

/* All but st_dev. */
	function lease_stat
	movq LEASE_PAGE(%rdi), %r10
	movl PAGE_SEQUENCE(%r10), %r11d
	testb $1, %r11b
	jnz .Lask
	movups PAGE_INODE(%r10), %xmm0
	movups PAGE_INODE + 16(%r10), %xmm1
	movups PAGE_INODE + 32(%r10), %xmm2
	movups PAGE_INODE + 48(%r10), %xmm3
	movups PAGE_INODE + 64(%r10), %xmm4
	movups PAGE_INODE + 80(%r10), %xmm5
	movups PAGE_INODE + 96(%r10), %xmm6
	cmpl PAGE_SEQUENCE(%r10), %r11d
	jne .Lask
	xorl %eax, %eax
	movups %xmm0, STAT_INODE(%rsi)
	movups %xmm1, STAT_INODE + 16(%rsi)
	movups %xmm2, STAT_INODE + 32(%rsi)
	movups %xmm3, STAT_INODE + 48(%rsi)
	movups %xmm4, STAT_INODE + 64(%rsi)
	movups %xmm5, STAT_INODE + 80(%rsi)
	movups %xmm6, STAT_INODE + 96(%rsi)
	movq %rax, STAT_UNUSED(%rsi)
	movq %rax, STAT_UNUSED + 8(%rsi)
	movq %rax, STAT_UNUSED + 16(%rsi)
	ret
	end lease_stat

	.globl lease_code_end
lease_code_end:

	function lease_code_fault
	movq $-2, %rax
	cmpb $0, lease_wide(%rip)
	je 1f
	vzeroupper
1:	ret
	end lease_code_fault

	.section .note.GNU-stack, "", @progbits
