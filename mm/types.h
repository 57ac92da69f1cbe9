/* SPDX-License-Identifier: GPL-2.0-only */
/* types.h - physical and virtual addresses as types of their own, so that the compiler refuses a swap. */
#pragma once

#include <lintel/types.h>

typedef struct {
	uint64_t v;
} paddr_t;
typedef struct {
	uint64_t v;
} vaddr_t;

#define PADDR(x) ((paddr_t){ (uint64_t)(x) })
#define VADDR(x) ((vaddr_t){ (uint64_t)(x) })
#define PADDR_NONE PADDR(UINT64_MAX)

static inline bool paddr_is_none(paddr_t p)
{
	return p.v == UINT64_MAX;
}

#define USER_BASE 0x1000ull
#define USER_END 0x00007ffffffff000ull
#define WINDOW_SLOT 254                        /* root slot of a serving space's windows */
#define WINDOW_BASE (254ull << 39)             /* 0x7f00_0000_0000 */
#define WINDOW_END (255ull << 39)
#define KERNEL_FIRST (256ull << 39)
#define KERNEL_SLOT_FIRST 256                  /* root slots 256..511 are equal in all roots */
#define DIRECT_MAP_BASE 0xffff800000000000ull  /* RAM and PMEM, whole */
#define DIRECT_MAP_BYTES (64ull << 40)

#define CPUS_MAX 64

struct cpu_set {
	uint64_t bits;
};
