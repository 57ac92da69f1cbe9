/* SPDX-License-Identifier: GPL-2.0-only */
/* vmo.c - VMOs as objects: creation of each kind, references, size. The tree of pages is in
 * vmo_tree.c, committing and copying in vmo_pages.c, pagers in pager.c. */
#include "mm/vmo.h"
#include "mm/kernel_space.h"
#include "mm/pager.h"
#include "mm/region.h"
#include "mm/revoke.h"

#define PHYSICAL_LIMIT (1ull << 52)

struct pool vmo_pool;
void (*vmo_pager_release)(void *pager);
static uint64_t next_id = 1; /* [a] */

void vmo_init_pools(void)
{
	pool_init(&vmo_pool, "vmo", sizeof(struct vmo));
	vmo_tree_init_pools();
}

static uint64_t round_up(uint64_t bytes)
{
	return (bytes + PAGE_MASK) & ~PAGE_MASK;
}

err_t vmo_new(enum vmo_kind kind, uint64_t bytes, struct account *account, struct vmo **out)
{
	struct vmo *vmo = pool_alloc(&vmo_pool);

	if (!vmo)
		return ERR_NO_MEMORY;
	vmo->refs = 1;
	vmo->kind = (uint8_t)kind;
	vmo->cache = CACHE_WRITE_BACK;
	vmo->id = __atomic_fetch_add(&next_id, 1, __ATOMIC_RELAXED);
	vmo->bytes = bytes;
	vmo->account = account;
	account_ref(account);
	spin_init(&vmo->lock, LOCK_RANK_VMO);
	*out = vmo;
	return OK;
}

static void vmo_delete(struct vmo *vmo)
{
	account_unref(vmo->account);
	pool_free(&vmo_pool, vmo);
}

/* All pages now, in one run, zeroed. */
static err_t vmo_commit_run(struct vmo *vmo)
{
	paddr_t run;
	err_t err = frame_alloc_run(vmo->account, vmo->bytes >> PAGE_SHIFT, &run);

	if (err != OK)
		return err;
	__builtin_memset(phys_to_virt(run), 0, vmo->bytes);
	vmo->contiguous = true;
	vmo->base = run.v;
	vmo->committed = vmo->bytes >> PAGE_SHIFT;
	return OK;
}

err_t vmo_create(uint64_t bytes, uint32_t flags, struct account *account, struct vmo **out)
{
	struct vmo *vmo;
	err_t err;

	if (!bytes || bytes > VMO_BYTES_MAX || (flags & ~(uint32_t)(VMO_RESIZABLE | VMO_CONTIGUOUS)))
		return ERR_ARGS;
	if ((flags & VMO_CONTIGUOUS) && ((flags & VMO_RESIZABLE) || bytes > HUGE_PAGE_SIZE))
		return ERR_ARGS;
	err = vmo_new(VMO_ANONYMOUS, round_up(bytes), account, &vmo);
	if (err != OK)
		return err;
	vmo->resizable = flags & VMO_RESIZABLE;
	if (flags & VMO_CONTIGUOUS) {
		err = vmo_commit_run(vmo);
		if (err != OK) {
			vmo_delete(vmo);
			return err;
		}
	}
	*out = vmo;
	return OK;
}

err_t vmo_create_pager(
	uint64_t bytes, void *pager, uint64_t key, struct account *account, struct vmo **out)
{
	err_t err;

	if (!bytes || bytes > VMO_BYTES_MAX)
		return ERR_ARGS;
	err = vmo_new(VMO_PAGER, round_up(bytes), account, out);
	if (err != OK)
		return err;
	(*out)->pager = pager;
	(*out)->key = key;
	return OK;
}

err_t vmo_create_zone(struct zone *zone, struct vmo **out)
{
	uint32_t closed = 0;
	err_t err;

	if (zone->kind == ZONE_RAM || zone->kind == ZONE_DEVICE_PRIVATE || zone->bytes > VMO_BYTES_MAX)
		return ERR_UNSUPPORTED;
	if (!__atomic_compare_exchange_n(
			&zone->opened, &closed, 1, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return ERR_BUSY;
	err = vmo_new(VMO_ZONE, zone->bytes, NULL, out);
	if (err != OK) {
		__atomic_store_n(&zone->opened, 0, __ATOMIC_RELEASE);
		return err;
	}
	(*out)->zone = zone;
	(*out)->base = zone->base;
	(*out)->committed = zone->bytes >> PAGE_SHIFT;
	__atomic_store_n(&zone->used_pages, zone->bytes >> PAGE_SHIFT, __ATOMIC_RELAXED);
	return OK;
}

static bool overlaps_zone(uint64_t base, uint64_t bytes)
{
	for (uint32_t i = 0; i < zone_count(); i++) {
		struct zone *zone = zone_get(i);

		if (base < zone->base + zone->bytes && zone->base < base + bytes)
			return true;
	}
	return false;
}

err_t vmo_create_physical(uint64_t base, uint64_t bytes, uint32_t flags, struct vmo **out)
{
	err_t err;

	if (!bytes || bytes > VMO_BYTES_MAX || (base & PAGE_MASK) ||
		base > PHYSICAL_LIMIT - round_up(bytes))
		return ERR_ARGS;
	if ((flags & ~(uint32_t)(VMO_UNCACHED | VMO_WRITE_COMBINE)) ||
		flags == (VMO_UNCACHED | VMO_WRITE_COMBINE))
		return ERR_ARGS;
	if (overlaps_zone(base, round_up(bytes)))
		return ERR_ARGS;
	err = vmo_new(VMO_PHYSICAL, round_up(bytes), NULL, out);
	if (err != OK)
		return err;
	(*out)->base = base;
	if (flags & VMO_UNCACHED)
		(*out)->cache = CACHE_UNCACHED;
	else if (flags & VMO_WRITE_COMBINE)
		(*out)->cache = CACHE_WRITE_COMBINE;
	return OK;
}

err_t vmo_create_kernel(const void *memory, uint64_t bytes, struct vmo **out)
{
	err_t err;

	if (!bytes || bytes > VMO_BYTES_MAX || ((uintptr_t)memory & PAGE_MASK))
		return ERR_ARGS;
	err = vmo_new(VMO_KERNEL, round_up(bytes), NULL, out);
	if (err != OK)
		return err;
	(*out)->base = virt_to_phys(memory).v;
	return OK;
}

struct vmo *vmo_resolve(struct vmo *vmo, uint64_t *offset)
{
	if (vmo->kind != VMO_SLICE)
		return vmo;
	*offset += vmo->parent_offset;
	return vmo->parent;
}

err_t vmo_slice(struct vmo *parent, uint64_t offset, uint64_t bytes, struct vmo **out)
{
	struct vmo *real;
	err_t err;

	if (!bytes || ((offset | bytes) & PAGE_MASK) || bytes > vmo_bytes(parent) ||
		offset > vmo_bytes(parent) - bytes)
		return ERR_ARGS;
	real = vmo_resolve(parent, &offset);
	if (real->resizable)
		return ERR_ARGS;
	err = vmo_new(VMO_SLICE, bytes, NULL, out);
	if (err != OK)
		return err;
	vmo_ref(real);
	(*out)->parent = real;
	(*out)->parent_offset = offset;
	return OK;
}

err_t vmo_copy(struct vmo *parent, uint64_t offset, uint64_t bytes, uint64_t size, struct account *account,
	struct vmo **out)
{
	uint64_t parent_size = vmo_bytes(parent);
	struct vmo *real;
	err_t err;

	if (!bytes || (offset & PAGE_MASK) || bytes > parent_size || offset > parent_size - bytes || bytes > size)
		return ERR_ARGS;
	real = vmo_resolve(parent, &offset);
	if (!vmo_is_mapped(real) || real->kind == VMO_PAGER || real->resizable || real->parent)
		return ERR_UNSUPPORTED;
	err = vmo_create(size, 0, account, out);
	if (err != OK)
		return err;
	vmo_ref(real);
	(*out)->parent = real;
	(*out)->parent_offset = offset;
	(*out)->parent_bytes = bytes;
	return OK;
}

void vmo_ref(struct vmo *vmo)
{
	uint32_t refs = __atomic_fetch_add(&vmo->refs, 1, __ATOMIC_RELAXED);

	ASSERT(refs && refs < UINT32_MAX);
}

static void vmo_destroy(struct vmo *vmo)
{
	ASSERT(!vmo->regions);
	if (vmo->family)
		pager_family_remove(vmo);
	if (vmo->contiguous)
		frame_free_run(vmo->account, PADDR(vmo->base), vmo->bytes >> PAGE_SHIFT);
	vmo_tree_free(vmo);
	for (uint32_t i = 0; i < VMO_SOURCES_MAX; i++)
		if (vmo->source[i])
			vmo_unref(vmo->source[i]);
	if (vmo->parent)
		vmo_unref(vmo->parent);
	if (vmo->zone) {
		__atomic_store_n(&vmo->zone->used_pages, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&vmo->zone->opened, 0, __ATOMIC_RELEASE);
	}
	if (vmo->kind == VMO_PAGER && vmo_pager_release)
		vmo_pager_release(vmo->pager);
	vmo_delete(vmo);
}

void vmo_unref(struct vmo *vmo)
{
	if (__atomic_fetch_sub(&vmo->refs, 1, __ATOMIC_ACQ_REL) == 1)
		vmo_destroy(vmo);
}

uint64_t vmo_id(const struct vmo *vmo)
{
	return vmo->id;
}

void *vmo_pager(const struct vmo *vmo)
{
	return vmo->kind == VMO_SLICE ? vmo->parent->pager : vmo->pager;
}

uint64_t vmo_key(const struct vmo *vmo)
{
	return vmo->kind == VMO_SLICE ? vmo->parent->key : vmo->key;
}

uint64_t vmo_committed_pages(const struct vmo *vmo)
{
	return __atomic_load_n(&vmo->committed, __ATOMIC_RELAXED);
}

uint64_t vmo_count(void)
{
	return pool_count(&vmo_pool);
}

err_t vmo_physical(struct vmo *vmo, uint64_t offset, paddr_t *out)
{
	if (offset >= vmo_bytes(vmo))
		return ERR_ARGS;
	vmo = vmo_resolve(vmo, &offset);
	if (!vmo_is_linear(vmo))
		return ERR_UNSUPPORTED;
	*out = PADDR(vmo->base + offset);
	return OK;
}

/* V3: whoever is installing one of this leaf's pages has finished once its lock was ours. */
static bool leaf_pass(struct vmo *vmo, struct vmo_leaf *leaf, uint64_t first_page, void *context)
{
	(void)vmo;
	(void)first_page;
	(void)context;
	spin_lock(&leaf->lock);
	spin_unlock(&leaf->lock);
	return true;
}

static bool leaf_free_from(
	struct vmo *vmo, struct vmo_leaf *leaf, uint64_t first_page, void *context)
{
	uint64_t first = *(uint64_t *)context;

	spin_lock(&leaf->lock);
	for (uint64_t i = first > first_page ? first - first_page : 0; i < leaf->capacity; i++) {
		uint64_t entry = leaf->entry[i];

		if (!entry)
			continue;
		vmo_leaf_set(vmo, leaf, first_page + i, 0);
		frame_free(vmo->account, PADDR(entry & PTE_ADDRESS));
	}
	vmo_leaf_unlock_trim(vmo, leaf);
	return true;
}

/* The bytes from `bytes` to the end of its page are zero afterwards. */
static void vmo_zero_rest(struct vmo *vmo, uint64_t bytes) TA_EXCL(vmo->lock)
{
	struct vmo_leaf *leaf = vmo_leaf_find(vmo, bytes >> PAGE_SHIFT);
	uint64_t entry;

	if (!leaf || !(bytes & PAGE_MASK))
		return;
	spin_lock(&leaf->lock);
	entry = vmo_leaf_entry(leaf, bytes >> PAGE_SHIFT);
	if (entry)
		__builtin_memset((char *)phys_to_virt(PADDR(entry & PTE_ADDRESS)) + (bytes & PAGE_MASK), 0,
			PAGE_SIZE - (bytes & PAGE_MASK));
	spin_unlock(&leaf->lock);
}

err_t vmo_resize(struct vmo *vmo, uint64_t bytes)
{
	uint64_t first = (bytes + PAGE_MASK) >> PAGE_SHIFT;
	uint64_t old;

	if (bytes > VMO_BYTES_MAX)
		return ERR_ARGS;
	if (!vmo->resizable)
		return ERR_UNSUPPORTED;
	spin_lock(&vmo->lock);
	old = vmo->bytes;
	__atomic_store_n(&vmo->bytes, first << PAGE_SHIFT, __ATOMIC_SEQ_CST);
	if (first << PAGE_SHIFT < old) {
		uint64_t last = (old >> PAGE_SHIFT) - 1;

		vmo_leaf_walk(vmo, first, last, leaf_pass, NULL);
		revoke_vmo(vmo, first, last);
		vmo_leaf_walk(vmo, first, last, leaf_free_from, &first);
	}
	vmo_zero_rest(vmo, bytes);
	spin_unlock(&vmo->lock);
	return OK;
}
