/* SPDX-License-Identifier: BSD-2-Clause */
/* fsx.h - several processes do random things to the files of one folder, and know at each byte what has to be there: a
 * model of all files lies in memory that they share. In turns, one does something at a time, in an order that the seed
 * gives: that repeats. At once, only who uses the same file waits for another.
 * Locks: names_lock, then a body's, the lower one first. [n] names_lock  [b] the body's  [I] immutable in a round. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CLIENTS_MAX 4
#define NAMES 10
#define BODIES 40            /* more than names and descriptors together */
#define BODY_BYTES (48 * 4096)
#define SLOTS 5              /* descriptors of a process */
#define NOTES 512
#define BLOCK 4096
#define NO_BODY UINT32_MAX

struct body { /* what is in a file, whatever its names */
	uint32_t lock;
	uint32_t names;       /* [n] */
	uint32_t users;       /* [n] descriptors */
	bool linkable;        /* [n] has never had a name */
	uint64_t size;        /* [b] */
	uint8_t data[BODY_BYTES]; /* [b] zero behind the size */
};

struct note {
	uint32_t client;
	uint32_t body;
	const char *what;     /* a text of the program, which is the same in every process */
	uint64_t number, offset, bytes;
};

struct state {
	uint64_t seed;        /* [I] */
	bool in_turns;        /* [I] */
	uint32_t clients;     /* [I] */
	uint32_t stop;        /* [a] */
	uint32_t failed;      /* [a] */
	uint32_t turn;        /* [a] whose it is */
	uint64_t turns;       /* of whose turn it is */
	uint64_t operations;  /* [a] */
	uint32_t names_lock;
	uint32_t name[NAMES]; /* [n] a body, or NO_BODY */
	struct body body[BODIES];
	uint32_t notes;       /* [a] */
	struct note note[NOTES];
};

struct slot {
	int fd;               /* -1: unused */
	bool writable, append;
	uint32_t body;
	uint8_t *map;         /* all of it, or NULL */
	bool map_writable;
};

struct client {
	uint32_t number;
	uint64_t random;
	uint64_t done;        /* operations */
	struct slot slot[SLOTS];
};

extern struct state *state;

/* --- state.c --- */

struct state *state_open(bool fresh);
void state_close(void);
uint64_t random_next(uint64_t *seed);
uint64_t random_below(struct client *c, uint64_t limit);
void lock_take(uint32_t *lock);
void lock_give(uint32_t *lock);
void names_path(uint32_t name, char out[64]);
/* What is done next, for who has to read about a failure. */
void note(const struct client *c, const char *what, uint32_t body, uint64_t offset, uint64_t bytes);
/* It is not as it has to be: told once, with what was done before to the same file; everybody stops. Always false. */
bool failure(const struct client *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- data.c: on a descriptor; the body is locked by these --- */

bool data_step(struct client *c, struct slot *s);
/* Is all of the body as the model says, read through this descriptor? */
bool data_check(const struct client *c, int fd, const struct body *body);

/* --- ranges.c: the same, with blocks that come, go and move. The body is locked --- */

bool range_step(struct client *c, struct slot *s, struct body *body);
bool range_copy(struct client *c, const struct slot *from, const struct slot *to); /* takes the locks itself */
bool range_seek(struct client *c, const struct slot *s, const struct body *body);
uint64_t range_offset(struct client *c, uint64_t limit);

/* --- names.c --- */

bool names_step(struct client *c);
bool names_open(struct client *c, struct slot *s);
bool names_close(struct client *c, struct slot *s);
bool names_check(struct client *c);
