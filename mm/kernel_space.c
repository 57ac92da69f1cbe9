/* SPDX-License-Identifier: GPL-2.0-only */
/* kernel_space.c - the kernel half of all roots: image, direct map, device registers (see
 * kernel_space.h, K1 and K2). Stacks are in kstack.c. The direct map shows the image's text and
 * constants read-only, so that no alias of them can be written. */
#include "mm/kernel_space.h"
#include "boot/boot_info.h"
#include "mm/bootalloc.h"
#include "mm/frame.h"
#include "mm/tlb.h"

#define KERNEL_MAPS_MAX 256u

/* linker.ld: page-aligned. */
extern const char kernel_start[], text_start[], text_end[], rodata_start[], rodata_end[],
	data_start[], bss_end[], kernel_end[];

struct kernel_mapping {
	uint64_t base; /* 0: unused */
	uint64_t bytes;
};

static uint64_t root_address;
static uint64_t image_physical; /* of kernel_start */
static struct spinlock maps_lock = SPINLOCK_INIT(LOCK_RANK_PAGETABLE);
static struct kernel_mapping mappings[KERNEL_MAPS_MAX]; /* under maps_lock */

uint64_t kernel_root(void)
{
	return root_address;
}

void kernel_root_fill(uint64_t *root)
{
	const uint64_t *from = phys_to_virt(PADDR(root_address));

	__builtin_memcpy(&root[KERNEL_SLOT_FIRST], &from[KERNEL_SLOT_FIRST], PAGE_SIZE / 2);
}

static paddr_t boot_table(void)
{
	return bootalloc_pages(1);
}

/* Like pagetable_ensure, but while booting: tables come from bootalloc. */
static uint64_t *boot_ensure(uint64_t address, uint32_t level)
{
	uint64_t *table = phys_to_virt(PADDR(root_address));

	for (uint32_t at = 4; at > level; at--) {
		uint64_t *entry = &table[level_index(address, at)];

		if (!*entry)
			*entry = boot_table().v | PTE_PRESENT | PTE_WRITE;
		ASSERT(pte_is_table(*entry, at));
		table = pte_table(*entry);
	}
	return &table[level_index(address, level)];
}

/* The largest leaf that fits at `address`, for `physical`, within `bytes`. */
static uint32_t leaf_level(uint64_t address, uint64_t physical, uint64_t bytes)
{
	uint32_t level = pagetable_has_huge() ? 3 : 2;

	while (level > 1 &&
		   (((address | physical) & (level_bytes(level) - 1)) || bytes < level_bytes(level)))
		level--;
	return level;
}

static void boot_map(uint64_t address, uint64_t physical, uint64_t bytes, uint64_t bits)
{
	while (bytes) {
		uint32_t level = leaf_level(address, physical, bytes);
		uint32_t present;
		uint64_t *entry = pagetable_find(PADDR(root_address), address, &present);
		uint64_t step = level_bytes(level);

		if (pte_is_leaf(*entry, present)) { /* mapped by an overlapping range before */
			step = level_bytes(present) - (address & (level_bytes(present) - 1));
		} else {
			while (level > present)
				level--;
			if (pte_is_table(*entry, level))
				level--;
			step = level_bytes(level);
			entry = boot_ensure(address, level);
			*entry = physical | bits | PTE_PRESENT | (level > 1 ? PTE_LARGE : 0);
		}
		if (step > bytes)
			step = bytes;
		address += step;
		physical += step;
		bytes -= step;
	}
}

static uint64_t image_to_physical(const char *symbol)
{
	return image_physical + (uint64_t)(symbol - kernel_start);
}

static void map_section(const char *start, const char *end, uint64_t bits)
{
	uint64_t bytes = ((uint64_t)(end - start) + PAGE_MASK) & ~PAGE_MASK;

	boot_map(
		(uint64_t)(uintptr_t)start, image_to_physical(start), bytes, bits | pagetable_global());
}

static void map_direct_part(uint64_t base, uint64_t end, uint64_t bits)
{
	if (base < end)
		boot_map(
			DIRECT_MAP_BASE + base, base, end - base, bits | pagetable_nx() | pagetable_global());
}

void kernel_space_map_direct(uint64_t base, uint64_t bytes)
{
	uint64_t end = base + bytes;
	uint64_t read_only = image_to_physical(text_start);
	uint64_t read_only_end = image_to_physical(rodata_end);

	ASSERT(!((base | bytes) & PAGE_MASK) && end >= base && end <= DIRECT_MAP_BYTES);
	if (end <= read_only || base >= read_only_end) {
		map_direct_part(base, end, PTE_WRITE);
		return;
	}
	map_direct_part(base, read_only, PTE_WRITE);
	map_direct_part(
		base > read_only ? base : read_only, end < read_only_end ? end : read_only_end, 0);
	map_direct_part(read_only_end, end, PTE_WRITE);
}

static void map_boot_ranges(const struct boot_info *info)
{
	for (uint32_t i = 0; i < info->ranges; i++) {
		const struct boot_range *range = &info->range[i];

		if (range->type != BOOT_MEMORY_USABLE && range->type != BOOT_MEMORY_ACPI_RECLAIM &&
			range->type != BOOT_MEMORY_ACPI_NVS)
			continue;
		if (range->bytes && range->base < DIRECT_MAP_BYTES &&
			range->bytes <= DIRECT_MAP_BYTES - range->base)
			kernel_space_map_direct(range->base & ~PAGE_MASK, range->bytes & ~PAGE_MASK);
	}
}

void kernel_space_init(const struct boot_info *info)
{
	uint64_t *root;

	root_address = boot_table().v;
	image_physical = info->kernel_base;
	root = phys_to_virt(PADDR(root_address));
	for (uint32_t slot = KERNEL_SLOT_FIRST; slot < PTES_PER_TABLE; slot++)
		root[slot] = boot_table().v | PTE_PRESENT | PTE_WRITE;
	map_section(kernel_start, text_start, pagetable_nx());
	map_section(text_start, text_end, 0);
	map_section(rodata_start, rodata_end, pagetable_nx());
	map_section(data_start, bss_end, PTE_WRITE | pagetable_nx());
	map_section(bss_end, kernel_end, pagetable_nx());
	map_boot_ranges(info);
	/* The stacks' level-2 tables come now, so that the first stack of a gigabyte costs no page that stays. */
	for (uint64_t at = 0; at < KSTACKS_MAX * KSTACK_STRIDE; at += HUGE_PAGE_SIZE)
		boot_ensure(KSTACKS_BASE + at, 2);
	for (uint32_t i = 0; i < KERNEL_MAPS_MAX; i++)
		mappings[i].base = 0;
}

/* First fit between the mappings; the slot is taken. ERR_NO_MEMORY: no slot or no room. */
static err_t maps_reserve(uint64_t bytes, uint64_t *out)
{
	uint64_t at = KERNEL_MAP_BASE;
	struct kernel_mapping *slot = NULL;
	bool moved = true;

	while (moved) {
		moved = false;
		for (uint32_t i = 0; i < KERNEL_MAPS_MAX; i++) {
			struct kernel_mapping *m = &mappings[i];

			if (!m->base)
				slot = m;
			else if (at < m->base + m->bytes && m->base < at + bytes) {
				at = m->base + m->bytes;
				moved = true;
			}
		}
	}
	if (!slot || at + bytes > KERNEL_MAP_BASE + KERNEL_MAP_BYTES)
		return ERR_NO_MEMORY;
	*slot = (struct kernel_mapping){ at, bytes };
	*out = at;
	return OK;
}

static void maps_release(uint64_t base, uint64_t bytes)
{
	bool found = false;

	spin_lock(&maps_lock);
	for (uint32_t i = 0; i < KERNEL_MAPS_MAX && !found; i++) {
		found = mappings[i].base == base && mappings[i].bytes == bytes;
		if (found)
			mappings[i].base = 0;
	}
	spin_unlock(&maps_lock);
	ASSERT(found);
}

static void clear_pages(uint64_t base, uint64_t bytes)
{
	for (uint64_t at = 0; at < bytes; at += PAGE_SIZE) {
		uint32_t level;
		uint64_t *entry = pagetable_find(PADDR(root_address), base + at, &level);

		if (level == 1)
			pte_exchange(entry, 0);
	}
}

err_t kernel_map(paddr_t physical, size_t bytes, enum cache_kind cache, bool writable, void **out)
{
	uint64_t offset = physical.v & PAGE_MASK;
	uint64_t bits = PTE_PRESENT | pagetable_nx() | pagetable_global() |
					pagetable_cache_bits(cache) | (writable ? PTE_WRITE : 0);
	uint64_t span;
	uint64_t base;
	uint64_t *root = phys_to_virt(PADDR(root_address));
	err_t err;

	if (!bytes || bytes > KERNEL_MAP_BYTES / 2 || physical.v > PTE_ADDRESS - bytes)
		return ERR_ARGS;
	span = (offset + bytes + PAGE_MASK) & ~PAGE_MASK;
	spin_lock(&maps_lock);
	err = maps_reserve(span, &base);
	spin_unlock(&maps_lock);
	if (err != OK)
		return err;
	for (uint64_t at = 0; at < span; at += PAGE_SIZE) {
		uint64_t *entry;

		err = pagetable_ensure(
			&root[level_index(base, 4)], 4, base + at, 1, NULL, PTE_PRESENT | PTE_WRITE, &entry);
		if (err != OK)
			goto undo_pages;
		pte_exchange(entry, (physical.v - offset + at) | bits);
	}
	*out = (void *)(uintptr_t)(base + offset);
	return OK;

undo_pages:
	clear_pages(base, span);
	tlb_kernel_flush();
	maps_release(base, span);
	return err;
}

void kernel_unmap(void *address, size_t bytes)
{
	uint64_t base = (uint64_t)(uintptr_t)address & ~PAGE_MASK;
	uint64_t span = (((uint64_t)(uintptr_t)address & PAGE_MASK) + bytes + PAGE_MASK) & ~PAGE_MASK;

	clear_pages(base, span);
	tlb_kernel_flush();
	maps_release(base, span);
}

bool kernel_space_check(void)
{
	const uint64_t *root = phys_to_virt(PADDR(root_address));

	for (uint32_t slot = KERNEL_SLOT_FIRST; slot < PTES_PER_TABLE; slot++)
		if (!pte_is_table(root[slot], 4))
			return false;
	return pagetable_check(PADDR(root_address), KERNEL_SLOT_FIRST, PTES_PER_TABLE - 1);
}
