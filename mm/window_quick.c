/* SPDX-License-Identifier: GPL-2.0-only */
/* window_quick.c - windows that will be whole, in one go and with interrupts off: a buffer within 2 MiB, or one of
 * large pages and aligned like them, all of which are there, in one table of the client, shown through a table that
 * the window has had since an earlier call. Everything else returns false and takes window.c's way, to the same end.
 * Of these, what a window remembers does not even come here: call_fast_path.h shows it by itself. */
#include "mm/window.h"

#include <lintel/door.h>

static inline bool shows(uint64_t value, uint64_t wanted)
{
	return (value & wanted) == wanted;
}

static bool entries_copy(const uint64_t *from, uint64_t *to, uint64_t entries, uint64_t wanted, uint64_t bits)
{
	const uint64_t kept = PTE_ADDRESS | PTE_PWT | PTE_PCD;

	for (uint64_t i = 0; i < entries; i++) {
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

/* Small pages of the client's large leaf. */
static void entries_cut(uint64_t large, uint64_t address, uint64_t *to, uint64_t entries, uint64_t bits)
{
	uint64_t value = pte_frame(large, 2) | (large & (PTE_PWT | PTE_PCD)) | bits;

	value += address & (LARGE_PAGE_SIZE - 1);
	for (uint64_t i = 0; i < entries; i++)
		__atomic_store_n(&to[i], value + (i << PAGE_SHIFT), __ATOMIC_RELAXED);
}

static bool entries_fill(const struct window *window, const struct space *client, uint64_t *to, uint64_t entries,
			 uint32_t level)
{
	uint64_t wanted = PTE_PRESENT | (window->right ? PTE_WRITE : 0) | (level == 2 ? PTE_LARGE : 0);
	uint64_t bits = window->leaf_bits | wanted;
	uint32_t found;
	const uint64_t *from = pagetable_find(PADDR(client->root), window->client_base, &found);

	if (likely(found == level))
		return entries_copy(from, to, entries, wanted, bits);
	if (found != 2 || level != 1 || !shows(pte_load(from), wanted | PTE_LARGE))
		return false;
	entries_cut(pte_load(from), window->client_base, to, entries, bits);
	return true;
}

/* [buffer, +bytes) in leaves of that level, into `to`. */
static bool map_at(struct window *window, struct space *client, uint64_t *to, uint64_t entries, uint32_t level)
{
	window_register(window, client); /* W1 */
	if (unlikely(client->dead || window->server->dead || !entries_fill(window, client, to, entries, level))) {
		window_unregister(window);
		return false;
	}
	window_set_whole(window, to, (uint32_t)entries);
	mm_counter_add(&mm_counters[window->cpu].window_maps, entries);
	return true;
}

static void place(struct window *window, uint64_t buffer, uint64_t bytes, uint64_t base)
{
	window->client_base = buffer;
	window->client_limit = buffer + bytes;
	window->bytes = bytes;
	window->base = base;
	window->shift = base - buffer;
}

static bool map_large(struct window *window, struct space *client, uint64_t buffer, uint64_t bytes)
{
	uint64_t entries = bytes / LARGE_PAGE_SIZE;

	if (window->directory == NULL || ((buffer | bytes) & (LARGE_PAGE_SIZE - 1)) || bytes > WINDOW_LENGTH_MAX ||
	    level_index(buffer, 2) + entries > PTES_PER_TABLE)
		return false;
	place(window, buffer, bytes, window->share + LARGE_PAGE_SIZE);
	return map_at(window, client, window->directory + level_index(window->base, 2), entries, 2);
}

static bool map_small(struct window *window, struct space *client, uint64_t first, uint64_t pages)
{
	uint32_t slot = level_index(first, 1);

	if (window->table == NULL)
		return false;
	place(window, first, pages << PAGE_SHIFT, window->share + ((uint64_t)slot << PAGE_SHIFT));
	return map_at(window, client, window->table + slot, pages, 1);
}

bool window_map_quick(struct space *server, struct window *window, struct space *client, uint64_t buffer,
		      uint64_t bytes, bool writable, uint64_t *out)
{
	uint64_t first = buffer & ~PAGE_MASK;
	uint64_t pages = ((buffer & PAGE_MASK) + bytes + PAGE_MASK) >> PAGE_SHIFT;
	uint32_t slot = level_index(buffer, 1);

	/* A server says that this window was open before, so that it has its CPU. */
	if (unlikely(window->server != server || bytes > WINDOW_LENGTH_MAX ||
		     buffer - USER_BASE >= WINDOW_BASE - USER_BASE))
		return false;
	window_forget(window);
	window->right = writable ? WINDOW_WRITE : 0;
	if (!(bytes >= LARGE_PAGE_SIZE && map_large(window, client, buffer, bytes)) &&
	    !(slot + pages <= PTES_PER_TABLE && map_small(window, client, first, pages)))
		return false;
	*out = window->base + (buffer & PAGE_MASK);
	return true;
}
