/* SPDX-License-Identifier: BSD-2-Clause */
/* path.h - making paths absolute and plain. Pure: builds on the host. Private to libc. */
#pragma once

#include <lintel/types.h>

#define PATH_BYTES_MAX 4096 /* without the NUL */
#define NAME_BYTES_MAX 255

/* Resolve `path` against the plain absolute path `cwd` ("": the root). "." and ".." are resolved by the text alone,
 * "//" is "/", and there is no slash at the end. *directory: the text ends so that only a directory can be meant ("x/",
 * "x/."). `out` has PATH_BYTES_MAX + 1 bytes. ERR_NOT_FOUND (empty path), ERR_NAME_TOO_LONG (the path as given, a
 * component, or the result). */
MUST_USE err_t path_normalise(const char *cwd, const char *path, char *out, bool *directory);

/* The length of `path` if path_normalise would give it back as it is: absolute, no "//", no slash at the end. 0 if that
 * takes a closer look, as it does where a name starts with a dot, where the path is longer than any name may be, and
 * where its bytes end close before the end of a page. */
size_t path_plain_bytes(const char *path);

/* Does `path` lie at or below `prefix` (both plain)? Then *rest is what follows, without a slash in front. */
bool path_below(const char *path, const char *prefix, size_t prefix_bytes, const char **rest);
