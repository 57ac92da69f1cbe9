/* SPDX-License-Identifier: BSD-2-Clause */
/* media.c - see media.h. The undo log is a stack of old bytes, each piece followed by its header. */
#include "media.h"
#include "clients.h"

#include "fs/pmfs/pmem_host.h"

#include <stdlib.h>
#include <string.h>

#define BULK_LINES 16 /* a call that stores more lines than that */

struct undo {
	uint64_t at;
	uint64_t bytes;
};

struct touched {
	uint32_t line;
	struct media_hash before;
};

uint8_t *media_base;
uint64_t media_bytes;
uint32_t media_client;

static struct {
	uint8_t *undo;
	size_t undo_used;
	size_t undo_room;
	uint64_t journal_from;
	uint64_t journal_to;
	struct recorder *recorder;
	uint64_t events;        /* stores, write-backs and fences */
	uint64_t dies_at;       /* the event from which on all is in vain; 0: none */
	size_t dead_mark;       /* in the undo log, when it was reached */
	bool dead;
	bool watching;          /* changes */
	uint32_t *stamp;        /* by line: the epoch in which it was touched */
	uint32_t epoch;
	struct touched *touched;
	uint32_t touches;
	uint32_t touches_room;
} media;

static void *room_for(void *memory, size_t bytes)
{
	memory = realloc(memory, bytes);
	if (memory == NULL)
		abort();
	return memory;
}

uint64_t mix64(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static void hash_line(struct media_hash *sum, uint32_t line, const uint8_t *bytes, uint64_t sign)
{
	uint64_t h = line * 0x9e3779b97f4a7c15ull + 1;

	for (uint32_t i = 0; i < PMEM_LINE; i += 8) {
		uint64_t word;
		memcpy(&word, bytes + i, 8);
		h = (h ^ word) * 0xff51afd7ed558ccdull;
		h ^= h >> 32;
	}
	const uint64_t at = (uint64_t)line * PMEM_LINE;
	if (at >= media.journal_from && at < media.journal_to)
		sum->journal += mix64(h) * sign;
	else
		sum->data += mix64(h) * sign;
}

#define PLUS 1
#define MINUS (~0ull)

/* --- the undo log --- */

size_t media_mark(void)
{
	return media.undo_used;
}

static void undo_push(uint64_t at, size_t bytes)
{
	const struct undo head = { at, bytes };

	if (media.undo_used + bytes + sizeof(head) > media.undo_room) {
		media.undo_room = (media.undo_room + bytes) * 2 + (1u << 20);
		media.undo = room_for(media.undo, media.undo_room);
	}
	memcpy(media.undo + media.undo_used, media_base + at, bytes);
	memcpy(media.undo + media.undo_used + bytes, &head, sizeof(head));
	media.undo_used += bytes + sizeof(head);
}

void media_undo(size_t mark)
{
	struct undo head;

	while (media.undo_used > mark) {
		memcpy(&head, media.undo + media.undo_used - sizeof(head), sizeof(head));
		media.undo_used -= head.bytes + sizeof(head);
		memcpy(media_base + head.at, media.undo + media.undo_used, head.bytes);
	}
}

void media_keep(void)
{
	media.undo_used = 0;
}

/* --- changes --- */

void media_changes_begin(void)
{
	media.watching = true;
	media.epoch++;
	media.touches = 0;
}

static void touch(uint64_t at, size_t bytes)
{
	for (uint64_t line = at / PMEM_LINE; line * PMEM_LINE < at + bytes; line++) {
		if (media.stamp[line] == media.epoch)
			continue;
		media.stamp[line] = media.epoch;
		if (media.touches == media.touches_room) {
			media.touches_room = media.touches_room * 2 + 1024;
			media.touched = room_for(media.touched, media.touches_room * sizeof(struct touched));
		}
		struct touched *t = &media.touched[media.touches++];
		*t = (struct touched) { .line = (uint32_t)line };
		hash_line(&t->before, t->line, media_base + line * PMEM_LINE, PLUS);
	}
}

struct media_hash media_changes_end(void)
{
	struct media_hash sum = { 0, 0 };

	media.watching = false;
	for (uint32_t i = 0; i < media.touches; i++) {
		const struct touched *t = &media.touched[i];
		hash_line(&sum, t->line, media_base + (uint64_t)t->line * PMEM_LINE, PLUS);
		sum.data -= t->before.data;
		sum.journal -= t->before.journal;
	}
	return sum;
}

/* --- stores in flight --- */

static struct line *line_get(struct recorder *r, uint32_t index)
{
	if (r->where[index] == 0) {
		if (r->lines == r->lines_room) {
			r->lines_room = r->lines_room * 2 + 256;
			r->line = room_for(r->line, r->lines_room * sizeof(struct line));
		}
		struct line *line = &r->line[r->lines++];
		memset(line, 0, offsetof(struct line, durable));
		line->index = index;
		memcpy(line->durable, media_base + (uint64_t)index * PMEM_LINE, PMEM_LINE);
		r->where[index] = r->lines;
	}
	return &r->line[r->where[index] - 1];
}

static void record_store(struct recorder *r, uint64_t at, const uint8_t *from, size_t bytes, bool non_temporal)
{
	const uint32_t bulk = bytes > BULK_LINES * PMEM_LINE ? ++r->calls : 0;

	while (bytes != 0) {
		size_t n = 8 - (at & 7);
		n = n < bytes ? n : bytes;
		if (r->stores == r->stores_room) {
			r->stores_room = r->stores_room * 2 + 4096;
			r->store = room_for(r->store, r->stores_room * sizeof(struct store));
		}
		struct line *line = line_get(r, (uint32_t)(at / PMEM_LINE));
		const uint32_t i = r->stores++;
		r->store[i] = (struct store) { .offset = (uint8_t)(at % PMEM_LINE), .bytes = (uint8_t)n,
			.marks = non_temporal ? (uint8_t)(1u << media_client) : 0 };
		if (from != NULL)
			memcpy(r->store[i].data, from, n);
		if (line->stores++ == 0)
			line->first = i;
		else
			r->store[line->last].next = i;
		line->last = i;
		line->bulk = bulk;
		at += n;
		from = from != NULL ? from + n : NULL;
		bytes -= n;
	}
}

/* --- the end of who stores --- */

uint64_t media_events(void)
{
	return media.events;
}

void media_die_after(uint64_t events)
{
	media.dies_at = media.events + events + 1;
}

bool media_revive(void)
{
	const bool dead = media.dead;

	if (dead)
		media_undo(media.dead_mark);
	media.dead = false;
	media.dies_at = 0;
	return dead;
}

static void event(void)
{
	if (++media.events != media.dies_at)
		return;
	media.dead = true;
	media.dead_mark = media.undo_used;
}

static void on_store(void *context, uint64_t at, const void *from, size_t bytes, bool non_temporal)
{
	(void)context;
	if (at > media_bytes || bytes > media_bytes - at)
		abort();
	event();
	undo_push(at, bytes);
	if (media.watching)
		touch(at, bytes);
	if (media.recorder != NULL && !media.dead)
		record_store(media.recorder, at, from, bytes, non_temporal);
}

static void on_write_back(void *context, uint64_t at, size_t bytes)
{
	struct recorder *r = media.recorder;

	(void)context;
	event();
	if (r == NULL || media.dead)
		return;
	for (uint64_t index = at / PMEM_LINE; index * PMEM_LINE < at + bytes; index++) {
		if (r->where[index] == 0)
			continue;
		const struct line *line = &r->line[r->where[index] - 1];
		for (uint32_t i = line->first, n = 0; n < line->stores; i = r->store[i].next, n++)
			r->store[i].marks |= (uint8_t)(1u << media_client);
	}
	if (r->turns)
		clients_pass();
}

/* What is marked becomes durable, and what the same line had before it. False: nothing of the line is
 * left in flight. */
static bool line_fence(struct recorder *r, struct line *line, uint8_t marks)
{
	uint32_t i = line->first, next, stores = line->stores, durable = 0;

	for (uint32_t n = 1; n <= stores; n++, i = r->store[i].next)
		if (r->store[i].marks & marks)
			durable = n;
	i = line->first;

	hash_line(&r->durable, line->index, line->durable, MINUS);
	line->stores = 0;
	for (; stores-- != 0; i = next) {
		struct store *store = &r->store[i];
		next = store->next;
		if (durable != 0) {
			durable--;
			memcpy(line->durable + store->offset, store->data, store->bytes);
			continue;
		}
		store->next = 0;
		if (line->stores++ == 0)
			line->first = i;
		else
			r->store[line->last].next = i;
		line->last = i;
	}
	hash_line(&r->durable, line->index, line->durable, PLUS);
	return line->stores != 0;
}

static void fence_all(struct recorder *r, uint8_t marks)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < r->lines; i++) {
		struct line *line = &r->line[i];
		r->where[line->index] = 0;
		if (!line_fence(r, line, marks))
			continue;
		r->line[kept] = *line;
		r->where[line->index] = ++kept;
	}
	r->lines = kept;
	if (kept == 0)
		r->stores = 1;
}

static void on_fence(void *context)
{
	struct recorder *r = media.recorder;

	(void)context;
	event();
	if (r == NULL || media.dead)
		return;
	if (r->on_fence != NULL)
		r->on_fence(r->context);
	fence_all(r, (uint8_t)(1u << media_client));
	if (r->turns)
		clients_pass();
}

void recorder_make(struct recorder *r)
{
	*r = (struct recorder) { .stores = 1, .stores_room = 4096 };
	r->store = room_for(NULL, r->stores_room * sizeof(struct store));
	r->where = calloc(media_bytes / PMEM_LINE, sizeof(*r->where));
	if (r->where == NULL)
		abort();
}

void recorder_free(struct recorder *r)
{
	free(r->line);
	free(r->store);
	free(r->where);
}

struct recorder *media_record(struct recorder *r)
{
	struct recorder *before = media.recorder;

	if (r == NULL && before != NULL) {
		for (uint32_t i = 0; i < before->lines; i++)
			before->where[before->line[i].index] = 0;
		before->lines = 0;
		before->stores = 1;
	}
	media.recorder = r;
	return before;
}

void recorder_inherit(struct recorder *to, const struct recorder *from, const uint16_t *stores)
{
	if (to->lines_room < from->lines) {
		to->lines_room = from->lines;
		to->line = room_for(to->line, to->lines_room * sizeof(struct line));
	}
	if (to->stores_room < from->stores) {
		to->stores_room = from->stores;
		to->store = room_for(to->store, to->stores_room * sizeof(struct store));
	}
	memcpy(to->store, from->store, from->stores * sizeof(struct store));
	for (uint32_t i = 0; i < from->stores; i++)
		to->store[i].marks = 0;
	to->lines = 0;
	to->stores = from->stores;
	to->durable = from->durable;
	for (uint32_t i = 0; i < from->lines; i++) {
		struct line *line = &to->line[to->lines];
		if (stores[i] == 0)
			continue;
		*line = from->line[i];
		line->stores = stores[i];
		line->last = line->first;
		for (uint16_t n = 1; n < stores[i]; n++)
			line->last = to->store[line->last].next;
		to->store[line->last].next = 0;
		to->where[line->index] = ++to->lines;
	}
}

/* --- states --- */

void states_begin(struct recorder *r)
{
	media.recorder = NULL;
	for (uint32_t i = 0; i < r->lines; i++) {
		struct line *line = &r->line[i];
		uint8_t *at = media_base + (uint64_t)line->index * PMEM_LINE;
		memcpy(line->live, at, PMEM_LINE);
		memcpy(at, line->durable, PMEM_LINE);
		line->prefix = 0;
	}
}

void state_set(struct recorder *r, const uint16_t *prefix, struct media_hash *hash)
{
	for (uint32_t i = 0; i < r->lines; i++) {
		struct line *line = &r->line[i];
		uint8_t *at = media_base + (uint64_t)line->index * PMEM_LINE;
		if (line->prefix == prefix[i])
			continue;
		hash_line(hash, line->index, at, MINUS);
		memcpy(at, line->durable, PMEM_LINE);
		uint32_t s = line->first;
		for (uint32_t n = 0; n < prefix[i]; n++, s = r->store[s].next)
			memcpy(at + r->store[s].offset, r->store[s].data, r->store[s].bytes);
		hash_line(hash, line->index, at, PLUS);
		line->prefix = prefix[i];
	}
}

void states_end(struct recorder *r)
{
	for (uint32_t i = 0; i < r->lines; i++)
		memcpy(media_base + (uint64_t)r->line[i].index * PMEM_LINE, r->line[i].live, PMEM_LINE);
	media.recorder = r;
}

void media_journals(uint64_t from, uint64_t to)
{
	media.journal_from = from;
	media.journal_to = to;
}

void media_make(uint64_t bytes)
{
	static const struct pm_watch watch = { .store = on_store, .write_back = on_write_back, .fence = on_fence };

	media_bytes = bytes;
	media_base = aligned_alloc(4096, bytes);
	media.stamp = calloc(bytes / PMEM_LINE, sizeof(*media.stamp));
	if (media_base == NULL || media.stamp == NULL)
		abort();
	memset(media_base, 0, bytes);
	pm_watch(&watch);
}
