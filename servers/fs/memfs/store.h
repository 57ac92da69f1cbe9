/* SPDX-License-Identifier: BSD-2-Clause */
/* store.h - the bytes of one file. In Lintel a resizable VMO (store.c), on the build machine plain
 * memory (store_host.c). Callers hold the file's lock: for reading in store_read, for writing in
 * the others. */
#pragma once

#include <lintel/types.h>

struct store {
	handle_t vmo;       /* HANDLE_NONE until the first byte */
	uint64_t capacity;  /* bytes, whole pages; zeroes past what was written */
	void *memory;       /* store_host.c only */
};

/* [offset, offset + bytes) lies within the capacity. */
MUST_USE err_t store_read(const struct store *store, uint64_t offset, void *to, size_t bytes);
MUST_USE err_t store_write(struct store *store, uint64_t offset, const void *from, size_t bytes);

/* Room for `bytes`, more than there is now. ERR_NO_SPACE. */
MUST_USE err_t store_grow(struct store *store, uint64_t bytes);
/* Forget what lies past `bytes`; it reads as zeroes if the store grows again. */
MUST_USE err_t store_cut(struct store *store, uint64_t bytes);
void store_free(struct store *store);

/* A handle on the contents for a client. ERR_UNSUPPORTED on the host. */
MUST_USE err_t store_share(struct store *store, uint32_t rights, handle_t *vmo);
