/* SPDX-License-Identifier: GPL-2.0-only */
/* pagetable.h - x86-64 four-level page tables (Intel SDM volume 3, 4.5): entries, walks, table
 * pages.
 *
 *   level 4 (root)   bits 47..39   512 GiB an entry, never a leaf
 *   level 3          bits 38..30   1 GiB, leaf if the CPU can
 *   level 2          bits 29..21   2 MiB, leaf
 *   level 1          bits 20..12   4 KiB, leaf
 *
 * No lock guards a table. Entries change by atomic operations only:
 * T1  an entry goes 0 -> table or 0 -> leaf by compare-and-swap; so two faults in one table page
 *     never lose a store.
 * T2  a table page is unlinked and freed only when no region of the space touches what it spans,
 *     every fault that could have seen one is over (space_drain), and the VMOs' lists no longer
 *     lead here. So no walk meets a freed table.
 * T3  no leaf is writable and executable.
 * Memory types: entry bits select PAT entries 0 (write-back), 1 (write-combining, the kernel
 * programs it so) and 3. */
#pragma once

#include "mm/account.h"
#include "mm/port.h"

#define PTE_PRESENT (1ull << 0)
#define PTE_WRITE (1ull << 1)
#define PTE_USER (1ull << 2)
#define PTE_PWT (1ull << 3)
#define PTE_PCD (1ull << 4)
#define PTE_ACCESSED (1ull << 5)
#define PTE_DIRTY (1ull << 6)
#define PTE_LARGE (1ull << 7) /* levels 2 and 3 */
#define PTE_GLOBAL (1ull << 8)
#define PTE_NX (1ull << 63)
#define PTE_ADDRESS 0x000ffffffffff000ull
#define PTES_PER_TABLE 512u
#define PAT_VALUE 0x0007040600070106ull /* IA32_PAT as we need it: entry 1 is write-combining */

enum cache_kind { CACHE_WRITE_BACK = 0,
	CACHE_WRITE_COMBINE = 1,
	CACHE_UNCACHED = 2 };

/* What this CPU's tables may use. Set once, before mm_init; without a call: NX yes, 1 GiB leaves
 * no, global no. */
void pagetable_set_features(bool nx, bool huge_pages, bool global);

struct pagetable_features {
	uint64_t nx;
	uint64_t global;
	bool huge;
};
extern struct pagetable_features pagetable_features; /* by pagetable_set_features only */

static inline bool pagetable_has_huge(void)
{
	return pagetable_features.huge;
}
static inline uint64_t pagetable_nx(void) /* PTE_NX or 0 */
{
	return pagetable_features.nx;
}
static inline uint64_t pagetable_global(void) /* PTE_GLOBAL or 0 */
{
	return pagetable_features.global;
}
static inline uint64_t pagetable_cache_bits(enum cache_kind cache)
{
	switch (cache) {
	case CACHE_WRITE_BACK: return 0;
	case CACHE_WRITE_COMBINE: return PTE_PWT;
	case CACHE_UNCACHED: return PTE_PCD | PTE_PWT;
	}
	return 0;
}

static inline uint64_t level_bytes(uint32_t level)
{
	return 1ull << (PAGE_SHIFT + 9 * (level - 1));
}
static inline uint32_t level_index(uint64_t address, uint32_t level)
{
	return (uint32_t)(address >> (PAGE_SHIFT + 9 * (level - 1))) & 511;
}
static inline uint64_t pte_load(const uint64_t *entry)
{
	return __atomic_load_n(entry, __ATOMIC_SEQ_CST);
}
static inline uint64_t pte_exchange(uint64_t *entry, uint64_t value)
{
	return __atomic_exchange_n(entry, value, __ATOMIC_SEQ_CST);
}
static inline bool pte_is_leaf(uint64_t entry, uint32_t level)
{
	return (entry & PTE_PRESENT) && (level == 1 || (entry & PTE_LARGE));
}
static inline bool pte_is_table(uint64_t entry, uint32_t level)
{
	return (entry & PTE_PRESENT) && level > 1 && !(entry & PTE_LARGE);
}
static inline uint64_t *pte_table(uint64_t entry)
{
	return phys_to_virt(PADDR(entry & PTE_ADDRESS));
}
/* The frame of a leaf; bit 12 of large leaves is a PAT bit that we never set. */
static inline uint64_t pte_frame(uint64_t entry, uint32_t level)
{
	return entry & PTE_ADDRESS & ~(level_bytes(level) - 1);
}

/* The lowest entry that is there on the way to `address`: *level 4..1; the entry may be 0. Never
 * allocates. */
uint64_t *pagetable_find(paddr_t root, uint64_t address, uint32_t *level);

/* The entry for `address` at `level` (1..3), below the table entry `top` at `top_level`, making
 * tables on the way. ERR_EXISTS: a larger leaf is in the way (*out is that entry). ERR_NO_MEMORY,
 * ERR_LIMIT. Tables made stay (T2). */
MUST_USE err_t pagetable_ensure(uint64_t *top, uint32_t top_level, uint64_t address, uint32_t level,
	struct account *account, uint64_t table_bits, uint64_t **out);

/* 0 -> leaf, or the same leaf with more rights. Returns false if something else is there (the
 * caller looks again). */
bool pte_install(uint64_t *entry, uint64_t leaf, uint32_t level);

/* Tables below `entry` (a table entry at `level`), freed without a look at the leaves: for spaces
 * nobody can walk. */
void pagetable_free_below(uint64_t entry, uint32_t level, struct account *account);
uint64_t pagetable_count(paddr_t root, uint32_t first_slot, uint32_t last_slot); /* table pages below the root */
bool pagetable_check(paddr_t root, uint32_t first_slot, uint32_t last_slot);     /* T3, reserved bits, user bits */
