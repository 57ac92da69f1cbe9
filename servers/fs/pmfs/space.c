/* SPDX-License-Identifier: BSD-2-Clause */
/* space.c - the block allocator; see space.h. */
#include "space.h"

#include <stdlib.h>
#include <string.h>

#define GROUP_BLOCKS_MAX 32768u /* 128 MiB */
#define WORD_BITS 64u

static uint32_t group_size(uint64_t blocks, uint32_t cpus)
{
	uint64_t size = blocks / (cpus * 4ull);

	size = (size + SPACE_LARGE - 1) / SPACE_LARGE * SPACE_LARGE;
	if (size < SPACE_LARGE)
		size = SPACE_LARGE;
	return size > GROUP_BLOCKS_MAX ? GROUP_BLOCKS_MAX : (uint32_t)size;
}

err_t space_init(struct space *space, uint64_t first, uint64_t blocks, uint32_t cpus)
{
	memset(space, 0, sizeof(*space));
	space->first = first;
	space->blocks = blocks;
	space->cpus = cpus != 0 ? cpus : 1;
	space->group_blocks = group_size(blocks, space->cpus);
	space->groups = (uint32_t)((blocks + space->group_blocks - 1) / space->group_blocks);
	space->group = aligned_alloc(64, space->groups * sizeof(*space->group));
	if (space->group == NULL)
		return ERR_NO_MEMORY;
	memset(space->group, 0, space->groups * sizeof(*space->group));
	pthread_mutex_init(&space->reserve_lock, NULL);
	for (uint32_t i = 0; i < space->groups; i++) {
		struct space_group *group = &space->group[i];
		uint64_t rest = blocks - (uint64_t)i * space->group_blocks;
		pthread_mutex_init(&group->lock, NULL);
		group->first = (uint64_t)i * space->group_blocks;
		group->blocks = rest < space->group_blocks ? (uint32_t)rest : space->group_blocks;
		group->free = group->blocks;
	}
	space->first = 0;
	err_t err = space_mark(space, 0, first);
	space->first = first;
	if (err != OK)
		space_destroy(space);
	return err;
}

void space_destroy(struct space *space)
{
	for (uint32_t i = 0; space->group != NULL && i < space->groups; i++) {
		free(space->group[i].used);
		free(space->group[i].share);
	}
	free(space->group);
	space->group = NULL;
}

/* The bitmap is made when the first block is taken: a large device costs nothing where it is empty. */
static bool group_ready(struct space_group *group)
{
	if (likely(group->used != NULL))
		return true;
	uint64_t *used = calloc((group->blocks + WORD_BITS - 1) / WORD_BITS, 8);
	if (used == NULL)
		return false;
	if (group->blocks % WORD_BITS != 0) /* what lies past the device is never free */
		used[group->blocks / WORD_BITS] = ~0ull << group->blocks % WORD_BITS;
	group->used = used;
	return true;
}

static bool bit_get(const struct space_group *group, uint32_t bit)
{
	return group->used != NULL && group->used[bit / WORD_BITS] >> bit % WORD_BITS & 1;
}

/* Set or clear [bit, bit + count). */
static void bits_put(struct space_group *group, uint32_t bit, uint32_t count, bool set)
{
	while (count != 0) {
		const uint32_t at = bit % WORD_BITS;
		const uint32_t n = count < WORD_BITS - at ? count : WORD_BITS - at;
		const uint64_t mask = (n == WORD_BITS ? ~0ull : (1ull << n) - 1) << at;
		if (set)
			group->used[bit / WORD_BITS] |= mask;
		else
			group->used[bit / WORD_BITS] &= ~mask;
		bit += n;
		count -= n;
	}
}

/* The first bit in [bit, end) that has the value `used`; `end` if there is none. A group's last word is
 * filled up with used bits. */
static uint32_t bit_find(const struct space_group *group, uint32_t bit, uint32_t end, bool used)
{
	while (bit < end) {
		uint64_t word = group->used[bit / WORD_BITS];
		if (!used)
			word = ~word;
		word >>= bit % WORD_BITS;
		if (word != 0) {
			bit += (uint32_t)__builtin_ctzll(word);
			return bit < end ? bit : end;
		}
		bit = (bit / WORD_BITS + 1) * WORD_BITS;
	}
	return end;
}

bool space_range_is(const struct space_group *group, uint32_t bit, uint32_t count, bool used)
{
	return group->used == NULL ? !used : bit_find(group, bit, bit + count, !used) == bit + count;
}

/* How many blocks are free from `bit` on, which is free; more than `want` are not counted. */
static uint32_t run_at(const struct space_group *group, uint32_t bit, uint32_t want)
{
	const uint32_t room = group->blocks - bit;

	return bit_find(group, bit, bit + (want < room ? want : room), true) - bit;
}

err_t space_mark(struct space *space, uint64_t start, uint64_t count)
{
	if (start < space->first || start >= space->blocks || count > space->blocks - start)
		return ERR_CORRUPT;
	while (count != 0) {
		struct space_group *group = &space->group[start / space->group_blocks];
		const uint32_t bit = (uint32_t)(start - group->first);
		const uint32_t room = group->blocks - bit;
		const uint32_t n = count < room ? (uint32_t)count : room;
		if (!group_ready(group))
			return ERR_NO_MEMORY;
		if (bit_find(group, bit, bit + n, true) < bit + n)
			return ERR_CORRUPT;
		bits_put(group, bit, n, true);
		group->free -= n;
		start += n;
		count -= n;
	}
	return OK;
}

static void group_take(struct space_group *group, uint32_t bit, uint32_t count)
{
	bits_put(group, bit, count, true);
	group->free -= count;
	group->hint = bit + count < group->blocks ? bit + count : 0;
}

/* A wholly free, aligned 2 MiB; false if the group has none. */
static bool group_find_large(const struct space_group *group, uint32_t *bit)
{
	for (uint32_t at = 0; at + SPACE_LARGE <= group->blocks; at += SPACE_LARGE) {
		uint64_t any = 0;
		for (uint32_t word = at / WORD_BITS; word < (at + SPACE_LARGE) / WORD_BITS; word++)
			any |= group->used[word];
		if (any == 0) {
			*bit = at;
			return true;
		}
	}
	return false;
}

/* The first run of `want` at or after the hint, going round; or else the longest. */
static bool group_find(const struct space_group *group, uint32_t want, uint32_t *bit, uint32_t *count)
{
	uint32_t best = 0, from = group->hint;

	for (int round = 0; round < 2; round++) {
		for (uint32_t at = bit_find(group, from, group->blocks, false); at < group->blocks;) {
			const uint32_t run = run_at(group, at, want);
			if (run > best) {
				best = run;
				*bit = at;
				if (best >= want) {
					*count = want;
					return true;
				}
			}
			at = bit_find(group, at + run, group->blocks, false);
		}
		from = 0;
	}
	*count = best;
	return best != 0;
}

static bool group_alloc(struct space_group *group, uint32_t want, uint64_t *start, uint32_t *count)
{
	uint32_t bit, n;
	bool found = false;

	pthread_mutex_lock(&group->lock);
	if (group->free != 0 && group_ready(group)) {
		if (want >= SPACE_LARGE && group_find_large(group, &bit)) {
			n = run_at(group, bit, want);
			found = true;
		} else {
			found = group_find(group, want, &bit, &n);
		}
		if (found) {
			group_take(group, bit, n);
			*start = group->first + bit;
			*count = n;
		}
	}
	pthread_mutex_unlock(&group->lock);
	return found;
}

static bool goal_alloc(struct space *space, uint64_t goal, uint32_t want, uint64_t *start, uint32_t *count)
{
	struct space_group *group = &space->group[goal / space->group_blocks];
	const uint32_t bit = (uint32_t)(goal - group->first);
	uint32_t n = 0;

	pthread_mutex_lock(&group->lock);
	if (group_ready(group) && !bit_get(group, bit)) {
		n = run_at(group, bit, want);
		group_take(group, bit, n);
		*start = goal;
		*count = n;
	}
	pthread_mutex_unlock(&group->lock);
	return n != 0;
}

/* At the start of free 2 MiB. The hint stays: who comes next looks elsewhere first, and what is taken here can grow. */
static bool group_start_large(struct space_group *group, uint32_t want, uint64_t *start, uint32_t *count)
{
	uint32_t bit;
	bool found = false;

	pthread_mutex_lock(&group->lock);
	if (group->free >= SPACE_LARGE && group_ready(group) && group_find_large(group, &bit)) {
		const uint32_t hint = group->hint;
		*count = run_at(group, bit, want);
		group_take(group, bit, *count);
		group->hint = hint;
		*start = group->first + bit;
		found = true;
	}
	pthread_mutex_unlock(&group->lock);
	return found;
}

static bool reserve_take(struct space *space, uint64_t *start)
{
	bool found = false;

	pthread_mutex_lock(&space->reserve_lock);
	if (space->reserve_count != 0) {
		*start = space->reserve[--space->reserve_count];
		found = true;
	}
	pthread_mutex_unlock(&space->reserve_lock);
	return found;
}

err_t space_alloc(struct space *space, uint32_t cpu, uint64_t goal, uint32_t want, bool reserve,
		uint64_t *start, uint32_t *count)
{
	const uint32_t home = (uint32_t)((uint64_t)(cpu % space->cpus) * space->groups / space->cpus);
	const bool large = goal & SPACE_PREFER_LARGE;

	goal &= ~SPACE_PREFER_LARGE;
	for (uint32_t i = 0; large && i < space->groups; i++)
		if (group_start_large(&space->group[(home + i) % space->groups], want, start, count))
			return OK;
	if (goal >= space->first && goal < space->blocks && goal_alloc(space, goal, want, start, count))
		return OK;
	for (uint32_t i = 0; i < space->groups; i++)
		if (group_alloc(&space->group[(home + i) % space->groups], want, start, count))
			return OK;
	if (reserve && reserve_take(space, start)) {
		*count = 1;
		return OK;
	}
	return ERR_NO_SPACE;
}

/* Put freed blocks back into the reserve first. Returns how many went there. */
static uint64_t reserve_fill(struct space *space, uint64_t start, uint64_t count)
{
	uint64_t taken = 0;

	if (__atomic_load_n(&space->reserve_count, __ATOMIC_RELAXED) >= space->reserve_wanted)
		return 0;
	pthread_mutex_lock(&space->reserve_lock);
	while (taken < count && space->reserve_count < space->reserve_wanted)
		space->reserve[space->reserve_count++] = start + taken++;
	pthread_mutex_unlock(&space->reserve_lock);
	return taken;
}

void space_free(struct space *space, uint64_t start, uint64_t count)
{
	if (unlikely(start & PMFS_EXTENT_SHARED)) {
		space_drop(space, start & ~PMFS_EXTENT_SHARED, count);
		return;
	}
	const uint64_t kept = reserve_fill(space, start, count);

	start += kept;
	count -= kept;
	while (count != 0) {
		struct space_group *group = &space->group[start / space->group_blocks];
		const uint32_t bit = (uint32_t)(start - group->first);
		const uint32_t room = group->blocks - bit;
		const uint32_t n = count < room ? (uint32_t)count : room;
		pthread_mutex_lock(&group->lock);
		if (likely(group->used != NULL)) { /* else the media lies about what is in use */
			bits_put(group, bit, n, false);
			group->free += n;
		}
		pthread_mutex_unlock(&group->lock);
		start += n;
		count -= n;
	}
}

void space_ready(struct space *space)
{
	uint64_t wanted = space->blocks / 64;

	space_shares_ready(space);
	wanted = wanted > SPACE_RESERVE ? SPACE_RESERVE : wanted;
	while (space->reserve_count < wanted) {
		uint64_t start;
		uint32_t count;
		if (space_alloc(space, 0, 0, 1, false, &start, &count) != OK)
			break;
		space->reserve[space->reserve_count++] = start;
	}
	space->reserve_wanted = (uint32_t)wanted;
}

uint64_t space_count_free(struct space *space)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < space->groups; i++)
		sum += __atomic_load_n(&space->group[i].free, __ATOMIC_RELAXED);
	return sum;
}

bool space_is_used(struct space *space, uint64_t block)
{
	struct space_group *group = &space->group[block / space->group_blocks];

	pthread_mutex_lock(&group->lock);
	bool used = bit_get(group, (uint32_t)(block - group->first));
	pthread_mutex_unlock(&group->lock);
	return used;
}

/* --- the summary --- */

void space_unready(struct space *space)
{
	const uint32_t count = space->reserve_count;

	space->reserve_wanted = 0;
	space->reserve_count = 0;
	for (uint32_t i = 0; i < count; i++)
		space_free(space, space->reserve[i], 1);
}

/* Groups start at multiples of SPACE_LARGE, so that a word is of one group. */
static struct space_group *group_of(const struct space *space, uint64_t block)
{
	return &space->group[block / space->group_blocks];
}

uint64_t space_word(const struct space *space, uint64_t block)
{
	if (block >= space->blocks)
		return UINT64_MAX;
	const struct space_group *group = group_of(space, block);
	const uint32_t bit = (uint32_t)(block - group->first), rest = group->blocks - bit;
	if (group->used != NULL)
		return group->used[bit / WORD_BITS];
	return rest < WORD_BITS ? ~0ull << rest : 0;
}

err_t space_word_set(struct space *space, uint64_t block, uint64_t used)
{
	if (block >= space->blocks)
		return OK;
	struct space_group *group = group_of(space, block);
	if (!group_ready(group))
		return ERR_NO_MEMORY;
	uint64_t *word = &group->used[(block - group->first) / WORD_BITS];
	used |= *word; /* what space_init has marked stays */
	group->free -= (uint32_t)__builtin_popcountll(used & ~*word);
	*word = used;
	return OK;
}

uint32_t space_free_in(const struct space *space, uint64_t start, uint32_t count)
{
	const uint64_t end = start + count;
	uint32_t free_blocks = 0;

	while (start < end && start < space->blocks) {
		const struct space_group *group = group_of(space, start);
		const uint64_t next = group->first + group->blocks;
		if (start == group->first && next <= end) {
			free_blocks += group->free;
			start = next;
		} else {
			free_blocks += WORD_BITS - (uint32_t)__builtin_popcountll(space_word(space, start));
			start += WORD_BITS;
		}
	}
	return free_blocks;
}

bool space_find_run(const struct space *space, uint64_t want, uint64_t *start)
{
	uint64_t run = 0;

	for (uint64_t block = 0; block < space->blocks; block += WORD_BITS) {
		const uint64_t word = space_word(space, block);
		for (uint32_t bit = 0; bit < WORD_BITS; bit++) {
			run = word >> bit & 1 ? 0 : run + 1;
			if (run == want) {
				*start = block + bit + 1 - want;
				return true;
			}
		}
	}
	return false;
}
