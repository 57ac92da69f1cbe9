/* SPDX-License-Identifier: BSD-2-Clause */
/* name_cache.h - names that were found or removed lately, in DRAM: directory and name -> inode and type, or inode 0: no
 * such name.
 * A name has one place in a table of fixed size; who comes later has it. So nobody can make it grow,
 * and whoever chooses names that share a place only makes them be found in their leaf again.
 *
 * N1  What is found is what the directory holds: who looks or puts holds the directory's lock at
 * least for reading; when a change has made a name or let go of one, that is put before the lock for writing is
 * released.
 * N2  An entry is written by one thread at a time and read without a lock: `sequence` is odd meanwhile. Who finds it
 * odd goes away: what was there is gone, and no more is needed, as nobody else puts the same name meanwhile.
 * N3  Whoever does not hold the directory's lock looks at the entry again after he has used what he found, and takes
 * inode 0 for no answer (trail.h). So of a name that moves, the old place is put first. */
#pragma once

#include "directory.h"
#include "text.h"
#include "kit/fs.h"

struct cached_name {
	_Atomic uint64_t sequence;         /* odd: being written */
	_Atomic uint64_t key;              /* directory << 32 | length; 0: nobody */
	_Atomic uint64_t value;            /* inode << 32 | slot << 8 | type */
	_Atomic uint64_t hash;             /* the name's, on media; the directory's shape << 32 */
	_Atomic uint64_t word[DIR_NAME_WORDS]; /* the name, which has no more */
} ALIGNED(64);
_Static_assert(sizeof(struct cached_name) == 64, "an entry is a line");

/* An entry, and when it said what was found there. */
struct cached_look {
	const struct cached_name *entry;
	uint64_t sequence;
};

MUST_USE err_t name_cache_init(struct pmfs *fs);
void name_cache_destroy(struct pmfs *fs);

/* The low bits are the place: the product's highest go there, as they alone depend on all bytes of the word. Names that
 * differ in their last bytes only are what most directories have. */
static inline uint64_t name_cache_mix(uint64_t mix, uint64_t word)
{
	mix = (mix ^ word) * 0x9e3779b97f4a7c15ull;
	return mix ^ mix >> 51;
}

/* Fills `name`, which then can be looked for in any directory. */
static inline void name_cache_prepare(struct dir_name *name, const char *text, size_t bytes)
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
		mix = name_cache_mix(mix, word);
		text += 8;
		bytes = bytes > 8 ? bytes - 8 : 0;
	} while (bytes != 0 && i < DIR_NAME_WORDS);
	name->mix = mix;
}

/* The same for the name that starts at `text`, is not empty, and ends before a slash or a NUL. Of up to 15 bytes all is
 * done at once, if they lie in one page with the 16 that are read. */
__attribute__((no_sanitize("address"))) static inline void name_cache_take(struct dir_name *name, const char *text)
{
	__m128i raw = _mm_setzero_si128();
	uint32_t ends = 0;

	if (likely(((uintptr_t)text & PAGE_MASK) <= PAGE_SIZE - 16)) {
		raw = _mm_loadu_si128((const __m128i *)(const void *)text);
		ends = kit_name_ends(raw);
	}
	if (unlikely(ends == 0)) {
		name_cache_prepare(name, text, kit_name_bytes(text));
		return;
	}
	const uint32_t bytes = (uint32_t)__builtin_ctz(ends);
	uint64_t low = (uint64_t)_mm_cvtsi128_si64(raw), mix;
	if (bytes <= 8) {
		low &= UINT64_MAX >> (64 - 8 * bytes);
		mix = name_cache_mix(bytes, low);
	} else {
		uint64_t high = (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(raw, raw));
		high &= UINT64_MAX >> (128 - 8 * bytes);
		name->word[1] = high;
		mix = name_cache_mix(name_cache_mix(bytes, low), high);
	}
	name->word[0] = low;
	name->text = text;
	name->bytes = bytes;
	name->hashed = false;
	name->slot = PMFS_LEAF_SLOTS;
	name->mix = mix;
}

/* The name's place; NULL if it is too long to have one. */
static inline struct cached_name *name_cache_place(const struct pmfs *fs, uint64_t dir, const struct dir_name *name)
{
	if (unlikely(name->bytes > DIR_NAME_WORDS * 8))
		return NULL;
	return &fs->names[(name->mix ^ dir * 0x9e3779b1u) & fs->names_mask];
}

static inline uint64_t name_cache_key(uint64_t dir, const struct dir_name *name)
{
	return dir << 32 | name->bytes;
}

static inline bool name_cache_is(struct cached_name *entry, uint64_t dir, const struct dir_name *name)
{
	if (atomic_load_explicit(&entry->key, memory_order_relaxed) != name_cache_key(dir, name))
		return false;
	if (atomic_load_explicit(&entry->word[0], memory_order_relaxed) != name->word[0])
		return false;
	for (uint32_t i = 1; i * 8 < name->bytes; i++)
		if (atomic_load_explicit(&entry->word[i], memory_order_relaxed) != name->word[i])
			return false;
	return true;
}

/* No lock (N3). What was found holds as long as name_cache_still says so. *hash, if `hash` is not NULL:
 * the name's on media, and the directory's shape << 32. */
static inline bool name_cache_look(const struct pmfs *fs, uint64_t dir, const struct dir_name *name,
		struct cached_look *look, struct dir_hit *out, uint64_t *hash)
{
	struct cached_name *entry = name_cache_place(fs, dir, name);

	if (entry == NULL)
		return false;
	const uint64_t sequence = atomic_load_explicit(&entry->sequence, memory_order_acquire);
	if ((sequence & 1) || !name_cache_is(entry, dir, name))
		return false;
	const uint64_t value = atomic_load_explicit(&entry->value, memory_order_relaxed);
	if (hash != NULL)
		*hash = atomic_load_explicit(&entry->hash, memory_order_relaxed);
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&entry->sequence, memory_order_relaxed) != sequence)
		return false;
	*look = (struct cached_look) { entry, sequence };
	out->inode = value >> 32;
	out->type = (uint8_t)value;
	out->slot = (uint8_t)(value >> 8);
	return true;
}

/* Whatever was read before it, was read while the entry said so. */
static inline bool name_cache_still(const struct cached_look *look)
{
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&look->entry->sequence, memory_order_relaxed) == look->sequence;
}

/* Tells the name's hash on media, too, and its slot. */
bool name_cache_find(const struct inode *dir, struct dir_name *name, struct dir_hit *out);
void name_cache_put(const struct inode *dir, const struct dir_name *name, const struct dir_hit *what);
