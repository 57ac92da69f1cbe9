/* SPDX-License-Identifier: BSD-2-Clause */
/* trace.c - crash images of a whole machine: what its CPU did to the NVDIMM, as a plugin in QEMU has written it down
 * (tools/meter/trace.c), from the first store of mkfs to the clean end. The stores go to the buffer as pmfs's own do in
 * a run, so that the same recorder knows what is in flight; at each fence, and when a step has returned, a few of the
 * states that a power cut could leave are mounted, checked, and compared with what the load's steps promise
 * (tests/cold/steps.h): all that returned, and of the one under way anything in between.
 * A state between two fences is among those of the later one. */
#include "engine.h"

#include "fs/pmfs/pmem_host.h"
#include "tests/cold/steps.h"
#include "tools/meter/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATES_AT_FENCE 8
#define STATES_AT_MARK 3

/* A worker's folder after the steps that have returned. */
struct worker {
	struct folder now;
	uint64_t steps;
};

static struct {
	const struct trace_options *options;
	struct worker worker[COLD_WORKERS_MAX];
	struct folder media, after, before; /* scratch */
	struct recorder recorder;
	struct few few;
	struct pmem pm;
	uint64_t events;
	uint64_t fences;
	uint64_t unknown; /* write-backs */
	char why[400];
} trace;

/* --- what is on an image --- */

static bool name_read(struct pmfs *fs, const char *folder, uint64_t inode[NAMES], uint32_t i)
{
	struct folder *f = &trace.media;
	struct inode *file;
	struct fs_stat st;
	uint64_t done = 0;
	char path[64];
	int b = 0;

	snprintf(path, sizeof(path), "%s/f%u", folder, i);
	if (pmfs_stat(fs, path, false, &st) != OK)
		return true;
	while (f->body[b].names != 0 && inode[b] != st.inode)
		b++;
	struct body *body = &f->body[b];
	f->name[i] = b;
	inode[b] = st.inode;
	if (body->names++ != 0)
		return true;
	body->size = (uint32_t)st.size;
	body->mode = st.mode & 07777;
	if (st.size > BODY_BYTES_MAX || pmfs_open(fs, path, FS_OPEN_READ, 0, &file) != OK)
		return false;
	err_t err = pmfs_read(fs, file, 0, body->bytes, BODY_BYTES_MAX, &done);
	pmfs_close(fs, file);
	return err == OK && done == st.size;
}

/* Names in the folder; -1: it cannot be read. */
static int names_count(struct pmfs *fs, const char *folder)
{
	static uint8_t entries[16384];
	uint64_t bytes, next;
	struct inode *dir;
	int count = 0;

	if (pmfs_open(fs, folder, FS_OPEN_READ | FS_OPEN_DIRECTORY, 0, &dir) != OK)
		return -1;
	err_t err = pmfs_readdir(fs, dir, 0, entries, sizeof(entries), &bytes, &next);
	pmfs_close(fs, dir);
	for (uint64_t at = 0; err == OK && at < bytes; count++)
		at += ((const struct fs_dirent *)(const void *)(entries + at))->record_bytes;
	return err == OK ? count : -1;
}

/* Into trace.media. */
static bool folder_read(struct pmfs *fs, uint32_t worker)
{
	uint64_t inode[NAMES] = { 0 };
	struct fs_stat st;
	char folder[32], path[64];

	folder_clear(&trace.media);
	snprintf(folder, sizeof(folder), "cold/w%u", worker);
	if (pmfs_stat(fs, folder, false, &st) == ERR_NOT_FOUND)
		return trace.worker[worker].steps == 0;
	int left = names_count(fs, folder);
	if (left < 0)
		return false;
	for (uint32_t i = 0; i < NAMES; i++) {
		if (!name_read(fs, folder, inode, i))
			return false;
		left -= trace.media.name[i] != NOTHING;
	}
	for (uint32_t i = 0; i < FOLDERS; i++) {
		snprintf(path, sizeof(path), "%s/d%u", folder, i);
		trace.media.made[i] = pmfs_stat(fs, path, false, &st) == OK;
		left -= trace.media.made[i];
	}
	return left == 0;
}

/* After the steps that have returned, or in the middle of the next one, or after that. */
static bool worker_fits(struct pmfs *fs, uint32_t i, char why[400])
{
	const struct worker *w = &trace.worker[i];

	if (!folder_read(fs, i)) {
		snprintf(why, 400, "the folder of worker %u cannot be read, or holds what nobody made", i);
		return false;
	}
	if (folders_fit(&trace.media, &w->now, &w->now, NOTHING))
		return true;
	if (w->steps < trace.options->steps) {
		const struct step step = step_next(&w->now, trace.options->seed, i, w->steps);
		memcpy(&trace.after, &w->now, sizeof(trace.after));
		if (step_under_way(&trace.media, &trace.after, &trace.before, &step) ||
				folders_fit(&trace.media, &trace.after, &trace.after, NOTHING))
			return true;
	}
	snprintf(why, 400, "the folder of worker %u is neither as promised with step %llu nor as during the next", i,
			(unsigned long long)w->steps);
	return false;
}

static void image_keep(void)
{
	char path[512];

	snprintf(path, sizeof(path), "%s.failed.img", trace.options->trace);
	FILE *file = fopen(path, "wb");
	if (file == NULL || fwrite(media_base, 1, media_bytes, file) != media_bytes)
		perror(path);
	else
		fprintf(stderr, "crash: the image is kept: %s\n", path);
	if (file != NULL)
		fclose(file);
}

/* few's check. */
static bool image_fits(struct few *few, const struct media_hash *hash, char why[400])
{
	const size_t mark = media_mark();
	uint64_t promised = few->state = hash->data;
	char reason[PMFS_REASON_BYTES];
	struct pmfs *fs;

	for (uint32_t i = 0; i < trace.options->workers; i++)
		promised = mix64(promised + trace.worker[i].steps);
	count(&counts->tried, 1);
	if (!seen_before(SEEN_IMAGE, hash->data))
		count(&counts->images, 1);
	if (seen_before(SEEN_STATE, promised))
		return true;
	count(&counts->mounts, 1);
	const err_t err = fs_mount(1, &fs, reason);
	bool good = err == OK;
	if (!good)
		snprintf(why, 400, "mount: %s", reason);
	good = good && fs_sound(fs, why);
	for (uint32_t i = 0; i < trace.options->workers && good; i++)
		good = worker_fits(fs, i, why);
	if (err == OK)
		pmfs_abandon(fs);
	media_undo(mark);
	if (!good)
		image_keep();
	return good;
}

static bool trace_failed(const char *why)
{
	fprintf(stderr, "crash: FAILED at event %llu of %s (%llu fences before it; steps returned:",
			(unsigned long long)trace.events, trace.options->trace, (unsigned long long)trace.fences);
	for (uint32_t i = 0; i < trace.options->workers; i++)
		fprintf(stderr, " %llu", (unsigned long long)trace.worker[i].steps);
	fprintf(stderr, ")\n  %s\n", why);
	count(&counts->failures, 1);
	return false;
}

/* --- what happened --- */

static bool states_check(uint32_t states)
{
	trace.few.count = states;
	count(&counts->points, 1);
	return few_states(&trace.few, &trace.recorder, trace.why) || trace_failed(trace.why);
}

static void step_returned(uint32_t worker)
{
	struct worker *w = &trace.worker[worker];
	const struct step step = step_next(&w->now, trace.options->seed, worker, w->steps++);

	step_apply(&w->now, &step);
}

static bool event_do(const struct trace_event *e)
{
	uint8_t *at = media_base + e->at;
	const bool store = e->kind == TRACE_STORE || e->kind == TRACE_STORE_NT;

	trace.events++;
	if (e->cpu >= CLIENTS || ((store || e->kind == TRACE_WRITE_BACK) && (e->at >= media_bytes || e->bytes > 8 ||
			e->bytes > media_bytes - e->at)) || (e->kind == TRACE_MARK && e->at >= trace.options->workers))
		return trace_failed("this is no event");
	media_client = e->cpu;
	switch ((enum trace_kind)e->kind) {
	case TRACE_STORE:
		pm_store(&trace.pm, at, &e->value, e->bytes);
		return true;
	case TRACE_STORE_NT:
		pm_store_nt(&trace.pm, at, &e->value, e->bytes);
		return true;
	case TRACE_WRITE_BACK:
		pm_write_back(&trace.pm, at, 1);
		return true;
	case TRACE_FENCE:
		if (trace.recorder.lines != 0 && !states_check(STATES_AT_FENCE))
			return false;
		pm_fence(&trace.pm);
		media_keep();
		trace.fences++;
		return true;
	case TRACE_MARK:
		step_returned((uint32_t)e->at);
		return states_check(STATES_AT_MARK);
	case TRACE_END:
		break;
	}
	return trace_failed("this is no event");
}

/* Everything was seen, and understood. */
static bool trace_is_whole(const struct trace_end *end, FILE *media)
{
	uint8_t block[4096];

	for (uint32_t i = 0; i < trace.options->workers; i++)
		if (trace.worker[i].steps != trace.options->steps)
			return trace_failed("a worker has not done all its steps");
	if (end->checked == 0 || end->wrong != 0)
		return trace_failed("the plugin did not find the guest's registers: this QEMU keeps them elsewhere");
	if (!states_check(STATES_AT_FENCE))
		return false;
	rewind(media);
	for (uint64_t at = 0; at < media_bytes; at += sizeof(block))
		if (fread(block, sizeof(block), 1, media) != 1 || memcmp(block, media_base + at, sizeof(block)) != 0)
			return trace_failed("the media is not what the trace makes of it");
	return true;
}

static bool trace_run(FILE *events, FILE *media)
{
	struct trace_event event;
	struct trace_end end;
	size_t got;

	while ((got = fread(&event, sizeof(event), 1, events)) == 1 && event.kind != TRACE_END)
		if (!event_do(&event))
			return false;
	if (got != 1 || fread(&end, sizeof(end), 1, events) != 1)
		return trace_failed("the trace was cut short");
	trace.unknown = end.unknown;
	return trace_is_whole(&end, media);
}

int trace_check(const struct trace_options *options)
{
	FILE *events = fopen(options->trace, "rb"), *media = fopen(options->media, "rb");
	long bytes = -1;

	trace.options = options;
	if (media != NULL && fseek(media, 0, SEEK_END) == 0)
		bytes = ftell(media);
	if (events == NULL || bytes <= 0 || bytes % 4096 != 0 || options->workers == 0 ||
			options->workers > COLD_WORKERS_MAX) {
		fprintf(stderr, "crash: %s or %s cannot be read, or there are 0 or more than %u workers\n", options->trace,
				options->media, COLD_WORKERS_MAX);
		return 2;
	}
	media_make((uint64_t)bytes);
	pm_init(&trace.pm, media_base, media_bytes);
	recorder_make(&trace.recorder);
	media_record(&trace.recorder);
	trace.few = (struct few) { .check = image_fits, .seed = options->seed };
	for (uint32_t i = 0; i < options->workers; i++)
		folder_clear(&trace.worker[i].now);
	const bool good = trace_run(events, media);
	fclose(events);
	fclose(media);
	printf("crash: %s: %llu events, %llu fences, %llu steps: %llu states at %llu moments, %llu images, %llu mounted"
			" (%llu write-backs of what nobody had stored)\n", good ? "all well" : "FAILED",
			(unsigned long long)trace.events, (unsigned long long)trace.fences,
			(unsigned long long)(options->steps * options->workers), (unsigned long long)counts->tried,
			(unsigned long long)counts->points, (unsigned long long)counts->images, (unsigned long long)counts->mounts,
			(unsigned long long)trace.unknown);
	return !good;
}
