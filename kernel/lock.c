/* SPDX-License-Identifier: GPL-2.0-only */
/* lock.c - spin locks (mm/port.h). Whoever waits with interrupts off still answers TLB rounds: the holder may be
 * waiting for this very CPU. Waiters read until the lock looks free and only then try to take it, so they share its
 * line. */
#include "kernel/arch.h"
#include "kernel/lock_check.h"
#include "kernel/round.h"

void spin_init(struct spinlock *lock, enum lock_rank rank)
{
	*lock = (struct spinlock){ .rank = (uint8_t)rank };
}

static bool take(struct spinlock *lock)
{
	return __atomic_exchange_n(&lock->taken, 1, __ATOMIC_ACQUIRE) == 0;
}

static COLD void spin_wait(struct spinlock *lock)
{
	bool deaf = !arch_irq_enabled();

	do {
		while (__atomic_load_n(&lock->taken, __ATOMIC_RELAXED)) {
			if (deaf)
				tlb_round_handle();
			arch_pause();
		}
	} while (!take(lock));
}

void spin_lock(struct spinlock *lock) TA_NONE
{
	lock_check_order(lock);
	if (unlikely(!take(lock)))
		spin_wait(lock);
	lock_check_taken(lock);
}

void spin_unlock(struct spinlock *lock) TA_NONE
{
	lock_check_given(lock);
	__atomic_store_n(&lock->taken, 0, __ATOMIC_RELEASE);
}

uint64_t interrupts_off(void)
{
	return arch_irq_save();
}

void interrupts_restore(uint64_t state)
{
	arch_irq_restore(state);
}

uint64_t spin_lock_irq(struct spinlock *lock) TA_NONE
{
	uint64_t interrupts = arch_irq_save();

	spin_lock(lock);
	return interrupts;
}

void spin_unlock_irq(struct spinlock *lock, uint64_t state) TA_NONE
{
	spin_unlock(lock);
	arch_irq_restore(state);
}
