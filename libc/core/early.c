/* SPDX-License-Identifier: BSD-2-Clause */
/* early.c - see early.h. Blocks are only ever cut off, so one counter is all there is. */
#include <stdlib.h>

#include "core/early.h"

#define ARENA_BYTES 2048u

static char arena[ARENA_BYTES] ALIGNED(16);
static size_t used; /* [a] once past the end, it stays there */

void *early_alloc(size_t bytes)
{
	size_t taken = (bytes + 15) & ~(size_t)15;

	if (taken >= bytes && taken <= ARENA_BYTES && __atomic_load_n(&used, __ATOMIC_RELAXED) <= ARENA_BYTES - taken) {
		size_t at = __atomic_fetch_add(&used, taken, __ATOMIC_RELAXED);
		if (at <= ARENA_BYTES - taken)
			return arena + at;
	}
	return calloc(1, bytes);
}

void early_free(void *memory)
{
	if ((uintptr_t)memory - (uintptr_t)arena >= ARENA_BYTES)
		free(memory);
}
