/* SPDX-License-Identifier: BSD-2-Clause */
/* journal.c - changes of several inodes: a redo record, then the places themselves.
 * A journal is used by one change at a time and has its two last records, in turn in its halves: the
 * fence that commits one settles the one before (C6 in change.h), so what a torn record overwrites is
 * never needed. Replay needs no end mark: inode versions tell old from new. */
#include "change.h"
#include "crc32c.h"

#include <stdlib.h>
#include <string.h>

static struct pmfs_journal *record_at(const struct pmfs *fs, uint32_t index, uint64_t ticket)
{
	uint8_t *block = block_at(fs, PMFS_JOURNAL_BLOCK + index);

	return (struct pmfs_journal *)(void *)(block + ticket % PMFS_JOURNAL_RECORDS * PMFS_RECORD_ROOM);
}

/* This CPU's own journal, or the next that is not busy. */
static uint32_t journal_lock_one(struct pmfs *fs, uint32_t cpu)
{
	const uint32_t first = cpu % fs->super.journals;

	for (uint32_t i = 0; i < fs->super.journals; i++) {
		uint32_t index = (first + i) % fs->super.journals;
		if (pthread_mutex_trylock(&fs->journal[index].lock) == 0)
			return index;
	}
	pthread_mutex_lock(&fs->journal[first].lock);
	return first;
}

/* Words and pieces go behind the last inode. Returns the record's bytes. */
static size_t record_seal(struct change *c, uint64_t version)
{
	struct pmfs_journal *head = &c->record.head;
	uint8_t *end = (uint8_t *)&c->record.inode[c->inodes];

	for (uint32_t i = 0; i < c->words; i++, end += sizeof(c->word[i]))
		memcpy(end, &c->word[i], sizeof(c->word[i]));
	for (uint32_t i = 0; i < c->vouched; i++, end += sizeof(c->piece[i]))
		memcpy(end, &c->piece[i], sizeof(c->piece[i]));
	const size_t bytes = (size_t)(end - (uint8_t *)head);
	*head = (struct pmfs_journal) {
		.magic = PMFS_JOURNAL_MAGIC,
		.version = version,
		.bytes = (uint32_t)(bytes - offsetof(struct pmfs_journal, version)),
		.inodes = (uint8_t)c->inodes,
		.words = (uint8_t)c->words,
		.vouched = (uint8_t)c->vouched,
	};
	head->crc = crc32c(0, &head->version, head->bytes);
	return bytes;
}

static void places_write_back(struct pmfs *fs, const struct journal *journal)
{
	for (uint32_t i = 0; i < journal->places; i++)
		pm_write_back(&fs->pm, journal->place[i].at, journal->place[i].bytes);
}

bool journal_is_late(struct inode *inode, uint32_t cpu)
{
	struct pmfs *fs = inode->fs;
	struct journal *journal = &fs->journal[inode->late_journal];

	if (inode->late_ticket == 0)
		return false;
	if (atomic_load(&journal->settled) >= inode->late_ticket) {
		inode->late_ticket = 0;
		return false;
	}
	if (unlikely(inode->late_cpu != cpu)) {
		pthread_mutex_lock(&journal->lock);
		if (journal->ticket == inode->late_ticket)
			places_write_back(fs, journal);
		pthread_mutex_unlock(&journal->lock);
	}
	return true;
}

void inode_settle(struct inode *inode)
{
	if (inode->late_ticket != 0 && journal_is_late(inode, pmfs_cpu(inode->fs))) {
		pm_fence(&inode->fs->pm);
		inode->late_ticket = 0;
	}
}

void journal_settle_all(struct pmfs *fs)
{
	for (uint32_t i = 0; i < fs->super.journals; i++)
		if (atomic_load(&fs->journal[i].settled) != fs->journal[i].ticket)
			places_write_back(fs, &fs->journal[i]);
	pm_fence(&fs->pm);
	for (uint32_t i = 0; i < fs->super.journals; i++)
		atomic_store(&fs->journal[i].settled, fs->journal[i].ticket);
}

void journal_inode_write(struct change *c, uint32_t i)
{
	const struct inode *inode = c->inode[i];
	struct pmfs_inode *to = &inode->slot->copy[!inode->copy];

	pm_store(&c->fs->pm, to, change_next(c, i), sizeof(*to));
	pm_write_back(&c->fs->pm, to, sizeof(*to));
}

/* After the commit. Every CPU can write them back again: no non-temporal stores. */
static void places_write(struct change *c, struct journal *journal)
{
	struct pmem *pm = &c->fs->pm;
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->words; i++) {
		uint64_t *at = (uint64_t *)(void *)(pm->base + c->word[i].offset);
		pm_store_u64(pm, at, c->word[i].value);
		pm_write_back(pm, at, sizeof(*at));
		journal->place[n].at = at;
		journal->place[n++].bytes = sizeof(*at);
	}
	for (uint32_t i = 0; i < c->inodes; i++) {
		journal_inode_write(c, i);
		journal->place[n].at = &c->inode[i]->slot->copy[!c->inode[i]->copy];
		journal->place[n++].bytes = sizeof(struct pmfs_inode);
	}
	journal->places = n;
}

void journal_write(struct change *c, uint64_t version)
{
	struct pmfs *fs = c->fs;
	const size_t bytes = record_seal(c, version);
	const uint32_t index = journal_lock_one(fs, c->cpu);
	struct journal *journal = &fs->journal[index];
	const uint64_t ticket = journal->ticket + 1;

	if (unlikely(journal->cpu != c->cpu))
		places_write_back(fs, journal);
	pm_store_nt(&fs->pm, record_at(fs, index, ticket), &c->record, bytes);
	pm_fence(&fs->pm); /* from here on it has happened; and the record before is settled */
	atomic_store(&journal->settled, ticket - 1);
	places_write(c, journal);
	journal->cpu = c->cpu;
	journal->ticket = ticket;
	for (uint32_t i = 0; i < c->inodes; i++) {
		c->inode[i]->late_ticket = ticket;
		c->inode[i]->late_journal = index;
		c->inode[i]->late_cpu = c->cpu;
	}
	pthread_mutex_unlock(&journal->lock);
}

/* --- after an unclean end --- */

/* A checked record, taken apart. */
struct record {
	const struct pmfs_journal *head;
	const struct pmfs_journal_inode *inode;
	const struct pmfs_journal_word *word;
	const struct pmfs_journal_piece *piece;
};

static bool word_good(const struct pmfs *fs, const struct pmfs_journal_word *word)
{
	return word->offset % 8 == 0 && block_range_good(fs, word->offset >> PMFS_BLOCK_SHIFT, 1);
}

/* It has arrived. If its place was used again since then, something else is there: the transaction was
 * complete long before, so not replaying it is right. */
static bool piece_good(const struct pmfs *fs, const struct pmfs_journal_piece *piece)
{
	if (!block_range_good(fs, piece->offset >> PMFS_BLOCK_SHIFT, 1) || piece->bytes > PMFS_BLOCK ||
			(piece->offset & (PMFS_BLOCK - 1)) + piece->bytes > PMFS_BLOCK)
		return false;
	return crc32c(0, fs->pm.base + piece->offset, piece->bytes) == piece->crc;
}

static bool record_good(const struct pmfs *fs, const struct pmfs_journal *head, struct record *out)
{
	const size_t counted = sizeof(*head) - offsetof(struct pmfs_journal, version) +
			head->inodes * sizeof(struct pmfs_journal_inode) + head->words * sizeof(struct pmfs_journal_word) +
			head->vouched * sizeof(struct pmfs_journal_piece);

	if (head->magic != PMFS_JOURNAL_MAGIC || head->inodes > PMFS_JOURNAL_INODES || head->words > PMFS_JOURNAL_WORDS ||
			head->vouched > PMFS_JOURNAL_VOUCHED || head->bytes != counted ||
			crc32c(0, &head->version, head->bytes) != head->crc)
		return false;
	out->head = head;
	out->inode = (const struct pmfs_journal_inode *)(const void *)(head + 1);
	out->word = (const struct pmfs_journal_word *)(const void *)&out->inode[head->inodes];
	out->piece = (const struct pmfs_journal_piece *)(const void *)&out->word[head->words];
	for (uint32_t i = 0; i < head->words; i++)
		if (!word_good(fs, &out->word[i]))
			return false;
	for (uint32_t i = 0; i < head->vouched; i++)
		if (!piece_good(fs, &out->piece[i]))
			return false;
	return true;
}

static int record_order(const void *a, const void *b)
{
	const uint64_t x = ((const struct record *)a)->head->version, y = ((const struct record *)b)->head->version;

	return x < y ? -1 : x > y;
}

/* The version that counts on media now; 0 if neither copy is good. */
static uint64_t version_on_media(uint64_t number, const struct pmfs_inode_slot *slot)
{
	uint8_t copy;

	return inode_slot_pick(number, slot, true, &copy) == OK ? slot->copy[copy].version : 0;
}

/* *current: the media's version of the inode is not newer than the record. */
static err_t inode_replay(struct pmfs *fs, const struct pmfs_journal_inode *recorded, uint64_t record_version,
		bool *current, bool *newer)
{
	const uint64_t number = recorded->number;
	const struct pmfs_inode *inode = &recorded->inode;
	struct pmfs_inode_slot *slot = inode_slot(fs, number);

	if (slot == NULL || inode->version != record_version || !inode_copy_good(number, inode))
		return ERR_CORRUPT;
	const uint64_t version = version_on_media(number, slot);
	*current = version <= record_version;
	if (version >= record_version)
		return OK;
	struct pmfs_inode *to = &slot->copy[0];
	if (inode_copy_good(number, to) && (!inode_copy_good(number, &slot->copy[1]) ||
			slot->copy[1].version < to->version))
		to = &slot->copy[1];
	pm_store_nt(&fs->pm, to, inode, sizeof(*to));
	*newer = true;
	return OK;
}

static err_t record_replay(struct pmfs *fs, const struct record *record, bool *newer)
{
	struct pmem *pm = &fs->pm;
	bool current[PMFS_JOURNAL_INODES] = { false };

	*newer = false;
	for (uint32_t i = 0; i < record->head->inodes; i++) {
		err_t err = inode_replay(fs, &record->inode[i], record->head->version, &current[i], newer);
		if (err != OK)
			return err;
	}
	for (uint32_t i = 0; i < record->head->words; i++) {
		const struct pmfs_journal_word *word = &record->word[i];
		uint64_t *at = (uint64_t *)(void *)(pm->base + word->offset);
		for (uint32_t k = 0; k < record->head->inodes; k++) {
			if (record->inode[k].number != word->owner || !current[k] || *at == word->value)
				continue;
			pm_store_u64(pm, at, word->value);
			pm_write_back(pm, at, 8);
			*newer = true;
		}
	}
	return OK;
}

/* What was not committed must not seem so later, when its pieces have come to the same places by another
 * change of the same version. */
static void records_forget(struct pmfs *fs)
{
	for (uint32_t i = 0; i < fs->super.journals; i++)
		for (uint32_t half = 0; half < PMFS_JOURNAL_RECORDS; half++)
			if (record_at(fs, i, half)->magic != 0)
				pm_zero_nt(&fs->pm, record_at(fs, i, half), sizeof(struct pmfs_journal));
}

/* C7: all that a record vouches for, and its places. */
static void record_write_back(struct pmfs *fs, const struct record *record)
{
	struct pmem *pm = &fs->pm;

	for (uint32_t i = 0; i < record->head->vouched; i++)
		pm_write_back(pm, pm->base + record->piece[i].offset, record->piece[i].bytes);
	for (uint32_t i = 0; i < record->head->words; i++)
		pm_write_back(pm, pm->base + record->word[i].offset, 8);
	for (uint32_t i = 0; i < record->head->inodes; i++) {
		const struct pmfs_inode_slot *slot = inode_slot(fs, record->inode[i].number);
		if (slot != NULL)
			pm_write_back(pm, slot, sizeof(*slot));
	}
}

err_t journal_replay(struct pmfs *fs, uint32_t *replayed)
{
	struct record record[PMFS_JOURNALS_MAX * PMFS_JOURNAL_RECORDS] = { { NULL } };
	uint32_t count = 0;

	*replayed = 0;
	pm_write_back(&fs->pm, block_at(fs, PMFS_JOURNAL_BLOCK), (size_t)fs->super.journals * PMFS_BLOCK);
	for (uint32_t i = 0; i < fs->super.journals; i++)
		for (uint32_t half = 0; half < PMFS_JOURNAL_RECORDS; half++)
			count += record_good(fs, record_at(fs, i, half), &record[count]);
	for (uint32_t i = 0; i < count; i++)
		record_write_back(fs, &record[i]);
	pm_fence(&fs->pm);
	qsort(record, count, sizeof(record[0]), record_order);
	for (uint32_t i = 0; i < count; i++) {
		bool newer;
		err_t err = record_replay(fs, &record[i], &newer);
		if (err != OK)
			return err;
		*replayed += newer;
		if (newer)
			pm_fence(&fs->pm); /* C6: before a later version is stored to; and before the record is forgotten */
	}
	if (fs->options.damage == NULL)
		records_forget(fs);
	pm_fence(&fs->pm);
	return OK;
}
