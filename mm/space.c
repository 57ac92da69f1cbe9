/* SPDX-License-Identifier: GPL-2.0-only */
/* space.c - spaces as objects: roots, which CPUs are inside, the readers' sequence, the end (see
 * space.h for S1-S3). Mapping is in space_map.c, faults are in fault.c. */
#include "mm/space.h"
#include "mm/kernel_space.h"
#include "mm/revoke.h"
#include "mm/window.h"

#define TABLE_BITS (PTE_PRESENT | PTE_WRITE | PTE_USER)

static struct pool space_pool;
static uint64_t next_id = 1; /* [a] */

void space_init_pools(void)
{
	pool_init(&space_pool, "space", sizeof(struct space));
}

static uint64_t *root_table(uint64_t root)
{
	return phys_to_virt(PADDR(root));
}

err_t space_create(struct account *account, struct space **out)
{
	struct space *space = pool_alloc_raw(&space_pool);
	paddr_t root;
	err_t err;

	if (!space)
		return ERR_NO_MEMORY;
	__builtin_memset(space, 0, offsetof(struct space, cpu) + cpu_count() * sizeof(space->cpu[0]));
	err = frame_alloc(account, &root);
	if (err != OK) {
		pool_free(&space_pool, space);
		return err;
	}
	__builtin_memset(root_table(root.v), 0, PAGE_SIZE / 2);
	kernel_root_fill(root_table(root.v));
	spin_init(&space->lock, LOCK_RANK_SPACE);
	spin_init(&space->root_lock, LOCK_RANK_PAGETABLE);
	space->refs = 1;
	space->id = __atomic_fetch_add(&next_id, 1, __ATOMIC_RELAXED);
	space->account = account;
	account_ref(account);
	space->root = root.v;
	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++) {
		space->cpu[cpu].root = root.v;
		space->cpu[cpu].stale = 1;
	}
	*out = space;
	return OK;
}

void space_ref(struct space *space)
{
	uint32_t refs = __atomic_fetch_add(&space->refs, 1, __ATOMIC_RELAXED);

	ASSERT(refs && refs < UINT32_MAX);
}

static void root_free(struct space *space, uint64_t root)
{
	tlb_root_retired(PADDR(root)); /* the page may be a root again */
	frame_free(space->account, PADDR(root));
}

void space_unref(struct space *space)
{
	if (__atomic_fetch_sub(&space->refs, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	ASSERT(space->dead && !space->regions);
	window_free_tables(space);
	for (uint32_t cpu = 0; space->serving && cpu < cpu_count(); cpu++)
		if (space->cpu[cpu].root != space->root)
			root_free(space, space->cpu[cpu].root);
	root_free(space, space->root);
	account_unref(space->account);
	pool_free(&space_pool, space);
}

/* All tables: each spans a part of some region (T2), and goes with the last one that it spans. */
static void tables_take(struct space *space, struct tlb_batch *batch, const struct region_table *regions)
{
	for (uint32_t i = 0; regions && i < regions->count; i++) {
		const struct region *region = regions->region[i];
		uint64_t next = i + 1 < regions->count ? regions->region[i + 1]->base : KERNEL_FIRST;

		revoke_tables(batch, region->base, region->base + region->bytes, 0, next);
	}
	for (uint32_t slot = 0; slot < KERNEL_SLOT_FIRST; slot++)
		DASSERT(!root_table(space->root)[slot]);
}

void space_destroy(struct space *space)
{
	struct tlb_batch batch;
	struct region_table *table;

	tlb_batch_init(&batch, space);
	spin_lock(&space->lock);
	ASSERT(!space->dead);
	__atomic_store_n(&space->dead, true, __ATOMIC_SEQ_CST);
	table = space->regions;
	__atomic_store_n(&space->regions, NULL, __ATOMIC_SEQ_CST);
	space->mapped_bytes = 0;
	space_drain(space);
	for (uint32_t i = 0; table && i < table->count; i++)
		region_unlist(table->region[i]); /* R2: no revocation comes here any more */
	window_detach(space);
	batch.all = true;
	tables_take(space, &batch, table);
	tlb_batch_finish(&batch);
	spin_unlock(&space->lock);
	for (uint32_t i = 0; table && i < table->count; i++)
		region_destroy(table->region[i]);
	region_table_destroy(table);
	space_unref(space);
}

/* A root for each CPU, as far as there is none. */
static err_t roots_alloc(struct space *space, uint64_t *root, uint32_t count)
{
	for (uint32_t cpu = 0; cpu < count; cpu++) {
		paddr_t frame;
		err_t err = frame_alloc_zeroed(space->account, &frame);

		if (err != OK) {
			while (cpu-- > 0)
				frame_free(space->account, PADDR(root[cpu]));
			return err;
		}
		root[cpu] = frame.v;
	}
	return OK;
}

err_t space_make_serving(struct space *space)
{
	uint64_t root[CPUS_MAX];
	uint32_t count = cpu_count();
	bool done;
	err_t err;

	if (__atomic_load_n(&space->serving, __ATOMIC_ACQUIRE))
		return OK;
	err = roots_alloc(space, root, count);
	if (err != OK)
		return err;
	spin_lock(&space->root_lock);
	done = space->serving;
	for (uint32_t cpu = 0; !done && cpu < count; cpu++) {
		__builtin_memcpy(root_table(root[cpu]), root_table(space->root), PAGE_SIZE);
		__atomic_store_n(&space->cpu[cpu].root, root[cpu], __ATOMIC_RELEASE);
	}
	__atomic_store_n(&space->serving, true, __ATOMIC_RELEASE);
	spin_unlock(&space->root_lock);
	for (uint32_t cpu = 0; done && cpu < count; cpu++)
		frame_free(space->account, PADDR(root[cpu]));
	return OK;
}

uint64_t space_root(struct space *space, uint32_t cpu)
{
	return __atomic_load_n(&space->cpu[cpu].root, __ATOMIC_ACQUIRE);
}

bool space_enter(struct space *space, uint32_t cpu)
{
	struct space_cpu *cell = &space->cpu[cpu];

	if (!__atomic_load_n(&cell->used, __ATOMIC_RELAXED))
		__atomic_store_n(&cell->used, 1, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&cell->active, __ATOMIC_RELAXED))
		__atomic_store_n(&cell->active, 1, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&cell->stale, __ATOMIC_SEQ_CST))
		return false;
	__atomic_store_n(
		&cell->stale, 0, __ATOMIC_SEQ_CST); /* before the flush: what comes later sets it again */
	return true;
}

void space_drain(struct space *space)
{
	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++) {
		uint64_t *sequence = &space->cpu[cpu].sequence;
		uint64_t seen = __atomic_load_n(sequence, __ATOMIC_SEQ_CST);

		while ((seen & 1) && __atomic_load_n(sequence, __ATOMIC_ACQUIRE) == seen)
			__builtin_ia32_pause();
	}
}

/* Fill a root slot in all roots, the master last: S1. */
static err_t root_slot_fill(struct space *space, uint32_t slot)
{
	uint64_t *master = root_table(space->root);
	paddr_t table;
	err_t err = frame_alloc_zeroed(space->account, &table);

	if (err != OK)
		return err;
	spin_lock(&space->root_lock);
	if (pte_load(&master[slot])) { /* another CPU was faster */
		spin_unlock(&space->root_lock);
		frame_free(space->account, table);
		return OK;
	}
	for (uint32_t cpu = 0; space->serving && cpu < cpu_count(); cpu++)
		if (space->cpu[cpu].root != space->root)
			pte_exchange(&root_table(space->cpu[cpu].root)[slot], table.v | TABLE_BITS);
	pte_exchange(&master[slot], table.v | TABLE_BITS);
	spin_unlock(&space->root_lock);
	return OK;
}

err_t space_ensure(struct space *space, uint64_t address, uint32_t level, uint64_t **out)
{
	uint32_t slot = level_index(address, 4);
	uint64_t *entry = &root_table(space->root)[slot];
	err_t err;

	if (!pte_load(entry)) {
		err = root_slot_fill(space, slot);
		if (err != OK)
			return err;
	}
	return pagetable_ensure(entry, 4, address, level, space->account, TABLE_BITS, out);
}

uint64_t space_table_pages(struct space *space)
{
	return pagetable_count(PADDR(space->root), 0, KERNEL_SLOT_FIRST - 1) + 1;
}

/* S1, and the shared kernel half. */
static bool roots_check(struct space *space)
{
	uint64_t *master = root_table(space->root);
	uint64_t *kernel = root_table(kernel_root());

	for (uint32_t slot = KERNEL_SLOT_FIRST; slot < PTES_PER_TABLE; slot++)
		if ((master[slot] ^ kernel[slot]) & ~PTE_ACCESSED)
			return false;
	for (uint32_t cpu = 0; space->serving && cpu < cpu_count(); cpu++) {
		uint64_t *root = root_table(space->cpu[cpu].root);

		if (!pagetable_check(PADDR(space->cpu[cpu].root), WINDOW_SLOT, WINDOW_SLOT))
			return false;
		for (uint32_t slot = 0; slot < PTES_PER_TABLE; slot++)
			if (slot != WINDOW_SLOT && ((root[slot] ^ master[slot]) & ~PTE_ACCESSED))
				return false;
	}
	return master[WINDOW_SLOT] == 0;
}

/* T2: does a region touch what a table spans? */
static bool span_is_used(struct space *space, uint64_t first, uint64_t bytes)
{
	uint32_t index = region_index(space->regions, first);

	return space->regions && index < space->regions->count &&
		   space->regions->region[index]->base < first + bytes;
}

/* Every leaf of a table lies in a region and gives no more than it allows. */
static bool leaves_check(struct space *space, uint64_t *table, uint32_t level, uint64_t base)
{
	uint32_t slots = level == 4 ? KERNEL_SLOT_FIRST : PTES_PER_TABLE;

	for (uint32_t i = 0; i < slots; i++) {
		uint64_t value = pte_load(&table[i]);
		uint64_t address = base + i * level_bytes(level);
		struct region *region;

		if (pte_is_table(value, level) &&
			(!span_is_used(space, address, level_bytes(level)) ||
				!leaves_check(space, pte_table(value), level - 1, address)))
			return false;
		if (!pte_is_leaf(value, level))
			continue;
		region = region_find(space->regions, address);
		if (!region || address + level_bytes(level) > region->base + region->bytes)
			return false;
		if (!(region->flags & SPACE_READ) || ((value & PTE_WRITE) && !(region->flags & SPACE_WRITE)) ||
			(pagetable_nx() && !(value & PTE_NX) && !(region->flags & SPACE_EXECUTE)))
			return false;
	}
	return true;
}

bool space_check(struct space *space)
{
	bool good;

	spin_lock(&space->lock);
	good = region_table_check(space->regions) && roots_check(space) &&
		   pagetable_check(PADDR(space->root), 0, KERNEL_SLOT_FIRST - 1) &&
		   leaves_check(space, root_table(space->root), 4, 0);
	spin_unlock(&space->lock);
	return good;
}
