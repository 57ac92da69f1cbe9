/* SPDX-License-Identifier: BSD-2-Clause */
/* bases.c - what is on the device before a sequence starts. All have the names that operations use;
 * they differ in what those meet: much room, little room, the last inode numbers, deep trees. */
#include "engine.h"
#include "clients.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICE_BYTES (4ull << 20)
#define START_NS 1600000000000000000ull

static const char *making;

/* Without it nothing can be tried. */
_Noreturn static void base_failed(const char *what, const char *path, err_t err)
{
	fprintf(stderr, "crash: FAILED in %s\n  the base cannot be made: %s %.60s: error %d\n", making, what, path, err);
	exit(1);
}

static void must(struct pmfs *fs, struct model *m, const struct call *c)
{
	static uint32_t serial = 0x1000;
	struct call call = *c;

	call.serial = ++serial;
	const err_t want = model_apply(m, 0, &call, call_steps(&call), false, 0);
	const struct outcome out = call_run(fs, 0, &call);
	if (out.err != OK || want != OK)
		base_failed(want != OK ? "the model refuses" : "pmfs refuses", call.a, want != OK ? want : out.err);
}

#define MUST(...) must(fs, m, &(struct call) { __VA_ARGS__ })

static void opaque_make(struct model *m, const char *path)
{
	for (uint32_t i = 0; i < m->names; i++)
		if (strcmp(m->name[i].path, path) == 0)
			m->node[m->name[i].node].opaque = true;
}

/* Twelve names of five slots: the leaf is full. */
static void full_leaf(struct pmfs *fs, struct model *m, const char *dir, uint32_t names)
{
	char path[MODEL_PATH];

	for (uint32_t i = 0; i < names; i++) {
		snprintf(path, sizeof(path), "%s/%02u-%0230u", dir, i, i);
		MUST(CALL_LINK, .a = "e", .b = path);
	}
}

static void build_small(struct pmfs *fs, struct model *m)
{
	static const char long_target[] = "a/target/that/does/not/fit/into/an/inode/and/takes/a/block";

	MUST(CALL_CREATE, .a = "a");
	MUST(CALL_WRITE, .a = "a", .bytes = 5000);
	MUST(CALL_CREATE, .a = "b");
	MUST(CALL_WRITE, .a = "b", .bytes = 100);
	MUST(CALL_LINK, .a = "b", .b = "h");
	MUST(CALL_CREATE, .a = "e");
	MUST(CALL_CREATE, .a = "s");
	MUST(CALL_WRITE, .a = "s", .offset = 8192, .bytes = 4096);
	MUST(CALL_WRITE, .a = "s", .offset = 18000, .bytes = 2000);
	MUST(CALL_MKDIR, .a = "d");
	MUST(CALL_CREATE, .a = "d/x");
	MUST(CALL_WRITE, .a = "d/x", .bytes = 4096);
	MUST(CALL_MKDIR, .a = "d/s");
	MUST(CALL_MKDIR, .a = "m");
	MUST(CALL_SYMLINK, .a = "l", .b = "a");
	MUST(CALL_SYMLINK, .a = "k", .b = long_target);
	MUST(CALL_CREATE, .a = "t");
	for (uint32_t i = 0; i < 5; i++)
		MUST(CALL_WRITE, .a = "t", .offset = i * 8192, .bytes = 4096);
	MUST(CALL_MKDIR, .a = "D");
	full_leaf(fs, m, "D", 12);
}

/* Only few blocks are free. */
static void build_full(struct pmfs *fs, struct model *m)
{
	build_small(fs, m);
	MUST(CALL_CREATE, .a = "z");
	opaque_make(m, "z");
	const uint64_t bytes = (pmfs_blocks_free(fs) - 3) * 4096;
	MUST(CALL_WRITE, .a = "z", .bytes = (uint32_t)bytes);
}

/* No free inode number: the next one makes the table grow. The others are used by names that nobody follows. */
static void build_table(struct pmfs *fs, struct model *m)
{
	struct fs_statfs st;
	char name[32];

	build_small(fs, m);
	opaque_make(m, "d/s");
	for (uint32_t i = 0;; i++) {
		pmfs_statfs(fs, &st);
		if (st.inodes_free - st.blocks_free * 16 <= 3)
			break;
		snprintf(name, sizeof(name), "d/s/%03u", i);
		err_t err = pmfs_symlink(fs, "x", name);
		if (err != OK)
			base_failed("symlink", name, err);
	}
}

/* Trees of two levels: a file of 300 extents, a directory of many leaves. */
static void build_deep(struct pmfs *fs, struct model *m)
{
	build_small(fs, m);
	opaque_make(m, "t");
	for (uint32_t i = 5; i < 300; i++)
		MUST(CALL_WRITE, .a = "t", .offset = i * 8192, .bytes = 1);
	full_leaf(fs, m, "m", 24);
}

static bool makes_inodes(const struct operation *o)
{
	return strncmp(o->name, "create", 6) == 0 || strncmp(o->name, "mkdir", 5) == 0 || strncmp(o->name, "sym", 3) == 0 ||
			strcmp(o->name, "replace") == 0;
}

static bool meets_trees(const struct operation *o)
{
	return strstr(o->name, "tree") != NULL || strstr(o->name, "split") != NULL || strstr(o->name, "across") != NULL ||
			strstr(o->name, "first") != NULL;
}

const struct base bases[] = {
	{ .name = "small", .cpus = 2, .build = build_small },
	{ .name = "full", .cpus = 2, .may_be_full = true, .build = build_full },
	{ .name = "deep", .cpus = 1, .wants = meets_trees, .slow = true, .build = build_deep },
	{ .name = "table", .cpus = 2, .wants = makes_inodes, .slow = true, .build = build_table },
};
const uint32_t bases_count = sizeof(bases) / sizeof(bases[0]);

const struct operation *operation_choose(const struct base *base, uint64_t *seed)
{
	for (;;) {
		const struct operation *o = &operations[random_next(seed) % operations_count];
		if (base->wants == NULL || base->wants(o))
			return o;
	}
}

void base_make(const struct base *base, struct model *m)
{
	char reason[PMFS_REASON_BYTES];
	struct pmfs *fs;

	if (media_base == NULL)
		media_make(DEVICE_BYTES);
	media_keep();
	memset(media_base, 0, media_bytes);
	clock_set(START_NS);
	model_make(m);
	making = base->name;
	err_t err = fs_mount(base->cpus, &fs, reason);
	if (err != OK)
		base_failed("mount of a blank device:", reason, err);
	base->build(fs, m);
	struct promise p = { .count = 1, .candidate = malloc(sizeof(*p.candidate)) };
	if (p.candidate == NULL)
		abort();
	p.candidate[0].model = *m;
	const char *still = promise_times(&p, fs);
	if (still != NULL)
		base_failed("its time did not move:", still, OK);
	*m = p.candidate[0].model;
	free(p.candidate);
	err = pmfs_unmount(fs);
	if (err != OK)
		base_failed("unmount", "", err);
	media_keep();
}
