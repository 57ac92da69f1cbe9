/* SPDX-License-Identifier: BSD-2-Clause */
/* kills.c - pmfs dies at a moment and the power stays: what it has stored is seen, and what was in flight stays in
 * flight, for as long as nobody writes it back again. Another pmfs mounts what it sees, goes on with an operation,
 * and ends cleanly; at each of its fences, when the mount has come back, after each call and after the end the power
 * may go. That other one may die, too, anywhere in its recovery; then it is a third that sees what both have left,
 * while nothing of it need be durable.
 * Nothing is taken for granted of what the dead one had written back without a fence: the new one may run elsewhere. */
#include "engine.h"
#include "clients.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KILL_ONE_IN 16     /* moments */
#define KILLS 2            /* there: with all of its stores seen, and with fewer */
#define KILLS_ASKED_FOR 4
#define DEATHS 1           /* more of them, where the next one dies while it mounts */
#define DEATHS_ASKED_FOR 8
#define CUTS 6             /* at each fence after it */
#define CUTS_ASKED_FOR 24
#define SERIAL 0x400u

static struct kill {
	struct run *run;
	const struct operation *after;
	struct recorder recorder;
	struct recorder dying;   /* of one that dies while it mounts */
	struct promise promise;
	struct verify verify;
	struct few few;
	struct pmfs *fs;
	struct call call[OPERATION_CALLS];
	struct outcome dry[OPERATION_CALLS];
	const char *where;
	bool failed;
	char why[400];
} kill;

static struct finding found;

static void kill_fail(const char *what)
{
	struct sequence s = *kill.run->sequence;
	char name[800];

	s.after_kill = kill.after;
	kill.failed = true;
	kill.run->failed = true;
	sequence_name(&s, name);
	fprintf(stderr, "crash: FAILED in %s\n  at moment %u, where pmfs is killed; the next one: %s\n  %s\n"
			"  replay: tests/crash/replay '%s' %u %llx\n", name, kill.run->point, kill.where, what, name,
			kill.run->point, (unsigned long long)kill.few.state);
}

static void kill_cuts(void *context)
{
	(void)context;
	if (kill.failed)
		return;
	kill.verify.promised = mix64(promise_hash(&kill.promise));
	if (!few_states(&kill.few, &kill.recorder, kill.why))
		kill_fail(kill.why);
}

static struct outcome kill_call(uint32_t i)
{
	kill.call[i] = kill.after->call[i];
	kill.call[i].serial = SERIAL + i;
	return call_run(kill.fs, 0, &kill.call[i]);
}

/* What of it finds room can only be tried. */
static void dry_run(void)
{
	char reason[PMFS_REASON_BYTES];
	const size_t mark = media_mark();
	const uint32_t client = media_client;

	memset(kill.dry, 0, sizeof(kill.dry));
	if (!kill.verify.base->may_be_full || fs_mount(kill.verify.base->cpus, &kill.fs, reason) != OK)
		return;
	for (uint32_t i = 0;; i++) {
		kill.dry[i] = kill_call(i);
		if (call_is_last(kill.after, i))
			break;
	}
	pmfs_abandon(kill.fs);
	open_files_swap(&(struct open_files) { .file = { NULL } });
	media_undo(mark);
	media_client = client;
}

static bool call_after(uint32_t i)
{
	const struct outcome *dry = &kill.dry[i];
	const bool full = kill.verify.base->may_be_full && call_meets_end(&kill.after->call[i], dry);

	kill.call[i] = kill.after->call[i];
	kill.call[i].serial = SERIAL + i;
	promise_begin(&kill.promise, 0, &kill.call[i], full, full ? dry->done : 0);
	const struct outcome out = kill_call(i);
	if (!kill.failed && !promise_end(&kill.promise, 0, out.err)) {
		snprintf(kill.why, sizeof(kill.why), "no history gives this answer: %d", out.err);
		kill_fail(kill.why);
	}
	kill_cuts(NULL);
	return !kill.failed && !call_is_last(kill.after, i);
}

/* After a clean end nothing is mended any more. */
static void end_cleanly(void)
{
	static const struct call close = { .kind = CALL_CLOSE, .a = "" };

	kill.where = "unmounts";
	promise_begin(&kill.promise, 0, &close, false, 0);
	err_t err = call_run(kill.fs, 0, &close).err;
	if (!promise_end(&kill.promise, 0, err) && err == OK)
		err = ERR_INTERNAL;
	if (err == OK)
		err = pmfs_unmount(kill.fs);
	if (err != OK) {
		snprintf(kill.why, sizeof(kill.why), "error %d", err);
		kill_fail(kill.why);
		return;
	}
	kill.fs = NULL;
	kill_cuts(NULL);
}

/* Mounted: what it sees is what it will be held to. */
static void go_on(void)
{
	uint32_t i = 0;

	kill.where = "has mounted";
	if (kill.failed)
		return;
	if (!fs_sound(kill.fs, kill.why) || !finding_make(kill.fs, &kill.promise.candidate[0].model, &found, kill.why) ||
			!promise_narrow(&kill.promise, &found, kill.why)) {
		kill_fail(kill.why);
		return;
	}
	kill_cuts(NULL);
	kill.where = kill.after->name;
	while (!kill.failed && call_after(i))
		i++;
	if (!kill.failed)
		end_cleanly();
}

/* It mounts what is seen, and dies after so many events: what is seen, and in flight, is then the next one's. False: it
 * does not take so many; *took says how many. */
static bool die_mounting(const struct recorder *in_flight, const uint16_t *seen, uint64_t events, uint64_t *took)
{
	const uint64_t before = media_events();
	char reason[PMFS_REASON_BYTES];
	struct pmfs *fs;

	recorder_inherit(&kill.dying, in_flight, seen);
	media_record(&kill.dying);
	media_die_after(events);
	err_t err = fs_mount(kill.verify.base->cpus, &fs, reason);
	*took = media_events() - before;
	if (err == OK)
		pmfs_abandon(fs);
	const bool dead = media_revive();
	if (dead) {
		uint16_t *all = calloc(kill.dying.lines + 1, sizeof(*all));
		if (all == NULL)
			abort();
		for (uint32_t i = 0; i < kill.dying.lines; i++)
			all[i] = kill.dying.line[i].stores;
		recorder_inherit(&kill.recorder, &kill.dying, all);
		free(all);
	}
	media_record(NULL);
	return dead;
}

static void live(void)
{
	media_record(&kill.recorder);
	kill.where = "mounts";
	err_t err = fs_mount(kill.verify.base->cpus, &kill.fs, kill.why);
	if (err != OK && !kill.failed)
		kill_fail(kill.why);
	if (err == OK)
		go_on();
	if (err == OK && kill.fs != NULL)
		pmfs_abandon(kill.fs);
	media_record(NULL);
}

/* So does the next one, somewhere in its recovery: what it takes whole says where that can be. */
static bool next_dies(const struct recorder *in_flight, const uint16_t *seen, uint64_t choice)
{
	const size_t mark = media_mark();
	uint64_t took;

	if (die_mounting(in_flight, seen, UINT32_MAX, &took))
		return false;
	media_undo(mark);
	if (took == 0 || !die_mounting(in_flight, seen, choice % took, &took))
		return false;
	count(&counts->deaths, 1);
	return true;
}

/* The buffer holds what is seen, and holds it again afterwards. `death`: where the next one dies; 0: it lives. */
static void kill_here(struct run *run, const struct recorder *in_flight, const uint16_t *seen, uint64_t death)
{
	struct open_files files = { .file = { NULL } };
	const uint64_t now = clock_get();
	const uint32_t client = media_client;
	const size_t mark = media_mark();

	count(&counts->kills, 1);
	open_files_swap(&files);
	dry_run();
	clock_set(now);
	promise_copy(&kill.promise, &run->promise);
	if (death == 0)
		recorder_inherit(&kill.recorder, in_flight, seen);
	if (death == 0 || next_dies(in_flight, seen, death))
		live();
	open_files_swap(&files);
	promise_free(&kill.promise);
	media_undo(mark);
	media_client = client;
	clock_set(now);
}

/* What is seen after the first `stores` of all that were made. */
static void seen_make(const struct recorder *r, uint32_t stores, uint16_t *seen)
{
	for (uint32_t i = 0; i < r->lines; i++) {
		uint32_t at = r->line[i].first;
		seen[i] = 0;
		while (seen[i] < r->line[i].stores && at <= stores) {
			seen[i]++;
			at = r->store[at].next;
		}
	}
}

void kills_try(struct run *run, struct recorder *recorder)
{
	const struct sequence *s = run->sequence;
	const bool asked_for = s->after_kill != NULL;
	uint64_t seed = mix64(s->seed + run->point);

	if (run->failed || s->room != 0 || (!asked_for && (seed % KILL_ONE_IN != 0 || run->only_state != 0)))
		return;
	kill.run = run;
	kill.failed = false;
	kill.after = asked_for ? s->after_kill : operation_choose(s->base, &seed);
	kill.verify = (struct verify) { .promise = &kill.promise, .base = s->base };
	kill.few = (struct few) { .check = few_verify, .verify = &kill.verify, .seed = seed,
		.count = asked_for ? CUTS_ASKED_FOR : CUTS, .only_state = run->only_state, .counted = &counts->killed };
	if (kill.recorder.where == NULL) {
		recorder_make(&kill.recorder);
		recorder_make(&kill.dying);
	}
	kill.recorder.on_fence = kill_cuts;
	uint16_t *seen = calloc(recorder->lines + 1, sizeof(*seen));
	if (seen == NULL)
		abort();
	states_begin(recorder);
	const uint32_t kills = asked_for ? KILLS_ASKED_FOR : KILLS, deaths = asked_for ? DEATHS_ASKED_FOR : DEATHS;
	for (uint32_t i = 0; i < kills + deaths && !kill.failed; i++) {
		struct media_hash hash = recorder->durable;
		const uint32_t all = UINT32_MAX, some = 1 + (uint32_t)(random_next(&seed) % recorder->stores);
		seen_make(recorder, i == 0 || i >= kills ? all : some, seen);
		state_set(recorder, seen, &hash);
		kill_here(run, recorder, seen, i < kills ? 0 : random_next(&seed) | 1);
	}
	states_end(recorder);
	free(seen);
}
