/* SPDX-License-Identifier: BSD-2-Clause */
/* change.h - one atomic change of the metadata: up to four inodes and four words of directory
 * leaves. Everything is prepared where nobody can reach it; change_commit makes all of it true at once.
 *
 * C1  Until the commit nothing that the media reaches is written, but for free slots of directory leaves.
 * C2  New nodes and leaves are in DRAM (struct fresh) until the commit, and are written before it.
 * C3  Blocks that the change lets go of are free only after the commit is durable; a directory's leaf, when the
 * change is settled (C6): else an older record's word could be replayed into what another CPU has put there.
 * C4  One inode, no word, nothing vouched for: its other copy is written, one 128-byte record with a checksum. New
 * nodes and data (wrote) are durable before. Else: the journal.
 * C5  All inodes of a change get the version 1 + the highest of theirs: versions order changes
 * that share an inode.
 *     A record commits when it and the pieces that it vouches for are durable: one fence. They are the
 * new entries, nodes and leaves, a link's target, a few appended bytes; more than it has room for count as
 * `wrote`, and are durable before.
 * C6  When change_commit comes back, the change is durable: by its record, and not yet in its places,
 * which are only written back. They are durable (settled) before
 *       - the place of a later version of one of its inodes is stored to: a record whose inode has a newer version on
 *         media is old and is not replayed;
 *       - anything that the record vouches for is stored to;
 *       - the record is overwritten.
 *     The fence of the next record does it, on the CPU that has written them back; another CPU writes them back
 * again first. Who has no record of his own (C4, data in place, a lease) fences (inode_settle). Replay keeps to it
 * as well, record by record: the power can be cut again in the middle of it.
 * C7  A pmfs that died has left stores in the caches, which the next one sees, and which a power cut can still take. So
 * after an unclean end all that decides anything is written back where it lies, and fenced before the first store
 * that follows from it: journals, with what their records vouch for and their places; inode slots; zeroes behind a
 * file's end. All else that can be reached was fenced before the place that leads to it was stored to.
 *
 * The caller holds the write locks of all inodes that join, until change_commit or change_abort is back. */
#pragma once

#include "inode.h"

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

/* What goes to the journal, as it lies there: but for inodes that did not join there is no gap. */
struct change_record {
	struct pmfs_journal head;
	struct pmfs_journal_inode inode[PMFS_JOURNAL_INODES];
	uint8_t tail[PMFS_JOURNAL_TAIL_MAX];
};

struct change {
	struct pmfs *fs;
	uint32_t cpu;       /* where it is made: a change does not move */
	bool use_reserve;   /* the change frees: it may take the last blocks */
	bool by_record;     /* in any case (C4) */
	bool wrote;         /* something was stored that must be durable before the commit */
	bool leaf_goes;     /* it lets go of a directory's leaf (C3) */
	uint32_t inodes;
	struct inode *inode[PMFS_JOURNAL_INODES];
	struct change_record record; /* its inodes are what ours will be */
	uint32_t words;
	struct pmfs_journal_word word[PMFS_JOURNAL_WORDS];
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

void change_begin(struct change *c, struct pmfs *fs, bool use_reserve);
/* What the inode will be; it joins at the first call. At most PMFS_JOURNAL_INODES. */
struct pmfs_inode *change_inode(struct change *c, struct inode *inode);

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

/* The value that the word will have, as far as this change knows. */
uint64_t change_word_get(const struct change *c, const uint64_t *at);
/* The inode, which has joined, owns the word. */
MUST_USE err_t change_word_put(struct change *c, struct inode *inode, uint64_t *at, uint64_t value);
/* These bytes, on their way to `at`, have to be durable for the change to count: the journal vouches for
 * them, so that they need no fence of their own. They lie in one block. */
void change_vouch(struct change *c, const void *at, const void *bytes_from, uint32_t bytes);
void change_word_forget(struct change *c, const uint64_t *at);

/* Carries it out; cannot fail once it has begun to store. The inodes' `now` is new afterwards. */
void change_commit(struct change *c);
void change_abort(struct change *c);

static inline struct pmfs_inode *change_next(struct change *c, uint32_t i)
{
	return &c->record.inode[i].inode;
}

/* journal.c */
void journal_write(struct change *c, uint64_t version);
void journal_inode_write(struct change *c, uint32_t i); /* the inode's other copy, written back */
/* C6: the inode's last record may not be settled. If so, the next fence of the caller, who is on that
 * CPU, settles it. */
bool journal_is_late(struct inode *inode, uint32_t cpu);
void journal_settle_all(struct pmfs *fs); /* nobody else is there */
/* At mount after an unclean end: complete what was committed. *replayed counts the journals that
 * had something newer. */
MUST_USE err_t journal_replay(struct pmfs *fs, uint32_t *replayed);
