/* SPDX-License-Identifier: BSD-2-Clause */
/* malloc.c - malloc and its family on top of the heap; they replace picolibc's. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "heap/heap.h"

static void *result(void *block)
{
	if (block == NULL)
		errno = ENOMEM;
	return block;
}

void *malloc(size_t bytes)
{
	return result(heap_alloc(bytes));
}

void *calloc(size_t count, size_t bytes)
{
	return result(heap_alloc_zeroed(count, bytes));
}

void *realloc(void *block, size_t bytes)
{
	return result(heap_resize(block, bytes));
}

void free(void *block)
{
	heap_free(block);
}

size_t malloc_usable_size(void *block)
{
	return heap_usable_bytes(block);
}

void *aligned_alloc(size_t align, size_t bytes)
{
	if (align == 0 || (align & (align - 1)) != 0) {
		errno = EINVAL;
		return NULL;
	}
	return result(heap_alloc_aligned(align, bytes));
}

void *memalign(size_t align, size_t bytes)
{
	return aligned_alloc(align, bytes);
}

int posix_memalign(void **out, size_t align, size_t bytes)
{
	if (align < sizeof(void *) || (align & (align - 1)) != 0)
		return EINVAL;
	void *block = heap_alloc_aligned(align, bytes);
	if (block == NULL)
		return ENOMEM;
	*out = block;
	return 0;
}

void *valloc(size_t bytes)
{
	return memalign(4096, bytes);
}

void *pvalloc(size_t bytes)
{
	return memalign(4096, (bytes + 4095) & ~(size_t)4095);
}

void *reallocarray(void *block, size_t count, size_t bytes)
{
	size_t total;

	if (__builtin_mul_overflow(count, bytes, &total)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(block, total);
}
