/* SPDX-License-Identifier: BSD-2-Clause */
/* extent_share.c - what one file has in a range becomes another's, or its own somewhere else, too: blocks are claimed
 * once more, and extents that say so. Both trees are made anew (extent_list.h); one that says so already stays. */
#include "extent_list.h"

#include <stdlib.h>

struct range {
	uint64_t from;
	uint64_t end;
};

static uint64_t between(uint64_t value, const struct range *range)
{
	return value < range->from ? range->from : value > range->end ? range->end : value;
}

/* The list with all that lies in the range PMFS_EXTENT_SHARED. *marked: some of it was not. */
static err_t list_mark(const struct extent_list *list, const struct range *range, struct extent_list *out, bool *marked)
{
	err_t err = OK;

	for (uint32_t i = 0; i < list->count && err == OK; i++) {
		const struct pmfs_extent *old = &list->extent[i];
		const struct range own = { old->logical, (uint64_t)old->logical + old->count };
		const uint64_t from = between(range->from, &own), end = between(range->end, &own);
		const struct pmfs_extent shared = { old->logical, old->count, old->physical | PMFS_EXTENT_SHARED };
		*marked |= from < end && !extent_is_shared(old);
		err = extent_list_add(out, old, own.from, from, own.from);
		if (err == OK)
			err = extent_list_add(out, &shared, from, end, from);
		if (err == OK)
			err = extent_list_add(out, old, end, own.end, end);
	}
	return err;
}

/* The parts of the list in `range`, at `place`; their blocks are claimed once more. */
static err_t list_claim(struct change *c, const struct extent_list *list, const struct range *range, uint64_t place,
		struct extent_list *out, struct tree_gone *claimed, uint64_t *blocks)
{
	err_t err = OK;

	for (uint32_t i = 0; i < list->count && err == OK; i++) {
		const struct pmfs_extent *what = &list->extent[i];
		const struct range own = { what->logical, (uint64_t)what->logical + what->count };
		const uint64_t from = between(range->from, &own), end = between(range->end, &own);
		const uint64_t physical = what->physical + (from - own.from);
		if (from >= end)
			continue;
		err = extent_list_add(out, what, from, end, place + (from - range->from));
		if (err == OK)
			err = space_share(&c->fs->space, physical & ~PMFS_EXTENT_SHARED, end - from);
		if (err != OK)
			break;
		*blocks += end - from;
		err = tree_gone_add(claimed, physical, end - from);
		if (err != OK)
			space_free(&c->fs->space, physical, end - from);
	}
	return err;
}

/* What of the list lies behind the range; or before it, and then what lies in it goes. */
static err_t list_keep(const struct extent_list *list, const struct range *range, bool behind, struct extent_list *out,
		struct tree_gone *gone)
{
	err_t err = OK;

	for (uint32_t i = 0; i < list->count && err == OK; i++) {
		const struct pmfs_extent *old = &list->extent[i];
		const struct range own = { old->logical, (uint64_t)old->logical + old->count };
		const uint64_t from = between(range->from, &own), end = between(range->end, &own);
		if (behind) {
			err = extent_list_add(out, old, end, own.end, end);
			continue;
		}
		err = extent_list_add(out, old, own.from, from, own.from);
		if (err == OK && from < end)
			err = tree_gone_add(gone, old->physical + (from - own.from), end - from);
	}
	return err;
}

struct reading {
	struct extent_list *list;
	struct tree_gone *gone;
};

static err_t read_visit(void *context, const struct pmfs_extent *what, bool leaf)
{
	const struct reading *reading = context;

	if (!leaf)
		return tree_gone_add(reading->gone, what->physical, 1);
	return extent_list_add(reading->list, what, what->logical, (uint64_t)what->logical + what->count, what->logical);
}

/* Its extents; its nodes go. */
static err_t list_read(const struct change *c, const struct inode *inode, struct extent_list *list,
		struct tree_gone *gone)
{
	struct reading reading = { list, gone };
	struct tree_visitor visitor = { .visit = read_visit, .context = &reading };

	return tree_walk(c->fs, inode->number, &inode->now, &visitor);
}

/* `marked` are the source's extents, `old` those that the target has now: its new tree. */
static err_t target_build(struct change *c, const struct extent_list *marked, const struct range *source,
		const struct extent_list *old, struct inode *to, const struct range *range, struct tree_gone *gone,
		struct tree_gone *claimed)
{
	struct extent_list list = { .count = 0 };
	uint64_t blocks = 0;
	err_t err = list_keep(old, range, false, &list, gone);

	if (err == OK)
		err = list_claim(c, marked, source, range->from, &list, claimed, &blocks);
	if (err == OK)
		err = list_keep(old, range, true, &list, gone);
	if (err == OK)
		err = tree_build(c, to, &list);
	if (err == OK)
		change_inode(c, to)->blocks += blocks;
	free(list.extent);
	return err;
}

err_t tree_share(struct change *c, struct inode *from, uint32_t first, struct inode *to, uint32_t place, uint32_t count,
		struct tree_gone *gone, struct tree_gone *claimed)
{
	const struct range source = { first, (uint64_t)first + count }, range = { place, (uint64_t)place + count };
	struct extent_list old = { .count = 0 }, marked = { .count = 0 }, target = { .count = 0 };
	uint32_t nodes = 0;
	bool any = false;

	*gone = *claimed = (struct tree_gone) { .count = 0 };
	err_t err = list_read(c, from, &old, gone);
	if (err == OK)
		err = list_mark(&old, &source, &marked, &any);
	if (from != to) {
		nodes = gone->count = any ? gone->count : 0;
		if (err == OK)
			err = list_read(c, to, &target, gone);
	}
	if (err == OK)
		err = target_build(c, &marked, &source, from != to ? &target : &marked, to, &range, gone, claimed);
	if (err == OK)
		tree_gone_count(c, to, gone, nodes);
	if (err == OK && from != to && any) {
		err = tree_build(c, from, &marked);
		for (uint32_t i = 0; i < nodes && err == OK; i++)
			change_inode(c, from)->blocks--;
	}
	free(old.extent);
	free(marked.extent);
	free(target.extent);
	return err;
}

uint64_t tree_nodes(const struct pmfs *fs, const struct pmfs_inode *inode)
{
	uint64_t nodes = inode->levels != 0 ? inode->entries : 0;

	for (uint32_t i = 0; inode->levels > 1 && i < inode->entries; i++)
		nodes += ((const struct pmfs_node *)block_at(fs, inode->root[i].physical))->entries;
	for (uint32_t level = 2; level < inode->levels; level++)
		nodes *= PMFS_NODE_ENTRIES / 2;
	return nodes;
}
