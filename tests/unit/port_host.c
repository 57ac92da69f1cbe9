/* SPDX-License-Identifier: BSD-2-Clause */
/* port_host.c - mm/port.h on the host (see port_host.h). */
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "mm/mm.h"
#include "mm/pool.h"
#include "port_host.h"

#define HELD_MAX 16
#define TLB_ENTRIES 512u

struct tlb_entry {
	uint64_t root; /* 0: unused */
	uint64_t first;
	uint64_t bytes;
	uint64_t frame;
	bool write;
};

struct host_cpu {
	pthread_mutex_t lock; /* recursive; the TLB and the root */
	uint64_t root;        /* [a] */
	struct space *space;
	uint32_t next;
	struct tlb_entry tlb[TLB_ENTRIES];
};

static char *arena;
static uint32_t cpus = 1;
static bool with_pcid;
static uint64_t rounds;
static uint64_t ipis;
static struct host_cpu host_cpus[CPUS_MAX];
static __thread uint32_t this_cpu;
static __thread const struct spinlock *held[HELD_MAX];
static __thread uint32_t held_count;

/* What linker.ld defines on the machine. */
__asm__(".pushsection .bss.host_image,\"aw\",@nobits\n"
		".balign 4096\n"
		".globl kernel_start, text_start, text_end, rodata_start, rodata_end, data_start, bss_end, "
		"kernel_end\n"
		"kernel_start: .skip 4096\n"
		"text_start: .skip 12288\n"
		"text_end: rodata_start: .skip 8192\n"
		"rodata_end: data_start: .skip 16384\n"
		"bss_end: .skip 4096\n"
		"kernel_end: .skip 4096\n"
		".popsection\n");

void host_start(uint32_t cpu_number, bool pcid)
{
	uint64_t align = HUGE_PAGE_SIZE;
	pthread_mutexattr_t attributes;
	char *map = mmap(NULL, HOST_ARENA_BYTES + align, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (map == MAP_FAILED) {
		perror("mmap");
		abort();
	}
	arena = (char *)(((uintptr_t)map + align - 1) & ~(uintptr_t)(align - 1));
	cpus = cpu_number;
	with_pcid = pcid;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
	for (uint32_t cpu = 0; cpu < CPUS_MAX; cpu++)
		pthread_mutex_init(&host_cpus[cpu].lock, &attributes);
	mm_init_pools();
}

static void give_range(uint64_t base, uint64_t bytes, uint32_t node, void *context)
{
	(void)node;
	if (zone_populate(context, base, bytes) != OK)
		abort();
}

struct zone *host_add_ram(uint64_t base, uint64_t bytes)
{
	struct zone *zone = NULL;
	static bool first = true;

	if (first) {
		/* The first zone needs memory for its own descriptors: bootalloc has it, as on the machine. */
		static struct boot_info info;

		info.ranges = 1;
		info.range[0] = (struct boot_range){ base, bytes, BOOT_MEMORY_USABLE, 0 };
		bootalloc_init(&info);
	}
	if (zone_add(ZONE_RAM, base, bytes, 0, "ram", &zone) != OK ||
		zone_reserve(zone, base, bytes) != OK)
		abort();
	if (first)
		bootalloc_hand_over(give_range, zone);
	else
		give_range(base, bytes, 0, zone);
	first = false;
	return zone;
}

void host_set_cpu(uint32_t cpu)
{
	this_cpu = cpu;
}

void host_set_pcid(bool pcid)
{
	with_pcid = pcid;
}

/* ---- locks ---- */

void spin_init(struct spinlock *lock, enum lock_rank rank)
{
	*lock = (struct spinlock){ .rank = (uint8_t)rank };
}

static void rank_push(const struct spinlock *lock)
{
	for (uint32_t i = 0; i < held_count; i++)
		if (held[i]->rank >= lock->rank)
			panic("lock of rank %u taken while one of rank %u is held", lock->rank, held[i]->rank);
	if (held_count == HELD_MAX)
		panic("too many locks");
	held[held_count++] = lock;
}

static void rank_pop(const struct spinlock *lock)
{
	for (uint32_t i = 0; i < held_count; i++) {
		if (held[i] == lock) {
			held[i] = held[--held_count];
			return;
		}
	}
	panic("a lock is released that is not held");
}

void spin_lock(struct spinlock *lock)
{
	rank_push(lock);
	while (__atomic_exchange_n(&lock->taken, 1, __ATOMIC_SEQ_CST) != 0)
		sched_yield();
}

void spin_unlock(struct spinlock *lock)
{
	rank_pop(lock);
	__atomic_store_n(&lock->taken, 0, __ATOMIC_RELEASE);
}

/* A round takes the same lock. */
uint64_t interrupts_off(void)
{
	pthread_mutex_lock(&host_cpus[this_cpu].lock);
	return this_cpu;
}

void interrupts_restore(uint64_t state)
{
	pthread_mutex_unlock(&host_cpus[state].lock);
}

uint64_t spin_lock_irq(struct spinlock *lock)
{
	if (lock->rank < LOCK_RANK_WAIT)
		panic("rank %u is not for interrupts off", lock->rank);
	spin_lock(lock);
	return 0;
}

void spin_unlock_irq(struct spinlock *lock, uint64_t state)
{
	(void)state;
	spin_unlock(lock);
}

bool spin_is_held(const struct spinlock *lock)
{
	for (uint32_t i = 0; i < held_count; i++)
		if (held[i] == lock)
			return true;
	return false;
}

/* ---- panic, log, memory ---- */

void panic(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("panic: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	abort();
}

void log_line(const char *format, ...)
{
	va_list arguments;

	if (held_count)
		panic("log_line under a lock");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
}

void *phys_to_virt(paddr_t physical)
{
	if (physical.v >= HOST_ARENA_BYTES)
		panic("physical address %llx is outside the arena", (unsigned long long)physical.v);
	return arena + physical.v;
}

paddr_t virt_to_phys(const void *direct_map_address)
{
	return PADDR((const char *)direct_map_address - arena);
}

uint32_t cpu_current(void)
{
	return this_cpu;
}

uint32_t cpu_count(void)
{
	return cpus;
}

/* ---- TLB ---- */

static struct host_cpu *here(void)
{
	return &host_cpus[this_cpu];
}

static void tlb_drop(struct host_cpu *cpu, uint64_t root, uint64_t address, bool any_address)
{
	pthread_mutex_lock(&cpu->lock);
	for (uint32_t i = 0; i < TLB_ENTRIES; i++) {
		struct tlb_entry *entry = &cpu->tlb[i];

		if ((!root || entry->root == root) &&
			(any_address || address - entry->first < entry->bytes))
			entry->root = 0;
	}
	pthread_mutex_unlock(&cpu->lock);
}

void tlb_local_page(vaddr_t address)
{
	tlb_drop(here(), root_current(), address.v, false);
}

void tlb_local_all(void)
{
	tlb_drop(here(), root_current(), 0, true);
}

void tlb_local_global(void)
{
	tlb_drop(here(), 0, 0, true);
}

void tlb_round(struct cpu_set targets, void (*work)(void *argument), void *argument)
{
	uint32_t cpu = this_cpu;

	if (!targets.bits || (targets.bits >> cpu & 1))
		panic("a round with bad targets");
	__atomic_fetch_add(&rounds, 1, __ATOMIC_RELAXED);
	for (uint32_t target = 0; target < cpus; target++) {
		if (!(targets.bits >> target & 1))
			continue;
		__atomic_fetch_add(&ipis, 1, __ATOMIC_RELAXED);
		pthread_mutex_lock(&host_cpus[target].lock);
		this_cpu = target;
		work(argument);
		this_cpu = cpu;
		pthread_mutex_unlock(&host_cpus[target].lock);
	}
}

void tlb_root_retired(paddr_t root)
{
	for (uint32_t cpu = 0; cpu < cpus; cpu++) {
		if (__atomic_load_n(&host_cpus[cpu].root, __ATOMIC_ACQUIRE) == root.v)
			panic("a root is freed while CPU %u has it loaded", cpu);
		tlb_drop(&host_cpus[cpu], root.v, 0, true);
	}
}

uint64_t root_current(void)
{
	return __atomic_load_n(&here()->root, __ATOMIC_ACQUIRE);
}

uint64_t host_rounds(void)
{
	return __atomic_load_n(&rounds, __ATOMIC_RELAXED);
}

uint64_t host_ipis(void)
{
	return __atomic_load_n(&ipis, __ATOMIC_RELAXED);
}

uint64_t host_tlb_entries(void)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < TLB_ENTRIES; i++)
		count += here()->tlb[i].root != 0;
	return count;
}

static void root_load(struct space *space, uint64_t root, bool flush)
{
	struct host_cpu *cpu = here();
	struct space *old = cpu->space;

	__atomic_store_n(&cpu->root, root, __ATOMIC_RELEASE);
	cpu->space = space;
	if (!with_pcid)
		tlb_drop(cpu, 0, 0, true);
	else if (flush)
		tlb_drop(cpu, root, 0, true);
	if (old && old != space)
		space_cell_leave(&old->cpu[this_cpu]);
}

void host_enter(struct space *space)
{
	pthread_mutex_lock(&here()->lock);
	if (here()->space != space || root_current() != space_root(space, this_cpu)) {
		bool flush = space_enter(space, this_cpu);

		root_load(space, space_root(space, this_cpu), flush);
	}
	pthread_mutex_unlock(&here()->lock);
}

void host_leave(void)
{
	pthread_mutex_lock(&here()->lock);
	root_load(NULL, 0, false);
	pthread_mutex_unlock(&here()->lock);
}

/* Walk like the CPU: accessed bits on the way, dirty at the leaf; then cache. NULL: page fault. */
static struct tlb_entry *tlb_fill(struct host_cpu *cpu, uint64_t address, bool write)
{
	uint64_t *table = phys_to_virt(PADDR(cpu->root));
	struct tlb_entry *entry;

	for (uint32_t level = 4;; level--) {
		uint64_t *slot = &table[level_index(address, level)];
		uint64_t value = pte_load(slot);
		uint64_t set = PTE_ACCESSED;
		uint64_t first = address & ~(level_bytes(level) - 1);

		if (!(value & PTE_PRESENT) || !(value & PTE_USER) || (write && !(value & PTE_WRITE)))
			return NULL;
		if (write && pte_is_leaf(value, level))
			set |= PTE_DIRTY;
		if (!__atomic_compare_exchange_n(
				slot, &value, value | set, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return tlb_fill(cpu, address, write); /* it changed under the walk */
		if (pte_is_table(value, level)) {
			table = pte_table(value);
			continue;
		}
		entry = &cpu->tlb[cpu->next++ % TLB_ENTRIES];
		*entry = (struct tlb_entry){ cpu->root, first, level_bytes(level), pte_frame(value, level),
			value & PTE_WRITE };
		return entry;
	}
}

static bool host_access(
	struct space *space, uint64_t address, uint64_t *read, const uint64_t *write)
{
	struct host_cpu *cpu = here();
	struct tlb_entry *entry = NULL;

	host_enter(space);
	pthread_mutex_lock(&cpu->lock);
	for (uint32_t i = 0; i < TLB_ENTRIES && !entry; i++)
		if (cpu->tlb[i].root == cpu->root && address - cpu->tlb[i].first < cpu->tlb[i].bytes)
			entry = &cpu->tlb[i];
	if (entry && write && !entry->write) {
		entry->root = 0; /* hardware walks again before it faults */
		entry = NULL;
	}
	if (!entry)
		entry = tlb_fill(cpu, address, write);
	if (entry) {
		uint64_t *word = phys_to_virt(PADDR(entry->frame + (address - entry->first)));

		if (write)
			__atomic_store_n(word, *write, __ATOMIC_RELAXED);
		else
			*read = __atomic_load_n(word, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&cpu->lock);
	return entry;
}

bool host_read(struct space *space, uint64_t address, uint64_t *value)
{
	return host_access(space, address, value, NULL);
}

bool host_write(struct space *space, uint64_t address, uint64_t value)
{
	return host_access(space, address, NULL, &value);
}

err_t host_read_fault(
	struct space *space, uint64_t address, uint64_t *value, struct pager_request *request)
{
	while (!host_read(space, address, value)) {
		err_t err = space_fault(space, VADDR(address), ACCESS_READ, request);

		if (err != OK)
			return err;
	}
	return OK;
}

err_t host_write_fault(
	struct space *space, uint64_t address, uint64_t value, struct pager_request *request)
{
	while (!host_write(space, address, value)) {
		err_t err = space_fault(space, VADDR(address), ACCESS_WRITE, request);

		if (err != OK)
			return err;
	}
	return OK;
}
