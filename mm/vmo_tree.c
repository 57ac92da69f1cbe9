/* SPDX-License-Identifier: GPL-2.0-only */
/* vmo_tree.c - the sparse tree of a VMO's pages (see vmo.h for V1-V3).
 *
 * vmo->tree is a pointer with the height in its low bits: height 0 leads to the one leaf, height h
 * to a node of 512 pointers each of which leads to a tree of height h-1. A tree is as high as the
 * pages that were used need, and grows at the top. An array of entries has room for the first 8, 64 or 512 pages of
 * its leaf, as far as they are used, so that a VMO of one page does not cost a second one. */
#include "mm/vmo.h"

#define NODE_SLOTS 512u
#define HEIGHT_MASK 7ull
#define LEAF_PAGES 512u
#define ENTRIES_SMALL 8u
#define ENTRIES_MIDDLE 64u

static struct pool leaf_pool;
static struct pool entries_small_pool;
static struct pool entries_middle_pool;

void vmo_tree_init_pools(void)
{
	pool_init(&leaf_pool, "vmo leaf", sizeof(struct vmo_leaf));
	pool_init(&entries_small_pool, "vmo entries 8", ENTRIES_SMALL * sizeof(uint64_t));
	pool_init(&entries_middle_pool, "vmo entries 64", ENTRIES_MIDDLE * sizeof(uint64_t));
}

static uint32_t height_for(uint64_t page)
{
	uint32_t height = 0;

	for (uint64_t index = page / LEAF_PAGES; index; index /= NODE_SLOTS)
		height++;
	return height;
}

static uint64_t *tree_node(uint64_t tree)
{
	return (uint64_t *)(uintptr_t)(tree & ~HEIGHT_MASK);
}

static uint64_t *node_slot(uint64_t tree, uint64_t page)
{
	uint32_t height = tree & HEIGHT_MASK;

	return &tree_node(tree)[(page / LEAF_PAGES >> (9 * (height - 1))) % NODE_SLOTS];
}

/* The tree below a slot: its pointer with its height put back. 0: empty. */
static uint64_t slot_tree(const uint64_t *slot, uint32_t height)
{
	uint64_t pointer = __atomic_load_n(slot, __ATOMIC_ACQUIRE);

	return pointer ? pointer | height : 0;
}

struct vmo_leaf *vmo_leaf_find(struct vmo *vmo, uint64_t page)
{
	uint64_t tree = __atomic_load_n(&vmo->tree, __ATOMIC_ACQUIRE);

	if (!tree || height_for(page) > (tree & HEIGHT_MASK))
		return NULL;
	while (tree & HEIGHT_MASK) {
		tree = slot_tree(node_slot(tree, page), (tree & HEIGHT_MASK) - 1);
		if (!tree)
			return NULL;
	}
	return (struct vmo_leaf *)(uintptr_t)tree;
}

static err_t node_create(struct vmo *vmo, uint64_t **out)
{
	paddr_t frame;
	err_t err = frame_alloc_zeroed(vmo->account, &frame);

	if (err != OK)
		return err;
	__atomic_fetch_add(&vmo->nodes, 1, __ATOMIC_RELAXED);
	*out = phys_to_virt(frame);
	return OK;
}

static void node_destroy(struct vmo *vmo, uint64_t *node)
{
	__atomic_fetch_sub(&vmo->nodes, 1, __ATOMIC_RELAXED);
	frame_free(vmo->account, virt_to_phys(node));
}

/* Put a new leaf (height 0) or node into an empty place; someone else may be faster, which is as
 * good. */
static err_t slot_fill(struct vmo *vmo, uint64_t *slot, uint32_t height, uint64_t tag)
{
	struct vmo_leaf *leaf;
	uint64_t *node;
	uint64_t none = 0;
	err_t err;

	if (!height) {
		leaf = pool_alloc(&leaf_pool);
		if (!leaf)
			return ERR_NO_MEMORY;
		spin_init(&leaf->lock, LOCK_RANK_PAGETABLE);
		if (!__atomic_compare_exchange_n(slot, &none, (uint64_t)(uintptr_t)leaf | tag, false,
				__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			pool_free(&leaf_pool, leaf);
		return OK;
	}
	err = node_create(vmo, &node);
	if (err != OK)
		return err;
	if (!__atomic_compare_exchange_n(slot, &none, (uint64_t)(uintptr_t)node | tag, false,
			__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		node_destroy(vmo, node);
	return OK;
}

/* Make the tree high enough for `page`, one level at a time. */
static err_t tree_grow(struct vmo *vmo, uint64_t page)
{
	uint32_t wanted = height_for(page);
	uint64_t tree = __atomic_load_n(&vmo->tree, __ATOMIC_ACQUIRE);
	uint64_t *node;
	err_t err;

	if (!tree) {
		err = slot_fill(vmo, &vmo->tree, wanted, wanted);
		if (err != OK)
			return err;
		tree = __atomic_load_n(&vmo->tree, __ATOMIC_ACQUIRE);
	}
	while ((tree & HEIGHT_MASK) < wanted) {
		err = node_create(vmo, &node);
		if (err != OK)
			return err;
		node[0] = tree & ~HEIGHT_MASK;
		if (!__atomic_compare_exchange_n(&vmo->tree, &tree,
				(uint64_t)(uintptr_t)node | ((tree & HEIGHT_MASK) + 1), false, __ATOMIC_ACQ_REL,
				__ATOMIC_ACQUIRE))
			node_destroy(vmo, node);
		else
			tree = __atomic_load_n(&vmo->tree, __ATOMIC_ACQUIRE);
	}
	return OK;
}

err_t vmo_leaf_get(struct vmo *vmo, uint64_t page, struct vmo_leaf **out)
{
	err_t err = tree_grow(vmo, page);
	uint64_t tree;

	if (err != OK)
		return err;
	tree = __atomic_load_n(&vmo->tree, __ATOMIC_ACQUIRE);
	while (tree & HEIGHT_MASK) {
		uint32_t below = (tree & HEIGHT_MASK) - 1;
		uint64_t *slot = node_slot(tree, page);

		if (!slot_tree(slot, below)) {
			err = slot_fill(vmo, slot, below, 0);
			if (err != OK)
				return err;
		}
		tree = slot_tree(slot, below);
	}
	*out = (struct vmo_leaf *)(uintptr_t)tree;
	return OK;
}

static void entries_free(struct vmo *vmo, uint64_t *entry, uint32_t capacity)
{
	if (capacity == ENTRIES_SMALL)
		pool_free(&entries_small_pool, entry);
	else if (capacity == ENTRIES_MIDDLE)
		pool_free(&entries_middle_pool, entry);
	else if (capacity)
		frame_free(vmo->account, virt_to_phys(entry));
}

static err_t entries_alloc(struct vmo *vmo, uint32_t capacity, uint64_t **out)
{
	paddr_t frame;
	err_t err;

	if (capacity == LEAF_PAGES) {
		err = frame_alloc_zeroed(vmo->account, &frame);
		if (err == OK)
			*out = phys_to_virt(frame);
		return err;
	}
	*out = pool_alloc(capacity == ENTRIES_SMALL ? &entries_small_pool : &entries_middle_pool);
	return *out ? OK : ERR_NO_MEMORY;
}

err_t vmo_leaf_lock_room(struct vmo *vmo, struct vmo_leaf *leaf, uint64_t page) TA_NONE
{
	uint32_t index = page % LEAF_PAGES;
	uint32_t capacity = LEAF_PAGES;
	uint64_t *entry;
	err_t err;

	if (index < ENTRIES_SMALL)
		capacity = ENTRIES_SMALL;
	else if (index < ENTRIES_MIDDLE)
		capacity = ENTRIES_MIDDLE;
	spin_lock(&leaf->lock);
	if (leaf->large || leaf->capacity > index)
		return OK;
	err = entries_alloc(vmo, capacity, &entry);
	if (err != OK) {
		spin_unlock(&leaf->lock);
		return err;
	}
	if (leaf->capacity)
		__builtin_memcpy(entry, leaf->entry, leaf->capacity * sizeof(entry[0]));
	entries_free(vmo, leaf->entry, leaf->capacity);
	leaf->entry = entry;
	leaf->capacity = (uint16_t)capacity;
	return OK;
}

uint64_t vmo_leaf_entry(const struct vmo_leaf *leaf, uint64_t page)
{
	uint32_t index = page % LEAF_PAGES;

	if (leaf->large)
		return leaf->large + ((uint64_t)index << PAGE_SHIFT);
	return index < leaf->capacity ? leaf->entry[index] : 0;
}

void vmo_leaf_set(struct vmo *vmo, struct vmo_leaf *leaf, uint64_t page, uint64_t entry)
{
	uint64_t *at = &leaf->entry[page % LEAF_PAGES];
	int32_t change = !!entry - !!*at;

	DASSERT(!leaf->large && page % LEAF_PAGES < leaf->capacity);
	*at = entry;
	leaf->count = (uint16_t)(leaf->count + change);
	if (change)
		__atomic_fetch_add(&vmo->committed, (uint64_t)(int64_t)change, __ATOMIC_RELAXED);
}

void vmo_leaf_set_large(struct vmo *vmo, struct vmo_leaf *leaf, uint64_t large)
{
	int64_t change = large ? (int64_t)LEAF_PAGES - leaf->count : -(int64_t)leaf->count;

	entries_free(vmo, leaf->entry, leaf->capacity);
	leaf->entry = NULL;
	leaf->capacity = 0;
	__atomic_store_n(&leaf->large, large, __ATOMIC_RELAXED);
	leaf->count = large ? LEAF_PAGES : 0;
	__atomic_fetch_add(&vmo->committed, (uint64_t)change, __ATOMIC_RELAXED);
}

err_t vmo_leaf_break_large(struct vmo *vmo, struct vmo_leaf *leaf)
{
	uint64_t *entry;
	err_t err = entries_alloc(vmo, LEAF_PAGES, &entry);

	if (err != OK)
		return err;
	for (uint32_t i = 0; i < LEAF_PAGES; i++)
		entry[i] = leaf->large + ((uint64_t)i << PAGE_SHIFT);
	__atomic_store_n(&leaf->large, 0, __ATOMIC_RELAXED);
	leaf->entry = entry;
	leaf->capacity = LEAF_PAGES;
	return OK;
}

void vmo_leaf_unlock_trim(struct vmo *vmo, struct vmo_leaf *leaf)
{
	if (!leaf->count && !leaf->reserve && leaf->capacity) {
		entries_free(vmo, leaf->entry, leaf->capacity);
		leaf->entry = NULL;
		leaf->capacity = 0;
	}
	spin_unlock(&leaf->lock);
}

struct walk {
	struct vmo *vmo;
	uint64_t first;
	uint64_t last;
	bool (*visit)(struct vmo *vmo, struct vmo_leaf *leaf, uint64_t first_page, void *context);
	void *context;
};

/* `page` is the first of the subtree. */
static bool tree_walk(const struct walk *walk, uint64_t tree, uint64_t page)
{
	uint32_t height = tree & HEIGHT_MASK;
	uint64_t step = LEAF_PAGES;

	if (!tree)
		return true;
	if (!height)
		return walk->visit(walk->vmo, (struct vmo_leaf *)(uintptr_t)tree, page, walk->context);
	for (uint32_t i = 1; i < height; i++)
		step *= NODE_SLOTS;
	for (uint32_t i = 0; i < NODE_SLOTS && page <= walk->last; i++, page += step) {
		if (page + step <= walk->first)
			continue;
		if (!tree_walk(walk, slot_tree(&tree_node(tree)[i], height - 1), page))
			return false;
	}
	return true;
}

void vmo_leaf_walk(struct vmo *vmo, uint64_t first, uint64_t last,
	bool (*visit)(struct vmo *vmo, struct vmo_leaf *leaf, uint64_t first_page, void *context),
	void *context)
{
	struct walk walk = { vmo, first, last, visit, context };

	tree_walk(&walk, __atomic_load_n(&vmo->tree, __ATOMIC_ACQUIRE), 0);
}

/* The frames that the entries hold, as many as there are. */
static void leaf_free(struct vmo *vmo, struct vmo_leaf *leaf)
{
	uint64_t frame[FRAME_BATCH];
	uint32_t left = leaf->count;
	uint32_t count = 0;

	if (leaf->large) {
		frame_free_large(vmo->account, PADDR(leaf->large & PTE_ADDRESS));
		return;
	}
	for (uint32_t i = 0; left; i++) { /* V1 */
		if (!leaf->entry[i])
			continue;
		frame[count++] = leaf->entry[i] & PTE_ADDRESS;
		if (--left && count < FRAME_BATCH)
			continue;
		frame_free_batch(vmo->account, frame, count);
		count = 0;
	}
}

/* `page` is the first of the subtree. */
static void tree_free(struct vmo *vmo, uint64_t tree, uint64_t page, uint64_t last)
{
	uint32_t height = tree & HEIGHT_MASK;
	struct vmo_leaf *leaf = (struct vmo_leaf *)(uintptr_t)tree;
	uint64_t step;

	if (!tree)
		return;
	if (height) {
		step = (uint64_t)LEAF_PAGES << (9 * (height - 1));
		for (uint32_t i = 0; i < NODE_SLOTS && page <= last; i++, page += step)
			tree_free(vmo, slot_tree(&tree_node(tree)[i], height - 1), page, last);
		node_destroy(vmo, tree_node(tree));
		return;
	}
	if (vmo->kind == VMO_ANONYMOUS)
		leaf_free(vmo, leaf);
	entries_free(vmo, leaf->entry, leaf->capacity);
	pool_free(&leaf_pool, leaf);
}

void vmo_tree_free(struct vmo *vmo)
{
	uint64_t last = vmo->resizable ? UINT64_MAX : (vmo->bytes - 1) >> PAGE_SHIFT;

	tree_free(vmo, vmo->tree, 0, last); /* one that was larger once may have leaves past its end */
	vmo->tree = 0;
}
