/* SPDX-License-Identifier: GPL-2.0-only */
/* apic.c - the local APIC: interrupts to other CPUs, end of interrupt, the one-shot timer. xAPIC through device memory,
 * x2APIC through MSRs (Intel SDM volume 3, chapter 10). Destinations are physical.
 * Locks: none; every CPU talks to its own. A write to the command register is made with interrupts off. */
#include "kernel/arch/x86_64/machine.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/log.h"
#include "mm/kernel_space.h"

enum apic_register {
	APIC_ID = 0x20,
	APIC_TASK_PRIORITY = 0x80,
	APIC_EOI = 0xb0,
	APIC_SPURIOUS = 0xf0,
	APIC_ERROR_STATUS = 0x280,
	APIC_COMMAND = 0x300,
	APIC_COMMAND_HIGH = 0x310,
	APIC_LVT_TIMER = 0x320,
	APIC_LVT_LINT0 = 0x350,
	APIC_LVT_LINT1 = 0x360,
	APIC_LVT_ERROR = 0x370,
	APIC_TIMER_INITIAL = 0x380,
	APIC_TIMER_CURRENT = 0x390,
	APIC_TIMER_DIVIDE = 0x3e0
};

#define BASE_ENABLE (1ull << 11)
#define BASE_X2 (1ull << 10)
#define LVT_MASKED (1u << 16)
#define LVT_NMI (4u << 8)
#define LVT_TIMER_DEADLINE (2u << 17)
#define SOFTWARE_ENABLE (1u << 8)
#define COMMAND_FIXED 0u
#define COMMAND_NMI (4u << 8)
#define COMMAND_INIT (5u << 8)
#define COMMAND_STARTUP (6u << 8)
#define COMMAND_PENDING (1u << 12)
#define COMMAND_ASSERT (1u << 14)
#define COMMAND_ALL_OTHERS (3u << 18)
#define DIVIDE_BY_1 0xb
#define CALIBRATION_NS 5000000
#define NS_PER_SECOND 1000000000ull

static volatile uint32_t *registers; /* [I] xAPIC only */
static bool x2;                      /* [I] */
static bool ready;                   /* [I] */
static bool halt_wanted;             /* [a] */
static uint64_t timer_hz;            /* [I] 0: TSC deadline */

static uint32_t apic_read(enum apic_register which)
{
	return x2 ? (uint32_t)msr_read(MSR_X2APIC + which / 16) : registers[which / 4];
}

static void apic_write(enum apic_register which, uint32_t value)
{
	if (x2)
		msr_write(MSR_X2APIC + which / 16, value);
	else
		registers[which / 4] = value;
}

uint32_t apic_id(void)
{
	uint32_t id = apic_read(APIC_ID);

	return x2 ? id : id >> 24;
}

bool apic_can_reach(uint32_t id)
{
	return x2 || id < 0xff;
}

void apic_init(const struct boot_info *info)
{
	void *mapped;

	x2 = arch_features & CPU_X2APIC;
	if (!x2) {
		if (kernel_map(PADDR(info->lapic_address), PAGE_SIZE, CACHE_UNCACHED, true, &mapped) != OK)
			panic("no memory to map the local APIC");
		registers = mapped;
	}
	apic_load();
	ready = true;
}

void apic_load(void)
{
	uint64_t base = msr_read(MSR_APIC_BASE);

	if (!x2 && base & BASE_X2) /* the only way back leads through "disabled": 10.12.5 */
		msr_write(MSR_APIC_BASE, base & ~(BASE_ENABLE | BASE_X2));
	base &= ~BASE_X2;
	msr_write(MSR_APIC_BASE, base | BASE_ENABLE);
	if (x2)
		msr_write(MSR_APIC_BASE, base | BASE_ENABLE | BASE_X2);
	apic_write(APIC_SPURIOUS, SOFTWARE_ENABLE | VECTOR_SPURIOUS);
	apic_write(APIC_TASK_PRIORITY, 0);
	apic_write(APIC_LVT_LINT0, LVT_MASKED); /* the 8259s */
	apic_write(APIC_LVT_LINT1, LVT_NMI);
	apic_write(APIC_LVT_ERROR, VECTOR_APIC_ERROR);
	apic_write(APIC_ERROR_STATUS, 0);
	apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
	apic_write(APIC_TIMER_INITIAL, 0);
	apic_write(APIC_LVT_TIMER, VECTOR_TIMER | (arch_features & CPU_TSC_DEADLINE ? LVT_TIMER_DEADLINE : 0));
	__asm__ volatile("mfence" : : : "memory"); /* before the first deadline: 10.5.4.1 */
	apic_eoi();
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

void apic_log_error(void)
{
	apic_write(APIC_ERROR_STATUS, 0); /* latches */
	log_line("local APIC of CPU %u: error status 0x%x", cpu_this()->index, apic_read(APIC_ERROR_STATUS));
}

/* Ticks of the one-shot counter in a second, by the TSC. */
void apic_calibrate(void)
{
	uint64_t start, ticks, tsc;

	if (arch_features & CPU_TSC_DEADLINE)
		return;
	apic_write(APIC_LVT_TIMER, VECTOR_TIMER | LVT_MASKED);
	apic_write(APIC_TIMER_INITIAL, UINT32_MAX);
	start = arch_clock_ns();
	tsc_delay_ns(CALIBRATION_NS);
	ticks = UINT32_MAX - apic_read(APIC_TIMER_CURRENT);
	tsc = arch_clock_ns() - start;
	apic_write(APIC_TIMER_INITIAL, 0);
	apic_write(APIC_LVT_TIMER, VECTOR_TIMER);
	timer_hz = multiply_divide(ticks, NS_PER_SECOND, tsc);
	if (timer_hz == 0)
		panic("the local APIC's timer does not count");
}

static void timer_program(uint64_t deadline_ns)
{
	uint64_t now, count;

	if (arch_features & CPU_TSC_DEADLINE) {
		msr_write(MSR_TSC_DEADLINE, deadline_ns == DEADLINE_NEVER ? 0 : tsc_at(deadline_ns));
		return;
	}
	if (deadline_ns == DEADLINE_NEVER) {
		apic_write(APIC_TIMER_INITIAL, 0);
		return;
	}
	now = arch_clock_ns();
	count = deadline_ns > now ? deadline_ns - now : 0;
	if (count > NS_PER_SECOND) /* looked at again then: apic_timer_arrived() */
		count = NS_PER_SECOND;
	count = multiply_divide(count, timer_hz, NS_PER_SECOND) + 1;
	apic_write(APIC_TIMER_INITIAL, count < UINT32_MAX ? (uint32_t)count : UINT32_MAX);
}

void arch_timer_set(uint64_t deadline_ns)
{
	uint64_t interrupts = arch_irq_save();

	machine_of(cpu_this())->deadline_ns = deadline_ns;
	timer_program(deadline_ns);
	arch_irq_restore(interrupts);
}

void apic_timer_arrived(void)
{
	struct cpu_machine *machine = machine_of(cpu_this());
	uint64_t deadline = machine->deadline_ns;

	if (deadline == DEADLINE_NEVER)
		return;
	if (arch_clock_ns() < deadline) {
		timer_program(deadline);
		return;
	}
	machine->deadline_ns = DEADLINE_NEVER;
	timer_interrupt();
}

static void command(uint32_t id, uint32_t low)
{
	uint64_t interrupts = arch_irq_save();

	if (x2) {
		__asm__ volatile("mfence; lfence" : : : "memory"); /* the write does not wait for stores: 10.12.3 */
		msr_write(MSR_X2APIC + APIC_COMMAND / 16, (uint64_t)id << 32 | low);
	} else {
		while (apic_read(APIC_COMMAND) & COMMAND_PENDING)
			arch_pause();
		apic_write(APIC_COMMAND_HIGH, id << 24);
		apic_write(APIC_COMMAND, low);
	}
	arch_irq_restore(interrupts);
}

void arch_ipi_reschedule(uint32_t cpu)
{
	cpu_this()->counters.ipis_sent++;
	command(cpus[cpu].apic_id, COMMAND_FIXED | COMMAND_ASSERT | VECTOR_RESCHEDULE);
}

void arch_ipi_round(struct cpu_set targets)
{
	for (uint64_t bits = targets.bits; bits; bits &= bits - 1) {
		cpu_this()->counters.ipis_sent++;
		command(cpus[__builtin_ctzll(bits)].apic_id, COMMAND_FIXED | COMMAND_ASSERT | VECTOR_ROUND);
	}
}

bool apic_halt_wanted(void)
{
	return __atomic_load_n(&halt_wanted, __ATOMIC_ACQUIRE);
}

void arch_ipi_halt_others(void)
{
	__atomic_store_n(&halt_wanted, true, __ATOMIC_RELEASE);
	if (ready && cpu_count() > 1)
		command(0, COMMAND_ALL_OTHERS | COMMAND_NMI | COMMAND_ASSERT);
}

void apic_send_init(uint32_t id)
{
	command(id, COMMAND_INIT | COMMAND_ASSERT);
}

void apic_send_startup(uint32_t id, uint32_t page)
{
	command(id, COMMAND_STARTUP | COMMAND_ASSERT | page);
}
