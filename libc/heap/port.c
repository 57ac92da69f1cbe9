/* SPDX-License-Identifier: BSD-2-Clause */
/* port.c - the heap's memory on Lintel: anonymous VMOs, one a mapping. */
#include "heap/port.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <lintel/process.h>

#include "core/print.h"
#include "core/sys.h"

/* Where the next mapping is asked for: far from programs and from what the kernel chooses itself. A hint only, going
 * round in its part of the address space. */
#define HINT_FIRST (1ull << 44)
#define HINT_BYTES (1ull << 45)
static uint64_t hints_given; /* [a] bytes */

void *heap_port_map(size_t bytes, size_t align)
{
	uint64_t span = (bytes + align - 1) & ~(uint64_t)(align - 1);
	void *base;

	/* Asked for at an aligned place, it mostly comes back aligned. */
	uint64_t given = __atomic_fetch_add(&hints_given, span, __ATOMIC_RELAXED) % HINT_BYTES;
	uint64_t hint = (HINT_FIRST + given + align - 1) & ~(uint64_t)(align - 1);
	if (memory_map(bytes, hint, SPACE_READ | SPACE_WRITE, &base) != OK)
		return NULL;
	if (((uintptr_t)base & (align - 1)) == 0)
		return base;
	memory_unmap(base, bytes);
	if (memory_map(bytes + align, 0, SPACE_READ | SPACE_WRITE, &base) != OK)
		return NULL;
	uintptr_t start = (uintptr_t)base, aligned = (start + align - 1) & ~(uintptr_t)(align - 1);
	if (aligned > start)
		memory_unmap(base, aligned - start);
	if (start + align > aligned)
		memory_unmap((void *)(aligned + bytes), start + align - aligned);
	return (void *)aligned;
}

void heap_port_unmap(void *base, size_t bytes)
{
	memory_unmap(base, bytes);
}

uintptr_t heap_port_random(void)
{
	return __builtin_ia32_rdtsc() * 0x9e3779b97f4a7c15ull;
}

void heap_port_panic(const char *what, const void *block)
{
	print_error("heap: ", what, (uintptr_t)block);
	abort();
}
