/* SPDX-License-Identifier: BSD-2-Clause */
/* path.c - making paths absolute and plain. */
#include "posix/path.h"

#include <string.h>

/* Append one component; *at is the length of what is in `out` ("" stands for the root). */
static err_t append_component(const char *name, size_t bytes, char *out, size_t *at)
{
	if (bytes == 0 || (bytes == 1 && name[0] == '.'))
		return OK;
	if (bytes == 2 && name[0] == '.' && name[1] == '.') {
		while (*at > 0 && out[--*at] != '/')
			;
		return OK;
	}
	if (bytes > NAME_BYTES_MAX || *at + 1 + bytes > PATH_BYTES_MAX)
		return ERR_NAME_TOO_LONG;
	out[*at] = '/';
	memcpy(out + *at + 1, name, bytes);
	*at += 1 + bytes;
	return OK;
}

err_t path_normalise(const char *cwd, const char *path, char *out, bool *directory)
{
	size_t at = 0, given = strnlen(path, PATH_BYTES_MAX + 1);
	const char *last = path;

	if (given == 0)
		return ERR_NOT_FOUND;
	if (given > PATH_BYTES_MAX)
		return ERR_NAME_TOO_LONG;
	if (path[0] != '/' && strcmp(cwd, "/") != 0) {
		at = strlen(cwd);
		memcpy(out, cwd, at);
	}
	for (const char *name = path;; name++) {
		size_t bytes = strcspn(name, "/");
		err_t error = append_component(name, bytes, out, &at);
		if (error != OK)
			return error;
		last = name;
		name += bytes;
		if (*name == 0)
			break;
	}
	if (at == 0)
		out[at++] = '/';
	out[at] = 0;
	*directory = *last == 0 || strcmp(last, ".") == 0 || strcmp(last, "..") == 0;
	return OK;
}

bool path_below(const char *path, const char *prefix, size_t prefix_bytes, const char **rest)
{
	if (prefix_bytes == 1) { /* the root */
		*rest = path + 1;
		return true;
	}
	for (size_t i = 0; i < prefix_bytes; i++)
		if (path[i] != prefix[i])
			return false;
	if (path[prefix_bytes] != '/' && path[prefix_bytes] != 0)
		return false;
	*rest = path + prefix_bytes + (path[prefix_bytes] == '/');
	return true;
}
