/* SPDX-License-Identifier: GPL-2.0-only */
/* port_inline.h - what mm/port.h lets a port define as inline functions. A lock that is free is taken by one exchange
 * and given back by one store; in debug builds both are checked (lock_check.h). */
#pragma once

#include "kernel/arch.h"
#include "kernel/arch/x86_64/layout.h"
#include "kernel/lock_check.h"

extern uint32_t cpu_total; /* [a] smp.c; [I] after arch_start_cpus */
void spin_wait(struct spinlock *lock); /* lock.c: until it is ours */

static inline uint32_t cpu_current(void)
{
	uint32_t index;

	__asm__ volatile("movl %%gs:%c1, %0" : "=r"(index) : "i"(CPU_INDEX)); /* volatile: another one after a switch */
	return index;
}

static inline uint32_t cpu_count(void)
{
	return __atomic_load_n(&cpu_total, __ATOMIC_RELAXED);
}

static inline void *phys_to_virt(paddr_t physical)
{
	return (void *)(DIRECT_MAP_BASE + physical.v);
}

static inline paddr_t virt_to_phys(const void *direct_map_address)
{
	uint64_t address = (uint64_t)direct_map_address;

	DASSERT(address - DIRECT_MAP_BASE < DIRECT_MAP_BYTES);
	return PADDR(address - DIRECT_MAP_BASE);
}

static inline MUST_USE uint64_t interrupts_off(void)
{
	return arch_irq_save();
}

static inline void interrupts_restore(uint64_t state)
{
	arch_irq_restore(state);
}

static inline bool spin_try(struct spinlock *lock)
{
	return __atomic_exchange_n(&lock->taken, 1, __ATOMIC_ACQUIRE) == 0;
}

static inline void spin_lock(struct spinlock *lock) TA_ACQUIRE(lock) TA_NONE
{
	if (DEBUG_BUILD)
		lock_check_order(lock);
	if (unlikely(!spin_try(lock)))
		spin_wait(lock);
	if (DEBUG_BUILD)
		lock_check_taken(lock);
}

static inline void spin_unlock(struct spinlock *lock) TA_RELEASE(lock) TA_NONE
{
	if (DEBUG_BUILD)
		lock_check_given(lock);
	__atomic_store_n(&lock->taken, 0, __ATOMIC_RELEASE);
}

static inline MUST_USE uint64_t spin_lock_irq(struct spinlock *lock) TA_ACQUIRE(lock) TA_NONE
{
	uint64_t interrupts = arch_irq_save();

	spin_lock(lock);
	return interrupts;
}

static inline void spin_unlock_irq(struct spinlock *lock, uint64_t state) TA_RELEASE(lock) TA_NONE
{
	spin_unlock(lock);
	arch_irq_restore(state);
}
