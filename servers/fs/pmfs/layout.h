/* SPDX-License-Identifier: BSD-2-Clause */
/* layout.h - every structure that pmfs has on media. docs/pmfs-spec.md describes the same, byte by
 * byte; the two change together, with PMFS_VERSION or a feature bit. Little-endian. A block is
 * 4096 bytes; block 0 is the start of the device.
 *
 *   block 0            superblock, first copy
 *   block 1            superblock, second copy
 *   block 2            state word (clean or not)
 *   block 3            anchor: inode 1, the inode table's own inode
 *   block 4 ..         journals, one block each
 *   first_data_block.. everything else: file data, tree nodes, directory leaves, inode table blocks */
#pragma once

#include <lintel/types.h>

#define PMFS_MAGIC 0x53464d504c544e4cull     /* "LNTLPMFS" */
#define PMFS_FORMATTING 0x21544d464c544e4cull /* "LNTLFMT!": mkfs was interrupted, there is nothing here */
#define PMFS_VERSION 3u
#define PMFS_BLOCK 4096u
#define PMFS_BLOCK_SHIFT 12
#define PMFS_BYTES_MIN (4ull << 20)
#define PMFS_STATE_BLOCK 2
#define PMFS_ANCHOR_BLOCK 3
#define PMFS_JOURNAL_BLOCK 4
#define PMFS_JOURNALS_MAX 64

/* Feature words: a bit that this version does not know in `incompatible` refuses the mount. */
struct pmfs_super {
	uint64_t magic;
	uint32_t version;
	uint32_t crc;             /* of the other 252 bytes, this field taken as 0 */
	uint64_t compatible;
	uint64_t incompatible;
	uint8_t uuid[16];
	uint64_t blocks;          /* of the file system; the device has at least so many */
	uint32_t block_bytes;     /* 4096 */
	uint32_t journals;
	uint64_t first_data_block;
	uint64_t hash_key[2];     /* of directory hashes */
	uint64_t created_ns;      /* since the epoch */
	uint8_t reserved[160];
};
_Static_assert(sizeof(struct pmfs_super) == 256, "superblock");

/* The state word: the low half counts and says, the high half is crc32c of the low half's 4 bytes. */
#define PMFS_STATE_CLEAN 0x1u /* bit 0; the other 31 bits count mounts */

/* In the state word's block: where the summary of a clean unmount lies (summary.h). */
#define PMFS_SUMMARY_PLACE 64
struct pmfs_summary_place {
	uint32_t crc;         /* of the 28 bytes that follow */
	uint32_t state;       /* the low half of the state word with which it holds */
	uint64_t block;
	uint64_t bytes;
	uint32_t summary_crc; /* of all its bytes */
	uint32_t reserved;
};
_Static_assert(sizeof(struct pmfs_summary_place) == 32, "place of the summary");

#define PMFS_SUMMARY_MAGIC 0x4d534d50u /* "PMSM" */
#define PMFS_REGION_BLOCKS 32768u      /* their bits fill a block */

/* The summary's head. Behind it, each filled up to 64 bytes: for each region the number of free blocks
 * (32 bits); for each region that has some of both, a block of bits, 1 is used, also past the device's end; a bit
 * for each inode slot, 1 is used; the shared runs. */
struct pmfs_summary {
	uint32_t magic;
	uint32_t regions;
	uint64_t mixed;        /* regions with bits */
	uint64_t table_blocks; /* of the inode table */
	uint64_t inodes_used;
	uint64_t shares;       /* runs of blocks that several extents claim */
	uint64_t reserved[3];
};
_Static_assert(sizeof(struct pmfs_summary) == 64, "summary");

/* Such a run; they ascend. */
struct pmfs_summary_share {
	uint64_t block;
	uint32_t blocks;
	uint32_t claims; /* extents that have it, at least 2 */
};
_Static_assert(sizeof(struct pmfs_summary_share) == 16, "shared blocks in the summary");

#define PMFS_EXTENTS_INLINE 3
#define PMFS_TARGET_INLINE 48

/* A run of a file's blocks; in an index node and in a directory's tree: where the keys from
 * `logical` on are found. */
struct pmfs_extent {
	uint32_t logical;  /* file block; or the first key of what lies below */
	uint32_t count;    /* blocks; 0 in index nodes, 1 in a directory's tree */
	uint64_t physical; /* block on the device; in a file's extent with PMFS_EXTENT_SHARED or without */
};
/* Other extents may claim the same blocks; all of them have this bit then. Without it nobody else does. */
#define PMFS_EXTENT_SHARED (1ull << 63)

static inline uint64_t extent_block(const struct pmfs_extent *extent)
{
	return extent->physical & ~PMFS_EXTENT_SHARED;
}

static inline bool extent_is_shared(const struct pmfs_extent *extent)
{
	return extent->physical & PMFS_EXTENT_SHARED;
}

enum pmfs_type { PMFS_FREE = 0, PMFS_FILE = 1, PMFS_DIRECTORY = 2, PMFS_SYMLINK = 3,
	PMFS_ATTRIBUTES = 4 /* a file's extended attributes; no name leads to it */ };
#define PMFS_INODE_INLINE 0x1u /* flags: the symbolic link's target is in the inode */
#define PMFS_INODE_KEPT 0x2u   /* a file's blocks past its size, if it has any, are its own: zeroes, for later */

/* One version of an inode. All zero: never used. */
struct pmfs_inode {
	uint32_t crc;      /* of the inode number (8 bytes) and the 124 bytes that follow */
	uint8_t type;      /* enum pmfs_type */
	uint8_t levels;    /* of the tree: 0 = `root` holds the extents themselves */
	uint16_t mode;
	uint64_t version;  /* grows with every change; never starts again, not even when the inode is freed */
	uint64_t size;
	uint64_t mtime;
	uint64_t ctime;
	uint64_t atime;
	uint32_t uid;
	uint32_t gid;
	uint32_t links;
	uint16_t entries;  /* used in root[] */
	uint16_t flags;
	uint64_t blocks;   /* allocated, tree nodes included */
	uint32_t parent;   /* of a directory: the inode that names it; of attributes: the one that has them */
	uint32_t attributes; /* the inode that holds the extended attributes; 0: none */
	union {
		struct pmfs_extent root[PMFS_EXTENTS_INLINE];
		char target[PMFS_TARGET_INLINE];
	};
};
_Static_assert(sizeof(struct pmfs_inode) == 128, "inode");

/* Two versions; the valid one with the higher number counts. */
struct pmfs_inode_slot {
	struct pmfs_inode copy[2];
};
#define PMFS_INODES_PER_BLOCK (PMFS_BLOCK / sizeof(struct pmfs_inode_slot))
#define PMFS_INODE_TABLE 1 /* in the anchor block, not in the table */
#define PMFS_INODE_ROOT 2
#define PMFS_INODE_MAX UINT32_MAX

#define PMFS_NODE_MAGIC 0x444e4d50u /* "PMND" */
#define PMFS_NODE_ENTRIES 252

struct pmfs_node {
	uint32_t magic;
	uint32_t crc;      /* of the 4088 bytes that follow */
	uint64_t owner;    /* inode number */
	uint64_t version;  /* of the inode when the node was written */
	uint16_t level;    /* 0: extents */
	uint16_t entries;
	uint8_t reserved[36];
	struct pmfs_extent entry[PMFS_NODE_ENTRIES];
};
_Static_assert(sizeof(struct pmfs_node) == PMFS_BLOCK, "node");

#define PMFS_LEAF_MAGIC 0x464c4d50u /* "PMLF" */
#define PMFS_LEAF_SLOTS 63          /* of 64 bytes; slot i is at byte 64 * (i + 1) */
#define PMFS_SLOT_BYTES 64
#define PMFS_LEAF_PARITY (1ull << 63)

struct pmfs_leaf {
	uint32_t magic;
	uint32_t crc;      /* of bytes 8..23 and 32..63 */
	uint64_t owner;    /* the directory's inode number */
	uint64_t version;
	uint64_t used;     /* bit i: slot i; bit 63 makes the number of set bits even. The commit word of every change */
	uint8_t reserved[32];
	uint8_t slot[PMFS_LEAF_SLOTS][PMFS_SLOT_BYTES];
};
_Static_assert(sizeof(struct pmfs_leaf) == PMFS_BLOCK, "directory leaf");

struct pmfs_dirent {
	uint32_t crc;       /* of the directory's inode number (8 bytes) and bytes 4 .. 64 * slots - 1 */
	uint32_t hash;
	uint64_t inode;
	uint8_t name_bytes;
	uint8_t type;       /* enum pmfs_type */
	uint8_t collision;  /* tells names of one hash apart, for readdir's cookies */
	uint8_t slots;      /* that it fills */
	char name[];        /* then zeroes */
};
#define PMFS_DIRENT_BYTES 20
_Static_assert(offsetof(struct pmfs_dirent, name) == PMFS_DIRENT_BYTES, "directory entry");

#define PMFS_ATTRIBUTES_MAGIC 0x41584d50u /* "PMXA" */
#define PMFS_ATTRIBUTE_VALUE_MAX 65536u

/* A group of extended attributes: some of them in one block, or a large one alone in several, which follow each other
 * in the file. */
struct pmfs_attributes {
	uint32_t magic;
	uint32_t crc;      /* of the bytes that follow, up to `bytes` */
	uint64_t owner;    /* attribute inode number */
	uint32_t bytes;    /* head and attributes; the rest of the last block means nothing */
	uint32_t entries;
	uint64_t reserved;
};
_Static_assert(sizeof(struct pmfs_attributes) == 32, "attributes");

/* Behind each other, each at a multiple of 8 bytes: this, the name, the value, zeroes. */
struct pmfs_attribute {
	uint32_t value_bytes;
	uint8_t name_bytes;  /* 1 to 255; no NUL in it */
	uint8_t reserved[3];
};
_Static_assert(sizeof(struct pmfs_attribute) == 8, "attribute");

#define PMFS_JOURNAL_MAGIC 0x524a4d50u /* "PMJR" */
#define PMFS_JOURNAL_INODES 4
#define PMFS_JOURNAL_WORDS 4
#define PMFS_JOURNAL_VOUCHED 16
#define PMFS_JOURNAL_HALVES 2
#define PMFS_HALF_BYTES (PMFS_BLOCK / PMFS_JOURNAL_HALVES)
#define PMFS_RECORD_ALIGN 64u

/* A journal is a block of two halves, which are filled in turn with records, one behind the other. A record is this
 * head, and behind it, without gaps, `inodes` inodes, `words` words and `vouched` pieces; then zeroes up to a multiple
 * of 64 bytes. Valid if magic and crc hold and the ticket is that of the record before it, plus one; committed if there
 * is a valid one with the next ticket in the journal, or else the pieces' crcs hold. Replayed where the media has an
 * older version. */
struct pmfs_journal {
	uint32_t magic;
	uint32_t crc;     /* of the bytes that follow, up to `bytes` */
	uint64_t ticket;  /* counts the journal's records: mounts << 40, and from 1 on */
	uint64_t version; /* of every inode in it */
	uint16_t bytes;   /* head and all, without the zeroes at the end */
	uint8_t inodes;
	uint8_t words;
	uint8_t vouched;
	uint8_t reserved[3];
};
_Static_assert(sizeof(struct pmfs_journal) == 32, "journal");

/* An inode in a record: struct pmfs_inode, its number in place of `crc`, and not all of it: what a free one and the
 * unused entries of a root leave out is zero. */
#define PMFS_RECORD_INODE_FREE offsetof(struct pmfs_inode, size)
#define PMFS_RECORD_INODE_HEAD offsetof(struct pmfs_inode, root)

struct pmfs_journal_word {
	uint64_t offset;  /* bytes from the start of the device, 8-byte aligned; in the low bits: which of the record's
	                   * inodes owns it */
	uint64_t value;
};
#define PMFS_WORD_OWNER 7u
/* What has to be on the media for the transaction to have happened: new entries, leaves, nodes, targets,
 * appended bytes. */
struct pmfs_journal_piece {
	uint64_t offset;  /* bytes from the start of the device */
	uint32_t bytes;   /* in one block */
	uint32_t crc;
};
#define PMFS_RECORD_MAX \
	(sizeof(struct pmfs_journal) + PMFS_JOURNAL_INODES * sizeof(struct pmfs_inode) + \
	PMFS_JOURNAL_WORDS * sizeof(struct pmfs_journal_word) + PMFS_JOURNAL_VOUCHED * sizeof(struct pmfs_journal_piece))
_Static_assert(PMFS_RECORD_MAX + PMFS_RECORD_ALIGN <= PMFS_HALF_BYTES, "a half holds any record");
_Static_assert(sizeof(struct pmfs_journal) + 2 * PMFS_RECORD_INODE_FREE == PMFS_RECORD_ALIGN, "two inodes in 64 bytes");
