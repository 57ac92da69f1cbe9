/* SPDX-License-Identifier: GPL-2.0-only */
/* pagetable.c - walks and entries (see pagetable.h for T1-T3). Nothing here flushes a TLB. */
#include "mm/pagetable.h"
#include "mm/frame.h"

#define PTE_RESERVED 0x7ff0000000000000ull /* bits 52..62: we leave them clear */

struct pagetable_features pagetable_features = { .nx = PTE_NX };

void pagetable_set_features(bool nx, bool huge_pages, bool global)
{
	pagetable_features.nx = nx ? PTE_NX : 0;
	pagetable_features.global = global ? PTE_GLOBAL : 0;
	pagetable_features.huge = huge_pages;
}

uint64_t *pagetable_find(paddr_t root, uint64_t address, uint32_t *level)
{
	uint64_t *table = phys_to_virt(root);
	uint32_t at = 4;

	for (;;) {
		uint64_t *entry = &table[level_index(address, at)];
		uint64_t value = pte_load(entry);

		if (!pte_is_table(value, at)) {
			*level = at;
			return entry;
		}
		table = pte_table(value);
		at--;
	}
}

/* 0 -> an empty table, unless another CPU was faster. */
static err_t table_make(uint64_t *entry, struct account *account, uint64_t table_bits)
{
	uint64_t none = 0;
	paddr_t table;
	err_t err = frame_alloc_zeroed(account, &table);

	if (err != OK)
		return err;
	if (!__atomic_compare_exchange_n(
			entry, &none, table.v | table_bits, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		frame_free(account, table);
	return OK;
}

err_t pagetable_ensure(uint64_t *top, uint32_t top_level, uint64_t address, uint32_t level,
	struct account *account, uint64_t table_bits, uint64_t **out)
{
	uint64_t *entry = top;
	uint32_t at = top_level;
	uint32_t shift = PAGE_SHIFT + 9 * (top_level - 1);

	while (at > level) {
		uint64_t value = pte_load(entry);

		if (unlikely(!value)) {
			err_t err = table_make(entry, account, table_bits);

			if (err != OK)
				return err;
			continue;
		}
		if (unlikely(!(value & PTE_PRESENT) || (value & PTE_LARGE))) { /* no level-1 entry comes here */
			*out = entry;
			return ERR_EXISTS;
		}
		at--;
		shift -= 9;
		entry = &pte_table(value)[address >> shift & (PTES_PER_TABLE - 1)];
	}
	*out = entry;
	return OK;
}

bool pte_install(uint64_t *entry, uint64_t leaf, uint32_t level)
{
	uint64_t old = pte_load(entry);
	uint64_t merged;

	do {
		merged = leaf;
		if (old) {
			if (!pte_is_leaf(old, level) || pte_frame(old, level) != pte_frame(leaf, level))
				return false;
			merged |= old; /* never narrows: that needs a flush */
			if (!(old & leaf & pagetable_nx()))
				merged &= ~pagetable_nx();
			if (pagetable_nx() && (merged & PTE_WRITE) && !(merged & PTE_NX))
				return false; /* T3: space_protect is just taking the old rights away */
			if (merged == old)
				return true;
		}
	} while (!__atomic_compare_exchange_n(
		entry, &old, merged, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
	return true;
}

void pagetable_free_below(uint64_t entry, uint32_t level, struct account *account)
{
	uint64_t *table = pte_table(entry);

	if (level > 2) {
		for (uint32_t i = 0; i < PTES_PER_TABLE; i++)
			if (pte_is_table(table[i], level - 1))
				pagetable_free_below(table[i], level - 1, account);
	}
	frame_free(account, PADDR(entry & PTE_ADDRESS));
}

static uint64_t count_below(uint64_t entry, uint32_t level)
{
	uint64_t *table = pte_table(entry);
	uint64_t sum = 1;

	for (uint32_t i = 0; level > 2 && i < PTES_PER_TABLE; i++) {
		uint64_t value = pte_load(&table[i]);

		if (pte_is_table(value, level - 1))
			sum += count_below(value, level - 1);
	}
	return sum;
}

uint64_t pagetable_count(paddr_t root, uint32_t first_slot, uint32_t last_slot)
{
	uint64_t *table = phys_to_virt(root);
	uint64_t sum = 0;

	for (uint32_t slot = first_slot; slot <= last_slot; slot++) {
		uint64_t value = pte_load(&table[slot]);

		if (pte_is_table(value, 4))
			sum += count_below(value, 4);
	}
	return sum;
}

static bool leaf_check(uint64_t value, uint32_t level, bool user)
{
	if (pagetable_nx() && (value & PTE_WRITE) && !(value & PTE_NX))
		return false;
	if ((value & PTE_ADDRESS) != pte_frame(value, level))
		return false;
	return user == !!(value & PTE_USER) && !(user && (value & PTE_GLOBAL));
}

/* `present`: PTE_PRESENT, which every entry must have; or 0 where leaves may be remembered without it (window.h). */
static bool check_below(uint64_t entry, uint32_t level, bool user, uint64_t present)
{
	uint64_t *table = pte_table(entry);

	for (uint32_t i = 0; i < PTES_PER_TABLE; i++) {
		uint64_t value = pte_load(&table[i]);

		if (!value)
			continue;
		if ((value & present) != present || (value & PTE_RESERVED))
			return false;
		value |= PTE_PRESENT;
		if (pte_is_leaf(value, level - 1) && !leaf_check(value, level - 1, user))
			return false;
		if (pte_is_table(value, level - 1) &&
			(user != !!(value & PTE_USER) || !check_below(value, level - 1, user, present)))
			return false;
	}
	return true;
}

bool pagetable_check(paddr_t root, uint32_t first_slot, uint32_t last_slot)
{
	uint64_t *table = phys_to_virt(root);

	for (uint32_t slot = first_slot; slot <= last_slot; slot++) {
		uint64_t value = pte_load(&table[slot]);
		bool user = slot < KERNEL_SLOT_FIRST;

		if (!value)
			continue;
		if (!pte_is_table(value, 4) || user != !!(value & PTE_USER) ||
		    !check_below(value, 4, user, slot == WINDOW_SLOT ? 0 : PTE_PRESENT))
			return false;
	}
	return true;
}
