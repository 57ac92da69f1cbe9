/* SPDX-License-Identifier: BSD-2-Clause */
/* model.c - see model.h. */
#include "model.h"

#include "fs/pmfs/stores.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 4096u

struct blob {
	uint32_t references;
	uint32_t bytes;
	uint64_t hash;
	uint8_t data[];
};

static struct blob *blob_make(uint32_t bytes)
{
	struct blob *blob = calloc(1, sizeof(*blob) + bytes);

	if (blob == NULL)
		abort();
	blob->references = 1;
	blob->bytes = bytes;
	return blob;
}

static void blob_drop(struct blob *blob)
{
	if (blob != NULL && --blob->references == 0)
		free(blob);
}

static void blob_seal(struct blob *blob)
{
	uint64_t h = blob->bytes;

	for (uint32_t i = 0; i < blob->bytes; i++)
		h = (h ^ blob->data[i]) * 0x100000001b3ull;
	blob->hash = h;
}

const uint8_t *model_contents(const struct model_node *n, uint64_t *bytes)
{
	*bytes = n->blob != NULL ? n->blob->bytes : 0;
	return n->blob != NULL ? n->blob->data : NULL;
}

void model_make(struct model *m)
{
	memset(m, 0, sizeof(*m));
	for (uint32_t i = 0; i < CLIENTS; i++)
		m->file[i] = -1;
}

void model_copy(struct model *to, const struct model *from)
{
	memcpy(to, from, offsetof(struct model, name) + from->names * sizeof(struct model_name));
	memcpy(to->node, from->node, sizeof(to->node));
	memcpy(to->file, from->file, sizeof(to->file));
	for (uint32_t i = 0; i < MODEL_NODES; i++)
		if (to->node[i].blob != NULL)
			to->node[i].blob->references++;
}

void model_free(struct model *m)
{
	for (uint32_t i = 0; i < MODEL_NODES; i++)
		blob_drop(m->node[i].blob);
}

uint64_t model_hash(const struct model *m)
{
	uint64_t h = m->names;

	for (uint32_t i = 0; i < m->names; i++) {
		for (const char *c = m->name[i].path; *c != 0; c++)
			h = (h ^ (uint8_t)*c) * 0x100000001b3ull;
		const struct model_node *n = &m->node[m->name[i].node];
		h = mix64(h + m->name[i].node + ((uint64_t)n->type << 8) + ((uint64_t)n->mode << 16));
		h = mix64(h + n->links + ((uint64_t)n->late << 32));
		h = mix64(h + n->size + (n->mtime_known ? n->mtime : 1) + (n->blob != NULL ? n->blob->hash : 0));
		for (uint32_t w = 0; w < MODEL_MASK_WORDS; w++)
			h = mix64(h + n->mapped[w]);
		for (uint32_t x = 0; x < MODEL_XATTRS; x++)
			h = mix64(h + n->xattr[x]);
	}
	for (uint32_t c = 0; c < CLIENTS; c++) {
		const struct model_node *n = m->file[c] >= 0 ? &m->node[m->file[c]] : NULL;
		if (n != NULL) /* which file it is: two histories may differ in that alone */
			h = mix64(h + c + ((uint64_t)m->file[c] << 8) + ((uint64_t)n->size << 32) +
					(n->blob != NULL ? n->blob->hash : 0));
	}
	return h;
}

/* --- names --- */

static int32_t name_find(const struct model *m, const char *path)
{
	for (uint32_t i = 0; i < m->names; i++)
		if (strcmp(m->name[i].path, path) == 0)
			return (int32_t)i;
	return -1;
}

const struct model_node *model_find(const struct model *m, const char *path)
{
	const int32_t i = name_find(m, path);

	return i < 0 ? NULL : &m->node[m->name[i].node];
}

static void name_put(struct model *m, const char *path, uint32_t node)
{
	uint32_t at = m->names;

	if (m->names == MODEL_NAMES)
		abort();
	for (; at > 0 && strcmp(m->name[at - 1].path, path) > 0; at--)
		m->name[at] = m->name[at - 1];
	snprintf(m->name[at].path, MODEL_PATH, "%s", path);
	m->name[at].node = node;
	m->names++;
}

static void name_take(struct model *m, uint32_t at)
{
	m->names--;
	memmove(&m->name[at], &m->name[at + 1], (m->names - at) * sizeof(m->name[0]));
}

static bool path_below(const char *path, const char *dir)
{
	const size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && path[n] == '/';
}

static bool dir_has_names(const struct model *m, const char *dir)
{
	for (uint32_t i = 0; i < m->names; i++)
		if (path_below(m->name[i].path, dir))
			return true;
	return false;
}

static void parent_path(const char *path, char out[MODEL_PATH])
{
	const char *slash = strrchr(path, '/');

	snprintf(out, MODEL_PATH, "%.*s", slash != NULL ? (int)(slash - path) : 0, path);
}

/* Is there a directory for it? */
static err_t parent_check(const struct model *m, const char *path)
{
	char parent[MODEL_PATH];

	parent_path(path, parent);
	if (parent[0] == 0)
		return OK;
	const struct model_node *n = model_find(m, parent);
	return n == NULL ? ERR_NOT_FOUND : n->type != FS_TYPE_DIRECTORY ? ERR_NOT_DIR : OK;
}

static void parent_touch(struct model *m, const char *path)
{
	char parent[MODEL_PATH];

	parent_path(path, parent);
	const int32_t i = name_find(m, parent);
	if (i >= 0)
		m->node[m->name[i].node].mtime_known = false;
}

static void node_drop(struct model_node *n)
{
	if (n->links != 0 || n->opens != 0)
		return;
	blob_drop(n->blob);
	memset(n, 0, sizeof(*n));
}

static uint32_t node_make(struct model *m, uint8_t type, uint32_t mode)
{
	uint32_t i = 0;

	while (m->node[i].type != 0)
		if (++i == MODEL_NODES)
			abort();
	m->node[i] = (struct model_node) { .type = type, .links = 1, .mode = mode };
	return i;
}

static err_t make(struct model *m, const struct call *c, uint8_t type, uint32_t mode)
{
	err_t err = parent_check(m, c->a);

	if (err != OK)
		return err;
	if (name_find(m, c->a) >= 0)
		return ERR_EXISTS;
	const uint32_t i = node_make(m, type, mode);
	if (type == FS_TYPE_SYMLINK) {
		m->node[i].size = strlen(c->b);
		m->node[i].blob = blob_make((uint32_t)strlen(c->b));
		memcpy(m->node[i].blob->data, c->b, strlen(c->b));
		blob_seal(m->node[i].blob);
	}
	name_put(m, c->a, i);
	parent_touch(m, c->a);
	return OK;
}

static err_t drop(struct model *m, const char *path, bool directory)
{
	err_t err = parent_check(m, path);
	const int32_t i = name_find(m, path);

	if (err != OK || i < 0)
		return err != OK ? err : ERR_NOT_FOUND;
	struct model_node *n = &m->node[m->name[i].node];
	if (directory && n->type != FS_TYPE_DIRECTORY)
		return ERR_NOT_DIR;
	if (!directory && n->type == FS_TYPE_DIRECTORY)
		return ERR_IS_DIR;
	if (dir_has_names(m, path))
		return ERR_NOT_EMPTY;
	name_take(m, (uint32_t)i);
	n->links--;
	node_drop(n);
	parent_touch(m, path);
	return OK;
}

static err_t make_link(struct model *m, const struct call *c)
{
	err_t err = parent_check(m, c->a);
	const int32_t i = name_find(m, c->a);

	if (err == OK)
		err = parent_check(m, c->b);
	if (err != OK || i < 0)
		return err != OK ? err : ERR_NOT_FOUND;
	const uint32_t node = m->name[i].node;
	if (m->node[node].type == FS_TYPE_DIRECTORY)
		return ERR_DENIED;
	if (name_find(m, c->b) >= 0)
		return ERR_EXISTS;
	name_put(m, c->b, node);
	m->node[node].links++;
	parent_touch(m, c->b);
	return OK;
}

/* May `from` take the place of `to`? */
static err_t rename_check(const struct model *m, const struct call *c)
{
	const struct model_node *from = model_find(m, c->a), *to = model_find(m, c->b);
	const bool directory = from->type == FS_TYPE_DIRECTORY;

	if (to != NULL && directory && to->type != FS_TYPE_DIRECTORY)
		return ERR_NOT_DIR;
	if (to != NULL && !directory && to->type == FS_TYPE_DIRECTORY)
		return ERR_IS_DIR;
	if (directory && path_below(c->b, c->a))
		return ERR_ARGS;
	if (to != NULL && directory && from != to && dir_has_names(m, c->b))
		return ERR_NOT_EMPTY;
	return OK;
}

static void rename_below(struct model *m, const char *from, const char *to)
{
	const size_t skip = strlen(from);
	char path[2 * MODEL_PATH];

	for (uint32_t i = 0; i < m->names; i++) {
		if (!path_below(m->name[i].path, from))
			continue;
		const uint32_t node = m->name[i].node;
		snprintf(path, sizeof(path), "%s%s", to, m->name[i].path + skip);
		path[MODEL_PATH - 1] = 0;
		name_take(m, i);
		name_put(m, path, node);
		i = (uint32_t)-1; /* the order has changed */
	}
}

static err_t rename_name(struct model *m, const struct call *c)
{
	err_t err = parent_check(m, c->a);
	int32_t i = name_find(m, c->a);

	if (err == OK && i >= 0)
		err = parent_check(m, c->b);
	if (err != OK || i < 0)
		return err != OK ? err : ERR_NOT_FOUND;
	err = rename_check(m, c);
	const uint32_t node = m->name[i].node;
	const int32_t over = name_find(m, c->b);
	if (err != OK || (over >= 0 && m->name[over].node == node))
		return err;
	if (over >= 0)
		err = drop(m, c->b, m->node[node].type == FS_TYPE_DIRECTORY);
	name_take(m, (uint32_t)name_find(m, c->a));
	name_put(m, c->b, node);
	rename_below(m, c->a, c->b);
	parent_touch(m, c->a);
	parent_touch(m, c->b);
	return err;
}

/* --- contents --- */

void call_data(const struct call *call, uint64_t offset, uint8_t *to, size_t bytes)
{
	if (call_zeroes(call)) {
		memset(to, 0, bytes);
		return;
	}
	for (size_t i = 0, n; i < bytes; i += n) {
		const uint64_t at = offset + i;
		const uint64_t word = mix64((uint64_t)call->serial << 32 | at >> 3) | 1; /* no word of data is zero */
		n = 8 - (at & 7);
		n = n < bytes - i ? n : bytes - i;
		memcpy(to + i, (const uint8_t *)&word + (at & 7), n);
	}
}

static void node_resize(struct model_node *n, uint64_t size)
{
	n->mtime_known = false;
	for (uint64_t b = (size + BLOCK - 1) / BLOCK; b < MODEL_MASK_WORDS * 64; b++)
		n->mapped[b / 64] &= ~(1ull << b % 64);
	if (!n->opaque && n->blob != NULL && n->blob->bytes > size) {
		struct blob *shorter = size != 0 ? blob_make((uint32_t)size) : NULL;
		if (shorter != NULL) {
			memcpy(shorter->data, n->blob->data, size);
			blob_seal(shorter);
		}
		blob_drop(n->blob);
		n->blob = shorter;
	}
	n->size = size;
}

static void node_write(struct model_node *n, const struct call *c, uint64_t offset, uint64_t bytes)
{
	if (bytes == 0)
		return;
	n->mtime_known = false;
	n->late |= n->opens != 0; /* at the latest when the last one closes it */
	if (!n->opaque) {
		const uint64_t have = n->blob != NULL ? n->blob->bytes : 0;
		struct blob *blob = blob_make((uint32_t)(offset + bytes > have ? offset + bytes : have));
		if (have != 0)
			memcpy(blob->data, n->blob->data, have);
		call_data(c, offset, blob->data + offset, bytes);
		blob_seal(blob);
		blob_drop(n->blob);
		n->blob = blob;
		for (uint64_t b = offset / BLOCK; b * BLOCK < offset + bytes; b++)
			n->mapped[b / 64] |= 1ull << b % 64;
	}
	if (offset + bytes > n->size)
		n->size = offset + bytes;
}

/* Its contents are `bytes` from now on, the caller's to free. */
static void node_put(struct model_node *n, const uint8_t *data, uint64_t bytes)
{
	struct blob *blob = bytes != 0 ? blob_make((uint32_t)bytes) : NULL;

	if (blob != NULL) {
		memcpy(blob->data, data, bytes);
		blob_seal(blob);
	}
	blob_drop(n->blob);
	n->blob = blob;
}

/* Collapse or insert: what was at `from` is at `to`. */
static void node_move(struct model_node *n, uint64_t from, uint64_t to)
{
	const uint64_t have = n->blob != NULL ? n->blob->bytes : 0, low = from < to ? from : to;
	uint8_t *data = calloc(1, n->size + to + 1);

	if (data == NULL)
		abort();
	if (have != 0)
		memcpy(data, n->blob->data, have < low ? have : low);
	if (have > from)
		memcpy(data + to, n->blob->data + from, have - from);
	n->size = n->size + to - from;
	node_put(n, data, n->size);
	free(data);
	for (uint32_t w = 0; w < MODEL_MASK_WORDS; w++)
		n->mapped[w] = ~0ull; /* which are there now is not followed */
}

static void node_zero(struct model_node *n, uint64_t from, uint64_t end)
{
	const uint64_t have = n->blob != NULL ? n->blob->bytes : 0;

	if (from >= have)
		return;
	uint8_t *data = malloc(have);
	if (data == NULL)
		abort();
	memcpy(data, n->blob->data, have);
	memset(data + from, 0, (end < have ? end : have) - from);
	node_put(n, data, have);
	free(data);
}

static err_t node_allocate(struct model_node *n, const struct call *c)
{
	const uint64_t offset = c->offset, end = offset + c->bytes;

	if (c->mode == FS_ALLOCATE_COLLAPSE_RANGE && end >= n->size)
		return ERR_ARGS;
	if (c->mode == FS_ALLOCATE_INSERT_RANGE && offset >= n->size)
		return ERR_ARGS;
	n->mtime_known = false;
	n->late |= n->opens != 0;
	if (n->opaque) {
		n->size += c->mode == FS_ALLOCATE_INSERT_RANGE ? c->bytes : 0;
		n->size -= c->mode == FS_ALLOCATE_COLLAPSE_RANGE ? c->bytes : 0;
	} else if (c->mode == FS_ALLOCATE_COLLAPSE_RANGE) {
		node_move(n, end, offset);
	} else if (c->mode == FS_ALLOCATE_INSERT_RANGE) {
		node_move(n, offset, end);
	} else if (call_zeroes(c)) {
		node_zero(n, offset, end);
	}
	if (c->mode & (FS_ALLOCATE_COLLAPSE_RANGE | FS_ALLOCATE_INSERT_RANGE | FS_ALLOCATE_PUNCH_HOLE))
		return OK;
	for (uint64_t b = offset / BLOCK; b * BLOCK < end && b < MODEL_MASK_WORDS * 64; b++)
		n->mapped[b / 64] |= 1ull << b % 64;
	if (!(c->mode & FS_ALLOCATE_KEEP_SIZE) && end > n->size)
		n->size = end;
	return OK;
}

static err_t find_file(struct model *m, const char *path, struct model_node **out)
{
	err_t err = parent_check(m, path);
	const int32_t i = name_find(m, path);

	if (err != OK || i < 0)
		return err != OK ? err : ERR_NOT_FOUND;
	*out = &m->node[m->name[i].node];
	return (*out)->type == FS_TYPE_DIRECTORY ? ERR_IS_DIR : (*out)->type == FS_TYPE_SYMLINK ? ERR_TOO_DEEP : OK;
}

static err_t copy_to_file(struct model *m, const struct call *c, bool full, uint64_t full_bytes)
{
	struct model_node *from, *to;
	err_t err = find_file(m, c->a, &from);

	if (err == OK)
		err = find_file(m, c->b, &to);
	if (err != OK)
		return err;
	const bool clone = c->kind == CALL_CLONE; /* of all of it */
	if (clone && from->size != 0 && (from == to || (from->size % BLOCK != 0 && to->size > from->size)))
		return ERR_ARGS;
	uint64_t bytes = c->offset < from->size ? from->size - c->offset : 0;
	bytes = bytes < c->bytes || clone ? bytes : c->bytes;
	bytes = full && full_bytes < bytes ? full_bytes : bytes;
	if (bytes == 0)
		return OK;
	const uint64_t have = from->blob != NULL ? from->blob->bytes : 0, had = to->blob != NULL ? to->blob->bytes : 0;
	const uint64_t end = c->mode + bytes, all = end > had ? end : had;
	uint8_t *data = calloc(1, all);
	if (data == NULL)
		abort();
	if (had != 0)
		memcpy(data, to->blob->data, had);
	memset(data + c->mode, 0, bytes);
	if (c->offset < have)
		memcpy(data + c->mode, from->blob->data + c->offset, have - c->offset < bytes ? have - c->offset : bytes);
	node_put(to, data, all);
	free(data);
	to->mtime_known = false;
	to->late |= to->opens != 0;
	to->opaque |= from->opaque;
	to->size = end > to->size ? end : to->size;
	to->opaque |= from->opaque;
	for (uint64_t b = c->mode / BLOCK; b * BLOCK < end && !to->opaque; b++)
		to->mapped[b / 64] |= 1ull << b % 64;
	return OK;
}

static err_t apply_to_file(struct model *m, const struct call *c, uint32_t steps, bool full, uint64_t full_bytes)
{
	struct model_node *n;
	err_t err = find_file(m, c->a, &n);

	if (err != OK)
		return err;
	const uint64_t bytes = full ? full_bytes : c->bytes;
	const uint64_t offset = c->kind == CALL_APPEND ? n->size : c->offset;
	if (full && full_bytes == 0)
		return ERR_NO_SPACE;
	switch (c->kind) {
	case CALL_WRITE: case CALL_APPEND:
		node_write(n, c, offset, bytes);
		return OK;
	case CALL_MAPPED_STORE: /* what lies past the end is lost */
		if (offset / BLOCK * BLOCK >= n->size)
			return ERR_ARGS;
		node_write(n, c, offset, offset >= n->size ? 0 : bytes < n->size - offset ? bytes : n->size - offset);
		n->mtime_known = false;
		n->mtime_may_stay |= n->size <= STORES_KEEP_BYTES || c->mode != 0;
		n->late |= c->mode != 0 && n->opens != 0;
		return OK;
	case CALL_RESIZE: case CALL_RESIZE_AND_MODE:
		if (c->kind == CALL_RESIZE || steps > 0)
			node_resize(n, c->offset);
		if (c->kind == CALL_RESIZE_AND_MODE && steps > 1)
			n->mode = c->bytes;
		return OK;
	case CALL_ALLOCATE:
		return node_allocate(n, c);
	case CALL_OPEN_TRUNCATE:
		if (n->size != 0)
			node_resize(n, 0);
		return OK;
	default:
		return OK;
	}
}

static err_t open_nameless(struct model *m, uint32_t client, const char *directory)
{
	const int32_t at = *directory != '\0' ? name_find(m, directory) : 0;
	err_t err = parent_check(m, directory);

	if (err == OK && at < 0)
		err = ERR_NOT_FOUND; /* another client has renamed it */
	if (err == OK && *directory != '\0' && m->node[m->name[at].node].type != FS_TYPE_DIRECTORY)
		err = ERR_NOT_DIR;
	if (err != OK)
		return err;
	const uint32_t i = node_make(m, FS_TYPE_FILE, 0600);
	m->node[i].links = 0;
	m->node[i].opens = 1;
	m->node[i].linkable = true;
	m->file[client] = (int32_t)i;
	return OK;
}

static err_t link_open(struct model *m, struct model_node *n, const char *path)
{
	err_t err = parent_check(m, path);

	if (err != OK)
		return err;
	if (name_find(m, path) >= 0)
		return ERR_EXISTS;
	if (n->links == 0 && !n->linkable)
		return ERR_NOT_FOUND;
	name_put(m, path, (uint32_t)(n - m->node));
	n->links++;
	n->linkable = false;
	parent_touch(m, path);
	return OK;
}

static err_t apply_to_open(struct model *m, uint32_t client, const struct call *c, uint64_t bytes)
{
	struct model_node *n = m->file[client] >= 0 ? &m->node[m->file[client]] : NULL;

	if (n == NULL)
		return c->kind == CALL_CLOSE ? OK : ERR_BAD_HANDLE;
	if (c->kind == CALL_FILE_LINK)
		return link_open(m, n, c->a);
	if (c->kind == CALL_FILE_WRITE) {
		node_write(n, c, c->offset, bytes);
	} else {
		n->late = false;
	}
	if (c->kind == CALL_CLOSE) {
		n->opens--;
		node_drop(n);
		m->file[client] = -1;
	}
	return OK;
}

static err_t apply_attributes(struct model *m, const struct call *c)
{
	err_t err = parent_check(m, c->a);
	const int32_t i = name_find(m, c->a);

	if (err != OK || i < 0)
		return err != OK ? err : ERR_NOT_FOUND;
	struct model_node *n = &m->node[m->name[i].node];
	if (n->type == FS_TYPE_SYMLINK)
		return ERR_UNSUPPORTED; /* the calls do not ask for that */
	n->mode = c->offset;
	n->mtime = c->bytes;
	n->mtime_known = true;
	return OK;
}

/* --- extended attributes --- */

const char *const model_xattrs[MODEL_XATTRS] = { "x", "another-name" };

uint64_t xattr_hash(const uint8_t *value, size_t bytes)
{
	uint64_t h = mix64(bytes);

	for (size_t i = 0; i < bytes; i++)
		h = (h ^ value[i]) * 0x100000001b3ull;
	return h | 1;
}

static err_t apply_xattr(struct model *m, const struct call *c)
{
	err_t err = parent_check(m, c->a);
	const int32_t i = name_find(m, c->a);
	const uint32_t x = strcmp(c->b, model_xattrs[0]) != 0;
	uint8_t value[MODEL_XATTR_BYTES];

	if (err != OK || i < 0)
		return err != OK ? err : ERR_NOT_FOUND;
	uint64_t *at = &m->node[m->name[i].node].xattr[x];
	if (c->kind == CALL_XATTR_REMOVE) {
		err = *at != 0 ? OK : ERR_NO_ATTRIBUTE;
		*at = 0;
		return err;
	}
	call_data(c, 0, value, c->bytes);
	*at = xattr_hash(value, c->bytes);
	return OK;
}

uint32_t call_steps(const struct call *call)
{
	return call->kind == CALL_RESIZE_AND_MODE ? 2 : 1;
}

err_t model_apply(struct model *m, uint32_t client, const struct call *c, uint32_t steps, bool full,
		uint64_t full_bytes)
{
	struct model_node *n;

	if (full && full_bytes == 0)
		return ERR_NO_SPACE;
	switch (c->kind) {
	case CALL_CREATE:
		return make(m, c, FS_TYPE_FILE, 0644);
	case CALL_MKDIR:
		return make(m, c, FS_TYPE_DIRECTORY, 0755);
	case CALL_SYMLINK:
		return make(m, c, FS_TYPE_SYMLINK, 0777);
	case CALL_UNLINK: case CALL_RMDIR:
		return drop(m, c->a, c->kind == CALL_RMDIR);
	case CALL_LINK:
		return make_link(m, c);
	case CALL_RENAME:
		return rename_name(m, c);
	case CALL_ATTRIBUTES:
		return apply_attributes(m, c);
	case CALL_XATTR_SET: case CALL_XATTR_REMOVE:
		return apply_xattr(m, c);
	case CALL_OTHER_CPU:
		return OK;
	case CALL_SYNC_ALL:
		for (uint32_t i = 0; i < MODEL_NODES; i++)
			m->node[i].late = false;
		return OK;
	case CALL_OPEN: {
		err_t err = find_file(m, c->a, &n);
		if (err != OK)
			return err;
		n->opens++;
		m->file[client] = (int32_t)(n - m->node);
		return OK;
	}
	case CALL_NAMELESS:
		return open_nameless(m, client, c->a);
	case CALL_FILE_WRITE: case CALL_FILE_SYNC: case CALL_FILE_LINK: case CALL_CLOSE:
		return apply_to_open(m, client, c, full ? full_bytes : c->bytes);
	case CALL_WRITE: case CALL_APPEND: case CALL_RESIZE: case CALL_RESIZE_AND_MODE: case CALL_OPEN_TRUNCATE:
	case CALL_MAPPED_STORE: case CALL_ALLOCATE:
		return apply_to_file(m, c, steps, full, full_bytes);
	case CALL_COPY: case CALL_CLONE:
		return copy_to_file(m, c, full, full_bytes);
	}
	return ERR_INTERNAL;
}
