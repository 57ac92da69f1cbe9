/* SPDX-License-Identifier: GPL-2.0-only */
/* window.c - callers' buffers in a server's space, on one CPU (see window.h for W1 and W2).
 *
 * A window is filled in steps. Each step, under the CPU's window lock, reads one entry of the
 * client and writes one of the window, and says what is missing: a table of the window, or the
 * client's page. Those are seen to without the lock. */
#include "mm/window.h"
#include "mm/revoke.h"

#define TABLE_BITS (PTE_PRESENT | PTE_WRITE | PTE_USER)
#define STEPS_PER_LOCK 2u /* runs of up to 512 pages: interrupts are off that long */
#define FLUSH_PAGES_MAX 32u



static struct window_cpu window_cpus[CPUS_MAX];

enum step { STEP_FILLED,
	STEP_NEEDS_TABLE,
	STEP_NEEDS_DIRECTORY,
	STEP_NEEDS_PAGE,
	STEP_CLIENT_GONE,
	STEP_SERVER_GONE };

void window_init_cpus(void)
{
	for (uint32_t cpu = 0; cpu < CPUS_MAX; cpu++) {
		spin_init(&window_cpus[cpu].lock, LOCK_RANK_WAIT);
		window_cpus[cpu].list = NULL;
	}
}

void window_init(struct window *window, uint32_t index)
{
	ASSERT(index < WINDOW_INDEXES);
	*window = (struct window){
		.index = index,
		.share = WINDOW_BASE + index * WINDOW_SHARE_BYTES,
		.leaf_bits = PTE_PRESENT | PTE_USER | pagetable_nx(),
	};
}

static uint64_t *window_slot(struct space *server, uint32_t cpu)
{
	return (uint64_t *)phys_to_virt(PADDR(space_root(server, cpu))) + WINDOW_SLOT;
}

static uint64_t *window_entry(const struct window *window, uint64_t address, uint32_t *level)
{
	return pagetable_find(PADDR(space_root(window->server, window->cpu)), address, level);
}

/* Copy the client's entry for the page at `done` bytes. *step_bytes: how far that goes. */
static enum step window_step(struct window *window, uint64_t done, uint64_t *step_bytes)
{
	uint64_t from = window->client_base + done;
	uint64_t to = window->base + done;
	uint32_t from_level;
	uint32_t to_level;
	uint64_t value;
	uint64_t *entry;
	uint64_t bits;

	if (!window->server)
		return STEP_SERVER_GONE;
	if (!window->client)
		return STEP_CLIENT_GONE;
	value = pte_load(pagetable_find(PADDR(window->client->root), from, &from_level));
	if (!pte_is_leaf(value, from_level) || (window->writable && !(value & PTE_WRITE)))
		return STEP_NEEDS_PAGE;
	bits = window->leaf_bits | (value & (PTE_PWT | PTE_PCD)) |
	       (window->writable ? PTE_WRITE : 0);
	entry = window_entry(window, to, &to_level);
	if (pte_is_leaf(
			pte_load(entry), to_level)) { /* never written over: its accessed bit would be lost */
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
	pte_exchange(
		entry, (pte_frame(value, from_level) + (from & (level_bytes(from_level) - 1))) | bits);
	return STEP_FILLED;
}

/* More pages of the same two level-1 tables, without a walk for each: as many as are simple. */
static uint64_t window_run(const struct window *window, uint64_t *done)
{
	const uint64_t kept = PTE_ADDRESS | PTE_PWT | PTE_PCD;
	uint64_t wanted = PTE_PRESENT | (window->writable ? PTE_WRITE : 0);
	uint64_t count = (window->bytes - *done) >> PAGE_SHIFT;
	uint32_t from_slot = level_index(window->client_base + *done, 1);
	uint32_t to_slot = level_index(window->base + *done, 1);
	uint32_t from_level, to_level;
	const uint64_t *from = pagetable_find(PADDR(window->client->root), window->client_base + *done, &from_level);
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

/* The entry at `level` for `address`; without the lock, which must not be held while memory is allocated. */
static err_t window_table(struct space *server, uint32_t cpu, uint64_t address, uint32_t level)
{
	uint64_t *entry;
	err_t err = pagetable_ensure(window_slot(server, cpu), 4, address, level, server->account, TABLE_BITS, &entry);

	return err == ERR_EXISTS ? OK : err; /* a large leaf: as good */
}

/* The client's page, faulted in while a reference keeps the client. */
static err_t window_client_page(
	struct space *client, uint64_t address, bool writable, struct pager_request *request)
{
	err_t err =
		space_fault_ahead(client, VADDR(address), writable ? ACCESS_WRITE : ACCESS_READ, request);

	space_unref(client);
	return err;
}

/* Fill from *done on. Interrupts come on between batches of steps. */
static err_t window_fill(struct window *window, struct space *server, struct pager_request *request)
{
	struct window_cpu *here = &window_cpus[window->cpu];
	uint64_t done = 0;
	uint64_t pages = 0;

	while (done < window->bytes) {
		struct space *client = NULL;
		enum step step = STEP_FILLED;
		uint64_t state = spin_lock_irq(&here->lock);
		err_t err = OK;

		for (uint32_t i = 0; i < STEPS_PER_LOCK && done < window->bytes; i++) {
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
			client = window->client;
			space_ref(
				client); /* it cannot have gone: window_detach would have waited for the lock */
		}
		spin_unlock_irq(&here->lock, state);
		if (step == STEP_NEEDS_PAGE)
			err = window_client_page(client, window->client_base + done, window->writable, request);
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
static struct window *window_find(
	struct window_cpu *here, const struct space *server, uint64_t address)
{
	for (struct window *window = here->list; window; window = window->next)
		if (window->server == server && address - window->base < window->bytes)
			return window;
	return NULL;
}

/* Register: from here on, whoever takes a page from the client finds the window (W1). A buffer
 * inside another window of the client is followed to its owner, under the same lock that would take
 * the owner away. */
static err_t window_open(struct window *window, struct space *client, uint64_t buffer)
{
	struct window_cpu *here = &window_cpus[window->cpu];
	uint64_t state = spin_lock_irq(&here->lock);

	if (buffer >= WINDOW_BASE && buffer < WINDOW_END) {
		struct window *outer = window_find(here, client, buffer);
		uint64_t offset = outer ? buffer - outer->base : 0;

		if (!outer || !outer->client || window->bytes > outer->bytes - offset ||
			(window->writable && !outer->writable)) {
			spin_unlock_irq(&here->lock, state);
			return ERR_FAULT;
		}
		client = outer->client;
		buffer = outer->client_base + offset;
	}
	if (__atomic_load_n(&client->dead, __ATOMIC_SEQ_CST) ||
		__atomic_load_n(&window->server->dead, __ATOMIC_SEQ_CST)) {
		spin_unlock_irq(&here->lock, state);
		return ERR_BAD_STATE;
	}
	window->client = client;
	window->client_base = buffer;
	window->base = window->share + (buffer & (LARGE_PAGE_SIZE - 1));
	if ((window->base & (LARGE_PAGE_SIZE - 1)) + window->bytes >= LARGE_PAGE_SIZE)
		window->base += LARGE_PAGE_SIZE;
	window->open = true;
	window_enlist(window, here);
	__atomic_fetch_add(&client->cpu[window->cpu].windows, 1, __ATOMIC_SEQ_CST);
	spin_unlock_irq(&here->lock, state);
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

/* For window_quick.c: the level-2 table of this window's part, and the level-1 table of its first 2 MiB if it is
 * made. */
static void window_remember_tables(struct window *window)
{
	uint64_t state = spin_lock_irq(&window->here->lock);
	uint64_t *entry = window->server ? window_directory(window, window->share) : NULL;

	if (entry)
		window->directory = entry - level_index(window->share, 2);
	if (entry && pte_is_table(pte_load(entry), 2))
		window->table = pte_table(pte_load(entry));
	spin_unlock_irq(&window->here->lock, state);
}

err_t window_map(struct space *server, uint32_t cpu, struct window *window, struct space *client, vaddr_t buffer,
		 uint64_t bytes, bool writable, vaddr_t *out, struct pager_request *request)
{
	uint64_t first = buffer.v & ~PAGE_MASK;
	err_t err;

	if (!bytes || bytes > WINDOW_LENGTH_MAX)
		return ERR_ARGS;
	if (buffer.v < USER_BASE || buffer.v >= USER_END || bytes > USER_END - buffer.v)
		return ERR_FAULT;
	if (!__atomic_load_n(&server->serving, __ATOMIC_ACQUIRE))
		return ERR_BAD_STATE;
	ASSERT(!window->open && cpu == cpu_current());
	window->server = server;
	window->cpu = cpu;
	window->here = &window_cpus[cpu];
	window->first = NULL;
	window->writable = writable;
	window->bytes = ((buffer.v + bytes + PAGE_MASK) & ~PAGE_MASK) - first;
	err = window_open(window, client, first);
	if (err != OK) {
		window->server = NULL;
		return err;
	}
	err = window_fill(window, server, request);
	if (err != OK) {
		window_unmap(window);
		return err;
	}
	if (!window->table || !window->directory)
		window_remember_tables(window);
	*out = VADDR(window->base + (buffer.v & PAGE_MASK));
	return OK;
}

/* What a local flush has to cover. */
struct window_flush {
	uint64_t address[FLUSH_PAGES_MAX];
	uint32_t pages;
	bool all;
};

static void flush_note(struct window_flush *flush, uint64_t address, uint64_t old)
{
	if (!(old & PTE_ACCESSED))
		return;
	if (flush->pages < FLUSH_PAGES_MAX)
		flush->address[flush->pages++] = address;
	else
		flush->all = true;
}

/* Clear the window's entries in [first, end) of the server's addresses. */
static void window_clear(
	struct window *window, uint64_t first, uint64_t end, struct window_flush *flush)
{
	uint64_t at = first;

	while (at < end) {
		uint32_t level;
		uint64_t *entry = window_entry(window, at, &level);

		if (pte_is_leaf(pte_load(entry), level))
			flush_note(flush, at, pte_exchange(entry, 0));
		at = (at | (level_bytes(level) - 1)) + 1;
		/* The rest of this table without a walk for each. */
		for (entry++; level == 1 && at < end && level_index(at, 1); at += PAGE_SIZE, entry++)
			if (pte_load(entry))
				flush_note(flush, at, pte_exchange(entry, 0));
	}
}

/* Unlink all level-1 tables but that of the first 2 MiB, which the next call will want; they are chained through
 * their first entry, like in a batch. */
static uint64_t window_unlink_tables(struct window *window, struct window_flush *flush)
{
	uint64_t chain = 0;

	uint64_t first = window->base & ~(LARGE_PAGE_SIZE - 1);

	if (first == window->share)
		return 0;
	for (uint64_t at = first; at < window->base + window->bytes; at += LARGE_PAGE_SIZE) {
		uint64_t *entry = window_directory(window, at);
		uint64_t old;

		if (!entry || !pte_is_table(pte_load(entry), 2))
			continue;
		old = pte_exchange(entry, 0);
		flush_note(flush, at, old);
		pte_table(old)[0] = chain;
		chain = old & PTE_ADDRESS;
	}
	return chain;
}

struct window_round {
	struct space *server;
	const struct window_flush *flush;
};

/* On the window's CPU. Entries of a root that is not loaded may live on under its PCID: it flushes
 * when it comes back. */
static void window_flush_run(void *argument)
{
	const struct window_round *round = argument;
	const struct window_flush *flush = round->flush;
	uint32_t cpu = cpu_current();

	if (root_current() != space_root(round->server, cpu)) {
		__atomic_store_n(&round->server->cpu[cpu].stale, 1, __ATOMIC_SEQ_CST);
	} else if (flush->all) {
		tlb_local_all();
		mm_counter_add(&mm_counters[cpu].tlb_flushes_all, 1);
	} else {
		for (uint32_t i = 0; i < flush->pages; i++)
			tlb_local_page(VADDR(flush->address[i]));
		mm_counter_add(&mm_counters[cpu].tlb_flushes_page, flush->pages);
	}
}

static void window_flush(struct space *server, uint32_t cpu, const struct window_flush *flush)
{
	struct window_round round = { server, flush };
	struct cpu_set target = { 1ull << cpu };

	if (!flush->pages && !flush->all)
		return;
	if (cpu == cpu_current()) {
		window_flush_run(&round);
		return;
	}
	mm_counter_add(&mm_counters[cpu_current()].tlb_rounds, 1);
	tlb_round(target, window_flush_run, &round);
}

static void window_unlist(struct window *window)
{
	*window->link = window->next;
	if (window->next)
		window->next->link = window->link;
	if (window->client)
		__atomic_fetch_sub(&window->client->cpu[window->cpu].windows, 1, __ATOMIC_SEQ_CST);
	window->client = NULL;
	window->open = false;
}

void window_unmap(struct window *window)
{
	struct window_cpu *there = &window_cpus[window->cpu];
	struct window_flush flush = { .pages = 0 };
	struct space *server;
	uint64_t chain = 0;
	uint64_t sink;
	uint64_t state = spin_lock_irq(&there->lock);

	if (!window->open) {
		spin_unlock_irq(&there->lock, state);
		return;
	}
	server = window->server;
	if (server) {
		window_clear(window, window->base, window->base + window->bytes, &flush);
		chain = window_unlink_tables(window, &flush);
		flush.all = flush.all || window->swept;
	}
	window_unlist(window);
	window->server = NULL;
	sink = window->sink;
	window->sink = 0;
	spin_unlock_irq(&there->lock, state);
	if (server)
		window_flush(server, window->cpu, &flush);
	while (chain) {
		paddr_t table = PADDR(chain);

		chain = *(uint64_t *)phys_to_virt(table);
		frame_free(server->account, table);
	}
	if (sink)
		frame_free(NULL, PADDR(sink));
}

/* An entry that a CPU may hold went from a window of `server` on `cpu`. */
static void sweep_note(struct window *window, struct window_flush *flush, struct cpu_set *targets)
{
	if (!flush->pages && !flush->all)
		return;
	/* Else the next window at this address could meet the old entry before the round does. */
	window->swept = true;
	__atomic_store_n(&window->server->cpu[window->cpu].stale, 1, __ATOMIC_SEQ_CST);
	targets->bits |= 1ull << window->cpu;
}

void window_sweep(struct space *client, uint64_t first, uint64_t end, struct cpu_set *targets)
{
	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++) {
		uint64_t state;

		if (!__atomic_load_n(&client->cpu[cpu].windows, __ATOMIC_SEQ_CST))
			continue;
		state = spin_lock_irq(&window_cpus[cpu].lock);
		for (struct window *window = window_cpus[cpu].list; window; window = window->next) {
			struct window_flush flush = { .pages = 0 };
			uint64_t from = window->client_base > first ? window->client_base : first;
			uint64_t to = window->client_base + window->bytes < end
							  ? window->client_base + window->bytes
							  : end;

			if (window->client != client || !window->server || from >= to)
				continue;
			window_clear(window, window->base + (from - window->client_base),
				window->base + (to - window->client_base), &flush);
			sweep_note(window, &flush, targets);
		}
		spin_unlock_irq(&window_cpus[cpu].lock, state);
	}
}

void window_detach(struct space *space, struct cpu_set *targets)
{
	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++) {
		uint64_t state = spin_lock_irq(&window_cpus[cpu].lock);

		for (struct window *window = window_cpus[cpu].list; window; window = window->next) {
			struct window_flush flush = { .pages = 0 };

			if (window->client != space && window->server != space)
				continue;
			if (window->server) {
				window_clear(window, window->base, window->base + window->bytes, &flush);
				sweep_note(window, &flush, targets);
			}
			if (window->client == space) {
				__atomic_fetch_sub(&space->cpu[cpu].windows, 1, __ATOMIC_SEQ_CST);
				window->client = NULL;
			}
			if (window->server == space)
				window->server = NULL;
		}
		spin_unlock_irq(&window_cpus[cpu].lock, state);
	}
}

void window_free_tables(struct space *space)
{
	for (uint32_t cpu = 0; space->serving && cpu < CPUS_MAX; cpu++) {
		uint64_t value;

		if (space->cpu[cpu].root == space->root)
			continue;
		value = pte_exchange(window_slot(space, cpu), 0);
		if (pte_is_table(value, 4))
			pagetable_free_below(value, 4, space->account);
	}
}

/* Put the window's sink where the client has nothing to show. */
static err_t window_sink(struct space *server, uint32_t cpu, uint64_t address)
{
	struct window_cpu *here = &window_cpus[cpu];
	struct window *window;
	uint64_t *entry;
	uint64_t state;
	uint32_t level;
	paddr_t frame;
	bool used = false;
	err_t err = window_table(server, cpu, address, 1);

	if (err == OK)
		err = frame_alloc_zeroed(NULL, &frame);
	if (err != OK)
		return err;
	state = spin_lock_irq(&here->lock);
	window = window_find(here, server, address);
	if (!window) {
		err = ERR_FAULT;
	} else {
		used = !window->sink;
		if (used)
			window->sink = frame.v;
		entry = window_entry(window, address, &level);
		if (level == 1 && !pte_load(entry))
			pte_exchange(entry, window->sink | PTE_PRESENT | PTE_USER | pagetable_nx() |
									(window->writable ? PTE_WRITE : 0));
	}
	spin_unlock_irq(&here->lock, state);
	if (!used)
		frame_free(NULL, frame);
	return err;
}

err_t window_fault(
	struct space *server, uint64_t address, enum access access, struct pager_request *request)
{
	uint32_t cpu = cpu_current();
	struct window_cpu *here = &window_cpus[cpu];

	address &= ~PAGE_MASK;
	for (;;) {
		uint64_t state = spin_lock_irq(&here->lock);
		struct window *window = window_find(here, server, address);
		bool allowed =
			window && access != ACCESS_EXECUTE && (access != ACCESS_WRITE || window->writable);
		struct space *client = NULL;
		enum step step = STEP_SERVER_GONE;
		bool writable = allowed && window->writable;
		uint64_t client_address = 0;
		uint64_t bytes;
		err_t err;

		if (allowed) {
			client_address = window->client_base + (address - window->base);
			step = window_step(window, address - window->base, &bytes);
		}
		if (step == STEP_NEEDS_PAGE) {
			client = window->client;
			space_ref(client);
		}
		spin_unlock_irq(&here->lock, state);
		if (!allowed)
			return ERR_FAULT;
		if (step == STEP_FILLED)
			return OK;
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

/* W2: what a window shows is what its client shows, with no more rights. */
static bool window_check_entries(struct window *window)
{
	for (uint64_t done = 0; done < window->bytes;) {
		uint32_t level;
		uint32_t from_level = 1;
		uint64_t value = pte_load(window_entry(window, window->base + done, &level));
		uint64_t from = window->client_base + done;
		uint64_t shown;
		uint64_t step = level_bytes(level) - ((window->base + done) & (level_bytes(level) - 1));

		if (pte_is_leaf(value, level) && pte_frame(value, level) != window->sink) {
			uint64_t theirs =
				window->client
					? pte_load(pagetable_find(PADDR(window->client->root), from, &from_level))
					: 0;

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

bool window_check(uint32_t cpu)
{
	struct window_cpu *here = &window_cpus[cpu];
	uint64_t state = spin_lock_irq(&here->lock);
	bool good = true;

	for (struct window *window = here->list; window; window = window->next) {
		good = good && window->open && window->cpu == cpu && *window->link == window;
		if (window->server)
			good = good && window_check_entries(window);
	}
	spin_unlock_irq(&here->lock, state);
	return good;
}
