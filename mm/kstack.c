/* SPDX-License-Identifier: GPL-2.0-only */
/* kstack.c - kernel stacks with guards (prototypes in kernel_space.h).
 * The area is cut into strides of 32 KiB; one word of the bitmap is 64 of them, 2 MiB, one level-1
 * table. The lowest free stride is taken first, and a table goes when its word becomes 0, so that
 * no page is left behind.
 * KS1  a bit is set from before its stack is mapped until every CPU has flushed it. */
#include "mm/frame.h"
#include "mm/kernel_space.h"
#include "mm/tlb.h"

#define STACK_PAGES (KSTACK_BYTES / PAGE_SIZE)
#define STACK_WORDS (KSTACKS_MAX / 64)
#define STACK_CACHE 8u

struct stack_cache {
	struct spinlock lock;
	uint32_t count;            /* under lock */
	uint64_t top[STACK_CACHE]; /* under lock */
} ALIGNED(64);

static struct stack_cache stack_caches[CPUS_MAX] = {
	[0 ... CPUS_MAX - 1] = { .lock = SPINLOCK_INIT(LOCK_RANK_PAGETABLE) },
};
static struct spinlock stacks_lock = SPINLOCK_INIT(LOCK_RANK_PAGETABLE);
static uint64_t stacks_used[STACK_WORDS]; /* under stacks_lock; KS1 */

static uint64_t stack_base(uint64_t top)
{
	return top - KSTACK_BYTES;
}

static uint32_t stack_index(uint64_t top)
{
	return (uint32_t)((top - KSTACKS_BASE) / KSTACK_STRIDE - 1);
}

static uint64_t *stack_directory(uint64_t address)
{
	uint64_t *root = phys_to_virt(PADDR(kernel_root()));
	uint64_t *level3 = pte_table(root[level_index(address, 4)]);
	uint64_t *level2 = pte_table(level3[level_index(address, 3)]);

	return &level2[level_index(address, 2)];
}

/* Clear the stack's entries. Its frames go to `frame`, and if it was the last of its table, that
 * too. */
static uint32_t stack_unlink(uint64_t top, uint64_t *frame) TA_EXCL(stacks_lock)
{
	uint32_t index = stack_index(top);
	uint64_t *directory = stack_directory(stack_base(top));
	uint32_t count = 0;

	if (*directory) {
		uint64_t *table = pte_table(*directory);

		for (uint64_t at = stack_base(top); at < top; at += PAGE_SIZE) {
			uint64_t old = pte_exchange(&table[level_index(at, 1)], 0);

			if (old)
				frame[count++] = old & PTE_ADDRESS;
		}
	}
	if (*directory && stacks_used[index / 64] == 1ull << (index % 64))
		frame[count++] = pte_exchange(directory, 0) & PTE_ADDRESS;
	return count;
}

/* Unmap stacks and give everything back: one round for all of them. */
static void stacks_release(const uint64_t *top, uint32_t count)
{
	uint64_t frame[STACK_CACHE * (STACK_PAGES + 1)];
	uint32_t frames = 0;

	if (!count)
		return;
	spin_lock(&stacks_lock);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t index = stack_index(top[i]);

		frames += stack_unlink(top[i], frame + frames);
		stacks_used[index / 64] &= ~(1ull << (index % 64));
	}
	tlb_kernel_flush(); /* under the lock: KS1 */
	spin_unlock(&stacks_lock);
	for (uint32_t i = 0; i < frames; i++)
		frame_free(NULL, PADDR(frame[i]));
}

static err_t stack_map(uint64_t top) TA_EXCL(stacks_lock)
{
	uint64_t *directory = stack_directory(stack_base(top));

	for (uint64_t at = stack_base(top); at < top; at += PAGE_SIZE) {
		uint64_t *entry;
		paddr_t frame;
		err_t err = pagetable_ensure(directory, 2, at, 1, NULL, PTE_PRESENT | PTE_WRITE, &entry);

		if (err != OK)
			return err;
		err = frame_alloc(NULL, &frame);
		if (err != OK)
			return err;
		pte_exchange(
			entry, frame.v | PTE_PRESENT | PTE_WRITE | pagetable_nx() | pagetable_global());
	}
	return OK;
}

static err_t stack_create(uint64_t *out)
{
	uint64_t frame[STACK_PAGES + 1];
	uint32_t frames = 0;
	uint32_t word = 0;
	uint32_t bit;
	uint64_t top;
	err_t err;

	spin_lock(&stacks_lock);
	while (word < STACK_WORDS && stacks_used[word] == UINT64_MAX)
		word++;
	if (word == STACK_WORDS) {
		spin_unlock(&stacks_lock);
		return ERR_NO_MEMORY;
	}
	bit = (uint32_t)__builtin_ctzll(~stacks_used[word]);
	stacks_used[word] |= 1ull << bit;
	top = KSTACKS_BASE + (word * 64ull + bit + 1) * KSTACK_STRIDE;
	err = stack_map(top);
	if (err != OK) { /* nobody has used the entries: no flush */
		frames = stack_unlink(top, frame);
		stacks_used[word] &= ~(1ull << bit);
	}
	spin_unlock(&stacks_lock);
	for (uint32_t i = 0; i < frames; i++)
		frame_free(NULL, PADDR(frame[i]));
	if (err == OK)
		*out = top;
	return err;
}

err_t kstack_alloc(void **top)
{
	struct stack_cache *cache = &stack_caches[cpu_current()];
	uint64_t at = 0;
	err_t err = OK;

	spin_lock(&cache->lock);
	if (cache->count)
		at = cache->top[--cache->count];
	spin_unlock(&cache->lock);
	if (!at)
		err = stack_create(&at);
	if (err == OK)
		*top = (void *)(uintptr_t)at;
	return err;
}

void kstack_free(void *top)
{
	struct stack_cache *cache = &stack_caches[cpu_current()];
	uint64_t spill[STACK_CACHE / 2];
	uint32_t count = 0;

	spin_lock(&cache->lock);
	if (cache->count == STACK_CACHE) {
		while (count < STACK_CACHE / 2)
			spill[count++] = cache->top[--cache->count];
	}
	cache->top[cache->count++] = (uint64_t)(uintptr_t)top;
	spin_unlock(&cache->lock);
	stacks_release(spill, count);
}

void kstacks_reclaim(void)
{
	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++) {
		struct stack_cache *cache = &stack_caches[cpu];
		uint64_t top[STACK_CACHE];
		uint32_t count;

		spin_lock(&cache->lock);
		count = cache->count;
		__builtin_memcpy(top, cache->top, count * sizeof(top[0]));
		cache->count = 0;
		spin_unlock(&cache->lock);
		stacks_release(top, count);
	}
}

uint64_t kstacks_cached(void)
{
	uint64_t sum = 0;

	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++) {
		spin_lock(&stack_caches[cpu].lock);
		sum += stack_caches[cpu].count;
		spin_unlock(&stack_caches[cpu].lock);
	}
	return sum;
}

bool kstack_is_guard(vaddr_t address)
{
	uint64_t at = address.v - KSTACKS_BASE;

	return at < KSTACKS_MAX * KSTACK_STRIDE && at % KSTACK_STRIDE < KSTACK_STRIDE - KSTACK_BYTES;
}
