/* SPDX-License-Identifier: BSD-2-Clause */
/* port_host.h - the machine that mm/ sees on the host: some CPUs, an arena of physical memory,
 * locks that check their ranks, and for each CPU a TLB that caches exactly what hardware may cache,
 * so that a missing flush shows as a stale access.
 *
 * A thread says which CPU it is (host_set_cpu). A round runs its work in the caller's thread, as
 * the target CPU, with that CPU's TLB locked. Loading a root holds the same lock, as interrupts off
 * do on the machine. */
#pragma once

#include "mm/space.h"
#include "mm/types.h"

#define HOST_ARENA_BYTES (16ull << 30) /* physical addresses 0..16 GiB; only what is touched costs anything */

void host_start(uint32_t cpus, bool pcid); /* once; no memory yet */
struct zone *host_add_ram(uint64_t base, uint64_t bytes);
void host_set_cpu(uint32_t cpu);
void host_set_pcid(bool pcid); /* keep TLB entries over root switches, tagged by root */

/* What a user access does on this CPU: TLB, else walk and fill. False: page fault. */
bool host_read(struct space *space, uint64_t address, uint64_t *value);
bool host_write(struct space *space, uint64_t address, uint64_t value);
/* The same with faults served by space_fault; the error that ends it. ERR_AGAIN leaves *request to
 * the caller. */
err_t host_read_fault(struct space *space, uint64_t address, uint64_t *value, struct pager_request *request);
err_t host_write_fault(struct space *space, uint64_t address, uint64_t value, struct pager_request *request);

void host_enter(struct space *space); /* load its root on this CPU */
void host_leave(void);                /* load the kernel's */
uint64_t host_rounds(void);           /* IPI rounds so far */
uint64_t host_ipis(void);             /* CPUs interrupted by them */
uint64_t host_tlb_entries(void);      /* in this CPU's TLB */

/* mm_inject.c: the nth allocation from now on fails (1: the next), once; 0: none. */
void host_fail_allocation(uint64_t nth);
uint64_t host_allocations(void); /* since host_fail_allocation was called */
