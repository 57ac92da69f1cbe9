/* SPDX-License-Identifier: BSD-2-Clause */
/* fit.c - is what was found on media a state that the steps can have left? For the guest (check.c), and for
 * tests/crash on the machine that looks on. */
#include "steps.h"

#include <string.h>

/* Bytes of the body on media against two states: each is of one of them. Stores through a mapping may be of single
 * bytes. */
static bool bytes_fit(const struct body *media, const struct body *before, const struct body *after)
{
	const uint32_t least = before->size < after->size ? before->size : after->size;
	const uint32_t most = before->size + after->size - least;

	if (media->size < least || media->size > most)
		return false;
	for (uint32_t i = 0; i < media->size; i++)
		if (media->bytes[i] != before->bytes[i] && media->bytes[i] != after->bytes[i])
			return false;
	return true;
}

bool folders_fit(const struct folder *media, const struct folder *f, const struct folder *old, int mixed)
{
	for (uint32_t i = 0; i < FOLDERS; i++)
		if (media->made[i] != f->made[i])
			return false;
	for (uint32_t i = 0; i < NAMES; i++) {
		if ((media->name[i] == NOTHING) != (f->name[i] == NOTHING))
			return false;
		if (f->name[i] == NOTHING)
			continue;
		const struct body *have = &media->body[media->name[i]], *want = &f->body[f->name[i]];
		if (have->names != want->names || have->mode != want->mode)
			return false;
		if (!bytes_fit(have, f->name[i] == mixed ? &old->body[mixed] : want, want))
			return false;
	}
	return true;
}

bool step_under_way(const struct folder *media, struct folder *f, struct folder *old, const struct step *step)
{
	memcpy(old, f, sizeof(*old));
	step_apply(f, step);
	if (step->kind > STEP_STORE)
		return false;
	const int mixed = f->name[step->a];
	if (step->kind == STEP_CREATE)
		memset(&old->body[mixed], 0, sizeof(old->body[mixed]));
	return folders_fit(media, f, old, mixed);
}
