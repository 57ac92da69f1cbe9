/* SPDX-License-Identifier: BSD-2-Clause */
/* name_cache.c - see name_cache.h. */
#include "name_cache.h"
#include "text.h"

#include <stdlib.h>

#define ENTRIES_MIN 64u
#define ENTRIES_MAX 8192u
#define BLOCKS_PER_ENTRY 8u

struct cached_name {
	_Atomic uint64_t sequence;         /* odd: being written */
	_Atomic uint64_t key;              /* directory << 32 | length; 0: nobody */
	_Atomic uint64_t value;            /* inode << 32 | slot << 8 | type */
	_Atomic uint64_t hash;             /* the name's, on media; the directory's shape << 32 */
	_Atomic uint64_t word[DIR_NAME_WORDS]; /* the name, which has no more */
} ALIGNED(64);
_Static_assert(sizeof(struct cached_name) == 64, "an entry is a line");

err_t name_cache_init(struct pmfs *fs)
{
	uint64_t entries = ENTRIES_MIN;

	while (entries < ENTRIES_MAX && entries * BLOCKS_PER_ENTRY < fs->super.blocks)
		entries *= 2;
	fs->names = aligned_alloc(64, entries * sizeof(struct cached_name));
	if (fs->names == NULL)
		return ERR_NO_MEMORY;
	__builtin_memset(fs->names, 0, entries * sizeof(struct cached_name));
	fs->names_mask = (uint32_t)entries - 1;
	return OK;
}

void name_cache_destroy(struct pmfs *fs)
{
	free(fs->names);
	fs->names = NULL;
}

void name_cache_prepare(struct dir_name *name, const char *text, size_t bytes)
{
	uint64_t mix = bytes;
	uint32_t i = 0;

	name->text = text;
	name->bytes = (uint32_t)bytes;
	name->hashed = false;
	name->slot = PMFS_LEAF_SLOTS;
	do {
		const uint64_t word = text_word(text, bytes);
		name->word[i++] = word;
		mix = (mix ^ word) * 0x9e3779b97f4a7c15ull;
		mix ^= mix >> 32;
		text += 8;
		bytes = bytes > 8 ? bytes - 8 : 0;
	} while (bytes != 0 && i < DIR_NAME_WORDS);
	name->mix = mix;
}

/* The name's place; NULL if it is too long to have one. */
static inline struct cached_name *place_of(const struct inode *dir, const struct dir_name *name)
{
	if (unlikely(name->bytes > DIR_NAME_WORDS * 8))
		return NULL;
	return &dir->fs->names[(name->mix ^ dir->number * 0x9e3779b1u) & dir->fs->names_mask];
}

static inline uint64_t key_of(uint64_t dir, const struct dir_name *name)
{
	return dir << 32 | name->bytes;
}

static inline bool is_it(struct cached_name *entry, uint64_t dir, const struct dir_name *name)
{
	if (atomic_load_explicit(&entry->key, memory_order_relaxed) != key_of(dir, name))
		return false;
	for (uint32_t i = 0; i * 8 < name->bytes; i++)
		if (atomic_load_explicit(&entry->word[i], memory_order_relaxed) != name->word[i])
			return false;
	return true;
}

bool name_cache_find(const struct inode *dir, struct dir_name *name, struct dir_hit *out)
{
	struct cached_name *entry = place_of(dir, name);

	if (entry == NULL)
		return false;
	const uint64_t sequence = atomic_load_explicit(&entry->sequence, memory_order_acquire);
	if ((sequence & 1) || !is_it(entry, dir->number, name))
		return false;
	const uint64_t value = atomic_load_explicit(&entry->value, memory_order_relaxed);
	const uint64_t hash = atomic_load_explicit(&entry->hash, memory_order_relaxed);
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&entry->sequence, memory_order_relaxed) != sequence)
		return false;
	out->inode = value >> 32;
	out->type = (uint8_t)value;
	out->slot = (uint8_t)(value >> 8);
	name->slot = out->slot;
	name->shape = (uint32_t)(hash >> 32);
	name->hash = (uint32_t)hash;
	name->hashed = true;
	return true;
}

/* N2. Nobody writes, and nobody has written since `before` was read. */
static bool entry_begin(struct cached_name *entry, uint64_t before)
{
	if ((before & 1) || !atomic_compare_exchange_strong_explicit(&entry->sequence, &before, before + 1,
			memory_order_acquire, memory_order_relaxed))
		return false;
	atomic_thread_fence(memory_order_release);
	return true;
}

static void entry_end(struct cached_name *entry, uint64_t before)
{
	atomic_store_explicit(&entry->sequence, before + 2, memory_order_release);
}

void name_cache_put(const struct inode *dir, const struct dir_name *name, const struct dir_hit *what)
{
	struct cached_name *entry = place_of(dir, name);

	if (entry == NULL || !name->hashed)
		return;
	const uint64_t before = atomic_load_explicit(&entry->sequence, memory_order_relaxed);
	if (!entry_begin(entry, before))
		return;
	atomic_store_explicit(&entry->key, key_of(dir->number, name), memory_order_relaxed);
	atomic_store_explicit(&entry->value, what->inode << 32 | (uint32_t)what->slot << 8 | what->type,
			memory_order_relaxed);
	atomic_store_explicit(&entry->hash, name->hash | (uint64_t)dir->shape << 32, memory_order_relaxed);
	for (uint32_t i = 0; i * 8 < name->bytes; i++)
		atomic_store_explicit(&entry->word[i], name->word[i], memory_order_relaxed);
	entry_end(entry, before);
}
