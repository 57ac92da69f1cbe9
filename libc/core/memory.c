/* SPDX-License-Identifier: BSD-2-Clause */
/* memory.c - anonymous memory for libc itself: stacks, scratch pages, the heap. */
#include <lintel/process.h>

#include "core/sys.h"

err_t memory_map(size_t bytes, uint64_t hint, uint32_t map_flags, void **out)
{
	handle_t vmo;
	uint64_t address;
	err_t error = lintel_vmo_create(bytes, 0, &vmo);

	if (error != OK)
		return error;
	error = lintel_space_map(lintel_process(), vmo, 0, bytes, hint, map_flags, &address);
	lintel_handle_close(vmo);
	if (error == OK)
		*out = (void *)address;
	return error;
}

void memory_unmap(void *base, size_t bytes)
{
	drop(lintel_space_unmap(lintel_process(), (uint64_t)base, bytes));
}
