/* SPDX-License-Identifier: BSD-2-Clause */
/* calls.c - the model's calls, on pmfs; and reading back everything that is there. */
#include "engine.h"
#include "clients.h"

#include "fs/pmfs/inode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES (4u << 20)

static struct inode *open_file[CLIENTS];
static struct held held[CLIENTS];

void open_files_swap(struct open_files *other)
{
	const struct open_files mine = *other;

	memcpy(other->file, open_file, sizeof(open_file));
	memcpy(other->held, held, sizeof(held));
	memcpy(open_file, mine.file, sizeof(open_file));
	memcpy(held, mine.held, sizeof(held));
}

static uint32_t cpu_of_client(void)
{
	return media_client;
}

static void held_revoke(void *context, uint64_t offset, uint64_t bytes)
{
	struct held *h = context;

	if (offset < h->run.offset + h->run.bytes && h->run.offset < offset + bytes)
		h->run.bytes = 0;
}

err_t fs_mount(uint32_t cpus, struct pmfs **out, char reason[PMFS_REASON_BYTES])
{
	const struct pmfs_options options = { .cpus = cpus, .seed = 42, .cpu = cpu_of_client, .revoke = held_revoke };

	return pmfs_mount(media_base, media_bytes, &options, out, reason);
}

static err_t write_inode(struct pmfs *fs, struct inode *inode, const struct call *c, bool append, uint64_t *done)
{
	uint8_t *data = malloc(c->bytes + 1);
	const uint64_t offset = append ? pmfs_size(inode) : c->offset;
	uint64_t end;

	if (data == NULL)
		abort();
	call_data(c, offset, data, c->bytes);
	err_t err = pmfs_write(fs, inode, c->offset, append, data, c->bytes, done, &end);
	free(data);
	return err;
}

/* Plain stores, which nobody writes back; or what libc's write does. */
static void store_mapped(struct pmfs *fs, const struct pmfs_run *run, const struct call *c)
{
	uint8_t data[4096], *to = fs->pm.base + run->device + (c->offset - run->offset);
	const uint32_t bytes = c->bytes < sizeof(data) ? c->bytes : sizeof(data);

	call_data(c, c->offset, data, bytes);
	if (c->mode == 0) {
		pm_store(&fs->pm, to, data, bytes);
	} else {
		pm_store_nt(&fs->pm, to, data, bytes);
		pm_fence(&fs->pm);
	}
}

struct mapped_store {
	struct pmfs *fs;
	const struct call *call;
};

static err_t fault_store(void *context, void *lease, const struct pmfs_run *run)
{
	const struct mapped_store *s = context;
	struct held *h = lease;

	if (run->read_only)
		return ERR_INTERNAL; /* nobody could store there */
	h->run = *run;
	store_mapped(s->fs, run, s->call);
	return OK;
}

/* A client stores through its mapping, or its lease, inside the size: it asks only if it does not hold the block yet.
 * Either ends with the call, or with the client's open file, if that is the same. */
static err_t mapped(struct pmfs *fs, struct inode *inode, uint32_t client, const struct call *c)
{
	struct mapped_store s = { fs, c };

	if (pmfs_lease_get(inode) == NULL) {
		held[client].run.bytes = 0;
		pmfs_lease_set(inode, &held[client]);
	}
	const struct held *h = pmfs_lease_get(inode);
	err_t err = c->mode == 0 ? pmfs_lease_stores(inode) : OK;
	if (err != OK)
		return err;
	if (c->offset >= h->run.offset && c->offset + c->bytes <= h->run.offset + h->run.bytes)
		store_mapped(fs, &h->run, c);
	else
		err = pmfs_locate_with(fs, inode, c->offset, true, fault_store, &s);
	if (err == OK && c->mode == 0)
		err = pmfs_sync(fs, inode);
	const err_t end = open_file[client] != inode ? pmfs_lease_end(inode) : OK;
	return err == OK ? end : err;
}

/* Both files, as they are named at one time: the other client may rename the first over the second in between. */
static err_t open_both(struct pmfs *fs, const struct call *c, struct inode **from, struct inode **to)
{
	struct inode *again;
	err_t err = pmfs_open(fs, c->a, FS_OPEN_READ | FS_OPEN_NO_FOLLOW, 0, from);

	if (err != OK)
		return err;
	err = pmfs_open(fs, c->b, FS_OPEN_WRITE | FS_OPEN_NO_FOLLOW, 0, to);
	if (err != OK || *to != *from) {
		if (err != OK)
			pmfs_close(fs, *from);
		return err;
	}
	err = pmfs_open(fs, c->a, FS_OPEN_READ | FS_OPEN_NO_FOLLOW, 0, &again);
	pmfs_close(fs, *from);
	if (err != OK)
		pmfs_close(fs, *to);
	*from = again;
	return err;
}

static err_t copy(struct pmfs *fs, const struct call *c, uint64_t *done)
{
	struct inode *from, *to;
	err_t err = open_both(fs, c, &from, &to);

	if (err != OK)
		return err;
	err = c->kind == CALL_CLONE ? pmfs_clone(fs, from, 0, to, 0, 0)
			: pmfs_copy(fs, from, c->offset, to, c->mode, c->bytes, done);
	pmfs_close(fs, to);
	pmfs_close(fs, from);
	return err;
}

static err_t on_path(struct pmfs *fs, uint32_t client, const struct call *c, uint64_t *done)
{
	const uint32_t flags = FS_OPEN_WRITE | FS_OPEN_NO_FOLLOW;
	struct inode *inode;
	err_t err = pmfs_open(fs, c->a, flags | (c->kind == CALL_OPEN_TRUNCATE ? FS_OPEN_TRUNCATE : 0), 0, &inode);

	if (err != OK)
		return err;
	if (c->kind == CALL_WRITE || c->kind == CALL_APPEND)
		err = write_inode(fs, inode, c, c->kind == CALL_APPEND, done);
	else if (c->kind == CALL_ALLOCATE)
		err = pmfs_allocate(fs, inode, c->mode, c->offset, c->bytes);
	else if (c->kind == CALL_RESIZE)
		err = pmfs_setattr(fs, inode, &(struct fs_setattr) { .set = FS_SET_SIZE, .size = c->offset });
	else if (c->kind == CALL_RESIZE_AND_MODE)
		err = pmfs_setattr(fs, inode, &(struct fs_setattr) { .set = FS_SET_SIZE | FS_SET_MODE, .size = c->offset,
				.mode = c->bytes });
	else if (c->kind == CALL_MAPPED_STORE)
		err = mapped(fs, inode, client, c);
	pmfs_close(fs, inode);
	return err;
}

static err_t on_open_file(struct pmfs *fs, uint32_t client, const struct call *c, uint64_t *done)
{
	struct inode *inode = open_file[client];

	if (inode == NULL)
		return c->kind == CALL_CLOSE ? OK : ERR_BAD_HANDLE;
	if (c->kind == CALL_FILE_WRITE)
		return write_inode(fs, inode, c, false, done);
	if (c->kind == CALL_FILE_SYNC)
		return pmfs_sync(fs, inode);
	if (c->kind == CALL_FILE_LINK)
		return pmfs_link_file(fs, inode, c->a);
	const err_t err = pmfs_lease_get(inode) != NULL ? pmfs_lease_end(inode) : OK;
	open_file[client] = NULL;
	pmfs_close(fs, inode);
	return err;
}

static err_t create(struct pmfs *fs, const char *path)
{
	struct inode *inode;
	err_t err = pmfs_open(fs, path, FS_OPEN_WRITE | FS_OPEN_CREATE | FS_OPEN_EXCLUSIVE, 0644, &inode);

	if (err == OK)
		pmfs_close(fs, inode);
	return err;
}

static err_t xattr_call(struct pmfs *fs, const struct call *c)
{
	uint8_t value[MODEL_XATTR_BYTES];
	struct inode *inode;
	err_t err = pmfs_find(fs, c->a, false, &inode);

	if (err != OK)
		return err;
	call_data(c, 0, value, c->bytes);
	err = c->kind == CALL_XATTR_SET ? pmfs_xattr_set(fs, inode, c->b, value, c->bytes, 0)
			: pmfs_xattr_remove(fs, inode, c->b);
	pmfs_close(fs, inode);
	return err;
}

/* Often: each is a record of its own. */
static err_t attributes(struct pmfs *fs, const struct call *c)
{
	const struct fs_setattr attr = { .set = FS_SET_MODE | FS_SET_MTIME, .mode = c->offset, .mtime = c->bytes };
	struct inode *inode;

	if (c->mode <= 1)
		return pmfs_setattr_path(fs, c->a, &attr);
	err_t err = pmfs_open(fs, c->a, FS_OPEN_READ, 0, &inode); /* all of one file, whoever renames others over it */
	if (err != OK)
		return err;
	for (uint32_t i = 0; i < c->mode && err == OK; i++)
		err = pmfs_setattr(fs, inode, &attr);
	pmfs_close(fs, inode);
	return err;
}

static err_t run_kind(struct pmfs *fs, uint32_t client, const struct call *c, uint64_t *done)
{
	switch (c->kind) {
	case CALL_CREATE:
		return create(fs, c->a);
	case CALL_MKDIR:
		return pmfs_mkdir(fs, c->a, 0755);
	case CALL_UNLINK:
		return pmfs_unlink(fs, c->a);
	case CALL_RMDIR:
		return pmfs_rmdir(fs, c->a);
	case CALL_LINK:
		return pmfs_link(fs, c->a, c->b);
	case CALL_SYMLINK:
		return pmfs_symlink(fs, c->b, c->a);
	case CALL_RENAME:
		return pmfs_rename(fs, c->a, c->b, false);
	case CALL_ATTRIBUTES:
		return attributes(fs, c);
	case CALL_XATTR_SET: case CALL_XATTR_REMOVE:
		return xattr_call(fs, c);
	case CALL_OTHER_CPU:
		clients_change_cpu();
		return OK;
	case CALL_SYNC_ALL:
		return pmfs_sync_all(fs);
	case CALL_OPEN:
		return pmfs_open(fs, c->a, FS_OPEN_WRITE | FS_OPEN_NO_FOLLOW, 0, &open_file[client]);
	case CALL_COPY: case CALL_CLONE:
		return copy(fs, c, done);
	case CALL_NAMELESS:
		return pmfs_open(fs, c->a, FS_OPEN_WRITE | FS_OPEN_NAMELESS, 0600, &open_file[client]);
	case CALL_FILE_WRITE: case CALL_FILE_SYNC: case CALL_FILE_LINK: case CALL_CLOSE:
		return on_open_file(fs, client, c, done);
	case CALL_WRITE: case CALL_APPEND: case CALL_RESIZE: case CALL_RESIZE_AND_MODE: case CALL_OPEN_TRUNCATE:
	case CALL_MAPPED_STORE: case CALL_ALLOCATE:
		return on_path(fs, client, c, done);
	}
	return ERR_INTERNAL;
}

struct outcome call_run(struct pmfs *fs, uint32_t client, const struct call *call)
{
	struct outcome out = { .done = 0 };

	out.err = run_kind(fs, client, call, &out.done);
	if (out.err != OK && (call->kind == CALL_OPEN || call->kind == CALL_NAMELESS))
		open_file[client] = NULL;
	return out;
}

bool call_is_last(const struct operation *o, uint32_t i)
{
	return i + 1 == OPERATION_CALLS || o->call[i + 1].a == NULL;
}

bool call_meets_end(const struct call *call, const struct outcome *tried)
{
	const bool writes = call->kind == CALL_WRITE || call->kind == CALL_APPEND || call->kind == CALL_FILE_WRITE ||
			call->kind == CALL_COPY;

	/* A copy of nothing has met its source's end. */
	return tried->err == ERR_NO_SPACE ||
			(writes && tried->err == OK && tried->done != 0 && tried->done < call->bytes);
}

/* --- reading back --- */

struct reader {
	struct pmfs *fs;
	const struct model *model; /* knows which contents are not worth reading */
	struct finding *out;
	size_t used;
	char *why;
};

static bool cannot(struct reader *r, const char *path, const char *what, err_t err)
{
	snprintf(r->why, 300, "%.60s: %s: error %d", path, what, err);
	return false;
}

static bool read_contents(struct reader *r, struct found *f)
{
	const struct model_node *n = model_find(r->model, f->path);
	struct inode *inode;
	uint64_t done = 0;
	err_t err;

	if (f->st.type == FS_TYPE_DIRECTORY || (n != NULL && n->opaque) || f->st.size > ARENA_BYTES - r->used)
		return true;
	for (struct found *other = r->out->entry; other < f; other++) {
		if (other->st.inode == f->st.inode && other->st.size == f->st.size && other->data != NULL) {
			f->data = other->data;
			return true;
		}
	}
	uint8_t *to = r->out->arena + r->used;
	if (f->st.type == FS_TYPE_SYMLINK) {
		err = pmfs_readlink(r->fs, f->path, (char *)to, f->st.size, &done);
	} else {
		err = pmfs_open(r->fs, f->path, FS_OPEN_READ | FS_OPEN_NO_FOLLOW, 0, &inode);
		if (err != OK)
			return cannot(r, f->path, "open", err);
		err = pmfs_read(r->fs, inode, 0, to, f->st.size + 1, &done);
		pmfs_close(r->fs, inode);
	}
	if (err != OK || done != f->st.size)
		return cannot(r, f->path, "read", err);
	f->data = to;
	r->used += (done + 8) & ~7ull;
	return true;
}

static bool read_xattrs(struct reader *r, struct found *f)
{
	static uint8_t value[MODEL_XATTR_BYTES];
	struct inode *inode;
	uint64_t bytes;
	err_t err = pmfs_find(r->fs, f->path, false, &inode);

	if (err != OK)
		return cannot(r, f->path, "find", err);
	for (uint32_t i = 0; i < MODEL_XATTRS && err == OK; i++) {
		err = pmfs_xattr_get(r->fs, inode, model_xattrs[i], value, sizeof(value), &bytes);
		f->xattr[i] = err == OK ? xattr_hash(value, bytes) : 0;
		err = err == ERR_NO_ATTRIBUTE ? OK : err;
	}
	pmfs_close(r->fs, inode);
	return err == OK || cannot(r, f->path, "extended attributes", err);
}

static bool read_entry(struct reader *r, const char *dir, const struct fs_dirent *e)
{
	struct found *f = &r->out->entry[r->out->count];

	if (r->out->count == sizeof(r->out->entry) / sizeof(r->out->entry[0])) {
		snprintf(r->why, 300, "there are too many names");
		return false;
	}
	snprintf(f->path, MODEL_PATH, "%s%s%.*s", dir, dir[0] != 0 ? "/" : "", e->name_bytes, (const char *)(e + 1));
	f->data = NULL;
	err_t err = pmfs_stat(r->fs, f->path, false, &f->st);
	if (err != OK)
		return cannot(r, f->path, "stat", err);
	if (f->st.inode != e->inode || f->st.type != e->type)
		return cannot(r, f->path, "readdir and stat disagree", ERR_CORRUPT);
	r->out->count++;
	return read_xattrs(r, f) && read_contents(r, f);
}

static bool read_dir(struct reader *r, const char *path)
{
	static uint8_t entries[6][16384];
	uint64_t bytes, next;
	struct inode *inode;
	uint32_t depth = path[0] != 0;

	for (const char *c = path; *c != 0; c++)
		depth += *c == '/';
	if (depth >= sizeof(entries) / sizeof(entries[0]))
		return cannot(r, path, "too deep", OK);
	err_t err = pmfs_open(r->fs, path, FS_OPEN_READ | FS_OPEN_DIRECTORY, 0, &inode);
	if (err != OK)
		return cannot(r, path, "open", err);
	err = pmfs_readdir(r->fs, inode, 0, entries[depth], sizeof(entries[0]), &bytes, &next);
	pmfs_close(r->fs, inode);
	if (err != OK)
		return cannot(r, path, "readdir", err);
	for (uint64_t at = 0; at < bytes;) {
		const struct fs_dirent *e = (const void *)(entries[depth] + at);
		const uint32_t mine = r->out->count;
		if (!read_entry(r, path, e))
			return false;
		char below[MODEL_PATH];
		memcpy(below, r->out->entry[mine].path, MODEL_PATH);
		const struct model_node *n = model_find(r->model, below);
		if (e->type == FS_TYPE_DIRECTORY && !(n != NULL && n->opaque) && !read_dir(r, below))
			return false;
		at += e->record_bytes;
	}
	return true;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct found *)a)->path, ((const struct found *)b)->path);
}

bool finding_make(struct pmfs *fs, const struct model *m, struct finding *out, char why[300])
{
	struct reader r = { .fs = fs, .model = m, .out = out, .why = why };

	if (out->arena == NULL)
		out->arena = malloc(ARENA_BYTES);
	if (out->arena == NULL)
		abort();
	out->count = 0;
	if (!read_dir(&r, ""))
		return false;
	qsort(out->entry, out->count, sizeof(out->entry[0]), by_path);
	return true;
}
