/* SPDX-License-Identifier: BSD-2-Clause */
/* store_host.c - file contents in plain memory, for tests. */
#include "store.h"

#include <stdlib.h>
#include <string.h>

err_t store_read(const struct store *store, uint64_t offset, void *to, size_t bytes)
{
	memcpy(to, (const uint8_t *)store->memory + offset, bytes);
	return OK;
}

err_t store_write(struct store *store, uint64_t offset, const void *from, size_t bytes)
{
	memcpy((uint8_t *)store->memory + offset, from, bytes);
	return OK;
}

err_t store_grow(struct store *store, uint64_t bytes)
{
	const uint64_t capacity = (bytes + PAGE_MASK) & ~PAGE_MASK;
	uint8_t *memory = capacity > 1ull << 30 ? NULL : realloc(store->memory, capacity);

	if (memory == NULL)
		return ERR_NO_SPACE;
	memset(memory + store->capacity, 0, capacity - store->capacity);
	store->memory = memory;
	store->capacity = capacity;
	return OK;
}

err_t store_cut(struct store *store, uint64_t bytes)
{
	if (bytes < store->capacity)
		memset((uint8_t *)store->memory + bytes, 0, store->capacity - bytes);
	return OK;
}

void store_free(struct store *store)
{
	free(store->memory);
	store->memory = NULL;
}

err_t store_share(struct store *store, uint32_t rights, handle_t *vmo)
{
	(void)store;
	(void)rights;
	(void)vmo;
	return ERR_UNSUPPORTED;
}
