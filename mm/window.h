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
 *   closed ---window_map---> open: whole or mended ---window_unmap---> closed
 *
 * A window that was whole when it was closed remembers: its entries stay where they are, without
 * PTE_PRESENT, and the same buffer of the same client is shown again by setting that bit (in
 * kernel/arch/x86_64/call_fast_path.h: a few dozen instructions). An open window is whole while each of
 * its entries is there, side by side in one table; what is swept and comes back page by page is
 * mended, and forgotten when it is closed.
 *
 * Frames are not pinned. Instead a window is registered (in a list of the client's space, for that
 * CPU) before it reads the first of the client's entries; and whoever takes a translation away from
 * the client looks, after it has cleared the entries and before it gives anything back, whether
 * windows are registered, and takes the pages out of them, open or remembered:
 * W1  window_map: register, then read the client's entry, with interrupts off.
 *     revocation: clear the entry, then look for windows; a round of their CPUs sweeps them.
 *     Both sides are sequentially consistent: one of them sees the other, and the round comes
 *     before the look or after the entry is written. So no window shows a frame that was given back.
 * W2  window entries never have more rights than the client's had.
 * W3  a closed window is registered exactly while it remembers.
 * That costs no lock, no atomic per page, and writes no line that another CPU writes; revocation
 * pays, and only where windows are. A revocation that comes from another CPU makes that client's
 * closed windows forget, so that the next one need not come.
 *
 * A server must not suffer from what a client does to its buffer: when it touches a page that was
 * swept, space_fault maps the client's page again if there is one, else the window's sink, a page
 * of zeros that only this window has; the same when it is there to be had but its pager fails.
 *
 * Units: bytes.  Owner: the activation owns its windows.
 * Locks: none. [c]: by the window's CPU only, with interrupts off; others come in a round. [a], [I].
 * Context: threads, interrupts on, unless said. */
#pragma once

#include "mm/space.h"

#define WINDOW_SHARE_BYTES (256ull << 20)
#define WINDOW_INDEXES 2048u /* of a space on a CPU: two for each of 1024 activations */
#define WINDOW_LENGTH_MAX (64ull << 20)

enum window_state {
	WINDOW_CLOSED = 0,
	WINDOW_WHOLE = 1,
	WINDOW_MENDED = 2, /* or too large to be whole */
};

struct window { /* call_fast_path.h knows the members up to `state` by their offsets */
	struct space_cpu *shows; /* [c] the client's cell on this CPU, in whose list it is. NULL: in none */
	uint64_t client_limit;     /* [c] client_base + bytes */
	uint64_t bytes;          /* [c] page multiple */
	uint64_t right;          /* [c] WINDOW_WRITE or 0 */
	uint64_t *first;         /* [c] whole or remembering: its first entry, ... */
	uint32_t entries;        /* [c] ... and how many follow side by side. 0: neither */
	uint32_t state;          /* [c] enum window_state */
	uint64_t shift;          /* [c] base - client_base */
	uint64_t base;           /* [c] page-aligned start in the server */
	uint64_t client_base;    /* [c] page-aligned start in the client */
	struct space *server;    /* [c] set when it was first open; NULL: not yet, or the space is gone */
	struct window *next;     /* [c] in shows->windows */
	struct window **link;    /* [c] */
	struct window *all_next; /* [c] in the CPU's list of all windows with a server */
	uint64_t share;          /* [I] where its part of the slot begins */
	uint64_t *table;         /* [c] level 1, of the first 2 MiB of its part; NULL: not made yet */
	uint64_t *directory;     /* [c] level 2, of its part; likewise. Both stay for ever */
	uint64_t leaf_bits;      /* [I] of every entry */
	uint64_t sink;           /* [c] physical address; 0: none yet */
	uint32_t cpu;            /* [I] once it has a server */
};

/* Once, with an index below WINDOW_INDEXES that no other window of that server on that CPU has. */
void window_init(struct window *window, uint32_t index);
/* Before its memory goes: it is closed. On its own CPU, or after the server's space is gone. */
void window_end(struct window *window);

/* Show [buffer, +bytes) of the client on `cpu`, which is this one, now and for good; *out is the
 * address of the same byte in the server. The client's pages are faulted in as needed. A buffer that
 * is itself in a window of `client` on this CPU is followed to where it comes from. The window must
 * be closed, the server serving. ERR_ARGS (length 0 or over WINDOW_LENGTH_MAX), ERR_FAULT (not the
 * client's to read, or write), ERR_AGAIN (*request: ask the pager, then call again), ERR_NO_MEMORY,
 * ERR_LIMIT, ERR_BAD_STATE (not serving). The window is closed then. */
MUST_USE err_t window_map(struct space *server, uint32_t cpu, struct window *window, struct space *client,
	vaddr_t buffer, uint64_t bytes, bool writable, vaddr_t *out, struct pager_request *request);
/* Close it, on its own CPU: local flush only, never an IPI. A closed window is no error. */
void window_unmap(struct window *window);

/* The same with interrupts off, for windows that will be whole and need no memory and no fault:
 * false, and the window is closed, if it is not that simple. */
MUST_USE bool window_map_quick(struct space *server, struct window *window, struct space *client, uint64_t buffer,
			       uint64_t bytes, bool writable, uint64_t *out);

/* Close one that is whole: it remembers. */
void window_close_whole(struct window *window);

bool window_check(uint32_t cpu); /* lists, states, W2, W3; of this CPU's own, or while it is quiet */

/* For mm/ itself: revocation. */
struct cpu_set window_cpus_of(struct space *client); /* where windows may show its pages (W1) */
/* On this CPU, interrupts off: take [first, end) of `client` out of its windows. `remote`: for a
 * revocation on another CPU. True: the current root may have lost entries that this TLB holds. */
MUST_USE bool window_sweep(struct space *client, uint64_t first, uint64_t end, bool remote);
void window_detach(struct space *space); /* the space dies, as client and as server */
MUST_USE err_t window_fault(struct space *server, uint64_t address, enum access access, struct pager_request *request);
/* The pager of the client's page failed: show zeros there, so that the server does not pay. ERR_FAULT: no window */
MUST_USE err_t window_give_up(struct space *server, uint64_t address);
void window_free_tables(struct space *space); /* slot 254 of all roots; all windows are detached */

/* For window_quick.c and window_sweep.c. Interrupts off, on the window's CPU. */
extern struct window *window_lists[CPUS_MAX]; /* [c] all windows with a server */
void window_adopt(struct window *window, struct space *server, uint32_t cpu);
void window_register(struct window *window, struct space *client);
void window_unregister(struct window *window);
struct space *window_client(const struct window *window); /* NULL: its space is gone */
/* Clear the entries in [first, end) of the server's addresses; true if a TLB may hold one. */
bool window_clear(struct window *window, uint64_t first, uint64_t end);
/* Clear what it remembers. */
void window_forget(struct window *window);
/* Make it whole, from `first` on, all `entries` of which are there. */
void window_set_whole(struct window *window, uint64_t *first, uint32_t entries);
/* Closing a whole window: its entries stay, not present. Flushes nothing: the caller drops the
 * server's translations on this CPU next. */
static inline void window_hide(struct window *window)
{
	for (uint32_t i = 0; i < window->entries; i++)
		__atomic_store_n(&window->first[i], window->first[i] & ~PTE_PRESENT, __ATOMIC_RELAXED);
	window->state = WINDOW_CLOSED;
}
uint64_t *window_entry(const struct window *window, uint64_t address, uint32_t *level);
struct window *window_find(const struct space *server, uint64_t address);
