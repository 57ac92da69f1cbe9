/* SPDX-License-Identifier: BSD-2-Clause */
/* states.c - which states of one moment are tried: of each line in flight, how many of its stores have
 * arrived. A call that stores many lines counts as three units: its first line, its last, the others.
 *   - all there are, if that is at most STATES_ALL (12 bits)
 *   - else all sets of units, if there are at most 12 of them;
 *     else all sets of at most 3 units that have arrived, and that have not
 *   - each line torn at each store, with all the others arrived, and with none
 *   - and states chosen at random. */
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATES_ALL 4096u
#define UNITS_ALL 12u
#define UNITS_MAX 200u
#define CUT_AGAIN 64 /* one state of so many is also cut in its recovery */

struct unit {
	uint32_t first; /* lines [first, first + lines) of the recorder, sorted */
	uint32_t lines;
};

struct states {
	struct run *run;
	struct recorder *r;
	struct media_hash hash;
	struct verify verify;
	uint16_t *prefix;
	struct unit unit[UNITS_MAX];
	uint32_t units;
	uint64_t expected; /* states that will be offered by sets */
	uint64_t seed;
	bool stop;
};

static void state_failed(struct states *s, uint64_t key, const char *why)
{
	struct run *run = s->run;
	char name[800];
	size_t at;

	run->failed = true;
	s->stop = true;
	sequence_name(run->sequence, name);
	at = (size_t)snprintf(run->why, sizeof(run->why), "%s\n  lines in flight (byte: stores arrived/all):", why);
	for (uint32_t i = 0; i < s->r->lines && at + 40 < sizeof(run->why); i++)
		at += (size_t)snprintf(run->why + at, sizeof(run->why) - at, " %x:%u/%u", s->r->line[i].index * PMEM_LINE,
				s->prefix[i], s->r->line[i].stores);
	fprintf(stderr, "crash: FAILED in %s\n  at moment %u", name, run->point);
	for (uint32_t c = 0; c < run->sequence->clients; c++)
		fprintf(stderr, ", client %u: %s %s", c, run->promise.call[c] != NULL ? "in" : "after",
				run->where[c] != NULL ? run->where[c] : "mount");
	fprintf(stderr, "\n  %s\n  replay: tests/crash/replay '%s' %u %llx\n", run->why, name, run->point,
			(unsigned long long)key);
}

static void state_offer(struct states *s)
{
	char why[400];

	if (s->stop)
		return;
	state_set(s->r, s->prefix, &s->hash);
	const uint64_t key = s->hash.data + 7 * s->hash.journal;
	if (s->run->only_state != 0 && key != s->run->only_state)
		return;
	count(&counts->tried, 1);
	if (!seen_before(SEEN_IMAGE, key))
		count(&counts->images, 1);
	if (seen_before(SEEN_STATE, mix64(key) ^ s->verify.promised))
		return;
	s->verify.image = s->hash.data;
	s->verify.seed = mix64(key);
	s->verify.cut_again = s->verify.seed % CUT_AGAIN == 0 || s->run->sequence->cut_again || s->run->only_state != 0;
	if (!image_verify(&s->verify, why))
		state_failed(s, key, why);
}

/* One of a set that may be larger than the limit. */
static void state_sample(struct states *s)
{
	if (s->expected <= states_limit || random_next(&s->seed) % s->expected < states_limit)
		state_offer(s);
}

static int by_index(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	return x->index < y->index ? -1 : x->index > y->index;
}

static void lines_sort(struct recorder *r)
{
	qsort(r->line, r->lines, sizeof(r->line[0]), by_index);
	for (uint32_t i = 0; i < r->lines; i++)
		r->where[r->line[i].index] = i + 1;
}

static void unit_add(struct states *s, uint32_t first, uint32_t lines)
{
	if (lines == 0)
		return;
	if (s->units == UNITS_MAX)
		s->unit[UNITS_MAX - 1].lines = first + lines - s->unit[UNITS_MAX - 1].first;
	else
		s->unit[s->units++] = (struct unit) { first, lines };
}

static void units_make(struct states *s)
{
	const struct recorder *r = s->r;

	for (uint32_t i = 0, end; i < r->lines; i = end) {
		end = i + 1;
		while (r->line[i].bulk != 0 && end < r->lines && r->line[end].bulk == r->line[i].bulk)
			end++;
		unit_add(s, i, 1);
		if (end - i > 2)
			unit_add(s, i + 1, end - i - 2);
		if (end - i > 1)
			unit_add(s, end - 1, 1);
	}
}

static void unit_put(struct states *s, uint32_t unit, bool arrived)
{
	const struct unit *u = &s->unit[unit];

	for (uint32_t i = u->first; i < u->first + u->lines; i++)
		s->prefix[i] = arrived ? s->r->line[i].stores : 0;
}

static void all_put(struct states *s, bool arrived)
{
	for (uint32_t i = 0; i < s->r->lines; i++)
		s->prefix[i] = arrived ? s->r->line[i].stores : 0;
}

/* Every number of stores of every line: counting, with the lines as digits. */
static void try_everything(struct states *s)
{
	all_put(s, false);
	for (;;) {
		uint32_t i = 0;
		state_sample(s);
		while (i < s->r->lines && s->prefix[i] == s->r->line[i].stores)
			s->prefix[i++] = 0;
		if (i == s->r->lines || s->stop)
			return;
		s->prefix[i]++;
	}
}

static void try_sets(struct states *s)
{
	s->expected = 1ull << s->units;
	for (uint32_t set = 0; set < 1u << s->units && !s->stop; set++) {
		for (uint32_t u = 0; u < s->units; u++)
			unit_put(s, u, set >> u & 1);
		state_sample(s);
	}
}

/* At most three units differ from all the others. */
static void try_small_sets(struct states *s, bool arrived)
{
	s->expected = (uint64_t)s->units * s->units * s->units / 6 * 2;
	for (uint32_t a = 0; a < s->units && !s->stop; a++) {
		all_put(s, !arrived);
		unit_put(s, a, arrived);
		state_offer(s);
		for (uint32_t b = a + 1; b < s->units; b++) {
			unit_put(s, b, arrived);
			state_sample(s);
			for (uint32_t c = b + 1; c < s->units; c++) {
				unit_put(s, c, arrived);
				state_sample(s);
				unit_put(s, c, !arrived);
			}
			unit_put(s, b, !arrived);
		}
	}
}

static void try_torn_lines(struct states *s)
{
	s->expected = 0;
	for (uint32_t u = 0; u < s->units; u++)
		s->expected += s->unit[u].lines == 1 ? 2u * s->r->line[s->unit[u].first].stores : 0;
	for (uint32_t u = 0; u < s->units && !s->stop; u++) {
		const uint32_t i = s->unit[u].first;
		for (int others = 0; others < 2 && s->unit[u].lines == 1; others++) {
			all_put(s, others);
			for (uint16_t n = 1; n < s->r->line[i].stores; n++) {
				s->prefix[i] = n;
				state_sample(s);
			}
		}
	}
}

static void try_random(struct states *s)
{
	for (uint32_t n = 0; n < random_states && !s->stop; n++) {
		for (uint32_t i = 0; i < s->r->lines; i++) {
			const uint64_t r = random_next(&s->seed);
			const uint16_t stores = s->r->line[i].stores;
			s->prefix[i] = (r & 3) == 0 ? 0 : (r & 3) != 1 ? stores : (uint16_t)((r >> 8) % (stores + 1u));
		}
		state_offer(s);
	}
}

static uint64_t states_count(const struct recorder *r)
{
	uint64_t n = 1;

	for (uint32_t i = 0; i < r->lines && n <= STATES_ALL; i++)
		n *= r->line[i].stores + 1u;
	return n;
}

void states_try(struct run *run, struct recorder *recorder)
{
	static struct states states; /* large; moments do not nest */
	struct states *s = &states;

	count(&counts->points, 1);
	run->point++;
	if (run->only_point != 0 && run->point != run->only_point)
		return;
	memset(s, 0, offsetof(struct states, unit));
	s->run = run;
	s->r = recorder;
	s->units = 0;
	s->stop = false;
	s->hash = recorder->durable;
	s->seed = run->sequence->seed + run->point;
	s->verify = (struct verify) { .promise = &run->promise, .base = run->sequence->base,
		.promised = mix64(promise_hash(&run->promise)) };
	s->prefix = calloc(recorder->lines + 1, sizeof(*s->prefix));
	if (s->prefix == NULL)
		abort();
	lines_sort(recorder);
	units_make(s);
	states_begin(recorder);
	state_offer(s);
	all_put(s, true);
	state_offer(s);
	s->expected = states_count(recorder);
	if (s->expected <= STATES_ALL) {
		try_everything(s);
	} else {
		if (s->units <= UNITS_ALL) {
			try_sets(s);
		} else {
			try_small_sets(s, true);
			try_small_sets(s, false);
		}
		try_torn_lines(s);
		try_random(s);
	}
	states_end(recorder);
	free(s->prefix);
	kills_try(run, recorder);
}
