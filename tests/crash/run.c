/* SPDX-License-Identifier: BSD-2-Clause */
/* run.c - one sequence: mounted, its operations carried out with every moment tried, undone. */
#include "engine.h"
#include "clients.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_NS 1700000000000000000ull

static struct run *current;
static struct call call_now[CLIENTS];

static bool run_failed(struct run *run, const char *what, err_t got, const char *more)
{
	char name[800];

	run->failed = true;
	sequence_name(run->sequence, name);
	fprintf(stderr, "crash: FAILED in %s\n  %s: %s (answer %d) %s\n  replay: tests/crash/replay '%s'\n", name,
			run->where[media_client] != NULL ? run->where[media_client] : "start", what, got, more, name);
	return false;
}

static void try_here(struct run *run)
{
	const bool counting = room_pause();

	if (run->trying && !run->failed)
		states_try(run, &run->recorder);
	room_go_on(counting);
}

static void at_fence(void *context)
{
	try_here(context);
}

/* What of it finds room can only be tried. */
static bool tried_before(const struct sequence *s)
{
	return (s->base->may_be_full || s->room != 0) && s->clients == 1;
}

static bool call_one(struct run *run, uint32_t client, const struct call *call)
{
	const uint32_t number = run->calls[client]++;

	call_now[client] = *call;
	call_now[client].serial = client * 64 + number + 1;
	if (run->dry_run) {
		run->dry[number] = call_run(run->fs, client, &call_now[client]);
		return true;
	}
	const struct outcome *dry = &run->dry[number];
	const bool full = tried_before(run->sequence) && call_meets_end(call, dry);
	promise_begin(&run->promise, client, &call_now[client], full, full ? dry->done : 0);
	const struct outcome out = call_run(run->fs, client, &call_now[client]);
	if (run->failed)
		return false;
	if (!promise_end(&run->promise, client, out.err))
		return run_failed(run, "no history gives this answer", out.err, "");
	const char *still = run->sequence->clients == 1 ? promise_times(&run->promise, run->fs) : NULL;
	if (still != NULL)
		return run_failed(run, "its time did not move", OK, still);
	try_here(run); /* it has come back: what it did must be durable */
	return !run->failed;
}

static void client_run(uint32_t client)
{
	struct run *run = current;
	const struct sequence *s = run->sequence;

	for (uint32_t i = 0; i < s->length[client] && !run->failed; i++) {
		const struct operation *o = s->operation[client][i];
		run->where[client] = o->name;
		if (client == 0 && !run->dry_run)
			run->trying = i >= s->first;
		for (uint32_t k = 0; !run->failed; k++) {
			if (!call_one(run, client, &o->call[k]) || call_is_last(o, k))
				break;
		}
	}
}

/* The file system that ran all this has to say the same. */
static bool running_matches(struct run *run)
{
	static struct finding found;
	char why[400];

	if (!finding_make(run->fs, &run->promise.candidate[0].model, &found, why) ||
			!promise_matches(&run->promise, &found, why))
		return run_failed(run, "the running file system is wrong", OK, why);
	if (!fs_sound(run->fs, why))
		return run_failed(run, "the running file system is not sound", OK, why);
	return true;
}

static bool run_once(struct run *run, const struct model *m, uint64_t base_hash)
{
	const struct sequence *s = run->sequence;
	char reason[PMFS_REASON_BYTES];
	const size_t mark = media_mark();

	clock_set(START_NS);
	media_client = 0;
	memset(run->calls, 0, sizeof(run->calls));
	run->point = 0;
	run->recorder.durable = (struct media_hash) { base_hash, 0 };
	run->recorder.on_fence = at_fence;
	run->recorder.context = run;
	run->recorder.turns = true;
	promise_make(&run->promise, m);
	run->trying = !run->dry_run && s->length[0] == 0;
	media_record(&run->recorder);
	err_t err = fs_mount(s->base->cpus, &run->fs, reason);
	if (err != OK) {
		run_failed(run, reason, err, "");
	} else {
		run->trying = !run->dry_run && s->clients > 1;
		if (s->room != 0)
			room_begin(s->room - 1);
		if (s->clients > 1)
			clients_run(client_run, s->seed);
		else
			client_run(0);
		(void)room_pause();
		run->room_met = room_met();
		run->trying = !run->dry_run && s->length[0] <= 1;
		for (uint32_t c = 0; c < s->clients; c++)
			(void)call_run(run->fs, c, &(struct call) { .kind = CALL_CLOSE, .a = "" });
		if (!run->failed && !run->dry_run && running_matches(run) && s->length[0] <= 1) {
			run->where[0] = "unmount";
			err = pmfs_unmount(run->fs);
			if (err == OK)
				run->fs = NULL;
			else
				run_failed(run, "unmount", err, "");
		}
		if (run->fs != NULL)
			pmfs_abandon(run->fs);
	}
	media_record(NULL);
	media_undo(mark);
	promise_free(&run->promise);
	return !run->failed;
}

bool sequence_run(struct run *run, const struct sequence *s, const struct model *base_model, uint64_t base_hash)
{
	current = run;
	run->sequence = s;
	run->failed = false;
	memset(run->where, 0, sizeof(run->where));
	memset(run->dry, 0, sizeof(run->dry));
	if (run->recorder.where == NULL)
		recorder_make(&run->recorder);
	if (tried_before(s)) {
		run->dry_run = true;
		run_once(run, base_model, base_hash);
		run->dry_run = false;
	}
	count(&counts->sequences, 1);
	return run_once(run, base_model, base_hash);
}
