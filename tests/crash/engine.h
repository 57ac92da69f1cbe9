/* SPDX-License-Identifier: BSD-2-Clause */
/* engine.h - what the parts of the crash engine share. Reading order: README.md. */
#pragma once

#include "model.h"

#include "fs/pmfs/pmfs.h"

#define OPERATION_CALLS 5
#define SEQUENCE_MAX 8

/* What a generated sequence consists of. */
struct operation {
	const char *name;
	struct call call[OPERATION_CALLS]; /* up to the first without a path */
};
extern const struct operation operations[];
extern const uint32_t operations_count;

/* --- starting points (bases.c) --- */

struct base {
	const char *name;
	uint32_t cpus;
	bool may_be_full;
	bool slow;           /* many inodes: fewer sequences */
	bool (*wants)(const struct operation *o); /* NULL: all */
	void (*build)(struct pmfs *fs, struct model *m);
};
extern const struct base bases[];
extern const uint32_t bases_count;
/* One that the base wants. */
const struct operation *operation_choose(const struct base *base, uint64_t *seed);
/* Make it on the device, cleanly unmounted; its model. */
void base_make(const struct base *base, struct model *m);

/* --- calls on pmfs (calls.c) --- */

struct outcome {
	err_t err;
	uint64_t done; /* writes: bytes */
};
struct outcome call_run(struct pmfs *fs, uint32_t client, const struct call *call);
bool call_is_last(const struct operation *o, uint32_t i);
/* Tried before, it found no room, or for a part only. */
bool call_meets_end(const struct call *call, const struct outcome *tried);
/* The clients' open files, and what they hold of files that they have mapped, to go on with others; and back. */
struct held {
	struct pmfs_run run; /* one run of blocks, until it is taken back; 0 bytes: nothing */
};
struct open_files {
	struct inode *file[CLIENTS];
	struct held held[CLIENTS];
};
void open_files_swap(struct open_files *other);
/* Everything that is there; false: something cannot be read (`why`). */
bool finding_make(struct pmfs *fs, const struct model *m, struct finding *out, char why[300]);
err_t fs_mount(uint32_t cpus, struct pmfs **out, char reason[PMFS_REASON_BYTES]);

/* --- no room (room.c) --- */

/* So many blocks are free from now on, while it is not paused. */
void room_begin(uint64_t blocks);
bool room_pause(void); /* for room_go_on */
void room_go_on(bool counting);
bool room_met(void); /* somebody wanted more */

/* --- what a power cut must leave (promise.c) --- */

/* One history that fits what the clients have been told; `steps[c]` of client c's call are in it. */
struct candidate {
	struct model model;
	uint32_t steps[CLIENTS];
	err_t answer[CLIENTS];
};
#define CANDIDATES_MAX 96
struct promise {
	uint32_t count;
	struct candidate *candidate; /* CANDIDATES_MAX of them */
	const struct call *call[CLIENTS]; /* under way */
	bool full[CLIENTS];
	uint64_t full_bytes[CLIENTS];
	int32_t target[CLIENTS]; /* of a write: the node when it began; its name may be another one since */
};
void promise_make(struct promise *p, const struct model *m);
void promise_copy(struct promise *to, const struct promise *from);
void promise_free(struct promise *p);
void promise_begin(struct promise *p, uint32_t client, const struct call *call, bool full, uint64_t full_bytes);
/* The client has its answer. False: no history gives that one. */
bool promise_end(struct promise *p, uint32_t client, err_t answer);
/* Times as they are on the running file system, where only one client ran: durable from now on. NULL, or
 * the path of something that was changed and whose time did not move. */
const char *promise_times(struct promise *p, struct pmfs *fs);
/* Calls under way end without an answer, and open files are closed; the histories that fit what another file system
 * found then remain, and what of a write's data is durable is left open. False: none fits. */
bool promise_narrow(struct promise *p, const struct finding *found, char why[300]);
uint64_t promise_hash(const struct promise *p);
bool promise_matches(const struct promise *p, const struct finding *found, char why[300]);

/* --- one image (verify.c) --- */

/* pmfs_check is content; nothing is open. */
bool fs_sound(struct pmfs *fs, char why[400]);

struct verify {
	const struct promise *promise;
	const struct base *base;
	uint64_t image;    /* hash, without journals: 0: do not look it up */
	uint64_t promised; /* hash */
	uint64_t seed;
	bool cut_again;    /* also in the middle of the recovery */
};
/* The buffer holds the image, and holds it again afterwards. */
bool image_verify(const struct verify *v, char why[400]);
/* Of what is in flight `count` states: nothing, all, then random ones. For a recorder that is not the run's own. */
struct few {
	bool (*check)(struct few *few, const struct media_hash *hash, char why[400]); /* the buffer holds a state */
	const struct verify *verify; /* few_verify's; image, seed: of each state */
	uint64_t seed;
	uint32_t count;
	uint64_t only_state; /* 0: all */
	uint64_t *counted;   /* one of `counts` */
	uint64_t state;      /* of the last one */
};
bool few_states(struct few *few, struct recorder *r, char why[400]);
bool few_verify(struct few *few, const struct media_hash *hash, char why[400]);

/* --- the states of one moment (states.c) --- */

struct run;
/* At a fence, or after a call: every state that is to be tried. */
void states_try(struct run *run, struct recorder *recorder);

/* --- the process dies, the power goes later (kills.c) --- */

/* At the same moments. */
void kills_try(struct run *run, struct recorder *recorder);

/* --- a run (run.c) --- */

struct sequence {
	const struct base *base;
	uint32_t clients;
	uint32_t length[CLIENTS];
	const struct operation *operation[CLIENTS][SEQUENCE_MAX];
	uint64_t seed;      /* of the interleaving, and of states chosen at random */
	uint32_t first;     /* operations before that one are only carried out (client 0) */
	bool cut_again;     /* each state, in the middle of its recovery */
	uint32_t room;      /* so many blocks are free, plus one; 0: as the base says */
	const struct operation *after_kill; /* of the next pmfs; this one is killed at each moment. NULL: at some moments */
};

struct run {
	const struct sequence *sequence;
	struct recorder recorder;
	struct promise promise;
	struct pmfs *fs;
	const struct model *model;
	struct outcome dry[SEQUENCE_MAX * OPERATION_CALLS];
	bool dry_run;
	bool trying;
	uint32_t point;       /* number of this moment in the sequence */
	bool room_met;
	uint32_t calls[CLIENTS];
	const char *where[CLIENTS]; /* operation under way */
	uint32_t only_point;  /* 0: all */
	uint64_t only_state;  /* 0: all */
	bool failed;
	char why[600];
};
/* False: something is wrong; told on stderr. */
bool sequence_run(struct run *run, const struct sequence *s, const struct model *base_model, uint64_t base_hash);

/* --- sequences as text (sequences.c) --- */

void sequence_name(const struct sequence *s, char out[800]);
/* False: there is none of that name. `seed`: if the text has none. */
bool sequence_parse(const char *text, uint64_t seed, struct sequence *s);
/* Every run begins with them, and cuts each of their states again. */
extern const char *const sequences_cut_again[];
extern const uint32_t sequences_cut_again_count;
/* Then these, which are killed at each moment. */
extern const char *const sequences_killed[];
extern const uint32_t sequences_killed_count;

/* --- what a whole machine did (trace.c) --- */

/* The plugin's trace (tools/meter/trace.h) of a guest in which `workers` threads of tests/cold did `steps` steps each,
 * and how the media was in the end. Exit status. */
struct trace_options {
	const char *trace;
	const char *media;
	uint64_t seed;
	uint32_t workers;
	uint64_t steps;
};
int trace_check(const struct trace_options *options);

/* --- counts that all processes share (counts.c) --- */

struct counts {
	uint64_t sequences;
	uint64_t points;
	uint64_t tried;      /* states, also those seen before */
	uint64_t images;     /* distinct ones */
	uint64_t mounts;
	uint64_t uses;       /* checked and used: what recovery left was new */
	uint64_t recoveries; /* cuts in the middle of a recovery */
	uint64_t kills;
	uint64_t killed;     /* cuts after one */
	uint64_t deaths;     /* of the next one, in its recovery */
	uint64_t failures;
	uint64_t full_sets;
};
extern struct counts *counts;
extern uint32_t random_states; /* at each moment, where not all are tried */
extern uint32_t states_limit;  /* at each moment */

void counts_make(uint32_t bits);
static inline void count(uint64_t *what, uint64_t n)
{
	__atomic_fetch_add(what, n, __ATOMIC_RELAXED);
}
enum seen_set { SEEN_IMAGE, SEEN_STATE, SEEN_RECOVERED, SEEN_SETS };
bool seen_before(enum seen_set set, uint64_t key);
