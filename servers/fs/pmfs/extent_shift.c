/* SPDX-License-Identifier: BSD-2-Clause */
/* extent_shift.c - moving all that lies behind some file block up or down: the tree is made anew, as every key behind
 * that place is another one. The new tree is one change, however large it is: nodes that nobody reaches, then the
 * inode's copy. What the old one had and the new one has not is collected on the way, and is free after the commit
 * (C3). It costs 16 bytes of DRAM for each extent of the file, and a node for each 252 of them. */
#include "extent_tree.h"

#include <stdlib.h>
#include <string.h>

struct shift {
	uint32_t from;    /* all behind it moves up by `blocks` */
	uint32_t blocks;
	bool down;        /* or: [from, from + blocks) goes, and all behind that moves down */
	uint32_t count;
	uint32_t room;
	struct pmfs_extent *extent; /* of the new tree */
	struct tree_gone *gone;
};

static err_t gone_add(struct tree_gone *gone, uint64_t start, uint64_t count)
{
	if (gone->count == gone->room) {
		const uint32_t room = gone->room * 2 + 64;
		struct change_run *run = realloc(gone->run, room * sizeof(*run));
		if (run == NULL)
			return ERR_NO_MEMORY;
		gone->run = run;
		gone->room = room;
	}
	gone->run[gone->count++] = (struct change_run) { start, count };
	return OK;
}

void tree_gone_end(struct tree_gone *gone, struct pmfs *fs, bool free_blocks)
{
	for (uint32_t i = 0; i < gone->count && free_blocks; i++)
		space_free(&fs->space, gone->run[i].start, gone->run[i].count);
	free(gone->run);
}

/* The part [start, end) of an extent, at its new place; joins the one before if it can. */
static err_t part_add(struct shift *s, const struct pmfs_extent *what, uint64_t start, uint64_t end, uint64_t place)
{
	const uint64_t physical = what->physical + (start - what->logical);
	struct pmfs_extent *last = s->count != 0 ? &s->extent[s->count - 1] : NULL;

	if (start >= end)
		return OK;
	if (place + (end - start) > FILE_BLOCKS_MAX)
		return ERR_TOO_BIG;
	if (last != NULL && last->logical + last->count == place && last->physical + last->count == physical) {
		last->count += (uint32_t)(end - start);
		return OK;
	}
	if (s->count == s->room) {
		const uint32_t room = s->room * 2 + 64;
		struct pmfs_extent *extent = realloc(s->extent, room * sizeof(*extent));
		if (extent == NULL)
			return ERR_NO_MEMORY;
		s->extent = extent;
		s->room = room;
	}
	s->extent[s->count++] = (struct pmfs_extent) { (uint32_t)place, (uint32_t)(end - start), physical };
	return OK;
}

static uint64_t between(uint64_t value, uint64_t low, uint64_t high)
{
	return value < low ? low : value > high ? high : value;
}

static err_t shift_visit(void *context, const struct pmfs_extent *what, bool leaf)
{
	struct shift *s = context;

	if (!leaf)
		return gone_add(s->gone, what->physical, 1);
	const uint64_t start = what->logical, end = start + what->count;
	const uint64_t first = between(s->from, start, end);
	const uint64_t second = between((uint64_t)s->from + (s->down ? s->blocks : 0), start, end);
	err_t err = part_add(s, what, start, first, start);
	if (err == OK && first < second)
		err = gone_add(s->gone, what->physical + (first - start), second - first);
	return err == OK ? part_add(s, what, second, end, s->down ? second - s->blocks : second + s->blocks) : err;
}

/* One level of nodes over the entries, which become those of the level above. */
static err_t level_build(struct change *c, struct inode *inode, struct pmfs_extent *entry, uint32_t *count,
		uint32_t level)
{
	const uint32_t nodes = (*count + PMFS_NODE_ENTRIES - 1) / PMFS_NODE_ENTRIES, before = c->fresh_count;
	err_t err = change_fresh_many(c, inode, nodes);

	if (err != OK)
		return err;
	for (uint32_t i = 0; i < nodes; i++) {
		const struct fresh *fresh = &c->fresh[before + i];
		const uint32_t first = i * PMFS_NODE_ENTRIES, left = *count - first;
		struct pmfs_node *node = &fresh->data->node;
		node->magic = PMFS_NODE_MAGIC;
		node->owner = inode->number;
		node->level = (uint16_t)level;
		node->entries = (uint16_t)(left < PMFS_NODE_ENTRIES ? left : PMFS_NODE_ENTRIES);
		memcpy(node->entry, &entry[first], node->entries * sizeof(*entry));
		entry[i] = (struct pmfs_extent) { .logical = node->entry[0].logical, .physical = fresh->block };
	}
	*count = nodes;
	return OK;
}

static err_t tree_build(struct change *c, struct inode *inode, struct pmfs_extent *entry, uint32_t count)
{
	struct pmfs_inode *next = change_inode(c, inode);
	uint32_t level = 0;

	while (count > PMFS_EXTENTS_INLINE) {
		if (level == TREE_LEVELS_MAX)
			return ERR_TOO_BIG;
		err_t err = level_build(c, inode, entry, &count, level++);
		if (err != OK)
			return err == ERR_NO_MEMORY ? ERR_NO_SPACE : err; /* or free space is in too many pieces */
	}
	memset(next->root, 0, sizeof(next->root));
	if (count != 0)
		memcpy(next->root, entry, count * sizeof(*entry));
	next->levels = (uint8_t)level;
	next->entries = (uint16_t)count;
	return OK;
}

static err_t tree_shift(struct change *c, struct inode *inode, struct shift *s)
{
	struct tree_visitor visitor = { .visit = shift_visit, .context = s };

	*s->gone = (struct tree_gone) { .count = 0 };
	err_t err = tree_walk(c->fs, inode->number, &inode->now, &visitor);
	if (err == OK)
		err = tree_build(c, inode, s->extent, s->count);
	for (uint32_t i = 0; i < s->gone->count && err == OK; i++)
		change_inode(c, inode)->blocks -= s->gone->run[i].count;
	free(s->extent);
	return err;
}

err_t tree_move_up(struct change *c, struct inode *inode, uint32_t from, uint32_t count, struct tree_gone *gone)
{
	return tree_shift(c, inode, &(struct shift) { .from = from, .blocks = count, .gone = gone });
}

err_t tree_move_down(struct change *c, struct inode *inode, uint32_t from, uint32_t count, struct tree_gone *gone)
{
	return tree_shift(c, inode, &(struct shift) { .from = from, .blocks = count, .down = true, .gone = gone });
}
