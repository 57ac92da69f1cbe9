/* SPDX-License-Identifier: BSD-2-Clause */
/* change.c - preparing and committing one change; see change.h for its rules. */
#include "change.h"
#include "crc32c.h"

#include <stdlib.h>
#include <string.h>

bool change_is_full(const struct change *c)
{
	return c->allocated_count > CHANGE_RUNS_MAX / 2 || c->freed_count > CHANGE_RUNS_MAX / 2;
}

err_t change_alloc(struct change *c, struct inode *inode, uint64_t goal, uint32_t want, uint64_t *start,
		uint32_t *count)
{
	if (c->allocated_count == CHANGE_RUNS_MAX)
		return ERR_NO_MEMORY;
	err_t err = space_alloc(&c->fs->space, c->cpu, goal, want, c->use_reserve, start, count);
	if (err != OK)
		return err;
	c->allocated[c->allocated_count++] = (struct change_run) { *start, *count };
	change_inode(c, inode)->blocks += *count;
	return OK;
}

err_t change_free(struct change *c, struct inode *inode, uint64_t start, uint64_t count)
{
	if (c->freed_count == CHANGE_RUNS_MAX)
		return ERR_NO_MEMORY;
	c->freed[c->freed_count++] = (struct change_run) { start, count };
	change_inode(c, inode)->blocks -= count;
	return OK;
}

static err_t fresh_add(struct change *c, const struct inode *inode, uint64_t block)
{
	if (c->fresh_count == c->fresh_room) {
		uint32_t room = c->fresh_room * 2 + 4;
		struct fresh *fresh = realloc(c->fresh, room * sizeof(*fresh));
		if (fresh == NULL)
			return ERR_NO_MEMORY;
		c->fresh = fresh;
		c->fresh_room = room;
	}
	void *data = calloc(1, PMFS_BLOCK);
	if (data == NULL)
		return ERR_NO_MEMORY;
	c->fresh[c->fresh_count++] = (struct fresh) { .block = block, .owner = inode->number, .data = data };
	return OK;
}

err_t change_fresh_many(struct change *c, struct inode *inode, uint32_t count)
{
	while (count != 0) {
		uint64_t start;
		uint32_t n;
		err_t err = change_alloc(c, inode, 0, count, &start, &n);
		for (uint32_t i = 0; err == OK && i < n; i++)
			err = fresh_add(c, inode, start + i);
		if (err != OK)
			return err;
		count -= n;
	}
	return OK;
}

err_t change_fresh(struct change *c, struct inode *inode, struct fresh **out)
{
	err_t err = change_fresh_many(c, inode, 1);

	if (err == OK)
		*out = &c->fresh[c->fresh_count - 1];
	return err;
}

struct fresh *change_find_fresh(struct change *c, uint64_t block)
{
	for (uint32_t i = 0; i < c->fresh_count; i++)
		if (c->fresh[i].block == block && !c->fresh[i].dropped)
			return &c->fresh[i];
	return NULL;
}

err_t change_drop_block(struct change *c, struct inode *inode, uint64_t block)
{
	struct fresh *fresh = change_find_fresh(c, block);

	if (fresh != NULL)
		fresh->dropped = true;
	return change_free(c, inode, block, 1);
}

void change_word_forget(struct change *c, const uint64_t *at)
{
	const uint64_t offset = change_offset(c, at);

	for (uint32_t i = 0; i < c->words; i++)
		if (c->word[i].offset == offset)
			c->word[i] = c->word[--c->words];
}

/* Up to the last used slot: what lies behind it means nothing. */
static uint32_t leaf_bytes(const struct pmfs_leaf *leaf)
{
	const uint64_t used = leaf->used & ~PMFS_LEAF_PARITY;
	const uint32_t slots = used != 0 ? 64 - (uint32_t)__builtin_clzll(used) : 0;

	return (1 + slots) * PMFS_SLOT_BYTES;
}

/* Checksums; returns how much of the block there is to store. */
static uint32_t fresh_seal(struct fresh *fresh, uint64_t version)
{
	if (fresh->data->magic == PMFS_NODE_MAGIC) {
		fresh->data->node.version = version;
		fresh->data->node.crc = crc32c(0, &fresh->data->node.owner, PMFS_BLOCK - 8);
		return PMFS_BLOCK;
	}
	struct pmfs_leaf *leaf = &fresh->data->leaf;
	leaf->version = version;
	leaf->crc = crc32c(crc32c(0, &leaf->owner, 16), leaf->reserved, sizeof(leaf->reserved));
	return leaf_bytes(leaf);
}

/* C2: what is new goes to its block. C4: a record can vouch for it. */
static void fresh_write(struct change *c, uint64_t version)
{
	const bool vouch = c->inodes != 1 || c->words != 0 || c->vouched != 0; /* else a fence is cheaper than a crc */

	for (uint32_t i = 0; i < c->fresh_count; i++) {
		if (c->fresh[i].dropped)
			continue;
		void *to = block_at(c->fs, c->fresh[i].block);
		const uint32_t bytes = fresh_seal(&c->fresh[i], version);
		pm_store_nt(&c->fs->pm, to, c->fresh[i].data, bytes);
		if (vouch)
			change_vouch(c, to, c->fresh[i].data, bytes);
		else
			c->wrote = true;
	}
}

static void change_finish(struct change *c)
{
	for (uint32_t i = 0; i < c->fresh_count; i++)
		free(c->fresh[i].data);
	free(c->fresh);
	c->fresh = NULL;
	c->fresh_count = 0;
}

/* C4: the inode table's inode, in its other copy. */
static void table_write(struct change *c)
{
	struct pmem *pm = &c->fs->pm;
	const struct inode *inode = c->inode[0];
	struct pmfs_inode *to = &inode->slot->copy[!inode->copy];

	c->next[0].version = c->version;
	c->next[0].crc = inode_crc(inode->number, &c->next[0]);
	pm_store(pm, to, &c->next[0], sizeof(*to));
	pm_write_back(pm, to, sizeof(*to));
	pm_fence(pm);
	journal_inode_become(c, 0);
	c->inode[0]->copy = !inode->copy;
}

void change_commit(struct change *c)
{
	bool leased = false;

	c->version++; /* C5 */
	if (unlikely(c->fresh_count != 0))
		fresh_write(c, c->version);
	if (unlikely(c->wrote))
		pm_fence(&c->fs->pm);
	if (likely(c->inode[0]->number != PMFS_INODE_TABLE))
		journal_write(c);
	else
		table_write(c);
	for (uint32_t i = 0; i < c->inodes; i++)
		leased |= c->inode[i]->lease != NULL;
	for (uint32_t i = 0; unlikely(leased) && i < c->inodes; i++)
		inode_publish(c->inode[i]);
	for (uint32_t i = 0; i < c->freed_count; i++)
		space_free(&c->fs->space, c->freed[i].start, c->freed[i].count);
	if (unlikely(c->fresh != NULL))
		change_finish(c);
}

void change_abort(struct change *c)
{
	for (uint32_t i = 0; i < c->allocated_count; i++)
		space_free(&c->fs->space, c->allocated[i].start, c->allocated[i].count);
	change_finish(c);
}
