/* SPDX-License-Identifier: BSD-2-Clause */
/* extent_list.c - see extent_list.h. */
#include "extent_list.h"

#include <stdlib.h>
#include <string.h>

err_t extent_list_add(struct extent_list *list, const struct pmfs_extent *what, uint64_t start, uint64_t end,
		uint64_t place)
{
	const uint64_t physical = what->physical + (start - what->logical);
	struct pmfs_extent *last = list->count != 0 ? &list->extent[list->count - 1] : NULL;

	if (start >= end)
		return OK;
	if (place + (end - start) > FILE_BLOCKS_MAX)
		return ERR_TOO_BIG;
	if (last != NULL && last->logical + last->count == place && last->physical + last->count == physical) {
		last->count += (uint32_t)(end - start);
		return OK;
	}
	if (list->count == list->room) {
		const uint32_t room = list->room * 2 + 64;
		struct pmfs_extent *extent = realloc(list->extent, room * sizeof(*extent));
		if (extent == NULL)
			return ERR_NO_MEMORY;
		list->extent = extent;
		list->room = room;
	}
	list->extent[list->count++] = (struct pmfs_extent) { (uint32_t)place, (uint32_t)(end - start), physical };
	return OK;
}

err_t tree_gone_add(struct tree_gone *gone, uint64_t start, uint64_t count)
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

err_t tree_build(struct change *c, struct inode *inode, const struct extent_list *list)
{
	struct pmfs_inode *next = change_inode(c, inode);
	struct pmfs_extent *entry = list->extent;
	uint32_t count = list->count, level = 0;

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

void tree_gone_count(struct change *c, struct inode *inode, const struct tree_gone *gone, uint32_t from)
{
	for (uint32_t i = from; i < gone->count; i++)
		change_inode(c, inode)->blocks -= gone->run[i].count;
}
