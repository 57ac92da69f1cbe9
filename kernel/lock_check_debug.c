/* SPDX-License-Identifier: GPL-2.0-only */
/* lock_check_debug.c - see lock_check.h. Each CPU keeps the locks that it holds in the order in which they were taken;
 * the kernel is not preempted inside itself, so they are those of one thread and of the interrupts on top of it. */
#include "kernel/arch.h"
#include "kernel/cpu.h"
#include "kernel/lock_check.h"
#include "kernel/panic.h"

void lock_check_order(struct spinlock *lock)
{
	uint64_t interrupts = arch_irq_save();
	struct cpu *cpu = cpu_this();

	for (uint32_t i = 0; i < cpu->locks_held && !panic_is_on(); i++) {
		if (cpu->lock_stack[i] == lock)
			panic("lock %p is taken twice by CPU %u", (void *)lock, cpu->index);
		if (lock->rank != LOCK_RANK_NONE && cpu->lock_stack[i]->rank >= lock->rank)
			panic("lock order: rank %u (%p) after rank %u (%p)", lock->rank, (void *)lock,
			      cpu->lock_stack[i]->rank, (void *)cpu->lock_stack[i]);
	}
	if (lock->rank >= LOCK_RANK_WAIT && interrupts)
		panic("lock %p of rank %u is taken with interrupts on", (void *)lock, lock->rank);
	arch_irq_restore(interrupts);
}

void lock_check_taken(struct spinlock *lock)
{
	uint64_t interrupts = arch_irq_save();
	struct cpu *cpu = cpu_this();

	if (cpu->locks_held == ARRAY_LEN(cpu->lock_stack))
		panic("CPU %u holds more than %u locks", cpu->index, cpu->locks_held);
	cpu->lock_stack[cpu->locks_held++] = lock;
	__atomic_store_n(&lock->holder, cpu->index + 1, __ATOMIC_RELAXED);
	arch_irq_restore(interrupts);
}

void lock_check_given(struct spinlock *lock)
{
	uint64_t interrupts = arch_irq_save();
	struct cpu *cpu = cpu_this();
	uint32_t at = cpu->locks_held;

	if (!spin_is_held(lock))
		panic("lock %p is given back by CPU %u, which does not hold it", (void *)lock, cpu->index);
	while (at > 0 && cpu->lock_stack[at - 1] != lock)
		at--;
	for (; at > 0 && at < cpu->locks_held; at++)
		cpu->lock_stack[at - 1] = cpu->lock_stack[at];
	cpu->locks_held--;
	__atomic_store_n(&lock->holder, 0, __ATOMIC_RELAXED);
	arch_irq_restore(interrupts);
}

bool spin_is_held(const struct spinlock *lock)
{
	return __atomic_load_n(&lock->holder, __ATOMIC_RELAXED) == cpu_current() + 1;
}
