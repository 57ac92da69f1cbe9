/* SPDX-License-Identifier: GPL-2.0-only */
/* panic.c - stops the other CPUs, says why, shows registers and backtrace, and ends: leaves the emulator (panic=exit,
 * the default; exit code 255) or halts (panic=halt).
 * Only the first CPU to panic speaks. A panic inside a panic says one line more and ends at once. */
#include "kernel/panic.h"

#include "kernel/arch.h"
#include "kernel/backtrace.h"
#include "kernel/command_line.h"
#include "kernel/cpu.h"
#include "kernel/log.h"

#define EXIT_CODE 255
#define NOBODY 0

static bool halt_at_end;  /* [I] */
static uint32_t panicker; /* [a] CPU + 1 */

void panic_init(const char *command_line)
{
	halt_at_end = command_line_has(command_line, "panic=halt");
}

bool panic_is_on(void)
{
	return __atomic_load_n(&panicker, __ATOMIC_ACQUIRE) != NOBODY;
}

static NORETURN void finish(void)
{
	if (!halt_at_end)
		arch_emulator_exit(EXIT_CODE);
	arch_halt();
}

/* Returns on the one CPU that may speak. */
static void claim(void)
{
	uint32_t me = cpu_current() + 1;
	uint32_t owner = NOBODY;

	arch_irq_disable();
	if (__atomic_compare_exchange_n(&panicker, &owner, me, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		arch_ipi_halt_others();
		log_panic_begin();
		return;
	}
	if (owner != me)
		arch_halt();
	log_raw("panic: again, while reporting the first\n");
	finish();
}

static void registers_print(const struct trap_frame *f)
{
	log_panic("rip %016lx cs  %04lx flags %06lx vector %lu error %lx", f->rip, f->cs, f->rflags, f->vector, f->error);
	log_panic("rsp %016lx rbp %016lx rax %016lx rbx %016lx", f->rsp, f->rbp, f->rax, f->rbx);
	log_panic("rcx %016lx rdx %016lx rsi %016lx rdi %016lx", f->rcx, f->rdx, f->rsi, f->rdi);
	log_panic("r8  %016lx r9  %016lx r10 %016lx r11 %016lx", f->r8, f->r9, f->r10, f->r11);
	log_panic("r12 %016lx r13 %016lx r14 %016lx r15 %016lx", f->r12, f->r13, f->r14, f->r15);
}

static void reason_print(const char *format, __builtin_va_list arguments)
{
	char reason[256];

	format_vtext(reason, sizeof(reason), format, arguments);
	log_panic("PANIC on CPU %u: %s", cpu_current(), reason);
}

void panic(const char *format, ...)
{
	__builtin_va_list arguments;

	claim();
	__builtin_va_start(arguments, format);
	reason_print(format, arguments);
	__builtin_va_end(arguments);
	log_panic("backtrace:");
	backtrace_print((uint64_t)__builtin_return_address(0), *(const uint64_t *)__builtin_frame_address(0), log_panic);
	finish();
}

void panic_frame(const struct trap_frame *frame, const char *format, ...)
{
	__builtin_va_list arguments;

	claim();
	__builtin_va_start(arguments, format);
	reason_print(format, arguments);
	__builtin_va_end(arguments);
	registers_print(frame);
	log_panic("backtrace:");
	if (!trap_from_user(frame))
		backtrace_print(frame->rip, frame->rbp, log_panic);
	finish();
}
