/* SPDX-License-Identifier: BSD-2-Clause */
/* probe.S - a boot sector that proves that the accelerator runs a guest: real mode, protected mode, paging, long mode
 * (Intel SDM vol. 3A, 10.8.5), extended state, then 0x10 to the exit device at port 0xf4: QEMU ends with status 33. Any other end is a
 * failure. */
	.code16
	.globl _start
_start:
	cli
	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	movw $0x1000, %di          /* page tables at 0x1000, 0x2000, 0x3000 */
	movw $0x1800, %cx
	cld
	rep stosw
	movw $0x2003, 0x1000
	movw $0x3003, 0x2000
	movw $0x0083, 0x3000       /* one 2 MiB leaf: the first 2 MiB show themselves */
	movl $0x20, %eax           /* CR4.PAE */
	movl %eax, %cr4
	movl $0x1000, %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx     /* EFER.LME */
	rdmsr
	orl $0x100, %eax
	wrmsr
	lgdt gdt_pointer
	movl %cr0, %eax
	orl $0x80000001, %eax      /* CR0.PG | CR0.PE */
	movl %eax, %cr0
	ljmp $8, $long_mode
	.code64
long_mode:
	movl $1, %eax              /* with XSAVE (CPUID.1:ECX bit 26): some nested KVMs cannot load or save state */
	cpuid
	btl $26, %ecx
	jnc 1f
	movl $0x40620, %eax        /* CR4.OSXSAVE, OSXMMEXCPT, OSFXSR, PAE */
	movq %rax, %cr4
	xorl %ecx, %ecx
	xorl %edx, %edx
	movl $3, %eax              /* x87, SSE */
	xsetbv
	movl $0x5000, %edi         /* an area of zeroes: the initial state */
	movl $0x400, %ecx
	xorl %eax, %eax
	rep stosb
	movl $0x5000, %edi
	movl $3, %eax
	xrstor64 (%rdi)
	xsave64 (%rdi)
1:	movb $0x10, %al
	outb %al, $0xf4
	hlt
	.balign 8
gdt:
	.quad 0, 0x00209a0000000000 /* 64-bit code */
gdt_pointer:
	.word . - gdt - 1
	.long gdt
	.org 510
	.word 0xaa55
