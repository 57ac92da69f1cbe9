/* SPDX-License-Identifier: BSD-2-Clause */
/* inode.c - inodes on media and in use; the inode table and its free numbers. See inode.h. */
#include "inode.h"
#include "change.h"
#include "crc32c.h"
#include "extent_tree.h"
#include "stores.h"
#include "xattr.h"

#include <stdlib.h>
#include <string.h>

#define BLOCKS_CLAIMED_MAX (2ull * FILE_BLOCKS_MAX) /* a file may have the same ones several times */

/* --- on media --- */

uint32_t inode_crc(uint64_t number, const struct pmfs_inode *inode)
{
	return crc32c(crc32c(0, &number, sizeof(number)), (const uint8_t *)inode + 4, sizeof(*inode) - 4);
}

bool inode_copy_good(uint64_t number, const struct pmfs_inode *copy)
{
	static const struct pmfs_inode never_used;

	return copy->version == 0 ? memcmp(copy, &never_used, sizeof(never_used)) == 0
			: copy->crc == inode_crc(number, copy);
}

struct pmfs_inode_slot *inode_slot(const struct pmfs *fs, uint64_t number)
{
	const uint64_t block = number / PMFS_INODES_PER_BLOCK;

	if (number == PMFS_INODE_TABLE)
		return block_at(fs, PMFS_ANCHOR_BLOCK);
	if (number == 0 || block >= atomic_load(&fs->table_blocks))
		return NULL;
	const uint64_t *chunk = atomic_load(&fs->table[block / TABLE_CHUNK_BLOCKS]);
	struct pmfs_inode_slot *slots = block_at(fs, chunk[block % TABLE_CHUNK_BLOCKS]);
	return &slots[number % PMFS_INODES_PER_BLOCK];
}

err_t inode_slot_pick(uint64_t number, const struct pmfs_inode_slot *slot, bool torn, uint8_t *copy)
{
	const bool good0 = inode_copy_good(number, &slot->copy[0]);
	const bool good1 = inode_copy_good(number, &slot->copy[1]);

	if ((!good0 || !good1) && (!torn || (!good0 && !good1)))
		return ERR_CORRUPT;
	*copy = !good0 || (good1 && slot->copy[1].version > slot->copy[0].version);
	return OK;
}

const char *inode_wrong(const struct pmfs *fs, const struct pmfs_inode *inode)
{
	if (inode->type > PMFS_ATTRIBUTES)
		return "its type is unknown";
	if (inode->type == PMFS_FREE)
		return NULL;
	if (inode->blocks > (inode->type == PMFS_FILE ? BLOCKS_CLAIMED_MAX : fs->super.blocks))
		return "it claims more blocks than there are";
	if (inode->type == PMFS_SYMLINK && (inode->size == 0 || inode->size > FS_PATH_BYTES_MAX))
		return "a symbolic link's length is out of range";
	if (inode->flags & PMFS_INODE_INLINE)
		return inode->type != PMFS_SYMLINK || inode->size > PMFS_TARGET_INLINE ? "an inline target is too long" : NULL;
	if (inode->entries > PMFS_EXTENTS_INLINE || inode->levels > TREE_LEVELS_MAX)
		return "its tree's root is out of range";
	if (inode->type == PMFS_FILE && inode->size > FILE_BYTES_MAX)
		return "its size is out of range";
	return NULL;
}

/* --- in use --- */

/* Zeroed. *locked: it is memory of an inode that was; somebody may be looking whose it is, until it is unlocked. The
 * bucket is locked. */
static struct inode *inode_memory(struct inode_bucket *bucket, bool *locked)
{
	const size_t before = offsetof(struct inode, lock), after = before + sizeof(pthread_rwlock_t);
	struct inode *inode = bucket->spare;

	*locked = inode != NULL && pthread_rwlock_trywrlock(&inode->lock) == 0;
	if (*locked) {
		bucket->spare = inode->next;
		memset(inode, 0, before);
		memset((char *)inode + after, 0, sizeof(*inode) - after);
		return inode;
	}
	inode = calloc(1, sizeof(*inode));
	if (inode != NULL)
		pthread_rwlock_init(&inode->lock, NULL);
	return inode;
}

static struct inode *inode_new(struct pmfs *fs, uint64_t number, struct pmfs_inode_slot *slot, uint8_t copy)
{
	struct inode_bucket *bucket = inode_bucket(fs, number);
	bool locked;
	struct inode *inode = inode_memory(bucket, &locked);

	if (inode == NULL)
		return NULL;
	inode->number = number;
	inode->fs = fs;
	inode->bucket = bucket;
	inode->slot = slot;
	inode->now = slot->copy[copy];
	inode->type = inode->now.type;
	inode->copy = copy;
	inode->left_in_caches = fs->unclean && inode->type == PMFS_FILE;
	if (inode->type == PMFS_DIRECTORY)
		inode_reshape(inode);
	if (locked)
		inode_unlock(inode);
	return inode;
}

static void inodes_delete(struct inode **list)
{
	while (*list != NULL) {
		struct inode *inode = *list;
		*list = inode->next;
		pthread_rwlock_destroy(&inode->lock);
		stores_free(inode->stores);
		free(inode);
	}
}

/* Reads it from media and puts it into its bucket, which is locked; idle. */
static err_t inode_load(struct pmfs *fs, uint64_t number, struct inode **out)
{
	struct inode_bucket *bucket = inode_bucket(fs, number);
	struct pmfs_inode_slot *slot = inode_slot(fs, number);
	uint8_t copy;

	if (slot == NULL)
		return ERR_CORRUPT;
	err_t err = inode_slot_pick(number, slot, false, &copy);
	if (err != OK)
		return err;
	const struct pmfs_inode *now = &slot->copy[copy];
	if (inode_wrong(fs, now) != NULL || tree_check(fs, number, now) != OK)
		return ERR_CORRUPT;
	struct inode *inode = inode_new(fs, number, slot, copy);
	if (inode == NULL)
		return ERR_NO_MEMORY;
	inode->next = bucket->first;
	bucket->first = inode;
	bucket->idle++;
	inode_lately_put(inode);
	*out = inode;
	return OK;
}

/* A reference on the inode of that number, which has to be free or not to be. */
static err_t inode_find(struct pmfs *fs, uint64_t number, bool want_free, struct inode **out)
{
	struct inode_bucket *bucket = inode_bucket(fs, number);
	struct inode *inode;
	err_t err = OK;

	pthread_mutex_lock(&bucket->lock);
	for (inode = bucket->first; inode != NULL && inode->number != number; inode = inode->next)
		;
	if (unlikely(inode == NULL))
		err = inode_load(fs, number, &inode);
	if (err == OK && unlikely((inode->type == PMFS_FREE) != want_free ||
			(inode->refs == 0 && !want_free && inode->now.links == 0)))
		err = ERR_CORRUPT;
	if (err == OK) {
		if (inode_refs_add(inode, 1) == 1)
			bucket->idle--;
		*out = inode;
	}
	pthread_mutex_unlock(&bucket->lock);
	return err;
}

err_t inode_get(struct pmfs *fs, uint64_t number, struct inode **out)
{
	struct inode *inode;
	err_t err = inode_find(fs, number, false, &inode);

	if (err == OK && unlikely(inode->type == PMFS_ATTRIBUTES)) {
		inode_put(inode);
		err = ERR_CORRUPT;
	}
	if (err == OK)
		*out = inode;
	return err;
}

err_t inode_get_attributes(struct pmfs *fs, uint64_t number, uint64_t owner, struct inode **out)
{
	struct inode *inode;
	err_t err = inode_find(fs, number, false, &inode);

	if (err == OK && (inode->type != PMFS_ATTRIBUTES || inode->now.parent != owner)) {
		inode_put(inode);
		err = ERR_CORRUPT;
	}
	if (err == OK)
		*out = inode;
	return err;
}

bool inode_is_alone(struct inode *inode)
{
	return atomic_load(&inode->refs) == 1;
}

err_t inode_flush_times(struct inode *inode)
{
	struct change c;

	if (!inode->times_dirty)
		return OK;
	change_begin(&c, inode->fs, false);
	change_inode(&c, inode);
	change_commit(&c);
	return OK;
}

/* Too many idle ones: the one that was read first goes, before it can be read again: nobody would know any more what
 * is still late. The bucket is locked. */
static void idle_take_out(struct inode_bucket *bucket)
{
	struct inode **link, **last = NULL;

	for (link = &bucket->first; *link != NULL; link = &(*link)->next)
		if ((*link)->refs == 0)
			last = link;
	if (last == NULL || pthread_rwlock_trywrlock(&(*last)->lock) != 0)
		return; /* somebody is looking whose it is: another time */
	struct inode *inode = *last;
	*last = inode->next;
	bucket->idle--;
	inode_settle(inode);
	inode->number = INODE_SPARE;
	inode_unlock(inode);
	inode->next = bucket->spare;
	bucket->spare = inode;
}

/* The last reference on a free inode goes to this CPU's pool, if that has none. */
static bool spare_put(struct inode *inode)
{
	struct inode_pool *pool = &inode->fs->pool[pmfs_cpu(inode->fs)];

	pthread_mutex_lock(&pool->lock);
	const bool put = pool->spare == NULL;
	if (put)
		pool->spare = inode;
	pthread_mutex_unlock(&pool->lock);
	return put;
}

/* Drop a reference unless it is the last and there is something to write first: false. *freed: the
 * inode is free and its number can be given out. */
static bool inode_drop(struct inode *inode, bool *freed)
{
	struct inode_bucket *bucket = inode->bucket;
	bool done = true;

	pthread_mutex_lock(&bucket->lock);
	if (inode->refs > 1) {
		inode_refs_add(inode, -1u);
	} else if (inode->type == PMFS_FREE && spare_put(inode)) {
		; /* the reference is the pool's now */
	} else if (inode->type == PMFS_FREE || (inode->now.links != 0 && !inode->times_dirty)) {
		*freed = inode->type == PMFS_FREE;
		inode_refs_add(inode, -1u);
		if (++bucket->idle > INODE_IDLE_MAX)
			idle_take_out(bucket);
	} else {
		done = false;
	}
	pthread_mutex_unlock(&bucket->lock);
	return done;
}

/* The last reference, before it is dropped: late times, or the end of an inode without a name. */
static void inode_finish(struct inode *inode)
{
	inode_lock_write(inode);
	if (inode->now.links == 0) {
		inode_destroy(inode);
	} else if (inode_flush_times(inode) != OK) {
		inode->times_dirty = false;
	}
	inode_unlock(inode);
}

COLD void inode_put_slowly(struct inode *inode)
{
	struct pmfs *fs = inode->fs;
	const uint64_t number = inode->number;
	bool freed = false;

	while (unlikely(!inode_drop(inode, &freed)))
		inode_finish(inode);
	if (freed && inode_number_free(fs, number) != OK)
		pmfs_log(fs, "out of memory: inode %llu rests until the next mount", (unsigned long long)number);
}

bool inode_any_open(struct pmfs *fs)
{
	for (uint32_t i = 0; i < INODE_BUCKETS; i++) {
		struct inode_bucket *bucket = &fs->bucket[i];
		bool any = false;
		pthread_mutex_lock(&bucket->lock);
		for (struct inode *inode = bucket->first; inode != NULL; inode = inode->next)
			any |= inode->type != PMFS_FREE && inode->refs > (inode == fs->root || inode == fs->table_inode);
		pthread_mutex_unlock(&bucket->lock);
		if (any)
			return true;
	}
	return false;
}

void inode_forget_all(struct pmfs *fs)
{
	for (uint32_t i = 0; i < INODE_BUCKETS; i++) {
		inodes_delete(&fs->bucket[i].first);
		inodes_delete(&fs->bucket[i].spare);
	}
}

/* --- free numbers --- */

err_t inode_number_free(struct pmfs *fs, uint64_t number)
{
	struct inode_pool *pool = &fs->pool[pmfs_cpu(fs)];
	err_t err = OK;

	pthread_mutex_lock(&pool->lock);
	if (pool->count == pool->room) {
		uint32_t room = pool->room * 2 + 256;
		uint32_t *numbers = realloc(pool->numbers, room * sizeof(*numbers));
		if (numbers == NULL)
			err = ERR_NO_MEMORY;
		else
			pool->numbers = numbers, pool->room = room;
	}
	if (err == OK)
		pool->numbers[pool->count++] = (uint32_t)number;
	pthread_mutex_unlock(&pool->lock);
	return err;
}

uint64_t inodes_used(struct pmfs *fs)
{
	uint64_t used = atomic_load(&fs->table_blocks) * PMFS_INODES_PER_BLOCK - PMFS_INODE_ROOT;

	for (uint32_t i = 0; i < fs->cpus; i++) {
		struct inode_pool *pool = &fs->pool[i];
		pthread_mutex_lock(&pool->lock);
		used -= pool->count + (pool->spare != NULL);
		pthread_mutex_unlock(&pool->lock);
	}
	return used;
}

/* A spare inode, or else a number. */
static bool pool_take(struct pmfs *fs, struct inode **spare, uint64_t *number)
{
	const uint32_t home = pmfs_cpu(fs);

	for (uint32_t i = 0; i < fs->cpus; i++) {
		struct inode_pool *pool = &fs->pool[(home + i) % fs->cpus];
		bool found = false;
		pthread_mutex_lock(&pool->lock);
		*spare = pool->spare;
		pool->spare = NULL;
		if (*spare != NULL) {
			found = true;
		} else if (pool->count != 0) {
			*number = pool->numbers[--pool->count];
			found = true;
		}
		pthread_mutex_unlock(&pool->lock);
		if (found)
			return true;
	}
	return false;
}

err_t inode_take_free(struct pmfs *fs, struct inode **out)
{
	uint64_t number = 0;

	while (!pool_take(fs, out, &number)) {
		err_t err = inode_table_grow(fs);
		if (err != OK)
			return err;
	}
	if (*out != NULL)
		return OK;
	err_t err = inode_find(fs, number, true, out);
	if (err == ERR_NO_MEMORY && inode_number_free(fs, number) != OK)
		return err; /* the number is lost until the next mount */
	return err;
}

void inode_spares_end(struct pmfs *fs)
{
	for (uint32_t i = 0; i < fs->cpus; i++) {
		struct inode *spare = fs->pool[i].spare;
		fs->pool[i].spare = NULL;
		if (spare != NULL && inode_number_free(fs, spare->number) != OK)
			pmfs_log(fs, "out of memory: inode %llu rests until the next scan", (unsigned long long)spare->number);
	}
}

void inode_free_in(struct change *c, struct inode *inode)
{
	struct pmfs_inode *next = change_inode_new(c, inode);

	c->leaf_goes |= inode->now.type == PMFS_DIRECTORY && inode->now.blocks != 0;
	inode->leaf.leaf = NULL;
	*next = (struct pmfs_inode) { .version = inode->now.version };
}

void inode_release(struct pmfs *fs, uint64_t number, const struct pmfs_inode *last)
{
	if (last == NULL)
		return;
	tree_release(fs, number, last);
	if (unlikely(last->attributes != 0))
		xattr_end(fs, number, last->attributes);
}

void inode_destroy(struct inode *inode)
{
	const struct pmfs_inode last = inode->now;
	struct change c;

	change_begin(&c, inode->fs, true);
	inode_free_in(&c, inode);
	change_commit(&c);
	inode_release(inode->fs, inode->number, &last);
}

/* --- the table --- */

static err_t table_add_block(struct pmfs *fs, uint64_t index, uint64_t block)
{
	if (index >= (uint64_t)TABLE_CHUNKS * TABLE_CHUNK_BLOCKS)
		return ERR_NO_SPACE;
	uint64_t *chunk = atomic_load(&fs->table[index / TABLE_CHUNK_BLOCKS]);
	if (chunk == NULL) {
		chunk = calloc(TABLE_CHUNK_BLOCKS, sizeof(*chunk));
		if (chunk == NULL)
			return ERR_NO_MEMORY;
		atomic_store(&fs->table[index / TABLE_CHUNK_BLOCKS], chunk);
	}
	chunk[index % TABLE_CHUNK_BLOCKS] = block;
	return OK;
}

err_t inode_table_learn(struct pmfs *fs)
{
	const struct pmfs_inode *table = &fs->table_inode->now;
	const uint64_t blocks = table->size / PMFS_BLOCK;

	if (table->type != PMFS_FILE || table->size % PMFS_BLOCK != 0 || blocks == 0 || blocks > table->blocks)
		return ERR_CORRUPT;
	for (uint64_t index = 0; index < blocks;) {
		struct tree_hit hit;
		err_t err = tree_lookup(fs, NULL, fs->table_inode->number, table, (uint32_t)index, &hit);
		if (err != OK)
			return err;
		if (!hit.has_at || index - hit.at.logical >= hit.at.count)
			return ERR_CORRUPT;
		const uint64_t skip = index - hit.at.logical;
		for (uint64_t i = skip; i < hit.at.count && index < blocks; i++) {
			err = table_add_block(fs, index++, hit.at.physical + i);
			if (err != OK)
				return err;
		}
	}
	atomic_store(&fs->table_blocks, blocks);
	return OK;
}

/* New, zeroed blocks at the end of the table. */
static err_t table_extend(struct pmfs *fs, uint64_t *first, uint32_t *count)
{
	struct inode *inode = fs->table_inode;
	uint64_t start;
	struct change c;

	*first = atomic_load(&fs->table_blocks);
	change_begin(&c, fs, false);
	struct pmfs_inode *next = change_inode(&c, inode);
	err_t err = change_alloc(&c, inode, 0, TABLE_GROW_BLOCKS, &start, count);
	if (err == OK)
		err = tree_map(&c, inode, (uint32_t)*first, start, *count);
	for (uint32_t i = 0; i < *count && err == OK; i++)
		err = table_add_block(fs, *first + i, start + i);
	if (err != OK) {
		change_abort(&c);
		return err;
	}
	pm_zero_nt(&fs->pm, block_at(fs, start), (size_t)*count << PMFS_BLOCK_SHIFT);
	c.wrote = true;
	next->size += (uint64_t)*count << PMFS_BLOCK_SHIFT;
	change_commit(&c);
	atomic_store(&fs->table_blocks, *first + *count);
	return OK;
}

err_t inode_table_grow(struct pmfs *fs)
{
	struct inode_pool *pool = &fs->pool[pmfs_cpu(fs)];
	uint64_t first;
	uint32_t count;
	err_t err = OK;

	pthread_mutex_lock(&fs->table_lock);
	pthread_mutex_lock(&pool->lock);
	const bool somebody_did = pool->count != 0 || pool->spare != NULL;
	pthread_mutex_unlock(&pool->lock);
	if (!somebody_did) {
		inode_lock_write(fs->table_inode);
		err = table_extend(fs, &first, &count);
		inode_unlock(fs->table_inode);
		for (uint64_t n = (uint64_t)count * PMFS_INODES_PER_BLOCK; err == OK && n-- != 0;) {
			const uint64_t number = first * PMFS_INODES_PER_BLOCK + n;
			if (number > PMFS_INODE_ROOT)
				err = inode_number_free(fs, number);
		}
	}
	pthread_mutex_unlock(&fs->table_lock);
	return err;
}
