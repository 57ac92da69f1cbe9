/* SPDX-License-Identifier: BSD-2-Clause */
/* name_cache.c - see name_cache.h. */
#include "name_cache.h"
#include "directory.h"

#include <stdlib.h>

#define NAME_WORDS 5u /* longer names are not kept */
#define ENTRIES_MIN 64u
#define ENTRIES_MAX 8192u
#define BLOCKS_PER_ENTRY 8u

struct cached_name {
	_Atomic uint64_t sequence;         /* odd: being written */
	_Atomic uint64_t key;              /* directory << 32 | length; 0: nobody */
	_Atomic uint64_t value;            /* inode << 32 | type */
	_Atomic uint64_t name[NAME_WORDS]; /* zero above its end */
} ALIGNED(64);
_Static_assert(sizeof(struct cached_name) == 64, "an entry is a line");

struct wanted {
	uint64_t key;
	uint64_t name[NAME_WORDS];
	uint32_t words;
};

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

/* The name's place; NULL if it is too long to have one. */
static inline struct cached_name *place_of(const struct pmfs *fs, uint64_t dir, const char *name, size_t bytes,
		struct wanted *out)
{
	uint64_t mix;

	if (bytes > NAME_WORDS * 8)
		return NULL;
	out->key = mix = dir << 32 | bytes;
	out->words = 0;
	do {
		const uint64_t word = text_word(name, bytes);
		out->name[out->words++] = word;
		mix = (mix ^ word) * 0x9e3779b97f4a7c15ull;
		mix ^= mix >> 32;
		name += 8;
		bytes = bytes > 8 ? bytes - 8 : 0;
	} while (bytes != 0);
	return &fs->names[mix & fs->names_mask];
}

static inline bool is_it(struct cached_name *entry, const struct wanted *wanted)
{
	if (atomic_load_explicit(&entry->key, memory_order_relaxed) != wanted->key)
		return false;
	for (uint32_t i = 0; i < wanted->words; i++)
		if (atomic_load_explicit(&entry->name[i], memory_order_relaxed) != wanted->name[i])
			return false;
	return true;
}

bool name_cache_find(const struct pmfs *fs, uint64_t dir, const char *name, size_t bytes, struct dir_hit *out)
{
	struct wanted wanted;
	struct cached_name *entry = place_of(fs, dir, name, bytes, &wanted);

	if (entry == NULL)
		return false;
	const uint64_t sequence = atomic_load_explicit(&entry->sequence, memory_order_acquire);
	if ((sequence & 1) || !is_it(entry, &wanted))
		return false;
	const uint64_t value = atomic_load_explicit(&entry->value, memory_order_relaxed);
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&entry->sequence, memory_order_relaxed) != sequence)
		return false;
	out->inode = value >> 32;
	out->type = (uint8_t)value;
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

void name_cache_put(const struct pmfs *fs, uint64_t dir, const char *name, size_t bytes, const struct dir_hit *what)
{
	struct wanted wanted;
	struct cached_name *entry = place_of(fs, dir, name, bytes, &wanted);

	if (entry == NULL)
		return;
	const uint64_t before = atomic_load_explicit(&entry->sequence, memory_order_relaxed);
	if (!entry_begin(entry, before))
		return;
	atomic_store_explicit(&entry->key, wanted.key, memory_order_relaxed);
	atomic_store_explicit(&entry->value, what->inode << 32 | what->type, memory_order_relaxed);
	for (uint32_t i = 0; i < wanted.words; i++)
		atomic_store_explicit(&entry->name[i], wanted.name[i], memory_order_relaxed);
	entry_end(entry, before);
}

void name_cache_drop(const struct pmfs *fs, uint64_t dir, const char *name, size_t bytes)
{
	struct wanted wanted;
	struct cached_name *entry = place_of(fs, dir, name, bytes, &wanted);

	if (entry == NULL)
		return;
	const uint64_t before = atomic_load_explicit(&entry->sequence, memory_order_acquire);
	if (!is_it(entry, &wanted) || !entry_begin(entry, before))
		return;
	atomic_store_explicit(&entry->key, 0, memory_order_relaxed);
	entry_end(entry, before);
}
