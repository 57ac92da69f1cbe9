/* SPDX-License-Identifier: BSD-2-Clause */
/* dump.c - pmfs-dump [-a] FILE|zone [INODE...]
 * What is on the media, as it is: superblock, state, journals, inodes with their two copies, trees,
 * directory entries. Replays nothing, mends nothing. -a: free inodes too. */
#include "image.h"
#include "fs/pmfs/change.h"
#include "fs/pmfs/crc32c.h"
#include "fs/pmfs/directory.h"
#include "fs/pmfs/extent_tree.h"
#include "fs/pmfs/super.h"
#include "fs/pmfs/xattr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ull unsigned long long

static const char *type_name(uint32_t type)
{
	static const char *const names[] = { "free", "file", "directory", "symlink", "attributes" };

	return type < sizeof(names) / sizeof(names[0]) ? names[type] : "unknown";
}

static void dump_super(const struct pmfs *fs)
{
	const struct pmfs_super *s = &fs->super;
	uint32_t state;
	const bool good = state_read(&fs->pm, &state);

	printf("superblock: version %u, %llu blocks, %u journals, data from block %llu, features %llx/%llx, uuid ",
			s->version, (ull)s->blocks, s->journals, (ull)s->first_data_block, (ull)s->compatible,
			(ull)s->incompatible);
	for (size_t i = 0; i < sizeof(s->uuid); i++)
		printf("%02x", s->uuid[i]);
	printf("\nstate: %s, mount %u%s\n", state & PMFS_STATE_CLEAN ? "clean" : "in use", state >> 1,
			good ? "" : ", checksum WRONG");
}

static void dump_record(const struct record *r)
{
	struct pmfs_inode inode;

	for (uint32_t i = 0; i < r->head->inodes; i++) {
		const uint64_t number = record_inode(r, i, &inode);
		printf("  inode %llu: %s, %u links, %llu bytes\n", (ull)number, type_name(inode.type), inode.links,
				(ull)inode.size);
	}
	for (uint32_t i = 0; i < r->head->words; i++)
		printf("  word at %llx = %llx (inode %u)\n", (ull)(r->word[i].offset & ~(uint64_t)PMFS_WORD_OWNER),
				(ull)r->word[i].value, r->inode[r->word[i].offset & PMFS_WORD_OWNER]->crc);
	for (uint32_t i = 0; i < r->head->vouched; i++)
		printf("  vouches for %u bytes at %llx\n", r->piece[i].bytes, (ull)r->piece[i].offset);
}

/* Also what is left of an earlier round behind the records that count: its tickets are lower. */
static void dump_journals(const struct pmfs *fs)
{
	struct record r;

	for (uint32_t i = 0; i < fs->super.journals; i++) {
		for (uint32_t at = 0; at < PMFS_BLOCK;) {
			const struct pmfs_journal *head = (const struct pmfs_journal *)(const void *)((const uint8_t *)
					block_at(fs, PMFS_JOURNAL_BLOCK + i) + at);
			const bool good = record_read(fs, i, at, &r);
			if (head->magic == PMFS_JOURNAL_MAGIC)
				printf("journal %u at %u: ticket %llu, version %llu, %u inodes, %u words, %u pieces, %s\n", i, at,
						(ull)head->ticket, (ull)head->version, head->inodes, head->words, head->vouched,
						good ? "good" : "checksum WRONG");
			if (good)
				dump_record(&r);
			at += good ? record_room(head->bytes) : PMFS_RECORD_ALIGN;
		}
	}
}

static err_t dump_extent(void *context, const struct pmfs_extent *what, bool leaf)
{
	(void)context;
	if (leaf)
		printf("  %u + %u -> block %llu%s\n", what->logical, what->count, (ull)extent_block(what),
				extent_is_shared(what) ? ", shared" : "");
	else
		printf("  node from %u in block %llu\n", what->logical, (ull)what->physical);
	return OK;
}

static bool dump_entry(void *context, const struct pmfs_dirent *entry, uint64_t cookie)
{
	(void)context;
	printf("  %08x.%u -> inode %llu %s \"", entry->hash, entry->collision, (ull)entry->inode, type_name(entry->type));
	for (uint32_t i = 0; i < entry->name_bytes; i++)
		printf((uint8_t)entry->name[i] < ' ' || entry->name[i] == '"' || entry->name[i] == '\\' ? "\\x%02x" : "%c",
				(uint8_t)entry->name[i]);
	printf("\"\n");
	(void)cookie;
	return true;
}

static void dump_attribute(void *context, const char *name, uint32_t name_bytes, const uint8_t *value,
		uint32_t value_bytes)
{
	(void)context;
	printf("  attribute \"%.*s\", %u bytes, crc %08x\n", (int)name_bytes, name, value_bytes,
			crc32c(0, value, value_bytes));
}

static void dump_inode(const struct pmfs *fs, uint64_t number, bool all)
{
	const struct pmfs_inode_slot *slot = inode_slot(fs, number);
	struct tree_visitor trees = { .visit = dump_extent };
	const struct dir_visitor names = { .visit = dump_entry };
	uint8_t copy;

	if (slot == NULL) {
		printf("inode %llu: there is none\n", (ull)number);
		return;
	}
	const bool good0 = inode_copy_good(number, &slot->copy[0]), good1 = inode_copy_good(number, &slot->copy[1]);
	if (inode_slot_pick(number, slot, true, &copy) != OK) {
		printf("inode %llu: both copies are damaged\n", (ull)number);
		return;
	}
	const struct pmfs_inode *n = &slot->copy[copy];
	if (n->type == PMFS_FREE && good0 && good1 && !all)
		return;
	printf("inode %llu: %s, copy %u of versions %llu%s and %llu%s, ", (ull)number,
			type_name(n->type), copy, (ull)slot->copy[0].version,
			good0 ? "" : " (torn)", (ull)slot->copy[1].version, good1 ? "" : " (torn)");
	printf("mode %o, %u links, %llu bytes in %llu blocks, owner %u:%u, mtime %llu", n->mode, n->links, (ull)n->size,
			(ull)n->blocks, n->uid, n->gid, (ull)n->mtime);
	if (n->attributes != 0)
		printf(", attributes in inode %u", n->attributes);
	printf(n->type == PMFS_DIRECTORY ? ", in inode %llu\n" : n->type == PMFS_ATTRIBUTES ? ", of inode %llu\n" : "\n",
			(ull)n->parent);
	if (n->flags & PMFS_INODE_INLINE)
		printf("  -> \"%.*s\"\n", n->size < PMFS_TARGET_INLINE ? (int)n->size : PMFS_TARGET_INLINE, n->target);
	if (inode_wrong(fs, n) != NULL)
		printf("  WRONG: %s\n", inode_wrong(fs, n));
	else if (n->type != PMFS_FREE && tree_walk(fs, number, n, &trees) != OK)
		printf("  WRONG: %s\n", trees.reason);
	else if (n->type == PMFS_DIRECTORY && dir_walk(fs, number, n, 0, &names) != OK)
		printf("  WRONG: a leaf or an entry is damaged\n");
	else if (n->type == PMFS_ATTRIBUTES && xattr_walk(fs, number, n, dump_attribute, NULL) != OK)
		printf("  WRONG: a group is damaged\n");
}

/* Enough of a mounted file system to follow inodes and trees. */
static bool fs_prepare(struct pmfs *fs, struct inode *table)
{
	const struct pmfs_inode_slot *slot = block_at(fs, PMFS_ANCHOR_BLOCK);
	struct tree_visitor quiet = { .visit = dump_extent };
	uint8_t copy;

	if (inode_slot_pick(PMFS_INODE_TABLE, slot, true, &copy) != OK) {
		printf("inode table: both copies are damaged\n");
		return false;
	}
	*table = (struct inode) { .number = PMFS_INODE_TABLE, .fs = fs, .now = slot->copy[copy], .copy = copy };
	fs->table_inode = table;
	printf("inode table:\n");
	if (tree_walk(fs, PMFS_INODE_TABLE, &table->now, &quiet) == OK && inode_table_learn(fs) == OK)
		return true;
	printf("  WRONG: %s\n", quiet.reason != NULL ? quiet.reason : "it is not complete");
	return false;
}

int main(int argc, char **argv)
{
	const bool all = argc > 1 && strcmp(argv[1], "-a") == 0;
	static struct pmfs fs;
	struct inode table;
	struct image image;
	char reason[PMFS_REASON_BYTES] = "";
	err_t err;

	if (argc < 2 + all) {
		fprintf(stderr, "usage: pmfs-dump [-a] FILE|zone [INODE...]\n");
		return EXIT_CANNOT;
	}
	if (!image_open(&image, argv[1 + all], IMAGE_COPY, 0))
		return EXIT_CANNOT;
	if (super_examine(image.base, image.bytes, &fs.super, &err, reason) != SUPER_GOOD) {
		fprintf(stderr, "%s: %s\n", image.path, reason[0] != 0 ? reason : "blank");
		return EXIT_CANNOT;
	}
	pm_init(&fs.pm, image.base, image.bytes);
	dump_super(&fs);
	dump_journals(&fs);
	if (!fs_prepare(&fs, &table))
		return EXIT_DAMAGED;
	const uint64_t end = atomic_load(&fs.table_blocks) * PMFS_INODES_PER_BLOCK;
	if (argc > 2 + all)
		for (int i = 2 + all; i < argc; i++)
			dump_inode(&fs, strtoull(argv[i], NULL, 10), true);
	else
		for (uint64_t number = PMFS_INODE_ROOT; number < end; number++)
			dump_inode(&fs, number, all);
	return image_close(&image) ? EXIT_CLEAN : EXIT_CANNOT;
}
