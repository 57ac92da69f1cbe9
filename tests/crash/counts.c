/* SPDX-License-Identifier: BSD-2-Clause */
/* counts.c - counts and sets of hashes in memory that all processes of a run share. A set is a table
 * of keys with open addressing; a full one says "never seen", and that it was full is counted. */
#include "engine.h"

#include <stdlib.h>
#include <sys/mman.h>

#define PROBES_MAX 64

struct counts *counts;
static uint64_t *table[SEEN_SETS];
static uint32_t table_bits;

static void *shared(uint64_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		abort();
	return at;
}

void counts_make(uint32_t bits)
{
	counts = shared(sizeof(*counts));
	table_bits = bits;
	for (int i = 0; i < SEEN_SETS; i++)
		table[i] = shared(8ull << bits);
}

bool seen_before(enum seen_set set, uint64_t key)
{
	const uint64_t mask = (1ull << table_bits) - 1;

	key = mix64(key) | 1;
	for (uint32_t i = 0; i < PROBES_MAX; i++) {
		uint64_t *slot = &table[set][((key >> 20) + i) & mask];
		uint64_t have = __atomic_load_n(slot, __ATOMIC_RELAXED);
		if (have == 0 && __atomic_compare_exchange_n(slot, &have, key, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return false;
		if (have == key)
			return true;
	}
	count(&counts->full_sets, 1);
	return false;
}
