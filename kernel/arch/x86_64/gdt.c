/* SPDX-License-Identifier: GPL-2.0-only */
/* gdt.c - per-CPU areas, and the segments that long mode still wants: one GDT and TSS a CPU.
 * The boot CPU's interrupt stacks are static until arch_init() replaces them by guarded ones. */
#include "kernel/arch/x86_64/machine.h"
#include "kernel/arch/x86_64/x86.h"

struct cpu cpus[CPUS_MAX];
static struct cpu_machine machines[CPUS_MAX];
static uint8_t boot_ist[IST_STACKS][4096] ALIGNED(16);

_Static_assert(offsetof(struct cpu, kstack_top) == CPU_KSTACK_TOP, "entry.S");
_Static_assert(offsetof(struct cpu, user_rsp) == CPU_USER_RSP, "entry.S");
_Static_assert(offsetof(struct cpu, return_work) == CPU_RETURN_WORK, "entry.S");
_Static_assert(offsetof(struct cpu, index) == CPU_INDEX, "port_inline.h");
_Static_assert(offsetof(struct cpu, self) == 0 && offsetof(struct cpu, current) == 24, "cpu.h");
_Static_assert(sizeof(struct tss) == 104, "Intel SDM volume 3, figure 8-11");

/* Intel SDM volume 3, 3.4.5; all marked accessed, so that the CPU does not write here. */
#define SEGMENT_KERNEL_CODE 0x00af9b000000ffffull
#define SEGMENT_KERNEL_DATA 0x00cf93000000ffffull
#define SEGMENT_USER_DATA 0x00cff3000000ffffull
#define SEGMENT_USER_CODE 0x00affb000000ffffull

struct PACKED table_pointer {
	uint16_t limit;
	uint64_t base;
};

static void gdt_fill(struct cpu_machine *machine)
{
	uint64_t tss = (uint64_t)&machine->tss;
	uint64_t limit = sizeof(struct tss) - 1;

	machine->gdt[0] = 0;
	machine->gdt[KERNEL_CS >> 3] = SEGMENT_KERNEL_CODE;
	machine->gdt[KERNEL_SS >> 3] = SEGMENT_KERNEL_DATA;
	machine->gdt[SYSRET_BASE >> 3] = 0; /* 32-bit user code: there is none */
	machine->gdt[USER_SS >> 3] = SEGMENT_USER_DATA;
	machine->gdt[USER_CS >> 3] = SEGMENT_USER_CODE;
	machine->gdt[TSS_SELECTOR >> 3] = /* 64-bit TSS, available, present */
		(limit & 0xffff) | (tss & 0xffffff) << 16 | 0x89ull << 40 | (tss >> 24 & 0xff) << 56;
	machine->gdt[(TSS_SELECTOR >> 3) + 1] = tss >> 32;
	machine->tss.io_map = sizeof(struct tss);
}

static void gdt_load(struct cpu_machine *machine)
{
	struct table_pointer pointer = { sizeof(machine->gdt) - 1, (uint64_t)machine->gdt };

	__asm__ volatile("lgdt %0\n\t"
			 "pushq %1\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\tmovl %2, %%eax\n\t"
			 "movl %%eax, %%ss\n\t"
			 "xorl %%eax, %%eax\n\t"
			 "movl %%eax, %%ds\n\t"
			 "movl %%eax, %%es\n\t"
			 "movl %%eax, %%fs\n\t"
			 "movl %%eax, %%gs\n\t"
			 "lldt %%ax\n\t"
			 "movl %3, %%eax\n\t"
			 "ltr %%ax"
			 :
			 : "m"(pointer), "i"(KERNEL_CS), "i"(KERNEL_SS), "i"(TSS_SELECTOR)
			 : "rax", "memory");
}

void segments_set_ist(struct cpu *cpu, uint32_t slot, void *stack_top)
{
	uint64_t top = (uint64_t)stack_top - 16;

	*(struct cpu **)top = cpu; /* entry.S, trap_paranoid */
	machine_of(cpu)->tss.ist[slot - 1] = top;
}

void segments_load(uint32_t index, uint32_t apic_id, uint32_t node)
{
	struct cpu *cpu = &cpus[index];

	cpu->self = cpu;
	cpu->index = index;
	cpu->apic_id = apic_id;
	cpu->node = node;
	cpu->arch = &machines[index];
	machine_of(cpu)->deadline_ns = DEADLINE_NEVER;
	gdt_fill(machine_of(cpu));
	gdt_load(machine_of(cpu)); /* loading GS cleared its base */
	msr_write(MSR_GS_BASE, (uint64_t)cpu);
	msr_write(MSR_KERNEL_GS_BASE, 0);
	if (index == 0) {
		for (uint32_t i = 0; i < IST_STACKS; i++)
			segments_set_ist(cpu, i + 1, boot_ist[i] + sizeof(boot_ist[i]));
	}
}
