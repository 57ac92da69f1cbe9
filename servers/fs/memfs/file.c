/* SPDX-License-Identifier: BSD-2-Clause */
/* file.c - one file's data and attributes. */
#include "node.h"

#include <time.h>

static uint64_t now_ns(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

err_t node_read(struct node *node, uint64_t offset, void *to, size_t bytes, uint64_t *done)
{
	err_t err = OK;

	if (node->type != FS_TYPE_FILE)
		return ERR_IS_DIR;
	pthread_rwlock_rdlock(&node->lock);
	const uint64_t rest = offset < node->size ? node->size - offset : 0;
	const size_t n = bytes < rest ? bytes : (size_t)rest;
	if (n != 0)
		err = store_read(&node->store, offset, to, n);
	pthread_rwlock_unlock(&node->lock);
	if (err == OK)
		*done = n;
	return err;
}

/* Room up to `end`, within the limit of the whole file system. [n] */
static err_t node_reserve(struct tree *tree, struct node *node, uint64_t end)
{
	if (end > MEMFS_FILE_BYTES_MAX)
		return ERR_TOO_BIG;
	if (end <= node->size)
		return OK;
	const uint64_t more = end - node->size;
	if (atomic_fetch_add(&tree->used, more) + more > tree->limit) {
		atomic_fetch_sub(&tree->used, more);
		return ERR_NO_SPACE;
	}
	err_t err = end > node->store.capacity ? store_grow(&node->store, end) : OK;
	if (err != OK)
		atomic_fetch_sub(&tree->used, more);
	else
		node->size = end;
	return err;
}

err_t node_write(struct tree *tree, struct node *node, uint64_t offset, bool append, const void *from, size_t bytes,
		uint64_t *done, uint64_t *end)
{
	if (node->type != FS_TYPE_FILE)
		return ERR_IS_DIR;
	pthread_rwlock_wrlock(&node->lock);
	const uint64_t old = node->size;
	if (append)
		offset = old;
	err_t err = offset > MEMFS_FILE_BYTES_MAX || bytes > MEMFS_FILE_BYTES_MAX - offset ? ERR_TOO_BIG : OK;
	if (err == OK && bytes != 0) {
		err = node_reserve(tree, node, offset + bytes);
		if (err == OK)
			err = store_write(&node->store, offset, from, bytes);
		if (err != OK && node->size > old) { /* as if nothing had happened */
			atomic_fetch_sub(&tree->used, node->size - old);
			node->size = old;
			if (store_cut(&node->store, old) != OK)
				err = ERR_INTERNAL;
		}
		node->mtime = node->ctime = now_ns();
	}
	pthread_rwlock_unlock(&node->lock);
	if (err != OK)
		return err;
	*done = bytes;
	*end = offset + bytes;
	return OK;
}

void node_stored(struct node *node)
{
	pthread_rwlock_wrlock(&node->lock);
	node->mtime = node->ctime = now_ns();
	pthread_rwlock_unlock(&node->lock);
}

/* [n] */
static err_t node_zero(struct node *node, uint64_t offset, uint64_t end)
{
	static const uint8_t zeroes[PAGE_SIZE];
	err_t err = OK;

	while (err == OK && offset < end) {
		const size_t n = end - offset < sizeof(zeroes) ? (size_t)(end - offset) : sizeof(zeroes);
		err = store_write(&node->store, offset, zeroes, n);
		offset += n;
	}
	return err;
}

err_t node_allocate(struct tree *tree, struct node *node, uint32_t mode, uint64_t offset, uint64_t bytes)
{
	const bool keep = mode & FS_ALLOCATE_KEEP_SIZE, zero = mode & (FS_ALLOCATE_ZERO_RANGE | FS_ALLOCATE_PUNCH_HOLE);
	const uint64_t end = offset + bytes;
	err_t err = OK;

	if (node->type != FS_TYPE_FILE)
		return ERR_IS_DIR;
	if (mode != 0 && mode != FS_ALLOCATE_ZERO_RANGE && mode != (FS_ALLOCATE_ZERO_RANGE | FS_ALLOCATE_KEEP_SIZE) &&
			mode != (FS_ALLOCATE_PUNCH_HOLE | FS_ALLOCATE_KEEP_SIZE))
		return ERR_UNSUPPORTED;
	if (bytes == 0)
		return ERR_ARGS;
	if (offset > MEMFS_FILE_BYTES_MAX || bytes > MEMFS_FILE_BYTES_MAX - offset)
		return ERR_TOO_BIG;
	pthread_rwlock_wrlock(&node->lock);
	const uint64_t had = node->size;
	if (!keep)
		err = node_reserve(tree, node, end);
	if (err == OK && zero)
		err = node_zero(node, offset, end < had ? end : had); /* what is new is zero */
	if (err == OK)
		node->mtime = node->ctime = now_ns();
	pthread_rwlock_unlock(&node->lock);
	return err;
}

/* [n] */
static err_t node_resize(struct tree *tree, struct node *node, uint64_t size)
{
	if (size >= node->size)
		return node_reserve(tree, node, size);
	err_t err = store_cut(&node->store, size);
	if (err == OK) {
		atomic_fetch_sub(&tree->used, node->size - size);
		node->size = size;
	}
	return err;
}

err_t node_setattr(struct tree *tree, struct node *node, const struct fs_setattr *attr)
{
	const uint32_t known = FS_SET_SIZE | FS_SET_MODE | FS_SET_OWNER | FS_SET_ATIME | FS_SET_MTIME;
	err_t err = OK;

	if (attr->set & ~known)
		return ERR_ARGS;
	if ((attr->set & FS_SET_SIZE) && node->type != FS_TYPE_FILE)
		return node->type == FS_TYPE_DIRECTORY ? ERR_IS_DIR : ERR_ARGS;
	pthread_rwlock_wrlock(&node->lock);
	node->ctime = now_ns();
	if (attr->set & FS_SET_SIZE) {
		err = node_resize(tree, node, attr->size);
		node->mtime = node->ctime;
	}
	if (err == OK && (attr->set & FS_SET_MODE))
		node->mode = attr->mode & 07777;
	if (err == OK && (attr->set & FS_SET_OWNER)) {
		node->uid = attr->uid;
		node->gid = attr->gid;
	}
	if (err == OK && (attr->set & FS_SET_ATIME))
		node->atime = attr->atime;
	if (err == OK && (attr->set & FS_SET_MTIME))
		node->mtime = attr->mtime;
	pthread_rwlock_unlock(&node->lock);
	return err;
}

void node_fill_stat(struct node *node, uint32_t links, struct fs_stat *out)
{
	pthread_rwlock_rdlock(&node->lock);
	*out = (struct fs_stat) {
		.inode = node->number, .size = node->size, .blocks = node->store.capacity, .type = node->type,
		.mode = node->mode, .links = links, .uid = node->uid, .gid = node->gid, .block_size = PAGE_SIZE,
		.atime = node->atime, .mtime = node->mtime, .ctime = node->ctime,
	};
	pthread_rwlock_unlock(&node->lock);
}

uint64_t node_size(struct node *node)
{
	pthread_rwlock_rdlock(&node->lock);
	const uint64_t size = node->size;
	pthread_rwlock_unlock(&node->lock);
	return size;
}

void node_stat(struct tree *tree, struct node *node, struct fs_stat *out)
{
	pthread_rwlock_rdlock(&tree->lock);
	const uint32_t links = node->links;
	pthread_rwlock_unlock(&tree->lock);
	node_fill_stat(node, links, out);
}

err_t node_share(struct node *node, uint32_t rights, handle_t *vmo, uint64_t *size)
{
	if (node->type != FS_TYPE_FILE)
		return ERR_IS_DIR;
	pthread_rwlock_wrlock(&node->lock);
	err_t err = store_share(&node->store, rights, vmo);
	if (err == OK)
		*size = node->size;
	pthread_rwlock_unlock(&node->lock);
	return err;
}
