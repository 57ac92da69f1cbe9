/* SPDX-License-Identifier: BSD-2-Clause */
/* directory.c - finding, adding and removing names; see directory.h. */
#include "directory.h"
#include "crc32c.h"
#include "extent_tree.h"
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

static uint64_t leaf_used(const struct change *c, const struct pmfs_leaf *leaf)
{
	return (c != NULL && c->words != 0 ? change_word_get(c, &leaf->used) : leaf->used) & ~PMFS_LEAF_PARITY;
}

static inline uint32_t dirent_slots(size_t name_bytes)
{
	return (uint32_t)((PMFS_DIRENT_BYTES + name_bytes + PMFS_SLOT_BYTES - 1) / PMFS_SLOT_BYTES);
}

/* Where each checksum of a directory's entries begins. */
static inline uint32_t owner_crc(uint64_t owner)
{
	return crc32c(0, &owner, sizeof(owner));
}

static inline uint32_t dirent_crc(uint64_t owner, const struct pmfs_dirent *entry)
{
	const uint32_t crc = owner_crc(owner);

	if (likely(entry->slots == 1))
		return crc32c(crc, &entry->hash, PMFS_SLOT_BYTES - sizeof(entry->crc));
	return crc32c(crc, &entry->hash, entry->slots * PMFS_SLOT_BYTES - sizeof(entry->crc));
}

/* The slots of an entry that begins there; 0: that cannot be one. */
static inline uint64_t entry_slots(const struct pmfs_dirent *entry, uint32_t slot)
{
	const uint32_t name_bytes = entry->name_bytes, slots = entry->slots;

	return likely(name_bytes != 0 && slots == dirent_slots(name_bytes)) ? ((1ull << (slots & 7)) - 1) << slot : 0;
}

/* Takes the first entry out of `rest`, the used slots that were not visited yet. NULL at the end;
 * *bad: what lies there cannot be an entry. */
static inline const struct pmfs_dirent *leaf_next(const struct pmfs_leaf *leaf, uint64_t *rest, bool *bad)
{
	if (*rest == 0)
		return NULL;
	const uint32_t slot = (uint32_t)__builtin_ctzll(*rest);
	const struct pmfs_dirent *entry = (const struct pmfs_dirent *)(const void *)leaf->slot[slot];
	const uint64_t mine = entry_slots(entry, slot);
	if (unlikely(mine == 0 || (*rest & mine) != mine)) {
		*bad = true;
		return NULL;
	}
	*rest &= ~mine;
	return entry;
}

static uint32_t slot_of(const struct pmfs_leaf *leaf, const struct pmfs_dirent *entry)
{
	return (uint32_t)((const uint8_t *)entry - leaf->slot[0]) / PMFS_SLOT_BYTES;
}

/* ERR_NOT_FOUND: the directory has no leaf yet. */
static err_t leaf_find(const struct pmfs *fs, struct change *c, uint64_t number, const struct pmfs_inode *dir,
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

/* The entries in the order of their cookies: cookie << 6 | slot. */
struct sorted {
	uint32_t count;
	uint64_t key[PMFS_LEAF_SLOTS];
};

static inline const struct pmfs_dirent *sorted_entry(const struct pmfs_leaf *leaf, const struct sorted *s, uint32_t i)
{
	return (const struct pmfs_dirent *)(const void *)leaf->slot[s->key[i] & 63];
}

static inline uint64_t sorted_cookie(const struct sorted *s, uint32_t i)
{
	return s->key[i] >> 6;
}

static inline uint32_t sorted_hash(const struct sorted *s, uint32_t i)
{
	return (uint32_t)((sorted_cookie(s, i) - 1) >> 8);
}

static uint64_t dirent_cookie(const struct pmfs_dirent *entry)
{
	return ((uint64_t)entry->hash << 8 | entry->collision) + 1;
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
static err_t leaf_sort(const struct leaf_place *at, uint64_t used, struct sorted *out)
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

static void order_put(struct leaf_order *order, const struct sorted *s)
{
	for (uint32_t i = 0; i < s->count; i++)
		atomic_store_explicit(&order->slot[i], s->key[i] & 63, memory_order_relaxed);
	atomic_store_explicit(&order->count, (uint8_t)s->count, memory_order_relaxed);
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

/* --- walking --- */

/* `order` is where to keep it, or NULL. */
static err_t leaf_walk(uint64_t number, const struct leaf_place *at, uint64_t cookie, struct leaf_order *order,
		const struct dir_visitor *visitor, bool *more)
{
	struct sorted s;
	err_t err = leaf_sort(at, leaf_used(NULL, at->leaf), &s);

	if (err != OK)
		return err;
	if (order != NULL)
		order_put(order, &s);
	*more = true;
	for (uint32_t i = 0; i < s.count && *more; i++) {
		const struct pmfs_dirent *entry = sorted_entry(at->leaf, &s, i);
		const uint64_t its = sorted_cookie(&s, i);
		if (its <= cookie)
			continue;
		if (entry->crc != dirent_crc(number, entry) || entry->inode == 0)
			return ERR_CORRUPT;
		*more = visitor->visit(visitor->context, entry, its);
	}
	return OK;
}

err_t dir_walk(const struct pmfs *fs, uint64_t number, const struct pmfs_inode *dir, uint64_t cookie,
		const struct dir_visitor *visitor)
{
	struct leaf_place at;
	bool more = true;
	err_t err;

	for (uint64_t key = cookie >> 8; more && key <= UINT32_MAX; key = at.high) {
		err = leaf_find(fs, NULL, number, dir, (uint32_t)key, &at);
		if (err != OK)
			return err == ERR_NOT_FOUND ? OK : err;
		err = leaf_walk(number, &at, cookie, NULL, visitor, &more);
		if (err != OK)
			return err;
	}
	return OK;
}

static ALWAYS_INLINE uint64_t word_at(const char *text)
{
	uint64_t word;

	memcpy(&word, text, sizeof(word));
	return word;
}

/* A name and zeroes, up to a multiple of 8 bytes, one of them zero at least. The bytes before and behind the name are
 * its entry's. */
static void name_put(uint8_t *out, const char *name, size_t bytes)
{
	const uint32_t rest = bytes % 8;
	uint64_t last = 0;

	if (rest != 0) /* the 8 bytes that end where the name does */
		last = word_at(name + bytes - 8) >> (64 - 8 * rest);
	for (; bytes >= 8; bytes -= 8, name += 8, out += 8)
		memcpy(out, name, 8);
	memcpy(out, &last, sizeof(last));
}
_Static_assert(PMFS_DIRENT_BYTES >= 8, "what lies before a name can be read");

#define NAME_SHORT_MAX 15u /* with the zeroes behind it, 16 bytes, which are its entry's own */
_Static_assert(PMFS_DIRENT_BYTES + NAME_SHORT_MAX < PMFS_SLOT_BYTES, "they are");

/* A record of the entry at *to, which moves behind it; false: there is no room before `end`. */
static ALWAYS_INLINE bool record_put(uint8_t **to, const uint8_t *end, const struct pmfs_dirent *entry, uint64_t cookie)
{
	const uint32_t name_bytes = entry->name_bytes, bytes = ((uint32_t)sizeof(struct fs_dirent) + name_bytes + 8) & ~7u;
	const uint16_t sizes[2] = { (uint16_t)bytes, (uint16_t)name_bytes };
	const uint32_t type = entry->type;
	uint8_t *out = *to;

	if (likely((size_t)(end - out) >= sizeof(struct fs_dirent) + 16 && name_bytes - 1 < NAME_SHORT_MAX))
		memcpy(out + sizeof(struct fs_dirent), entry->name, 16); /* the next record lies over what is too much */
	else if (likely((size_t)(end - out) >= bytes))
		name_put(out + sizeof(struct fs_dirent), entry->name, name_bytes);
	else
		return false;
	memcpy(out, &entry->inode, 8);
	memcpy(out + 8, &cookie, 8);
	memcpy(out + 16, &sizes[0], 2);
	memcpy(out + 18, &sizes[1], 2);
	memcpy(out + 20, &type, 4);
	*to = out + bytes;
	return true;
}
_Static_assert(offsetof(struct fs_dirent, record_bytes) == 16 && offsetof(struct fs_dirent, name_bytes) == 18 &&
		offsetof(struct fs_dirent, type) == 20, "as record_put has it");

static bool list_entry(void *context, const struct pmfs_dirent *entry, uint64_t cookie)
{
	struct dir_list *list = context;

	if (!record_put(&list->to, list->end, entry, cookie))
		return !(list->full = true);
	list->next = cookie;
	return true;
}

/* Does the checksum hold? `owner` is ~owner_crc; the CPU has the instruction. */
static ALWAYS_INLINE bool dirent_holds(const struct pmfs_dirent *entry, uint32_t slots, uint32_t owner)
{
	const size_t bytes = slots * PMFS_SLOT_BYTES - sizeof(entry->crc);

	return entry->crc == ~crc32c_steps(owner, (const uint8_t *)&entry->hash, bytes);
}

/* The leaf's entries in that order, if it is the leaf's. Whatever the order says, entries that together fill the used
 * slots are those that there are (the first used slot begins one, and so does the first one behind it), and cookies
 * that rise are sorted. False: it is not, or an entry is bad; nothing has been listed. */
static bool list_in_order(const struct leaf_order *order, const struct leaf_place *at, uint32_t owner, uint64_t cookie,
		struct dir_list *list)
{
	uint64_t last = (uint64_t)at->low << 8, rest = leaf_used(NULL, at->leaf), next = list->next;
	const uint32_t count = atomic_load_explicit(&order->count, memory_order_relaxed);
	const struct pmfs_leaf *leaf = at->leaf;
	const uint8_t *end = list->end;
	uint8_t *to = list->to;

	for (uint32_t i = 0; i < count; i++) {
		const size_t first = atomic_load_explicit(&order->slot[i], memory_order_relaxed) & 63;
		uint64_t mine = 1ull << first;
		if (unlikely((rest & mine) == 0))
			return false;
		const struct pmfs_dirent *entry = (const struct pmfs_dirent *)(const void *)leaf->slot[first];
		if (likely(entry->slots == 1)) {
			if (unlikely(!dirent_holds(entry, 1, owner)))
				return false;
		} else {
			mine = entry_slots(entry, (uint32_t)first);
			if (mine == 0 || (rest & mine) != mine || !dirent_holds(entry, entry->slots, owner))
				return false;
		}
		rest ^= mine;
		const uint64_t its = dirent_cookie(entry);
		if (unlikely(its <= last))
			return false;
		if (likely(its > cookie)) {
			if (unlikely(entry->inode == 0 || (entry->name_bytes - 1u >= NAME_SHORT_MAX && entry_slots(entry, (uint32_t)first) == 0)))
				return false;
			if (unlikely(!record_put(&to, end, entry, its))) {
				next = to != list->to ? last : next;
				cookie = UINT64_MAX; /* no more; but is the rest of the leaf in order? */
			}
		}
		last = its;
	}
	if (unlikely(rest != 0 || last > at->high << 8))
		return false;
	list->full = cookie == UINT64_MAX;
	list->next = list->full || to == list->to ? next : last;
	list->to = to;
	return true;
}

err_t dir_list(struct pmfs *fs, uint64_t number, const struct pmfs_inode *dir, uint64_t cookie, struct dir_list *list)
{
	const struct dir_visitor visitor = { .visit = list_entry, .context = list };
	const bool quickly = __atomic_load_n(&crc32c_by_instruction, __ATOMIC_RELAXED);
	const uint32_t owner = ~owner_crc(number);
	struct leaf_place at;
	bool more;
	err_t err;

	for (uint64_t key = cookie >> 8; !list->full && key <= UINT32_MAX; key = at.high) {
		err = leaf_find(fs, NULL, number, dir, (uint32_t)key, &at);
		if (err != OK)
			return err == ERR_NOT_FOUND ? OK : err;
		struct leaf_order *order = &fs->order[at.block % LEAF_ORDERS];
		if (likely(quickly && list_in_order(order, &at, owner, cookie, list)))
			continue;
		err = leaf_walk(number, &at, cookie, order, &visitor, &more);
		if (err != OK)
			return err;
	}
	return OK;
}

static bool found_one(void *context, const struct pmfs_dirent *entry, uint64_t cookie)
{
	(void)entry;
	(void)cookie;
	*(bool *)context = false;
	return false;
}

err_t dir_empty(const struct inode *dir, bool *empty)
{
	const struct dir_visitor visitor = { .visit = found_one, .context = empty };

	*empty = true;
	return dir_walk(dir->fs, dir->number, &dir->now, 0, &visitor);
}
