/* SPDX-License-Identifier: GPL-2.0-only */
/* tlb.c - the batch and its one round (see tlb.h for the ladder).
 *
 * Which CPUs must hear of it: those that are inside the space. A CPU that is entering meanwhile is
 * met by one of two sequentially consistent pairs: space_enter stores `active` and then loads
 * `stale`; we store `stale` and then load `active`. Whoever comes second sees the other. */
#include "mm/tlb.h"
#include "mm/frame.h"
#include "mm/space.h"
#include "mm/window.h"

struct mm_counters mm_counters[CPUS_MAX];

void tlb_batch_init(struct tlb_batch *batch, struct space *space)
{
	*batch = (struct tlb_batch){ .space = space };
}

static void batch_range(struct tlb_batch *batch, uint64_t address)
{
	struct tlb_range *last = batch->ranges ? &batch->range[batch->ranges - 1] : NULL;

	if (batch->all)
		return;
	batch->pages++;
	if (last && last->address + (last->pages << PAGE_SHIFT) == address) {
		last->pages++;
	} else if (batch->ranges < TLB_RANGES) {
		batch->range[batch->ranges++] = (struct tlb_range){ address, 1 };
	} else {
		batch->all = true;
	}
	if (batch->pages > TLB_PAGES_MAX)
		batch->all = true;
}

void tlb_batch_leaf(struct tlb_batch *batch, uint64_t address, uint64_t old, uint32_t level)
{
	uint64_t first = address & ~(level_bytes(level) - 1);
	uint64_t end = first + level_bytes(level);

	if (!(old & PTE_PRESENT))
		return;
	if (!batch->touched_end || first < batch->touched_first)
		batch->touched_first = first;
	if (end > batch->touched_end)
		batch->touched_end = end;
	if (old & PTE_ACCESSED)
		batch_range(batch, first);
}

void tlb_batch_table(struct tlb_batch *batch, uint64_t address, uint64_t entry)
{
	uint64_t *table = pte_table(entry);

	if (entry & PTE_ACCESSED)
		batch_range(batch, address & ~PAGE_MASK);
	/* The chain runs through entry 0. It is page-aligned, so for a walk that is still under way it is "not present". */
	__atomic_store_n(&table[0], batch->table_chain, __ATOMIC_RELAXED);
	batch->table_chain = entry & PTE_ADDRESS;
	batch->table_pages++;
}

/* On a target, interrupts off; or on this CPU. */
static void tlb_batch_run(void *argument)
{
	const struct tlb_batch *batch = argument;
	uint32_t cpu = cpu_current();
	struct space_cpu *cell = &batch->space->cpu[cpu];
	struct mm_counters *counters = &mm_counters[cpu];
	uint64_t root = root_current();
	bool ours =
		root == batch->space->root || root == __atomic_load_n(&cell->root, __ATOMIC_ACQUIRE);
	bool all = batch->all && ours;

	if (!ours && (batch->all || batch->ranges))
		__atomic_store_n(
			&cell->stale, 1, __ATOMIC_SEQ_CST); /* entries may live on under its PCID */
	if (batch->windows.bits >> cpu & 1)
		all |= window_sweep(batch->space, batch->touched_first, batch->touched_end, cpu != batch->cpu);
	if (all) {
		tlb_local_all();
		mm_counter_add(&counters->tlb_flushes_all, 1);
		return;
	}
	for (uint32_t i = 0; ours && i < batch->ranges; i++) {
		for (uint64_t page = 0; page < batch->range[i].pages; page++) {
			tlb_local_page(VADDR(batch->range[i].address + (page << PAGE_SHIFT)));
			mm_counter_add(&counters->tlb_flushes_page, 1);
		}
	}
}

static struct cpu_set batch_targets(struct tlb_batch *batch)
{
	struct cpu_set targets = { 0 };

	if (!batch->all && !batch->ranges)
		return targets;
	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++) {
		struct space_cpu *cell = &batch->space->cpu[cpu];

		if (!__atomic_load_n(&cell->used, __ATOMIC_SEQ_CST))
			continue;
		if (!__atomic_load_n(&cell->active, __ATOMIC_SEQ_CST)) {
			if (!__atomic_load_n(&cell->stale, __ATOMIC_SEQ_CST))
				__atomic_store_n(&cell->stale, 1, __ATOMIC_SEQ_CST);
			if (!__atomic_load_n(&cell->active, __ATOMIC_SEQ_CST))
				continue;
		}
		targets.bits |= 1ull << cpu;
	}
	return targets;
}

static void batch_free_tables(struct tlb_batch *batch)
{
	while (batch->table_chain) {
		paddr_t table = PADDR(batch->table_chain);

		batch->table_chain = *(uint64_t *)phys_to_virt(table);
		frame_free(batch->space->account, table);
	}
}

void tlb_batch_finish(struct tlb_batch *batch)
{
	struct cpu_set targets;
	uint64_t here = 1ull << cpu_current();

	batch->cpu = cpu_current();
	if (batch->touched_end || batch->table_pages) /* for tables it only waits until no window reads one (W1) */
		batch->windows = window_cpus_of(batch->space);
	targets = batch_targets(batch);
	targets.bits |= batch->windows.bits;
	if (targets.bits & here) {
		uint64_t state = interrupts_off();

		tlb_batch_run(batch);
		interrupts_restore(state);
	}
	targets.bits &= ~here;
	if (targets.bits) {
		mm_counter_add(&mm_counters[cpu_current()].tlb_rounds, 1);
		tlb_round(targets, tlb_batch_run, batch);
	}
	batch_free_tables(batch); /* F1 */
	tlb_batch_init(batch, batch->space);
}

static void kernel_flush_run(void *argument)
{
	(void)argument;
	tlb_local_global();
	mm_counter_add(&mm_counters[cpu_current()].tlb_flushes_all, 1);
}

void tlb_kernel_flush(void)
{
	uint32_t count = cpu_count();
	struct cpu_set others = { (count >= 64 ? UINT64_MAX : (1ull << count) - 1) &
							  ~(1ull << cpu_current()) };

	kernel_flush_run(NULL);
	if (others.bits) {
		mm_counter_add(&mm_counters[cpu_current()].tlb_rounds, 1);
		tlb_round(others, kernel_flush_run, NULL);
	}
}
