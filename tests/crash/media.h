/* SPDX-License-Identifier: BSD-2-Clause */
/* media.h - the one device of the crash engine: a buffer that can go back to any earlier state, and
 * the stores in flight on it.
 * Every store of pmfs arrives here before it takes effect (pmem_host.h, pm_watch). Its old bytes go
 * to an undo log, so an image is never copied: it is made in place, mounted, used, and undone.
 * While somebody records, the store is also kept in its line, until a fence of the client that has
 * written the line back makes it durable. From the lines in flight come the states that a power cut
 * could leave: of each line, any prefix of its stores.
 *
 * Hashes add up over lines, so that a state's hash costs only the lines in which it differs. Journal
 * blocks are added up apart: after a mount, what they hold does not matter any more. */
#pragma once

#include "fs/pmfs/pmem.h"

#define CLIENTS 2

struct media_hash {
	uint64_t data;
	uint64_t journal;
};

/* At most 8 bytes, in one aligned word. */
struct store {
	uint32_t next;   /* in its line; 0: the last */
	uint8_t offset;  /* in the line */
	uint8_t bytes;
	uint8_t marks;   /* bit c: client c has written it back, its next fence makes it durable */
	uint8_t data[8];
};

struct line {
	uint32_t index;  /* on the device */
	uint32_t first;  /* store */
	uint32_t last;
	uint16_t stores;
	uint16_t prefix; /* of its stores: what the buffer holds now, while states are tried */
	uint32_t bulk;   /* number of the call that stored it, if that stored many lines; 0 */
	uint8_t durable[PMEM_LINE];
	uint8_t live[PMEM_LINE]; /* while states are tried */
};

struct recorder {
	struct line *line;
	uint32_t lines;
	uint32_t lines_room;
	struct store *store; /* [0] is nobody's */
	uint32_t stores;
	uint32_t stores_room;
	uint32_t *where;     /* by line of the device: its place in line[] + 1 */
	uint32_t calls;
	struct media_hash durable; /* of the durable image; what it starts with is the caller's */
	void (*on_fence)(void *context); /* before a fence takes effect */
	void *context;
	bool turns;          /* clients take turns at its fences */
};

extern uint8_t *media_base;
extern uint64_t media_bytes;
extern uint32_t media_client; /* who stores */

void media_make(uint64_t bytes);
void media_journals(uint64_t from, uint64_t to); /* bytes of the device */

/* Going back. */
size_t media_mark(void);
void media_undo(size_t mark);
void media_keep(void); /* forget how to go back */

/* Recording: one recorder at a time; NULL ends it, what is in flight then becomes durable. */
void recorder_make(struct recorder *r);
void recorder_free(struct recorder *r);
struct recorder *media_record(struct recorder *r); /* the one before */

/* Who stores dies after so many more events (stores, write-backs, fences): what he does from then on is not recorded,
 * and undone when the media is revived. media_revive: was he dead? */
uint64_t media_events(void); /* so far */
void media_die_after(uint64_t events);
bool media_revive(void);

/* What is in flight in `from`, of each line the first stores[i] stores, with nothing written back yet. */
void recorder_inherit(struct recorder *to, const struct recorder *from, const uint16_t *stores);

/* States: between begin and end the buffer holds the durable image and a prefix of each line. */
void states_begin(struct recorder *r);
void state_set(struct recorder *r, const uint16_t *prefix, struct media_hash *hash);
void states_end(struct recorder *r);

/* What changed on the device since: the hash of that. */
void media_changes_begin(void);
struct media_hash media_changes_end(void);

uint64_t mix64(uint64_t x);
static inline uint64_t random_next(uint64_t *seed)
{
	*seed += 0x9e3779b97f4a7c15ull;
	return mix64(*seed);
}
