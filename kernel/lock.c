/* SPDX-License-Identifier: GPL-2.0-only */
/* lock.c - waiting for a spin lock (mm/port.h); taking a free one is in arch/x86_64/port_inline.h. Whoever waits with
 * interrupts off still answers TLB rounds: the holder may be waiting for this very CPU. Waiters read until the lock
 * looks free and only then try to take it, so they share its line. */
#include "kernel/arch.h"
#include "kernel/round.h"
#include "mm/port.h"

void spin_init(struct spinlock *lock, enum lock_rank rank)
{
	*lock = (struct spinlock){ .rank = (uint8_t)rank };
}

COLD void spin_wait(struct spinlock *lock)
{
	bool deaf = !arch_irq_enabled();

	do {
		while (__atomic_load_n(&lock->taken, __ATOMIC_RELAXED)) {
			if (deaf)
				tlb_round_handle();
			arch_pause();
		}
	} while (!spin_try(lock));
}
