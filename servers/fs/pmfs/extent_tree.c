/* SPDX-License-Identifier: BSD-2-Clause */
/* extent_tree.c - look-up and change of the tree under an inode; see extent_tree.h. */
#include "extent_tree.h"
#include "crc32c.h"

#include <stdlib.h>
#include <string.h>

/* The entries of one node in a change (DRAM), or of the inode's root. */
struct entries {
	struct pmfs_extent *entry;
	uint16_t *count;
	uint32_t capacity;
};

/* How many entries have a key <= `key`. */
static uint32_t entries_upto(const struct pmfs_extent *entry, uint32_t count, uint32_t key)
{
	uint32_t low = 0, high = count;

	while (low < high) {
		const uint32_t middle = (low + high) / 2;
		if (entry[middle].logical <= key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The node of that block, from the change or from media; NULL if it cannot be one. */
static const struct pmfs_node *node_get(const struct pmfs *fs, struct change *c, uint64_t block, uint64_t owner,
		uint32_t level)
{
	const struct fresh *fresh = c != NULL ? change_find_fresh(c, block) : NULL;

	if (fresh != NULL)
		return &fresh->data->node;
	if (!block_range_good(fs, block, 1))
		return NULL;
	const struct pmfs_node *node = block_at(fs, block);
	if (node->magic != PMFS_NODE_MAGIC || node->owner != owner || node->level != level || node->entries == 0 ||
			node->entries > PMFS_NODE_ENTRIES)
		return NULL;
	return node;
}

err_t tree_lookup(const struct pmfs *fs, struct change *c, uint64_t owner, const struct pmfs_inode *root,
		uint32_t key, struct tree_hit *hit)
{
	const struct pmfs_extent *entry = root->root;
	uint32_t count = root->entries, level = root->levels;

	hit->has_at = hit->has_next = false;
	if (likely(level == 0 && count <= 1)) { /* most files, and small directories */
		if (count == 0)
			return OK;
		hit->has_at = entry->logical <= key;
		hit->has_next = !hit->has_at;
		hit->at = *entry;
		hit->next = entry->logical;
		return block_range_good(fs, extent_block(entry), entry->count) ? OK : ERR_CORRUPT;
	}
	if (count > PMFS_EXTENTS_INLINE || level > TREE_LEVELS_MAX)
		return ERR_CORRUPT;
	for (;;) {
		const uint32_t upto = entries_upto(entry, count, key);
		if (upto < count) {
			hit->has_next = true;
			hit->next = entry[upto].logical;
		}
		if (level == 0) {
			if (upto != 0) {
				hit->has_at = true;
				hit->at = entry[upto - 1];
				if (!block_range_good(fs, extent_block(&hit->at), hit->at.count))
					return ERR_CORRUPT;
			}
			return OK;
		}
		if (upto == 0)
			return OK; /* keys below are no smaller than the first separator */
		const struct pmfs_node *node = node_get(fs, c, entry[upto - 1].physical, owner, --level);
		if (node == NULL)
			return ERR_CORRUPT;
		entry = node->entry;
		count = node->entries;
	}
}

static struct entries root_entries(struct pmfs_inode *next)
{
	return (struct entries) { next->root, &next->entries, PMFS_EXTENTS_INLINE };
}

static struct entries node_entries(struct pmfs_node *node)
{
	return (struct entries) { node->entry, &node->entries, PMFS_NODE_ENTRIES };
}

static err_t node_new(struct change *c, struct inode *inode, uint32_t level, struct pmfs_node **out, uint64_t *block)
{
	struct fresh *fresh;
	err_t err = change_fresh(c, inode, &fresh);

	if (err != OK)
		return err;
	struct pmfs_node *node = &fresh->data->node;
	node->magic = PMFS_NODE_MAGIC;
	node->owner = inode->number;
	node->level = (uint16_t)level;
	*block = fresh->block;
	*out = node;
	return OK;
}

/* Make the node that the entry points to one that this change may write. */
static err_t node_cow(struct change *c, struct inode *inode, struct pmfs_extent *entry, uint32_t level,
		struct pmfs_node **out)
{
	struct fresh *fresh = change_find_fresh(c, entry->physical);
	uint64_t block;

	if (fresh != NULL) {
		*out = &fresh->data->node;
		return OK;
	}
	const struct pmfs_node *old = node_get(c->fs, c, entry->physical, inode->number, level);
	if (old == NULL)
		return ERR_CORRUPT;
	err_t err = node_new(c, inode, level, out, &block);
	if (err != OK)
		return err;
	memcpy(*out, old, sizeof(**out));
	err = change_free(c, inode, entry->physical, 1);
	if (err == OK)
		entry->physical = block;
	return err;
}

static void entries_open(struct entries *s, uint32_t at, const struct pmfs_extent *entry)
{
	memmove(s->entry + at + 1, s->entry + at, (*s->count - at) * sizeof(*entry));
	s->entry[at] = *entry;
	++*s->count;
}

/* Put an entry at `at`; a full node gives its upper part (at the very end: just the new entry) to
 * a new one, *right. */
static err_t entries_put(struct change *c, struct inode *inode, struct entries *s, uint32_t level, uint32_t at,
		const struct pmfs_extent *entry, struct pmfs_extent *right, bool *split)
{
	struct pmfs_node *node;
	uint64_t block;

	*split = false;
	if (*s->count < s->capacity) {
		entries_open(s, at, entry);
		return OK;
	}
	err_t err = node_new(c, inode, level, &node, &block);
	if (err != OK)
		return err;
	const uint32_t keep = at == s->capacity ? s->capacity : s->capacity / 2;
	struct entries upper = node_entries(node);
	*upper.count = (uint16_t)(s->capacity - keep);
	memcpy(upper.entry, s->entry + keep, *upper.count * sizeof(*entry));
	*s->count = (uint16_t)keep;
	if (at <= keep && keep != s->capacity)
		entries_open(s, at, entry);
	else
		entries_open(&upper, at - keep, entry);
	*right = (struct pmfs_extent) { .logical = upper.entry[0].logical, .physical = block };
	*split = true;
	return OK;
}

static err_t insert_below(struct change *c, struct inode *inode, struct entries *s, uint32_t level,
		const struct pmfs_extent *entry, struct pmfs_extent *right, bool *split)
{
	uint32_t upto = entries_upto(s->entry, *s->count, entry->logical);
	struct pmfs_extent child_right;
	struct pmfs_node *node;
	bool child_split;

	if (level == 0)
		return entries_put(c, inode, s, level, upto, entry, right, split);
	if (upto == 0) {
		s->entry[0].logical = entry->logical;
		upto = 1;
	}
	err_t err = node_cow(c, inode, &s->entry[upto - 1], level - 1, &node);
	if (err != OK)
		return err;
	struct entries below = node_entries(node);
	err = insert_below(c, inode, &below, level - 1, entry, &child_right, &child_split);
	*split = false;
	if (err != OK || !child_split)
		return err;
	return entries_put(c, inode, s, level, upto, &child_right, right, split);
}

err_t tree_insert(struct change *c, struct inode *inode, const struct pmfs_extent *entry)
{
	struct pmfs_inode *next = change_inode(c, inode);
	struct pmfs_extent right;
	struct pmfs_node *node;
	uint64_t block;
	bool split;

	if (next->entries == PMFS_EXTENTS_INLINE) { /* one level more, so that the root has room */
		if (next->levels == TREE_LEVELS_MAX)
			return ERR_TOO_BIG;
		err_t err = node_new(c, inode, next->levels, &node, &block);
		if (err != OK)
			return err;
		memcpy(node->entry, next->root, sizeof(next->root));
		node->entries = PMFS_EXTENTS_INLINE;
		memset(next->root, 0, sizeof(next->root));
		next->root[0] = (struct pmfs_extent) { .logical = node->entry[0].logical, .physical = block };
		next->entries = 1;
		next->levels++;
	}
	struct entries s = root_entries(next);
	return insert_below(c, inode, &s, next->levels, entry, &right, &split);
}

err_t tree_update(struct change *c, struct inode *inode, uint32_t key, const struct pmfs_extent *entry)
{
	struct pmfs_inode *next = change_inode(c, inode);
	struct entries s = root_entries(next);

	for (uint32_t level = next->levels;; level--) {
		const uint32_t upto = entries_upto(s.entry, *s.count, key);
		if (upto == 0)
			return ERR_CORRUPT;
		struct pmfs_extent *at = &s.entry[upto - 1];
		if (level == 0) {
			if (at->logical != key)
				return ERR_CORRUPT;
			*at = *entry;
			return OK;
		}
		if (at->logical > entry->logical)
			at->logical = entry->logical;
		struct pmfs_node *node;
		err_t err = node_cow(c, inode, at, level - 1, &node);
		if (err != OK)
			return err;
		s = node_entries(node);
	}
}

static void entries_close(struct entries *s, uint32_t at)
{
	--*s->count;
	memmove(s->entry + at, s->entry + at + 1, (*s->count - at) * sizeof(*s->entry));
	memset(s->entry + *s->count, 0, sizeof(*s->entry));
}

static err_t remove_below(struct change *c, struct inode *inode, struct entries *s, uint32_t level, uint32_t key)
{
	const uint32_t upto = entries_upto(s->entry, *s->count, key);
	struct pmfs_node *node;

	if (upto == 0)
		return ERR_CORRUPT;
	if (level == 0) {
		if (s->entry[upto - 1].logical != key)
			return ERR_CORRUPT;
		entries_close(s, upto - 1);
		return OK;
	}
	err_t err = node_cow(c, inode, &s->entry[upto - 1], level - 1, &node);
	if (err != OK)
		return err;
	struct entries below = node_entries(node);
	err = remove_below(c, inode, &below, level - 1, key);
	if (err != OK)
		return err;
	if (node->entries != 0) { /* keys below the first one belong to the neighbour on the left from now on */
		s->entry[upto - 1].logical = node->entry[0].logical;
		return OK;
	}
	err = change_drop_block(c, inode, s->entry[upto - 1].physical);
	entries_close(s, upto - 1);
	return err;
}

err_t tree_remove(struct change *c, struct inode *inode, uint32_t key)
{
	struct pmfs_inode *next = change_inode(c, inode);
	struct entries s = root_entries(next);
	err_t err = remove_below(c, inode, &s, next->levels, key);

	if (next->entries == 0)
		next->levels = 0;
	while (err == OK && next->levels != 0 && next->entries == 1) {
		const uint64_t block = next->root[0].physical;
		const struct pmfs_node *node = node_get(c->fs, c, block, inode->number, next->levels - 1u);
		if (node == NULL)
			return ERR_CORRUPT;
		if (node->entries > PMFS_EXTENTS_INLINE)
			break;
		next->entries = node->entries;
		memcpy(next->root, node->entry, node->entries * sizeof(next->root[0]));
		next->levels--;
		err = change_drop_block(c, inode, block);
	}
	return err;
}

err_t tree_map(struct change *c, struct inode *inode, uint32_t logical, uint64_t physical, uint32_t count)
{
	struct tree_hit hit;
	err_t err = tree_lookup(c->fs, c, inode->number, change_inode(c, inode), logical, &hit);

	if (err != OK)
		return err;
	if (hit.has_at && (uint64_t)hit.at.logical + hit.at.count == logical &&
			hit.at.physical + hit.at.count == physical && hit.at.count <= UINT32_MAX - count) {
		const uint32_t key = hit.at.logical;
		struct pmfs_inode *next = change_inode(c, inode);
		hit.at.count += count;
		if (likely(next->levels == 0 && next->entries == 1)) {
			next->root[0] = hit.at;
			return OK;
		}
		return tree_update(c, inode, key, &hit.at);
	}
	return tree_insert(c, inode, &(struct pmfs_extent) { logical, count, physical });
}

/* [cut, cut_end) of that extent is a hole from now on. */
static err_t extent_cut(struct change *c, struct inode *inode, const struct pmfs_extent *old, uint64_t cut,
		uint64_t cut_end)
{
	const uint64_t end = (uint64_t)old->logical + old->count;
	const struct pmfs_extent head = { old->logical, (uint32_t)(cut - old->logical), old->physical };
	const struct pmfs_extent tail = { (uint32_t)cut_end, (uint32_t)(end - cut_end),
		old->physical + (cut_end - old->logical) };

	if (head.count == 0 && tail.count == 0)
		return tree_remove(c, inode, old->logical);
	err_t err = tree_update(c, inode, old->logical, head.count != 0 ? &head : &tail);
	return err == OK && head.count != 0 && tail.count != 0 ? tree_insert(c, inode, &tail) : err;
}

/* Free the last entry that reaches into [from, to), or its part in there. *done: nothing is left in there. */
static err_t cut_last(struct change *c, struct inode *inode, uint64_t from, uint64_t to, bool *done)
{
	struct tree_hit hit;
	err_t err = tree_lookup(c->fs, c, inode->number, change_inode(c, inode), (uint32_t)(to - 1), &hit);

	if (err != OK)
		return err;
	const struct pmfs_extent old = hit.at;
	const uint64_t end = hit.has_at ? (uint64_t)old.logical + old.count : 0;
	*done = end <= from;
	if (*done)
		return OK;
	const uint64_t cut = old.logical > from ? old.logical : from, cut_end = end < to ? end : to;
	err = change_free(c, inode, old.physical + (cut - old.logical), cut_end - cut);
	return err == OK ? extent_cut(c, inode, &old, cut, cut_end) : err;
}

err_t tree_replace(struct change *c, struct inode *inode, uint32_t logical, uint64_t physical, uint32_t count)
{
	struct tree_hit hit;
	err_t err = tree_lookup(c->fs, c, inode->number, change_inode(c, inode), logical, &hit);

	if (err != OK)
		return err;
	const uint64_t end = (uint64_t)logical + count, old = hit.at.physical + (logical - hit.at.logical);
	if (!hit.has_at || end > (uint64_t)hit.at.logical + hit.at.count)
		return ERR_CORRUPT;
	if ((old & ~PMFS_EXTENT_SHARED) != physical)
		err = change_free(c, inode, old, count);
	if (err == OK)
		err = extent_cut(c, inode, &hit.at, logical, end);
	return err == OK ? tree_map(c, inode, logical, physical, count) : err;
}

err_t tree_cut_some(struct change *c, struct inode *inode, uint64_t from, uint64_t to, bool *done)
{
	err_t err = OK;

	for (*done = false; err == OK && !*done && !change_is_full(c);)
		err = cut_last(c, inode, from, to, done);
	return err;
}

err_t tree_drop_from(struct inode *inode, uint32_t from)
{
	struct change c;
	bool done = false;

	while (!done) {
		change_begin(&c, inode->fs, true);
		err_t err = tree_cut_some(&c, inode, from, TREE_KEYS_END, &done);
		if (err != OK || (c.freed_count == 0 && done)) {
			change_abort(&c);
			return err;
		}
		change_commit(&c);
	}
	return OK;
}

/* A node that is not one is left alone: its blocks are found again at the next full scan. */
static void release_entries(struct pmfs *fs, uint64_t number, const struct pmfs_extent *entry, uint32_t count,
		uint32_t level)
{
	for (uint32_t i = 0; i < count; i++) {
		if (level == 0) {
			if (block_range_good(fs, extent_block(&entry[i]), entry[i].count))
				space_free(&fs->space, entry[i].physical, entry[i].count);
			continue;
		}
		const struct pmfs_node *node = node_get(fs, NULL, entry[i].physical, number, level - 1);
		if (node == NULL)
			continue;
		release_entries(fs, number, node->entry, node->entries, level - 1);
		space_free(&fs->space, entry[i].physical, 1);
	}
}

void tree_release(struct pmfs *fs, uint64_t number, const struct pmfs_inode *last)
{
	if (!(last->flags & PMFS_INODE_INLINE))
		release_entries(fs, number, last->root, last->entries, last->levels);
}

/* --- walking --- */

static err_t walk_refuse(struct tree_visitor *visitor, const char *reason)
{
	visitor->reason = reason;
	return ERR_CORRUPT;
}

struct walk_range {
	uint64_t from;  /* keys below have to be in [from, to) */
	uint64_t to;
};

static err_t walk_entries(const struct pmfs *fs, uint64_t number, const struct pmfs_extent *entry, uint32_t count,
		uint32_t level, struct walk_range range, struct tree_visitor *visitor);

static err_t walk_node(const struct pmfs *fs, uint64_t number, const struct pmfs_extent *entry, uint32_t level,
		struct walk_range range, struct tree_visitor *visitor)
{
	const struct pmfs_node *node = node_get(fs, NULL, entry->physical, number, level);

	if (node == NULL)
		return walk_refuse(visitor, "a tree node is not one");
	if (node->crc != crc32c(0, &node->owner, PMFS_BLOCK - 8))
		return walk_refuse(visitor, "a tree node's checksum is wrong");
	err_t err = visitor->visit(visitor->context, entry, false);
	if (err != OK)
		return err;
	return walk_entries(fs, number, node->entry, node->entries, level, range, visitor);
}

static err_t walk_entries(const struct pmfs *fs, uint64_t number, const struct pmfs_extent *entry, uint32_t count,
		uint32_t level, struct walk_range range, struct tree_visitor *visitor)
{
	for (uint32_t i = 0; i < count; i++) {
		const uint64_t to = i + 1 < count ? entry[i + 1].logical : range.to;
		if (entry[i].logical < range.from || entry[i].logical >= to || to > range.to)
			return walk_refuse(visitor, "a tree's keys are out of order");
		err_t err;
		if (level != 0) {
			err = walk_node(fs, number, &entry[i], level - 1, (struct walk_range) { entry[i].logical, to }, visitor);
		} else {
			if (entry[i].count == 0 || (uint64_t)entry[i].logical + entry[i].count > to)
				return walk_refuse(visitor, "two extents of a file overlap");
			if (!block_range_good(fs, extent_block(&entry[i]), entry[i].count))
				return walk_refuse(visitor, "an extent lies outside the device");
			if (extent_is_shared(&entry[i]) && !visitor->may_share)
				return walk_refuse(visitor, "it shares blocks, and is no file");
			err = visitor->visit(visitor->context, &entry[i], true);
		}
		if (err != OK)
			return err;
	}
	return OK;
}

err_t tree_walk(const struct pmfs *fs, uint64_t number, const struct pmfs_inode *inode, struct tree_visitor *visitor)
{
	visitor->reason = NULL;
	visitor->may_share = inode->type == PMFS_FILE && number != PMFS_INODE_TABLE;
	if (inode->flags & PMFS_INODE_INLINE)
		return OK;
	return walk_entries(fs, number, inode->root, inode->entries, inode->levels,
			(struct walk_range) { 0, (uint64_t)UINT32_MAX + 1 }, visitor);
}

static err_t visit_nothing(void *context, const struct pmfs_extent *what, bool leaf)
{
	(void)context;
	(void)what;
	(void)leaf;
	return OK;
}

err_t tree_check(const struct pmfs *fs, uint64_t number, const struct pmfs_inode *inode)
{
	struct tree_visitor visitor = { .visit = visit_nothing };

	return tree_walk(fs, number, inode, &visitor);
}
