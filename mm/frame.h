/* SPDX-License-Identifier: GPL-2.0-only */
/* frame.h - page frames of RAM: where everything that needs memory gets it, and who pays.
 * Units: physical addresses; pages of 4 KiB.
 * Owner: the caller, until it gives the frame back with the same account.
 * Locks: a per-CPU cache lock (rank ZONE) on the fast path, zone locks behind it; never both.
 * Context: threads; never from an interrupt.
 * Frames have no reference counts: a frame belongs to one VMO, one table or one pool, and whoever
 * takes it away first takes away every translation (revoke.h). */
#pragma once

#include "mm/account.h"
#include "mm/port.h"

/* `account` NULL: the kernel pays. All return ERR_LIMIT (a ceiling), ERR_NO_MEMORY; *out untouched
 * then. */
MUST_USE err_t frame_alloc(struct account *account, paddr_t *out); /* 4 KiB, content undefined */
MUST_USE err_t frame_alloc_zeroed(struct account *account, paddr_t *out); /* 4 KiB of zeros */
MUST_USE err_t frame_alloc_large(struct account *account, paddr_t *out); /* 2 MiB, aligned, content undefined */
/* `pages` contiguous ones, aligned to the next power of two (1 GiB at most; more is ERR_ARGS). Up
 * to 256 pages cost what they say; from there on whole 2 MiB are charged (frame_run_pages). */
MUST_USE err_t frame_alloc_run(struct account *account, uint64_t pages, paddr_t *out);
uint64_t frame_run_pages(uint64_t pages); /* what a run of that many really takes and costs */

void frame_free(struct account *account, paddr_t frame);
#define FRAME_BATCH 32u
void frame_free_batch(struct account *account, const uint64_t *frame, uint32_t count); /* up to FRAME_BATCH addresses */
void frame_free_large(struct account *account, paddr_t frame);
void frame_free_run(struct account *account, paddr_t first, uint64_t pages); /* as many as were asked for */
void frame_zero(paddr_t frame);

/* Managed RAM pages that nobody holds. Exact when nothing allocates meanwhile: frames in per-CPU
 * caches count as free, and so do the descriptor pages of split extents, which come back by
 * themselves. */
uint64_t frame_free_count(void);
uint64_t frame_managed_count(void);
uint64_t frame_kernel_count(void);                    /* held with account NULL */
/* Give all cached frames back to their zones; any CPU may call it. */
void frame_caches_drain(void);
void frame_set_cpu_node(uint32_t cpu, uint32_t node); /* which zones a CPU tries first */
bool frame_check(void);                               /* managed = free + held, over all zones and caches */
