/* SPDX-License-Identifier: BSD-2-Clause */
/* check.c - fsck: everything that can be verified about a mounted, idle file system. What mount
 * has checked already (checksums, trees, no block claimed twice) is checked again on the way; new
 * is what needs names: that every name leads to an inode of its type, that every inode has as many
 * names as it says, that nothing is lost, that free space adds up; and that the claims on shared blocks, which are
 * counted here by sorting all runs, are as many as space.h says. Changes nothing. Directories
 * are visited breadth first; a path is kept for every one that waits. */
#include "change.h"
#include "directory.h"
#include "extent_tree.h"
#include "xattr.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_PATH_BYTES 512 /* of a path in a message; longer ones lose their start */

struct waiting {
	struct waiting *next;
	uint64_t number;
	char path[];
};

/* Where what one extent, node or leaf claims starts, or ends. */
struct claim {
	uint64_t block;
	bool starts;
	bool shared;
};

struct check {
	struct pmfs *fs;
	void (*say)(void *context, const char *line);
	void *context;
	uint64_t findings;
	uint64_t slots;          /* inode numbers */
	uint32_t *names;         /* by inode number: names found */
	uint32_t *subdirectories;
	uint64_t claimed_blocks; /* as the inodes count them */
	uint64_t used_blocks;    /* each once */
	struct claim *claim;
	uint64_t claims;
	uint64_t claims_room;
	struct waiting *first;
	struct waiting **last;
	const struct waiting *dir; /* the directory being read */
	uint64_t leaves;
	err_t err;
};

static void finding(struct check *check, const char *path, const char *format, ...) PRINTF(3, 4);

static void finding(struct check *check, const char *path, const char *format, ...)
{
	char line[CHECK_PATH_BYTES + 200];
	va_list arguments;
	int at = snprintf(line, sizeof(line), "%s: ", path);

	va_start(arguments, format);
	vsnprintf(line + at, sizeof(line) - (size_t)at, format, arguments);
	va_end(arguments);
	check->findings++;
	check->say(check->context, line);
}

static void path_join(char out[CHECK_PATH_BYTES], const char *dir, const char *name, size_t bytes)
{
	const size_t have = strlen(dir);
	const size_t skip = have + bytes + 2 > CHECK_PATH_BYTES ? have + bytes + 2 - CHECK_PATH_BYTES : 0;

	snprintf(out, CHECK_PATH_BYTES, "%s/%.*s", dir + (skip < have ? skip : have), (int)bytes, name);
}

static err_t claim_add(struct check *check, uint64_t block, uint64_t count, bool shared)
{
	if (check->claims + 2 > check->claims_room) {
		const uint64_t room = check->claims_room * 2 + 256;
		struct claim *claim = realloc(check->claim, room * sizeof(*claim));
		if (claim == NULL)
			return check->err = ERR_NO_MEMORY;
		check->claim = claim;
		check->claims_room = room;
	}
	check->claim[check->claims++] = (struct claim) { block, true, shared };
	check->claim[check->claims++] = (struct claim) { block + count, false, shared };
	return OK;
}

static err_t count_blocks(void *context, const struct pmfs_extent *what, bool leaf)
{
	struct check *check = context;
	const uint64_t count = leaf ? what->count : 1, block = extent_block(what);

	for (uint64_t i = 0; i < count; i++)
		if (!space_is_used(&check->fs->space, block + i))
			return ERR_CORRUPT;
	check->claimed_blocks += count;
	check->leaves += leaf;
	return claim_add(check, block, count, leaf && extent_is_shared(what));
}

/* The newest version of a slot; NULL after saying what is wrong. */
static const struct pmfs_inode *inode_read(struct check *check, const char *path, uint64_t number)
{
	const struct pmfs_inode_slot *slot = inode_slot(check->fs, number);
	uint8_t copy;

	if (slot == NULL || inode_slot_pick(number, slot, false, &copy) != OK) {
		finding(check, path, slot == NULL ? "inode %llu does not exist" : "inode %llu: its checksum is wrong",
				(unsigned long long)number);
		return NULL;
	}
	return &slot->copy[copy];
}

struct past {
	const struct pmfs *fs;
	uint64_t size;
	bool dirty;
};

static err_t visit_past(void *context, const struct pmfs_extent *what, bool leaf)
{
	struct past *past = context;
	const uint64_t from = (uint64_t)what->logical << PMFS_BLOCK_SHIFT;
	const uint64_t bytes = (uint64_t)what->count << PMFS_BLOCK_SHIFT;
	const uint64_t skip = past->size > from ? past->size - from : 0;

	if (leaf && skip < bytes)
		past->dirty |= !pm_is_zero((const uint8_t *)block_at(past->fs, extent_block(what)) + skip, bytes - skip);
	return OK;
}

static void check_tail(struct check *check, const char *path, uint64_t number, const struct pmfs_inode *inode)
{
	const uint64_t blocks = (inode->size + PMFS_BLOCK - 1) / PMFS_BLOCK;
	struct tree_hit hit;

	if (inode->type != PMFS_FILE || tree_lookup(check->fs, NULL, number, inode, UINT32_MAX, &hit) != OK || !hit.has_at)
		return;
	if ((uint64_t)hit.at.logical + hit.at.count > blocks && !(inode->flags & PMFS_INODE_KEPT))
		finding(check, path, "blocks past the end of the file");
	struct past past = { check->fs, inode->size, false };
	struct tree_visitor visitor = { .visit = visit_past, .context = &past };
	if (tree_walk(check->fs, number, inode, &visitor) == OK && past.dirty)
		finding(check, path, "bytes past the end of the file are not zero");
}

static void check_inode(struct check *check, const char *path, uint64_t number, const struct pmfs_inode *inode);

static void check_attributes(struct check *check, const char *path, uint64_t owner, uint32_t number)
{
	const struct pmfs_inode *inode = inode_read(check, path, number);

	if (inode == NULL)
		return;
	if (inode->type != PMFS_ATTRIBUTES || inode->parent != owner || inode->attributes != 0) {
		finding(check, path, "its attributes, inode %u, are something else", number);
		return;
	}
	check->names[number]++;
	check_inode(check, path, number, inode);
	if (xattr_walk(check->fs, number, inode, NULL, NULL) != OK)
		finding(check, path, "its extended attributes are damaged");
}

/* One inode, the first time that a name leads to it. */
static void check_inode(struct check *check, const char *path, uint64_t number, const struct pmfs_inode *inode)
{
	struct tree_visitor visitor = { .visit = count_blocks, .context = check };
	const uint64_t before = check->claimed_blocks;
	const char *wrong = inode_wrong(check->fs, inode);

	check->leaves = 0;
	if (wrong == NULL && tree_walk(check->fs, number, inode, &visitor) != OK)
		wrong = visitor.reason != NULL ? visitor.reason : "it uses blocks that count as free";
	if (wrong == NULL && check->claimed_blocks - before != inode->blocks)
		wrong = "its block count is wrong";
	if (wrong == NULL && inode->type == PMFS_DIRECTORY && inode->size != check->leaves * PMFS_BLOCK)
		wrong = "a directory's size is not that of its leaves";
	if (wrong != NULL)
		finding(check, path, "%s", wrong);
	else
		check_tail(check, path, number, inode);
	if (wrong == NULL && inode->attributes != 0)
		check_attributes(check, path, number, inode->attributes);
}

static void wait_add(struct check *check, uint64_t number, const char *path)
{
	struct waiting *w = malloc(sizeof(*w) + strlen(path) + 1);

	if (w == NULL) {
		check->err = ERR_NO_MEMORY;
		return;
	}
	w->next = NULL;
	w->number = number;
	strcpy(w->path, path);
	*check->last = w;
	check->last = &w->next;
}

static bool check_entry(void *context, const struct pmfs_dirent *entry, uint64_t cookie)
{
	struct check *check = context;
	char path[CHECK_PATH_BYTES];

	(void)cookie;
	path_join(path, check->dir->path, entry->name, entry->name_bytes);
	if (memchr(entry->name, '/', entry->name_bytes) != NULL || memchr(entry->name, 0, entry->name_bytes) != NULL)
		finding(check, path, "a name with a slash or a NUL in it");
	if (entry->hash != dir_hash(check->fs, entry->name, entry->name_bytes))
		finding(check, path, "its hash is wrong: it cannot be found by name");
	const struct pmfs_inode *inode = inode_read(check, path, entry->inode);
	if (inode == NULL)
		return true;
	if (inode->type == PMFS_FREE || inode->type != entry->type || entry->inode <= PMFS_INODE_ROOT) {
		finding(check, path, "leads to inode %llu, which is something else", (unsigned long long)entry->inode);
		return true;
	}
	if (check->names[entry->inode]++ == 0)
		check_inode(check, path, entry->inode, inode);
	else if (inode->type == PMFS_DIRECTORY)
		finding(check, path, "a directory with two names");
	if (inode->type == PMFS_DIRECTORY && check->names[entry->inode] == 1) {
		check->subdirectories[check->dir->number]++;
		if (inode->parent != check->dir->number)
			finding(check, path, "its parent is another directory");
		wait_add(check, entry->inode, path);
	}
	return check->err == OK;
}

static void check_directories(struct check *check)
{
	const struct dir_visitor visitor = { .visit = check_entry, .context = check };

	wait_add(check, PMFS_INODE_ROOT, "");
	while (check->first != NULL) {
		struct waiting *w = check->first;
		const struct pmfs_inode *inode = inode_read(check, w->path, w->number);
		check->dir = w;
		if (check->err == OK && inode != NULL && dir_walk(check->fs, w->number, inode, 0, &visitor) != OK)
			finding(check, w->path[0] != 0 ? w->path : "/", "the directory is damaged");
		check->first = w->next;
		if (check->first == NULL)
			check->last = &check->first;
		free(w);
	}
}

/* Names found against names claimed; and who has none. */
static void check_links(struct check *check)
{
	for (uint64_t number = PMFS_INODE_ROOT; number < check->slots; number++) {
		char path[40];
		snprintf(path, sizeof(path), "inode %llu", (unsigned long long)number);
		const struct pmfs_inode *inode = inode_read(check, path, number);
		if (inode == NULL || inode->type == PMFS_FREE)
			continue;
		const uint32_t names = check->names[number];
		const uint32_t links = inode->type == PMFS_DIRECTORY ? 2 + check->subdirectories[number] : names;
		if (names == 0)
			finding(check, path, "no name leads to it");
		else if (inode->links != links)
			finding(check, path, "has %u links, should have %u", inode->links, links);
	}
}

static int by_block(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;

	return x->block < y->block ? -1 : x->block > y->block;
}

/* [block, end) is claimed so often; that is what space.h has to say. */
static void check_counted(struct check *check, uint64_t block, uint64_t end, uint64_t claims)
{
	while (block < end) {
		struct pmfs_summary_share run = { .block = end };
		const bool any = space_next_share(&check->fs->space, block, &run) && run.block < end;
		const uint64_t counted = any && run.block <= block ? run.claims : 0;
		if (counted != (claims > 1 ? claims : 0)) {
			finding(check, "shared blocks", "%llu is claimed %llu times, and counted %llu times",
					(unsigned long long)block, (unsigned long long)claims, (unsigned long long)counted);
			return;
		}
		block = !any ? end : run.block > block ? run.block : run.block + run.blocks;
	}
}

static void check_claims(struct check *check)
{
	uint64_t claims = 0, sharing = 0, from = 0;

	qsort(check->claim, check->claims, sizeof(*check->claim), by_block);
	for (uint64_t i = 0; i < check->claims && check->findings == 0; i++) {
		const struct claim *next = &check->claim[i];
		check_counted(check, from, next->block, claims);
		if (from < next->block && claims > 1 && sharing != claims)
			finding(check, "shared blocks", "%llu is claimed %llu times, by some who do not share it",
					(unsigned long long)from, (unsigned long long)claims);
		check->used_blocks += claims != 0 ? next->block - from : 0;
		claims += next->starts ? 1 : -1ull;
		sharing += !next->shared ? 0 : next->starts ? 1 : -1ull;
		from = next->block;
	}
	if (check->findings == 0)
		check_counted(check, from, check->fs->super.blocks, 0);
}

err_t pmfs_check(struct pmfs *fs, void (*say)(void *context, const char *line), void *context)
{
	struct check check = { .fs = fs, .say = say, .context = context };

	journal_settle_all(fs); /* inodes are read from media */
	check.last = &check.first;
	check.slots = atomic_load(&fs->table_blocks) * PMFS_INODES_PER_BLOCK;
	check.names = calloc(check.slots, sizeof(uint32_t));
	check.subdirectories = calloc(check.slots, sizeof(uint32_t));
	if (check.names == NULL || check.subdirectories == NULL) {
		free(check.names);
		free(check.subdirectories);
		return ERR_NO_MEMORY;
	}
	check.names[PMFS_INODE_ROOT] = 1;
	check_inode(&check, "inode table", PMFS_INODE_TABLE, &fs->table_inode->now);
	check_inode(&check, "/", PMFS_INODE_ROOT, &fs->root->now);
	check_directories(&check);
	check_links(&check);
	if (check.err == OK && check.findings == 0)
		check_claims(&check);
	const uint64_t data = fs->super.blocks - fs->super.first_data_block;
	const uint64_t free_blocks = space_count_free(&fs->space) + fs->space.reserve_count;
	if (check.err == OK && check.findings == 0 && check.used_blocks + free_blocks != data)
		finding(&check, "free space", "%llu blocks used, %llu free, %llu in all", (unsigned long long)check.used_blocks,
				(unsigned long long)free_blocks, (unsigned long long)data);
	free(check.claim);
	free(check.names);
	free(check.subdirectories);
	return check.err != OK ? check.err : check.findings != 0 ? ERR_CORRUPT : OK;
}
