/* SPDX-License-Identifier: GPL-2.0-only */
/* round.c - one piece of work on many CPUs, waited for: TLB invalidations.
 *
 * No lock: every CPU has one round of its own to start, and an inbox with one bit for each CPU that may ask it.
 *   starter   fills its round, sets its bit in each target's inbox, sends the IPIs, waits until `pending` is empty
 *   target    takes the bits out of its inbox, does each starter's work, clears its own bit in that `pending`
 * R1  a round's work and argument stay until pending is empty, so a target that sees the bit sees them.
 * R2  a starter answers others while it waits, so two that ask each other both get through.
 * R3  a starter is not interrupted by another round of its own: the kernel is not preempted, interrupts start none. */
#include "kernel/round.h"

#include "kernel/cpu.h"

struct round {
	void (*work)(void *argument);
	void *argument;
	uint64_t pending; /* [a] targets that have not done it yet */
	uint64_t inbox;   /* [a] starters that want something from this CPU */
} ALIGNED(64);

static struct round rounds[CPUS_MAX];

void tlb_round_handle(void)
{
	uint64_t interrupts = arch_irq_save();
	uint32_t me = cpu_current();
	uint64_t starters = 0;

	if (__atomic_load_n(&rounds[me].inbox, __ATOMIC_RELAXED))
		starters = __atomic_exchange_n(&rounds[me].inbox, 0, __ATOMIC_ACQ_REL);
	for (; starters; starters &= starters - 1) {
		struct round *round = &rounds[__builtin_ctzll(starters)];

		round->work(round->argument);
		__atomic_and_fetch(&round->pending, ~(1ull << me), __ATOMIC_RELEASE);
	}
	arch_irq_restore(interrupts);
}

/* Those that are up, and not this one. */
static uint64_t targets_online(uint64_t bits, uint32_t me)
{
	uint64_t online = 0;

	for (bits &= ~(1ull << me); bits; bits &= bits - 1) {
		if (__atomic_load_n(&cpus[__builtin_ctzll(bits)].online, __ATOMIC_SEQ_CST))
			online |= bits & -bits;
	}
	return online;
}

void tlb_round(struct cpu_set targets, void (*work)(void *argument), void *argument)
{
	uint32_t me = cpu_current();
	uint64_t online = targets_online(targets.bits, me);
	struct round *round = &rounds[me];

	if (online == 0)
		return;
	round->work = work;
	round->argument = argument;
	__atomic_store_n(&round->pending, online, __ATOMIC_RELEASE);
	for (uint64_t bits = online; bits; bits &= bits - 1)
		__atomic_or_fetch(&rounds[__builtin_ctzll(bits)].inbox, 1ull << me, __ATOMIC_SEQ_CST);
	arch_ipi_round((struct cpu_set){ online });
	while (__atomic_load_n(&round->pending, __ATOMIC_ACQUIRE)) {
		tlb_round_handle();
		arch_pause();
	}
}
