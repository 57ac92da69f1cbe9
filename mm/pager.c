/* SPDX-License-Identifier: GPL-2.0-only */
/* pager.c - pages that a VMO borrows from other VMOs (see pager.h for G1 and G2).
 * A supply first prepares all leaves in the range (memory, conflicts, the source's pages), which
 * may fail and is undone, then fills them, which cannot. vmo->lock keeps other supplies and
 * revocations out; faults see each leaf change at once. */
#include "mm/pager.h"
#include "mm/revoke.h"

#define LEAF_PAGES 512u

struct supply {
	struct vmo *vmo;
	struct vmo *source;
	uint64_t first; /* page in the VMO */
	uint64_t pages;
	uint64_t source_first; /* page in the source */
	uint64_t flags;        /* of the entries */
};

/* The entry of a source's page, 0: not committed. Sources neither shrink nor move. */
static uint64_t source_frame(struct vmo *source, uint64_t page)
{
	struct vmo_leaf *leaf;
	uint64_t entry;

	if (vmo_is_linear(source))
		return source->base + (page << PAGE_SHIFT);
	leaf = vmo_leaf_find(source, page);
	if (!leaf)
		return 0;
	spin_lock(&leaf->lock);
	entry = vmo_leaf_entry(leaf, page);
	spin_unlock(&leaf->lock);
	return entry & PTE_ADDRESS;
}

/* The 2 MiB frame that a whole leaf would get, or 0: not in one piece. */
static uint64_t source_large(const struct supply *supply, uint64_t page)
{
	uint64_t from = supply->source_first + (page - supply->first);
	struct vmo_leaf *leaf;
	uint64_t large;

	if (vmo_is_linear(supply->source)) {
		large = supply->source->base + (from << PAGE_SHIFT);
		return large & (LARGE_PAGE_SIZE - 1) ? 0 : large;
	}
	leaf = from % LEAF_PAGES ? NULL : vmo_leaf_find(supply->source, from);
	return leaf ? __atomic_load_n(&leaf->large, __ATOMIC_RELAXED) & PTE_ADDRESS : 0;
}

/* Pages [page, *end) of the supply lie in one leaf; whole: the leaf's 512. */
static bool leaf_span(const struct supply *supply, uint64_t page, uint64_t *end)
{
	uint64_t last = supply->first + supply->pages;

	*end = (page | (LEAF_PAGES - 1)) + 1;
	if (*end > last)
		*end = last;
	return *end - page == LEAF_PAGES;
}

/* Nothing else is there, and the source has its pages. */
static err_t supply_check_pages(
	const struct supply *supply, struct vmo_leaf *leaf, uint64_t page, uint64_t end)
{
	for (; page < end; page++) {
		uint64_t frame =
			source_frame(supply->source, supply->source_first + (page - supply->first));
		uint64_t entry;

		if (!frame)
			return ERR_BAD_STATE;
		spin_lock(&leaf->lock);
		entry = vmo_leaf_entry(leaf, page);
		spin_unlock(&leaf->lock);
		if (entry && (entry & PTE_ADDRESS) != frame)
			return ERR_EXISTS;
	}
	return OK;
}

static err_t supply_prepare_leaf(
	const struct supply *supply, uint64_t page, uint64_t end, bool whole) TA_NONE
{
	struct vmo_leaf *leaf;
	uint64_t large = whole ? source_large(supply, page) : 0;
	bool empty;
	err_t err = vmo_leaf_get(supply->vmo, page, &leaf);

	if (err != OK)
		return err;
	spin_lock(&leaf->lock);
	empty = !leaf->count;
	spin_unlock(&leaf->lock);
	if (!(large && empty)) {
		err = supply_check_pages(supply, leaf, page, end);
		if (err != OK)
			return err;
	}
	if (large && (empty || __atomic_load_n(&leaf->large, __ATOMIC_RELAXED))) {
		leaf->reserve++;
		return OK; /* a whole 2 MiB page needs no entries */
	}
	err = vmo_leaf_lock_room(supply->vmo, leaf, end - 1);
	if (err != OK)
		return err;
	if (leaf->large && (supply->flags & ~leaf->large))
		err = vmo_leaf_break_large(supply->vmo, leaf); /* a part of it becomes writable */
	if (err == OK)
		leaf->reserve++;
	vmo_leaf_unlock_trim(supply->vmo, leaf);
	return err;
}

static void supply_fill_leaf(const struct supply *supply, uint64_t page, uint64_t end, bool whole)
{
	struct vmo_leaf *leaf = vmo_leaf_find(supply->vmo, page);
	uint64_t large = whole ? source_large(supply, page) : 0;

	spin_lock(&leaf->lock);
	if (large && (!leaf->count || leaf->large)) {
		vmo_leaf_set_large(
			supply->vmo, leaf, large | supply->flags | (leaf->large & VMO_PAGE_WRITE));
		spin_unlock(&leaf->lock);
		return;
	}
	spin_unlock(&leaf->lock);
	for (; page < end; page++) {
		uint64_t frame =
			source_frame(supply->source, supply->source_first + (page - supply->first));

		spin_lock(&leaf->lock);
		if (!leaf->large) /* a large page with enough rights already shows these very frames */
			vmo_leaf_set(
				supply->vmo, leaf, page, vmo_leaf_entry(leaf, page) | frame | supply->flags);
		spin_unlock(&leaf->lock);
	}
}

/* Drop the reservations of the leaves before `end`. */
static void supply_release(const struct supply *supply, uint64_t end)
{
	uint64_t next;

	for (uint64_t page = supply->first; page < end; page = next) {
		struct vmo_leaf *leaf = vmo_leaf_find(supply->vmo, page);

		leaf_span(supply, page, &next);
		spin_lock(&leaf->lock);
		leaf->reserve--;
		vmo_leaf_unlock_trim(supply->vmo, leaf);
	}
}

/* Remember the source for as long as some of its pages may be here. */
static err_t source_add(struct vmo *vmo, struct vmo *source)
{
	struct vmo **free = NULL;

	for (uint32_t i = 0; i < VMO_SOURCES_MAX; i++) {
		if (vmo->source[i] == source)
			return OK;
		if (!vmo->source[i])
			free = &vmo->source[i];
	}
	if (!free)
		return ERR_LIMIT;
	vmo_ref(source);
	*free = source;
	return OK;
}

/* The VMO has no page left: its sources, to be dropped without the lock. */
static void sources_take(struct vmo *vmo, struct vmo **out) TA_EXCL(vmo->lock)
{
	bool none = vmo_committed_pages(vmo) == 0;

	for (uint32_t i = 0; i < VMO_SOURCES_MAX; i++) {
		out[i] = none ? vmo->source[i] : NULL;
		if (none)
			vmo->source[i] = NULL;
	}
}

static void sources_drop(struct vmo **source)
{
	for (uint32_t i = 0; i < VMO_SOURCES_MAX; i++)
		if (source[i])
			vmo_unref(source[i]);
}

/* With vmo->lock. */
static err_t supply_locked(const struct supply *supply)
{
	uint64_t last = supply->first + supply->pages;
	uint64_t next;
	bool whole;
	err_t err = source_add(supply->vmo, supply->source);

	if (err != OK)
		return err;
	for (uint64_t page = supply->first; page < last; page = next) {
		whole = leaf_span(supply, page, &next);
		err = supply_prepare_leaf(supply, page, next, whole);
		if (err != OK) {
			supply_release(supply, page);
			return err;
		}
	}
	/* Point of no return. */
	for (uint64_t page = supply->first; page < last; page = next) {
		whole = leaf_span(supply, page, &next);
		supply_fill_leaf(supply, page, next, whole);
	}
	supply_release(supply, last);
	return OK;
}

static bool range_is_good(const struct vmo *vmo, uint64_t offset, uint64_t bytes)
{
	uint64_t size = vmo_bytes(vmo);

	return bytes && !((offset | bytes) & PAGE_MASK) && bytes <= size && offset <= size - bytes;
}

err_t vmo_supply(struct vmo *vmo, uint64_t offset, struct vmo *source, uint64_t source_offset,
	uint64_t bytes, bool writable)
{
	struct vmo *unused[VMO_SOURCES_MAX];
	struct supply supply;
	err_t err;

	if (!range_is_good(vmo, offset, bytes) || !range_is_good(source, source_offset, bytes))
		return ERR_ARGS;
	vmo = vmo_resolve(vmo, &offset);
	source = vmo_resolve(source, &source_offset);
	if (vmo->kind != VMO_PAGER || (source->kind != VMO_ZONE && source->kind != VMO_ANONYMOUS) ||
		source->resizable)
		return ERR_ARGS;
	supply = (struct supply){
		.vmo = vmo,
		.source = source,
		.first = offset >> PAGE_SHIFT,
		.pages = bytes >> PAGE_SHIFT,
		.source_first = source_offset >> PAGE_SHIFT,
		.flags = VMO_PAGE_PRESENT | (writable ? VMO_PAGE_WRITE : 0),
	};
	spin_lock(&vmo->lock);
	err = supply_locked(&supply);
	sources_take(vmo, unused);
	spin_unlock(&vmo->lock);
	sources_drop(unused);
	return err;
}

struct revocation {
	uint64_t first; /* pages; grows when a large page goes as a whole */
	uint64_t last;
};

static bool leaf_revoke(struct vmo *vmo, struct vmo_leaf *leaf, uint64_t first_page, void *context)
{
	struct revocation *range = context;
	uint64_t from = range->first > first_page ? range->first - first_page : 0;
	uint64_t to = range->last - first_page < LEAF_PAGES ? range->last - first_page + 1 : LEAF_PAGES;

	spin_lock(&leaf->lock);
	if (leaf->large && (to - from == LEAF_PAGES || vmo_leaf_break_large(vmo, leaf) != OK)) {
		vmo_leaf_set_large(vmo, leaf, 0);
		if (range->first > first_page)
			range->first = first_page;
		if (range->last < first_page + LEAF_PAGES - 1)
			range->last = first_page + LEAF_PAGES - 1;
	}
	for (uint64_t i = from; i < to && i < leaf->capacity; i++)
		vmo_leaf_set(vmo, leaf, first_page + i, 0);
	vmo_leaf_unlock_trim(vmo, leaf);
	return true;
}

err_t vmo_revoke(struct vmo *vmo, uint64_t offset, uint64_t bytes)
{
	struct vmo *unused[VMO_SOURCES_MAX];
	struct revocation range;

	if (!range_is_good(vmo, offset, bytes))
		return ERR_ARGS;
	vmo = vmo_resolve(vmo, &offset);
	if (vmo->kind != VMO_PAGER)
		return ERR_ARGS;
	range = (struct revocation){ offset >> PAGE_SHIFT, ((offset + bytes) >> PAGE_SHIFT) - 1 };
	spin_lock(&vmo->lock);
	vmo_leaf_walk(vmo, range.first, range.last, leaf_revoke, &range);
	revoke_vmo(vmo, range.first, range.last);
	sources_take(vmo, unused);
	spin_unlock(&vmo->lock);
	sources_drop(unused); /* G2 holds: only now may the source's frames go */
	return OK;
}

void pager_family_init(struct pager_family *family)
{
	spin_init(&family->lock, LOCK_RANK_VMO);
	family->first = NULL;
}

void pager_family_add(struct pager_family *family, struct vmo *vmo)
{
	vmo->family = family;
	spin_lock(&family->lock);
	vmo->family_next = family->first;
	if (family->first)
		family->first->family_link = &vmo->family_next;
	vmo->family_link = &family->first;
	family->first = vmo;
	spin_unlock(&family->lock);
}

static void family_unlink(struct vmo *vmo)
{
	*vmo->family_link = vmo->family_next;
	if (vmo->family_next)
		vmo->family_next->family_link = vmo->family_link;
	vmo->family_link = NULL;
}

void pager_family_remove(struct vmo *vmo)
{
	spin_lock(&vmo->family->lock);
	if (vmo->family_link)
		family_unlink(vmo);
	spin_unlock(&vmo->family->lock);
}

static bool vmo_try_ref(struct vmo *vmo)
{
	uint32_t refs = __atomic_load_n(&vmo->refs, __ATOMIC_RELAXED);

	while (refs && !__atomic_compare_exchange_n(
					   &vmo->refs, &refs, refs + 1, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		;
	return refs;
}

void pager_family_end(struct pager_family *family)
{
	struct vmo *vmo;

	do {
		bool alive = false;
		err_t err;

		spin_lock(&family->lock);
		vmo = family->first;
		if (vmo) {
			alive = vmo_try_ref(vmo); /* else it is being destroyed, which waits for the lock */
			family_unlink(vmo);
		}
		spin_unlock(&family->lock);
		if (!alive)
			continue;
		err = vmo_revoke(vmo, 0, vmo_bytes(vmo));
		ASSERT(err == OK); /* the whole of a pager VMO is a good range */
		vmo_unref(vmo);
	} while (vmo);
}
