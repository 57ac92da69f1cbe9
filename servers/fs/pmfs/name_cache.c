/* SPDX-License-Identifier: BSD-2-Clause */
/* name_cache.c - see name_cache.h. */
#include "name_cache.h"

#include <stdlib.h>

#define ENTRIES_MIN 64u
#define ENTRIES_MAX 8192u
#define BLOCKS_PER_ENTRY 8u

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

bool name_cache_find(const struct inode *dir, struct dir_name *name, struct dir_hit *out)
{
	struct cached_look look;
	uint64_t hash;

	if (!name_cache_look(dir->fs, dir->number, name, &look, out, &hash))
		return false;
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
	struct cached_name *entry = name_cache_place(dir->fs, dir->number, name);

	if (entry == NULL || !name->hashed)
		return;
	const uint64_t before = atomic_load_explicit(&entry->sequence, memory_order_relaxed);
	if (!entry_begin(entry, before))
		return;
	atomic_store_explicit(&entry->key, name_cache_key(dir->number, name), memory_order_relaxed);
	atomic_store_explicit(&entry->value, what->inode << 32 | (uint32_t)what->slot << 8 | what->type,
			memory_order_relaxed);
	atomic_store_explicit(&entry->hash, name->hash | (uint64_t)dir->shape << 32, memory_order_relaxed);
	atomic_store_explicit(&entry->word[0], name->word[0], memory_order_relaxed);
	for (uint32_t i = 1; i * 8 < name->bytes; i++)
		atomic_store_explicit(&entry->word[i], name->word[i], memory_order_relaxed);
	entry_end(entry, before);
}
