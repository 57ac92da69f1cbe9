/* SPDX-License-Identifier: GPL-2.0-only */
/* context.c - from one thread to another, and a thread's first frames. The user frame is always at the top of the
 * kernel stack; below it, while switched out, is what switch.S saved. */
#include "kernel/arch/x86_64/machine.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/thread.h"

void context_switch(uint64_t *old_rsp, uint64_t new_rsp); /* switch.S */

#define SAVED_REGISTERS 6 /* switch.S pops them, then returns */

void arch_thread_prepare(struct arch_context *context, void *kstack_top, void (*first)(void))
{
	uint64_t *stack = (uint64_t *)((uint64_t)kstack_top - sizeof(struct trap_frame));

	*--stack = 0; /* first() never returns; also aligns its entry */
	*--stack = (uint64_t)first;
	for (uint32_t i = 0; i < SAVED_REGISTERS; i++)
		*--stack = 0;
	context->rsp = (uint64_t)stack;
	if (context->fpu)
		fpu_area_init(context->fpu);
}

uint64_t arch_fs_base(void)
{
	uint64_t base;

	if (!(arch_features & CPU_FSGSBASE))
		return msr_read(MSR_FS_BASE);
	__asm__ volatile("rdfsbase %0" : "=r"(base));
	return base;
}

void arch_fs_base_set(uint64_t base)
{
	if (arch_features & CPU_FSGSBASE)
		__asm__ volatile("wrfsbase %0" : : "r"(base));
	else
		msr_write(MSR_FS_BASE, base);
}

void arch_switch(struct thread *previous, struct thread *next)
{
	struct cpu *cpu = cpu_this();

	previous->context.user_fs = arch_fs_base();
	fpu_switch(previous->context.fpu, next->context.fpu);
	arch_fs_base_set(next->context.user_fs);
	cpu->current = next;
	cpu->kstack_top = (uint64_t)next->kstack_top;
	machine_of(cpu)->tss.rsp0 = (uint64_t)next->kstack_top;
	context_switch(&previous->context.rsp, next->context.rsp);
}

struct trap_frame *arch_user_frame(struct thread *thread)
{
	return (struct trap_frame *)thread->kstack_top - 1;
}

void arch_user_frame_init(struct trap_frame *frame, uint64_t rip, uint64_t rsp, uint64_t argument)
{
	*frame = (struct trap_frame){
		.rdi = argument, .rip = rip, .cs = USER_CS, .rflags = FLAG_IF | FLAG_FIXED, .rsp = rsp, .ss = USER_SS,
	};
}
