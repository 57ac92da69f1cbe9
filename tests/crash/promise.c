/* SPDX-License-Identifier: BSD-2-Clause */
/* promise.c - all histories that fit what the clients know: each call under way has happened or not
 * (or its first step), each that has answered is in it, with that answer. After a power cut the device
 * must hold the end of one of them. With one client those are two: the old state and the new one. */
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool candidate_same(const struct candidate *a, const struct candidate *b)
{
	return memcmp(a->steps, b->steps, sizeof(a->steps)) == 0 && memcmp(a->answer, b->answer, sizeof(a->answer)) == 0 &&
			model_hash(&a->model) == model_hash(&b->model);
}

static void candidate_drop(struct promise *p, uint32_t i)
{
	model_free(&p->candidate[i].model);
	if (i != --p->count)
		memcpy(&p->candidate[i], &p->candidate[p->count], sizeof(p->candidate[0]));
}

static void drop_same(struct promise *p)
{
	for (uint32_t i = 0; i < p->count; i++)
		for (uint32_t k = p->count; k-- > i + 1;)
			if (candidate_same(&p->candidate[i], &p->candidate[k]))
				candidate_drop(p, k);
}

/* A copy of candidate i in which client c is one step further. */
static void step_add(struct promise *p, uint32_t i, uint32_t c)
{
	if (p->count == CANDIDATES_MAX)
		abort();
	struct candidate *to = &p->candidate[p->count++], *from = &p->candidate[i];
	model_copy(&to->model, &from->model);
	memcpy(to->steps, from->steps, sizeof(to->steps));
	memcpy(to->answer, from->answer, sizeof(to->answer));
	to->answer[c] = model_apply(&to->model, c, p->call[c], ++to->steps[c], p->full[c], p->full_bytes[c]);
	for (uint32_t k = 0; k + 1 < p->count; k++) {
		if (candidate_same(&p->candidate[k], to)) {
			candidate_drop(p, p->count - 1);
			return;
		}
	}
}

void promise_make(struct promise *p, const struct model *m)
{
	memset(p, 0, sizeof(*p));
	p->candidate = malloc(CANDIDATES_MAX * sizeof(p->candidate[0]));
	if (p->candidate == NULL)
		abort();
	model_copy(&p->candidate[0].model, m);
	memset(p->candidate[0].steps, 0, sizeof(p->candidate[0].steps));
	memset(p->candidate[0].answer, 0, sizeof(p->candidate[0].answer));
	p->count = 1;
}

void promise_copy(struct promise *to, const struct promise *from)
{
	*to = *from;
	to->candidate = malloc(CANDIDATES_MAX * sizeof(to->candidate[0]));
	if (to->candidate == NULL)
		abort();
	for (uint32_t i = 0; i < from->count; i++) {
		model_copy(&to->candidate[i].model, &from->candidate[i].model);
		memcpy(to->candidate[i].steps, from->candidate[i].steps, sizeof(to->candidate[i].steps));
		memcpy(to->candidate[i].answer, from->candidate[i].answer, sizeof(to->candidate[i].answer));
	}
}

void promise_free(struct promise *p)
{
	while (p->count != 0)
		candidate_drop(p, p->count - 1);
	free(p->candidate);
}

void promise_begin(struct promise *p, uint32_t client, const struct call *call, bool full, uint64_t full_bytes)
{
	p->call[client] = call;
	p->full[client] = full;
	p->full_bytes[client] = full_bytes;
	p->target[client] = call_target(&p->candidate[0].model, call, client);
	for (uint32_t i = 0; i < p->count; i++)
		for (uint32_t c = 0; c < CLIENTS; c++)
			if (p->call[c] != NULL && p->candidate[i].steps[c] < call_steps(p->call[c]))
				step_add(p, i, c);
}

bool promise_end(struct promise *p, uint32_t client, err_t answer)
{
	const uint32_t steps = call_steps(p->call[client]);

	for (uint32_t i = p->count; i-- > 0;) {
		struct candidate *at = &p->candidate[i];
		if (at->steps[client] != steps || at->answer[client] != answer) {
			candidate_drop(p, i);
			continue;
		}
		at->steps[client] = 0;
		at->answer[client] = OK;
	}
	p->call[client] = NULL;
	drop_same(p);
	return p->count != 0;
}

const char *promise_times(struct promise *p, struct pmfs *fs)
{
	struct fs_stat st;

	for (uint32_t i = 0; i < p->count; i++) {
		struct model *m = &p->candidate[i].model;
		for (uint32_t k = 0; k < m->names; k++) {
			struct model_node *n = &m->node[m->name[k].node];
			if (n->mtime_known || n->late || pmfs_stat(fs, m->name[k].path, false, &st) != OK)
				continue;
			if (n->mtime == st.mtime && !n->mtime_may_stay)
				return m->name[k].path;
			n->mtime_may_stay = false;
			n->mtime_known = true;
			n->mtime = st.mtime;
		}
	}
	return NULL;
}

uint64_t promise_hash(const struct promise *p)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < p->count; i++) {
		uint64_t h = model_hash(&p->candidate[i].model);
		for (uint32_t c = 0; c < CLIENTS; c++)
			if (p->call[c] != NULL)
				h = mix64(h + ((uint64_t)p->call[c]->kind << 32) + (p->call[c]->serial << 4) +
						p->candidate[i].steps[c]);
		sum += mix64(h);
	}
	return sum;
}

/* A write looks its path up when it begins, or a little later: bit c of `later` says which for client c. */
static void candidate_torn(const struct promise *p, const struct candidate *candidate, uint32_t later,
		struct torn torn[CLIENTS])
{
	for (uint32_t c = 0; c < CLIENTS; c++) {
		torn[c] = (struct torn) { .call = candidate->steps[c] == 0 ? p->call[c] : NULL, .node = p->target[c] };
		if (torn[c].call != NULL && (later >> c & 1))
			torn[c].node = call_target(&candidate->model, torn[c].call, c);
	}
}

static bool candidate_matches(const struct promise *p, const struct candidate *candidate, uint32_t later,
		const struct finding *found, char why[300])
{
	struct torn torn[CLIENTS];

	candidate_torn(p, candidate, later, torn);
	return model_matches(&candidate->model, torn, found, why);
}

bool promise_matches(const struct promise *p, const struct finding *found, char why[300])
{
	char one[300];
	size_t at = 0;

	why[0] = 0;
	for (uint32_t i = 0; i < p->count; i++) {
		const struct candidate *candidate = &p->candidate[i];
		for (uint32_t later = 0; later < 1u << CLIENTS; later++)
			if (candidate_matches(p, candidate, later, found, one))
				return true;
		if (at < 200)
			at += (size_t)snprintf(why + at, 300 - at, "%s%.140s", at != 0 ? "; nor: " : "", one);
	}
	return false;
}

static const struct found *found_of(const struct model *m, uint32_t node, const struct finding *found)
{
	for (uint32_t i = 0; i < m->names && i < found->count; i++) /* they match, so the names are the same */
		if (m->name[i].node == node)
			return &found->entry[i];
	return NULL;
}

/* What was being written over is seen, and need not be durable; a copy under way has the size that is seen. */
static void candidate_leave_open(const struct promise *p, struct candidate *candidate, uint32_t later,
		const struct finding *found)
{
	struct torn torn[CLIENTS];

	candidate_torn(p, candidate, later, torn);
	for (uint32_t c = 0; c < CLIENTS; c++) {
		if (torn[c].call == NULL || torn[c].node < 0)
			continue;
		struct model_node *n = &candidate->model.node[torn[c].node];
		const struct found *f = found_of(&candidate->model, (uint32_t)torn[c].node, found);
		n->opaque |= torn[c].call->kind == CALL_COPY ||
				(torn[c].call->kind != CALL_APPEND && torn[c].call->offset < n->size);
		n->mtime_known = false;
		if (f != NULL)
			n->size = f->st.size;
	}
}

/* As after a kill: nobody has a file open, and times that were late are lost. */
static void candidate_close_all(struct candidate *candidate)
{
	static const struct call close = { .kind = CALL_CLOSE, .a = "" };
	struct model *m = &candidate->model;

	for (uint32_t i = 0; i < MODEL_NODES; i++) {
		m->node[i].mtime_known &= !m->node[i].late;
		m->node[i].late = false;
	}
	for (uint32_t c = 0; c < CLIENTS; c++)
		(void)model_apply(m, c, &close, 1, false, 0);
	memset(candidate->steps, 0, sizeof(candidate->steps));
	memset(candidate->answer, 0, sizeof(candidate->answer));
}

bool promise_narrow(struct promise *p, const struct finding *found, char why[300])
{
	if (!promise_matches(p, found, why))
		return false;
	for (uint32_t i = p->count; i-- > 0;) {
		struct candidate *at = &p->candidate[i];
		char one[300];
		bool fits = false;
		for (uint32_t later = 0; later < 1u << CLIENTS; later++) {
			if (!candidate_matches(p, at, later, found, one))
				continue;
			fits = true;
			candidate_leave_open(p, at, later, found);
		}
		if (fits)
			candidate_close_all(at);
		else
			candidate_drop(p, i);
	}
	memset(p->call, 0, sizeof(p->call));
	drop_same(p);
	return true;
}
