/* SPDX-License-Identifier: GPL-2.0-only */
/* tlb.h - invalidation in batches, and the flush ladder.
 *
 * A batch collects what one operation takes away from one space, and ends with at most one IPI
 * round:
 *   1. windows exist on their CPU only            -> that CPU flushes itself, no IPI
 *   2. the entry was not present                  -> nothing to do
 *   3. read-only became writable                  -> nothing remote: a stale entry costs that CPU
 *   one spurious fault 4. the accessed bit is clear                  -> nothing: a CPU sets it
 *   before it caches (SDM volume 3, 4.10.2.2) 5. else                                       -> one
 *   round, ranged, to the CPUs that have entered the space
 * Table pages ride in the batch, chained through their first entry (which stays "not present"), and
 * are given back after the round (F1: no frame or table is reused before every CPU has
 * acknowledged). Data frames are given back by the VMO after tlb_batch_finish() for the same
 * reason.
 *
 * CPUs that are not inside the space but may have entries under its PCID are marked stale instead,
 * see space_enter().
 * Locks: a batch is its thread's own. Context: threads, interrupts on. */
#pragma once

#include "mm/pagetable.h"
#include "mm/port.h"

struct space;

#define TLB_RANGES 8u /* more than that, or more than TLB_PAGES_MAX pages: the whole space */
#define TLB_PAGES_MAX 32u

struct tlb_range {
	uint64_t address;
	uint64_t pages; /* of 4 KiB steps; one for a large leaf */
};

struct tlb_batch {
	struct space *space;
	struct tlb_range range[TLB_RANGES]; /* entries that some TLB may hold */
	uint32_t ranges;
	uint64_t pages;
	bool all;
	uint64_t touched_first; /* bounds of all present entries that went or were narrowed: windows may show them */
	uint64_t touched_end;
	struct cpu_set windows; /* CPUs with windows to sweep */
	uint32_t cpu;           /* who finishes it */
	uint64_t table_chain;   /* physical address of the first table page, 0: none */
	uint64_t table_pages;
};

/* Per-CPU counters, each written by its own CPU only. */
struct mm_counters {
	uint64_t tlb_flushes_page;
	uint64_t tlb_flushes_all;
	uint64_t tlb_rounds;
	uint64_t window_maps;
	uint64_t faults_mapped; /* space_fault that installed something */
} ALIGNED(64);
extern struct mm_counters mm_counters[CPUS_MAX];

/* Of this CPU: no locked operation needed. */
static inline void mm_counter_add(uint64_t *counter, uint64_t count)
{
	__atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + count, __ATOMIC_RELAXED);
}

void tlb_batch_init(struct tlb_batch *batch, struct space *space);
/* `old` was the leaf at `address`; it is gone or has fewer rights now. Climbs the ladder. */
void tlb_batch_leaf(struct tlb_batch *batch, uint64_t address, uint64_t old, uint32_t level);
/* `entry` led to the table page for `address`, is unlinked now, and the page goes when the batch is
 * over. If it was ever used, one page flush there empties the paging-structure caches (SDM volume
 * 3, 4.10.4.1). */
void tlb_batch_table(struct tlb_batch *batch, uint64_t address, uint64_t entry);
/* Sweep windows, flush here, at most one round, then give the table pages back. */
void tlb_batch_finish(struct tlb_batch *batch);

void tlb_kernel_flush(void); /* kernel half: this CPU and one round to all others, global entries too */
