/* SPDX-License-Identifier: BSD-2-Clause */
/* inode.h - the file system in DRAM: struct pmfs, the inodes that are in use, and where inodes lie on media.
 * Locks, in order: rename_lock, directories (parents first), files (by number), then the leaves:
 * cache bucket, pool, table_lock, journal, space. [i] inode->lock  [b] its bucket's lock  [j] its own lock  [t]
 * table_lock  [I] immutable after mount  [a] atomic. An inode with links > 0 or refs > 0 is
 * somebody's; with neither it is being freed by whoever dropped the last one. */
#pragma once

#include "layout.h"
#include "pmem.h"
#include "pmfs.h"
#include "space.h"

#include <pthread.h>
#include <stdatomic.h>

#define INODE_BUCKETS 1024u
#define INODE_IDLE_MAX 8u         /* of a bucket: so many inodes that nobody uses stay in DRAM */
#define INODE_SPARE UINT64_MAX
#define INODES_LATELY 8192u       /* a power of two: numbers that have a place of their own in inode_lately */
#define TABLE_CHUNKS 8192u        /* pointers in DRAM to TABLE_CHUNK_BLOCKS table blocks each */
#define TABLE_CHUNK_BLOCKS 1024u
#define TABLE_GROW_BLOCKS 16u     /* 256 inodes at a time */

/* Where a hash belongs: a leaf of a directory, and the hashes that it has. */
struct leaf_place {
	struct pmfs_leaf *leaf;
	uint64_t block;
	uint32_t low;  /* its key in the tree */
	uint64_t high; /* of the next leaf; past all if there is none */
};

/* In which order a leaf's entries were, when somebody sorted it: their slots. A hint, which may be another leaf's, old,
 * or half of each: whoever uses it looks whether it is right (directory_list.c). */
#define LEAF_ORDERS 8192u /* a power of two */
struct leaf_order {
	_Atomic uint8_t slot[PMFS_LEAF_SLOTS]; /* [a] */
	_Atomic uint8_t count;                 /* [a] used */
} ALIGNED(64);

struct inode {
	uint64_t number;             /* [i] stays while anybody has a reference; INODE_SPARE: it is nobody's */
	struct pmfs *fs;             /* [I] */
	struct inode_bucket *bucket; /* [I] in which it is, whatever its number */
	struct pmfs_inode_slot *slot; /* [I] its place on media */
	uint8_t type;                /* [I] enum pmfs_type, once a name can lead to it */
	pthread_rwlock_t lock;
	struct pmfs_inode now;       /* [i] the newest version, checked; times may be newer than on media. While it is late
	                              * it changes under that journal's lock only */
	uint8_t copy;                /* [i] which of the two on media is the newest; the same */
	bool times_dirty;            /* [i] */
	bool ragged;                 /* [i] blocks past the size could not be freed; before the size grows they must go */
	bool linkable;               /* [i] it has never had a name, and may get one */
	_Atomic uint32_t refs;       /* [a] changes under [b] */
	struct inode *next;          /* [b] */
	_Atomic uint32_t opens;      /* [a] the server's count; see pmfs_open_counted */
	void *_Atomic lease;         /* [a] the server's; see pmfs_lease_set. Changes under [i] */
	struct stores *stores;       /* [i] see pmfs_lease_stores, and stores.h; NULL: nobody stores through a mapping */
	bool shut;                   /* [i] see pmfs_lease_shut */
	bool left_in_caches;         /* [i] there may be such stores from before an unclean end; until the first sync */
	uint64_t late_ticket;        /* [i] of the record that has changed it last; 0: it is settled */
	struct journal *late_journal; /* [i] whose */
	struct leaf_place leaf;      /* [i] of a directory, where it was changed last: checked, and good as long as its tree
	                              * stays; leaf.leaf NULL: not known */
	uint32_t shape;              /* [i] of a directory: another number when its tree changes, and when it is read */
};

struct inode_bucket {
	pthread_mutex_t lock;
	struct inode *first;         /* [b] the latest to be read comes first */
	uint32_t idle;               /* [b] with no reference */
	struct inode *spare;         /* [b] memory that was an inode's, for the next one: see inode_lately */
} ALIGNED(64);

/* Free inode numbers, one pool a CPU; and one free inode, with a reference, which is found without looking. */
struct inode_pool {
	pthread_mutex_t lock;
	struct inode *spare;
	uint32_t *numbers;
	uint32_t count;
	uint32_t room;
} ALIGNED(64);

/* A journal, and what its records have changed that is not yet durable in its place (change.h, C6). */
#define JOURNAL_LATE_MAX (PMFS_HALF_BYTES / PMFS_RECORD_ALIGN * 2) /* a record has at most two inodes in 64 bytes */
struct journal {
	pthread_mutex_t lock;
	_Atomic uint64_t settled;    /* [a] the records up to this one are durable in their places */
	uint64_t ticket;             /* [j] of the latest record */
	uint8_t *records;            /* [I] the block on media */
	uint32_t half;               /* [j] which is being filled */
	uint32_t at;                 /* [j] where in it the next record goes, if it fits */
	uint32_t cpu;                /* [j] that has stored the latest record's words, and written them back */
	uint32_t words;              /* [j] used in word[] */
	uint32_t late;               /* [j] used in inode[] */
	uint64_t *word[PMFS_JOURNAL_WORDS]; /* [j] */
	struct inode *inode[JOURNAL_LATE_MAX]; /* [j] whose newest version is in records only */
} ALIGNED(64);

struct pmfs {
	struct pmem pm;
	struct pmfs_options options;  /* [I] */
	struct pmfs_super super;      /* [I] a checked copy */
	uint32_t state;               /* [I] the low half of the state word while mounted */
	bool unclean;                 /* [I] */
	bool scanned;                 /* [I] */
	uint32_t cpus;                /* [I] */
	struct space space;
	struct inode_bucket bucket[INODE_BUCKETS];
	struct inode_pool *pool;      /* [I] array of cpus */
	struct journal journal[PMFS_JOURNALS_MAX];
	pthread_mutex_t rename_lock;  /* moving directories, or between them */
	pthread_mutex_t table_lock;   /* growing the table */
	uint64_t *_Atomic table[TABLE_CHUNKS]; /* [a] block numbers of the table's blocks */
	_Atomic uint64_t table_blocks; /* [a] grows under [t] */
	struct inode *table_inode;    /* [I] PMFS_INODE_TABLE */
	struct inode *root;           /* [I] PMFS_INODE_ROOT */
	struct cached_name *names;    /* [I] name_cache.h */
	struct leaf_order order[LEAF_ORDERS]; /* by block number */
	uint32_t names_mask;          /* [I] */
	struct inode *_Atomic lately[INODES_LATELY]; /* [a] by number, the one that was read or looked for last */
	_Atomic uint32_t watched;     /* [a] see pmfs_watched */
	_Atomic uint32_t shapes;      /* [a] numbers for inode->shape */
};

/* The caller's CPU, below fs->cpus. */
static inline uint32_t pmfs_cpu(const struct pmfs *fs)
{
	const uint32_t cpu = fs->options.cpu != NULL ? fs->options.cpu() : 0;

	return likely(cpu < fs->cpus) ? cpu : cpu % fs->cpus;
}

uint64_t pmfs_now_ns(const struct pmfs *fs); /* fs may be NULL */
void pmfs_log(const struct pmfs *fs, const char *format, ...) PRINTF(2, 3);

static inline void *block_at(const struct pmfs *fs, uint64_t block)
{
	return fs->pm.base + (block << PMFS_BLOCK_SHIFT);
}

/* May metadata of an inode point there? */
static inline bool block_range_good(const struct pmfs *fs, uint64_t block, uint64_t count)
{
	return block >= fs->super.first_data_block && block < fs->super.blocks && count <= fs->super.blocks - block;
}

/* --- on media --- */

uint32_t inode_crc(uint64_t number, const struct pmfs_inode *inode);
/* All zero, or the checksum holds. */
bool inode_copy_good(uint64_t number, const struct pmfs_inode *copy);
/* NULL if the table has no such slot. */
struct pmfs_inode_slot *inode_slot(const struct pmfs *fs, uint64_t number);
/* Which copy counts. `torn`: one bad copy is a torn write, the other one counts. ERR_CORRUPT. */
MUST_USE err_t inode_slot_pick(uint64_t number, const struct pmfs_inode_slot *slot, bool torn, uint8_t *copy);
/* What the checksum cannot tell: types, counts, ranges. NULL, or what is wrong. */
const char *inode_wrong(const struct pmfs *fs, const struct pmfs_inode *inode);

/* --- in use --- */

/* A directory's tree changes, or may have: where its names lie is not known any more. Locked for writing. */
static inline void inode_reshape(struct inode *dir)
{
	dir->leaf.leaf = NULL;
	dir->shape = atomic_fetch_add(&dir->fs->shapes, 1) + 1;
}

/* A reference on an inode that is on media and not free. ERR_CORRUPT (also: a name that leads to a
 * free inode). */
MUST_USE err_t inode_get(struct pmfs *fs, uint64_t number, struct inode **out);
/* The same for the attribute inode of `owner` (xattr.h), which nothing else may lead to. */
MUST_USE err_t inode_get_attributes(struct pmfs *fs, uint64_t number, uint64_t owner, struct inode **out);

static inline struct inode_bucket *inode_bucket(struct pmfs *fs, uint64_t number)
{
	return &fs->bucket[number % INODE_BUCKETS];
}

/* One reference more, or fewer: the bucket is locked. */
static inline uint32_t inode_refs_add(struct inode *inode, uint32_t n)
{
	const uint32_t refs = atomic_load_explicit(&inode->refs, memory_order_relaxed) + n;

	atomic_store_explicit(&inode->refs, refs, memory_order_relaxed);
	return refs;
}

/* The caller has a reference, or the lock, and knows that a name leads to it. */
static inline void inode_hold(struct inode *inode)
{
	struct inode_bucket *bucket = inode->bucket;

	pthread_mutex_lock(&bucket->lock);
	if (inode_refs_add(inode, 1) == 1)
		bucket->idle--;
	pthread_mutex_unlock(&bucket->lock);
}

/* The inode of that number, if it is in DRAM and has not been forgotten, without a reference: it may have become
 * another one's memory, so it is locked, and then its number looked at (none has 0). The memory stays an inode's until
 * the unmount. */
static inline struct inode *inode_lately(const struct pmfs *fs, uint64_t number)
{
	return atomic_load_explicit(&fs->lately[number % INODES_LATELY], memory_order_acquire);
}

/* The caller has a reference, and did not find it there. */
static inline void inode_lately_put(struct inode *inode)
{
	atomic_store_explicit(&inode->fs->lately[inode->number % INODES_LATELY], inode, memory_order_release);
}

/* The last one out writes late times; without links the inode and its blocks are freed. The inode
 * stays in DRAM until others want its place, also when it is free. No inode lock held. Most references go without any
 * of that: others stay, or it has a name, all of it on media, and room to be idle. */
void inode_put_slowly(struct inode *inode);
static inline void inode_put(struct inode *inode)
{
	struct inode_bucket *bucket = inode->bucket;
	bool done = true;

	pthread_mutex_lock(&bucket->lock);
	if (inode->refs > 1) {
		inode_refs_add(inode, -1u);
	} else if (likely(inode->type != PMFS_FREE && inode->now.links != 0 && !inode->times_dirty &&
			bucket->idle < INODE_IDLE_MAX)) {
		inode_refs_add(inode, -1u);
		bucket->idle++;
	} else {
		done = false;
	}
	pthread_mutex_unlock(&bucket->lock);
	if (unlikely(!done))
		inode_put_slowly(inode);
}
/* Is anything but the mount's own inodes in use? */
bool inode_any_open(struct pmfs *fs);
void inode_forget_all(struct pmfs *fs); /* at unmount: frees the memory, whatever the count */

/* An inode number that is free, as an inode with one reference that nobody else can find by name;
 * its `now` is the free version. inode_put of an inode that is still, or again, free gives its number
 * back. ERR_NO_SPACE, ERR_NO_MEMORY. */
MUST_USE err_t inode_take_free(struct pmfs *fs, struct inode **out);
MUST_USE err_t inode_number_free(struct pmfs *fs, uint64_t number);
/* All that no pool has, so that no CPU counts for the others. */
uint64_t inodes_used(struct pmfs *fs);
/* Before unmounting: every free number is in a pool's list. */
void inode_spares_end(struct pmfs *fs);
/* Mounting: the table's blocks, as its tree lists them. */
MUST_USE err_t inode_table_learn(struct pmfs *fs);
MUST_USE err_t inode_table_grow(struct pmfs *fs);

/* No reference but the caller's. While the directories that name the inode, and the inode, are locked for writing it
 * stays so. */
bool inode_is_alone(struct inode *inode);
/* In a change: the inode is free afterwards. Once that is committed, inode_release gives back the
 * blocks that its last version had, and ends its attributes; NULL: it had neither. */
struct change;
void inode_free_in(struct change *c, struct inode *inode);
void inode_release(struct pmfs *fs, uint64_t number, const struct pmfs_inode *last);
/* Both, in a change of its own. Locked for writing (or the caller's alone), and no name leads to it. */
void inode_destroy(struct inode *inode);
/* It is durable in its place: before what its last record vouches for is stored to (change.h, C6). Locked for
 * writing. */
void inode_settle(struct inode *inode);
/* Late times, on media. Locked for writing. */
MUST_USE err_t inode_flush_times(struct inode *inode);
/* Clients that hold a lease see the inode as it is now. Locked for writing. (file.c) */
void inode_publish(struct inode *inode);

/* Somebody may want to know (pmfs_options.changed). Locked for writing, after the commit. */
static inline void inode_changed(const struct inode *inode, uint32_t events, const char *name, size_t name_bytes)
{
	if (unlikely(atomic_load_explicit(&inode->fs->watched, memory_order_relaxed) != 0))
		inode->fs->options.changed(inode->number, events, name, name_bytes);
}

static inline void inode_lock_read(struct inode *inode)
{
	pthread_rwlock_rdlock(&inode->lock);
}

static inline void inode_lock_write(struct inode *inode)
{
	pthread_rwlock_wrlock(&inode->lock);
}

static inline void inode_unlock(struct inode *inode)
{
	pthread_rwlock_unlock(&inode->lock);
}
