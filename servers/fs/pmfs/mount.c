/* SPDX-License-Identifier: BSD-2-Clause */
/* mount.c - from media to a struct pmfs, and back.
 * M1  Nothing is written before the superblock has been accepted.
 * M2  After a clean end nothing is written before every inode and tree has been checked; unless there
 * is a summary (summary.h): then each is checked when it is used first.
 * M3  After an unclean end the journals are replayed first; the inodes are checked after that,
 * then mended: copies that
 *     were torn, files without names, blocks past the size (F3), tails that are not zero (F1). Of each of these what is
 * seen is made durable before anything is made of it (C7 in change.h): it may be in a cache only.
 * A copy of the superblock that is not the accepted one is made like it, after any end.
 * M4  The state word says "in use" before anything else is written, "clean" after everything else. */
#include "file.h"
#include "name_cache.h"
#include "summary.h"
#include "super.h"
#include "xattr.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t pmfs_now_ns(const struct pmfs *fs)
{
	struct timespec now = { 0 };

	if (likely(fs != NULL && fs->options.now != NULL))
		return fs->options.now();
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

void pmfs_log(const struct pmfs *fs, const char *format, ...)
{
	char line[200];
	va_list arguments;

	if (fs->options.log == NULL)
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	fs->options.log(line);
}

static err_t fs_new(const struct pmfs_options *options, struct pmfs **out)
{
	struct pmfs *fs = aligned_alloc(64, (sizeof(*fs) + 63) & ~(size_t)63);

	if (fs == NULL)
		return ERR_NO_MEMORY;
	memset(fs, 0, sizeof(*fs));
	fs->options = *options;
	fs->cpus = options->cpus != 0 ? options->cpus : 1;
	fs->pool = aligned_alloc(64, fs->cpus * sizeof(*fs->pool));
	if (fs->pool == NULL) {
		free(fs);
		return ERR_NO_MEMORY;
	}
	memset(fs->pool, 0, fs->cpus * sizeof(*fs->pool));
	for (uint32_t i = 0; i < fs->cpus; i++)
		pthread_mutex_init(&fs->pool[i].lock, NULL);
	for (uint32_t i = 0; i < INODE_BUCKETS; i++)
		pthread_mutex_init(&fs->bucket[i].lock, NULL);
	for (uint32_t i = 0; i < PMFS_JOURNALS_MAX; i++)
		pthread_mutex_init(&fs->journal[i].lock, NULL);
	pthread_mutex_init(&fs->rename_lock, NULL);
	pthread_mutex_init(&fs->table_lock, NULL);
	*out = fs;
	return OK;
}

void pmfs_abandon(struct pmfs *fs)
{
	inode_forget_all(fs);
	for (uint32_t i = 0; i < TABLE_CHUNKS && atomic_load(&fs->table[i]) != NULL; i++)
		free(atomic_load(&fs->table[i]));
	for (uint32_t i = 0; i < fs->cpus; i++)
		free(fs->pool[i].numbers);
	free(fs->pool);
	space_destroy(&fs->space);
	name_cache_destroy(fs);
	free(fs);
}

/* --- inodes, one by one --- */

struct scan {
	struct pmfs *fs;
	uint64_t number;
	uint64_t found_blocks; /* of the inode being walked */
	uint64_t mended;
	char *reason;
};

static err_t scan_refuse(struct scan *scan, const char *what)
{
	snprintf(scan->reason, PMFS_REASON_BYTES, "inode %llu is damaged: %s", (unsigned long long)scan->number, what);
	return ERR_CORRUPT;
}

static err_t scan_mark(void *context, const struct pmfs_extent *what, bool leaf)
{
	struct scan *scan = context;
	const uint64_t count = leaf ? what->count : 1;

	scan->found_blocks += count;
	if (!scan->fs->scanned)
		return OK;
	err_t err = leaf && extent_is_shared(what) ? space_claim(&scan->fs->space, extent_block(what), count)
			: space_mark(&scan->fs->space, what->physical, count);
	if (err != ERR_CORRUPT)
		return err;
	return scan_refuse(scan, "it claims blocks that belong to somebody else");
}

/* Everything about one inode; its blocks are marked. */
static err_t scan_inode(struct scan *scan, const struct pmfs_inode *inode)
{
	struct tree_visitor visitor = { .visit = scan_mark, .context = scan };
	const char *wrong = inode_wrong(scan->fs, inode);

	if (wrong != NULL)
		return scan_refuse(scan, wrong);
	if (inode->type == PMFS_FREE)
		return OK;
	scan->found_blocks = 0;
	err_t err = tree_walk(scan->fs, scan->number, inode, &visitor);
	if (err != OK)
		return visitor.reason != NULL ? scan_refuse(scan, visitor.reason) : err;
	return scan->found_blocks == inode->blocks ? OK : scan_refuse(scan, "its block count is wrong");
}

/* C7. The fence is state_write's. */
static void slot_write_back(const struct scan *scan, const struct pmfs_inode_slot *slot)
{
	if (scan->fs->unclean)
		pm_write_back(&scan->fs->pm, slot, sizeof(*slot));
}

/* One inode of the table. What is wrong with it ends the mount, unless all damage is wanted. */
static err_t scan_slot(struct scan *scan)
{
	struct pmfs *fs = scan->fs;
	const struct pmfs_inode_slot *slot = inode_slot(fs, scan->number);
	uint8_t copy;
	err_t err = inode_slot_pick(scan->number, slot, fs->unclean, &copy);

	slot_write_back(scan, slot);
	if (err != OK)
		err = scan_refuse(scan, "its checksum is wrong");
	else
		err = scan_inode(scan, &slot->copy[copy]);
	if (err != ERR_CORRUPT || fs->options.damage == NULL)
		return err;
	fs->options.damage(scan->reason);
	scan->reason[0] = 0;
	return OK;
}

static err_t scan_table(struct scan *scan)
{
	struct pmfs *fs = scan->fs;
	const uint64_t end = atomic_load(&fs->table_blocks) * PMFS_INODES_PER_BLOCK;

	for (uint64_t number = PMFS_INODE_ROOT; number < end; number++) {
		scan->number = number;
		err_t err = scan_slot(scan);
		if (err != OK)
			return err;
	}
	if (fs->options.damage != NULL)
		return OK; /* no new inode is wanted */
	for (uint64_t number = end; number-- > PMFS_INODE_ROOT + 1;) { /* the lowest comes off the pool first */
		const struct pmfs_inode_slot *slot = inode_slot(fs, number);
		uint8_t copy;
		err_t err = inode_slot_pick(number, slot, fs->unclean, &copy);
		if (err == OK && slot->copy[copy].type == PMFS_FREE)
			err = inode_number_free(fs, number);
		if (err != OK)
			return err;
	}
	return OK;
}

/* --- mending --- */

static void slot_mend(struct scan *scan, struct pmfs_inode_slot *slot, uint64_t number)
{
	struct pmem *pm = &scan->fs->pm;
	uint8_t copy;

	if (inode_slot_pick(number, slot, false, &copy) == OK || inode_slot_pick(number, slot, true, &copy) != OK)
		return;
	const struct pmfs_inode good = slot->copy[copy];
	pm_store(pm, &slot->copy[!copy], &good, sizeof(good));
	pm_write_back(pm, &slot->copy[!copy], sizeof(good));
	pm_fence(pm);
	scan->mended++;
}

/* F6: what lies past the size cannot be cleared, and is zero; nothing leaves it otherwise. */
static err_t tail_check(struct scan *scan, struct inode *inode)
{
	const uint64_t size = inode->now.size, into = size % PMFS_BLOCK;
	uint64_t at, run;
	bool shared;

	if (into == 0)
		return OK;
	err_t err = file_run_to_store(inode, NULL, &inode->now, size, &at, &run, &shared);
	if (err != OK || at == 0 || !shared || pm_is_zero(scan->fs->pm.base + at, PMFS_BLOCK - into))
		return err;
	return scan_refuse(scan, "bytes behind its end lie in a block that is another's too");
}

/* F1, F3 and F5 of a file, or the end of one that has no name. */
static err_t inode_mend(struct scan *scan, struct inode *inode)
{
	struct pmfs *fs = scan->fs;
	const struct pmfs_inode *now = &inode->now;
	const uint64_t number = inode->number, into = now->size % PMFS_BLOCK;
	struct tree_hit hit;

	if (now->links == 0 || (now->type == PMFS_ATTRIBUTES && xattr_is_lost(fs, number, now))) {
		scan->mended++;
		inode_destroy(inode);
		return inode_number_free(fs, number);
	}
	if (now->type != PMFS_FILE)
		return OK;
	err_t err = tail_check(scan, inode);
	if (err != OK || now->flags & PMFS_INODE_KEPT)
		return err == OK ? file_past_clear(inode, &scan->mended) : err;
	err = tree_drop_from(inode, (uint32_t)((now->size + PMFS_BLOCK - 1) / PMFS_BLOCK));
	if (err != OK || into == 0)
		return err;
	const uint32_t last = (uint32_t)(now->size / PMFS_BLOCK);
	err = tree_lookup(fs, NULL, number, now, last, &hit);
	if (err != OK || !hit.has_at || last - hit.at.logical >= hit.at.count)
		return err;
	uint8_t *tail = (uint8_t *)block_at(fs, extent_block(&hit.at) + last - hit.at.logical) + into;
	pm_write_back(&fs->pm, tail, PMFS_BLOCK - into); /* C7: zeroes, too */
	for (uint64_t i = 0; i < PMFS_BLOCK - into; i++) {
		if (tail[i] == 0)
			continue;
		pm_zero_nt(&fs->pm, tail, PMFS_BLOCK - into);
		scan->mended++;
		break;
	}
	return OK;
}

static err_t mend_all(struct scan *scan)
{
	struct pmfs *fs = scan->fs;
	const uint64_t end = atomic_load(&fs->table_blocks) * PMFS_INODES_PER_BLOCK;

	if (!super_copy_good(&fs->pm, 0, &fs->super) || !super_copy_good(&fs->pm, 1, &fs->super)) {
		super_mend(&fs->pm, &fs->super);
		pmfs_log(fs, "one copy of the superblock was damaged; it is mended");
		scan->mended++;
	}
	if (!fs->scanned)
		return OK; /* an inode is checked when it is used first */
	slot_mend(scan, inode_slot(fs, PMFS_INODE_TABLE), PMFS_INODE_TABLE);
	for (uint64_t number = PMFS_INODE_ROOT; number < end; number++) {
		struct pmfs_inode_slot *slot = inode_slot(fs, number);
		uint8_t copy;
		scan->number = number;
		slot_mend(scan, slot, number);
		if (inode_slot_pick(number, slot, false, &copy) != OK)
			return ERR_CORRUPT;
		const struct pmfs_inode *now = &slot->copy[copy];
		if (now->type == PMFS_FREE || (!fs->unclean && now->links != 0))
			continue;
		struct inode inode = { .number = number, .fs = fs, .slot = slot, .now = *now, .copy = copy };
		err_t err = inode_mend(scan, &inode);
		if (inode.late_ticket != 0)
			journal_settle_all(fs); /* else a journal knows it still; and what follows is read from media */
		if (err != OK)
			return err;
	}
	pm_fence(&fs->pm);
	return OK;
}

/* --- mount --- */

/* The table's own inode lies in the anchor; it changes alone, so no journal speaks of it. */
static err_t table_open(struct pmfs *fs, struct scan *scan)
{
	struct pmfs_inode_slot *slot = inode_slot(fs, PMFS_INODE_TABLE);
	uint8_t copy;

	scan->number = PMFS_INODE_TABLE;
	slot_write_back(scan, slot);
	if (inode_slot_pick(PMFS_INODE_TABLE, slot, fs->unclean, &copy) != OK)
		return scan_refuse(scan, "its checksum is wrong");
	struct inode *inode = calloc(1, sizeof(*inode));
	if (inode == NULL)
		return ERR_NO_MEMORY;
	pthread_rwlock_init(&inode->lock, NULL);
	inode->number = PMFS_INODE_TABLE;
	inode->fs = fs;
	inode->slot = slot;
	inode->now = slot->copy[copy];
	inode->type = inode->now.type;
	inode->copy = copy;
	inode->refs = 1;
	inode->bucket = inode_bucket(fs, PMFS_INODE_TABLE);
	inode->next = inode->bucket->first;
	inode->bucket->first = inode;
	fs->table_inode = inode;
	err_t err = scan_inode(scan, &inode->now);
	if (err == OK)
		err = inode_table_learn(fs);
	return err == ERR_CORRUPT && scan->reason[0] == 0 ? scan_refuse(scan, "the inode table is incomplete") : err;
}

static err_t mount_checked(struct pmfs *fs, struct scan *scan)
{
	uint32_t state = 0, replayed = 0;
	const bool state_good = state_read(&fs->pm, &state);

	fs->unclean = !state_good || !(state & PMFS_STATE_CLEAN);
	fs->state = (state | PMFS_STATE_CLEAN) + 1; /* one mount more, not clean */
	journal_begin(fs);
	fs->scanned = fs->unclean || fs->options.scan || fs->options.damage != NULL || !summary_good(fs, state);
	err_t err = space_init(&fs->space, fs->super.first_data_block, fs->super.blocks, fs->cpus);
	if (err == OK)
		err = name_cache_init(fs);
	if (err == OK)
		err = table_open(fs, scan);
	if (err == OK && fs->unclean) {
		err = journal_replay(fs, &replayed);
		if (err == ERR_CORRUPT)
			snprintf(scan->reason, PMFS_REASON_BYTES, "a journal speaks of inodes that do not exist");
	}
	if (err == OK)
		err = fs->scanned ? scan_table(scan) : summary_load(fs);
	if (err != OK)
		return err;
	space_ready(&fs->space);
	if (fs->options.damage == NULL) {
		state_write(&fs->pm, fs->state);
		err = mend_all(scan);
	}
	if (err == OK)
		err = inode_get(fs, PMFS_INODE_ROOT, &fs->root);
	if (err == OK && fs->root->type != PMFS_DIRECTORY)
		err = ERR_CORRUPT;
	if (err == ERR_CORRUPT && scan->reason[0] == 0)
		snprintf(scan->reason, PMFS_REASON_BYTES, "there is no root directory");
	if (fs->unclean)
		pmfs_log(fs, "the last shutdown was not clean: %u changes completed, %llu places mended", replayed,
				(unsigned long long)scan->mended);
	return err;
}

err_t pmfs_mount(void *base, uint64_t bytes, const struct pmfs_options *options, struct pmfs **out,
		char reason[PMFS_REASON_BYTES])
{
	struct pmfs *fs;
	struct pmfs_super super;
	err_t error, err;

	reason[0] = 0;
	enum super_verdict verdict = super_examine(base, bytes, &super, &error, reason);
	if (verdict == SUPER_BAD && (!options->format || bytes < PMFS_BYTES_MIN))
		return error;
	const bool format = options->format || verdict == SUPER_BLANK;
	if (format && !options->format && options->keep_blank) {
		snprintf(reason, PMFS_REASON_BYTES, "the media is blank");
		return ERR_BAD_FORMAT;
	}
	err = fs_new(options, &fs);
	if (err != OK)
		return err;
	pm_init(&fs->pm, base, bytes);
	if (format) {
		super_format(&fs->pm, options->seed);
		if (super_examine(base, bytes, &super, &error, reason) != SUPER_GOOD) {
			pmfs_abandon(fs);
			return ERR_IO;
		}
		pmfs_log(fs, "formatted %llu MiB", (unsigned long long)(bytes >> 20));
	}
	reason[0] = 0;
	fs->super = super;
	struct scan scan = { .fs = fs, .reason = reason };
	err = mount_checked(fs, &scan);
	if (err != OK) {
		if (reason[0] == 0)
			snprintf(reason, PMFS_REASON_BYTES, err == ERR_NO_MEMORY ? "there is not enough memory to mount it"
					: "it cannot be mended (error %d)", (int)err);
		pmfs_abandon(fs);
		return err;
	}
	*out = fs;
	return OK;
}

err_t pmfs_unmount(struct pmfs *fs)
{
	if (inode_any_open(fs))
		return ERR_BUSY;
	err_t err = pmfs_sync(fs, fs->root);
	if (err != OK)
		return err;
	inode_spares_end(fs);
	journal_settle_all(fs);
	summary_write(fs, fs->state | PMFS_STATE_CLEAN);
	state_write(&fs->pm, fs->state | PMFS_STATE_CLEAN);
	pmfs_abandon(fs);
	return OK;
}

/* --- small questions --- */

bool pmfs_was_unclean(const struct pmfs *fs)
{
	return fs->unclean;
}

bool pmfs_was_scanned(const struct pmfs *fs)
{
	return fs->scanned;
}

uint64_t pmfs_blocks_free(struct pmfs *fs)
{
	return space_count_free(&fs->space);
}

void pmfs_statfs(struct pmfs *fs, struct fs_statfs *out)
{
	const uint64_t free_blocks = space_count_free(&fs->space);
	const uint64_t slots = atomic_load(&fs->table_blocks) * PMFS_INODES_PER_BLOCK;
	const uint64_t used = inodes_used(fs);

	*out = (struct fs_statfs) {
		.block_size = PMFS_BLOCK,
		.blocks = fs->super.blocks - fs->super.first_data_block,
		.blocks_free = free_blocks,
		.inodes = slots + free_blocks * PMFS_INODES_PER_BLOCK,
		.inodes_free = slots + free_blocks * PMFS_INODES_PER_BLOCK - used,
		.unclean = fs->unclean,
		.type = "pmfs",
	};
}

static err_t sync_bucket(struct pmfs *fs, struct inode_bucket *bucket)
{
	err_t err = OK;

	for (uint32_t skip = 0; err == OK; skip++) {
		uint32_t at = 0;
		pthread_mutex_lock(&bucket->lock);
		struct inode *inode = bucket->first;
		while (inode != NULL && (inode->refs == 0 || at++ < skip)) /* idle ones have nothing to write */
			inode = inode->next;
		if (inode != NULL)
			inode_refs_add(inode, 1);
		pthread_mutex_unlock(&bucket->lock);
		if (inode == NULL)
			return OK;
		err = pmfs_sync(fs, inode);
		inode_put(inode);
	}
	return err;
}

err_t pmfs_sync_all(struct pmfs *fs)
{
	err_t err = OK;

	for (uint32_t i = 0; i < INODE_BUCKETS && err == OK; i++)
		err = sync_bucket(fs, &fs->bucket[i]);
	return err;
}

void pmfs_close(struct pmfs *fs, struct inode *inode)
{
	(void)fs;
	inode_put(inode);
}

void pmfs_hold(struct pmfs *fs, struct inode *inode)
{
	(void)fs;
	inode_hold(inode);
}

uint64_t pmfs_number(const struct inode *inode)
{
	return inode->number;
}

uint32_t pmfs_type_of(const struct inode *inode)
{
	return inode->type;
}

uint64_t pmfs_size(struct inode *inode)
{
	inode_lock_read(inode);
	const uint64_t size = inode->now.size;
	inode_unlock(inode);
	return size;
}

void pmfs_watched(struct pmfs *fs, int32_t more)
{
	atomic_fetch_add(&fs->watched, (uint32_t)more);
}

bool pmfs_is_unlinked(struct inode *inode)
{
	inode_lock_read(inode);
	const bool unlinked = inode->now.links == 0;
	inode_unlock(inode);
	return unlinked;
}

uint32_t pmfs_opens(struct inode *inode)
{
	return atomic_load(&inode->opens);
}

bool pmfs_close_counted(struct inode *inode)
{
	if (unlikely(atomic_fetch_sub(&inode->opens, 1) == 1 && atomic_load(&inode->lease) != NULL))
		return false;
	inode_put(inode);
	return true;
}

void *pmfs_lease_get(struct inode *inode)
{
	return atomic_load(&inode->lease);
}

void pmfs_lease_set(struct inode *inode, void *lease)
{
	inode_lock_write(inode);
	inode_settle(inode); /* clients store where they like */
	atomic_store(&inode->lease, lease);
	inode_publish(inode);
	inode_unlock(inode);
}
