/* SPDX-License-Identifier: BSD-2-Clause */
/* journal.c - changes of several inodes: a redo record, then the places themselves.
 * A journal is used by one change at a time and only after the change before it in the same
 * journal is durable in its place (C6 in change.h), so a torn record hides nothing. Replay needs
 * no end mark: inode versions tell old from new. */
#include "change.h"
#include "crc32c.h"

#include <stdlib.h>
#include <string.h>

static struct pmfs_journal *journal_at(const struct pmfs *fs, uint32_t index)
{
	return block_at(fs, PMFS_JOURNAL_BLOCK + index);
}

/* This CPU's own journal, or the next that is not busy. */
static uint32_t journal_lock_one(struct pmfs *fs)
{
	const uint32_t first = pmfs_cpu(fs) % fs->super.journals;

	for (uint32_t i = 0; i < fs->super.journals; i++) {
		uint32_t index = (first + i) % fs->super.journals;
		if (pthread_mutex_trylock(&fs->journal[index].lock) == 0)
			return index;
	}
	pthread_mutex_lock(&fs->journal[first].lock);
	return first;
}

static void record_fill(const struct change *c, uint64_t version, struct pmfs_journal *record, uint8_t **packed_end)
{
	memset(record, 0, sizeof(*record));
	record->magic = PMFS_JOURNAL_MAGIC;
	record->version = version;
	record->inodes = (uint16_t)c->inodes;
	record->words = (uint16_t)c->words;
	for (uint32_t i = 0; i < c->inodes; i++) {
		record->inode[i].number = c->inode[i]->number;
		record->inode[i].inode = c->next[i];
	}
	for (uint32_t i = 0; i < c->words; i++) {
		record->word[i].offset = (uint64_t)((uint8_t *)c->word[i].at - c->fs->pm.base);
		record->word[i].value = c->word[i].value;
		record->word[i].owner = c->word[i].owner;
		if (c->word[i].body == NULL)
			continue;
		record->word[i].body = (uint64_t)((const uint8_t *)c->word[i].body - c->fs->pm.base);
		record->word[i].body_bytes = c->word[i].body_bytes;
		record->word[i].body_crc = crc32c(0, c->word[i].body, c->word[i].body_bytes);
	}
	*packed_end = (uint8_t *)(c->words != 0 ? (void *)&record->word[c->words] : (void *)&record->inode[c->inodes]);
	record->bytes = (uint32_t)(*packed_end - (uint8_t *)&record->version);
	record->crc = crc32c(0, &record->version, record->bytes);
}

void journal_write(struct change *c, uint64_t version)
{
	struct pmem *pm = &c->fs->pm;
	struct pmfs_journal record;
	uint8_t *end;
	const uint32_t index = journal_lock_one(c->fs);

	record_fill(c, version, &record, &end);
	pm_store_nt(pm, journal_at(c->fs, index), &record, (size_t)(end - (uint8_t *)&record));
	pm_fence(pm); /* from here on it has happened */
	for (uint32_t i = 0; i < c->words; i++) {
		pm_store_u64(pm, c->word[i].at, c->word[i].value);
		pm_write_back(pm, c->word[i].at, 8);
	}
	for (uint32_t i = 0; i < c->inodes; i++) {
		struct inode *inode = c->inode[i];
		struct pmfs_inode *to = &inode_slot(c->fs, inode->number)->copy[!inode->copy];
		pm_store(pm, to, &c->next[i], sizeof(*to));
		pm_write_back(pm, to, sizeof(*to));
	}
	pm_fence(pm);
	pthread_mutex_unlock(&c->fs->journal[index].lock);
}

/* --- after an unclean end --- */

/* In range; and the entry that it makes valid has arrived. One whose slot was used again since
 * then is another: the transaction was complete long before, so not replaying it is right. */
static bool word_good(const struct pmfs *fs, const struct pmfs_journal_word *word)
{
	if (word->offset % 8 != 0 || !block_range_good(fs, word->offset >> PMFS_BLOCK_SHIFT, 1))
		return false;
	if (word->body == 0)
		return true;
	if (word->body_bytes > PMFS_BLOCK || !block_range_good(fs, word->body >> PMFS_BLOCK_SHIFT, 1) ||
			(word->body & (PMFS_BLOCK - 1)) + word->body_bytes > PMFS_BLOCK)
		return false;
	return crc32c(0, fs->pm.base + word->body, word->body_bytes) == word->body_crc;
}

static bool record_good(const struct pmfs *fs, const struct pmfs_journal *record)
{
	const uint32_t least = offsetof(struct pmfs_journal, inode) - offsetof(struct pmfs_journal, version);
	const uint32_t most = sizeof(*record) - offsetof(struct pmfs_journal, version);

	if (record->magic != PMFS_JOURNAL_MAGIC || record->bytes < least || record->bytes > most ||
			crc32c(0, &record->version, record->bytes) != record->crc)
		return false;
	if (record->inodes > PMFS_JOURNAL_INODES || record->words > PMFS_JOURNAL_WORDS)
		return false;
	for (uint32_t i = 0; i < record->words; i++)
		if (!word_good(fs, &record->word[i]))
			return false;
	return true;
}

static int record_order(const void *a, const void *b)
{
	const struct pmfs_journal *x = *(struct pmfs_journal *const *)a, *y = *(struct pmfs_journal *const *)b;

	return x->version < y->version ? -1 : x->version > y->version;
}

/* The version that counts on media now; 0 if neither copy is good. */
static uint64_t version_on_media(uint64_t number, const struct pmfs_inode_slot *slot)
{
	uint8_t copy;

	return inode_slot_pick(number, slot, true, &copy) == OK ? slot->copy[copy].version : 0;
}

static err_t record_replay(struct pmfs *fs, const struct pmfs_journal *record, bool *newer)
{
	struct pmem *pm = &fs->pm;
	bool current[PMFS_JOURNAL_INODES] = { false };

	*newer = false;
	for (uint32_t i = 0; i < record->inodes; i++) {
		const uint64_t number = record->inode[i].number;
		const struct pmfs_inode *inode = &record->inode[i].inode;
		struct pmfs_inode_slot *slot = inode_slot(fs, number);
		if (slot == NULL || inode->version != record->version || !inode_copy_good(number, inode))
			return ERR_CORRUPT;
		const uint64_t version = version_on_media(number, slot);
		current[i] = version <= record->version;
		if (version >= record->version)
			continue;
		struct pmfs_inode *to = &slot->copy[0];
		if (inode_copy_good(number, to) && (!inode_copy_good(number, &slot->copy[1]) ||
				slot->copy[1].version < to->version))
			to = &slot->copy[1];
		pm_store(pm, to, inode, sizeof(*to));
		pm_write_back(pm, to, sizeof(*to));
		*newer = true;
	}
	for (uint32_t i = 0; i < record->words; i++) {
		const struct pmfs_journal_word *word = &record->word[i];
		uint64_t *at = (uint64_t *)(void *)(fs->pm.base + word->offset);
		for (uint32_t k = 0; k < record->inodes; k++) {
			if (record->inode[k].number != word->owner || !current[k] || *at == word->value)
				continue;
			pm_store_u64(pm, at, word->value);
			pm_write_back(pm, at, 8);
			*newer = true;
		}
	}
	return OK;
}

err_t journal_replay(struct pmfs *fs, uint32_t *replayed)
{
	struct pmfs_journal *record[PMFS_JOURNALS_MAX] = { NULL };
	uint32_t count = 0;

	*replayed = 0;
	for (uint32_t i = 0; i < fs->super.journals; i++)
		if (record_good(fs, journal_at(fs, i)))
			record[count++] = journal_at(fs, i);
	qsort(record, count, sizeof(record[0]), record_order);
	for (uint32_t i = 0; i < count; i++) {
		bool newer;
		err_t err = record_replay(fs, record[i], &newer);
		if (err != OK)
			return err;
		*replayed += newer;
	}
	pm_fence(&fs->pm);
	return OK;
}
