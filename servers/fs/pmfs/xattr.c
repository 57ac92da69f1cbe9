/* SPDX-License-Identifier: BSD-2-Clause */
/* xattr.c - extended attributes; see xattr.h. */
#include "xattr.h"
#include "access.h"
#include "crc32c.h"
#include "extent_tree.h"

#include <stdlib.h>
#include <string.h>

#define HEAD sizeof(struct pmfs_attributes)
#define GROUP_BYTES_MAX (HEAD + sizeof(struct pmfs_attribute) + 256 + PMFS_ATTRIBUTE_VALUE_MAX)
#define GROUP_BLOCKS_MAX ((uint32_t)((GROUP_BYTES_MAX + PMFS_BLOCK - 1) / PMFS_BLOCK))

struct group {
	uint32_t logical; /* where it lies in the attribute inode */
	uint32_t blocks;  /* 0: nowhere yet */
	struct pmfs_attributes *head; /* GROUP_BLOCKS_MAX blocks */
};

/* An attribute in a group in DRAM. */
struct found {
	struct pmfs_attribute *at;
	uint32_t bytes; /* with its padding */
	const char *name;
	uint8_t *value;
};

static uint32_t record_bytes(size_t name_bytes, size_t value_bytes)
{
	return (uint32_t)((sizeof(struct pmfs_attribute) + name_bytes + value_bytes + 7) & ~(size_t)7);
}

static uint32_t blocks_of(uint32_t bytes)
{
	return (bytes + PMFS_BLOCK - 1) / PMFS_BLOCK;
}

/* --- groups in DRAM --- */

static err_t group_new(struct group *g)
{
	*g = (struct group) { .head = malloc((size_t)GROUP_BLOCKS_MAX * PMFS_BLOCK) };
	return g->head != NULL ? OK : ERR_NO_MEMORY;
}

static void group_clear(struct group *g, uint64_t owner)
{
	g->blocks = 0;
	*g->head = (struct pmfs_attributes) { .magic = PMFS_ATTRIBUTES_MAGIC, .owner = owner, .bytes = HEAD };
}

/* The attribute at `*offset` of a group; *offset moves behind it. False: it does not fit into the group. */
static bool group_next(const struct group *g, uint32_t *offset, struct found *out)
{
	uint8_t *base = (uint8_t *)g->head;

	if (g->head->bytes - *offset < sizeof(struct pmfs_attribute))
		return false;
	out->at = (struct pmfs_attribute *)(void *)(base + *offset);
	if (out->at->name_bytes == 0 || out->at->value_bytes > PMFS_ATTRIBUTE_VALUE_MAX)
		return false;
	out->bytes = record_bytes(out->at->name_bytes, out->at->value_bytes);
	if (out->bytes > g->head->bytes - *offset)
		return false;
	out->name = (const char *)(out->at + 1);
	out->value = (uint8_t *)(out->at + 1) + out->at->name_bytes;
	*offset += out->bytes;
	return true;
}

/* Whether all that the group says of itself holds. */
static bool group_good(const struct group *g, uint64_t owner)
{
	const struct pmfs_attributes *head = g->head;
	uint32_t offset = HEAD;
	struct found f;

	if (head->owner != owner || head->entries == 0 || crc32c(0, &head->owner, head->bytes - 8) != head->crc)
		return false;
	for (uint32_t i = 0; i < head->entries; i++)
		if (!group_next(g, &offset, &f) || memchr(f.name, 0, f.at->name_bytes) != NULL)
			return false;
	return offset == head->bytes;
}

static bool group_find(const struct group *g, const char *name, size_t name_bytes, struct found *out)
{
	uint32_t offset = HEAD;

	while (offset < g->head->bytes && group_next(g, &offset, out))
		if (out->at->name_bytes == name_bytes && memcmp(out->name, name, name_bytes) == 0)
			return true;
	return false;
}

static void group_cut(struct group *g, const struct found *f)
{
	uint8_t *at = (uint8_t *)f->at, *end = (uint8_t *)g->head + g->head->bytes;

	memmove(at, at + f->bytes, (size_t)(end - at) - f->bytes);
	g->head->bytes -= f->bytes;
	g->head->entries--;
}

/* There is room: in a block, or the group is empty. */
static void group_add(struct group *g, const char *name, size_t name_bytes, const void *value, size_t bytes)
{
	struct pmfs_attribute *at = (struct pmfs_attribute *)(void *)((uint8_t *)g->head + g->head->bytes);
	const uint32_t record = record_bytes(name_bytes, bytes);

	memset((uint8_t *)at + record - 8, 0, 8); /* the padding; a record has at least 16 bytes */
	*at = (struct pmfs_attribute) { .value_bytes = (uint32_t)bytes, .name_bytes = (uint8_t)name_bytes };
	memcpy(at + 1, name, name_bytes);
	if (bytes != 0)
		memcpy((uint8_t *)(at + 1) + name_bytes, value, bytes);
	g->head->bytes += record;
	g->head->entries++;
}

/* --- groups on media --- */

/* The first group at or behind block *logical, into DRAM; *logical moves behind it. ERR_NOT_FOUND: there is none. */
static err_t group_read(const struct pmfs *fs, uint64_t number, const struct pmfs_inode *inode, uint32_t *logical,
		struct group *g)
{
	uint32_t have = 0;
	struct tree_hit hit;

	g->blocks = 1;
	while (have < g->blocks) {
		err_t err = tree_lookup(fs, NULL, number, inode, *logical + have, &hit);
		if (err != OK)
			return err;
		if (!hit.has_at || *logical + have - hit.at.logical >= hit.at.count) {
			if (have != 0 || !hit.has_next)
				return have == 0 ? ERR_NOT_FOUND : ERR_CORRUPT;
			*logical = hit.next;
			continue;
		}
		const uint64_t block = hit.at.physical + (*logical + have - hit.at.logical);
		memcpy((uint8_t *)g->head + (size_t)have * PMFS_BLOCK, block_at(fs, block), PMFS_BLOCK);
		if (have++ != 0)
			continue;
		if (g->head->magic != PMFS_ATTRIBUTES_MAGIC || g->head->bytes <= HEAD || g->head->bytes > GROUP_BYTES_MAX)
			return ERR_CORRUPT;
		g->blocks = blocks_of(g->head->bytes);
	}
	if (!group_good(g, number))
		return ERR_CORRUPT;
	g->logical = *logical;
	*logical += g->blocks;
	return OK;
}

/* X1: the group's blocks are free after the change. */
static err_t group_unmap(struct change *c, struct inode *inode, const struct group *g)
{
	struct tree_hit hit;
	err_t err = OK;

	for (uint32_t at = g->logical, end = g->logical + g->blocks; err == OK && at < end;) {
		err = tree_lookup(c->fs, c, inode->number, change_inode(c, inode), at, &hit);
		if (err != OK)
			return err;
		const struct pmfs_extent e = hit.at;
		const uint32_t before = at - e.logical, left = e.count - before, cut = left < end - at ? left : end - at;
		err = change_free(c, inode, e.physical + before, cut);
		if (err == OK && before != 0)
			err = tree_update(c, inode, e.logical, &(struct pmfs_extent) { e.logical, before, e.physical });
		else if (err == OK)
			err = tree_remove(c, inode, e.logical);
		if (err == OK && left != cut)
			err = tree_insert(c, inode, &(struct pmfs_extent) { at + cut, left - cut, e.physical + before + cut });
		at += cut;
	}
	return err;
}

static err_t group_map(struct change *c, struct inode *inode, struct group *g, uint32_t logical)
{
	const uint8_t *from = (const uint8_t *)g->head;
	uint32_t left = blocks_of(g->head->bytes), bytes = g->head->bytes;

	g->head->crc = crc32c(0, &g->head->owner, g->head->bytes - 8);
	while (left != 0) {
		uint64_t start;
		uint32_t count;
		err_t err = change_alloc(c, inode, 0, left, &start, &count);
		if (err == OK)
			err = tree_map(c, inode, logical, start, count);
		if (err != OK)
			return err;
		const uint32_t part = bytes < count * PMFS_BLOCK ? bytes : count * PMFS_BLOCK;
		pm_store_nt(&c->fs->pm, block_at(c->fs, start), from, part);
		c->wrote = true;
		from += part;
		bytes -= part;
		logical += count;
		left -= count;
	}
	return OK;
}

/* --- looking --- */

static err_t name_check(const char *name, size_t *bytes)
{
	*bytes = strlen(name);
	return *bytes == 0 ? ERR_ARGS : *bytes > FS_NAME_BYTES_MAX ? ERR_NAME_TOO_LONG : OK;
}

/* What a search has seen: the group with the name, one with room for a record, and where a new one can lie. */
struct search {
	struct group holder; /* blocks 0: the name is not there */
	struct found found;
	struct group roomy;  /* a block, not the holder; blocks 0: there is none */
	struct group spare;  /* being read */
	uint32_t gap;        /* the first of `gap_blocks` free blocks, or behind everything */
};

static void search_end(struct search *s)
{
	free(s->holder.head);
	free(s->roomy.head);
	free(s->spare.head);
}

static err_t search_begin(struct search *s)
{
	memset(s, 0, sizeof(*s));
	if (group_new(&s->holder) == OK && group_new(&s->roomy) == OK && group_new(&s->spare) == OK)
		return OK;
	search_end(s);
	return ERR_NO_MEMORY;
}

static void group_swap(struct group *a, struct group *b)
{
	const struct group c = *a;

	*a = *b;
	*b = c;
}

/* Through all groups. `record` bytes want room; 0: only the name is looked for. */
static err_t search_run(struct search *s, struct pmfs *fs, const struct inode *attributes, const char *name,
		size_t name_bytes, uint32_t record)
{
	const uint32_t gap_blocks = blocks_of(HEAD + record);
	uint32_t logical = 0, end = 0;
	bool gap_found = false;
	err_t err;

	while ((err = group_read(fs, attributes->number, &attributes->now, &logical, &s->spare)) == OK) {
		if (!gap_found && s->spare.logical - end >= gap_blocks) {
			gap_found = true;
			s->gap = end;
		}
		end = logical;
		if (s->holder.blocks == 0 && group_find(&s->spare, name, name_bytes, &s->found)) {
			group_swap(&s->holder, &s->spare); /* found points into it */
			if (record == 0)
				return OK;
		} else if (s->roomy.blocks == 0 && s->spare.blocks == 1 && record <= PMFS_BLOCK - s->spare.head->bytes) {
			group_swap(&s->roomy, &s->spare);
		}
	}
	if (!gap_found)
		s->gap = end;
	return err == ERR_NOT_FOUND ? OK : err;
}

/* --- changing --- */

/* The new attribute goes to the holder's group, another one's, or a group of its own; the old one goes away. */
static err_t place_set(struct change *c, struct inode *attributes, struct search *s, const char *name,
		const void *value, size_t bytes)
{
	const size_t name_bytes = strlen(name);
	const uint32_t record = record_bytes(name_bytes, bytes);
	const bool replaces = s->holder.blocks != 0;
	struct group *target = s->roomy.blocks != 0 ? &s->roomy : &s->spare;
	err_t err = OK;

	if (replaces) {
		err = group_unmap(c, attributes, &s->holder);
		group_cut(&s->holder, &s->found);
		if (s->holder.head->entries == 0 || record <= PMFS_BLOCK - s->holder.head->bytes)
			target = &s->holder;
	}
	if (err == OK && target == &s->roomy)
		err = group_unmap(c, attributes, &s->roomy);
	if (target == &s->spare)
		group_clear(&s->spare, attributes->number);
	if (err == OK && replaces && target != &s->holder)
		err = group_map(c, attributes, &s->holder, s->holder.logical); /* what is left fits where it was */
	if (err != OK)
		return err;
	group_add(target, name, name_bytes, value, bytes);
	const bool fits = target != &s->spare && blocks_of(target->head->bytes) <= target->blocks;
	return group_map(c, attributes, target, fits ? target->logical : s->gap);
}

/* The owner's version of the change, and what it has new. */
static struct pmfs_inode *owner_touch(struct change *c, struct inode *owner)
{
	struct pmfs_inode *next = change_inode(c, owner);

	next->ctime = pmfs_now_ns(c->fs);
	return next;
}

static err_t commit_or_abort(struct change *c, err_t err)
{
	if (err == OK)
		change_commit(c);
	else
		change_abort(c);
	return err;
}

/* The first attribute: the attribute inode is made with it. */
static err_t set_first(struct inode *owner, struct search *s, const char *name, const void *value, size_t bytes)
{
	struct pmfs *fs = owner->fs;
	struct inode *attributes;
	struct change c;
	err_t err = inode_take_free(fs, &attributes);

	if (err != OK)
		return err;
	change_begin(&c, fs, false);
	owner_touch(&c, owner)->attributes = (uint32_t)attributes->number;
	struct pmfs_inode *next = change_inode(&c, attributes);
	*next = (struct pmfs_inode) { .version = next->version, .type = PMFS_ATTRIBUTES, .links = 1,
		.parent = (uint32_t)owner->number };
	err = commit_or_abort(&c, place_set(&c, attributes, s, name, value, bytes));
	inode_put(attributes);
	return err;
}

static err_t set_more(struct inode *owner, struct search *s, const char *name, const void *value, size_t bytes,
		uint32_t flags)
{
	struct pmfs *fs = owner->fs;
	struct inode *attributes;
	struct change c;
	err_t err = inode_get_attributes(fs, owner->now.attributes, owner->number, &attributes);

	if (err != OK)
		return err;
	err = search_run(s, fs, attributes, name, strlen(name), record_bytes(strlen(name), bytes));
	if (err == OK && s->holder.blocks != 0 && flags & FS_ATTRIBUTE_CREATE)
		err = ERR_EXISTS;
	if (err == OK && s->holder.blocks == 0 && flags & FS_ATTRIBUTE_REPLACE)
		err = ERR_NO_ATTRIBUTE;
	if (err == OK) {
		change_begin(&c, fs, false);
		owner_touch(&c, owner);
		err = commit_or_abort(&c, place_set(&c, attributes, s, name, value, bytes));
	}
	inode_put(attributes);
	return err;
}

err_t pmfs_xattr_set(struct pmfs *fs, struct inode *inode, const char *name, const void *value, size_t bytes,
		uint32_t flags)
{
	struct search s;
	size_t name_bytes;
	err_t err = name_check(name, &name_bytes);

	(void)fs;
	if (err == OK && bytes > PMFS_ATTRIBUTE_VALUE_MAX)
		err = ERR_TOO_BIG;
	if (err == OK)
		err = search_begin(&s);
	if (err != OK)
		return err;
	inode_lock_write(inode);
	err = access_check(inode, ACCESS_WRITE);
	if (err == OK && inode->now.attributes != 0)
		err = set_more(inode, &s, name, value, bytes, flags);
	else if (err == OK)
		err = flags & FS_ATTRIBUTE_REPLACE ? ERR_NO_ATTRIBUTE : set_first(inode, &s, name, value, bytes);
	if (err == OK)
		inode_changed(inode, FS_EVENT_ATTRIBUTES, NULL, 0);
	inode_unlock(inode);
	search_end(&s);
	return err;
}

/* Found. The last one: the attribute inode goes with it (X3). */
static err_t remove_found(struct inode *owner, struct inode *attributes, struct search *s)
{
	const struct pmfs_inode last = attributes->now;
	struct change c;

	change_begin(&c, owner->fs, true);
	struct pmfs_inode *next = owner_touch(&c, owner);
	group_cut(&s->holder, &s->found);
	uint64_t others = last.blocks;
	err_t err = group_unmap(&c, attributes, &s->holder);
	if (err == OK && s->holder.head->entries != 0)
		err = group_map(&c, attributes, &s->holder, s->holder.logical);
	if (err == OK)
		others = change_inode(&c, attributes)->blocks;
	if (err == OK && others == 0) {
		next->attributes = 0;
		inode_free_in(&c, attributes);
	}
	return commit_or_abort(&c, err);
}

err_t pmfs_xattr_remove(struct pmfs *fs, struct inode *inode, const char *name)
{
	struct inode *attributes;
	struct search s;
	size_t name_bytes;
	err_t err = name_check(name, &name_bytes);

	if (err == OK)
		err = search_begin(&s);
	if (err != OK)
		return err;
	inode_lock_write(inode);
	err = access_check(inode, ACCESS_WRITE);
	if (err == OK && inode->now.attributes == 0)
		err = ERR_NO_ATTRIBUTE;
	if (err == OK)
		err = inode_get_attributes(fs, inode->now.attributes, inode->number, &attributes);
	if (err == OK) {
		err = search_run(&s, fs, attributes, name, name_bytes, 0);
		if (err == OK)
			err = s.holder.blocks == 0 ? ERR_NO_ATTRIBUTE : remove_found(inode, attributes, &s);
		inode_put(attributes);
	}
	if (err == OK)
		inode_changed(inode, FS_EVENT_ATTRIBUTES, NULL, 0);
	inode_unlock(inode);
	search_end(&s);
	return err;
}

/* --- reading --- */

err_t xattr_walk(const struct pmfs *fs, uint64_t number, const struct pmfs_inode *inode, xattr_visitor visit,
		void *context)
{
	uint32_t logical = 0;
	struct group g;
	err_t err = group_new(&g);

	if (err != OK)
		return err;
	while ((err = group_read(fs, number, inode, &logical, &g)) == OK) {
		uint32_t offset = HEAD;
		struct found f;
		while (visit != NULL && offset < g.head->bytes && group_next(&g, &offset, &f))
			visit(context, f.name, f.at->name_bytes, f.value, f.at->value_bytes);
	}
	free(g.head);
	return err == ERR_NOT_FOUND ? OK : err;
}

struct reader {
	const char *wanted; /* NULL: names are */
	uint8_t *to;
	size_t room;
	uint64_t bytes;
	bool found;
};

static void read_value(void *context, const char *name, uint32_t name_bytes, const uint8_t *value, uint32_t value_bytes)
{
	struct reader *r = context;

	if (strlen(r->wanted) != name_bytes || memcmp(r->wanted, name, name_bytes) != 0)
		return;
	r->found = true;
	r->bytes = value_bytes;
	if (value_bytes != 0 && value_bytes <= r->room)
		memcpy(r->to, value, value_bytes);
}

static void read_name(void *context, const char *name, uint32_t name_bytes, const uint8_t *value, uint32_t value_bytes)
{
	struct reader *r = context;

	(void)value;
	(void)value_bytes;
	if (r->bytes + name_bytes < r->room) {
		memcpy(r->to + r->bytes, name, name_bytes);
		r->to[r->bytes + name_bytes] = 0;
	}
	r->bytes += name_bytes + 1;
}

static err_t read_with(struct pmfs *fs, struct inode *inode, xattr_visitor visit, struct reader *r)
{
	struct inode *attributes;
	err_t err = OK;

	inode_lock_read(inode);
	if (inode->now.attributes != 0)
		err = inode_get_attributes(fs, inode->now.attributes, inode->number, &attributes);
	if (err == OK && inode->now.attributes != 0) {
		err = xattr_walk(fs, attributes->number, &attributes->now, visit, r);
		inode_put(attributes);
	}
	inode_unlock(inode);
	return err;
}

err_t pmfs_xattr_get(struct pmfs *fs, struct inode *inode, const char *name, void *value, size_t room, uint64_t *bytes)
{
	struct reader r = { .wanted = name, .to = value, .room = room };
	size_t name_bytes;
	err_t err = name_check(name, &name_bytes);

	if (err == OK)
		err = access_check_unlocked(inode, ACCESS_READ);
	if (err == OK)
		err = read_with(fs, inode, read_value, &r);
	if (err != OK || !r.found)
		return err != OK ? err : ERR_NO_ATTRIBUTE;
	*bytes = r.bytes;
	return OK;
}

err_t pmfs_xattr_list(struct pmfs *fs, struct inode *inode, char *names, size_t room, uint64_t *bytes)
{
	struct reader r = { .to = (uint8_t *)names, .room = room };
	err_t err = read_with(fs, inode, read_name, &r);

	if (err == OK)
		*bytes = r.bytes;
	return err;
}

/* --- with the owner --- */

void xattr_end(struct pmfs *fs, uint64_t owner, uint32_t number)
{
	struct inode *attributes;
	err_t err = inode_get_attributes(fs, number, owner, &attributes);

	if (err == OK) {
		inode_destroy(attributes);
		inode_put(attributes);
	} else {
		pmfs_log(fs, "the attributes of inode %llu cannot be freed: error %d", (unsigned long long)owner, (int)err);
	}
}

bool xattr_is_lost(struct pmfs *fs, uint64_t number, const struct pmfs_inode *inode)
{
	const struct pmfs_inode_slot *slot = inode_slot(fs, inode->parent);
	uint8_t copy;

	if (slot == NULL || inode_slot_pick(inode->parent, slot, true, &copy) != OK)
		return true;
	return slot->copy[copy].type == PMFS_FREE || slot->copy[copy].attributes != number;
}
