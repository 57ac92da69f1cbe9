/* SPDX-License-Identifier: GPL-2.0-only */
/* window.c - callers' buffers in a server's space, on one CPU (see window.h for W1 to W3): how one is
 * opened, filled and closed, when not all is there yet.
 *
 * A window is filled in steps. Each step, with interrupts off, reads one entry of the client and
 * writes one of the window, and says what is missing: a table of the window, or the client's page.
 * Those are seen to with interrupts on. */
#include "mm/window.h"
#include "mm/revoke.h"

#include <lintel/door.h>

#define TABLE_BITS (PTE_PRESENT | PTE_WRITE | PTE_USER)
#define STEPS_AT_ONCE 2u /* runs of up to 512 pages: interrupts are off that long */
#define FLUSH_PAGES_MAX 32u

struct window *window_lists[CPUS_MAX];

enum step { STEP_FILLED,
	STEP_NEEDS_TABLE,
	STEP_NEEDS_DIRECTORY,
	STEP_NEEDS_PAGE,
	STEP_CLIENT_GONE,
	STEP_SERVER_GONE };

void window_init(struct window *window, uint32_t index)
{
	ASSERT(index < WINDOW_INDEXES);
	*window = (struct window){
		.share = WINDOW_BASE + index * WINDOW_SHARE_BYTES,
		.leaf_bits = PTE_PRESENT | PTE_USER | pagetable_nx(),
	};
}

/* ---- registration ---- */

struct space *window_client(const struct window *window)
{
	return window->shows ? (struct space *)(void *)((char *)(window->shows - window->cpu) - offsetof(struct space, cpu))
			     : NULL;
}

void window_register(struct window *window, struct space *client)
{
	struct space_cpu *cell = &client->cpu[window->cpu];

	if (window->shows == cell)
		return;
	window_unregister(window);
	window->shows = cell;
	window->next = cell->windows;
	window->link = &cell->windows;
	if (window->next)
		window->next->link = &window->next;
	__atomic_store_n(&cell->windows, window, __ATOMIC_SEQ_CST); /* W1: seen before an entry is read */
}

void window_unregister(struct window *window)
{
	if (!window->shows)
		return;
	if (window->next)
		window->next->link = window->link;
	__atomic_store_n(window->link, window->next, __ATOMIC_RELAXED);
	window->shows = NULL;
}

void window_adopt(struct window *window, struct space *server, uint32_t cpu)
{
	ASSERT(window->state == WINDOW_CLOSED && cpu == cpu_current());
	if (window->server) {
		ASSERT(window->server == server && window->cpu == cpu);
		return;
	}
	window->server = server;
	window->cpu = cpu;
	window->all_next = window_lists[cpu];
	window_lists[cpu] = window;
}

void window_end(struct window *window)
{
	uint64_t state = interrupts_off();
	struct window **link = &window_lists[window->cpu];

	ASSERT(window->state == WINDOW_CLOSED);
	if (window->server) {
		ASSERT(window->cpu == cpu_current());
		window_forget(window);
		while (*link != window)
			link = &(*link)->all_next;
		*link = window->all_next;
		window->server = NULL;
	}
	ASSERT(!window->shows);
	interrupts_restore(state);
}

/* ---- entries ---- */

static uint64_t *window_slot(struct space *server, uint32_t cpu)
{
	return (uint64_t *)phys_to_virt(PADDR(space_root(server, cpu))) + WINDOW_SLOT;
}

uint64_t *window_entry(const struct window *window, uint64_t address, uint32_t *level)
{
	return pagetable_find(PADDR(space_root(window->server, window->cpu)), address, level);
}

void window_forget(struct window *window)
{
	for (uint32_t i = 0; i < window->entries; i++)
		__atomic_store_n(&window->first[i], 0, __ATOMIC_RELAXED);
	window->entries = 0;
	window_unregister(window);
}

void window_set_whole(struct window *window, uint64_t *first, uint32_t entries)
{
	window->first = first;
	window->entries = entries;
	window->state = WINDOW_WHOLE;
}

/* Copy the client's entry for the page at `done` bytes. *step_bytes: how far that goes. */
static enum step window_step(struct window *window, uint64_t done, uint64_t *step_bytes)
{
	struct space *client = window_client(window);
	uint64_t from = window->client_base + done;
	uint64_t to = window->base + done;
	uint32_t from_level;
	uint32_t to_level;
	uint64_t value;
	uint64_t *entry;
	uint64_t bits;

	if (!window->server)
		return STEP_SERVER_GONE;
	if (!client)
		return STEP_CLIENT_GONE;
	value = pte_load(pagetable_find(PADDR(client->root), from, &from_level));
	if (!pte_is_leaf(value, from_level) || (window->right && !(value & PTE_WRITE)))
		return STEP_NEEDS_PAGE;
	bits = window->leaf_bits | (value & (PTE_PWT | PTE_PCD)) |
	       (window->right ? PTE_WRITE : 0);
	entry = window_entry(window, to, &to_level);
	if (pte_is_leaf(pte_load(entry), to_level)) { /* never written over: its accessed bit would be lost */
		*step_bytes = level_bytes(to_level);
		return STEP_FILLED;
	}
	if (to_level >= 2 && from_level >= 2 && !((from | to) & (LARGE_PAGE_SIZE - 1)) &&
	    window->bytes - done >= LARGE_PAGE_SIZE && to - window->share >= LARGE_PAGE_SIZE) {
		if (to_level > 2)
			return STEP_NEEDS_DIRECTORY;
		*step_bytes = LARGE_PAGE_SIZE;
		bits |= PTE_LARGE;
	} else if (to_level == 1) {
		*step_bytes = PAGE_SIZE;
	} else {
		return STEP_NEEDS_TABLE;
	}
	pte_exchange(entry, (pte_frame(value, from_level) + (from & (level_bytes(from_level) - 1))) | bits);
	return STEP_FILLED;
}

/* More pages of the same two level-1 tables, without a walk for each: as many as are simple. */
static uint64_t window_run(const struct window *window, uint64_t *done)
{
	const uint64_t kept = PTE_ADDRESS | PTE_PWT | PTE_PCD;
	uint64_t wanted = PTE_PRESENT | (window->right ? PTE_WRITE : 0);
	uint64_t count = (window->bytes - *done) >> PAGE_SHIFT;
	uint32_t from_slot = level_index(window->client_base + *done, 1);
	uint32_t to_slot = level_index(window->base + *done, 1);
	uint32_t from_level, to_level;
	const uint64_t *from = pagetable_find(PADDR(window_client(window)->root), window->client_base + *done, &from_level);
	uint64_t *to = window_entry(window, window->base + *done, &to_level);
	uint64_t i;

	if (from_level != 1 || to_level != 1)
		return 0;
	for (i = 0; i < count && from_slot + i < PTES_PER_TABLE && to_slot + i < PTES_PER_TABLE; i++) {
		uint64_t value = pte_load(&from[i]);

		if ((value & wanted) != wanted || pte_load(&to[i]))
			break;
		__atomic_store_n(&to[i], (value & kept) | window->leaf_bits | wanted, __ATOMIC_RELAXED);
	}
	*done += i << PAGE_SHIFT;
	return i;
}

/* The entry at `level` for `address`; interrupts on, as memory is allocated. */
static err_t window_table(struct space *server, uint32_t cpu, uint64_t address, uint32_t level)
{
	uint64_t *entry;
	err_t err = pagetable_ensure(window_slot(server, cpu), 4, address, level, server->account, TABLE_BITS, &entry);

	return err == ERR_EXISTS ? OK : err; /* a large leaf: as good */
}

/* The client's page, faulted in while a reference keeps the client. */
static err_t window_client_page(struct space *client, uint64_t address, bool writable, struct pager_request *request)
{
	err_t err = space_fault_ahead(client, VADDR(address), writable ? ACCESS_WRITE : ACCESS_READ, request);

	space_unref(client);
	return err;
}

/* Fill from *done on. Interrupts come on between batches of steps. */
static err_t window_fill(struct window *window, struct pager_request *request)
{
	struct space *server = window->server;
	uint64_t done = 0;
	uint64_t pages = 0;

	while (done < window->bytes) {
		struct space *client = NULL;
		enum step step = STEP_FILLED;
		uint64_t state = interrupts_off();
		err_t err = OK;

		for (uint32_t i = 0; i < STEPS_AT_ONCE && done < window->bytes; i++) {
			uint64_t bytes;

			step = window_step(window, done, &bytes);
			if (step != STEP_FILLED)
				break;
			done += bytes;
			pages++;
			if (bytes == PAGE_SIZE)
				pages += window_run(window, &done);
		}
		if (step == STEP_NEEDS_PAGE) {
			client = window_client(window);
			space_ref(client); /* it cannot have gone: window_detach would have come in a round */
		}
		interrupts_restore(state);
		if (step == STEP_NEEDS_PAGE)
			err = window_client_page(client, window->client_base + done, window->right, request);
		else if (step == STEP_NEEDS_TABLE)
			err = window_table(server, window->cpu, window->base + done, 1);
		else if (step == STEP_NEEDS_DIRECTORY)
			err = window_table(server, window->cpu, window->base + done, 2);
		else if (step != STEP_FILLED)
			err = step == STEP_CLIENT_GONE ? ERR_FAULT : ERR_BAD_STATE;
		if (err != OK)
			return err;
	}
	mm_counter_add(&mm_counters[window->cpu].window_maps, pages);
	return OK;
}

/* The open window of `server` on this CPU that holds the address. */
struct window *window_find(const struct space *server, uint64_t address)
{
	for (struct window *window = window_lists[cpu_current()]; window; window = window->all_next)
		if (window->server == server && window->state != WINDOW_CLOSED &&
		    address - window->base < window->bytes)
			return window;
	return NULL;
}

/* The buffer is inside a window of *client: follow it to its owner, with interrupts off, as what would take the owner
 * away comes in a round. */
static err_t window_follow(struct window *window, struct space **client, uint64_t *buffer)
{
	struct window *outer = window_find(*client, *buffer);
	uint64_t offset = outer ? *buffer - outer->base : 0;

	if (!outer || !window_client(outer) || window->bytes > outer->bytes - offset ||
	    (window->right && !outer->right))
		return ERR_FAULT;
	*client = window_client(outer);
	*buffer = outer->client_base + offset;
	return OK;
}

/* Where in its part it goes: as in the client, so that large leaves fit; what stays within 2 MiB of small pages, to the
 * first. Once registered. */
static void window_place(struct window *window, uint64_t client_base)
{
	uint64_t end = (client_base & (LARGE_PAGE_SIZE - 1)) + window->bytes;
	uint32_t level;

	(void)pagetable_find(PADDR(window_client(window)->root), client_base, &level);
	window->client_base = client_base;
	window->client_limit = client_base + window->bytes;
	window->base = window->share + (client_base & (LARGE_PAGE_SIZE - 1));
	if (end > LARGE_PAGE_SIZE || (end == LARGE_PAGE_SIZE && level > 1))
		window->base += LARGE_PAGE_SIZE;
	window->shift = window->base - client_base;
}

/* Register: from here on, whoever takes a page from the client finds the window (W1). Interrupts off. */
static err_t window_open(struct window *window, struct space *client, uint64_t buffer)
{
	err_t err = OK;

	if (buffer >= WINDOW_BASE && buffer < WINDOW_END)
		err = window_follow(window, &client, &buffer);
	if (err != OK)
		return err;
	window_register(window, client);
	window_place(window, buffer);
	/* The spaces' ends: they say so, and then look for windows. */
	if (__atomic_load_n(&client->dead, __ATOMIC_SEQ_CST) ||
	    __atomic_load_n(&window->server->dead, __ATOMIC_SEQ_CST)) {
		window_unregister(window);
		return ERR_BAD_STATE;
	}
	window->state = WINDOW_MENDED;
	return OK;
}

/* The level-2 entry for an address, or NULL. */
static uint64_t *window_directory(const struct window *window, uint64_t address)
{
	uint64_t value = pte_load(window_slot(window->server, window->cpu));

	if (!pte_is_table(value, 4))
		return NULL;
	value = pte_load(&pte_table(value)[level_index(address, 3)]);
	return pte_is_table(value, 3) ? &pte_table(value)[level_index(address, 2)] : NULL;
}

static bool all_are_leaves(const uint64_t *first, uint64_t entries, uint32_t level)
{
	for (uint64_t i = 0; i < entries; i++)
		if (!pte_is_leaf(pte_load(&first[i]), level))
			return false;
	return true;
}

/* It has been filled: is it whole? And where its tables are, for window_quick.c. */
static void window_settle(struct window *window)
{
	uint64_t state = interrupts_off();
	uint64_t *entry = window->server ? window_directory(window, window->share) : NULL;
	uint64_t pages = window->bytes >> PAGE_SHIFT;

	if (!entry)
		goto out;
	window->directory = entry - level_index(window->share, 2);
	if (pte_is_table(pte_load(entry), 2))
		window->table = pte_table(pte_load(entry));
	if (window->base - window->share < LARGE_PAGE_SIZE) {
		uint64_t *first = window->table + level_index(window->base, 1);

		if (all_are_leaves(first, pages, 1))
			window_set_whole(window, first, (uint32_t)pages);
	} else if (!((window->base | window->bytes) & (LARGE_PAGE_SIZE - 1))) {
		uint64_t *first = window->directory + level_index(window->base, 2);

		if (all_are_leaves(first, window->bytes / LARGE_PAGE_SIZE, 2))
			window_set_whole(window, first, (uint32_t)(window->bytes / LARGE_PAGE_SIZE));
	}
out:
	interrupts_restore(state);
}

err_t window_map(struct space *server, uint32_t cpu, struct window *window, struct space *client, vaddr_t buffer,
		 uint64_t bytes, bool writable, vaddr_t *out, struct pager_request *request)
{
	uint64_t first = buffer.v & ~PAGE_MASK;
	uint64_t state;
	err_t err;

	if (!bytes || bytes > WINDOW_LENGTH_MAX)
		return ERR_ARGS;
	if (buffer.v < USER_BASE || buffer.v >= USER_END || bytes > USER_END - buffer.v)
		return ERR_FAULT;
	if (!__atomic_load_n(&server->serving, __ATOMIC_ACQUIRE))
		return ERR_BAD_STATE;
	state = interrupts_off();
	window_adopt(window, server, cpu);
	window_forget(window);
	window->right = writable ? WINDOW_WRITE : 0;
	window->bytes = ((buffer.v + bytes + PAGE_MASK) & ~PAGE_MASK) - first;
	err = window_open(window, client, first);
	interrupts_restore(state);
	if (err != OK)
		return err;
	err = window_fill(window, request);
	if (err != OK) {
		window_unmap(window);
		return err;
	}
	window_settle(window);
	*out = VADDR(window->base + (buffer.v & PAGE_MASK));
	return OK;
}

/* ---- closing ---- */

bool window_clear(struct window *window, uint64_t first, uint64_t end)
{
	uint64_t accessed = 0;
	uint64_t at = first;

	while (at < end) {
		uint32_t level;
		uint64_t *entry = window_entry(window, at, &level);

		if (pte_is_leaf(pte_load(entry), level))
			accessed |= pte_exchange(entry, 0);
		at = (at | (level_bytes(level) - 1)) + 1;
		/* The rest of this table without a walk for each. */
		for (entry++; level == 1 && at < end && level_index(at, 1); at += PAGE_SIZE, entry++)
			if (pte_load(entry))
				accessed |= pte_exchange(entry, 0);
	}
	return accessed & PTE_ACCESSED;
}

/* Unlink all level-1 tables but that of the first 2 MiB, which the next call will want; they are chained through
 * their first entry, like in a batch. */
static uint64_t window_unlink_tables(struct window *window)
{
	uint64_t first = window->base & ~(LARGE_PAGE_SIZE - 1);
	uint64_t chain = 0;

	if (first == window->share)
		return 0;
	for (uint64_t at = first; at < window->base + window->bytes; at += LARGE_PAGE_SIZE) {
		uint64_t *entry = window_directory(window, at);
		uint64_t old;

		if (!entry || !pte_is_table(pte_load(entry), 2))
			continue;
		old = pte_exchange(entry, 0);
		pte_table(old)[0] = chain;
		chain = old & PTE_ADDRESS;
	}
	return chain;
}

/* What was shown may be in this CPU's TLB. Entries of a root that is not loaded may live on under its PCID: it flushes
 * when it comes back. */
static void window_flush(const struct window *window)
{
	struct mm_counters *counters = &mm_counters[window->cpu];
	uint64_t pages = window->bytes >> PAGE_SHIFT;

	if (root_current() != space_root(window->server, window->cpu)) {
		__atomic_store_n(&window->server->cpu[window->cpu].stale, 1, __ATOMIC_SEQ_CST);
	} else if (pages > FLUSH_PAGES_MAX) {
		tlb_local_all();
		mm_counter_add(&counters->tlb_flushes_all, 1);
	} else {
		for (uint64_t i = 0; i < pages; i++)
			tlb_local_page(VADDR(window->base + (i << PAGE_SHIFT)));
		mm_counter_add(&counters->tlb_flushes_page, pages);
	}
}

static bool any_accessed(const struct window *window)
{
	uint64_t seen = 0;

	for (uint32_t i = 0; i < window->entries; i++)
		seen |= pte_load(&window->first[i]);
	return seen & PTE_ACCESSED;
}

void window_close_whole(struct window *window)
{
	bool flush = any_accessed(window);

	window_hide(window);
	if (flush)
		window_flush(window);
}

/* Interrupts off. Returns the chain of tables to free. */
static uint64_t window_close(struct window *window)
{
	uint64_t chain = 0;

	if (window->state == WINDOW_WHOLE) {
		window_close_whole(window);
		return 0;
	}
	if (window->server) {
		bool flush = window_clear(window, window->base, window->base + window->bytes);

		chain = window_unlink_tables(window);
		if (flush || chain)
			window_flush(window);
	}
	window_unregister(window); /* W3 */
	window->state = WINDOW_CLOSED;
	return chain;
}

void window_unmap(struct window *window)
{
	uint64_t state = interrupts_off();
	struct space *server = window->server;
	uint64_t chain = 0;
	uint64_t sink = 0;

	if (window->state != WINDOW_CLOSED) {
		ASSERT(window->cpu == cpu_current());
		chain = window_close(window);
		sink = window->sink;
		window->sink = 0;
	}
	interrupts_restore(state);
	while (chain) {
		paddr_t table = PADDR(chain);

		chain = *(uint64_t *)phys_to_virt(table);
		frame_free(server->account, table);
	}
	if (sink)
		frame_free(NULL, PADDR(sink));
}

/* ---- faults of the server ---- */

/* Put the window's sink where the client has nothing to show. */
static err_t window_sink(struct space *server, uint32_t cpu, uint64_t address)
{
	struct window *window;
	uint64_t state;
	paddr_t frame;
	bool used = false;
	err_t err = window_table(server, cpu, address, 1);

	if (err == OK)
		err = frame_alloc_zeroed(NULL, &frame);
	if (err != OK)
		return err;
	state = interrupts_off();
	window = window_find(server, address);
	if (!window) {
		err = ERR_FAULT;
	} else {
		uint32_t level;
		uint64_t *entry = window_entry(window, address, &level);

		used = !window->sink;
		if (used)
			window->sink = frame.v;
		if (level == 1 && !pte_load(entry))
			pte_exchange(entry, window->sink | window->leaf_bits | (window->right ? PTE_WRITE : 0));
	}
	interrupts_restore(state);
	if (!used)
		frame_free(NULL, frame);
	return err;
}

/* One look, with interrupts off: fill the page if that is all it needs. What is missing is seen to by the caller; for
 * STEP_NEEDS_PAGE *client has a reference. */
static err_t fault_step(struct space *server, uint64_t address, enum access access, enum step *step,
			struct space **client, uint64_t *client_address, bool *writable)
{
	uint64_t state = interrupts_off();
	struct window *window = window_find(server, address);
	err_t err = OK;
	uint64_t bytes;

	if (!window || access == ACCESS_EXECUTE || (access == ACCESS_WRITE && !window->right)) {
		err = ERR_FAULT;
	} else {
		*step = window_step(window, address - window->base, &bytes);
		*client_address = window->client_base + (address - window->base);
		*writable = window->right;
		*client = window_client(window);
		if (*step == STEP_NEEDS_PAGE)
			space_ref(*client);
	}
	interrupts_restore(state);
	return err;
}

err_t window_fault(struct space *server, uint64_t address, enum access access, struct pager_request *request)
{
	uint32_t cpu = cpu_current();

	address &= ~PAGE_MASK;
	for (;;) {
		struct space *client;
		uint64_t client_address;
		enum step step;
		bool writable;
		err_t err = fault_step(server, address, access, &step, &client, &client_address, &writable);

		if (err != OK || step == STEP_FILLED)
			return err;
		if (step == STEP_CLIENT_GONE)
			return window_sink(server, cpu, address);
		if (step == STEP_NEEDS_TABLE || step == STEP_NEEDS_DIRECTORY) {
			err = window_table(server, cpu, address, step == STEP_NEEDS_TABLE ? 1 : 2);
		} else {
			err = window_client_page(client, client_address, writable, request);
			if (err != OK && err != ERR_AGAIN)
				return window_sink(server, cpu, address);
		}
		if (err != OK)
			return err;
	}
}

err_t window_give_up(struct space *server, uint64_t address)
{
	if (address < WINDOW_BASE || address >= WINDOW_END)
		return ERR_FAULT;
	return window_sink(server, cpu_current(), address & ~PAGE_MASK);
}
