/* SPDX-License-Identifier: BSD-2-Clause */
/* journal.c - changes of the metadata: a redo record, the words, and, late, the inodes.
 * A journal is used by one change at a time. Its halves are filled with records in turn; on the way into the other half
 * the inodes that are late go to their places, and the fence that commits the first record there settles them (C6 in
 * change.h): so a half is never needed when it is used again. Replay needs no end mark: tickets tell which records
 * belong together, versions old from new. */
#include "change.h"
#include "crc32c.h"

#include <stdlib.h>
#include <string.h>

static void *record_at(const struct pmfs *fs, uint64_t journal, uint32_t at)
{
	return (uint8_t *)block_at(fs, PMFS_JOURNAL_BLOCK + journal) + at;
}

void journal_begin(struct pmfs *fs)
{
	for (uint32_t i = 0; i < fs->super.journals; i++) {
		fs->journal[i].records = record_at(fs, i, 0);
		fs->journal[i].ticket = (uint64_t)(fs->state >> 1) << 40;
		atomic_store(&fs->journal[i].settled, fs->journal[i].ticket);
	}
}

/* --- a record --- */

static inline uint32_t record_inode_bytes(const struct pmfs_inode *inode)
{
	if (inode->type == PMFS_FREE)
		return PMFS_RECORD_INODE_FREE;
	if (inode->flags & PMFS_INODE_INLINE)
		return sizeof(*inode);
	return (uint32_t)(PMFS_RECORD_INODE_HEAD + inode->entries * sizeof(inode->root[0]));
}

/* As it is on media; and room, for what is copied too far and for zeroes. */
struct record_buffer {
	struct pmfs_journal head;
	uint8_t rest[PMFS_RECORD_MAX - sizeof(struct pmfs_journal) + PMFS_RECORD_ALIGN];
} ALIGNED(64);

/* Inodes are copied whole, as that is a few instructions; what belongs behind their part overwrites the rest. */
static void record_seal(struct change *c, uint64_t ticket, struct record_buffer *out)
{
	uint8_t *end = (uint8_t *)out + sizeof(out->head);

	for (uint32_t i = 0; i < c->inodes; i++) {
		struct pmfs_inode *to = (struct pmfs_inode *)(void *)end;
		c->next[i].version = c->version;
		*to = c->next[i];
		to->crc = (uint32_t)c->inode[i]->number;
		end += record_inode_bytes(&c->next[i]);
	}
	for (uint32_t i = 0; i < c->words; i++, end += sizeof(struct pmfs_journal_word))
		*(struct pmfs_journal_word *)(void *)end = (struct pmfs_journal_word) {
			.offset = c->word[i].offset | c->word[i].owner, .value = c->word[i].value };
	for (uint32_t i = 0; i < c->vouched; i++, end += sizeof(c->piece[i]))
		*(struct pmfs_journal_piece *)(void *)end = c->piece[i];
	memset(end, 0, PMFS_RECORD_ALIGN);
	out->head = (struct pmfs_journal) {
		.magic = PMFS_JOURNAL_MAGIC,
		.ticket = ticket,
		.version = c->version,
		.bytes = (uint16_t)(end - (uint8_t *)out),
		.inodes = (uint8_t)c->inodes,
		.words = (uint8_t)c->words,
		.vouched = (uint8_t)c->vouched,
	};
	out->head.crc = crc32c(0, &out->head.ticket, out->head.bytes - offsetof(struct pmfs_journal, ticket));
}

static bool word_good(const struct pmfs *fs, const struct pmfs_journal *head, const struct pmfs_journal_word *word)
{
	return (word->offset & PMFS_WORD_OWNER) < head->inodes && block_range_good(fs, word->offset >> PMFS_BLOCK_SHIFT, 1);
}

bool record_read(const struct pmfs *fs, uint32_t journal, uint32_t at, struct record *out)
{
	const struct pmfs_journal *head = record_at(fs, journal, at);
	const uint32_t room = PMFS_HALF_BYTES - at % PMFS_HALF_BYTES;
	const uint8_t *part = (const uint8_t *)(head + 1), *end;

	if (head->magic != PMFS_JOURNAL_MAGIC || head->bytes < sizeof(*head) || head->bytes > room ||
			head->inodes > PMFS_JOURNAL_INODES || head->words > PMFS_JOURNAL_WORDS ||
			head->vouched > PMFS_JOURNAL_VOUCHED ||
			crc32c(0, &head->ticket, head->bytes - offsetof(struct pmfs_journal, ticket)) != head->crc)
		return false;
	out->head = head;
	end = (const uint8_t *)head + head->bytes;
	for (uint32_t i = 0; i < head->inodes; i++) {
		out->inode[i] = (const struct pmfs_inode *)(const void *)part;
		if (end - part < (ptrdiff_t)PMFS_RECORD_INODE_FREE ||
				(out->inode[i]->type != PMFS_FREE && end - part < (ptrdiff_t)PMFS_RECORD_INODE_HEAD))
			return false;
		part += record_inode_bytes(out->inode[i]);
	}
	out->word = (const struct pmfs_journal_word *)(const void *)part;
	out->piece = (const struct pmfs_journal_piece *)(const void *)(part + head->words * sizeof(*out->word));
	if (part + head->words * sizeof(*out->word) + head->vouched * sizeof(*out->piece) != end)
		return false;
	for (uint32_t i = 0; i < head->words; i++)
		if (!word_good(fs, head, &out->word[i]))
			return false;
	return true;
}

uint64_t record_inode(const struct record *record, uint32_t i, struct pmfs_inode *out)
{
	const struct pmfs_inode *from = record->inode[i];
	const uint32_t bytes = record_inode_bytes(from);
	const uint64_t number = from->crc;

	memset(out, 0, sizeof(*out));
	memcpy(out, from, bytes < sizeof(*out) ? bytes : sizeof(*out));
	out->crc = inode_crc(number, out);
	return number;
}

/* --- places --- */

/* What is late in the journal, which is locked; the caller fences. */
static void places_store(struct pmfs *fs, struct journal *journal)
{
	for (uint32_t i = 0; i < journal->late; i++) {
		struct inode *inode = journal->inode[i];
		struct pmfs_inode *to = &inode->slot->copy[!inode->copy], image = inode->now;
		image.crc = inode_crc(inode->number, &image);
		pm_store(&fs->pm, to, &image, sizeof(image));
		pm_write_back(&fs->pm, to, sizeof(image));
		inode->copy = !inode->copy;
	}
	journal->late = 0;
}

static void words_write_back(struct pmfs *fs, const struct journal *journal)
{
	for (uint32_t i = 0; i < journal->words; i++)
		pm_write_back(&fs->pm, journal->word[i], sizeof(*journal->word[i]));
}

static void settled_put(struct journal *journal, uint64_t ticket)
{
	atomic_store_explicit(&journal->settled, ticket, memory_order_release);
}

static uint64_t settled_get(struct journal *journal)
{
	return atomic_load_explicit(&journal->settled, memory_order_acquire);
}

static void journal_settle(struct pmfs *fs, struct journal *journal)
{
	pthread_mutex_lock(&journal->lock);
	if (settled_get(journal) != journal->ticket) {
		places_store(fs, journal);
		words_write_back(fs, journal);
		pm_fence(&fs->pm);
		settled_put(journal, journal->ticket);
	}
	pthread_mutex_unlock(&journal->lock);
}

void inode_settle(struct inode *inode)
{
	if (inode->late_ticket == 0)
		return;
	if (settled_get(inode->late_journal) < inode->late_ticket)
		journal_settle(inode->fs, inode->late_journal);
	inode->late_ticket = 0;
}

void journal_settle_all(struct pmfs *fs)
{
	for (uint32_t i = 0; i < fs->super.journals; i++)
		journal_settle(fs, &fs->journal[i]);
}

/* --- a commit --- */

/* This CPU's own journal, or the next that is not busy. */
static struct journal *journal_lock_one(struct pmfs *fs, uint32_t cpu)
{
	const uint32_t first = cpu < fs->super.journals ? cpu : cpu % fs->super.journals;

	for (uint32_t i = 0; i < fs->super.journals; i++) {
		uint32_t index = first + i < fs->super.journals ? first + i : first + i - fs->super.journals;
		if (pthread_mutex_trylock(&fs->journal[index].lock) == 0)
			return &fs->journal[index];
	}
	pthread_mutex_lock(&fs->journal[first].lock);
	return &fs->journal[first];
}

/* C6: the one in which inodes of the change are late, if there is one; of two, one is settled. */
static struct journal *journal_lock_for(struct change *c)
{
	struct journal *chosen = NULL;

	for (uint32_t i = 0; i < c->inodes; i++) {
		struct inode *inode = c->inode[i];
		if (inode->late_ticket == 0)
			continue;
		if (settled_get(inode->late_journal) < inode->late_ticket) {
			if (chosen == NULL)
				chosen = inode->late_journal;
			if (likely(chosen == inode->late_journal))
				continue;
		}
		inode_settle(inode);
	}
	if (chosen == NULL)
		return journal_lock_one(c->fs, c->cpu);
	pthread_mutex_lock(&chosen->lock);
	return chosen;
}

void journal_inode_become(struct change *c, uint32_t i)
{
	struct inode *inode = c->inode[i];

	inode->now = c->next[i];
	if (inode->type != inode->now.type)
		inode->type = inode->now.type;
	inode->times_dirty = false;
}

/* After the commit. Every CPU can write words back again: no non-temporal stores. */
static void places_change(struct change *c, struct journal *journal, uint64_t settled)
{
	struct pmem *pm = &c->fs->pm;

	for (uint32_t i = 0; i < c->words; i++) {
		uint64_t *at = (uint64_t *)(void *)(pm->base + c->word[i].offset);
		pm_store_word(pm, at, c->word[i].value);
		journal->word[i] = at;
	}
	journal->words = c->words;
	for (uint32_t i = 0; i < c->inodes; i++) {
		struct inode *inode = c->inode[i];
		journal_inode_become(c, i);
		if (inode->late_ticket <= settled)
			journal->inode[journal->late++] = inode;
		inode->late_ticket = journal->ticket;
		inode->late_journal = journal;
	}
}

void journal_write(struct change *c)
{
	struct pmfs *fs = c->fs;
	struct journal *journal = journal_lock_for(c);
	struct record_buffer record;
	uint64_t settled = settled_get(journal);

	record_seal(c, journal->ticket + 1, &record);
	const uint32_t bytes = record_room(record.head.bytes);
	const bool turn = journal->at + bytes > PMFS_HALF_BYTES;
	if (unlikely(turn)) {
		places_store(fs, journal);
		settled = journal->ticket;
		journal->half = !journal->half;
		journal->at = 0;
	}
	if (unlikely(journal->cpu != c->cpu))
		words_write_back(fs, journal);
	pm_store_lines(&fs->pm, journal->records + journal->half * PMFS_HALF_BYTES + journal->at, &record, bytes);
	pm_fence(&fs->pm); /* from here on it has happened; and what was written back before is settled */
	if (unlikely(turn))
		settled_put(journal, settled);
	journal->at += bytes;
	journal->ticket++;
	journal->cpu = c->cpu;
	places_change(c, journal, settled);
	if (unlikely(c->leaf_goes)) {
		places_store(fs, journal);
		pm_fence(&fs->pm); /* C3 */
		settled_put(journal, journal->ticket);
	}
	pthread_mutex_unlock(&journal->lock);
}

/* --- after an unclean end --- */

static bool piece_in_block(const struct pmfs *fs, const struct pmfs_journal_piece *piece)
{
	return block_range_good(fs, piece->offset >> PMFS_BLOCK_SHIFT, 1) && piece->bytes <= PMFS_BLOCK &&
			(piece->offset & (PMFS_BLOCK - 1)) + piece->bytes <= PMFS_BLOCK;
}

/* It has arrived. */
static bool piece_good(const struct pmfs *fs, const struct pmfs_journal_piece *piece)
{
	return piece_in_block(fs, piece) && crc32c(0, fs->pm.base + piece->offset, piece->bytes) == piece->crc;
}

static bool pieces_good(const struct pmfs *fs, const struct record *record)
{
	for (uint32_t i = 0; i < record->head->vouched; i++)
		if (!piece_good(fs, &record->piece[i]))
			return false;
	return true;
}

/* The records of one half; those of an earlier round behind them have earlier tickets. */
static uint32_t half_read(const struct pmfs *fs, uint32_t journal, uint32_t half, struct record *out)
{
	uint32_t count = 0, at = 0;

	while (at + sizeof(struct pmfs_journal) <= PMFS_HALF_BYTES &&
			record_read(fs, journal, half * PMFS_HALF_BYTES + at, &out[count]) &&
			(count == 0 || out[count].head->ticket == out[count - 1].head->ticket + 1))
		at += record_room(out[count++].head->bytes);
	return count;
}

/* A record that another one follows was committed before that was begun; the last one was if its pieces are there. If
 * they are not any more, it was settled before they went (C6). */
static uint32_t journal_read(const struct pmfs *fs, uint32_t journal, struct record *out)
{
	const uint32_t first = half_read(fs, journal, 0, out), second = half_read(fs, journal, 1, out + first);
	const uint64_t last[2] = { first != 0 ? out[first - 1].head->ticket : 0,
		second != 0 ? out[first + second - 1].head->ticket : 0 };
	const bool followed[2] = { second != 0 && out[first].head->ticket == last[0] + 1,
		first != 0 && out[0].head->ticket == last[1] + 1 };
	uint32_t count = first + second;

	if (second != 0 && !followed[1] && !pieces_good(fs, &out[count - 1]))
		count--;
	if (first != 0 && !followed[0] && !pieces_good(fs, &out[first - 1]))
		out[first - 1] = out[--count];
	return count;
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
static err_t inode_replay(struct pmfs *fs, const struct record *record, uint32_t i, bool *current, bool *newer)
{
	struct pmfs_inode inode;
	const uint64_t number = record_inode(record, i, &inode), record_version = record->head->version;
	struct pmfs_inode_slot *slot = inode_slot(fs, number);

	if (slot == NULL || inode.version != record_version)
		return ERR_CORRUPT;
	const uint64_t version = version_on_media(number, slot);
	*current = version <= record_version;
	if (version >= record_version)
		return OK;
	struct pmfs_inode *to = &slot->copy[0];
	if (inode_copy_good(number, to) && (!inode_copy_good(number, &slot->copy[1]) ||
			slot->copy[1].version < to->version))
		to = &slot->copy[1];
	pm_store_nt(&fs->pm, to, &inode, sizeof(*to));
	*newer = true;
	return OK;
}

static err_t record_replay(struct pmfs *fs, const struct record *record, bool *newer)
{
	struct pmem *pm = &fs->pm;
	bool current[PMFS_JOURNAL_INODES] = { false };

	*newer = false;
	for (uint32_t i = 0; i < record->head->inodes; i++) {
		err_t err = inode_replay(fs, record, i, &current[i], newer);
		if (err != OK)
			return err;
	}
	for (uint32_t i = 0; i < record->head->words; i++) {
		const struct pmfs_journal_word *word = &record->word[i];
		uint64_t *at = (uint64_t *)(void *)(pm->base + (word->offset & ~(uint64_t)PMFS_WORD_OWNER));
		if (!current[word->offset & PMFS_WORD_OWNER] || *at == word->value)
			continue;
		pm_store_u64(pm, at, word->value);
		pm_write_back(pm, at, 8);
		*newer = true;
	}
	return OK;
}

/* What was not committed must not seem so later, when its pieces have come to the same places by another
 * change of the same version. */
static void records_forget(struct pmfs *fs)
{
	for (uint32_t i = 0; i < fs->super.journals; i++)
		if (!pm_is_zero(record_at(fs, i, 0), PMFS_BLOCK))
			pm_zero_nt(&fs->pm, record_at(fs, i, 0), PMFS_BLOCK);
}

/* C7: all that a record vouches for, and its places. */
static void record_write_back(struct pmfs *fs, const struct record *record)
{
	struct pmem *pm = &fs->pm;

	for (uint32_t i = 0; i < record->head->vouched; i++)
		if (piece_in_block(fs, &record->piece[i]))
			pm_write_back(pm, pm->base + record->piece[i].offset, record->piece[i].bytes);
	for (uint32_t i = 0; i < record->head->words; i++)
		pm_write_back(pm, pm->base + (record->word[i].offset & ~(uint64_t)PMFS_WORD_OWNER), 8);
	for (uint32_t i = 0; i < record->head->inodes; i++) {
		const struct pmfs_inode_slot *slot = inode_slot(fs, record->inode[i]->crc); /* its number */
		if (slot != NULL)
			pm_write_back(pm, slot, sizeof(*slot));
	}
}

static err_t records_replay(struct pmfs *fs, struct record *record, uint32_t *replayed)
{
	uint32_t count = 0;

	pm_write_back(&fs->pm, block_at(fs, PMFS_JOURNAL_BLOCK), (size_t)fs->super.journals * PMFS_BLOCK);
	for (uint32_t i = 0; i < fs->super.journals; i++)
		count += journal_read(fs, i, &record[count]);
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
	return OK;
}

err_t journal_replay(struct pmfs *fs, uint32_t *replayed)
{
	struct record *record = malloc(fs->super.journals * (PMFS_BLOCK / PMFS_RECORD_ALIGN) * sizeof(*record));

	*replayed = 0;
	if (record == NULL)
		return ERR_NO_MEMORY;
	err_t err = records_replay(fs, record, replayed);
	free(record);
	if (err != OK)
		return err;
	if (fs->options.damage == NULL)
		records_forget(fs);
	pm_fence(&fs->pm);
	return OK;
}
