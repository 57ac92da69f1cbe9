/* SPDX-License-Identifier: BSD-2-Clause */
/* directory.c - finding, adding and removing names; see directory.h. */
#include "directory.h"
#include "extent_tree.h"
#include "leaf.h"
#include "name_cache.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

/* --- hashes: SipHash-1-3 (Aumasson, Bernstein), keyed per file system, so that nobody can choose
 * names that collide --- */

static uint64_t rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

__attribute__((always_inline)) static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

uint32_t dir_hash(const struct pmfs *fs, const char *name, size_t bytes)
{
	const uint64_t k0 = fs->super.hash_key[0], k1 = fs->super.hash_key[1];
	uint64_t v[4] = { k0 ^ 0x736f6d6570736575ull, k1 ^ 0x646f72616e646f6dull, k0 ^ 0x6c7967656e657261ull,
		k1 ^ 0x7465646279746573ull };
	const size_t whole = bytes & ~(size_t)7;
	uint64_t word;

	for (size_t at = 0; at < whole; at += 8) {
		word = text_word(name + at, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	word = (uint64_t)bytes << 56 | text_word(name + whole, bytes - whole);
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return (uint32_t)((v[0] ^ v[1] ^ v[2] ^ v[3]) >> 32);
}

static uint32_t name_hash(const struct pmfs *fs, struct dir_name *name)
{
	if (!name->hashed) {
		name->hash = dir_hash(fs, name->text, name->bytes);
		name->hashed = true;
	}
	return name->hash;
}

/* --- leaves --- */

static uint64_t used_seal(uint64_t used)
{
	used &= ~PMFS_LEAF_PARITY;
	return __builtin_parityll(used) ? used | PMFS_LEAF_PARITY : used;
}

/* The leaf in that block, from the change or from media; NULL if it is not one. */
static struct pmfs_leaf *leaf_get(const struct pmfs *fs, struct change *c, uint64_t block, uint64_t owner)
{
	struct fresh *fresh = c != NULL && c->fresh_count != 0 ? change_find_fresh(c, block) : NULL;

	if (fresh != NULL)
		return &fresh->data->leaf;
	if (!block_range_good(fs, block, 1))
		return NULL;
	struct pmfs_leaf *leaf = block_at(fs, block);
	if (leaf->magic != PMFS_LEAF_MAGIC || leaf->owner != owner || __builtin_parityll(leaf->used))
		return NULL;
	if (leaf->crc != crc32c(crc32c(0, &leaf->owner, 16), leaf->reserved, sizeof(leaf->reserved)))
		return NULL;
	return leaf;
}

/* ERR_NOT_FOUND: the directory has no leaf yet. */
err_t leaf_find(const struct pmfs *fs, struct change *c, uint64_t number, const struct pmfs_inode *dir,
		uint32_t hash, struct leaf_place *out)
{
	struct tree_hit hit = { .has_next = false };

	if (likely(dir->levels == 0 && dir->entries == 1)) { /* small: its one leaf has all hashes */
		hit.at = dir->root[0];
	} else {
		err_t err = tree_lookup(fs, c, number, dir, hash, &hit);
		if (err != OK)
			return err;
		if (!hit.has_at)
			return dir->entries == 0 ? ERR_NOT_FOUND : ERR_CORRUPT;
	}
	out->leaf = leaf_get(fs, c, hit.at.physical, number);
	out->block = hit.at.physical;
	out->low = hit.at.logical;
	out->high = hit.has_next ? hit.next : (uint64_t)UINT32_MAX + 1;
	return out->leaf != NULL && out->low < out->high ? OK : ERR_CORRUPT;
}

/* The same for a directory that is locked, where it was changed last. */
static bool leaf_is_known(const struct inode *dir, uint32_t hash, struct leaf_place *out)
{
	if (dir->leaf.leaf == NULL || hash < dir->leaf.low || hash >= dir->leaf.high ||
			unlikely(__builtin_parityll(dir->leaf.leaf->used)))
		return false;
	*out = dir->leaf;
	return true;
}

/* The same in a change. The place is kept for the next one, unless this one changes the tree. */
static err_t leaf_find_in(struct change *c, struct inode *dir, const struct pmfs_inode *next, uint32_t hash,
		struct leaf_place *out)
{
	if (likely(leaf_is_known(dir, hash, out)))
		return OK;
	err_t err = leaf_find(c->fs, c, dir->number, next, hash, out);
	if (err == OK && c->fresh_count == 0 && !c->leaf_goes)
		dir->leaf = *out;
	return err;
}

/* false: no entry has that hash. A quick look at all slots that are used, entries or not. */
static inline bool leaf_may_have(const struct pmfs_leaf *leaf, uint64_t used, uint32_t hash)
{
	for (; used != 0; used &= used - 1) {
		const struct pmfs_dirent *entry = (const struct pmfs_dirent *)(const void *)leaf->slot[__builtin_ctzll(used)];
		if (unlikely(entry->hash == hash))
			return true;
	}
	return false;
}

/* The entry of that name (and that inode, if not 0). *slot is its first slot. */
static err_t leaf_search(const struct pmfs_leaf *leaf, uint64_t used, uint64_t owner, const struct dir_name *name,
		uint64_t inode, uint32_t *slot, const struct pmfs_dirent **out)
{
	const struct pmfs_dirent *entry;
	bool bad = false;

	if (!leaf_may_have(leaf, used, name->hash))
		return ERR_NOT_FOUND;
	while ((entry = leaf_next(leaf, &used, &bad)) != NULL) {
		if (likely(entry->hash != name->hash) || entry->name_bytes != name->bytes ||
				!text_equal(entry->name, name->text, name->bytes))
			continue;
		if (entry->crc != dirent_crc(owner, entry))
			return ERR_CORRUPT;
		if (inode != 0 && entry->inode != inode)
			continue;
		*slot = slot_of(leaf, entry);
		*out = entry;
		return OK;
	}
	return bad ? ERR_CORRUPT : ERR_NOT_FOUND;
}

err_t dir_find(const struct inode *dir, struct dir_name *name, struct dir_hit *out)
{
	const struct pmfs_dirent *entry;
	struct leaf_place at;
	uint32_t slot;

	if (likely(name_cache_find(dir, name, out)))
		return out->inode != 0 ? OK : ERR_NOT_FOUND;
	const uint32_t hash = name_hash(dir->fs, name);
	err_t err = leaf_is_known(dir, hash, &at) ? OK : leaf_find(dir->fs, NULL, dir->number, &dir->now, hash, &at);
	if (err != OK)
		return err;
	err = leaf_search(at.leaf, leaf_used(NULL, at.leaf), dir->number, name, 0, &slot, &entry);
	if (err != OK)
		return err;
	*out = (struct dir_hit) { .inode = entry->inode, .type = entry->type, .slot = (uint8_t)slot };
	name->slot = out->slot;
	name->shape = dir->shape;
	name_cache_put(dir, name, out);
	return OK;
}

/* --- adding --- */

/* The first run of free slots; PMFS_LEAF_SLOTS if there is none. */
static uint32_t leaf_room(uint64_t used, uint32_t slots)
{
	uint64_t starts = ~(used | PMFS_LEAF_PARITY); /* of runs that are long enough */

	for (uint32_t more = 1; more < slots; more++)
		starts &= ~(used | PMFS_LEAF_PARITY) >> more;
	return starts != 0 ? (uint32_t)__builtin_ctzll(starts) : PMFS_LEAF_SLOTS;
}

static err_t collision_choose(const struct pmfs_leaf *leaf, uint64_t used, uint32_t hash, uint8_t *out)
{
	const struct pmfs_dirent *entry;
	uint64_t taken = 0;
	bool bad = false;

	*out = 0;
	if (likely(!leaf_may_have(leaf, used, hash)))
		return OK;
	while ((entry = leaf_next(leaf, &used, &bad)) != NULL)
		if (unlikely(entry->hash == hash) && entry->collision < 64)
			taken |= 1ull << entry->collision;
	if (bad)
		return ERR_CORRUPT;
	*out = (uint8_t)__builtin_ctzll(~taken); /* at most 63 entries: one of 64 is free */
	return OK;
}

struct new_entry {
	union {
		struct pmfs_dirent entry;
		uint8_t bytes[PMFS_SLOT_BYTES * 5];
	};
};
_Static_assert(PMFS_DIRENT_BYTES + FS_NAME_BYTES_MAX <= PMFS_SLOT_BYTES * 5, "the longest name takes five slots");

/* Put it into free slots of a leaf. *full: there are not enough in a row. */
static err_t leaf_add(struct change *c, struct inode *dir, const struct leaf_place *place, struct new_entry *new,
		uint8_t *slot, bool *full)
{
	struct pmfs_leaf *leaf = place->leaf;
	const uint32_t slots = new->entry.slots;
	const uint64_t used = leaf_used(c, leaf);
	const uint32_t at = leaf_room(used, slots);

	*full = at == PMFS_LEAF_SLOTS;
	if (*full)
		return OK;
	*slot = (uint8_t)at;
	err_t err = collision_choose(leaf, used, new->entry.hash, &new->entry.collision);
	if (err != OK)
		return err;
	new->entry.crc = dirent_crc(dir->number, &new->entry);
	const uint64_t will = used_seal(used | ((1ull << slots) - 1) << at);
	if (unlikely(c->fresh_count != 0) && change_find_fresh(c, place->block) != NULL) {
		memcpy(leaf->slot[at], new, (size_t)slots * PMFS_SLOT_BYTES);
		leaf->used = will;
		return OK;
	}
	pm_store_lines(&c->fs->pm, leaf->slot[at], new, (size_t)slots * PMFS_SLOT_BYTES);
	if (likely(slots == 1))
		change_vouch(c, leaf->slot[at], new, PMFS_SLOT_BYTES);
	else
		change_vouch(c, leaf->slot[at], new, slots * PMFS_SLOT_BYTES);
	return change_word_put(c, dir, &leaf->used, will);
}

__attribute__((noinline)) static err_t leaf_new(struct change *c, struct inode *dir, struct fresh **out)
{
	err_t err = change_fresh(c, dir, out);

	if (err != OK)
		return err;
	inode_reshape(dir);
	(*out)->data->leaf.magic = PMFS_LEAF_MAGIC;
	(*out)->data->leaf.owner = dir->number;
	change_inode(c, dir)->size += PMFS_BLOCK;
	return OK;
}

#define SORT_BUCKETS 64u

/* How many lie in the buckets before each one, instead of how many lie in each: eight bytes at a time. */
static void buckets_sum(uint8_t bucket[SORT_BUCKETS])
{
	uint64_t before = 0, word;

	for (uint32_t i = 0; i < SORT_BUCKETS; i += sizeof(word)) {
		memcpy(&word, bucket + i, sizeof(word));
		const uint64_t sums = word * 0x0101010101010101ull; /* byte i: bytes 0 to i; all of them are below 64 */
		const uint64_t starts = (sums << 8) + before * 0x0101010101010101ull;
		memcpy(bucket + i, &starts, sizeof(starts));
		before += sums >> 56;
	}
}

/* What buckets are too coarse for. */
static void sorted_finish(struct sorted *s)
{
	for (uint32_t i = 1; i < s->count; i++) {
		const uint64_t key = s->key[i];
		uint32_t at = i;
		for (; at > 0 && unlikely(s->key[at - 1] > key); at--)
			s->key[at] = s->key[at - 1];
		s->key[at] = key;
	}
}

/* The hashes of a leaf lie evenly between its bounds: into buckets, which are then all but sorted. */
err_t leaf_sort(const struct leaf_place *at, uint64_t used, struct sorted *out)
{
	const uint64_t scale = ((uint64_t)SORT_BUCKETS << 32) / (at->high - at->low);
	const struct pmfs_dirent *entry;
	uint8_t bucket[SORT_BUCKETS] = { 0 }, of[PMFS_LEAF_SLOTS];
	uint64_t key[PMFS_LEAF_SLOTS];
	uint32_t count = 0;
	bool bad = false;

	while ((entry = leaf_next(at->leaf, &used, &bad)) != NULL) {
		const uint64_t which = (entry->hash - at->low) * scale >> 32;
		if (unlikely(entry->hash < at->low || which >= SORT_BUCKETS))
			return ERR_CORRUPT; /* D1 */
		bucket[which]++;
		of[count] = (uint8_t)which;
		key[count++] = dirent_cookie(entry) << 6 | slot_of(at->leaf, entry);
	}
	buckets_sum(bucket);
	for (uint32_t i = 0; i < count; i++)
		out->key[bucket[of[i]]++] = key[i];
	out->count = count;
	sorted_finish(out);
	return bad ? ERR_CORRUPT : OK;
}

/* Where to cut: an index near the middle whose hash differs from the one before. 0: all have the
 * same hash. */
static uint32_t split_point(const struct sorted *s)
{
	const uint32_t middle = s->count / 2;

	for (uint32_t distance = 0; distance < s->count; distance++) {
		const uint32_t up = middle + distance, down = middle - distance;
		if (up > 0 && up < s->count && sorted_hash(s, up) != sorted_hash(s, up - 1))
			return up;
		if (distance <= middle && down > 0 && sorted_hash(s, down) != sorted_hash(s, down - 1))
			return down;
	}
	return 0;
}

static void leaf_fill(struct pmfs_leaf *leaf, const struct pmfs_leaf *old, const struct sorted *s, uint32_t from,
		uint32_t to)
{
	uint32_t at = 0;
	uint64_t used = 0;

	for (uint32_t i = from; i < to; i++) {
		const struct pmfs_dirent *entry = sorted_entry(old, s, i);
		const uint32_t slots = entry->slots;
		memcpy(leaf->slot[at], entry, (size_t)slots * PMFS_SLOT_BYTES);
		used |= ((1ull << slots) - 1) << at;
		at += slots;
	}
	leaf->used = used_seal(used);
}

/* Two new leaves instead of a full one. */
__attribute__((noinline)) static err_t leaf_split(struct change *c, struct inode *dir, const struct leaf_place *at)
{
	struct sorted s;
	struct fresh *fresh;
	err_t err = leaf_sort(at, leaf_used(c, at->leaf), &s);

	if (err != OK)
		return err;
	const uint32_t cut = split_point(&s);
	if (cut == 0)
		return ERR_NO_SPACE;
	const uint32_t high_key = sorted_hash(&s, cut);
	err = leaf_new(c, dir, &fresh);
	if (err != OK)
		return err;
	leaf_fill(&fresh->data->leaf, at->leaf, &s, 0, cut);
	const struct pmfs_extent low = { at->low, 1, fresh->block };
	err = leaf_new(c, dir, &fresh);
	if (err != OK)
		return err;
	leaf_fill(&fresh->data->leaf, at->leaf, &s, cut, s.count);
	const struct pmfs_extent high = { high_key, 1, fresh->block };
	change_word_forget(c, &at->leaf->used);
	change_inode(c, dir)->size -= PMFS_BLOCK;
	c->leaf_goes = true;
	err = change_drop_block(c, dir, at->block);
	if (err == OK)
		err = tree_update(c, dir, at->low, &low);
	return err == OK ? tree_insert(c, dir, &high) : err;
}

err_t dir_add(struct change *c, struct inode *dir, struct dir_name *name, uint64_t inode, uint8_t type)
{
	const uint32_t slots = dirent_slots(name->bytes);
	struct new_entry new; /* long: only what is stored is filled */
	struct leaf_place at;
	struct fresh *fresh;

	memset(new.bytes + (slots - 1) * PMFS_SLOT_BYTES, 0, PMFS_SLOT_BYTES);
	new.entry = (struct pmfs_dirent) {
		.hash = name_hash(c->fs, name),
		.inode = inode,
		.name_bytes = (uint8_t)name->bytes,
		.type = type,
		.slots = (uint8_t)slots,
	};
	text_copy(new.entry.name, name->text, name->bytes);
	for (int splits = 0; splits < 8; splits++) {
		bool full;
		err_t err = leaf_find_in(c, dir, change_inode(c, dir), new.entry.hash, &at);
		if (err == ERR_NOT_FOUND) {
			err = leaf_new(c, dir, &fresh);
			if (err != OK)
				return err;
			at = (struct leaf_place) { .leaf = &fresh->data->leaf, .block = fresh->block };
			err = tree_insert(c, dir, &(struct pmfs_extent) { 0, 1, fresh->block });
		}
		if (err != OK)
			return err;
		err = leaf_add(c, dir, &at, &new, &name->added, &full);
		if (err != OK || !full)
			return err;
		err = leaf_split(c, dir, &at);
		if (err != OK)
			return err;
	}
	return ERR_NO_SPACE;
}

/* --- removing --- */

/* Where the name was found; else NULL, and it is looked for. All that is used of the entry is compared. */
static const struct pmfs_dirent *entry_known(const struct inode *dir, const struct leaf_place *at, uint64_t used,
		const struct dir_name *name, uint64_t inode)
{
	if (name->slot >= PMFS_LEAF_SLOTS || name->shape != dir->shape)
		return NULL;
	const struct pmfs_dirent *entry = (const struct pmfs_dirent *)(const void *)at->leaf->slot[name->slot];
	if (!(used >> name->slot & 1) || entry->hash != name->hash || entry->inode != inode ||
			entry->name_bytes != name->bytes || entry->slots != dirent_slots(name->bytes) ||
			!text_equal(entry->name, name->text, name->bytes))
		return NULL;
	return entry;
}

err_t dir_remove(struct change *c, struct inode *dir, struct dir_name *name, uint64_t inode)
{
	const struct pmfs_dirent *entry;
	struct leaf_place at;
	uint32_t slot;
	err_t err = leaf_find_in(c, dir, change_inode(c, dir), name_hash(c->fs, name), &at);

	if (err != OK)
		return err;
	const uint64_t used = leaf_used(c, at.leaf);
	entry = entry_known(dir, &at, used, name, inode);
	if (likely(entry != NULL))
		slot = name->slot;
	else
		err = leaf_search(at.leaf, used, dir->number, name, inode, &slot, &entry);
	if (err != OK)
		return err;
	const uint64_t will = used_seal(used & ~(((1ull << entry->slots) - 1) << slot));
	if (will == 0 && at.low != 0) { /* the leaf before takes over its range */
		inode_reshape(dir);
		change_word_forget(c, &at.leaf->used);
		change_inode(c, dir)->size -= PMFS_BLOCK;
		c->leaf_goes = true;
		err = change_drop_block(c, dir, at.block);
		return err == OK ? tree_remove(c, dir, at.low) : err;
	}
	if (unlikely(c->fresh_count != 0) && change_find_fresh(c, at.block) != NULL) {
		at.leaf->used = will;
		return OK;
	}
	return change_word_put(c, dir, &at.leaf->used, will);
}
