/* SPDX-License-Identifier: BSD-2-Clause */
/* steps.h - what the load of the cold kills does: an endless sequence of steps for each worker, given by seed, worker
 * and number alone, so that whoever looks after the kill can tell what must be there without having seen it.
 * struct folder is a worker's folder as it should be: names lead to bodies, a body may have several names. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define COLD_FOLDER "/pmem/cold"
#define COLD_WORKERS_MAX 4
#define NAMES 8u
#define FOLDERS 4u
#define BODY_BYTES_MAX 40000u
#define NOTHING (-1)

enum step_kind {
	STEP_CREATE,    /* name `a` is free: a file of `bytes` bytes */
	STEP_APPEND,    /* to `a` */
	STEP_OVERWRITE, /* within `a`, and fsync */
	STEP_STORE,     /* the same through a mapping, and msync */
	STEP_TRUNCATE,  /* `a` becomes `bytes` long */
	STEP_MODE,      /* `a` gets the mode `bytes` */
	STEP_RENAME,    /* `a` to `b`, which may be there */
	STEP_LINK,      /* `b` is free */
	STEP_UNLINK,
	STEP_FOLDER     /* folder `a` is made, or removed if it is there */
};

struct step {
	enum step_kind kind;
	uint32_t a, b;
	uint32_t offset, bytes;
	uint64_t pattern;
};

struct body {
	uint32_t names;
	uint32_t size;
	uint32_t mode;
	uint8_t bytes[BODY_BYTES_MAX];
};

struct folder {
	int name[NAMES];         /* index of a body, or NOTHING */
	bool made[FOLDERS];
	struct body body[NAMES];
};

void folder_clear(struct folder *f);
/* The number-th step of that worker, given what its folder is. */
struct step step_next(const struct folder *f, uint64_t seed, uint32_t worker, uint64_t number);
void step_apply(struct folder *f, const struct step *step);
/* What the step writes. */
void pattern_fill(uint8_t *to, const struct step *step);

/* fit.c: the same names, folders and bodies; of the body `mixed` (NOTHING: none) bytes may also be those of `old`. */
bool folders_fit(const struct folder *media, const struct folder *f, const struct folder *old, int mixed);
/* Is the media between `f` and what the step makes of it? That is what `f` is afterwards, and `old` what it was. */
bool step_under_way(const struct folder *media, struct folder *f, struct folder *old, const struct step *step);

/* Does it to the files below `path`. False: said on stdout what went wrong. (load.c) */
bool step_do(const char *path, const struct folder *before, const struct step *step);
int cold_load(uint64_t seed, uint32_t workers, uint64_t steps); /* 0: without an end */
/* Is what the media holds what worker i has been promised with step promised[i], or a later state? Clears the folders
 * if so. Exit status. (check.c) */
int cold_check(uint64_t seed, uint32_t workers, const uint64_t *promised);
/* Removes the workers' folders, whatever is in them. */
int cold_clear(uint32_t workers);
