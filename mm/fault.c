/* SPDX-License-Identifier: GPL-2.0-only */
/* fault.c - making an address accessible. One walk, no lock of the space:
 *   1. under the reader's sequence (S2) find the region and check what it allows;
 *   2. make the tables on the way, by compare-and-swap (T1);
 *   3. linear VMOs: install the largest leaf that fits;
 *      others: find or commit the page, and install under the lock of its leaf (V3), so that
 *      whoever takes the page away afterwards finds the translation.
 * Neighbours that are present already are installed with it where they share the leaf and the
 * table: they cost a look. */
#include "mm/revoke.h"
#include "mm/space.h"
#include "mm/window.h"

#define AROUND_PAGES 32u /* an aligned block of that many */

struct fault {
	struct space *space;
	const struct region *region;
	struct vmo *vmo;
	uint64_t address; /* page-aligned */
	uint64_t page;    /* in the VMO */
	enum access access;
	bool touched; /* the access follows at once, on this CPU */
	struct pager_request *request;
};

static uint32_t access_flag(enum access access)
{
	switch (access) {
	case ACCESS_READ: return SPACE_READ;
	case ACCESS_WRITE: return SPACE_WRITE;
	case ACCESS_EXECUTE: return SPACE_EXECUTE;
	}
	return SPACE_READ;
}

/* Leaf bits for a page that may be written if `writable`. */
static uint64_t leaf_bits(const struct fault *fault, bool writable, uint32_t level)
{
	uint64_t bits = PTE_PRESENT | PTE_USER | pagetable_cache_bits(fault->vmo->cache) |
					(level > 1 ? PTE_LARGE : 0);

	if (writable && (fault->region->flags & SPACE_WRITE))
		bits |= PTE_WRITE;
	if (!(fault->region->flags & SPACE_EXECUTE))
		bits |= pagetable_nx();
	return bits;
}

/* The toucher comes back at once: spare the CPU setting these bits. */
static uint64_t touched_bits(const struct fault *fault, uint64_t bits)
{
	if (!fault->touched)
		return 0;
	return PTE_ACCESSED | (fault->access == ACCESS_WRITE && (bits & PTE_WRITE) ? PTE_DIRTY : 0);
}

/* Does the block of `level` around the address lie in the region, and at the same offset within a
 * block at `backing`? */
static bool block_fits(const struct fault *fault, uint64_t backing, uint32_t level)
{
	uint64_t mask = level_bytes(level) - 1;
	uint64_t first = fault->address & ~mask;

	return ((fault->address ^ backing) & mask) == 0 && first >= fault->region->base &&
		   first + mask < fault->region->base + fault->region->bytes;
}

/* A larger leaf is in the way of smaller ones: its VMO has been split below it. Its rights or
 * extent are out of date, so it goes; everything under it faults in again. The VMO's lock keeps a
 * revocation from finding only the smaller ones, not accessed yet, while some CPU still has the
 * larger one. */
static void break_leaf(const struct fault *fault)
{
	struct tlb_batch batch;

	tlb_batch_init(&batch, fault->space);
	spin_lock(&fault->vmo->lock);
	revoke_range(&batch, fault->address, fault->address + PAGE_SIZE);
	tlb_batch_finish(&batch);
	spin_unlock(&fault->vmo->lock);
}

static err_t installed(const struct fault *fault, uint64_t *entry, uint64_t leaf, uint32_t level)
{
	bool was_present = pte_load(entry) != 0;

	if (pte_install(entry, leaf, level)) {
		mm_counter_add(&mm_counters[cpu_current()].faults_mapped, 1);
		if (was_present) /* third rung of the ladder: this CPU's stale entry, the others' when they meet it */
			tlb_local_page(VADDR(fault->address));
	}
	return OK;
}

static err_t fault_linear(const struct fault *fault)
{
	uint64_t backing = fault->vmo->base + (fault->page << PAGE_SHIFT);
	uint32_t level = pagetable_has_huge() ? 3 : 2;

	for (;; level--) {
		uint64_t *entry;
		uint64_t bits;
		err_t err;

		while (level > 1 && !block_fits(fault, backing, level))
			level--;
		err = space_ensure(fault->space, fault->address, level, &entry);
		if (err == ERR_EXISTS) {
			break_leaf(fault);
			return OK;
		}
		if (err != OK)
			return err;
		if (pte_is_table(pte_load(entry), level))
			continue; /* smaller ones came first */
		bits = leaf_bits(fault, true, level);
		return installed(fault, entry,
			(backing & ~(level_bytes(level) - 1)) | bits | touched_bits(fault, bits), level);
	}
}

/* How many pages before `slot` (after, with `up`) a block around it may show: no further than the block, the leaf, the
 * region and the VMO reach. */
static uint64_t reach(const struct fault *fault, uint64_t slot, bool up)
{
	uint64_t region = fault->address - fault->region->base;
	uint64_t limits[3] = { slot % AROUND_PAGES, region >> PAGE_SHIFT, fault->page % PTES_PER_TABLE };

	if (up) {
		uint64_t end = vmo_bytes(fault->vmo) >> PAGE_SHIFT;

		limits[0] = AROUND_PAGES - 1 - limits[0];
		limits[1] = ((fault->region->bytes - region) >> PAGE_SHIFT) - 1;
		limits[2] = PTES_PER_TABLE - 1 - limits[2];
		if (limits[1] >= end - fault->page) /* V2: it may have shrunk below the region; `page` itself is there */
			limits[1] = end - fault->page - 1;
	}
	limits[0] = limits[0] < limits[1] ? limits[0] : limits[1];
	return limits[0] < limits[2] ? limits[0] : limits[2];
}

/* Neighbours in the same leaf and the same table, with the accessed bit clear. `entry` is the
 * address's own. */
static void fault_around(const struct fault *fault, const struct vmo_leaf *leaf, uint64_t *entry)
	TA_EXCL(leaf->lock)
{
	uint64_t slot = level_index(fault->address, 1);
	uint64_t before = reach(fault, slot, false);
	uint64_t count = before + 1 + reach(fault, slot, true);
	uint64_t bits = leaf_bits(fault, true, 1);

	for (uint64_t i = 0; i < count; i++) {
		uint64_t present = vmo_leaf_entry(leaf, fault->page - before + i);
		uint64_t *at = entry - before + i;

		if (present && !pte_load(at))
			(void)pte_install(at, (present & PTE_ADDRESS) | (present & VMO_PAGE_WRITE ? bits : bits & ~PTE_WRITE), 1);
	}
}

static err_t ask_pager(const struct fault *fault)
{
	vmo_ref(fault->vmo);
	*fault->request = (struct pager_request){
		.vmo = fault->vmo,
		.pager = fault->vmo->pager,
		.key = fault->vmo->key,
		.offset = fault->page << PAGE_SHIFT,
		.access = fault->access == ACCESS_WRITE ? RIGHT_WRITE : RIGHT_READ,
	};
	return ERR_AGAIN;
}

/* The page with its leaf locked; commits or refuses. (Locked on OK only, which clang cannot
 * follow.) */
static err_t tree_page_lock(
	const struct fault *fault, struct vmo_leaf **out, uint64_t *present, bool *fresh) TA_NONE
{
	struct vmo_leaf *leaf;

	if (fault->vmo->kind == VMO_ANONYMOUS)
		return vmo_commit_lock(fault->vmo, fault->page, out, present, fresh);
	*fresh = false;
	leaf = vmo_leaf_find(fault->vmo, fault->page);
	if (!leaf)
		return ask_pager(fault);
	spin_lock(&leaf->lock);
	*present = vmo_leaf_entry(leaf, fault->page);
	if (!*present || (fault->access == ACCESS_WRITE && !(*present & VMO_PAGE_WRITE))) {
		spin_unlock(&leaf->lock);
		return ask_pager(fault);
	}
	*out = leaf;
	return OK;
}

/* A part of the region that nobody has touched, and that is to come as a whole. */
static bool wants_large(const struct fault *fault, const struct vmo_leaf *leaf)
{
	return (fault->region->flags & SPACE_LARGE) && fault->vmo->kind == VMO_ANONYMOUS &&
		   !(leaf && __atomic_load_n(&leaf->count, __ATOMIC_RELAXED)) &&
		   block_fits(fault, fault->page << PAGE_SHIFT, 2);
}

/* The entry to fill: level 2 if the page is, as far as one can see without a lock, part of a 2 MiB
 * one. */
static err_t tree_entry(const struct fault *fault, uint32_t *level, uint64_t **out)
{
	const struct vmo_leaf *leaf = vmo_leaf_find(fault->vmo, fault->page);
	err_t err;

	if (wants_large(fault, leaf)) {
		vmo_commit_large(fault->vmo, fault->page); /* if there is no such page, small ones do */
		leaf = vmo_leaf_find(fault->vmo, fault->page);
	}
	*level = leaf && __atomic_load_n(&leaf->large, __ATOMIC_RELAXED) &&
					 block_fits(fault, fault->page << PAGE_SHIFT, 2)
				 ? 2
				 : 1;
	err = space_ensure(fault->space, fault->address, *level, out);
	if (err == OK && *level == 2 && pte_is_table(pte_load(*out), 2)) {
		*level = 1;
		err = space_ensure(fault->space, fault->address, 1, out);
	}
	return err;
}

static err_t fault_tree(const struct fault *fault) TA_NONE
{
	struct vmo_leaf *leaf;
	uint64_t present;
	uint64_t *entry;
	uint64_t bits;
	uint64_t frame;
	uint32_t level;
	bool fresh;
	err_t err = tree_entry(fault, &level, &entry);

	if (err == ERR_EXISTS) {
		break_leaf(fault);
		return OK;
	}
	if (err == OK)
		err = tree_page_lock(fault, &leaf, &present, &fresh);
	if (err != OK)
		return err;
	if (level == 2 && !leaf->large) { /* it was split meanwhile: look again */
		spin_unlock(&leaf->lock);
		return OK;
	}
	bits = leaf_bits(fault, present & VMO_PAGE_WRITE, level);
	frame = present & PTE_ADDRESS & ~(level_bytes(level) - 1);
	err = installed(fault, entry, frame | bits | touched_bits(fault, bits), level);
	if (level == 1 && !fresh) /* who fills memory has hardly any neighbours that others have filled */
		fault_around(fault, leaf, entry);
	spin_unlock(&leaf->lock);
	return err;
}

static err_t fault_region(struct space *space, const struct region *region, uint64_t address,
	enum access access, bool touched, struct pager_request *request)
{
	uint64_t offset = region->offset + (address - region->base);
	struct fault fault = {
		.space = space,
		.region = region,
		.vmo = region->vmo,
		.address = address & ~PAGE_MASK,
		.page = offset >> PAGE_SHIFT,
		.access = access,
		.touched = touched,
		.request = request,
	};

	if (!(region->flags & access_flag(access)) || offset >= vmo_bytes(region->vmo))
		return ERR_FAULT;
	return vmo_is_linear(region->vmo) ? fault_linear(&fault) : fault_tree(&fault);
}

static err_t fault_at(struct space *space, uint64_t address, enum access access, bool touched,
	struct pager_request *request)
{
	const struct region *region = region_find(space_read_begin(space), address);
	err_t err = ERR_FAULT;

	if (region)
		err = fault_region(space, region, address, access, touched, request);
	space_read_end(space);
	return err;
}

err_t space_fault(
	struct space *space, vaddr_t address, enum access access, struct pager_request *request)
{
	if (address.v < USER_BASE || address.v >= USER_END)
		return ERR_FAULT;
	if (address.v >= WINDOW_BASE && address.v < WINDOW_END)
		return window_fault(space, address.v, access, request);
	return fault_at(space, address.v, access, true, request);
}

err_t space_fault_ahead(
	struct space *space, vaddr_t address, enum access access, struct pager_request *request)
{
	return fault_at(space, address.v, access, false, request);
}

err_t space_futex_key(struct space *space, vaddr_t address, struct futex_key *out)
{
	const struct region *region;
	err_t err = ERR_FAULT;

	if (address.v & 3)
		return ERR_ARGS;
	region = region_find(space_read_begin(space), address.v);
	if (region && (region->flags & SPACE_READ) && (region->flags & SPACE_WRITE)) {
		*out = (struct futex_key){ region->vmo->id, region->offset + (address.v - region->base) };
		err = OK;
	}
	space_read_end(space);
	return err;
}
