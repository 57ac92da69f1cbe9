/* SPDX-License-Identifier: BSD-2-Clause */
/* types.h - the scalar types, object types, rights, signals and flags of the ABI. */
#pragma once

#include <lintel/compiler.h>

/* Results: 0 or a negative value of errors.def. Values come back through a last `*out`, written
 * only on OK. */
typedef int32_t err_t;
#include <lintel/errors.h> /* generated from abi/errors.def: enum lintel_error */

/* A handle: low 16 bits index into the process's table, high 16 bits generation (never 0). 0 is no
 * handle. */
typedef uint32_t handle_t;
#define HANDLE_NONE 0u
#define HANDLE_INDEX_BITS 16

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ull
#define PAGE_MASK (PAGE_SIZE - 1)
#define LARGE_PAGE_SIZE (2ull << 20)
#define HUGE_PAGE_SIZE (1ull << 30)

/* All times are nanoseconds of the monotonic clock since boot; a deadline of 0 has passed
 * already. */
#define DEADLINE_NEVER UINT64_MAX

enum object_type {
	OBJECT_NONE = 0,
	OBJECT_PROCESS = 1,
	OBJECT_THREAD = 2,
	OBJECT_VMO = 3,
	OBJECT_DOOR = 4,
	OBJECT_EVENT = 5,
	OBJECT_INTERRUPT = 6,
	OBJECT_RESOURCE = 7,
	OBJECT_TYPES
};

/* Rights on a handle. A handle is never widened. */
enum right {
	RIGHT_DUPLICATE = 1u << 0, /* handle_duplicate */
	RIGHT_TRANSFER = 1u << 1,  /* pass it in a door call, or grant it to a new process */
	RIGHT_READ = 1u << 2,      /* vmo: read and map readable. resource, process, thread: inspect */
	RIGHT_WRITE = 1u << 3,     /* vmo: write and map writable, resize */
	RIGHT_EXECUTE = 1u << 4,   /* vmo: map executable */
	RIGHT_WAIT = 1u << 5,      /* wait for the object's signals */
	RIGHT_SIGNAL = 1u << 6,    /* event: signal */
	RIGHT_CALL = 1u << 7,      /* door: call */
	RIGHT_SERVE = 1u << 8,     /* door: mint badges, take closed badges. vmo: supply and revoke */
	/* process, thread: map, grant, start, kill. resource: use and divide. */
	RIGHT_MANAGE = 1u << 9,
	RIGHTS_ALL = (1u << 10) - 1,
	RIGHTS_SAME = 1u << 31 /* handle_duplicate: keep the rights as they are */
};

/* Signals: a level-triggered word on every object; object_wait returns when one of the wanted bits
 * is set. */
enum signal {
	SIGNAL_TERMINATED = 1u << 0,   /* process or thread: it has ended */
	SIGNAL_INTERRUPT = 1u << 1,    /* interrupt: one has come and was not acknowledged */
	SIGNAL_BADGE_CLOSED = 1u << 2, /* door: door_closed has a badge to give */
	SIGNAL_PEER_DIED = 1u << 3,    /* door: the serving process is gone */
	/* door: callers wait because no activation is free; cleared when one is donated */
	SIGNAL_STARVED = 1u << 4,
	SIGNAL_USER_SHIFT = 8,         /* event: bits 8..31 are the user's */
	SIGNAL_USER_MASK = 0xffffff00
};

/* space_map protections and flags. Writable and executable together is refused (W^X). */
enum space_flag {
	SPACE_READ = 1u << 0,
	SPACE_WRITE = 1u << 1,
	SPACE_EXECUTE = 1u << 2,
	SPACE_FIXED = 1u << 3,    /* at `hint` exactly; ERR_EXISTS if anything is there */
	/* fill the page tables now (no effect on pages that a pager has not supplied) */
	SPACE_POPULATE = 1u << 4,
	SPACE_GUARD = 1u << 5,    /* keep one unmapped page below and above */
	/* anonymous memory in 2 MiB pages: the first touch of 2 MiB that are aligned, in the mapping and in the VMO,
	 * commits all of them, if there are that many in one piece */
	SPACE_LARGE = 1u << 6,
	SPACE_FLAGS_ALL = (1u << 7) - 1
};

/* VMO flags (vmo_create, vmo_create_physical). */
enum vmo_flag {
	VMO_RESIZABLE = 1u << 0,
	VMO_UNCACHED = 1u << 1,      /* physical only: MMIO */
	VMO_WRITE_COMBINE = 1u << 2, /* physical only */
	VMO_CONTIGUOUS = 1u << 3,    /* anonymous only: physically contiguous, committed at creation */
	VMO_FLAGS_ALL = (1u << 4) - 1
};

enum zone_kind { ZONE_RAM = 0, ZONE_PMEM = 1, ZONE_DEVICE_COHERENT = 2, ZONE_DEVICE_PRIVATE = 3, ZONE_P2P = 4 };

enum resource_kind {
	RESOURCE_ROOT = 0,   /* divides into all the others */
	RESOURCE_SYSTEM = 1, /* info, log, power, open a process */
	RESOURCE_PORT = 2,   /* x86 I/O ports [base, base+len) */
	RESOURCE_IRQ = 3,    /* global system interrupts [base, base+len) */
	RESOURCE_MMIO = 4,   /* physical addresses [base, base+len) outside RAM and PMEM zones */
	/* zones [base, base+len), by index, except RAM: zone_open gives a VMO over one */
	RESOURCE_ZONE = 5,
	RESOURCE_KINDS
};

/* Exit status of a process that a fault ended: this, less the exception's number (a page fault's is
 * 14). */
#define EXIT_STATUS_FAULT (-100)

/* One entry of process_grant_many. */
struct grant_item {
	handle_t handle;
	uint32_t rights; /* RIGHTS_SAME keeps them */
	handle_t theirs; /* out: its number in the process's table */
};
#define GRANT_ITEMS_MAX 64

/* One entry of object_wait_many. */
struct wait_item {
	handle_t handle;
	uint32_t wanted;   /* signal bits */
	uint32_t observed; /* out: the object's signals when the wait ended */
};
#define WAIT_ITEMS_MAX 64
