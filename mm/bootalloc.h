/* SPDX-License-Identifier: GPL-2.0-only */
/* bootalloc.h - memory before there are zones: whole pages out of boot_info's usable ranges, never
 * given back one by one. It keeps away from the kernel image, the boot archive and the first 64
 * KiB, and gives only memory below 4 GiB, which the entry code has mapped. What it has not given
 * out goes to the zones.
 * Units: pages; physical addresses.  Context: the boot CPU, once. */
#pragma once

#include "boot/boot_info.h"
#include "mm/port.h"

void bootalloc_init(const struct boot_info *info);
paddr_t bootalloc_pages(uint64_t pages); /* contiguous, zeroed; panics when there is none: the machine cannot start */
paddr_t bootalloc_low_page(void);        /* one page below 1 MiB, for the other CPUs' first code; always the same one */
bool bootalloc_is_open(void);            /* between init and the hand-over */
uint64_t bootalloc_used_pages(void);
/* Call `give` for each range that is left, in ascending order, and close. */
void bootalloc_hand_over(void (*give)(uint64_t base, uint64_t bytes, uint32_t node, void *context), void *context);

/* All of it: bootalloc, kernel_space, RAM zones by node, PMEM zones "pmem0".. in order, object
 * pools. Call once on the boot CPU, on the entry code's tables, after pagetable_set_features. On
 * return the kernel half of the root that is loaded is the final one; load kernel_root() (or a
 * space's root) to lose the identity map. */
void mm_init(const struct boot_info *info);
