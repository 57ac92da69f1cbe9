/* SPDX-License-Identifier: GPL-2.0-only */
/* trap.c - the IDT, and what each vector leads to.
 * Rules: everything arrives with interrupts off. Page faults and exceptions of user mode turn them on again, because
 * what they lead to may sleep; entry.S turns them off before it looks for work and leaves. */
#include "kernel/arch/x86_64/machine.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/fault.h"
#include "kernel/log.h"
#include "kernel/panic.h"
#include "kernel/trace.h"
#include "mm/kernel_space.h"

enum exception {
	EXCEPTION_DEBUG = 1,
	EXCEPTION_NMI = 2,
	EXCEPTION_BREAKPOINT = 3,
	EXCEPTION_OVERFLOW = 4,
	EXCEPTION_DOUBLE_FAULT = 8,
	EXCEPTION_PROTECTION = 13,
	EXCEPTION_PAGE_FAULT = 14,
	EXCEPTION_MACHINE_CHECK = 18,
	EXCEPTIONS = 32
};

#define PAGE_FAULT_WRITE (1u << 1)
#define PAGE_FAULT_RESERVED (1u << 3)
#define PAGE_FAULT_FETCH (1u << 4)
#define STUB_BYTES 16
#define OVERFLOW_REACH 256 /* below rsp, of a push and of the frame of a page fault */
#define GATE_INTERRUPT 0x8e
#define GATE_USER 0x60

struct gate { /* Intel SDM volume 3, figure 6-8 */
	uint16_t offset_low;
	uint16_t selector;
	uint8_t ist;
	uint8_t type;
	uint16_t offset_middle;
	uint32_t offset_high;
	uint32_t reserved;
};

struct extable_entry { /* usercopy.S */
	uint64_t rip;
	uint64_t resume;
};

static struct gate idt[VECTORS] ALIGNED(16);
extern const char trap_stubs[];
extern const struct extable_entry extable_start[], extable_end[]; /* linker.ld */

_Static_assert(sizeof(struct gate) == 16, "Intel SDM");
_Static_assert(offsetof(struct trap_frame, rcx) == FRAME_RCX, "entry.S");
_Static_assert(offsetof(struct trap_frame, rax) == FRAME_RAX, "entry.S");
_Static_assert(offsetof(struct trap_frame, vector) == FRAME_VECTOR, "entry.S");
_Static_assert(offsetof(struct trap_frame, error) == FRAME_ERROR, "entry.S");
_Static_assert(offsetof(struct trap_frame, rip) == FRAME_RIP, "entry.S");
_Static_assert(offsetof(struct trap_frame, cs) == FRAME_CS, "entry.S");
_Static_assert(offsetof(struct trap_frame, rflags) == FRAME_RFLAGS, "entry.S");
_Static_assert(offsetof(struct trap_frame, rsp) == FRAME_RSP, "entry.S");
_Static_assert(sizeof(struct trap_frame) == FRAME_BYTES && TRAP_SYSCALL == VECTOR_SYSCALL, "entry.S");

static void gate_set(uint32_t vector, uint8_t ist, uint8_t user)
{
	uint64_t stub = (uint64_t)trap_stubs + vector * STUB_BYTES;

	idt[vector] = (struct gate){
		.offset_low = (uint16_t)stub,
		.selector = KERNEL_CS,
		.ist = ist,
		.type = GATE_INTERRUPT | user,
		.offset_middle = (uint16_t)(stub >> 16),
		.offset_high = (uint32_t)(stub >> 32),
	};
}

void trap_init(void)
{
	for (uint32_t vector = 0; vector < VECTORS; vector++)
		gate_set(vector, 0, 0);
	gate_set(EXCEPTION_NMI, IST_NMI, 0);
	gate_set(EXCEPTION_DOUBLE_FAULT, IST_DOUBLE_FAULT, 0);
	gate_set(EXCEPTION_MACHINE_CHECK, IST_MACHINE_CHECK, 0);
	gate_set(EXCEPTION_BREAKPOINT, 0, GATE_USER); /* int3 and into are for everyone */
	gate_set(EXCEPTION_OVERFLOW, 0, GATE_USER);
}

void trap_load(void)
{
	struct PACKED {
		uint16_t limit;
		uint64_t base;
	} pointer = { sizeof(idt) - 1, (uint64_t)idt };

	__asm__ volatile("lidt %0" : : "m"(pointer));
}

/* Where a faulting user copy goes on, or 0. A handful of lines: a search needs no order. */
static uint64_t extable_find(uint64_t rip)
{
	for (const struct extable_entry *entry = extable_start; entry < extable_end; entry++) {
		if (entry->rip == rip)
			return entry->resume;
	}
	return 0;
}

static void kernel_exception(struct trap_frame *frame)
{
	uint64_t resume = extable_find(frame->rip);

	if (frame->vector == EXCEPTION_DEBUG) { /* nobody sets breakpoints; a stray one must not stop the machine */
		frame->rflags &= ~(uint64_t)FLAG_TF;
		__asm__ volatile("movq %0, %%dr6" : : "r"(0xffff0ff0ull));
		return;
	}
	if (frame->vector == EXCEPTION_PROTECTION && resume) { /* probe of an address that is none */
		frame->rax = (uint64_t)(int64_t)ERR_FAULT;
		frame->rip = resume;
		return;
	}
	panic_frame(frame, "exception %lu in the kernel, error 0x%lx", frame->vector, frame->error);
}

static enum access access_of(uint64_t error)
{
	if (error & PAGE_FAULT_FETCH)
		return ACCESS_EXECUTE;
	return error & PAGE_FAULT_WRITE ? ACCESS_WRITE : ACCESS_READ;
}

static void kernel_page_fault(struct trap_frame *frame, uint64_t address)
{
	uint64_t resume = extable_find(frame->rip);
	err_t err = ERR_FAULT;

	if (!resume)
		panic_frame(frame, "page fault in the kernel at 0x%lx (%s%s), error 0x%lx", address,
			    address_is_user(address, 1) ? "user memory, " : "",
			    access_of(frame->error) == ACCESS_EXECUTE ? "fetch" :
			    access_of(frame->error) == ACCESS_WRITE   ? "write" :
									"read",
			    frame->error);
	if (address_is_user(address, 1) && thread_current()) {
		if (frame->rflags & FLAG_IF)
			arch_irq_enable();
		err = fault_resolve(VADDR(address), access_of(frame->error));
		arch_irq_disable();
	}
	if (err == OK)
		return;
	frame->rax = (uint64_t)(int64_t)err;
	frame->rip = resume;
}

static void page_fault(struct trap_frame *frame)
{
	uint64_t address = cr2_read();

	if (frame->error & PAGE_FAULT_RESERVED)
		panic_frame(frame, "a page table is corrupt: reserved bit set on the way to 0x%lx", address);
	if (!trap_from_user(frame)) {
		kernel_page_fault(frame, address);
		return;
	}
	arch_irq_enable();
	fault_handle(frame, VADDR(address), access_of(frame->error));
	arch_irq_disable();
}

static void interrupt(uint64_t vector)
{
	struct cpu *cpu = cpu_this();

	cpu->counters.interrupts++;
	switch (vector) {
	case VECTOR_TIMER:
		cpu->counters.timer_interrupts++;
		apic_eoi();
		apic_timer_arrived();
		return;
	case VECTOR_RESCHEDULE:
		cpu->counters.ipis_received++;
		apic_eoi();
		sched_interrupt();
		return;
	case VECTOR_ROUND:
		cpu->counters.ipis_received++;
		apic_eoi();
		tlb_round_handle();
		return;
	case VECTOR_APIC_ERROR:
		apic_log_error();
		apic_eoi();
		return;
	case VECTOR_SPURIOUS: /* no EOI: Intel SDM volume 3, 10.9 */
		return;
	}
	if (vector >= VECTOR_LINE_FIRST && !ioapic_arrived((uint32_t)vector)) {
		apic_eoi();
		log_line("interrupt vector %lu came on CPU %u, and nobody has asked for it", vector, cpu->index);
	}
}

void trap_dispatch(struct trap_frame *frame)
{
	if (frame->vector >= EXCEPTIONS) {
		trace_event(TRACE_INTERRUPT, (uint32_t)frame->vector, frame->rip);
		interrupt(frame->vector);
		trace_event(TRACE_INTERRUPT_END, (uint32_t)frame->vector, 0);
	} else if (frame->vector == EXCEPTION_PAGE_FAULT) {
		page_fault(frame);
	} else if (trap_from_user(frame)) {
		arch_irq_enable();
		exception_handle(frame);
		arch_irq_disable();
	} else {
		kernel_exception(frame);
	}
}

static NORETURN void double_fault(const struct trap_frame *frame)
{
	uint64_t address = cr2_read();
	bool near = frame->rsp - address < OVERFLOW_REACH || address - frame->rsp < PAGE_SIZE;

	/* A store below the stack's end hit the guard page, and so did the frame of that page fault. */
	if (near || kstack_is_guard(VADDR(address)))
		panic_frame(frame, "kernel stack overflow: nothing is mapped at 0x%lx", address);
	panic_frame(frame, "double fault, last page fault at 0x%lx", address);
}

static NORETURN void machine_check(const struct trap_frame *frame)
{
	uint64_t status = 0;
	uint32_t bank;

	for (bank = 0; bank < 32; bank++) { /* Intel SDM volume 3, 15.3.2: the first bank with a valid, uncorrected error */
		status = bank < (msr_read(0x179) & 0xff) ? msr_read(MSR_MC0_STATUS + 4 * bank) : 0;
		if ((status >> 61 & 5) == 5)
			break;
	}
	panic_frame(frame, "machine check: global status 0x%lx, bank %u status 0x%lx", msr_read(MSR_MCG_STATUS), bank,
		    status);
}

/* Any GS base, any stack; locks may be held: no log_line here. */
static void non_maskable(const struct trap_frame *frame)
{
	char line[96];
	int bytes;

	if (apic_halt_wanted())
		arch_halt();
	bytes = format_text(line, sizeof(line), "NMI on CPU %u at rip 0x%lx, cs 0x%lx\n", cpu_this()->index, frame->rip,
			    frame->cs);
	arch_log_write(line, (size_t)bytes);
}

void trap_dispatch_paranoid(struct trap_frame *frame)
{
	if (frame->vector == EXCEPTION_NMI)
		non_maskable(frame);
	else if (frame->vector == EXCEPTION_MACHINE_CHECK)
		machine_check(frame);
	else
		double_fault(frame);
}
