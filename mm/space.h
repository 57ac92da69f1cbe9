/* SPDX-License-Identifier: GPL-2.0-only */
/* space.h - an address space: page-table roots, regions, and which CPUs may hold its translations.
 *
 * A space has a master root. Once it serves doors (space_make_serving) every CPU has a root page of
 * its own, equal to the master but for slot 254, the windows of that CPU (window.h). The kernel
 * half is shared by all roots for ever.
 * S1  a user slot of the master is filled after, and emptied before, the same slot of all other
 *     roots (root_lock).
 * S2  whoever replaces the region table waits until every fault that may still read the old one is
 *     over (space_drain); from then on no fault installs anything outside the new table's regions.
 * S3  cpu[c].active is set before CPU c loads a root of this space and cleared after it has loaded
 *     another. Between the store and the first translation there is a serialising instruction: a
 *     locked store (space_enter, call_fast_pcid.S), or, where loading the root drops every entry
 *     anyway, that very load (SDM volume 3, 8.3; call_fast.S). It counts: a call to oneself loads the
 *     root that it leaves.
 * Units: addresses and lengths in bytes.
 * Owner: reference counted. space_destroy takes the memory away; the roots go with the last
 * reference.
 * Locks: [s] space->lock (rank SPACE): map, unmap, protect, destroy, one at a time. [r] root_lock
 * (rank PAGETABLE).
 *        [a] atomic. [I] immutable. Faults take neither. Order: space, VMO, leaf or root, zone,
 *        pool, window.
 * Context: threads, interrupts on (an invalidation may have to wait for other CPUs), except where
 * said. */
#pragma once

#include "mm/pager.h"
#include "mm/region.h"
#include "mm/tlb.h"

struct window;

enum access { ACCESS_READ,
	ACCESS_WRITE,
	ACCESS_EXECUTE };

#define SPACE_MAP_BASE 0x0000001000000000ull /* where space_map looks first when it has no hint: 64 GiB */

struct space_cpu {            /* one line a CPU; written by its CPU, by others only where said */
	uint64_t root;            /* [a] root page of this CPU: the master until the space serves */
	uint32_t active;          /* [a] S3: not 0 */
	uint32_t ending;          /* the kernel's: nobody may come back here by the short way (kernel/process.c) */
	void *doors;              /* the kernel's: where the short way finds the doors of our handles (kernel/handle.h) */
	struct window *windows;   /* [a] on this CPU, that show our pages or remember them (window.h) */
	uint32_t used;            /* [a] it was active at some time: entries under a PCID may have stayed */
	uint32_t stale;           /* [a] set by others: flush when it enters next */
	uint64_t sequence;        /* [a] odd while a fault reads the region table here */
	uint32_t pcid;            /* the kernel's: under which its root was loaded last (kernel/arch/x86_64/mmu.c) */
} ALIGNED(64);

struct space {
	struct spinlock lock;
	uint32_t refs;                /* [a] */
	uint64_t id;                  /* [I] never used again; for PCIDs and traces */
	struct account *account;      /* [I] pays for tables; a reference */
	struct region_table *regions; /* [s], read under S2 */
	uint64_t root;                /* [I] physical address of the master root */
	uint64_t mapped_bytes;        /* [s] */
	struct spinlock root_lock;
	bool serving; /* [r] */
	bool dead;    /* [s] space_destroy has begun */
	struct space_cpu cpu[CPUS_MAX]; /* cpu_count() of them are used */
};

/* An empty space. ERR_NO_MEMORY, ERR_LIMIT. */
MUST_USE err_t space_create(struct account *account, struct space **out);
/* Take away all mappings, tables and windows over its pages, and drop the creator's reference. No
 * thread of it runs any more. Afterwards maps are refused with ERR_BAD_STATE and every access
 * faults. */
void space_destroy(struct space *space);
void space_ref(struct space *space);
void space_unref(struct space *space);

/* Give every CPU a root of its own. Safe to repeat. ERR_NO_MEMORY, ERR_LIMIT. */
MUST_USE err_t space_make_serving(struct space *space);
uint64_t space_root(struct space *space, uint32_t cpu); /* physical address of the root that this CPU loads */

/* Interrupts off, on this CPU, before the root is loaded. True: entries under this space's PCID are
 * stale, load with a flush (a CPU without PCID always does). Writes only this CPU's line, and
 * nothing when it is active already. */
bool space_enter(struct space *space, uint32_t cpu);
/* Interrupts off, after another root was loaded. */
static inline void space_cell_leave(struct space_cpu *cell)
{
	__atomic_store_n(&cell->active, 0, __ATOMIC_RELEASE);
}

/* Map [offset, +bytes) of `vmo` (bytes rounded up; the range must lie inside it) at `hint` with
 * SPACE_FIXED, else at or near it, or anywhere (hint 0). `max_rights` is what the handle allows;
 * `flags` must be within it, not W+X, not write-only. Nothing is committed before the first touch
 * unless SPACE_POPULATE says so, which goes as far as there is memory. ERR_ARGS, ERR_DENIED (flags
 * beyond max_rights), ERR_EXISTS (fixed, taken), ERR_NO_MEMORY, ERR_LIMIT, ERR_BAD_STATE. */
MUST_USE err_t space_map(struct space *space, struct vmo *vmo, uint64_t offset, uint64_t bytes, vaddr_t hint,
	uint32_t flags, uint32_t max_rights, vaddr_t *out);
/* Holes are no error. Splits regions at its ends: ERR_NO_MEMORY, ERR_LIMIT (regions); then nothing
 * has changed. ERR_ARGS. */
MUST_USE err_t space_unmap(struct space *space, vaddr_t address, uint64_t bytes);
/* The whole range must be mapped (ERR_NOT_FOUND), flags within each region's max_rights
 * (ERR_DENIED). As above else. */
MUST_USE err_t space_protect(struct space *space, vaddr_t address, uint64_t bytes, uint32_t flags);
/* SPACE_LARGE or 0, for first touches from now on. As space_protect else. */
MUST_USE err_t space_advise(struct space *space, vaddr_t address, uint64_t bytes, uint32_t flags);

/* Make `address` accessible. OK: try again. ERR_AGAIN: *request says what to ask whom. ERR_FAULT:
 * not mapped, not allowed, or past the VMO's end. ERR_NO_MEMORY, ERR_LIMIT. Takes no space lock;
 * faults in different 2 MiB do not meet. An address in the window slot is refilled from the
 * client's space, or from a page that nobody else sees (window.h). */
MUST_USE err_t space_fault(struct space *space, vaddr_t address, enum access access, struct pager_request *request);

/* What a futex word is known by: the same for all who map it, stable while it is mapped. */
struct futex_key {
	uint64_t vmo_id;
	uint64_t offset;
};
/* ERR_FAULT: not mapped readable and writable. ERR_ARGS: not 4-byte aligned. */
MUST_USE err_t space_futex_key(struct space *space, vaddr_t address, struct futex_key *out);

bool space_check(struct space *space); /* R1, S1, T3, translations lie in regions; takes the lock */
uint64_t space_table_pages(struct space *space);

/* For mm/ itself. */
void space_init_pools(void);
/* space_fault for a page that nobody touches yet: the accessed bit stays clear, so taking it away
 * needs no flush. */
MUST_USE err_t space_fault_ahead(struct space *space, vaddr_t address, enum access access,
	struct pager_request *request);
static inline struct region_table *space_read_begin(struct space *space) /* S2; until space_read_end on the same CPU */
{
	struct space_cpu *cell = &space->cpu[cpu_current()];

	__atomic_store_n(&cell->sequence, cell->sequence + 1, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&space->regions, __ATOMIC_SEQ_CST);
}
static inline void space_read_end(struct space *space)
{
	struct space_cpu *cell = &space->cpu[cpu_current()];

	__atomic_store_n(&cell->sequence, cell->sequence + 1, __ATOMIC_RELEASE);
}
void space_drain(struct space *space) TA_EXCL(space->lock);
/* The root's entry for `address` and, with tables to be made, everything below it down to `level`. */
MUST_USE err_t space_ensure(struct space *space, uint64_t address, uint32_t level, uint64_t **out);
