/* SPDX-License-Identifier: GPL-2.0-only */
/* machine.h - what the files of this folder ask of each other. Nobody else includes it; kernel/arch.h is the contract.
 * [I] immutable after bring-up  [c] that CPU only. */
#pragma once

#include "kernel/arch.h"
#include "kernel/arch/x86_64/layout.h"
#include "kernel/cpu.h"

#define GDT_ENTRIES 8

struct tss { /* Intel SDM volume 3, 8.7 */
	uint32_t reserved0;
	uint64_t rsp0, rsp1, rsp2;
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_map; /* past the limit: no port is open to user mode */
} PACKED;

struct cpu_machine { /* cpu->arch */
	uint64_t gdt[GDT_ENTRIES];  /* [I] */
	struct tss tss;             /* [c] */
	uint64_t deadline_ns;       /* [c] what arch_timer_set was told */
	uint32_t pcid_next;         /* [c] the next victim */
} ALIGNED(64);

static inline struct cpu_machine *machine_of(struct cpu *cpu)
{
	return cpu->arch;
}

/* gdt.c: this CPU's area, GDT, TSS; after it cpu_this() works. */
void segments_load(uint32_t index, uint32_t apic_id, uint32_t node);
void segments_set_ist(struct cpu *cpu, uint32_t slot, void *stack_top); /* slot IST_... */
/* trap.c */
void trap_init(void);
void trap_load(void);
void trap_dispatch(struct trap_frame *frame);
void trap_dispatch_paranoid(struct trap_frame *frame);
/* cpuid.c: the boot CPU decides, every CPU obeys. */
void features_detect(const char *command_line);
void features_load(void); /* control registers, EFER, PAT, system call MSRs; this CPU */
/* fpu.c */
void fpu_detect(void);
void fpu_load_control(void); /* XCR0 and an initial state; this CPU */
uint64_t fpu_wanted_components(void);
void fpu_area_init(void *area);
void fpu_switch(void *old_area, void *new_area); /* either may be NULL */
/* mmu.c */
void mmu_load(void); /* this CPU starts with a root that has no PCID */
extern uint64_t cr3_no_flush;
/* pic.c */
void pic_disable(void);
/* apic.c */
void apic_init(const struct boot_info *info);
void apic_load(void); /* this CPU's */
void apic_eoi(void);
uint32_t apic_id(void);
void apic_calibrate(void);
bool apic_can_reach(uint32_t id);
void apic_timer_arrived(void);
void apic_send_init(uint32_t id);
void apic_send_startup(uint32_t id, uint32_t page);
void apic_log_error(void);
bool apic_halt_wanted(void); /* an NMI means: stop for good */
/* ioapic.c */
void ioapic_init(const struct boot_info *info);
bool ioapic_arrived(uint32_t vector); /* masks level lines, EOI, interrupt_arrived(); false: no line has this vector */
/* tsc.c */
void tsc_calibrate(const struct boot_info *info);
void tsc_delay_ns(uint64_t ns);       /* after tsc_calibrate */
uint64_t tsc_at(uint64_t deadline_ns);
bool tsc_check_source(uint32_t cpu);  /* boot CPU, while that one runs tsc_check_target(); false: it did not answer */
void tsc_check_target(void);
/* smp.c */
void cpus_expect(uint32_t number);
MUST_USE bool cpu_stacks_make(struct cpu *cpu); /* interrupt stacks with guard pages */
/* cmos.c */
void cmos_read(void);
/* uart.c */
void uart_init(void);
/* power.c */
void power_init(const struct boot_info *info);
/* usercopy.S */
bool probe_load64(const uint64_t *kernel_address, uint64_t *out);
