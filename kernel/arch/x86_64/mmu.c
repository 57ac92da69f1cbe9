/* SPDX-License-Identifier: GPL-2.0-only */
/* mmu.c - CR3, PCIDs and this CPU's TLB: the hardware side of mm/port.h.
 *
 * With PCIDs a CPU keeps the translations of the last 8 roots it used; PCID 0 is for bring-up. Loading a root that
 * is still known flushes nothing. What mm takes from a space while it is not loaded here is made good after the next
 * load, because the space was marked stale for this CPU (mm/space.h, space_enter). A root whose page goes back to mm is
 * forgotten everywhere (tlb_root_retired), so its successor starts with a flush. */
#include "kernel/arch/x86_64/machine.h"
#include "kernel/arch/x86_64/x86.h"
#include "mm/kernel_space.h"

#define CR3_NO_FLUSH (1ull << 63)
#define PCID_FIRST 1u
#define CR3_ADDRESS 0x000ffffffffff000ull

/* [I] 0: PCIDs are only pretended (cpuid.c), so that their code can be tried anywhere */
uint64_t cr3_no_flush = CR3_NO_FLUSH;

void mmu_load(void)
{
	cr3_write(cr3_read() & CR3_ADDRESS); /* PCID 0, which CR4.PCIDE asks for */
	if ((arch_features & CPU_PCID) && cr3_no_flush)
		cr4_write(cr4_read() | CR4_PCIDE);
	for (uint32_t pcid = 0; pcid < PCIDS_MAX; pcid++)
		cpu_this()->pcid_root[pcid] = 0;
}

static uint32_t load_tagged(struct cpu *cpu, uint64_t root)
{
	struct cpu_machine *machine = machine_of(cpu);
	uint64_t no_flush = cr3_no_flush;
	uint32_t pcid;

	for (pcid = PCID_FIRST; pcid < PCIDS_MAX; pcid++) {
		if (__atomic_load_n(&cpu->pcid_root[pcid], __ATOMIC_RELAXED) == root)
			break;
	}
	if (pcid == PCIDS_MAX) {
		pcid = PCID_FIRST + machine->pcid_next;
		machine->pcid_next = (machine->pcid_next + 1) % (PCIDS_MAX - PCID_FIRST);
		__atomic_store_n(&cpu->pcid_root[pcid], root, __ATOMIC_RELAXED);
		no_flush = 0;
	}
	cr3_write(root | pcid | no_flush);
	return pcid;
}

uint32_t arch_load_root(uint64_t root)
{
	uint64_t interrupts = arch_irq_save();
	struct cpu *cpu = cpu_this();
	uint32_t pcid = 0;

	cpu->counters.root_switches++;
	if (arch_features & CPU_PCID)
		pcid = load_tagged(cpu, root);
	else
		cr3_write(root);
	arch_irq_restore(interrupts);
	return pcid;
}

/* A slot that another CPU empties here is not the one that it is using: that root is loaded nowhere. */
void tlb_root_retired(paddr_t root)
{
	if (!(arch_features & CPU_PCID))
		return;
	for (uint32_t i = 0; i < cpu_count(); i++) {
		for (uint32_t pcid = PCID_FIRST; pcid < PCIDS_MAX; pcid++) {
			uint64_t expected = root.v;

			__atomic_compare_exchange_n(&cpus[i].pcid_root[pcid], &expected, 0, false, __ATOMIC_SEQ_CST,
						    __ATOMIC_RELAXED);
		}
	}
}

uint64_t root_current(void)
{
	return cr3_read() & CR3_ADDRESS;
}

void tlb_local_page(vaddr_t address)
{
	__asm__ volatile("invlpg (%0)" : : "r"(address.v) : "memory");
}

void tlb_local_all(void)
{
	cr3_write(cr3_read() & ~CR3_NO_FLUSH);
}

/* Changing CR4.PGE drops everything, of every PCID (Intel SDM volume 3, 4.10.4.1). */
void tlb_local_global(void)
{
	uint64_t interrupts = arch_irq_save();
	uint64_t cr4 = cr4_read();

	cr4_write(cr4 ^ CR4_PGE);
	cr4_write(cr4);
	arch_irq_restore(interrupts);
}
