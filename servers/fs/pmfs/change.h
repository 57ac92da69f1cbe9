/* SPDX-License-Identifier: BSD-2-Clause */
/* change.h - one atomic change of the metadata: up to four inodes and four words of directory
 * leaves. Everything is prepared where nobody can reach it; change_commit makes all of it true at once.
 *
 * C1  Until the commit nothing that the media reaches is written, but for free slots of directory leaves.
 * C2  New nodes and leaves are in DRAM (struct fresh) until the commit, and are written before it.
 * C3  Blocks that the change lets go of are free only after the commit is durable; a directory's leaf, when the
 * change is settled (C6): else an older record's word could be replayed into what another CPU has put there.
 * C4  A record of a journal commits the change: when it and the pieces that it vouches for are durable, which takes one
 * fence. They are the new entries, nodes and leaves, a link's target, a few appended bytes; more than it has room for,
 * and the nodes of a change that has nothing else, count as `wrote`, and are durable before.
 *     The inode table's own inode changes alone and without a record: its other copy is written.
 * C5  All inodes of a change get the version 1 + the highest of theirs: versions order changes
 * that share an inode.
 * C6  When change_commit comes back, the change is durable by its record. Of its places, words are stored and written
 * back: the fence of the journal's next record makes them durable. Inodes are late: they go to their places when the
 * journal goes on in its other half, with their newest version, and the first fence there makes that durable. A record
 * is settled when all its places are.
 *       - An inode that is late changes next by a record of the same journal, on whatever CPU; so what a record changes
 *         in its turn comes after it in that journal, and replay knows by the later one that the earlier was committed,
 *         also when the later one's pieces have taken the place of the earlier one's.
 *       - A half is used again when all its records are settled.
 *       - What a record vouches for is stored to without a record (data in place, a mapping) when that is settled
 *         (inode_settle).
 *       - An inode leaves DRAM when it is settled.
 *     A fence settles what was written back on its CPU; another CPU writes it back again first. Replay keeps the order
 * too, record by record: the power can be cut again in the middle of it.
 * C7  A pmfs that died has left stores in the caches, which the next one sees, and which a power cut can still take. So
 * after an unclean end all that decides anything is written back where it lies, and fenced before the first store
 * that follows from it: journals, with what their records vouch for and their places; inode slots; zeroes behind a
 * file's end. All else that can be reached was fenced before the place that leads to it was stored to.
 *
 * The caller holds the write locks of all inodes that join, until change_commit or change_abort is back. */
#pragma once

#include "crc32c.h"
#include "inode.h"

#include <stdlib.h>

#define CHANGE_RUNS_MAX 96

/* A new tree node or directory leaf. */
struct fresh {
	uint64_t block;
	uint64_t owner;
	bool dropped;   /* taken out again; its block is among the allocated ones and goes back */
	union {
		struct pmfs_node node;
		struct pmfs_leaf leaf;
		uint32_t magic;
	} *data;
};

struct change_run {
	uint64_t start;
	uint64_t count;
};

struct change_word {
	uint64_t offset; /* bytes from the start of the device */
	uint64_t value;
	uint32_t owner;  /* index of the inode that owns it */
};

struct change {
	struct pmfs *fs;
	uint32_t cpu;       /* where it is made: a change does not move */
	bool use_reserve;   /* the change frees: it may take the last blocks */
	uint64_t version;   /* the highest of its inodes' */
	bool wrote;         /* something was stored that must be durable before the commit */
	bool leaf_goes;     /* it lets go of a directory's leaf (C3) */
	uint32_t inodes;
	struct inode *inode[PMFS_JOURNAL_INODES];
	struct pmfs_inode next[PMFS_JOURNAL_INODES]; /* what they will be */
	uint32_t words;
	struct change_word word[PMFS_JOURNAL_WORDS];
	uint32_t vouched;
	struct pmfs_journal_piece piece[PMFS_JOURNAL_VOUCHED];
	uint32_t fresh_count;
	uint32_t fresh_room;
	struct fresh *fresh;
	uint32_t allocated_count;
	struct change_run allocated[CHANGE_RUNS_MAX]; /* undone by change_abort */
	uint32_t freed_count;
	struct change_run freed[CHANGE_RUNS_MAX];     /* done by change_commit */
};

static inline void change_begin(struct change *c, struct pmfs *fs, bool use_reserve)
{
	c->fs = fs;
	c->version = 0;
	c->use_reserve = use_reserve;
	c->wrote = c->leaf_goes = false;
	c->inodes = c->words = c->vouched = 0;
	c->fresh_count = c->fresh_room = 0;
	c->allocated_count = c->freed_count = 0;
	c->fresh = NULL;
	c->cpu = pmfs_cpu(fs);
}

/* Which of its inodes it is; c->inodes: it has not joined. */
static inline uint32_t change_index(const struct change *c, const struct inode *inode)
{
	uint32_t i = 0;

	while (i < c->inodes && c->inode[i] != inode)
		i++;
	return i;
}

/* It joins the change, if it has not yet; the caller fills in all that it will be. At most PMFS_JOURNAL_INODES. */
static inline struct pmfs_inode *change_inode_new(struct change *c, struct inode *inode)
{
	const uint32_t i = change_index(c, inode);

	if (i < c->inodes)
		return &c->next[i];
	if (i == PMFS_JOURNAL_INODES)
		abort(); /* no operation touches five: our own mistake */
	c->inode[c->inodes++] = inode;
	c->version = inode->now.version > c->version ? inode->now.version : c->version;
	return &c->next[i];
}

/* What the inode will be; it joins at the first call. */
static inline struct pmfs_inode *change_inode(struct change *c, struct inode *inode)
{
	const uint32_t i = change_index(c, inode);

	if (likely(i < c->inodes))
		return &c->next[i];
	struct pmfs_inode *next = change_inode_new(c, inode);
	*next = inode->now;
	return next;
}

/* Few places left for what the next step could need: commit, and begin another. */
bool change_is_full(const struct change *c);

/* `want` blocks or fewer in one run; undone if the change is. Adds to next->blocks. */
MUST_USE err_t change_alloc(struct change *c, struct inode *inode, uint64_t goal, uint32_t want, uint64_t *start,
		uint32_t *count);
/* Takes from next->blocks. ERR_NO_MEMORY only if the caller did not heed change_is_full. */
MUST_USE err_t change_free(struct change *c, struct inode *inode, uint64_t start, uint64_t count);

/* A block for a node or leaf, in DRAM, zeroed. The pointer is good until the next call. */
MUST_USE err_t change_fresh(struct change *c, struct inode *inode, struct fresh **out);
/* The same, `count` of them: they are the last ones of c->fresh. */
MUST_USE err_t change_fresh_many(struct change *c, struct inode *inode, uint32_t count);
/* The DRAM version of that block, NULL if it is not new in this change. */
struct fresh *change_find_fresh(struct change *c, uint64_t block);
/* A node or leaf goes away: new ones at once, others after the commit. */
MUST_USE err_t change_drop_block(struct change *c, struct inode *inode, uint64_t block);

static inline uint64_t change_offset(const struct change *c, const void *at)
{
	return (uint64_t)((const uint8_t *)at - c->fs->pm.base);
}

/* Which of its words that is; c->words: none yet. */
static inline uint32_t change_word_index(const struct change *c, uint64_t offset)
{
	uint32_t i = 0;

	while (i < c->words && c->word[i].offset != offset)
		i++;
	return i;
}

/* The value that the word will have, as far as this change knows. */
static inline uint64_t change_word_get(const struct change *c, const uint64_t *at)
{
	const uint32_t i = change_word_index(c, change_offset(c, at));

	return i < c->words ? c->word[i].value : *at;
}

/* The inode, which has joined, owns the word. */
static inline MUST_USE err_t change_word_put(struct change *c, const struct inode *inode, uint64_t *at, uint64_t value)
{
	const uint64_t offset = change_offset(c, at);
	const uint32_t owner = change_index(c, inode), i = change_word_index(c, offset);

	if (i == PMFS_JOURNAL_WORDS || owner == c->inodes)
		return ERR_INTERNAL;
	c->words += i == c->words;
	c->word[i] = (struct change_word) { .offset = offset, .value = value, .owner = owner };
	return OK;
}

/* These bytes, on their way to `at`, have to be durable for the change to count: the journal vouches for
 * them, so that they need no fence of their own. They lie in one block. */
static inline void change_vouch(struct change *c, const void *at, const void *bytes_from, uint32_t bytes)
{
	if (unlikely(c->vouched == PMFS_JOURNAL_VOUCHED)) {
		c->wrote = true;
		return;
	}
	c->piece[c->vouched++] = (struct pmfs_journal_piece) {
		.offset = change_offset(c, at),
		.bytes = bytes,
		.crc = crc32c(0, bytes_from, bytes),
	};
}

void change_word_forget(struct change *c, const uint64_t *at);

/* Carries it out; cannot fail once it has begun to store. The inodes' `now` is new afterwards. */
void change_commit(struct change *c);
void change_abort(struct change *c);

/* journal.c */
void journal_write(struct change *c); /* commits; the inodes are what they become, of version c->version */
void journal_inode_become(struct change *c, uint32_t i); /* locked: nobody else can see it change */
void journal_begin(struct pmfs *fs); /* mounting: fs->state is known */
void journal_settle_all(struct pmfs *fs); /* everything is durable in its place. Nobody else is there */
/* At mount after an unclean end: complete what was committed. *replayed counts the journals that
 * had something newer. ERR_CORRUPT, ERR_NO_MEMORY. */
MUST_USE err_t journal_replay(struct pmfs *fs, uint32_t *replayed);

/* A record, taken apart. An inode's place in it is not aligned to more than 16 bytes. */
struct record {
	const struct pmfs_journal *head;
	const struct pmfs_inode *inode[PMFS_JOURNAL_INODES]; /* some of it: record_inode */
	const struct pmfs_journal_word *word;
	const struct pmfs_journal_piece *piece;
};
/* What lies at that byte of the journal; false if it is no valid record. Its ticket is the caller's to judge. */
bool record_read(const struct pmfs *fs, uint32_t journal, uint32_t at, struct record *out);
/* Inode i of it, whole, with its number; `crc` is right. */
uint64_t record_inode(const struct record *record, uint32_t i, struct pmfs_inode *out);

static inline uint32_t record_room(uint32_t bytes)
{
	return (bytes + PMFS_RECORD_ALIGN - 1) & ~(PMFS_RECORD_ALIGN - 1);
}
