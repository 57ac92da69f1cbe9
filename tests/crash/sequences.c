/* SPDX-License-Identifier: BSD-2-Clause */
/* sequences.c - sequences as text, and those that every run begins with.
 *     BASE[:operation+operation][|operation+operation][#N][!operation][@seed]
 * N: so many blocks are free. What follows a `!` is done by the next pmfs, after this one was killed. */
#include "engine.h"
#include "clients.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Two records share an inode, and a power cut can leave both without their places: a recovery that is cut must not
 * have made the later one's durable before the earlier one's. By one client in one journal, and by two in two.
 * And a leaf that is used again before the record that lets go of it has reached its places. The same where a journal
 * goes on in its other half, and where a record is followed by those that have destroyed what it vouches for. And an
 * inode in a part of the table that is new. */
const char *const sequences_cut_again[] = {
	"small:rename-across-over+rename-dir-over",
	"small:rename-across-over|rename-dir-over@280364429433339",
	"full:leaf-to-other-cpu",
	"small:fill-half+rename-across-over+rename-dir-over",
	"small:create-fill+rename-across-over",
	"small:slot-again-other-cpu+rename-across-over",
	"table:create+create-in-dir",
	"deep:create-in-tree",
};
const uint32_t sequences_cut_again_count = sizeof(sequences_cut_again) / sizeof(sequences_cut_again[0]);

/* Promised changes whose places are seen and not durable; records, tables, zeroes that are seen and not durable; and
 * what is made of the blocks and versions that are thought free, or old, because of them; and a write's data. */
const char *const sequences_killed[] = {
	"small:create!create-in-dir",
	"small:rename-across-over!rename-dir-over",
	"small:unlink-data!write-large",
	"small:append!append",
	"small:truncate-inside!write-beyond",
	"small:attributes!attributes",
	"small:mkdir-in-dir|create-in-dir!create-first",
	"small:truncate-kept!append",
	"small:write-sync!write-inside",
	"small:create-split!create",
	"full:leaf-to-other-cpu!append-empty",
	"full:append-kept-large!write-beyond",
	"table:create-in-dir+create!create-first",
};
const uint32_t sequences_killed_count = sizeof(sequences_killed) / sizeof(sequences_killed[0]);

void sequence_name(const struct sequence *s, char out[800])
{
	size_t at = (size_t)snprintf(out, 800, "%s", s->base->name);

	for (uint32_t c = 0; c < s->clients; c++)
		for (uint32_t i = 0; i < s->length[c] && at < 800; i++)
			at += (size_t)snprintf(out + at, 800 - at, "%c%s", i != 0 ? '+' : c == 0 ? ':' : '|',
					s->operation[c][i]->name);
	if (at < 800 && s->room != 0)
		at += (size_t)snprintf(out + at, 800 - at, "#%u", s->room - 1);
	if (at < 800 && s->after_kill != NULL)
		at += (size_t)snprintf(out + at, 800 - at, "!%s", s->after_kill->name);
	if (at < 800)
		snprintf(out + at, 800 - at, "@%llu", (unsigned long long)s->seed);
}

static const struct operation *operation_named(const char *name, size_t bytes)
{
	for (uint32_t i = 0; i < operations_count; i++)
		if (strlen(operations[i].name) == bytes && strncmp(operations[i].name, name, bytes) == 0)
			return &operations[i];
	return NULL;
}

bool sequence_parse(const char *text, uint64_t seed, struct sequence *s)
{
	const size_t base = strcspn(text, ":!@");

	*s = (struct sequence) { .clients = 1 };
	for (uint32_t i = 0; i < bases_count; i++)
		if (strlen(bases[i].name) == base && strncmp(bases[i].name, text, base) == 0)
			s->base = &bases[i];
	text += base;
	while (s->base != NULL && *text != 0 && *text != '@') {
		const bool killed = *text == '!';
		if (*text == '#') {
			s->room = 1 + (uint32_t)strtoul(text + 1, NULL, 10);
			text += strcspn(text, "!@");
			continue;
		}
		if (*text == '|')
			s->clients++;
		const size_t n = strcspn(++text, "+|#!@");
		if (killed) {
			s->after_kill = operation_named(text, n);
			if (s->after_kill == NULL || (text[n] != 0 && text[n] != '@'))
				return false;
			text += n;
			continue;
		}
		uint32_t *length = &s->length[s->clients - 1];
		if (s->clients > CLIENTS || *length == SEQUENCE_MAX)
			return false;
		s->operation[s->clients - 1][*length] = operation_named(text, n);
		if (s->operation[s->clients - 1][(*length)++] == NULL)
			return false;
		text += n;
	}
	s->seed = *text == '@' ? strtoull(text + 1, NULL, 10) : seed;
	/* moments are counted as when the sequence was found */
	s->first = s->clients > 1 ? 0 : s->length[0] == 2 ? 1 : s->length[0] > 2 ? s->length[0] - 2 : 0;
	return s->base != NULL;
}
