/* SPDX-License-Identifier: BSD-2-Clause */
/* early.h - memory for the mounts, files and locks that a process is born with: a small arena in .bss, so that a
 * program that never asks for memory gets no heap, which would cost it more than all else that happens before main.
 * Private to libc. */
#pragma once

#include <lintel/compiler.h>

/* Zeroed, aligned to 16 bytes: from the arena while that lasts, then from the heap. NULL: no memory. */
void *early_alloc(size_t bytes);
void early_free(void *memory); /* what lay in the arena is not used again */
