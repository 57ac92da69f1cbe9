/* SPDX-License-Identifier: BSD-2-Clause */
/* index.c - building and searching the index; see index.h. */
#include "index.h"
#include "kit/fs.h"
#include "kit/tar.h"

#include <stdlib.h>
#include <string.h>

const char *index_name(const struct index_entry *entry)
{
	return entry->path + entry->parent_bytes + (entry->parent_bytes != 0);
}

/* By directory, then by name; the root first. */
static int key_compare(const char *dir_a, size_t dir_a_bytes, const char *name_a, size_t name_a_bytes,
		const char *dir_b, size_t dir_b_bytes, const char *name_b, size_t name_b_bytes)
{
	size_t n = dir_a_bytes < dir_b_bytes ? dir_a_bytes : dir_b_bytes;
	int order = memcmp(dir_a, dir_b, n);

	if (order == 0 && dir_a_bytes != dir_b_bytes)
		order = dir_a_bytes < dir_b_bytes ? -1 : 1;
	if (order != 0)
		return order;
	n = name_a_bytes < name_b_bytes ? name_a_bytes : name_b_bytes;
	order = memcmp(name_a, name_b, n);
	return order != 0 ? order : name_a_bytes < name_b_bytes ? -1 : name_a_bytes > name_b_bytes;
}

static int entry_compare(const void *x, const void *y)
{
	const struct index_entry *a = x, *b = y;
	const char *name_a = index_name(a), *name_b = index_name(b);

	return key_compare(a->path, a->parent_bytes, name_a, strlen(name_a), b->path, b->parent_bytes, name_b,
			strlen(name_b));
}

/* The entry of `name` in the directory `dir`; NULL if there is none. */
static struct index_entry *entry_find(const struct index *index, const char *dir, size_t dir_bytes, const char *name,
		size_t name_bytes)
{
	uint32_t low = 0, high = index->count;

	while (low < high) {
		const uint32_t middle = (low + high) / 2;
		struct index_entry *entry = &index->entry[middle];
		const char *at = index_name(entry);
		const int order = key_compare(dir, dir_bytes, name, name_bytes, entry->path, entry->parent_bytes, at,
				strlen(at));
		if (order == 0)
			return entry;
		if (order > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static struct index_entry *path_find(const struct index *index, const char *path, size_t bytes)
{
	size_t parent = bytes;

	while (parent > 0 && path[parent - 1] != '/')
		parent--;
	const char *name = path + parent;
	return entry_find(index, path, parent != 0 ? parent - 1 : 0, name, bytes - parent);
}

/* --- building --- */

static err_t entry_append(struct index *index, const char *path, size_t bytes, const struct index_entry *what)
{
	if (index->count == index->room) {
		const uint32_t room = index->room * 2 + 64;
		struct index_entry *entry = realloc(index->entry, room * sizeof(*entry));
		if (entry == NULL)
			return ERR_NO_MEMORY;
		index->entry = entry;
		index->room = room;
	}
	struct index_entry *entry = &index->entry[index->count];
	*entry = *what;
	entry->path = malloc(bytes + 1);
	if (entry->path == NULL)
		return ERR_NO_MEMORY;
	memcpy(entry->path, path, bytes);
	entry->path[bytes] = 0;
	const char *slash = strrchr(entry->path, '/');
	entry->parent_bytes = slash != NULL ? (uint32_t)(slash - entry->path) : 0;
	index->count++;
	return OK;
}

static err_t tar_append(struct index *index, const struct tar_entry *tar, const char **reason)
{
	struct index_entry what = {
		.type = tar->type == TAR_DIRECTORY ? FS_TYPE_DIRECTORY
				: tar->type == TAR_SYMLINK ? FS_TYPE_SYMLINK : FS_TYPE_FILE,
		.mode = tar->mode, .uid = tar->uid, .gid = tar->gid, .mtime_s = tar->mtime_s, .data = tar->data,
		.bytes = tar->bytes,
	};

	if (tar->type == TAR_OTHER || tar->name[0] == 0)
		return OK; /* devices and the like have no meaning here; the root is always there */
	if (tar->type == TAR_LINK) {
		uint32_t i = 0;
		while (i < index->count && strcmp(index->entry[i].path, tar->target) != 0)
			i++;
		if (i == index->count || index->entry[i].type != FS_TYPE_FILE) {
			*reason = "a hard link leads to nothing";
			return ERR_BAD_FORMAT;
		}
		what = index->entry[i];
	}
	if (tar->type == TAR_SYMLINK) {
		what.bytes = strlen(tar->target);
		what.data = malloc(what.bytes + 1);
		if (what.data == NULL)
			return ERR_NO_MEMORY;
		memcpy((uint8_t *)(uintptr_t)what.data, tar->target, what.bytes);
	}
	return entry_append(index, tar->name, strlen(tar->name), &what);
}

static void entry_free(struct index_entry *entry)
{
	free(entry->path);
	if (entry->type == FS_TYPE_SYMLINK)
		free((void *)(uintptr_t)entry->data);
}

/* Of entries with one name the last one counts, as tar has it; qsort does not keep their order, so
 * `data` does. */
static void index_sort(struct index *index)
{
	uint32_t kept = 0;

	qsort(index->entry, index->count, sizeof(*index->entry), entry_compare);
	for (uint32_t i = 0; i < index->count; i++) {
		if (kept != 0 && entry_compare(&index->entry[kept - 1], &index->entry[i]) == 0) {
			if (index->entry[i].data > index->entry[kept - 1].data) {
				struct index_entry swap = index->entry[kept - 1];
				index->entry[kept - 1] = index->entry[i];
				index->entry[i] = swap;
			}
			entry_free(&index->entry[i]);
			continue;
		}
		index->entry[kept++] = index->entry[i];
	}
	index->count = kept;
}

/* Directories on the way that nobody has named. */
static err_t parents_add(struct index *index)
{
	const struct index_entry what = { .type = FS_TYPE_DIRECTORY, .mode = 0755 };
	const uint32_t count = index->count;

	for (uint32_t i = 0; i < count; i++) {
		size_t bytes = index->entry[i].parent_bytes;
		while (bytes != 0) {
			const char *path = index->entry[i].path;
			if (path_find(&(struct index) { .entry = index->entry, .count = count }, path, bytes) != NULL)
				break;
			err_t err = entry_append(index, path, bytes, &what);
			if (err != OK)
				return err;
			path = index->entry[i].path;
			while (bytes != 0 && path[bytes - 1] != '/')
				bytes--;
			bytes -= bytes != 0;
		}
	}
	return OK;
}

err_t index_build(struct index *index, const void *archive, uint64_t bytes, const char **reason)
{
	const struct index_entry root = { .type = FS_TYPE_DIRECTORY, .mode = 0755 };
	static struct tar_entry entry; /* large; building happens once, on one thread */
	struct tar tar;

	*index = (struct index) { 0 };
	*reason = "out of memory";
	tar_open(&tar, archive, bytes);
	err_t err = entry_append(index, "", 0, &root);
	while (err == OK) {
		err = tar_next(&tar, &entry);
		if (err == ERR_BAD_FORMAT)
			*reason = tar.reason;
		if (err == OK)
			err = tar_append(index, &entry, reason);
	}
	if (err == ERR_NOT_FOUND) {
		index_sort(index);
		err = parents_add(index);
		index_sort(index);
	}
	if (err != OK) {
		index_free(index);
		return err;
	}
	for (uint32_t i = 1; i < index->count; i++) {
		const struct index_entry *at = &index->entry[i];
		struct index_entry *parent = path_find(index, at->path, at->parent_bytes);
		if (parent != NULL && at->type == FS_TYPE_DIRECTORY)
			parent->subdirectories++;
	}
	return OK;
}

void index_free(struct index *index)
{
	for (uint32_t i = 0; i < index->count; i++)
		entry_free(&index->entry[i]);
	free(index->entry);
	*index = (struct index) { 0 };
}

void index_keep_root(struct index *index)
{
	while (index->count > 1)
		entry_free(&index->entry[--index->count]);
	index->entry[0].subdirectories = 0;
}

/* --- looking --- */

static err_t walk_once(const struct index *index, char *path, bool follow, uint32_t *out, bool *again)
{
	const bool wants_directory = kit_path_wants_directory(path);
	const struct index_entry *entry = &index->entry[0];
	struct kit_component c;
	uint32_t at = 0;

	*again = false;
	while (kit_path_next(path, &at, &c)) {
		if (c.bytes > FS_NAME_BYTES_MAX)
			return ERR_NAME_TOO_LONG;
		if (kit_component_check(path, &c, false) != OK) {
			*again = true;
			return kit_path_climb(path, &c);
		}
		if (entry->type != FS_TYPE_DIRECTORY)
			return ERR_NOT_DIR;
		entry = entry_find(index, entry->path, strlen(entry->path), path + c.start, c.bytes);
		if (entry == NULL)
			return ERR_NOT_FOUND;
		if (entry->type == FS_TYPE_SYMLINK && (follow || !c.last || wants_directory)) {
			*again = true;
			return kit_path_splice(path, &c, (const char *)entry->data, entry->bytes);
		}
	}
	if (wants_directory && entry->type != FS_TYPE_DIRECTORY)
		return ERR_NOT_DIR;
	*out = (uint32_t)(entry - index->entry) + 1;
	return OK;
}

err_t index_walk(const struct index *index, const char *path, bool follow, uint32_t *out)
{
	char buffer[FS_PATH_BYTES_MAX + 1];
	bool again = true;
	err_t err = OK;

	if (strlen(path) > FS_PATH_BYTES_MAX)
		return ERR_NAME_TOO_LONG;
	strcpy(buffer, path);
	for (uint32_t turns = 0; err == OK && again; turns++)
		err = turns > KIT_LINKS_MAX * 16 ? ERR_TOO_DEEP : walk_once(index, buffer, follow, out, &again);
	return err;
}

/* The first entry that is not smaller than (directory, ""): its first child; and the one after its last. */
void index_children(const struct index *index, uint32_t directory, uint32_t *first, uint32_t *end)
{
	const char *path = index->entry[directory].path;
	const size_t bytes = strlen(path);
	uint32_t low = 1, high = index->count; /* the root itself is nobody's child */

	while (low < high) {
		const uint32_t middle = (low + high) / 2;
		const struct index_entry *entry = &index->entry[middle];
		if (key_compare(entry->path, entry->parent_bytes, "", 0, path, bytes, "", 0) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*first = low;
	while (low < index->count && index->entry[low].parent_bytes == bytes &&
			memcmp(index->entry[low].path, path, bytes) == 0)
		low++;
	*end = low;
}
