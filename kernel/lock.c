/* SPDX-License-Identifier: GPL-2.0-only */
/* lock.c - ticket spin locks (mm/port.h). First come, first served: `next` is the ticket to draw, `serving` who may
 * enter. Whoever waits with interrupts off still answers TLB rounds: the holder may be waiting for this very CPU. */
#include "kernel/arch.h"
#include "kernel/lock_check.h"
#include "kernel/round.h"

void spin_init(struct spinlock *lock, enum lock_rank rank)
{
	*lock = (struct spinlock){ .rank = (uint8_t)rank };
}

static COLD void spin_wait(struct spinlock *lock, uint32_t ticket)
{
	bool deaf = !arch_irq_enabled();

	while (__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != ticket) {
		if (deaf)
			tlb_round_handle();
		arch_pause();
	}
}

void spin_lock(struct spinlock *lock) TA_NONE
{
	uint32_t ticket;

	lock_check_order(lock);
	ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);
	if (unlikely(__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != ticket))
		spin_wait(lock, ticket);
	lock_check_taken(lock);
}

void spin_unlock(struct spinlock *lock) TA_NONE
{
	lock_check_given(lock);
	__atomic_store_n(&lock->serving, lock->serving + 1, __ATOMIC_RELEASE);
}

bool spin_try_lock(struct spinlock *lock) TA_NONE
{
	uint32_t serving = __atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE);

	if (!__atomic_compare_exchange_n(&lock->next, &serving, serving + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	lock_check_taken(lock);
	return true;
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
