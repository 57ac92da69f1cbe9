/* SPDX-License-Identifier: GPL-2.0-only */
/* window.h - the CPU-local part of a server's space, in which a caller's buffer appears for one
 * call.
 *
 * Slot 254 of a serving space's root on one CPU: 512 GiB, cut into WINDOW_INDEXES equal parts. A
 * window owns the part of its index, so placing it needs no search: the first 2 MiB for small
 * buffers, with a level-1 table that stays once it was made; what follows for buffers of 2 MiB and
 * more, with 2 MiB leaves wherever both sides allow. Its entries are only ever in the TLB of its own
 * CPU: taking it down needs no IPI.
 *
 * Frames are not pinned. Instead a window is registered (in its CPU's list, and counted in the
 * client space's line of that CPU) before it reads the first of the client's entries; and whoever
 * takes a translation away from the client looks, after it has cleared the entries and before it
 * gives anything back, whether windows are registered, and takes the pages out of them:
 * W1  window_map: register, then read the client's entry, under the CPU's window lock.
 *     revocation: clear the entry, then look for windows; sweep them under that lock.
 *     Both sides are sequentially consistent: one of them sees the other. So no window shows a
 *     frame that was given back.
 * W2  window entries never have more rights than the client's had.
 * That costs no atomic per page and writes no line that another CPU uses; revocation pays, and only
 * where windows are open.
 *
 * A server must not suffer from what a client does to its buffer: when it touches a page that was
 * swept, space_fault maps the client's page again if there is one, else the window's sink, a page
 * of zeros that only this window has; the same when it is there to be had but its pager fails.
 *
 * Units: bytes.  Owner: the activation owns its windows.
 * Locks: the CPU's window lock (rank WAIT, interrupts off) [w].  Context: threads, interrupts on. */
#pragma once

#include "mm/space.h"

#define WINDOW_SHARE_BYTES (256ull << 20)
#define WINDOW_INDEXES 2048u /* of a space on a CPU: two for each of 1024 activations */
#define WINDOW_LENGTH_MAX (64ull << 20)

struct window {
	struct space *server;    /* [w] NULL: closed, or the server's space is gone */
	struct space *client;    /* [w] NULL: closed, or the client's space is gone */
	uint32_t cpu;            /* [w] */
	uint32_t index;          /* [I] */
	struct window_cpu *here; /* [w] of `cpu` */
	uint64_t share;          /* [I] where its part of the slot begins */
	uint64_t *table;         /* [w] level 1, of the first 2 MiB of its part; NULL: not made yet */
	uint64_t *directory;     /* [w] level 2, of its part; likewise. Both stay for ever */
	uint64_t *first;         /* [w] window_quick.c: its first entry; NULL: window.c has mapped it */
	uint64_t leaf_bits;      /* [I] of every entry */
	bool writable;           /* [w] */
	bool open;               /* [w] in the CPU's list */
	bool swept;              /* [w] entries went by a sweep whose round may still be under way: closing flushes */
	uint64_t base;           /* [w] page-aligned start in the server */
	uint64_t bytes;          /* [w] page multiple */
	uint64_t client_base;    /* [w] page-aligned start in the client */
	uint64_t sink;           /* [w] physical address; 0: none yet */
	struct window *next;     /* [w] */
	struct window **link;    /* [w] */
};

struct window_cpu {
	struct spinlock lock;
	struct window *list; /* under lock: open windows on this CPU */
} ALIGNED(64);

/* Once, with an index below WINDOW_INDEXES that no other window of that server on that CPU has. */
void window_init(struct window *window, uint32_t index);

/* Show [buffer, +bytes) of the client on `cpu`, which is this one; *out is the address of the same
 * byte in the server. The client's pages are faulted in as needed. A buffer that is itself in a
 * window of `client` on this CPU is followed to where it comes from. The window must be closed, the
 * server serving. ERR_ARGS (length 0 or over WINDOW_LENGTH_MAX), ERR_FAULT (not the client's to
 * read, or write), ERR_AGAIN (*request: ask the pager, then call again), ERR_NO_MEMORY, ERR_LIMIT,
 * ERR_BAD_STATE (not serving). The window is closed then. */
MUST_USE err_t window_map(struct space *server, uint32_t cpu, struct window *window, struct space *client,
	vaddr_t buffer, uint64_t bytes, bool writable, vaddr_t *out, struct pager_request *request);
/* Close it. On its own CPU: local flush only, never an IPI. From another CPU (an activation that is
 * torn down): one. A closed window is no error. */
void window_unmap(struct window *window);

/* The same for small buffers that need no memory and no fault, with interrupts off: false, and nothing has changed,
 * if it is not that simple. Unmapping flushes nothing: the caller drops the server's translations on this CPU next. */
MUST_USE bool window_map_quick(struct space *server, struct window *window, struct space *client, uint64_t buffer,
			       uint64_t bytes, bool writable, uint64_t *out);
MUST_USE bool window_unmap_quick(struct window *window);

bool window_check(uint32_t cpu); /* lists, counts, W2 */

/* For mm/ itself. */
struct cpu_set;
void window_init_cpus(void);
static inline void window_enlist(struct window *window, struct window_cpu *here)
{
	window->swept = false;
	window->next = here->list;
	window->link = &here->list;
	if (window->next)
		window->next->link = &window->next;
	here->list = window;
}
/* Take [first, end) of `client` out of all windows that show it. Adds to *targets the CPUs (perhaps
 * this one) on which an entry that may be cached went. */
void window_sweep(struct space *client, uint64_t first, uint64_t end, struct cpu_set *targets);
void window_detach(struct space *space, struct cpu_set *targets); /* the space dies, as client and as server */
MUST_USE err_t window_fault(struct space *server, uint64_t address, enum access access, struct pager_request *request);
/* The pager of the client's page failed: show zeros there, so that the server does not pay. ERR_FAULT: no window */
MUST_USE err_t window_give_up(struct space *server, uint64_t address);
void window_free_tables(struct space *space); /* slot 254 of all roots; all windows are detached */
