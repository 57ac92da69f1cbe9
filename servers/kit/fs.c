/* SPDX-License-Identifier: BSD-2-Clause */
/* fs.c - paths, symbolic links and directory records; see fs.h. */
#include "kit/fs.h"

#include <string.h>

bool kit_path_next(const char *path, uint32_t *at, struct kit_component *out)
{
	uint32_t start = *at;

	while (path[start] == '/')
		start++;
	if (path[start] == 0)
		return false;
	uint32_t end = start + kit_name_bytes(path + start);
	uint32_t rest = end;
	while (path[rest] == '/')
		rest++;
	*at = end;
	*out = (struct kit_component) { .start = start, .bytes = end - start, .last = path[rest] == 0 };
	return true;
}

bool kit_path_wants_directory(const char *path)
{
	size_t bytes = strlen(path);

	return bytes == 0 || path[bytes - 1] == '/';
}

static bool component_is(const char *path, const struct kit_component *c, const char *what)
{
	return c->bytes == strlen(what) && memcmp(path + c->start, what, c->bytes) == 0;
}

err_t kit_component_check(const char *path, const struct kit_component *c, bool dots)
{
	if (c->bytes > FS_NAME_BYTES_MAX)
		return ERR_NAME_TOO_LONG;
	if (!dots && (component_is(path, c, ".") || component_is(path, c, "..")))
		return ERR_ARGS;
	return OK;
}

err_t kit_path_splice(char *path, const struct kit_component *c, const char *target, size_t target_bytes)
{
	const char *rest = path + c->start + c->bytes;
	const size_t rest_bytes = strlen(rest);

	if (target_bytes == 0)
		return ERR_NOT_FOUND;
	if (target[0] == '/')
		return ERR_CROSS_DEVICE;
	if (memchr(target, 0, target_bytes) != NULL)
		return ERR_NOT_FOUND;
	if (target_bytes > FS_PATH_BYTES_MAX || c->start + target_bytes + rest_bytes > FS_PATH_BYTES_MAX)
		return ERR_NAME_TOO_LONG;
	memmove(path + c->start + target_bytes, rest, rest_bytes + 1);
	memcpy(path + c->start, target, target_bytes);
	return OK;
}

err_t kit_path_climb(char *path, const struct kit_component *c)
{
	uint32_t from = c->start;

	if (component_is(path, c, "..")) {
		while (from > 0 && path[from - 1] == '/')
			from--;
		if (from == 0)
			return ERR_CROSS_DEVICE;
		while (from > 0 && path[from - 1] != '/')
			from--;
	}
	const char *rest = path + c->start + c->bytes;
	memmove(path + from, rest, strlen(rest) + 1);
	return OK;
}

bool kit_dirent_put(void *buffer, size_t room, size_t *used, uint64_t inode, uint64_t cookie, uint32_t type,
		const char *name, size_t name_bytes)
{
	const size_t bytes = (sizeof(struct fs_dirent) + name_bytes + 8) & ~(size_t)7;

	if (name_bytes > FS_NAME_BYTES_MAX || room < *used || room - *used < bytes)
		return false;
	const struct fs_dirent entry = {
		.inode = inode,
		.cookie = cookie,
		.record_bytes = (uint16_t)bytes,
		.name_bytes = (uint16_t)name_bytes,
		.type = type,
	};
	uint8_t *out = (uint8_t *)buffer + *used;
	memset(out + bytes - 8, 0, 8);
	memcpy(out, &entry, sizeof(entry));
	memcpy(out + sizeof(entry), name, name_bytes);
	*used += bytes;
	return true;
}
