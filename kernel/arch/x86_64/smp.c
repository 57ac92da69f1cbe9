/* SPDX-License-Identifier: GPL-2.0-only */
/* smp.c - starting the other CPUs (Intel SDM volume 3, 8.4.4.1): INIT to all, then SIPI, SIPI to one after the other.
 * A CPU that does not come up in time is sent back to its waiting state by another INIT, said so, and its index goes to
 * the next one: CPUs are numbered 0..cpu_count()-1 without holes.
 * Until arch_start_cpus() returns, cpu_count() is the number that may still come; only those that are `online` take
 * part in IPI rounds. */
#include "kernel/arch/x86_64/machine.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/log.h"
#include "mm/bootalloc.h"
#include "mm/kernel_space.h"

#define INIT_DELAY_NS 10000000ull
#define STARTUP_DELAY_NS 200000ull
#define PATIENCE_NS 2000000000ull

extern const uint8_t trampoline_begin[], trampoline_end[];
extern const uint8_t trampoline_gdt_pointer[], trampoline_far32[], trampoline_far64[];
extern const uint8_t trampoline_root[], trampoline_efer[];

/* For trampoline.S and the CPU that starts; one starts at a time. */
extern uint64_t smp_kernel_root, smp_stack;
NORETURN void smp_main(void);
uint64_t smp_kernel_root, smp_stack;
static const struct boot_cpu *starting;
static uint32_t starting_index;
static void (*starting_entry)(void);

uint32_t cpu_total = 1;               /* [a]; [I] after arch_start_cpus */
static uint64_t tables[3][512] ALIGNED(4096); /* root, level 3, level 2: the low 2 MiB at their own address */

void cpus_expect(uint32_t number)
{
	cpu_total = number < 1 ? 1 : number < CPUS_MAX ? number : CPUS_MAX;
}

static uint64_t image_physical(const void *address)
{
	return (uint64_t)address - IMAGE_BASE;
}

static void tables_fill(void)
{
	const uint64_t *kernel = phys_to_virt(PADDR(kernel_root()));

	for (uint32_t i = KERNEL_SLOT_FIRST; i < 512; i++)
		tables[0][i] = kernel[i];
	tables[0][0] = image_physical(tables[1]) | PTE_PRESENT | PTE_WRITE;
	tables[1][0] = image_physical(tables[2]) | PTE_PRESENT | PTE_WRITE;
	tables[2][0] = PTE_PRESENT | PTE_WRITE | PTE_LARGE;
}

static void trampoline_patch(uint8_t *page, const uint8_t *where, uint32_t value)
{
	uint8_t *to = page + (where - trampoline_begin);

	for (uint32_t i = 0; i < 4; i++)
		to[i] = (uint8_t)(value >> 8 * i);
}

static void trampoline_place(paddr_t low)
{
	uint8_t *page = phys_to_virt(low);
	uint32_t base = (uint32_t)low.v;

	for (uint32_t i = 0; i < (uint32_t)(trampoline_end - trampoline_begin); i++)
		page[i] = trampoline_begin[i];
	trampoline_patch(page, trampoline_gdt_pointer + 2, *(const uint32_t *)(trampoline_gdt_pointer + 2) + base);
	trampoline_patch(page, trampoline_far32, *(const uint32_t *)trampoline_far32 + base);
	trampoline_patch(page, trampoline_far64, *(const uint32_t *)trampoline_far64 + base);
	trampoline_patch(page, trampoline_root, (uint32_t)image_physical(tables[0]));
	trampoline_patch(page, trampoline_efer, arch_features & CPU_NX ? (uint32_t)EFER_NXE : 0);
}

bool cpu_stacks_make(struct cpu *cpu)
{
	void *top;

	for (uint32_t slot = 1; slot <= IST_STACKS; slot++) {
		if (kstack_alloc(&top) != OK)
			return false;
		segments_set_ist(cpu, slot, top);
	}
	return true;
}

/* The new CPU's first C. Interrupts off; on its idle stack; the kernel's tables. */
void smp_main(void)
{
	struct cpu *cpu = &cpus[starting_index];
	void (*entry)(void) = starting_entry;

	segments_load(starting_index, starting->apic_id, starting->node);
	trap_load();
	features_load();
	apic_load();
	cpu->kstack_top = smp_stack;
	tsc_check_target();
	if (!cpu_stacks_make(cpu))
		panic("no memory for the interrupt stacks of CPU %u", cpu->index);
	__atomic_store_n(&cpu->online, true, __ATOMIC_SEQ_CST);
	tlb_local_global(); /* rounds before that line left this CPU out */
	entry();
	panic("CPU %u: the idle loop has ended", cpu->index);
}

static void send_startup(uint32_t id, paddr_t low)
{
	for (uint32_t i = 0; i < 2; i++) { /* the second is ignored by a CPU that the first has started */
		apic_send_startup(id, (uint32_t)(low.v >> PAGE_SHIFT));
		tsc_delay_ns(STARTUP_DELAY_NS);
	}
}

static bool start(const struct boot_cpu *boot, uint32_t index, paddr_t low, void (*entry)(void))
{
	void *stack;
	uint64_t end;

	if (kstack_alloc(&stack) != OK) {
		log_line("CPU with APIC id %u: no memory for its stack", boot->apic_id);
		return false;
	}
	smp_stack = (uint64_t)stack;
	starting = boot;
	starting_index = index;
	starting_entry = entry;
	send_startup(boot->apic_id, low);
	if (tsc_check_source(index)) {
		end = arch_clock_ns() + PATIENCE_NS;
		while (!__atomic_load_n(&cpus[index].online, __ATOMIC_ACQUIRE) && arch_clock_ns() < end)
			arch_pause();
		if (__atomic_load_n(&cpus[index].online, __ATOMIC_ACQUIRE))
			return true;
	}
	apic_send_init(boot->apic_id); /* whatever it does, it stops */
	tsc_delay_ns(INIT_DELAY_NS);
	kstack_free(stack);
	log_line("CPU with APIC id %u did not come up within %llu s: going on without it", boot->apic_id,
		 PATIENCE_NS / 1000000000);
	return false;
}

void arch_start_cpus(const struct boot_info *info, void (*entry)(void))
{
	paddr_t low = bootalloc_low_page();
	uint32_t started = 1;

	smp_kernel_root = kernel_root();
	tables_fill();
	trampoline_place(low);
	for (uint32_t i = 1; i < info->cpus; i++) {
		if (apic_can_reach(info->cpu[i].apic_id))
			apic_send_init(info->cpu[i].apic_id);
	}
	if (info->cpus > 1)
		tsc_delay_ns(INIT_DELAY_NS);
	for (uint32_t i = 1; i < info->cpus; i++) {
		if (started == CPUS_MAX) {
			log_line("%u CPUs are there; %u are used", info->cpus, CPUS_MAX);
			break;
		}
		if (!apic_can_reach(info->cpu[i].apic_id))
			log_line("CPU with APIC id %u needs x2APIC: going on without it", info->cpu[i].apic_id);
		else if (start(&info->cpu[i], started, low, entry))
			started++;
	}
	__atomic_store_n(&cpu_total, started, __ATOMIC_RELAXED);
	log_line("CPUs: %u of %u up", started, info->cpus > 0 ? info->cpus : 1);
}
