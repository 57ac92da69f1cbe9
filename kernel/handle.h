/* SPDX-License-Identifier: GPL-2.0-only */
/* handle.h - a process's table of handles: index + generation -> object and rights.
 * Locks: [h] table->lock (rank PROCESS). Look-ups return with a reference on the object.
 * Context: threads. */
#pragma once

#include "kernel/object.h"

#define HANDLES_MAX 65535u /* a table grows by pages up to this; index 0 is never used */

struct handle_slot {
	struct object *object; /* [h] NULL: free */
	uint32_t rights;       /* [h] */
	uint16_t generation;   /* [h] counts up at every close, skipping 0: a stale handle finds nothing */
	uint16_t next_free;    /* [h] the free list is a FIFO: a number comes back as late as possible */
};
_Static_assert(sizeof(struct handle_slot) == 16, "four slots a cache line");

/* Beside each slot, in a page like the slot's: its door, for call_fast_path.h, which looks it up without the lock.
 * Neither moves, and their pages stay until the process ends.
 * L1  `handle` is the slot's while that is a door that may be called, else HANDLE_NONE. Filling: door, then handle.
 *     Emptying: handle. So between two looks that find the handle, `door` is the one that it was given with.
 * L2  a door is freed only after every CPU has taken a round since its last handle went (retire.c), and who reads
 *     without the lock has interrupts off: the door that it finds stays until it is done.
 * L3  pages that are not there are `no_doors`, which has none: a look-up needs no bound. Index 0 has none either. */
struct handle_door {
	uint64_t handle;    /* [h] 64 bits, to be compared with handle | timeout_us << 32 */
	struct object *door; /* [h] */
};
_Static_assert(sizeof(struct handle_door) == sizeof(struct handle_slot), "found at the same offset");
#define HANDLE_SLOTS_PER_PAGE (PAGE_SIZE / sizeof(struct handle_slot))
#define HANDLE_PAGES ((HANDLES_MAX + HANDLE_SLOTS_PER_PAGE) / HANDLE_SLOTS_PER_PAGE)

struct handle_pages { /* [h], only ever set */
	struct handle_slot *slots[HANDLE_PAGES];
	struct handle_door *doors[HANDLE_PAGES];
};

struct handle_table {
	struct spinlock lock;
	struct handle_pages *pages; /* [I] NULL: cleared */
	uint32_t slots;             /* [h] in the pages that are there */
	uint32_t used;              /* [h], read freely */
	uint32_t fresh;             /* [h] slots from here on were never used, and hold nothing that means anything */
	uint32_t first_free;        /* [h] 0: none */
	uint32_t last_free;         /* [h] */
	bool closed;                /* [h] the process is ending: nothing can be added */
	struct account *account;    /* [I] who pays for the pages */
};

static inline void *handle_table_doors(struct handle_table *table) /* for struct space_cpu */
{
	return table->pages->doors;
}
MUST_USE err_t handle_table_init(struct handle_table *table, struct account *account);
void handle_table_clear(struct handle_table *table); /* closes everything; frees the pages; repeats harmlessly */

/* Takes over nothing: adds a reference and a handle count of its own. */
/* ERR_LIMIT, ERR_NO_MEMORY, ERR_BAD_STATE (the table was cleared). */
MUST_USE err_t handle_add(struct handle_table *table, struct object *object, uint32_t rights, handle_t *out);
MUST_USE err_t handle_close(struct handle_table *table, handle_t handle);

/* ERR_BAD_HANDLE, ERR_WRONG_TYPE (type OBJECT_NONE: any), ERR_DENIED; *out has a reference that the caller drops. */
MUST_USE err_t handle_get(struct handle_table *table, handle_t handle, enum object_type type, uint32_t rights,
			  struct object **out);
MUST_USE err_t handle_rights(struct handle_table *table, handle_t handle, uint32_t *type, uint32_t *rights);
/* Whatever it is, with the rights that it has: for who gives it on. ERR_BAD_HANDLE, ERR_DENIED (less than `needed`);
 * *out has a reference that the caller drops. */
MUST_USE err_t handle_look(struct handle_table *table, handle_t handle, uint32_t needed, struct object **out,
			   uint32_t *have);

/* What a copy with `wanted` rights may have: ERR_ARGS for unknown bits, ERR_DENIED for more than `have`. */
MUST_USE err_t handle_narrow(uint32_t have, uint32_t wanted, uint32_t *out);

/* Move (doors): take checks the RIGHT_TRANSFER of up to DOOR_HANDLES handles and removes them all or none; *out holds
 * the handle's own reference and count, which handle_drop drops. */
struct handle_moved {
	struct object *object; /* NULL: none */
	uint32_t rights;
};
MUST_USE err_t handle_take(struct handle_table *table, const handle_t *handles, uint32_t count,
			   struct handle_moved *out);
void handle_drop(const struct handle_moved *moved, uint32_t count);
