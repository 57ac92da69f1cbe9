/* SPDX-License-Identifier: BSD-2-Clause */
/* port.h - what the heap needs from its surroundings: memory, and a way to stop. core/lock.h is the other half. */
#pragma once

#include <lintel/compiler.h>

/* Zeroed memory aligned to `align` (a power of two of at least a page); NULL when there is none. */
void *heap_port_map(size_t bytes, size_t align);
void heap_port_unmap(void *base, size_t bytes);

uintptr_t heap_port_random(void);

NORETURN void heap_port_panic(const char *what, const void *block);
