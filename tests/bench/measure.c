/* SPDX-License-Identifier: BSD-2-Clause */
/* measure.c - running one row. */
#include "bench.h"

#include <stdio.h>
#include <string.h>

#include "stretch.h"

#define REPETITIONS 5
#define REPETITIONS_QUICK 3
#define REPETITIONS_WHOLE 2
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

void measure_costs(struct figure *figure, const struct costs *before, uint64_t operations)
{
	struct costs now;
	figure->counted = native_costs(&now);
	if (!figure->counted)
		return;
	figure->costs.tlb_flushes = (now.tlb_flushes - before->tlb_flushes) * 1000 / operations;
	figure->costs.root_switches = (now.root_switches - before->root_switches) * 1000 / operations;
	figure->costs.ipis = (now.ipis - before->ipis) * 1000 / operations;
	figure->costs.switches = (now.switches - before->switches) * 1000 / operations;
}

static bool time_body(struct bench *b, const struct row *row, uint64_t count, uint64_t *ticks)
{
	uint64_t start = clock_ticks(b);
	bool good = row->body(b, count);
	uint64_t end = clock_ticks(b);
	*ticks = end - start > b->clock_ticks ? end - start - b->clock_ticks : 0;
	return good;
}

/* One repetition. With `figure` it is the last: what it costs is counted, and who looks on is told. */
static bool repeat_once(struct bench *b, const struct row *row, uint64_t count, uint64_t *ticks, struct figure *figure)
{
	struct costs before = { 0 };
	bool good;
	b->prepared = count;
	b->moved = 0;
	if (row->prepare && !row->prepare(b, count))
		return false;
	if (figure) {
		(void)native_costs(&before);
		stretch_begin();
		good = time_body(b, row, count, ticks);
		stretch_end();
		figure->operations = count * (row->divide ? row->divide : 1);
		measure_costs(figure, &before, figure->operations);
	} else {
		good = time_body(b, row, count, ticks);
	}
	return good && (!row->check || row->check(b, count));
}

/* By the clock a repetition has to be long enough; rows whose repetition changes with the count
 * say so by count 1. */
static bool settle_count(struct bench *b, const struct row *row, uint64_t *count)
{
	uint64_t ticks, limit = *count * COUNT_GROWTH_MAX;
	if (!repeat_once(b, row, *count, &ticks, NULL)) /* also warms up */
		return false;
	while (!b->exact && *count > 1 && ticks < REPETITION_MIN_NS && *count * 2 <= limit && !b->quick) {
		*count *= 2;
		if (!repeat_once(b, row, *count, &ticks, NULL))
			return false;
	}
	return true;
}

static int repetitions(const struct bench *b, const struct row *row)
{
	if (row->whole)
		return REPETITIONS_WHOLE;
	return b->quick ? REPETITIONS_QUICK : REPETITIONS;
}

static bool measure(struct bench *b, const struct row *row, struct figure *figure)
{
	uint64_t count = b->quick && row->count >= 10 ? row->count / 10 : row->count;
	uint64_t best = UINT64_MAX;
	if (!row->whole && !settle_count(b, row, &count))
		return false;
	for (int i = repetitions(b, row); i > 0; i--) {
		uint64_t ticks;
		if (!repeat_once(b, row, count, &ticks, i == 1 ? figure : NULL))
			return false;
		best = ticks < best ? ticks : best;
	}
	uint64_t each = (uint64_t)((unsigned __int128)best * 1000 / count);
	each = each > b->loop_milliticks ? each - b->loop_milliticks : 0;
	figure->milli = row->divide ? each / row->divide : each;
	return true;
}

bool measure_row(struct bench *b, const struct row *row, struct figure *figure)
{
	b->argument = row->argument;
	b->fd = -1;
	b->memory = NULL;
	*figure = (struct figure){ 0 };
	snprintf(b->reason, sizeof b->reason, "unknown");
	bool good = (!row->setup || row->setup(b)) && (row->measure ? row->measure : measure)(b, row, figure);
	if (row->teardown)
		row->teardown(b);
	return good;
}
