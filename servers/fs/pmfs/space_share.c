/* SPDX-License-Identifier: BSD-2-Clause */
/* space_share.c - how often blocks are claimed that more than one extent claims; see space.h. Each group has a list of
 * such runs, in ascending order. Everything goes piece by piece: a piece lies in one run of a list, or in the gap
 * between two, and so all of it has the same number of claims. A clone costs a piece for each extent and group, however
 * many blocks those have. */
#include "space.h"

#include <stdlib.h>
#include <string.h>

#define PIECES 3 /* that one run can be cut into */

struct piece {
	struct space_group *group;
	uint32_t at;     /* the run in which it lies, or before which */
	uint32_t first;
	uint32_t blocks;
	uint32_t claims; /* 0: in no run */
};

/* The first run of the group that ends behind `bit`. */
static uint32_t share_find(const struct space_group *group, uint32_t bit)
{
	uint32_t low = 0, high = group->shares;

	while (low < high) {
		const uint32_t middle = (low + high) / 2;
		if (group->share[middle].first + group->share[middle].blocks <= bit)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* What lies at `start`, at most `count` blocks of it. Its group is locked, or there is one thread. */
static struct piece piece_at(struct space_group *group, uint64_t start, uint64_t count)
{
	const uint32_t bit = (uint32_t)(start - group->first), room = group->blocks - bit;
	struct piece p = { .group = group, .at = share_find(group, bit), .first = bit };
	uint32_t end = bit + (count < room ? (uint32_t)count : room);

	if (p.at < group->shares) {
		const struct space_share *run = &group->share[p.at];
		const bool inside = run->first <= bit;
		const uint32_t edge = inside ? run->first + run->blocks : run->first;
		p.claims = inside ? run->claims : 0;
		end = edge < end ? edge : end;
	}
	p.blocks = end - bit;
	return p;
}

static bool room_make(struct space_group *group)
{
	if (group->shares + PIECES <= group->shares_room)
		return true;
	const uint32_t room = group->shares_room * 2 + 16;
	struct space_share *share = realloc(group->share, room * sizeof(*share));
	if (share == NULL)
		return false;
	group->share = share;
	group->shares_room = room;
	return true;
}

static void list_close(struct space_group *group, uint32_t at)
{
	group->shares--;
	memmove(&group->share[at], &group->share[at + 1], (group->shares - at) * sizeof(*group->share));
}

/* The runs from `at` on, `count` of them and their neighbours: those that touch and have the same claims are one. */
static void list_join(struct space_group *group, uint32_t at, uint32_t count)
{
	uint32_t last = at + count < group->shares ? at + count : group->shares - 1;

	for (uint32_t i = at != 0 ? at - 1 : 0; group->shares != 0 && i < last;) {
		struct space_share *run = &group->share[i];
		if (run[0].first + run[0].blocks != run[1].first || run[0].claims != run[1].claims) {
			i++;
			continue;
		}
		run[0].blocks += run[1].blocks;
		list_close(group, i + 1);
		last--;
	}
}

/* The piece gets so many claims; 0: it is in no run. False: no memory, nothing has happened. */
static bool piece_put(const struct piece *p, uint32_t claims)
{
	struct space_group *group = p->group;
	struct space_share now[PIECES] = { { 0 } };
	uint32_t count = 0;

	if (!room_make(group))
		return false;
	if (p->claims != 0) {
		const struct space_share run = group->share[p->at];
		const uint32_t end = run.first + run.blocks, after = p->first + p->blocks;
		if (run.first < p->first)
			now[count++] = (struct space_share) { run.first, p->first - run.first, run.claims };
		if (claims != 0)
			now[count++] = (struct space_share) { p->first, p->blocks, claims };
		if (after < end)
			now[count++] = (struct space_share) { after, end - after, run.claims };
		list_close(group, p->at);
	} else if (claims != 0) {
		now[count++] = (struct space_share) { p->first, p->blocks, claims };
	}
	memmove(&group->share[p->at + count], &group->share[p->at], (group->shares - p->at) * sizeof(*group->share));
	memcpy(&group->share[p->at], now, count * sizeof(*now));
	group->shares += count;
	list_join(group, p->at, count);
	return true;
}

static struct space_group *group_of(const struct space *space, uint64_t block)
{
	return &space->group[block / space->group_blocks];
}

err_t space_share(struct space *space, uint64_t start, uint64_t count)
{
	const uint64_t first = start;

	while (count != 0) {
		struct space_group *group = group_of(space, start);
		pthread_mutex_lock(&group->lock);
		const struct piece p = piece_at(group, start, count);
		const bool good = p.claims != UINT32_MAX && piece_put(&p, p.claims != 0 ? p.claims + 1 : 2);
		pthread_mutex_unlock(&group->lock);
		if (!good) {
			space_drop(space, first, start - first);
			return ERR_NO_MEMORY;
		}
		start += p.blocks;
		count -= p.blocks;
	}
	return OK;
}

void space_drop(struct space *space, uint64_t start, uint64_t count)
{
	while (count != 0) {
		struct space_group *group = group_of(space, start);
		pthread_mutex_lock(&group->lock);
		const struct piece p = piece_at(group, start, count);
		if (p.claims != 0)
			(void)piece_put(&p, p.claims > 2 ? p.claims - 1 : 0);
		pthread_mutex_unlock(&group->lock);
		if (p.claims == 0) /* it was the last: nobody else can get at them */
			space_free(space, start, p.blocks);
		start += p.blocks;
		count -= p.blocks;
	}
}

bool space_is_shared(struct space *space, uint64_t block, uint64_t *count)
{
	struct space_group *group = group_of(space, block);

	pthread_mutex_lock(&group->lock);
	const struct piece p = piece_at(group, block, *count);
	const bool shared = p.claims > 1;
	uint64_t alike = p.blocks;
	for (struct piece next = p; alike < *count;) { /* other claims, the same answer */
		if (next.first + next.blocks == group->blocks)
			break;
		next = piece_at(group, block + alike, *count - alike);
		if ((next.claims > 1) != shared)
			break;
		alike += next.blocks;
	}
	pthread_mutex_unlock(&group->lock);
	*count = alike;
	return shared;
}

/* --- mounting and unmounting: one thread --- */

err_t space_claim(struct space *space, uint64_t start, uint64_t count)
{
	if (start < space->first || start >= space->blocks || count > space->blocks - start)
		return ERR_CORRUPT;
	while (count != 0) {
		const struct piece p = piece_at(group_of(space, start), start, count);
		err_t err = p.claims == 0 ? space_mark(space, start, p.blocks) : OK;
		if (err != OK || p.claims == UINT32_MAX)
			return err != OK ? err : ERR_CORRUPT;
		if (!piece_put(&p, p.claims + 1))
			return ERR_NO_MEMORY;
		start += p.blocks;
		count -= p.blocks;
	}
	return OK;
}

void space_shares_ready(struct space *space)
{
	for (uint32_t i = 0; i < space->groups; i++) {
		struct space_group *group = &space->group[i];
		uint32_t kept = 0;
		for (uint32_t k = 0; k < group->shares; k++)
			if (group->share[k].claims > 1)
				group->share[kept++] = group->share[k];
		group->shares = kept;
	}
}

bool space_next_share(const struct space *space, uint64_t block, struct pmfs_summary_share *out)
{
	for (; block < space->blocks; block = group_of(space, block)->first + space->group_blocks) {
		const struct space_group *group = group_of(space, block);
		const uint32_t at = share_find(group, (uint32_t)(block - group->first));
		if (at == group->shares)
			continue;
		const struct space_share *run = &group->share[at];
		*out = (struct pmfs_summary_share) { group->first + run->first, run->blocks, run->claims };
		return true;
	}
	return false;
}

err_t space_share_set(struct space *space, const struct pmfs_summary_share *share)
{
	uint64_t start = share->block, count = share->blocks;

	if (start < space->first || start >= space->blocks || count > space->blocks - start || share->claims < 2)
		return ERR_CORRUPT;
	while (count != 0) {
		const struct piece p = piece_at(group_of(space, start), start, count);
		if (p.claims != 0 || !space_range_is(p.group, p.first, p.blocks, true))
			return ERR_CORRUPT;
		if (!piece_put(&p, share->claims))
			return ERR_NO_MEMORY;
		start += p.blocks;
		count -= p.blocks;
	}
	return OK;
}
