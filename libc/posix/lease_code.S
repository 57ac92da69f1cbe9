/* SPDX-License-Identifier: BSD-2-Clause */
/* lease_code.S - reading and writing a leased file without a call. The rules of the lease page are L1 to L4 of
 * servers/fs/pmfs/server/lease.h, those of holding a file H1 and H2 of posix/hold.h. The offsets here are checked in
 * posix/lease.c.
 *
 *   ssize_t pread(int fd, void *buffer, size_t bytes, off_t offset)
 *   ssize_t pwrite(int fd, const void *buffer, size_t bytes, off_t offset)
 *   int fstat(int fd, struct stat *)
 * hold the file, try its lease, and go to pread_call, pwrite_call or fstat_call if that does not work out.
 *
 *   ssize_t lease_read(const struct lease *, void *buffer, size_t bytes, uint64_t offset)
 *   ssize_t lease_write(const struct lease *, const void *buffer, size_t bytes, uint64_t offset)
 *   int64_t lease_size(const struct lease *)
 *   int64_t lease_flags(const struct lease *)
 *   int64_t lease_write_back_page(const void *, size_t bytes)
 * are for callers that hold the file already: what was asked for, LEASE_ASK (-1) or LEASE_FAULT (-2).
 *
 * A page of the lease may be gone, and the caller's buffer may be no good. So the kernel sends every fault made between
 * lease_code_start and lease_code_end to lease_code_fault (process_fixup), with the instruction's address in rax. For
 * that nothing in there uses the stack, and rdi, rsi, rdx and rcx are what they were at the start (a write keeps rcx in
 * xmm14): a call can be made with them.
 *
 * Copies: `rep movs` needs some 35 cycles to get going on current CPUs, vector moves do not, up to lengths where both
 * are as fast as memory. A last piece that may overlap goes first, so that the loop has no rest. Writes bypass the cache
 * (Intel SDM vol. 1, 10.4.6) in whole words, with AVX half a line at a time; the bytes before and behind go through the
 * cache and are written back. sfence: all is durable when the call returns. x86 loads are seen in order, so reading the
 * epoch first and last brackets a copy; a store cannot slip past the second look either, as a translation is taken away
 * by an interrupt on this CPU, before or after the store. */

#define FD_MAX 1024
#define SLOT_SHIFT 6
#define SLOT_FILE 8 /* struct fd_slot */
#define FILE_MOUNT 32 /* struct file */
#define FILE_LEASE 56
#define FILE_WRITE_LEASE 64
#define THREAD_HELD 0x10 /* struct pthread */
#define LEASE_BASE 0 /* struct lease */
#define LEASE_PAGE 8
#define LEASE_ROOM 16
#define PAGE_EPOCH 0 /* struct fs_lease_page */
#define PAGE_SEQUENCE 4
#define PAGE_WRITE_UNTIL 8
#define PAGE_INODE 16
#define PAGE_BYTES 56
#define PAGE_FLAGS 128
#define STAT_DEVICE 0 /* struct stat */
#define STAT_INODE 8

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

/* H1. edi: the descriptor. Then r8: the file. Uses rax, r9. */
	.macro hold call, release
	cmpl $FD_MAX, %edi
	jae \call
	movl %edi, %eax
	shlq $SLOT_SHIFT, %rax
	movq fd_slots + SLOT_FILE(%rax), %r8
	testq %r8, %r8
	jz \call
	movq %r8, %r9
	xchgq %r9, %fs:THREAD_HELD
	cmpq fd_slots + SLOT_FILE(%rax), %r8
	jne \release
	.endm

	.macro release
	movq $0, %fs:THREAD_HELD
	.endm

/* rsi to, rdx bytes, rcx offset, r8: the lease. Falls through with the number of bytes in rax. Uses r8 to r11. */
	.macro read_leased ask
	movq LEASE_PAGE(%r8), %r10
	movl PAGE_EPOCH(%r10), %r11d
	andl $~1, %r11d              /* if it is odd now, it will not be found at the end */
	movq PAGE_BYTES(%r10), %rax
	cmpq LEASE_ROOM(%r8), %rax
	ja \ask
	subq %rcx, %rax              /* what is left from the offset on */
	jbe 70f
	cmpq %rax, %rdx
	ja 71f
	movq %rdx, %rax
10:	movq LEASE_BASE(%r8), %r8
	addq %rcx, %r8               /* from */
	cmpq $8, %rax
	ja 20f
	jb 60f
	movq (%r8), %r9
	movq %r9, (%rsi)
11:	cmpl PAGE_EPOCH(%r10), %r11d
	je 99f
	jmp \ask

20:	cmpq $16, %rax
	ja 30f
	movq -8(%r8, %rax), %r9      /* 9 to 16: two words that may overlap */
	movq (%r8), %r8
	movq %r8, (%rsi)
	movq %r9, -8(%rsi, %rax)
	jmp 11b

30:	movq %rax, %xmm15
	addq %rax, %r8               /* from here on the ends, and how far it is to them */
	leaq (%rsi, %rax), %r9
	negq %rax
	cmpq $-128, %rax
	jle 40f
	movups -16(%r8), %xmm0       /* 17 to 127 */
	movups %xmm0, -16(%r9)
31:	movups (%r8, %rax), %xmm0
	movups %xmm0, (%r9, %rax)
	addq $16, %rax
	cmpq $-16, %rax
	jl 31b
32:	movq %xmm15, %rax
	jmp 11b

40:	cmpb $0, lease_wide(%rip)
	je 50f
	vmovdqu -128(%r8), %ymm0
	vmovdqu -96(%r8), %ymm1
	vmovdqu -64(%r8), %ymm2
	vmovdqu -32(%r8), %ymm3
	vmovdqu %ymm0, -128(%r9)
	vmovdqu %ymm1, -96(%r9)
	vmovdqu %ymm2, -64(%r9)
	vmovdqu %ymm3, -32(%r9)
41:	vmovdqu (%r8, %rax), %ymm0
	vmovdqu 32(%r8, %rax), %ymm1
	vmovdqu 64(%r8, %rax), %ymm2
	vmovdqu 96(%r8, %rax), %ymm3
	vmovdqu %ymm0, (%r9, %rax)
	vmovdqu %ymm1, 32(%r9, %rax)
	vmovdqu %ymm2, 64(%r9, %rax)
	vmovdqu %ymm3, 96(%r9, %rax)
	subq $-128, %rax
	cmpq $-128, %rax
	jl 41b
	vzeroupper
	jmp 32b

50:	movups -64(%r8), %xmm0
	movups -48(%r8), %xmm1
	movups -32(%r8), %xmm2
	movups -16(%r8), %xmm3
	movups %xmm0, -64(%r9)
	movups %xmm1, -48(%r9)
	movups %xmm2, -32(%r9)
	movups %xmm3, -16(%r9)
51:	movups (%r8, %rax), %xmm0
	movups 16(%r8, %rax), %xmm1
	movups 32(%r8, %rax), %xmm2
	movups 48(%r8, %rax), %xmm3
	movups %xmm0, (%r9, %rax)
	movups %xmm1, 16(%r9, %rax)
	movups %xmm2, 32(%r9, %rax)
	movups %xmm3, 48(%r9, %rax)
	addq $64, %rax
	cmpq $-64, %rax
	jl 51b
	jmp 32b

60:	cmpl $4, %eax
	jb 61f
	movl -4(%r8, %rax), %r9d
	movl (%r8), %r8d
	movl %r8d, (%rsi)
	movl %r9d, -4(%rsi, %rax)
	jmp 11b
61:	testl %eax, %eax             /* 1 to 3: the last, then from the first on */
	jz 11b
	movzbl -1(%r8, %rax), %r9d
	movb %r9b, -1(%rsi, %rax)
	movzbl (%r8), %r9d
	movb %r9b, (%rsi)
	cmpl $3, %eax
	jb 11b
	movzbl 1(%r8), %r9d
	movb %r9b, 1(%rsi)
	jmp 11b

70:	testq %rcx, %rcx             /* at the end or behind it, or a negative offset: EINVAL */
	js \ask
	xorl %eax, %eax
	jmp 99f
71:	testq %rdx, %rdx             /* more was asked for than there is */
	jns 10b
	jmp \ask
99:
	.endm

/* The line of the byte before (%r8), with the best instruction that the CPU has. */
	.macro write_back
	cmpb $1, lease_flush(%rip)
	ja 93f
	je 92f
	clflush -1(%r8)
	jmp 94f
92:	clflushopt -1(%r8)
	jmp 94f
93:	clwb -1(%r8)
94:
	.endm

/* rsi from, rdx bytes, rcx offset, r8: the lease. Falls through with the number of bytes in rdx. Uses rax, r8 to r11;
 * rcx ends up in xmm14. */
	.macro write_leased ask
	movq %rcx, %xmm14
	movq LEASE_PAGE(%r8), %r10
	movl PAGE_EPOCH(%r10), %r11d
	testb $1, %r11b
	jnz \ask
	movq PAGE_BYTES(%r10), %rax
	cmpq LEASE_ROOM(%r8), %rax
	ja \ask
	subq %rcx, %rax
	jb \ask
	cmpq %rax, %rdx              /* it would grow; or a negative length */
	ja \ask
	movq LEASE_BASE(%r8), %r8
	addq %rcx, %r8               /* to */
	movq %rdx, %r9
	rdtsc
	shlq $32, %rdx
	orq %rdx, %rax
	movq %r9, %rdx
	cmpq PAGE_WRITE_UNTIL(%r10), %rax
	jae \ask
	movq %rdx, %rax              /* bytes left */
	movq %rsi, %r9
	testb $7, %r8b
	jnz 40f
10:	cmpq $256, %rax
	jae 20f
11:	subq $8, %rax
	jb 13f
12:	movq (%r9), %rcx
	movnti %rcx, (%r8)
	addq $8, %r9
	addq $8, %r8
	subq $8, %rax
	jae 12b
13:	addq $8, %rax
	jnz 30f
14:	sfence
	cmpl PAGE_EPOCH(%r10), %r11d
	je 99f
	movq %xmm14, %rcx
	jmp \ask

20:	testb $31, %r8b              /* to the next half line */
	jz 21f
	movq (%r9), %rcx
	movnti %rcx, (%r8)
	addq $8, %r9
	addq $8, %r8
	subq $8, %rax
	jmp 20b
21:	cmpb $0, lease_wide(%rip)
	je 24f
	subq $128, %rax
22:	vmovdqu (%r9), %ymm0
	vmovdqu 32(%r9), %ymm1
	vmovdqu 64(%r9), %ymm2
	vmovdqu 96(%r9), %ymm3
	vmovntdq %ymm0, (%r8)
	vmovntdq %ymm1, 32(%r8)
	vmovntdq %ymm2, 64(%r8)
	vmovntdq %ymm3, 96(%r8)
	subq $-128, %r9
	subq $-128, %r8
	subq $128, %rax
	jae 22b
	vzeroupper
	addq $128, %rax
	jmp 11b
24:	subq $64, %rax
25:	movups (%r9), %xmm0
	movups 16(%r9), %xmm1
	movups 32(%r9), %xmm2
	movups 48(%r9), %xmm3
	movntdq %xmm0, (%r8)
	movntdq %xmm1, 16(%r8)
	movntdq %xmm2, 32(%r8)
	movntdq %xmm3, 48(%r8)
	addq $64, %r9
	addq $64, %r8
	subq $64, %rax
	jae 25b
	addq $64, %rax
	jmp 11b

30:	movzbl (%r9), %ecx           /* 1 to 7 in the last word */
	movb %cl, (%r8)
	incq %r9
	incq %r8
	decq %rax
	jnz 30b
	write_back
	jmp 14b

40:	testq %rax, %rax             /* up to the next word, or the end */
	jz 14b
41:	movzbl (%r9), %ecx
	movb %cl, (%r8)
	incq %r9
	incq %r8
	decq %rax
	jz 42f
	testb $7, %r8b
	jnz 41b
42:	write_back
	jmp 10b
99:
	.endm

	.text
	.p2align 4
	.globl lease_code_start
lease_code_start:

	function pread
	hold pread_call, .Lpread_release
	movq FILE_LEASE(%r8), %r8
	testq %r8, %r8
	jz .Lpread_release
	read_leased .Lpread_release
	release
	ret
	end pread

	function pwrite
	hold pwrite_call, .Lpwrite_release
	movq FILE_WRITE_LEASE(%r8), %r8
	testq %r8, %r8
	jz .Lpwrite_release
	write_leased .Lpwrite_release
	release
	movq %rdx, %rax
	ret
	end pwrite

	function fstat
	hold fstat_call, .Lfstat_release
	movq FILE_LEASE(%r8), %r9
	testq %r9, %r9
	jz .Lfstat_release
	movq LEASE_PAGE(%r9), %r10
	movl PAGE_SEQUENCE(%r10), %r11d
	andl $~1, %r11d
	movq FILE_MOUNT(%r8), %r8
	movups PAGE_INODE(%r10), %xmm0
	movups PAGE_INODE + 16(%r10), %xmm1
	movups PAGE_INODE + 32(%r10), %xmm2
	movups PAGE_INODE + 48(%r10), %xmm3
	movups PAGE_INODE + 64(%r10), %xmm4
	movups PAGE_INODE + 80(%r10), %xmm5
	movups PAGE_INODE + 96(%r10), %xmm6
	cmpl PAGE_SEQUENCE(%r10), %r11d
	jne .Lfstat_release
	xorl %eax, %eax
	movq %r8, STAT_DEVICE(%rsi)
	movups %xmm0, STAT_INODE(%rsi)
	movups %xmm1, STAT_INODE + 16(%rsi)
	movups %xmm2, STAT_INODE + 32(%rsi)
	movups %xmm3, STAT_INODE + 48(%rsi)
	movups %xmm4, STAT_INODE + 64(%rsi)
	movups %xmm5, STAT_INODE + 80(%rsi)
	movups %xmm6, STAT_INODE + 96(%rsi)
	release
	ret
	end fstat

	function lease_read
	movq %rdi, %r8
	read_leased .Lask
	ret
	end lease_read

	function lease_write
	movq %rdi, %r8
	write_leased .Lask
	movq %rdx, %rax
	ret
	end lease_write

	function lease_size
	movq LEASE_PAGE(%rdi), %r10
	movl PAGE_EPOCH(%r10), %r11d
	testb $1, %r11b
	jnz .Lask
	movq PAGE_BYTES(%r10), %rax
	ret
	end lease_size

	function lease_flags
	movq LEASE_PAGE(%rdi), %r10
	movl PAGE_FLAGS(%r10), %eax
	ret
	end lease_flags

/* Without the fence. Eight lines at a time, in which a page divides: a few too many do no harm. */
	.macro write_back_lines instruction
1:
	.irp line, 0, 64, 128, 192, 256, 320, 384, 448
	\instruction \line(%rdi)
	.endr
	addq $512, %rdi
	cmpq %rsi, %rdi
	jb 1b
	xorl %eax, %eax
	ret
	.endm

	function lease_write_back_page
	addq %rdi, %rsi
	andq $-512, %rdi
	cmpb $1, lease_flush(%rip)
	ja 3f
	je 2f
	write_back_lines clflush
2:	write_back_lines clflushopt
3:	write_back_lines clwb
	end lease_write_back_page

	.globl lease_code_end
lease_code_end:

.Lask:
	movq $-1, %rax
	ret

/* rax: where. The functions stand in the order in which they are compared. */
	function lease_code_fault
	cmpb $0, lease_wide(%rip)
	je 1f
	vzeroupper
1:	cmpq $pwrite, %rax
	jb .Lpread_release
	cmpq $fstat, %rax
	jb .Lpwrite_fault
	cmpq $lease_read, %rax
	jb .Lfstat_release
	movq $-2, %rax
	ret
.Lpread_release:
	release
	jmp pread_call
.Lpwrite_fault:
	movq %xmm14, %rcx
.Lpwrite_release:
	release
	jmp pwrite_call
.Lfstat_release:
	release
	jmp fstat_call
	end lease_code_fault

	.section .note.GNU-stack, "", @progbits
