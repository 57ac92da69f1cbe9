/* SPDX-License-Identifier: BSD-2-Clause */
/* summary.c - see summary.h. Free space goes region by region: a count for each, and a block of bits for
 * those that are neither free nor used altogether. Time and size are proportional to what is in use,
 * but for four bytes a region. Runs of blocks that several extents claim follow, each with its count: those are what
 * no bit can say. */
#include "summary.h"
#include "crc32c.h"

#include <stdlib.h>
#include <string.h>

#define REGION_WORDS (PMFS_REGION_BLOCKS / 64)
#define COUNTS_AT_ONCE 16u

static struct pmfs_summary_place *place_at(const struct pmfs *fs)
{
	return (struct pmfs_summary_place *)(void *)((uint8_t *)block_at(fs, PMFS_STATE_BLOCK) + PMFS_SUMMARY_PLACE);
}

static uint32_t place_crc(const struct pmfs_summary_place *place)
{
	return crc32c(0, &place->state, sizeof(*place) - offsetof(struct pmfs_summary_place, state));
}

static uint32_t regions_of(const struct pmfs *fs)
{
	return (uint32_t)((fs->super.blocks + PMFS_REGION_BLOCKS - 1) / PMFS_REGION_BLOCKS);
}

static uint64_t round_up(uint64_t bytes)
{
	return (bytes + PMEM_LINE - 1) & ~(uint64_t)(PMEM_LINE - 1);
}

/* The parts, one behind the other. */
struct parts {
	uint64_t counts; /* offset of */
	uint64_t bits;
	uint64_t inodes;
	uint64_t shares;
	uint64_t bytes;
};

static struct parts parts_of(uint32_t regions, uint64_t mixed, uint64_t table_blocks, uint64_t shares)
{
	struct parts p = { .counts = sizeof(struct pmfs_summary) };

	p.bits = p.counts + round_up(regions * sizeof(uint32_t));
	p.inodes = p.bits + mixed * PMFS_BLOCK;
	p.shares = p.inodes + round_up(table_blocks * (PMFS_INODES_PER_BLOCK / 8));
	p.bytes = p.shares + round_up(shares * sizeof(struct pmfs_summary_share));
	return p;
}

/* --- writing --- */

struct writer {
	struct pmfs *fs;
	uint8_t *at;
	uint32_t crc;
};

static void put(struct writer *w, const void *what, size_t bytes)
{
	pm_store_nt(&w->fs->pm, w->at, what, bytes);
	w->crc = crc32c(w->crc, what, bytes);
	w->at += bytes;
}

static uint32_t region_free(const struct pmfs *fs, uint32_t region)
{
	return space_free_in(&fs->space, (uint64_t)region * PMFS_REGION_BLOCKS, PMFS_REGION_BLOCKS);
}

static void put_counts(struct writer *w, uint32_t regions)
{
	for (uint32_t region = 0; region < regions; region += COUNTS_AT_ONCE) {
		uint32_t count[COUNTS_AT_ONCE] = { 0 };
		for (uint32_t i = 0; i < COUNTS_AT_ONCE && region + i < regions; i++)
			count[i] = region_free(w->fs, region + i);
		put(w, count, sizeof(count));
	}
}

static bool region_is_mixed(uint32_t free_blocks)
{
	return free_blocks != 0 && free_blocks != PMFS_REGION_BLOCKS;
}

static void put_bits(struct writer *w, uint32_t regions)
{
	for (uint32_t region = 0; region < regions; region++) {
		if (!region_is_mixed(region_free(w->fs, region)))
			continue;
		for (uint32_t word = 0; word < REGION_WORDS; word += PMEM_LINE / 8) {
			uint64_t line[PMEM_LINE / 8];
			for (uint32_t i = 0; i < PMEM_LINE / 8; i++)
				line[i] = space_word(&w->fs->space, (uint64_t)region * PMFS_REGION_BLOCKS + (word + i) * 64ull);
			put(w, line, sizeof(line));
		}
	}
}

static bool share_next(const struct pmfs *fs, uint64_t *block, struct pmfs_summary_share *out)
{
	if (!space_next_share(&fs->space, *block, out))
		return false;
	*block = out->block + out->blocks;
	return true;
}

static void put_shares(struct writer *w, uint64_t shares)
{
	uint64_t block = 0;

	while (shares != 0) {
		struct pmfs_summary_share line[PMEM_LINE / sizeof(struct pmfs_summary_share)] = { { 0 } };
		for (uint32_t i = 0; i < sizeof(line) / sizeof(line[0]) && shares != 0; i++, shares--)
			(void)share_next(w->fs, &block, &line[i]);
		put(w, line, sizeof(line));
	}
}

/* Which inodes are in use: all that no pool has. */
static uint8_t *inode_bits(const struct pmfs *fs, size_t bytes)
{
	uint8_t *bits = malloc(bytes);

	if (bits == NULL)
		return NULL;
	memset(bits, 0xff, bytes);
	for (uint32_t i = 0; i < fs->cpus; i++) {
		const struct inode_pool *pool = &fs->pool[i];
		for (uint32_t k = 0; k < pool->count; k++)
			bits[pool->numbers[k] / 8] &= (uint8_t)~(1u << pool->numbers[k] % 8);
	}
	return bits;
}

void summary_write(struct pmfs *fs, uint32_t state)
{
	const uint32_t regions = regions_of(fs);
	const uint64_t table_blocks = atomic_load(&fs->table_blocks);
	struct pmfs_summary_share share;
	uint64_t mixed = 0, shares = 0, block = 0;

	space_unready(&fs->space);
	for (uint32_t region = 0; region < regions; region++)
		mixed += region_is_mixed(region_free(fs, region));
	while (share_next(fs, &block, &share))
		shares++;
	const struct parts parts = parts_of(regions, mixed, table_blocks, shares);
	uint8_t *bits = inode_bits(fs, parts.shares - parts.inodes);
	if (bits == NULL || !space_find_run(&fs->space, (parts.bytes + PMFS_BLOCK - 1) / PMFS_BLOCK, &block)) {
		free(bits);
		return;
	}
	const struct pmfs_summary head = {
		.magic = PMFS_SUMMARY_MAGIC,
		.regions = regions,
		.mixed = mixed,
		.table_blocks = table_blocks,
		.inodes_used = inodes_used(fs),
		.shares = shares,
	};
	struct writer w = { .fs = fs, .at = block_at(fs, block) };
	put(&w, &head, sizeof(head));
	put_counts(&w, regions);
	put_bits(&w, regions);
	put(&w, bits, parts.shares - parts.inodes);
	free(bits);
	put_shares(&w, shares);
	struct pmfs_summary_place place = { .state = state, .block = block, .bytes = parts.bytes, .summary_crc = w.crc };
	place.crc = place_crc(&place);
	pm_store_nt(&fs->pm, place_at(fs), &place, sizeof(place)); /* the fence is that of the state word (U1) */
}

/* --- reading --- */

bool summary_good(const struct pmfs *fs, uint32_t state)
{
	const struct pmfs_summary_place *place = place_at(fs);

	if (place->state != state || place->crc != place_crc(place) || place->bytes < sizeof(struct pmfs_summary))
		return false;
	if (!block_range_good(fs, place->block, (place->bytes + PMFS_BLOCK - 1) / PMFS_BLOCK))
		return false;
	const struct pmfs_summary *head = block_at(fs, place->block);
	if (head->magic != PMFS_SUMMARY_MAGIC || head->regions != regions_of(fs) || head->mixed > head->regions ||
			head->table_blocks > fs->super.blocks || head->shares > fs->super.blocks ||
			place->bytes != parts_of(head->regions, head->mixed, head->table_blocks, head->shares).bytes)
		return false;
	if (crc32c(0, head, place->bytes) != place->summary_crc)
		return false;
	const uint32_t *count = (const uint32_t *)(const void *)(head + 1);
	uint64_t mixed = 0;
	for (uint32_t region = 0; region < head->regions; region++)
		mixed += region_is_mixed(count[region]);
	return mixed == head->mixed;
}

static err_t load_space(struct pmfs *fs, const struct pmfs_summary *head, const struct parts *parts)
{
	const uint32_t *count = (const uint32_t *)(const void *)((const uint8_t *)head + parts->counts);
	const uint64_t *bits = (const uint64_t *)(const void *)((const uint8_t *)head + parts->bits);
	err_t err = OK;

	for (uint32_t region = 0; region < head->regions && err == OK; region++) {
		const bool mixed = region_is_mixed(count[region]);
		const uint64_t first = (uint64_t)region * PMFS_REGION_BLOCKS;
		for (uint32_t i = 0; i < REGION_WORDS && count[region] != PMFS_REGION_BLOCKS && err == OK; i++)
			err = space_word_set(&fs->space, first + i * 64ull, mixed ? bits[i] : UINT64_MAX);
		bits += mixed ? REGION_WORDS : 0;
	}
	return err;
}

err_t summary_load(struct pmfs *fs)
{
	const struct pmfs_summary *head = block_at(fs, place_at(fs)->block);
	const struct parts parts = parts_of(head->regions, head->mixed, head->table_blocks, head->shares);
	const struct pmfs_summary_share *share = (const void *)((const uint8_t *)head + parts.shares);
	const uint8_t *inodes = (const uint8_t *)head + parts.inodes;

	if (head->table_blocks != atomic_load(&fs->table_blocks))
		return ERR_CORRUPT;
	err_t err = load_space(fs, head, &parts);
	for (uint64_t i = 0; i < head->shares && err == OK; i++)
		err = space_share_set(&fs->space, &share[i]);
	for (uint64_t number = head->table_blocks * PMFS_INODES_PER_BLOCK; err == OK && number-- > PMFS_INODE_ROOT + 1;)
		if (!(inodes[number / 8] >> number % 8 & 1))
			err = inode_number_free(fs, number); /* the lowest comes off the pool first */
	return err;
}
