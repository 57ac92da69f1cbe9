/* SPDX-License-Identifier: GPL-2.0-only */
/* kernel_space.h - the kernel half: what every root has in slots 256..511, and who gives out
 * addresses there.
 *
 *   0xffff800000000000   direct map: RAM and PMEM zones, 1 GiB / 2 MiB / 4 KiB leaves, RW, NX,
 *   global 0xffffc00000000000   kernel_map: device registers, NX
 *   0xffffc80000000000   kernel stacks: 32 KiB each, of which the upper 16 KiB are mapped; below
 *   them lies the guard 0xffffffff80000000   the image: text RX, rodata R, data and bss RW, NX
 *
 * K1  all 256 next-level tables exist from the start and never go, so every root shares them by
 *     copying 256 entries.
 * K2  no leaf is writable and executable (kernel_space_check).
 * Units: bytes.  Locks: one lock (rank PAGETABLE) [k].  Context: threads, interrupts on. */
#pragma once

#include "mm/pagetable.h"

struct boot_info;

#define KERNEL_MAP_BASE 0xffffc00000000000ull
#define KERNEL_MAP_BYTES (1ull << 40)
#define KSTACKS_BASE 0xffffc80000000000ull
#define KSTACK_BYTES (16ull << 10)
#define KSTACK_STRIDE (32ull << 10)
#define KSTACKS_MAX 65536u
#define KERNEL_IMAGE_BASE 0xffffffff80000000ull

uint64_t kernel_root(void);            /* physical address of a root with an empty user half */
void kernel_root_fill(uint64_t *root); /* copy slots 256..511 into a new root page */

/* Map device registers or memory that is no zone's. `physical` need not be aligned; *out has the
 * same offset in its page. ERR_ARGS, ERR_NO_MEMORY. */
MUST_USE err_t kernel_map(paddr_t physical, size_t bytes, enum cache_kind cache, bool writable, void **out);
void kernel_unmap(void *address, size_t bytes); /* as given out by kernel_map */

/* A stack of KSTACK_BYTES with an unmapped guard below; *top is its end, 16-byte aligned. Content
 * undefined. ERR_NO_MEMORY. Freed stacks are kept in per-CPU caches, still mapped; kstacks_reclaim
 * unmaps them. */
MUST_USE err_t kstack_alloc(void **top);
void kstack_free(void *top);
void kstacks_reclaim(void);
uint64_t kstacks_cached(void);         /* stacks in caches: KSTACK_BYTES each */
bool kstack_is_guard(vaddr_t address); /* for the panic message: a stack has overflowed */

/* At boot, in this order; frames still come from bootalloc. */
void kernel_space_init(const struct boot_info *info);
void kernel_space_map_direct(uint64_t base, uint64_t bytes); /* page-aligned; safe to repeat */
bool kernel_space_check(void);                               /* K1, K2 */
