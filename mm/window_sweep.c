/* SPDX-License-Identifier: GPL-2.0-only */
/* window_sweep.c - what is taken away from windows: pages of a client, and the spaces of both sides at their end (W1 of
 * window.h). All of it on the window's own CPU, with interrupts off: in a round, if need be. */
#include "mm/window.h"

struct cpu_set window_cpus_of(struct space *client)
{
	struct cpu_set found = { 0 };

	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++)
		if (__atomic_load_n(&client->cpu[cpu].windows, __ATOMIC_SEQ_CST))
			found.bits |= 1ull << cpu;
	return found;
}

/* Take [first, end) of the client's addresses out of an open window. True: see window_sweep. */
static bool window_take(struct window *window, uint64_t first, uint64_t end)
{
	uint64_t from = window->client_base > first ? window->client_base : first;
	uint64_t to = window->client_limit < end ? window->client_limit : end;

	if (from >= to)
		return false;
	window->state = WINDOW_MENDED;
	window->entries = 0;
	if (!window->server || !window_clear(window, from + window->shift, to + window->shift))
		return false;
	if (root_current() == space_root(window->server, window->cpu))
		return true;
	__atomic_store_n(&window->server->cpu[window->cpu].stale, 1, __ATOMIC_SEQ_CST);
	return false;
}

bool window_sweep(struct space *client, uint64_t first, uint64_t end, bool remote)
{
	bool flush = false;
	struct window *next;

	for (struct window *window = client->cpu[cpu_current()].windows; window; window = next) {
		next = window->next;
		if (window->state != WINDOW_CLOSED)
			flush |= window_take(window, first, end);
		else if (remote || (window->client_base < end && first < window->client_limit))
			window_forget(window);
	}
	return flush;
}

/* ---- the end of a space ---- */

static bool detach_client(struct space *space, uint32_t cpu)
{
	bool flush = false;

	while (space->cpu[cpu].windows) {
		struct window *window = space->cpu[cpu].windows;

		if (window->state == WINDOW_CLOSED) {
			window_forget(window);
			continue;
		}
		flush |= window_take(window, 0, UINT64_MAX);
		window_unregister(window);
	}
	return flush;
}

static void detach_server(struct space *space, uint32_t cpu)
{
	struct window **link = &window_lists[cpu];

	while (*link) {
		struct window *window = *link;

		if (window->server != space) {
			link = &window->all_next;
			continue;
		}
		*link = window->all_next;
		window_unregister(window);
		window->entries = 0;
		window->table = window->directory = NULL;
		window->server = NULL;
		if (window->state != WINDOW_CLOSED)
			window->state = WINDOW_MENDED;
	}
}

static void detach_run(void *argument)
{
	struct space *space = argument;
	uint32_t cpu = cpu_current();

	if (detach_client(space, cpu))
		tlb_local_all();
	if (space->serving)
		detach_server(space, cpu);
}

void window_detach(struct space *space)
{
	struct cpu_set targets = window_cpus_of(space);
	uint64_t state = interrupts_off();
	uint64_t here = 1ull << cpu_current();

	if (space->serving)
		targets.bits = cpu_count() == CPUS_MAX ? UINT64_MAX : (1ull << cpu_count()) - 1;
	if (targets.bits & here)
		detach_run(space);
	interrupts_restore(state);
	targets.bits &= ~here;
	if (targets.bits) {
		mm_counter_add(&mm_counters[cpu_current()].tlb_rounds, 1);
		tlb_round(targets, detach_run, space);
	}
}

void window_free_tables(struct space *space)
{
	for (uint32_t cpu = 0; space->serving && cpu < cpu_count(); cpu++) {
		uint64_t value;

		if (space->cpu[cpu].root == space->root)
			continue;
		value = pte_exchange((uint64_t *)phys_to_virt(PADDR(space_root(space, cpu))) + WINDOW_SLOT, 0);
		if (pte_is_table(value, 4))
			pagetable_free_below(value, 4, space->account);
	}
}

/* ---- checks ---- */

/* W2: what a window shows is what its client shows, with no more rights. */
static bool window_check_entries(struct window *window)
{
	struct space *client = window_client(window);

	for (uint64_t done = 0; done < window->bytes;) {
		uint32_t level;
		uint32_t from_level = 1;
		uint64_t value = pte_load(window_entry(window, window->base + done, &level));
		uint64_t from = window->client_base + done;
		uint64_t shown;
		uint64_t step = level_bytes(level) - ((window->base + done) & (level_bytes(level) - 1));

		if (pte_is_leaf(value, level) && pte_frame(value, level) != window->sink) {
			uint64_t theirs =
				client ? pte_load(pagetable_find(PADDR(client->root), from, &from_level)) : 0;

			if (!pte_is_leaf(theirs, from_level) || ((value & PTE_WRITE) && !(theirs & PTE_WRITE)))
				return false;
			shown = pte_frame(theirs, from_level) + (from & (level_bytes(from_level) - 1));
			if (shown != pte_frame(value, level))
				return false;
		}
		done += step;
	}
	return true;
}

/* W2 and the entries of a whole window, or of one that remembers. */
static bool window_check_whole(struct window *window)
{
	uint64_t present = window->state == WINDOW_CLOSED ? 0 : PTE_PRESENT;
	struct space *client = window_client(window);

	for (uint32_t i = 0; i < window->entries; i++) {
		uint64_t bytes = window->bytes / window->entries;
		uint32_t level;
		uint64_t theirs = client ? pte_load(pagetable_find(PADDR(client->root), window->client_base + i * bytes,
								   &level)) : 0;
		uint64_t ours = pte_load(&window->first[i]);

		if ((ours & PTE_PRESENT) != present || !(theirs & PTE_PRESENT) ||
		    (window->right && !(theirs & PTE_WRITE)))
			return false;
		if ((ours & PTE_ADDRESS & ~(bytes - 1)) !=
		    pte_frame(theirs, level) + (i * bytes + window->client_base) % level_bytes(level))
			return false;
	}
	return true;
}

bool window_check(uint32_t cpu)
{
	bool good = true;

	for (struct window *window = window_lists[cpu]; window; window = window->all_next) {
		good = good && window->cpu == cpu && window->server;
		good = good && (!window->shows || *window->link == window);
		if (window->state == WINDOW_CLOSED)
			good = good && !window->shows == !window->entries; /* W3 */
		else
			good = good && window_check_entries(window);
		good = good && window_check_whole(window);
	}
	return good;
}
