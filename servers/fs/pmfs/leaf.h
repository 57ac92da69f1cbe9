/* SPDX-License-Identifier: BSD-2-Clause */
/* leaf.h - a leaf of a directory: its slots and entries, for those who look for names (directory.c) and who list them
 * (directory_list.c). */
#pragma once

#include "change.h"
#include "crc32c.h"

static inline uint64_t leaf_used(const struct change *c, const struct pmfs_leaf *leaf)
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

static inline uint32_t slot_of(const struct pmfs_leaf *leaf, const struct pmfs_dirent *entry)
{
	return (uint32_t)((const uint8_t *)entry - leaf->slot[0]) / PMFS_SLOT_BYTES;
}

/* Where the names of that hash are, in the directory as it is or as the change makes it. ERR_NOT_FOUND: it has no leaf
 * yet. ERR_CORRUPT. */
MUST_USE err_t leaf_find(const struct pmfs *fs, struct change *c, uint64_t number, const struct pmfs_inode *dir,
		uint32_t hash, struct leaf_place *out);

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

static inline uint64_t dirent_cookie(const struct pmfs_dirent *entry)
{
	return ((uint64_t)entry->hash << 8 | entry->collision) + 1;
}

/* The entries in the slots of `used`. ERR_CORRUPT. */
MUST_USE err_t leaf_sort(const struct leaf_place *at, uint64_t used, struct sorted *out);
