/* SPDX-License-Identifier: GPL-2.0-only */
/* arch.h - the port contract: all that kernel/ asks of the processor. kernel/arch/x86_64/
 * implements it. Times are nanoseconds since boot. Context, unless said otherwise: any, interrupts
 * on or off. */
#pragma once

#include "boot/boot_info.h"
#include "kernel/arch/x86_64/trap_frame.h"
#include "mm/types.h"

struct thread;
struct cpu;

/* Bring-up, in this order, from kernel_main (kernel/main.c). */
/* UART for the log, GDT/IDT/TSS and per-CPU area of the boot CPU, CPUID, CR0/CR4/EFER, system call
 * MSRs */
void arch_early_init(const struct boot_info *info);
/* after mm_init: APICs, TSC calibration, timer, interrupt routing, 8259s masked */
void arch_init(const struct boot_info *info);
/* each: own area, tables, TSC; then entry() on its own idle stack; returns when all are up */
void arch_start_cpus(const struct boot_info *info, void (*entry)(void));
/* enum cpu_feature: what is used (the command line may cut it: nosmap, nopcid, ...). [I] after
 * arch_early_init */
extern uint32_t arch_features;
const char *arch_cpu_name(void);

/* Time. */
uint64_t arch_clock_ns(void);
uint64_t arch_tsc_hz(void);
uint64_t arch_boot_unix_ns(void);     /* CMOS clock read at boot */
struct sysinfo_page;
void arch_fill_sysinfo(struct sysinfo_page *page);
/* this CPU's one-shot; DEADLINE_NEVER stops it. The interrupt calls timer_interrupt(). */
void arch_timer_set(uint64_t deadline_ns);

/* Interrupts of this CPU. */
static inline uint64_t arch_irq_save(void)
{
	uint64_t flags;
	__asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
	return flags & 0x200;
}
static inline void arch_irq_restore(uint64_t state)
{
	if (state)
		__asm__ volatile("sti" : : : "memory");
}
static inline void arch_irq_enable(void) { __asm__ volatile("sti" : : : "memory"); }
static inline void arch_irq_disable(void) { __asm__ volatile("cli" : : : "memory"); }
static inline bool arch_irq_enabled(void)
{
	uint64_t flags;
	__asm__ volatile("pushfq; popq %0" : "=r"(flags));
	return flags & 0x200;
}
static inline void arch_pause(void) { __asm__ volatile("pause" : : : "memory"); }
/* called with interrupts off; waits for one (sti; hlt), returns with interrupts on */
void arch_idle(void);

/* Other CPUs. */
void arch_ipi_reschedule(uint32_t cpu); /* makes that CPU pass through sched_interrupt() */
/* runs tlb_round_handle() there; the round itself is kernel/round.c's */
void arch_ipi_round(struct cpu_set targets);
void arch_ipi_halt_others(void);        /* panic */
void arch_calls_short(bool allowed); /* this CPU: may calls take the short way, which leaves no trace? */

/* Device interrupts: line `gsi` -> interrupt_arrived(gsi) (kernel/interrupt.c), on the boot CPU,
 * EOI done by arch. */
#define ARCH_LINE_LEVEL 1u
#define ARCH_LINE_LOW 2u
/* polarity and trigger as the firmware tables say; of an ISA line: arch_line_isa() */
#define ARCH_LINE_FIRMWARE 4u
/* ERR_ARGS no such line, ERR_EXISTS taken; starts masked */
MUST_USE err_t arch_line_claim(uint32_t gsi, uint32_t flags);
void arch_line_mask(uint32_t gsi, bool masked);
void arch_line_release(uint32_t gsi);
uint32_t arch_line_isa(uint32_t isa_irq); /* the GSI that an ISA interrupt is wired to */
bool arch_line_is_log(uint32_t gsi); /* is it that of the UART that arch_log_write writes to? */

/* Threads. A context is what arch_switch saves: callee-saved registers on the kernel stack, FS
 * base, FPU state. */
/* XSAVE with AVX-512, no AMX; arch asserts that the CPU needs no more */
#define FPU_AREA_BYTES_MAX 2816
struct arch_context {
	uint64_t rsp;        /* kernel stack pointer while switched out */
	uint64_t user_fs;    /* FS base of user mode; live in the CPU while running */
	void *fpu;           /* XSAVE area, 64-byte aligned, owned by the thread (pool) */
};
/* first() runs on the new stack after the first switch, interrupts off */
void arch_thread_prepare(struct arch_context *context, void *kstack_top, void (*first)(void));
/* saves/loads context, FPU, FS base, kernel stack in TSS and per-CPU area; root via space
 * (thread.h) */
void arch_switch(struct thread *previous, struct thread *next);
struct trap_frame *arch_user_frame(struct thread *thread); /* at the top of its kernel stack */
/* user segments, IF set, all else 0 */
void arch_user_frame_init(struct trap_frame *frame, uint64_t rip, uint64_t rsp, uint64_t argument);
/* through the common exit path (user_return_work is called there) */
NORETURN void arch_return_to_user(struct trap_frame *frame);
uint32_t arch_load_root(uint64_t root); /* CR3; returns the PCID under which it was, 0: none */
uint64_t arch_fs_base(void);
void arch_fs_base_set(uint64_t base); /* user half only: the caller has checked */

/* FPU at a crossing: clear = initial state, all vector registers zero (door.h); control words saved
 * and restored apart. */

void arch_fpu_clear(void);
uint64_t arch_fpu_control(void);             /* MXCSR | x87 control word << 32 */
void arch_fpu_control_set(uint64_t control);
/* whole state of the current thread -> area (FPU_AREA_BYTES_MAX, 64-byte aligned) */
void arch_fpu_save(void *area);
void arch_fpu_load(const void *area);

/* User memory. A fault that mm can resolve is resolved on the way; ERR_FAULT otherwise. ERR_AGAIN:
 * a pager must run first, thread->pager_request is filled: unwind, change nothing, and return
 * ERR_AGAIN from the handler up to syscall_dispatch, which calls the pager and then restarts the
 * system call. */
#define __user
MUST_USE err_t copy_from_user(void *to, const void __user *from, size_t bytes);
MUST_USE err_t copy_to_user(void __user *to, const void *from, size_t bytes);
MUST_USE err_t user_load32(const uint32_t __user *address, uint32_t *out); /* atomic */
MUST_USE err_t user_store32(uint32_t __user *address, uint32_t value);

/* Ports, ends, addresses. */
uint32_t arch_port_read(uint16_t port, uint32_t width);
void arch_port_write(uint16_t port, uint32_t width, uint32_t value);
NORETURN void arch_power_off(void);
NORETURN void arch_restart(void);
NORETURN void arch_halt(void); /* this CPU, for good */
/* isa-debug-exit at 0xf4 where it is, else power off */
NORETURN void arch_emulator_exit(uint32_t code);
void arch_log_write(const char *text, size_t bytes); /* polled UART; any context */
static inline bool address_is_user(uint64_t address, uint64_t bytes)
{
	return address < USER_END && bytes <= USER_END - address;
}

/* Called by arch, implemented by kernel/:
 *   syscall_dispatch() (syscall.h), interrupts on; fault_handle(), fault_resolve(),
 *   exception_handle() (fault.h), interrupts on as far as they were. Leaving the kernel by arch's
 *   common exit restores every register from the frame (a system call's rcx and r11 excepted):
 *   syscall_dispatch() zeroes the caller-saved ones that the call does not name, door calls hand
 *   over the whole frame. With interrupts off: */
void timer_interrupt(void);
void sched_interrupt(void);
void interrupt_arrived(uint32_t gsi);
void tlb_round_handle(void);
/* just before each return to user mode while cpu->return_work is not 0 */
void user_return_work(struct trap_frame *frame);
