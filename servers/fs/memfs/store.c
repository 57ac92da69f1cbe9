/* SPDX-License-Identifier: BSD-2-Clause */
/* store.c - file contents in VMOs. The kernel copies between a VMO and the caller's window:
 * nothing is mapped here, and a client that maps the file shares the very same pages. */
#include "store.h"

#include <lintel/syscalls.h>

err_t store_read(const struct store *store, uint64_t offset, void *to, size_t bytes)
{
	return lintel_vmo_read(store->vmo, offset, to, bytes);
}

err_t store_write(struct store *store, uint64_t offset, const void *from, size_t bytes)
{
	err_t err = lintel_vmo_write(store->vmo, offset, from, bytes);

	return err == ERR_NO_MEMORY || err == ERR_LIMIT ? ERR_NO_SPACE : err;
}

err_t store_grow(struct store *store, uint64_t bytes)
{
	const uint64_t capacity = (bytes + bytes / 2 + PAGE_MASK) & ~PAGE_MASK; /* appending stays cheap */
	err_t err = store->vmo == HANDLE_NONE ? lintel_vmo_create(capacity, VMO_RESIZABLE, &store->vmo)
			: lintel_vmo_resize(store->vmo, capacity);

	if (err == OK)
		store->capacity = capacity;
	return err == ERR_NO_MEMORY || err == ERR_LIMIT ? ERR_NO_SPACE : err;
}

err_t store_cut(struct store *store, uint64_t bytes)
{
	if (store->vmo == HANDLE_NONE)
		return OK;
	err_t err = lintel_vmo_resize(store->vmo, bytes);
	if (err == OK)
		err = lintel_vmo_size(store->vmo, &store->capacity);
	return err;
}

void store_free(struct store *store)
{
	if (store->vmo == HANDLE_NONE || lintel_handle_close(store->vmo) == OK)
		store->vmo = HANDLE_NONE;
}

err_t store_share(struct store *store, uint32_t rights, handle_t *vmo)
{
	const uint32_t known = RIGHT_READ | RIGHT_WRITE | RIGHT_EXECUTE;

	if (store->vmo == HANDLE_NONE)
		return ERR_UNSUPPORTED;
	return lintel_handle_duplicate(store->vmo, (rights & known) | RIGHT_DUPLICATE | RIGHT_TRANSFER, vmo);
}
