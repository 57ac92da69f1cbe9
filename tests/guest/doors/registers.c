/* SPDX-License-Identifier: BSD-2-Clause */
/* registers.c - both sides fill every register that they have with a pattern; both find nothing but zeros and what they
 * may see. The server's side is no kit server: nothing may touch the registers in between. */
#include "registers.h"

#include <kit/kit.h>
#include <lintel/syscalls.h>
#include <stdlib.h>

#define PATTERN 0xa5a5a5a5a5a5a5a5ull

struct registers seen_by_client __attribute__((aligned(64)));
extern uint64_t register_pattern[4]; /* for the assembly */
uint64_t register_pattern[4] __attribute__((aligned(32))) = { PATTERN, PATTERN, PATTERN, PATTERN };

void register_entry(void);

__asm__(".macro FILL_ALL\n"
	".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n vmovdqu register_pattern(%rip), %ymm\\n\n.endr\n"
	".rept 8\n fldpi\n .endr\n"
	".endm\n"
	".macro SAVE_ALL base\n" /* r11 -> the structure */
	"fxsave64 (%r11)\n"
	".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n vextractf128 $1, %ymm\\n, 512+16*\\n(%r11)\n.endr\n"
	".endm\n"
	".text\n"
	".globl register_entry, register_call\n"
	/* The server's side: rdi is the badge, every word is sent as 0. */
	"register_entry:\n"
	"	subq $1024, %rsp\n"
	"	movq %rsp, %r11\n"
	"	SAVE_ALL\n"
	"	orq %rsi, %rax; orq %rdx, %rax; orq %r10, %rax; orq %r8, %rax; orq %r9, %rax; orq %r12, %rax\n"
	"	orq %r13, %rax; orq %rbx, %rax; orq %rbp, %rax; orq %r14, %rax; orq %r15, %rax\n"
	"	movq %rax, 768(%r11)\n"
	"	xorl %eax, %eax\n"
	"	movq %rax, 776(%r11); movq %rax, 784(%r11); movq %rax, 792(%r11); movq %rax, 800(%r11)\n"
	"	movq %rax, 808(%r11); movq %rax, 816(%r11); movq %rax, 824(%r11)\n"
	"	movq %r11, %rdi\n"
	"	call register_check\n"
	"	movq %rax, %rsi\n"
	"	FILL_ALL\n"
	"	movq register_pattern(%rip), %rbx\n"
	"	movq %rbx, %rbp; movq %rbx, %r14; movq %rbx, %r15; movq %rbx, %rcx; movq %rbx, %r11\n"
	"	xorl %edi, %edi; xorl %edx, %edx; xorl %r10d, %r10d; xorl %r8d, %r8d; xorl %r9d, %r9d\n"
	"	xorl %r12d, %r12d; xorl %r13d, %r13d\n"
	"	movl $2, %eax\n" /* door_return */
	"	syscall\n"
	"	ud2\n"
	/* uint64_t register_call(uint64_t door): what the server saw. */
	"register_call:\n"
	"	pushq %rbx; pushq %rbp; pushq %r12; pushq %r13; pushq %r14; pushq %r15\n"
	"	FILL_ALL\n"
	"	movq register_pattern(%rip), %rbx\n"
	"	movq %rbx, %r14\n" /* addresses of no windows */
	"	xorl %esi, %esi; xorl %edx, %edx; xorl %r10d, %r10d; xorl %r8d, %r8d; xorl %r9d, %r9d; xorl %r12d, %r12d\n"
	"	xorl %r13d, %r13d; xorl %ebp, %ebp; xorl %r15d, %r15d\n"
	"	movl $1, %eax\n" /* door_call */
	"	syscall\n"
	"	leaq seen_by_client(%rip), %r11\n"
	"	SAVE_ALL\n"
	"	movq %rax, 768(%r11); movq %rbx, 776(%r11); movq %rbp, 784(%r11); movq %r14, 792(%r11)\n"
	"	movq %r15, 800(%r11); movq %rdi, 808(%r11); movq %r13, 816(%r11); movq %rdx, 824(%r11)\n"
	"	movq %rsi, %rax\n"
	"	popq %r15; popq %r14; popq %r13; popq %r12; popq %rbp; popq %rbx\n"
	"	ret\n");

/* All bits that should not be there. */
uint64_t register_check(const struct registers *registers)
{
	uint64_t bits = 0;

	for (size_t i = 32; i < 416; i++)
		bits |= registers->fx[i];
	for (size_t i = 0; i < sizeof(registers->high); i++)
		bits |= (uint64_t)registers->high[i] << 8;
	for (size_t i = 0; i < ARRAY_LEN(registers->general); i++)
		bits |= registers->general[i];
	return bits;
}

/* As a server of its own: nothing of kit's may touch the registers in between. */
err_t register_door(handle_t *door)
{
	err_t err = lintel_door_create((uintptr_t)register_entry, "registers", 9, door);

	for (uint32_t cpu = 0; err == OK && cpu < kit_cpu_count(); cpu++) {
		uint8_t *stack = malloc(65536);

		if (stack == NULL)
			return ERR_NO_MEMORY;
		err = lintel_door_donate(*door, cpu, ((uintptr_t)stack + 65536) & ~63ull, (uintptr_t)stack);
	}
	return err;
}

bool has_avx(void)
{
	uint32_t a = 1, b, c = 0, d;

	__asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return (c >> 27 & 1) && (c >> 28 & 1);
}
