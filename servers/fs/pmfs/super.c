/* SPDX-License-Identifier: BSD-2-Clause */
/* super.c - telling our media from everything else, and making it. */
#include "super.h"
#include "crc32c.h"

#include <stdio.h>
#include <string.h>

#define BLANK_BYTES (4ull << 20) /* so many zero bytes at the start: nobody's media */
#define TABLE_BLOCKS_FIRST TABLE_GROW_BLOCKS

static uint32_t super_crc(const struct pmfs_super *super)
{
	struct pmfs_super copy = *super;

	copy.crc = 0;
	return crc32c(0, &copy, sizeof(copy));
}

/* What a checked superblock may still have wrong. */
static err_t super_check(const struct pmfs_super *s, uint64_t bytes, char reason[PMFS_REASON_BYTES])
{
	if (s->incompatible != 0) {
		snprintf(reason, PMFS_REASON_BYTES, "the media uses features that this pmfs does not know (0x%llx)",
				(unsigned long long)s->incompatible);
		return ERR_BAD_FORMAT;
	}
	if (s->block_bytes != PMFS_BLOCK || s->journals == 0 || s->journals > PMFS_JOURNALS_MAX ||
			s->first_data_block != PMFS_JOURNAL_BLOCK + s->journals ||
			s->blocks < PMFS_BYTES_MIN / PMFS_BLOCK || s->blocks > UINT64_MAX / PMFS_BLOCK) {
		snprintf(reason, PMFS_REASON_BYTES, "the superblock contradicts itself");
		return ERR_CORRUPT;
	}
	if (s->blocks > bytes / PMFS_BLOCK) {
		snprintf(reason, PMFS_REASON_BYTES, "the media is cut short: the file system has %llu bytes, the device %llu",
				(unsigned long long)s->blocks * PMFS_BLOCK, (unsigned long long)bytes);
		return ERR_BAD_FORMAT;
	}
	return OK;
}

enum super_verdict super_examine(const void *base, uint64_t bytes, struct pmfs_super *out, err_t *error,
		char reason[PMFS_REASON_BYTES])
{
	bool ours = false;
	uint64_t first;

	*error = ERR_BAD_FORMAT;
	if (bytes < PMFS_BYTES_MIN) {
		snprintf(reason, PMFS_REASON_BYTES, "the device is too small: %llu bytes, pmfs needs %llu",
				(unsigned long long)bytes, PMFS_BYTES_MIN);
		return SUPER_BAD;
	}
	for (int copy = 0; copy < 2; copy++) {
		memcpy(out, (const uint8_t *)base + (size_t)copy * PMFS_BLOCK, sizeof(*out));
		if (out->magic != PMFS_MAGIC)
			continue;
		ours = true;
		const bool good = out->crc == super_crc(out); /* a later version may sum up otherwise */
		if (out->version > PMFS_VERSION || (good && out->version < PMFS_VERSION)) {
			snprintf(reason, PMFS_REASON_BYTES, "the media is of format version %u; this pmfs knows %u", out->version,
					PMFS_VERSION);
			return SUPER_BAD;
		}
		if (!good)
			continue;
		*error = super_check(out, bytes, reason);
		return *error == OK ? SUPER_GOOD : SUPER_BAD;
	}
	memcpy(&first, base, 8);
	if (first == PMFS_FORMATTING || (!ours && pm_is_zero(base, bytes < BLANK_BYTES ? bytes : BLANK_BYTES)))
		return SUPER_BLANK; /* the second copy may have been torn */
	*error = ours ? ERR_CORRUPT : ERR_BAD_FORMAT;
	snprintf(reason, PMFS_REASON_BYTES, ours ? "both superblocks are damaged (checksum)"
			: "the media holds something else (no pmfs superblock, and it is not blank)");
	return SUPER_BAD;
}

bool super_copy_good(const struct pmem *pm, int copy, const struct pmfs_super *accepted)
{
	return memcmp(pm->base + (size_t)copy * PMFS_BLOCK, accepted, sizeof(*accepted)) == 0;
}

void super_mend(struct pmem *pm, const struct pmfs_super *accepted)
{
	for (int copy = 0; copy < 2; copy++)
		if (!super_copy_good(pm, copy, accepted))
			pm_store_nt(pm, pm->base + (size_t)copy * PMFS_BLOCK, accepted, sizeof(*accepted));
	pm_fence(pm);
}

bool state_read(const struct pmem *pm, uint32_t *state)
{
	uint64_t word;

	memcpy(&word, pm->base + PMFS_STATE_BLOCK * PMFS_BLOCK, 8);
	*state = (uint32_t)word;
	return word >> 32 == crc32c(0, state, sizeof(*state));
}

void state_write(struct pmem *pm, uint32_t state)
{
	uint64_t *at = (uint64_t *)(void *)(pm->base + PMFS_STATE_BLOCK * PMFS_BLOCK);

	pm_fence(pm);
	pm_store_u64(pm, at, state | (uint64_t)crc32c(0, &state, sizeof(state)) << 32);
	pm_write_back(pm, at, 8);
	pm_fence(pm);
}

static void store_all(struct pmem *pm, uint64_t at, const void *what, size_t bytes)
{
	pm_store_nt(pm, pm->base + at, what, bytes);
}

static void format_inode(struct pmem *pm, uint64_t at, uint64_t number, struct pmfs_inode *inode)
{
	inode->version = 1;
	inode->links = inode->type == PMFS_DIRECTORY ? 2 : 1;
	inode->mtime = inode->ctime = inode->atime = pmfs_now_ns(NULL);
	inode->crc = inode_crc(number, inode);
	store_all(pm, at, inode, sizeof(*inode));
}

static uint64_t mix(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15ull; /* splitmix64 */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

void super_format(struct pmem *pm, uint64_t seed)
{
	struct pmfs_super super = {
		.magic = PMFS_MAGIC,
		.version = PMFS_VERSION,
		.blocks = pm->bytes / PMFS_BLOCK,
		.block_bytes = PMFS_BLOCK,
		.created_ns = pmfs_now_ns(NULL),
	};
	const uint64_t journals = super.blocks / 128;

	super.journals = journals > PMFS_JOURNALS_MAX ? PMFS_JOURNALS_MAX : (uint32_t)journals;
	super.first_data_block = PMFS_JOURNAL_BLOCK + super.journals;
	if (seed == 0)
		seed = super.created_ns ^ (uintptr_t)&super;
	for (int i = 0; i < 2; i++) {
		const uint64_t word = mix(&seed);
		memcpy(super.uuid + 8 * i, &word, 8);
		super.hash_key[i] = mix(&seed);
	}
	super.uuid[6] = (super.uuid[6] & 0x0f) | 0x40; /* RFC 9562, version 4 */
	super.uuid[8] = (super.uuid[8] & 0x3f) | 0x80;
	super.crc = super_crc(&super);

	pm_store_u64(pm, (uint64_t *)(void *)pm->base, PMFS_FORMATTING);
	pm_write_back(pm, pm->base, 8);
	pm_fence(pm);
	const uint64_t table = super.first_data_block;
	pm_zero_nt(pm, pm->base + PMFS_BLOCK, (table + TABLE_BLOCKS_FIRST - 1) * PMFS_BLOCK);
	struct pmfs_inode inode = {
		.type = PMFS_FILE,
		.size = TABLE_BLOCKS_FIRST * PMFS_BLOCK,
		.blocks = TABLE_BLOCKS_FIRST,
		.entries = 1,
		.root[0] = { 0, TABLE_BLOCKS_FIRST, table },
	};
	format_inode(pm, PMFS_ANCHOR_BLOCK * PMFS_BLOCK, PMFS_INODE_TABLE, &inode);
	inode = (struct pmfs_inode) { .type = PMFS_DIRECTORY, .mode = 0755, .parent = PMFS_INODE_ROOT };
	format_inode(pm, table * PMFS_BLOCK + PMFS_INODE_ROOT * sizeof(struct pmfs_inode_slot), PMFS_INODE_ROOT, &inode);
	state_write(pm, PMFS_STATE_CLEAN);
	store_all(pm, PMFS_BLOCK, &super, sizeof(super));
	pm_fence(pm);
	pm_zero_nt(pm, pm->base + sizeof(super), PMFS_BLOCK - sizeof(super));
	store_all(pm, 0, &super, sizeof(super));
	pm_fence(pm);
}
