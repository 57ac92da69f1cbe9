/* SPDX-License-Identifier: BSD-2-Clause */
/* steps.c - the sequence of steps, and what each makes of a folder; see steps.h. */
#include "steps.h"

#include <string.h>

#define WRITE_BYTES_MAX 9000u

static uint64_t mixed(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

/* The low bits of *state, below n; and on to the next. */
static uint32_t draw(uint64_t *state, uint32_t n)
{
	*state = mixed(*state);
	return (uint32_t)((*state >> 20) % n);
}

void pattern_fill(uint8_t *to, const struct step *step)
{
	uint64_t state = step->pattern;

	for (uint32_t i = 0; i < step->bytes; i++) {
		if (i % 8 == 0)
			state = mixed(state);
		to[i] = (uint8_t)(state >> i % 8 * 8);
	}
}

void folder_clear(struct folder *f)
{
	memset(f, 0, sizeof(*f));
	for (uint32_t i = 0; i < NAMES; i++)
		f->name[i] = NOTHING;
}

/* What to do to a file that is there. */
static void step_on_file(const struct folder *f, struct step *step, uint64_t *state)
{
	static const enum step_kind kinds[] = { STEP_APPEND, STEP_APPEND, STEP_OVERWRITE, STEP_OVERWRITE, STEP_STORE,
		STEP_TRUNCATE, STEP_MODE, STEP_RENAME, STEP_RENAME, STEP_LINK, STEP_UNLINK };
	const struct body *body = &f->body[f->name[step->a]];

	step->kind = kinds[draw(state, sizeof(kinds) / sizeof(kinds[0]))];
	step->b = (step->a + 1 + draw(state, NAMES - 1)) % NAMES;
	if (step->kind == STEP_LINK && f->name[step->b] != NOTHING)
		step->kind = STEP_RENAME;
	if (step->kind == STEP_RENAME && f->name[step->b] == f->name[step->a])
		step->kind = STEP_UNLINK; /* renaming a file to another of its names does nothing */
	if (step->kind == STEP_APPEND && body->size + step->bytes > BODY_BYTES_MAX)
		step->kind = STEP_TRUNCATE;
	if ((step->kind == STEP_OVERWRITE || step->kind == STEP_STORE) && body->size == 0)
		step->kind = STEP_APPEND;
	if (step->kind == STEP_TRUNCATE) {
		step->bytes = draw(state, body->size + 5000);
		if (step->bytes > BODY_BYTES_MAX)
			step->bytes = BODY_BYTES_MAX;
	} else if (step->kind == STEP_MODE) {
		step->bytes = 0600 | draw(state, 0100);
	} else if (step->kind == STEP_OVERWRITE || step->kind == STEP_STORE) {
		step->offset = draw(state, body->size);
		if (step->bytes > body->size - step->offset)
			step->bytes = body->size - step->offset;
	} else {
		step->offset = body->size;
	}
}

struct step step_next(const struct folder *f, uint64_t seed, uint32_t worker, uint64_t number)
{
	uint64_t state = mixed(seed) ^ mixed(number * COLD_WORKERS_MAX + worker);
	struct step step = { .a = draw(&state, NAMES), .bytes = 1 + draw(&state, WRITE_BYTES_MAX) };

	step.pattern = mixed(state);
	if (draw(&state, 12) == 0) {
		step.kind = STEP_FOLDER;
		step.a %= FOLDERS;
	} else if (f->name[step.a] == NOTHING) {
		step.kind = STEP_CREATE;
	} else {
		step_on_file(f, &step, &state);
	}
	return step;
}

static int body_take(struct folder *f)
{
	int i = 0;

	while (f->body[i].names != 0)
		i++; /* there are as many as names, and the name is free */
	memset(&f->body[i], 0, sizeof(f->body[i]));
	return i;
}

static void name_end(struct folder *f, uint32_t name)
{
	if (f->name[name] != NOTHING)
		f->body[f->name[name]].names--;
	f->name[name] = NOTHING;
}

static void body_write(struct body *body, const struct step *step)
{
	pattern_fill(body->bytes + step->offset, step);
	if (body->size < step->offset + step->bytes)
		body->size = step->offset + step->bytes;
}

static void body_resize(struct body *body, uint32_t size)
{
	if (size < body->size)
		memset(body->bytes + size, 0, body->size - size);
	body->size = size;
}

void step_apply(struct folder *f, const struct step *step)
{
	struct body *body = step->kind == STEP_FOLDER || step->kind == STEP_CREATE ? NULL : &f->body[f->name[step->a]];

	switch (step->kind) {
	case STEP_CREATE:
		f->name[step->a] = body_take(f);
		body = &f->body[f->name[step->a]];
		body->names = 1;
		body->mode = 0644;
		body_write(body, step);
		break;
	case STEP_APPEND:
	case STEP_OVERWRITE:
	case STEP_STORE:
		body_write(body, step);
		break;
	case STEP_TRUNCATE:
		body_resize(body, step->bytes);
		break;
	case STEP_MODE:
		body->mode = step->bytes;
		break;
	case STEP_RENAME:
		name_end(f, step->b);
		f->name[step->b] = f->name[step->a];
		f->name[step->a] = NOTHING;
		break;
	case STEP_LINK:
		f->name[step->b] = f->name[step->a];
		body->names++;
		break;
	case STEP_UNLINK:
		name_end(f, step->a);
		break;
	case STEP_FOLDER:
		f->made[step->a] = !f->made[step->a];
		break;
	}
}
