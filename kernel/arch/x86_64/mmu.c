/* SPDX-License-Identifier: GPL-2.0-only */
/* mmu.c - CR3, PCIDs and this CPU's TLB: the hardware side of mm/port.h.
 *
 * With PCIDs a CPU keeps the translations of the last PCIDS roots it used; PCID 0 is for bring-up. Loading a root that
 * is still known flushes nothing. What mm takes from a space while it is not loaded here is made good after the next
 * load, because the space was marked stale for this CPU (mm/space.h, space_enter). A root whose page goes back to mm is
 * forgotten everywhere (tlb_root_retired), so its successor starts with a flush. */
#include "kernel/arch/x86_64/machine.h"
#include "kernel/arch/x86_64/x86.h"
#include "mm/kernel_space.h"

#define CR3_NO_FLUSH (1ull << 63)
#define CR3_ADDRESS 0x000ffffffffff000ull

void mmu_load(void)
{
	struct cpu_machine *machine = machine_of(cpu_this());

	cr3_write(cr3_read() & CR3_ADDRESS); /* PCID 0, which CR4.PCIDE asks for */
	if (arch_features & CPU_PCID)
		cr4_write(cr4_read() | CR4_PCIDE);
	for (uint32_t i = 0; i < PCIDS; i++)
		machine->pcid_root[i] = 0;
	machine->pcid = 0;
	cpu_this()->root = cr3_read() & CR3_ADDRESS;
}

static void load_tagged(struct cpu_machine *machine, uint64_t root)
{
	uint64_t flush = 0;
	uint32_t slot;

	for (slot = 0; slot < PCIDS; slot++) {
		if (__atomic_load_n(&machine->pcid_root[slot], __ATOMIC_RELAXED) == root)
			break;
	}
	if (slot == PCIDS) {
		slot = machine->pcid_next;
		machine->pcid_next = (slot + 1) % PCIDS;
		__atomic_store_n(&machine->pcid_root[slot], root, __ATOMIC_RELAXED);
	} else {
		flush = CR3_NO_FLUSH;
	}
	machine->pcid = slot + 1;
	cr3_write(root | machine->pcid | flush);
}

void arch_load_root(uint64_t root)
{
	uint64_t interrupts = arch_irq_save();
	struct cpu *cpu = cpu_this();

	cpu->root = root;
	cpu->counters.root_switches++;
	if (arch_features & CPU_PCID)
		load_tagged(machine_of(cpu), root);
	else
		cr3_write(root);
	arch_irq_restore(interrupts);
}

/* A slot that another CPU empties here is not the one that it is using: that root is loaded nowhere. */
void tlb_root_retired(paddr_t root)
{
	if (!(arch_features & CPU_PCID))
		return;
	for (uint32_t i = 0; i < cpu_count(); i++) {
		struct cpu_machine *machine = machine_of(&cpus[i]);

		for (uint32_t slot = 0; machine != NULL && slot < PCIDS; slot++) {
			uint64_t expected = root.v;

			__atomic_compare_exchange_n(&machine->pcid_root[slot], &expected, 0, false, __ATOMIC_SEQ_CST,
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

void *phys_to_virt(paddr_t physical)
{
	return (void *)(DIRECT_MAP_BASE + physical.v);
}

paddr_t virt_to_phys(const void *direct_map_address)
{
	uint64_t address = (uint64_t)direct_map_address;

	DASSERT(address - DIRECT_MAP_BASE < DIRECT_MAP_BYTES);
	return PADDR(address - DIRECT_MAP_BASE);
}
