/* SPDX-License-Identifier: BSD-2-Clause */
/* extent_tree.h - the tree under an inode: file blocks to device blocks, or, in directories,
 * hashes to leaves. A B+ tree of struct pmfs_extent, keyed by `logical`; up to three entries lie
 * in the inode itself. An index entry's key is a lower bound of the keys below it. Nodes are never
 * changed in place: a change writes new ones (change.h, C2). Every pointer and count that is read
 * from media is checked before it is followed; checksums of nodes when the inode is read (tree_check).
 * Locks: readers hold inode->lock for reading, changers for writing. */
#pragma once

#include "change.h"

#define TREE_LEVELS_MAX 5
#define FILE_BLOCKS_MAX UINT32_MAX                                    /* 16 TiB less one block */
#define FILE_BYTES_MAX ((uint64_t)FILE_BLOCKS_MAX << PMFS_BLOCK_SHIFT)

struct tree_hit {
	bool has_at;              /* an entry with the greatest logical <= key */
	bool has_next;            /* the entry after that */
	struct pmfs_extent at;
	uint32_t next;            /* its logical */
};

/* `c` (may be NULL) is the change in which new nodes may be; `root` the inode's version to look in. */
MUST_USE err_t tree_lookup(const struct pmfs *fs, struct change *c, uint64_t owner, const struct pmfs_inode *root,
		uint32_t key, struct tree_hit *hit);

/* One entry in, changed, or out. The inode joins the change. `insert` wants a new key; the others
 * an existing one. */
MUST_USE err_t tree_insert(struct change *c, struct inode *inode, const struct pmfs_extent *entry);
MUST_USE err_t tree_update(struct change *c, struct inode *inode, uint32_t key, const struct pmfs_extent *entry);
MUST_USE err_t tree_remove(struct change *c, struct inode *inode, uint32_t key);

/* Map `count` file blocks, which are a hole, to the blocks from `physical` on; joins the entry
 * before if it can. */
MUST_USE err_t tree_map(struct change *c, struct inode *inode, uint32_t logical, uint64_t physical, uint32_t count);

/* What [logical, logical + count) had, in one extent, is free after the commit, and the blocks from `physical` on take
 * its place; if those are the same, they are only not PMFS_EXTENT_SHARED any more. */
MUST_USE err_t tree_replace(struct change *c, struct inode *inode, uint32_t logical, uint64_t physical, uint32_t count);

/* Free everything from that key on, in as many changes as it takes, from the end. Also without
 * free blocks. */
MUST_USE err_t tree_drop_from(struct inode *inode, uint32_t from);

#define TREE_KEYS_END (1ull << 32) /* behind the last key */
/* Make [from, to) a hole, from its end, as much as goes into one change; *done: that was all. Needs a block only for
 * nodes. */
MUST_USE err_t tree_cut_some(struct change *c, struct inode *inode, uint64_t from, uint64_t to, bool *done);

/* What the tree of an inode let go of in a change: free once that is committed (extent_list.h). */
struct tree_gone {
	uint32_t count;
	uint32_t room;
	struct change_run *run;
};
/* All from `from` on moves up by `count` blocks; what is in between is a hole. ERR_TOO_BIG: there is no place for the
 * last. *gone is to be ended in any case. */
MUST_USE err_t tree_move_up(struct change *c, struct inode *inode, uint32_t from, uint32_t count,
		struct tree_gone *gone);
/* [from, from + count) goes, and what lies behind takes its place. */
MUST_USE err_t tree_move_down(struct change *c, struct inode *inode, uint32_t from, uint32_t count,
		struct tree_gone *gone);
/* The blocks of `from`'s file blocks [first, first + count), a hole where there is one, take the place of what `to` has
 * at [place, place + count), which does not overlap if it is the same inode; both are PMFS_EXTENT_SHARED afterwards.
 * `from` joins the change only if some of it was not. *claimed are the claims that were counted for it. Both are to be
 * ended in any case, *gone freed if the change was committed, *claimed if it was not. ERR_NO_SPACE, ERR_NO_MEMORY,
 * ERR_TOO_BIG. */
MUST_USE err_t tree_share(struct change *c, struct inode *from, uint32_t first, struct inode *to, uint32_t place,
		uint32_t count, struct tree_gone *gone, struct tree_gone *claimed);
/* How many nodes a checked tree has, about. */
uint64_t tree_nodes(const struct pmfs *fs, const struct pmfs_inode *inode);
/* `free_blocks`: the change is committed, and not given up. */
void tree_gone_end(struct tree_gone *gone, struct pmfs *fs, bool free_blocks);

/* An inode is free on media: the blocks of its last version, nodes and all, are free in DRAM. Needs
 * no block and cannot fail. */
void tree_release(struct pmfs *fs, uint64_t number, const struct pmfs_inode *last);

/* Whether all of an inode's tree is as it should be: before it is used, as mount does not always look.
 * ERR_CORRUPT. */
MUST_USE err_t tree_check(const struct pmfs *fs, uint64_t number, const struct pmfs_inode *inode);

/* Visit every node block (leaf false) and every entry (leaf true) of an inode's tree, checking all
 * that can be checked: checksums, owners, levels, order, ranges. A visitor's error ends the walk. */
struct tree_visitor {
	err_t (*visit)(void *context, const struct pmfs_extent *what, bool leaf);
	void *context;
	const char *reason; /* out: with ERR_CORRUPT, what is wrong; NULL if the visitor said it */
	bool may_share;     /* tree_walk's own */
};
MUST_USE err_t tree_walk(const struct pmfs *fs, uint64_t number, const struct pmfs_inode *inode,
		struct tree_visitor *visitor);
