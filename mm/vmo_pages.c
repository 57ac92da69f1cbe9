/* SPDX-License-Identifier: GPL-2.0-only */
/* vmo_pages.c - committing pages of anonymous VMOs, copies among them, and copying in and out of any VMO. */
#include "mm/vmo.h"
#include "mm/region.h"

#define LEAF_PAGES 512u

static bool page_is_inside(const struct vmo *vmo, uint64_t page)
{
	return page < vmo_bytes(vmo) >> PAGE_SHIFT;
}

/* What a copy shows of its parent in a page that it has not touched: zeros behind its end. */
static err_t parent_read(struct vmo *vmo, uint64_t offset, char *buffer, size_t bytes)
{
	uint64_t there = offset < vmo->parent_bytes ? vmo->parent_bytes - offset : 0;

	if (there > bytes)
		there = bytes;
	if (there < bytes)
		__builtin_memset(buffer + there, 0, bytes - there);
	return there ? vmo_read(vmo->parent, vmo->parent_offset + offset, buffer, there) : OK;
}

/* The first content of a page. */
static err_t page_new(struct vmo *vmo, uint64_t page, paddr_t *out)
{
	err_t err;

	if (page << PAGE_SHIFT >= vmo->parent_bytes)
		return frame_alloc_zeroed(vmo->account, out);
	err = frame_alloc(vmo->account, out);
	if (err != OK)
		return err;
	err = parent_read(vmo, page << PAGE_SHIFT, phys_to_virt(*out), PAGE_SIZE);
	ASSERT(err == OK); /* vmo_copy has seen to it */
	return OK;
}

err_t vmo_commit_lock(struct vmo *vmo, uint64_t page, struct vmo_leaf **out, uint64_t *entry, bool *fresh) TA_NONE
{
	struct vmo_leaf *leaf = vmo_leaf_find(vmo, page);
	paddr_t frame;
	err_t err;

	*fresh = false;
	if (leaf) {
		spin_lock(&leaf->lock);
		*entry = page_is_inside(vmo, page) ? vmo_leaf_entry(leaf, page) : 0;
		if (*entry) {
			*out = leaf;
			return OK;
		}
		spin_unlock(&leaf->lock);
	}
	if (!page_is_inside(vmo, page))
		return ERR_FAULT;
	/* Filled before the lock is taken: neighbours need not wait for it. */
	err = page_new(vmo, page, &frame);
	if (err != OK)
		return err;
	err = leaf ? OK : vmo_leaf_get(vmo, page, &leaf);
	if (err == OK)
		err = vmo_leaf_lock_room(vmo, leaf, page);
	if (err != OK)
		goto undo_frame;
	if (!page_is_inside(vmo, page)) { /* V2: a resize got in between */
		vmo_leaf_unlock_trim(vmo, leaf);
		err = ERR_FAULT;
		goto undo_frame;
	}
	*entry = vmo_leaf_entry(leaf, page);
	if (*entry) { /* another CPU was faster */
		frame_free(vmo->account, frame);
	} else {
		*entry = frame.v | VMO_PAGE_PRESENT | VMO_PAGE_WRITE;
		vmo_leaf_set(vmo, leaf, page, *entry);
		*fresh = true;
	}
	*out = leaf;
	return OK;

undo_frame:
	frame_free(vmo->account, frame);
	return err;
}

void vmo_commit_large(struct vmo *vmo, uint64_t page)
{
	uint64_t first = page & ~(uint64_t)(LEAF_PAGES - 1);
	struct vmo_leaf *leaf;
	paddr_t frame;

	if (vmo->kind != VMO_ANONYMOUS || vmo->resizable || vmo->contiguous || vmo->parent ||
		!page_is_inside(vmo, first + LEAF_PAGES - 1))
		return;
	leaf = vmo_leaf_find(vmo, page);
	if (leaf && __atomic_load_n(&leaf->count, __ATOMIC_RELAXED))
		return;
	if (vmo_leaf_get(vmo, page, &leaf) != OK || frame_alloc_large(vmo->account, &frame) != OK)
		return;
	__builtin_memset(phys_to_virt(frame), 0, LARGE_PAGE_SIZE);
	spin_lock(&leaf->lock);
	if (leaf->count) {
		spin_unlock(&leaf->lock);
		frame_free_large(vmo->account, frame);
		return;
	}
	vmo_leaf_set_large(vmo, leaf, frame.v | VMO_PAGE_PRESENT | VMO_PAGE_WRITE);
	spin_unlock(&leaf->lock);
}

bool vmo_is_mapped(const struct vmo *vmo)
{
	return vmo->kind != VMO_PHYSICAL && !(vmo->kind == VMO_ZONE && vmo->zone->kind != ZONE_PMEM);
}

/* A part of one page out of a tree VMO; the leaf's lock keeps the frame while it is copied. */
static err_t tree_read(struct vmo *vmo, uint64_t offset, char *buffer, size_t bytes)
{
	struct vmo_leaf *leaf = vmo_leaf_find(vmo, offset >> PAGE_SHIFT);
	uint64_t entry = 0;

	if (leaf) {
		spin_lock(&leaf->lock);
		entry = vmo_leaf_entry(leaf, offset >> PAGE_SHIFT);
		if (entry)
			__builtin_memcpy(buffer,
				(char *)phys_to_virt(PADDR(entry & PTE_ADDRESS)) + (offset & PAGE_MASK), bytes);
		spin_unlock(&leaf->lock);
	}
	if (!entry && vmo->kind == VMO_PAGER)
		return ERR_FAULT;
	return entry ? OK : parent_read(vmo, offset, buffer, bytes);
}

static err_t tree_write(struct vmo *vmo, uint64_t offset, const char *buffer, size_t bytes) TA_NONE
{
	struct vmo_leaf *leaf;
	uint64_t entry;
	bool fresh;
	err_t err;

	if (vmo->kind == VMO_PAGER) {
		leaf = vmo_leaf_find(vmo, offset >> PAGE_SHIFT);
		if (!leaf)
			return ERR_FAULT;
		spin_lock(&leaf->lock);
		entry = vmo_leaf_entry(leaf, offset >> PAGE_SHIFT);
	} else {
		err = vmo_commit_lock(vmo, offset >> PAGE_SHIFT, &leaf, &entry, &fresh);
		if (err != OK)
			return err;
	}
	if (entry & VMO_PAGE_WRITE)
		__builtin_memcpy(
			(char *)phys_to_virt(PADDR(entry & PTE_ADDRESS)) + (offset & PAGE_MASK), buffer, bytes);
	spin_unlock(&leaf->lock);
	return entry & VMO_PAGE_WRITE ? OK : ERR_FAULT;
}

/* Copy, a page at a time: `out` reads the VMO into it, else `in` is written. */
static err_t vmo_transfer(struct vmo *vmo, uint64_t offset, char *out, const char *in, size_t bytes)
{
	uint64_t size = vmo_bytes(vmo);

	if (bytes > size || offset > size - bytes)
		return ERR_ARGS;
	vmo = vmo_resolve(vmo, &offset);
	if (!vmo_is_mapped(vmo))
		return ERR_UNSUPPORTED;
	for (size_t done = 0; done < bytes;) {
		size_t part = PAGE_SIZE - ((offset + done) & PAGE_MASK);
		err_t err = OK;

		if (part > bytes - done)
			part = bytes - done;
		if (vmo_is_linear(vmo) && out)
			__builtin_memcpy(out + done, phys_to_virt(PADDR(vmo->base + offset + done)), part);
		else if (vmo_is_linear(vmo))
			__builtin_memcpy(phys_to_virt(PADDR(vmo->base + offset + done)), in + done, part);
		else if (out)
			err = tree_read(vmo, offset + done, out + done, part);
		else
			err = tree_write(vmo, offset + done, in + done, part);
		if (err != OK)
			return err;
		done += part;
	}
	return OK;
}

err_t vmo_read(struct vmo *vmo, uint64_t offset, void *buffer, size_t bytes)
{
	return vmo_transfer(vmo, offset, buffer, NULL, bytes);
}

err_t vmo_write(struct vmo *vmo, uint64_t offset, const void *buffer, size_t bytes)
{
	return vmo_transfer(vmo, offset, NULL, buffer, bytes);
}

struct vmo_count {
	uint64_t committed;
	bool good;
};

static bool leaf_check(struct vmo *vmo, struct vmo_leaf *leaf, uint64_t first_page, void *context)
{
	struct vmo_count *count = context;
	uint32_t present = leaf->large ? LEAF_PAGES : 0;

	spin_lock(&leaf->lock);
	for (uint32_t i = 0; i < leaf->capacity; i++) {
		if (!leaf->entry[i])
			continue;
		present++;
		count->good = count->good && page_is_inside(vmo, first_page + i) && !leaf->large &&
					  (leaf->entry[i] & VMO_PAGE_PRESENT);
	}
	count->good = count->good && present == leaf->count;
	count->committed += present;
	spin_unlock(&leaf->lock);
	return true;
}

bool vmo_check(struct vmo *vmo)
{
	struct vmo_count count = { .good = true };

	spin_lock(&vmo->lock);
	if (!vmo_is_linear(vmo) && vmo->kind != VMO_SLICE) {
		vmo_leaf_walk(vmo, 0, VMO_BYTES_MAX >> PAGE_SHIFT, leaf_check, &count);
		count.good = count.good && count.committed == vmo->committed;
	}
	for (struct region *region = vmo->regions; region; region = region->vmo_next)
		count.good = count.good && region->vmo == vmo && *region->vmo_link == region;
	spin_unlock(&vmo->lock);
	return count.good;
}
