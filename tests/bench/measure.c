/* SPDX-License-Identifier: BSD-2-Clause */
/* measure.c - running one row. */
#include "bench.h"

#include <stdio.h>
#include <string.h>

#define REPETITIONS 5
#define REPETITIONS_QUICK 3
#define REPETITION_MIN_NS 5000000u /* by the clock: a repetition shorter than this is made longer, if the row can be */
#define COUNT_GROWTH_MAX 64

bool bench_fail(struct bench *b, const char *what, int error)
{
	if (error)
		snprintf(b->reason, sizeof b->reason, "%s: %s", what, strerror(error));
	else
		snprintf(b->reason, sizeof b->reason, "%s", what);
	return false;
}

bool bench_path(struct bench *b, const char *name)
{
	int length = snprintf(b->path, sizeof b->path, "%s/%s", b->directory, name);
	return length < (int)sizeof b->path || bench_fail(b, "the directory's path is too long", 0);
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t bench_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* Ticks of one repetition, less the clock's. */
static bool repeat_once(struct bench *b, const struct row *row, uint64_t count, uint64_t *ticks)
{
	b->prepared = count;
	b->moved = 0;
	if (row->prepare && !row->prepare(b, count))
		return false;
	uint64_t start = clock_ticks(b);
	bool good = row->body(b, count);
	uint64_t end = clock_ticks(b);
	if (!good || (row->check && !row->check(b, count)))
		return false;
	*ticks = end - start > b->clock_ticks ? end - start - b->clock_ticks : 0;
	return true;
}

/* By the clock a repetition has to be long enough; rows whose repetition changes with the count
 * say so by count 1. */
static bool settle_count(struct bench *b, const struct row *row, uint64_t *count)
{
	uint64_t ticks, limit = *count * COUNT_GROWTH_MAX;
	if (!repeat_once(b, row, *count, &ticks)) /* also warms up */
		return false;
	while (!b->exact && *count > 1 && ticks < REPETITION_MIN_NS && *count * 2 <= limit && !b->quick) {
		*count *= 2;
		if (!repeat_once(b, row, *count, &ticks))
			return false;
	}
	return true;
}

static bool measure(struct bench *b, const struct row *row, uint64_t *milli)
{
	uint64_t count = b->quick && row->count >= 10 ? row->count / 10 : row->count;
	uint64_t best = UINT64_MAX;
	if (!settle_count(b, row, &count))
		return false;
	for (int i = b->quick ? REPETITIONS_QUICK : REPETITIONS; i > 0; i--) {
		uint64_t ticks;
		if (!repeat_once(b, row, count, &ticks))
			return false;
		best = ticks < best ? ticks : best;
	}
	uint64_t each = (uint64_t)((unsigned __int128)best * 1000 / count);
	each = each > b->loop_milliticks ? each - b->loop_milliticks : 0;
	*milli = row->divide ? each / row->divide : each;
	return true;
}

bool measure_row(struct bench *b, const struct row *row, uint64_t *milli)
{
	b->argument = row->argument;
	b->fd = -1;
	b->memory = NULL;
	snprintf(b->reason, sizeof b->reason, "unknown");
	bool good = (!row->setup || row->setup(b)) && measure(b, row, milli);
	if (row->teardown)
		row->teardown(b);
	return good;
}
