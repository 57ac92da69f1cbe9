/* SPDX-License-Identifier: GPL-2.0-only */
/* space_map.c - map, unmap, protect. All three make a new table of regions beside the old one,
 * publish it, wait for the faults that still read the old (S2), and take away what the old one
 * allowed and the new one does not. Everything that can fail comes before the publication. */
#include "mm/revoke.h"
#include "mm/space.h"

static bool range_is_user(uint64_t base, uint64_t bytes)
{
	return bytes && !((base | bytes) & PAGE_MASK) && base >= USER_BASE && base <= USER_END &&
		   bytes <= USER_END - base;
}

static bool range_meets_windows(uint64_t base, uint64_t bytes)
{
	return base < WINDOW_END && base + bytes > WINDOW_BASE;
}

static bool flags_are_good(uint32_t flags)
{
	uint32_t rights = flags & (SPACE_READ | SPACE_WRITE | SPACE_EXECUTE);

	if ((rights & SPACE_WRITE) && (rights & SPACE_EXECUTE))
		return false;
	return !rights ||
		   (rights & SPACE_READ); /* x86 has no page that can be written or run but not read */
}

static bool rights_cover(uint32_t max_rights, uint32_t flags)
{
	return (!(flags & SPACE_READ) || (max_rights & RIGHT_READ)) &&
		   (!(flags & SPACE_WRITE) || (max_rights & RIGHT_WRITE)) &&
		   (!(flags & SPACE_EXECUTE) || (max_rights & RIGHT_EXECUTE));
}

/* Publish `table` and return the old one, which no fault reads any more. */
static struct region_table *space_publish(struct space *space, struct region_table *table)
	TA_EXCL(space->lock)
{
	struct region_table *old = space->regions;

	__atomic_store_n(&space->regions, table, __ATOMIC_SEQ_CST);
	space_drain(space);
	return old;
}

/* The alignment that lets the largest leaves be used, and what it is relative to. */
static uint64_t map_alignment(
	const struct vmo *vmo, uint64_t offset, uint64_t bytes, uint64_t *skew)
{
	*skew = vmo_is_linear(vmo) ? vmo->base + offset : offset;
	if (vmo_is_linear(vmo) && pagetable_has_huge() && bytes >= HUGE_PAGE_SIZE)
		return HUGE_PAGE_SIZE;
	return bytes >= LARGE_PAGE_SIZE ? LARGE_PAGE_SIZE : PAGE_SIZE;
}

static err_t map_place(struct space *space, const struct vmo *vmo, uint64_t offset, uint64_t bytes,
	uint64_t hint, uint32_t flags, uint64_t *out) TA_EXCL(space->lock)
{
	const struct region_table *table = space->regions;
	uint64_t skew;
	uint64_t alignment = map_alignment(vmo, offset, bytes, &skew);
	bool guard = flags & SPACE_GUARD;

	if (flags & SPACE_FIXED) {
		*out = hint;
		return region_is_free(table, hint, bytes, guard) ? OK : ERR_EXISTS;
	}
	hint &= ~PAGE_MASK;
	if (hint && range_is_user(hint, bytes) && !range_meets_windows(hint, bytes) &&
		region_is_free(table, hint, bytes, guard)) {
		*out = hint;
		return OK;
	}
	if (hint && region_find_gap(table, hint, bytes, alignment, skew, guard, out) == OK)
		return OK;
	if (region_find_gap(table, SPACE_MAP_BASE, bytes, alignment, skew, guard, out) == OK)
		return OK;
	return region_find_gap(table, USER_BASE, bytes, PAGE_SIZE, 0, guard, out);
}

/* Regions [first, end) of the old table, behind what is in the new one. */
static void table_append(
	struct region_table *table, const struct region_table *old, uint32_t first, uint32_t end)
{
	if (first < end)
		__builtin_memcpy(&table->region[table->count], &old->region[first],
			(end - first) * sizeof(table->region[0]));
	table->count += end - first;
}

/* Put one more region into the space. */
static err_t map_insert(struct space *space, struct vmo *vmo, uint64_t offset, uint64_t bytes,
	uint64_t base, uint32_t flags, uint32_t max_rights) TA_EXCL(space->lock)
{
	const struct region_table *old = space->regions;
	uint32_t count = old ? old->count : 0;
	struct region_table *table;
	struct region *region;
	uint32_t at = region_index(old, base);
	err_t err = region_table_create(count + 1, &table);

	if (err != OK)
		return err;
	err = region_create(space, base, bytes, vmo, offset, flags, max_rights, &region);
	if (err != OK) {
		region_table_destroy(table);
		return err;
	}
	table_append(table, old, 0, at);
	table->region[table->count++] = region;
	table_append(table, old, at, count);
	region_table_destroy(space_publish(space, table));
	space->mapped_bytes += bytes;
	return OK;
}

/* Touch every page once, 2 MiB at a time where that is possible. What a pager has not supplied, or
 * what there is no memory for now, is left to the first touch. */
static void map_populate(
	struct space *space, struct vmo *vmo, uint64_t offset, uint64_t base, uint64_t bytes)
{
	uint64_t at = base;

	while (at < base + bytes) {
		uint64_t block = at & (LARGE_PAGE_SIZE - 1);
		struct pager_request request;
		uint32_t level;
		err_t err;

		if (!block && base + bytes - at >= LARGE_PAGE_SIZE &&
			!((offset + (at - base)) & (LARGE_PAGE_SIZE - 1)))
			vmo_commit_large(vmo, (offset + (at - base)) >> PAGE_SHIFT);
		err = space_fault_ahead(space, VADDR(at), ACCESS_READ, &request);
		if (err == ERR_AGAIN) {
			vmo_unref(request.vmo);
			level = 1;
		} else if (err == OK) {
			pagetable_find(PADDR(space->root), at, &level);
		} else {
			return;
		}
		at = (at | (level_bytes(level) - 1)) + 1;
	}
}

err_t space_map(struct space *space, struct vmo *vmo, uint64_t offset, uint64_t bytes, vaddr_t hint,
	uint32_t flags, uint32_t max_rights, vaddr_t *out)
{
	uint64_t size = vmo_bytes(vmo);
	uint64_t base = 0;
	err_t err;

	if (!bytes || bytes > VMO_BYTES_MAX || (offset & PAGE_MASK) ||
		(flags & ~(uint32_t)SPACE_FLAGS_ALL))
		return ERR_ARGS;
	bytes = (bytes + PAGE_MASK) & ~PAGE_MASK;
	if (bytes > size || offset > size - bytes || !flags_are_good(flags))
		return ERR_ARGS;
	if ((flags & SPACE_FIXED) &&
		(!range_is_user(hint.v, bytes) || range_meets_windows(hint.v, bytes)))
		return ERR_ARGS;
	if (!rights_cover(max_rights, flags))
		return ERR_DENIED;
	vmo = vmo_resolve(vmo, &offset);
	spin_lock(&space->lock);
	err = space->dead ? ERR_BAD_STATE : map_place(space, vmo, offset, bytes, hint.v, flags, &base);
	if (err == OK)
		err = map_insert(space, vmo, offset, bytes, base, flags, max_rights);
	spin_unlock(&space->lock);
	if (err != OK)
		return err;
	if ((flags & SPACE_POPULATE) && (flags & SPACE_READ))
		map_populate(space, vmo, offset, base, bytes);
	*out = VADDR(base);
	return OK;
}

/* A change of [base, end): the regions it meets are old->region[from .. to), `made` stands in for
 * them. */
struct edit {
	struct space *space;
	uint64_t base;
	uint64_t end;
	uint32_t from;
	uint32_t to;
	struct region_table *made; /* the new table */
	uint32_t made_from;        /* the first that is not in the old one, if any is */
};

static err_t edit_add(
	struct edit *edit, const struct region *old, uint64_t first, uint64_t end, uint32_t flags)
{
	struct region_table *table = edit->made;
	err_t err;

	if (first >= end)
		return OK;
	err = region_create(edit->space, first, end - first, old->vmo,
		old->offset + (first - old->base), flags, old->max_rights, &table->region[table->count]);
	if (err == OK)
		table->count++;
	return err;
}

static void edit_undo(struct edit *edit)
{
	for (uint32_t i = edit->made_from; i < edit->made->count; i++)
		region_destroy(edit->made->region[i]);
	region_table_destroy(edit->made);
}

/* The new table: old regions outside the range, their parts that stick out of it, and, unless `mask` is 0,
 * the inner parts with those of their flags replaced. Nothing is published yet. */
static err_t edit_prepare(struct space *space, struct edit *edit, uint32_t mask, uint32_t flags)
	TA_EXCL(space->lock)
{
	const bool keep = mask != 0;
	const struct region_table *old = space->regions;
	uint32_t inner = edit->to - edit->from;
	err_t err = region_table_create(old->count - inner + (keep ? inner : 0) + 2, &edit->made);

	if (err != OK)
		return err;
	table_append(edit->made, old, 0, edit->from);
	edit->made_from = edit->made->count;
	for (uint32_t i = edit->from; err == OK && i < edit->to; i++) {
		const struct region *at = old->region[i];
		uint64_t at_end = at->base + at->bytes;
		uint64_t first = at->base > edit->base ? at->base : edit->base;
		uint64_t last = at_end < edit->end ? at_end : edit->end;

		err = edit_add(edit, at, at->base, first, at->flags);
		if (err == OK && keep)
			err = edit_add(edit, at, first, last, flags | (at->flags & ~mask));
		if (err == OK)
			err = edit_add(edit, at, last, at_end, at->flags);
	}
	if (err != OK) {
		edit_undo(edit);
		return err;
	}
	table_append(edit->made, old, edit->to, old->count);
	return OK;
}

static void edit_find(struct space *space, struct edit *edit) TA_EXCL(space->lock)
{
	const struct region_table *table = space->regions;

	edit->from = region_index(table, edit->base);
	edit->to = edit->from;
	while (table && edit->to < table->count && table->region[edit->to]->base < edit->end)
		edit->to++;
}

/* The tables of what was unmapped, as far as its neighbours in the new table do not need them. */
static void edit_tables(const struct edit *edit, struct tlb_batch *batch)
{
	const struct region_table *made = edit->made;
	uint32_t next = edit->made_from;
	uint64_t before = 0;

	if (next < made->count && made->region[next]->base < edit->base)
		next++; /* what is left of a region that the range cut */
	if (next)
		before = made->region[next - 1]->base + made->region[next - 1]->bytes;
	revoke_tables(batch, edit->base, edit->end, before,
		next < made->count ? made->region[next]->base : KERNEL_FIRST);
}

/* After the lock is dropped: VMOs may die here, and call out. */
static void edit_finish(struct edit *edit, struct region_table *old)
{
	for (uint32_t i = edit->from; i < edit->to; i++)
		region_destroy(old->region[i]);
	region_table_destroy(old);
}

err_t space_unmap(struct space *space, vaddr_t address, uint64_t bytes)
{
	struct edit edit = { .space = space, .base = address.v, .end = address.v + bytes };
	struct tlb_batch batch;
	struct region_table *old;
	err_t err;

	if (!range_is_user(address.v, bytes))
		return ERR_ARGS;
	spin_lock(&space->lock);
	edit_find(space, &edit);
	if (edit.from == edit.to) {
		spin_unlock(&space->lock);
		return OK;
	}
	err = edit_prepare(space, &edit, 0, 0);
	if (err != OK) {
		spin_unlock(&space->lock);
		return err;
	}
	/* Point of no return. */
	tlb_batch_init(&batch, space);
	old = space_publish(space, edit.made);
	for (uint32_t i = edit.from; i < edit.to; i++) {
		struct region *region = old->region[i];
		uint64_t first = region->base > edit.base ? region->base : edit.base;
		uint64_t end =
			region->base + region->bytes < edit.end ? region->base + region->bytes : edit.end;

		revoke_range(&batch, first, end);
		region_unlist(region);
		space->mapped_bytes -= end - first;
	}
	edit_tables(&edit, &batch);
	tlb_batch_finish(&batch);
	spin_unlock(&space->lock);
	edit_finish(&edit, old);
	return OK;
}

/* Is all of the range mapped, and do all regions allow `flags`? */
static err_t protect_check(struct space *space, const struct edit *edit, uint32_t flags)
	TA_EXCL(space->lock)
{
	const struct region_table *table = space->regions;
	uint64_t at = edit->base;

	for (uint32_t i = edit->from; i < edit->to; i++) {
		const struct region *region = table->region[i];

		if (region->base > at)
			return ERR_NOT_FOUND;
		if (!rights_cover(region->max_rights, flags))
			return ERR_DENIED;
		at = region->base + region->bytes;
	}
	return at < edit->end || edit->from == edit->to ? ERR_NOT_FOUND : OK;
}

/* The flags of `mask` in all of the range. Translations that are there lose what `flags` no longer allows. */
static err_t edit_flags(struct space *space, vaddr_t address, uint64_t bytes, uint32_t mask, uint32_t flags)
{
	struct edit edit = { .space = space, .base = address.v, .end = address.v + bytes };
	struct tlb_batch batch;
	struct region_table *old;
	err_t err;

	spin_lock(&space->lock);
	edit_find(space, &edit);
	err = protect_check(space, &edit, flags);
	if (err == OK)
		err = edit_prepare(space, &edit, mask, flags);
	if (err != OK) {
		spin_unlock(&space->lock);
		return err;
	}
	/* Point of no return. */
	tlb_batch_init(&batch, space);
	old = space_publish(space, edit.made);
	if (mask & SPACE_READ)
		revoke_rights(&batch, edit.base, edit.end, flags);
	for (uint32_t i = edit.from; i < edit.to; i++)
		region_unlist(old->region[i]);
	tlb_batch_finish(&batch);
	spin_unlock(&space->lock);
	edit_finish(&edit, old);
	return OK;
}

err_t space_protect(struct space *space, vaddr_t address, uint64_t bytes, uint32_t flags)
{
	const uint32_t rights = SPACE_READ | SPACE_WRITE | SPACE_EXECUTE;

	if (!range_is_user(address.v, bytes) || (flags & ~rights) || !flags_are_good(flags))
		return ERR_ARGS;
	return edit_flags(space, address, bytes, rights, flags);
}

err_t space_advise(struct space *space, vaddr_t address, uint64_t bytes, uint32_t flags)
{
	if (!range_is_user(address.v, bytes) || (flags & ~(uint32_t)SPACE_LARGE))
		return ERR_ARGS;
	return edit_flags(space, address, bytes, SPACE_LARGE, flags);
}
