/* SPDX-License-Identifier: BSD-2-Clause */
/* matches.c - is what was found on an image what a model says? */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 4096u

static bool all_zero(const uint8_t *data, uint64_t bytes)
{
	while (bytes != 0)
		if (data[--bytes] != 0)
			return false;
	return true;
}

static bool contents_match(const struct model_node *n, const struct found *f)
{
	uint64_t bytes;
	const uint8_t *data = model_contents(n, &bytes);

	if (n->opaque || f->data == NULL)
		return true;
	return (bytes == 0 || memcmp(f->data, data, bytes) == 0) && all_zero(f->data + bytes, f->st.size - bytes);
}

/* A hole takes blocks whole: all of it is zero, or none is yet. */
static bool block_gone(const struct found *f, uint64_t at)
{
	const uint64_t start = at / BLOCK * BLOCK;

	return all_zero(f->data + start, f->st.size - start < BLOCK ? f->st.size - start : BLOCK);
}

/* A write that has not been committed: the size is the old one; of the blocks that were there before,
 * each word is old or new; holes are holes. */
static bool torn_matches(const struct model_node *n, const struct call *c, const struct found *f)
{
	const uint64_t offset = c->kind == CALL_APPEND ? n->size : c->offset;
	uint64_t have;
	const uint8_t *old = model_contents(n, &have);

	if (f->st.size != n->size || n->opaque || f->data == NULL)
		return n->opaque && f->st.size == n->size;
	for (uint64_t at = 0; at < n->size; at += 8) {
		const uint64_t bytes = n->size - at < 8 ? n->size - at : 8;
		uint8_t was[8] = { 0 }, will[8];
		for (uint64_t i = 0; i < bytes; i++)
			was[i] = at + i < have ? old[at + i] : 0;
		if (memcmp(f->data + at, was, bytes) == 0)
			continue;
		const bool there = n->mapped[at / BLOCK / 64] >> at / BLOCK % 64 & 1;
		if ((!there && c->kind != CALL_MAPPED_STORE) || at + bytes <= offset || at >= offset + c->bytes)
			return false;
		memcpy(will, was, 8);
		for (uint64_t i = 0; i < bytes; i++)
			if (at + i >= offset && at + i < offset + c->bytes)
				call_data(c, at + i, &will[i], 1);
		if (memcmp(f->data + at, will, bytes) != 0)
			return false;
		if (c->kind == CALL_ALLOCATE && c->mode & FS_ALLOCATE_PUNCH_HOLE && at / BLOCK * BLOCK >= offset &&
				at / BLOCK * BLOCK + BLOCK <= offset + c->bytes && !block_gone(f, at))
			return false;
	}
	return true;
}

/* Some of it has been copied, from its start: the size has grown as far, words are old or new. */
static bool copied_matches(const struct model *m, const struct model_node *n, const struct call *c,
		const struct found *f)
{
	const struct model_node *from = model_find(m, c->a);
	uint64_t have, had;

	if (from == NULL || f->st.size < n->size || f->st.size > (uint64_t)c->mode + c->bytes + n->size)
		return false;
	if (from->opaque || n->opaque || f->data == NULL)
		return from->opaque || n->opaque;
	const uint8_t *source = model_contents(from, &had), *old = model_contents(n, &have);
	for (uint64_t at = 0; at < f->st.size; at++) {
		const bool in = at >= c->mode && at < (uint64_t)c->mode + c->bytes;
		const uint64_t there = c->offset + at - c->mode;
		const uint8_t was = at < have ? old[at] : 0, will = in && there < had ? source[there] : 0;
		const bool may_be_old = !in || at < n->size;
		if (!(may_be_old && f->data[at] == was) && !(in && f->data[at] == will))
			return false;
	}
	return true;
}

static uint32_t model_links(const struct model *m, const struct model_name *name)
{
	const struct model_node *n = &m->node[name->node];
	const size_t length = strlen(name->path);
	uint32_t links = 2;

	if (n->type != FS_TYPE_DIRECTORY)
		return n->links;
	for (uint32_t i = 0; i < m->names; i++) {
		const char *path = m->name[i].path;
		links += strncmp(path, name->path, length) == 0 && path[length] == '/' &&
				strchr(path + length + 1, '/') == NULL && m->node[m->name[i].node].type == FS_TYPE_DIRECTORY;
	}
	return links;
}

int32_t call_target(const struct model *m, const struct call *call, uint32_t client)
{
	const struct model_node *n = NULL;

	switch (call->kind) {
	case CALL_ALLOCATE:
		if (!call_zeroes(call))
			return -1;
		__attribute__((fallthrough));
	case CALL_WRITE: case CALL_APPEND: case CALL_MAPPED_STORE:
		n = model_find(m, call->a);
		return n != NULL && n->type == FS_TYPE_FILE ? (int32_t)(n - m->node) : -1;
	case CALL_COPY:
		n = model_find(m, call->b);
		return n != NULL && n->type == FS_TYPE_FILE ? (int32_t)(n - m->node) : -1;
	case CALL_FILE_WRITE:
		return m->file[client];
	default:
		return -1;
	}
}

static bool entry_matches(const struct model *m, uint32_t i, const struct torn torn[CLIENTS], const struct found *f,
		char why[300])
{
	const struct model_node *n = &m->node[m->name[i].node];
	bool writing = false, halfway = false; /* the inode's lock lets only one write at a time */
	const char *what = NULL;

	for (uint32_t c = 0; c < CLIENTS && n->type == FS_TYPE_FILE; c++) {
		if (torn[c].call == NULL || torn[c].node != (int32_t)m->name[i].node)
			continue;
		writing = true;
		halfway |= torn[c].call->kind == CALL_COPY ? copied_matches(m, n, torn[c].call, f)
				: torn_matches(n, torn[c].call, f);
	}

	if (f->st.type != n->type)
		what = "type";
	else if (f->st.links != model_links(m, &m->name[i]))
		what = "links";
	else if (f->st.mode != n->mode)
		what = "mode";
	else if (memcmp(f->xattr, n->xattr, sizeof(n->xattr)) != 0)
		what = "extended attribute";
	else if (n->mtime_known && !n->late && f->st.mtime != n->mtime && !writing)
		what = "time";
	else if (halfway)
		return true;
	else if (n->type != FS_TYPE_DIRECTORY && f->st.size != n->size)
		what = "size";
	else if (n->type != FS_TYPE_DIRECTORY && !contents_match(n, f))
		what = "contents";
	if (what == NULL)
		return true;
	snprintf(why, 300, "%.60s: other %s (%llu bytes, %u links, mode %o, mtime %llu; expected %llu, %u, %o, %llu)",
			f->path, what, (unsigned long long)f->st.size, f->st.links, f->st.mode, (unsigned long long)f->st.mtime,
			(unsigned long long)n->size, model_links(m, &m->name[i]), n->mode, (unsigned long long)n->mtime);
	return false;
}

/* Names of one node lead to one inode, names of two to two. */
static bool identities_match(const struct model *m, const struct finding *found, char why[300])
{
	for (uint32_t i = 0; i < found->count; i++) {
		for (uint32_t k = 0; k < i; k++) {
			const bool same = found->entry[i].st.inode == found->entry[k].st.inode;
			if (same == (m->name[i].node == m->name[k].node))
				continue;
			snprintf(why, 300, "%.60s and %.60s are %s file", found->entry[k].path, found->entry[i].path,
					same ? "the same" : "not the same");
			return false;
		}
	}
	return true;
}

bool model_matches(const struct model *m, const struct torn torn[CLIENTS], const struct finding *found,
		char why[300])
{
	for (uint32_t i = 0; i < m->names || i < found->count; i++) {
		const int order = i == m->names ? 1 : i == found->count ? -1 : strcmp(m->name[i].path, found->entry[i].path);
		if (order != 0) {
			snprintf(why, 300, order < 0 ? "%.60s is missing" : "%.60s is there",
					order < 0 ? m->name[i].path : found->entry[i].path);
			return false;
		}
		if (!entry_matches(m, i, torn, &found->entry[i], why))
			return false;
	}
	return identities_match(m, found, why);
}
