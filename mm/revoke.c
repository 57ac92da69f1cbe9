/* SPDX-License-Identifier: GPL-2.0-only */
/* revoke.c - taking translations away. The three steps are in revoke.h; who may see what until
 * when:
 *   faults     they hold the leaf lock while they install (V3), or are drained first (S2)
 *   windows    tlb_batch_finish sweeps them (W1)
 *   CPUs       tlb_batch_finish flushes them, those that sleep outside are marked stale */
#include "mm/revoke.h"

typedef void (*leaf_visit)(struct tlb_batch *batch, uint64_t *entry, uint64_t address,
	uint64_t first, uint64_t end, uint32_t level, uint32_t flags);

/* Visit each leaf that [first, end) touches, skipping what has no tables. */
static void leaves_visit(
	struct tlb_batch *batch, uint64_t first, uint64_t end, uint32_t flags, leaf_visit visit)
{
	uint64_t at = first;

	while (at < end) {
		uint32_t level;
		uint64_t *entry = pagetable_find(PADDR(batch->space->root), at, &level);
		uint64_t next = (at | (level_bytes(level) - 1)) + 1;

		if (pte_is_leaf(pte_load(entry), level))
			visit(batch, entry, at, first, end, level, flags);
		if (level > 1) {
			at = next;
			continue;
		}
		/* The rest of this table without a walk for each. */
		for (at += PAGE_SIZE, entry++; at < end && level_index(at, 1); at += PAGE_SIZE, entry++)
			if (pte_load(entry))
				visit(batch, entry, at, first, end, 1, flags);
	}
}

static void leaf_clear(struct tlb_batch *batch, uint64_t *entry, uint64_t address, uint64_t first,
	uint64_t end, uint32_t level, uint32_t flags)
{
	uint64_t old = pte_load(entry);

	(void)first;
	(void)end;
	(void)flags;
	/* Not an exchange: a fault next door may have put a table where a large leaf was. */
	while (pte_is_leaf(old, level)) {
		if (__atomic_compare_exchange_n(
				entry, &old, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
			tlb_batch_leaf(batch, address, old, level);
			return;
		}
	}
}

void revoke_range(struct tlb_batch *batch, uint64_t first, uint64_t end)
{
	leaves_visit(batch, first, end, 0, leaf_clear);
}

static void leaf_narrow(struct tlb_batch *batch, uint64_t *entry, uint64_t address, uint64_t first,
	uint64_t end, uint32_t level, uint32_t flags)
{
	uint64_t start = address & ~(level_bytes(level) - 1);
	uint64_t old = pte_load(entry);
	uint64_t narrow;

	if (start < first || start + level_bytes(level) > end) {
		leaf_clear(batch, entry, address, first, end, level, flags);
		return;
	}
	do {
		if (!pte_is_leaf(old, level))
			return;
		narrow = old;
		if (!(flags & SPACE_WRITE))
			narrow &= ~(PTE_WRITE | PTE_DIRTY);
		if (!(flags & SPACE_EXECUTE))
			narrow |= pagetable_nx();
		if (!((narrow ^ old) & (PTE_WRITE | PTE_NX)))
			return;
	} while (!__atomic_compare_exchange_n(
		entry, &old, narrow, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
	tlb_batch_leaf(batch, address, old, level);
}

void revoke_rights(struct tlb_batch *batch, uint64_t first, uint64_t end, uint32_t flags)
{
	leaves_visit(batch, first, end, flags, flags & SPACE_READ ? leaf_narrow : leaf_clear);
}

/* Unlink the table under a root slot from all roots: the others first, so that S1 holds. */
static void root_slot_clear(struct tlb_batch *batch, uint64_t *entry, uint64_t address)
{
	struct space *space = batch->space;
	uint32_t slot = level_index(address, 4);
	uint64_t accessed = 0;
	uint64_t old;

	spin_lock(&space->root_lock);
	for (uint32_t cpu = 0; space->serving && cpu < cpu_count(); cpu++) {
		uint64_t *root = phys_to_virt(PADDR(space->cpu[cpu].root));

		if (space->cpu[cpu].root != space->root)
			accessed |= pte_exchange(&root[slot], 0) & PTE_ACCESSED;
	}
	old = pte_exchange(entry, 0);
	spin_unlock(&space->root_lock);
	tlb_batch_table(batch, address, old | accessed);
}

struct free_span {
	uint64_t first;
	uint64_t last;
};

/* Of the table that an entry at `level` leads to. */
static bool span_is_free(const struct free_span *free, uint64_t address, uint32_t level)
{
	uint64_t mask = level_bytes(level) - 1;

	return (address & ~mask) >= free->first && (address | mask) <= free->last;
}

/* Tables that `entry` at `level` leads to and whose spans are free, lowest first. */
static void tables_unlink(struct tlb_batch *batch, uint64_t *entry, uint32_t level, uint64_t first,
	uint64_t end, const struct free_span *free)
{
	uint64_t value = pte_load(entry);
	uint64_t span = first & ~(level_bytes(level) - 1);
	uint64_t *below;

	if (!pte_is_table(value, level))
		return;
	below = pte_table(value);
	for (uint64_t at = first; level > 2 && at < end; at = (at | (level_bytes(level - 1) - 1)) + 1) {
		uint64_t stop = (at | (level_bytes(level - 1) - 1)) + 1;

		tables_unlink(batch, &below[level_index(at, level - 1)], level - 1, at,
			stop < end ? stop : end, free);
	}
	if (!span_is_free(free, span, level))
		return;
	if (level == 4)
		root_slot_clear(batch, entry, span);
	else
		tlb_batch_table(batch, span, pte_exchange(entry, 0));
}

void revoke_tables(
	struct tlb_batch *batch, uint64_t first, uint64_t end, uint64_t free_first, uint64_t free_end)
{
	uint64_t *root = phys_to_virt(PADDR(batch->space->root));
	struct free_span free = { free_first, free_end - 1 };

	if (((first ^ (end - 1)) & ~(level_bytes(2) - 1)) == 0 && !span_is_free(&free, first, 2))
		return; /* its one lowest table is needed, and so are those above it */
	for (uint64_t at = first; at < end; at = (at | (level_bytes(4) - 1)) + 1) {
		uint64_t stop = (at | (level_bytes(4) - 1)) + 1;

		tables_unlink(batch, &root[level_index(at, 4)], 4, at, stop < end ? stop : end, &free);
	}
}

void revoke_vmo(struct vmo *vmo, uint64_t first_page, uint64_t last_page)
{
	uint64_t first = first_page << PAGE_SHIFT;
	uint64_t end = (last_page + 1) << PAGE_SHIFT;

	for (struct region *region = vmo->regions; region; region = region->vmo_next) {
		uint64_t from = region->offset > first ? region->offset : first;
		uint64_t to = region->offset + region->bytes < end ? region->offset + region->bytes : end;
		struct tlb_batch batch;

		if (from >= to)
			continue;
		tlb_batch_init(&batch, region->space);
		revoke_range(
			&batch, region->base + (from - region->offset), region->base + (to - region->offset));
		tlb_batch_finish(&batch);
	}
}
