/* SPDX-License-Identifier: GPL-2.0-only */
/* port.h - all that mm/ needs from the world: locks, panic, log, physical-to-virtual, the CPU's number, TLB hardware.
 * kernel/ implements it on the machine, tests/unit/port_host.c on the host. mm/ includes nothing else of the kernel.
 * What is called most a port may define as inline functions, in its port_inline.h; they have these same prototypes. */
#pragma once

#include "mm/types.h"

/* Ranks: a lock may be taken only while all locks held have a lower rank (checked in debug builds). */
enum lock_rank {
	LOCK_RANK_NONE = 0,
	LOCK_RANK_PROCESS,   /* process and handle-table locks */
	LOCK_RANK_OBJECT,    /* door, event, interrupt, ... */
	LOCK_RANK_SPACE,     /* a space's regions */
	LOCK_RANK_VMO,       /* a VMO's pages and mappings */
	LOCK_RANK_PAGETABLE, /* one page-table page */
	LOCK_RANK_ZONE,      /* a zone's extents and free lists */
	LOCK_RANK_POOL,      /* object pools */
	LOCK_RANK_WAIT,      /* wait queues, futex buckets */
	LOCK_RANK_SCHED,     /* run queues, timers */
	LOCK_RANK_LOG,       /* the log: always last */
	LOCK_RANKS
};

/* A spin lock, not fair: a queue of waiters makes every hand-over wait for one particular CPU, and where CPUs are
 * virtual that one may not be running. Critical sections are short, and what is hot is per CPU.
 * The plain pair is for locks that no interrupt handler takes; interrupts stay as they are, so a holder can answer
 * TLB-shootdown IPIs. Locks of rank WAIT and above are taken with interrupts off (the _irq pair).
 * The kernel is not preempted inside itself: a spin lock's holder is never descheduled. Nothing sleeps or logs under
 * one. */
struct TA_CAP("spinlock") spinlock {
	uint32_t taken;  /* [a] */
	uint8_t rank;    /* [I] enum lock_rank */
	uint32_t holder; /* CPU + 1, debug builds */
};
#define SPINLOCK_INIT(lock_rank) { .rank = (lock_rank) }

NORETURN void panic(const char *format, ...) PRINTF(1, 2);
void log_line(const char *format, ...) PRINTF(1, 2); /* one line, no newline needed; never under a spin lock */

/* Our own promises, always on; DASSERT: debug builds, still type-checked elsewhere. Never on another domain's input. */
#define ASSERT(x)                                                                        \
	do {                                                                             \
		if (unlikely(!(x)))                                                      \
			panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #x);    \
	} while (0)
#ifdef LINTEL_DEBUG
#define DEBUG_BUILD true
#else
#define DEBUG_BUILD false
#endif
#define DASSERT(x)                                                                           \
	do {                                                                                 \
		if (DEBUG_BUILD && unlikely(!(x)))                                           \
			panic("%s:%d: debug assertion failed: %s", __FILE__, __LINE__, #x);  \
	} while (0)

#include "port_inline.h" /* the port's: where is told on the compiler's command line */

void spin_init(struct spinlock *lock, enum lock_rank rank);
void spin_lock(struct spinlock *lock) TA_ACQUIRE(lock);
void spin_unlock(struct spinlock *lock) TA_RELEASE(lock);
MUST_USE uint64_t spin_lock_irq(struct spinlock *lock) TA_ACQUIRE(lock); /* returns the old interrupt state */
void spin_unlock_irq(struct spinlock *lock, uint64_t state) TA_RELEASE(lock);
bool spin_is_held(const struct spinlock *lock); /* by this CPU; debug builds */

/* RAM and PMEM are mapped whole in the kernel half. */
void *phys_to_virt(paddr_t physical);
paddr_t virt_to_phys(const void *direct_map_address);

/* This CPU's interrupts, and with them rounds: what needs no other lock (rank WAIT and above are taken with them off).
 * They nest. */
MUST_USE uint64_t interrupts_off(void); /* returns the old state */
void interrupts_restore(uint64_t state);

uint32_t cpu_current(void); /* stays valid: the kernel is not preempted inside itself */
uint32_t cpu_count(void);

/* TLB hardware. Local flushes act on this CPU's TLB only. */
void tlb_local_page(vaddr_t address);          /* current root, one page */
void tlb_local_all(void);                      /* current root, all but global pages */
void tlb_local_global(void);                   /* everything, global pages as well */
/* One IPI round: every CPU in `targets` (not this one) runs work(argument) with interrupts off; returns when all have.
 * May be called with plain spin locks held, interrupts on; CPUs that spin for a lock answer. */
void tlb_round(struct cpu_set targets, void (*work)(void *argument), void *argument);
/* Before a root's page is given back: no CPU may know translations under its PCID when the page is a root again.
 * Any CPU, no IPI; the root is loaded nowhere. */
void tlb_root_retired(paddr_t root);
uint64_t root_current(void);                   /* CR3's address part */
