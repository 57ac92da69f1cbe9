/* SPDX-License-Identifier: GPL-2.0-only */
/* window_quick.c - the common windows in a few dozen instructions: a buffer of a few pages, or of a few large pages and
 * aligned like them, that are all there, in one table of the client, shown through a table that the window has had
 * since an earlier call. Everything else returns false, with nothing changed, and takes window.c's way; the result is
 * the same, and so are W1, W2 and the list.
 *
 * Interrupts are off, and the lock is only tried: who waited for it would have to answer rounds, which its caller
 * (kernel/arch/x86_64/call_fast.S) must not. It is this CPU's own; only a revocation of such a client can hold it. */
#include "mm/window.h"

#define QUICK_ENTRIES 16u
#define ONE_LEVEL static inline __attribute__((always_inline)) /* compiled once for pages, once for large pages */

/* The client's entries from `address` on, at `level`; or its larger leaf there: NULL, and *large. */
ONE_LEVEL uint64_t *client_entries(const struct space *client, uint64_t address, uint32_t level, uint64_t *large)
{
	uint64_t value = pte_load((uint64_t *)phys_to_virt(PADDR(client->root)) + level_index(address, 4));

	*large = 0;
	if (!pte_is_table(value, 4))
		return NULL;
	value = pte_load(&pte_table(value)[level_index(address, 3)]);
	if (!pte_is_table(value, 3))
		return NULL;
	if (level == 2)
		return &pte_table(value)[level_index(address, 2)];
	value = pte_load(&pte_table(value)[level_index(address, 2)]);
	if (pte_is_table(value, 2))
		return &pte_table(value)[level_index(address, 1)];
	*large = value;
	return NULL;
}

static inline bool shows(uint64_t value, uint64_t wanted)
{
	return (value & wanted) == wanted;
}

ONE_LEVEL bool entries_fill(const struct window *window, uint64_t *to, uint64_t count, uint32_t level)
{
	const uint64_t kept = PTE_ADDRESS | PTE_PWT | PTE_PCD;
	uint64_t wanted = PTE_PRESENT | (window->writable ? PTE_WRITE : 0) | (level == 2 ? PTE_LARGE : 0);
	uint64_t bits = window->leaf_bits | wanted;
	uint64_t large;
	const uint64_t *from = client_entries(window->client, window->client_base, level, &large);

	if (likely(from != NULL)) {
		for (uint64_t i = 0; i < count; i++) {
			uint64_t value = pte_load(&from[i]);

			if (unlikely(!shows(value, wanted))) {
				while (i-- > 0) /* never loaded here, so in no TLB */
					__atomic_store_n(&to[i], 0, __ATOMIC_RELAXED);
				return false;
			}
			__atomic_store_n(&to[i], (value & kept) | bits, __ATOMIC_RELAXED);
		}
		return true;
	}
	if (!shows(large, wanted | PTE_LARGE))
		return false;
	large = pte_frame(large, 2) | (large & (PTE_PWT | PTE_PCD)) | bits;
	large += window->client_base & (LARGE_PAGE_SIZE - 1);
	for (uint64_t i = 0; i < count; i++)
		__atomic_store_n(&to[i], large + (i << PAGE_SHIFT), __ATOMIC_RELAXED);
	return true;
}

/* [buffer, +count units) as leaves of that level, into `to`. */
ONE_LEVEL bool map_at(struct space *server, struct window *window, struct space *client, uint64_t buffer,
		      uint64_t count, bool writable, uint64_t *to, uint32_t level)
{
	struct window_cpu *here = window->here;
	uint32_t *windows = &client->cpu[window->cpu].windows;

	if (unlikely(!spin_try_lock(&here->lock)))
		return false;
	window->server = server;
	window->client = client;
	window->writable = writable;
	window->bytes = count << (level == 1 ? PAGE_SHIFT : 21);
	window->client_base = buffer & ~PAGE_MASK;
	window->base = window->share + (level == 1 ? buffer & (LARGE_PAGE_SIZE - 1) & ~PAGE_MASK : LARGE_PAGE_SIZE);
	window->first = to;
	window->open = true;
	/* W1: counted, by a locked instruction, before the first look at the client's entries. */
	__atomic_fetch_add(windows, 1, __ATOMIC_SEQ_CST);
	if (unlikely(client->dead || server->dead || !entries_fill(window, to, count, level))) {
		__atomic_fetch_sub(windows, 1, __ATOMIC_SEQ_CST);
		window->server = window->client = NULL;
		window->open = false;
		spin_unlock(&here->lock);
		return false;
	}
	window_enlist(window, here);
	spin_unlock(&here->lock);
	mm_counter_add(&mm_counters[window->cpu].window_maps, count);
	return true;
}

static COLD bool map_large(struct space *server, struct window *window, struct space *client, uint64_t buffer,
			   uint64_t bytes, bool writable)
{
	uint64_t count = bytes / LARGE_PAGE_SIZE;

	if (window->directory == NULL || ((buffer | bytes) & (LARGE_PAGE_SIZE - 1)) || count > QUICK_ENTRIES ||
	    level_index(buffer, 2) + count > PTES_PER_TABLE || buffer - USER_BASE >= WINDOW_BASE - USER_BASE)
		return false;
	return map_at(server, window, client, buffer, count, writable,
		      window->directory + level_index(window->share + LARGE_PAGE_SIZE, 2), 2);
}

bool window_map_quick(struct space *server, struct window *window, struct space *client, uint64_t buffer,
		      uint64_t bytes, bool writable, uint64_t *out)
{
	uint64_t count = ((buffer & PAGE_MASK) + bytes + PAGE_MASK) >> PAGE_SHIFT;
	uint32_t slot = level_index(buffer, 1);

	/* A table says that this window was open before, so that `here` and `cpu` are set, too. */
	if (unlikely(count > QUICK_ENTRIES)) {
		if (bytes < LARGE_PAGE_SIZE || !map_large(server, window, client, buffer, bytes, writable))
			return false;
	} else if (window->table == NULL || slot + count > PTES_PER_TABLE ||
		   buffer - USER_BASE >= WINDOW_BASE - USER_BASE ||
		   !map_at(server, window, client, buffer, count, writable, window->table + slot, 1)) {
		return false;
	}
	*out = window->base + (buffer & PAGE_MASK);
	return true;
}

static COLD bool is_all_large(const struct window *window)
{
	for (uint64_t i = 0; i < window->bytes / LARGE_PAGE_SIZE; i++)
		if (pte_is_table(pte_load(&window->first[i]), 2)) /* it was swept, and came back in small pages */
			return false;
	return true;
}

bool window_unmap_quick(struct window *window)
{
	struct window_cpu *here = window->here;
	uint64_t *entry = window->first;
	uint64_t count = window->bytes >> PAGE_SHIFT;

	if (!window->open)
		return true;
	if (window->first == NULL || !spin_try_lock(&here->lock)) /* NULL: window.c has mapped it */
		return false;
	if (unlikely(count > QUICK_ENTRIES))
		count = is_all_large(window) ? window->bytes / LARGE_PAGE_SIZE : 0;
	if (unlikely(window->swept || window->sink || !window->server || !window->client || count == 0)) {
		spin_unlock(&here->lock);
		return false;
	}
	do
		__atomic_store_n(entry++, 0, __ATOMIC_RELAXED);
	while (--count != 0);
	*window->link = window->next;
	if (window->next)
		window->next->link = window->link;
	/* Not locked: this CPU alone counts here, save for window_detach, which has our lock. */
	window->client->cpu[window->cpu].windows--;
	window->server = window->client = NULL;
	window->open = false;
	spin_unlock(&here->lock);
	return true;
}
