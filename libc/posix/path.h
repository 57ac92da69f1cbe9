/* SPDX-License-Identifier: BSD-2-Clause */
/* path.h - making paths absolute and plain. Pure: builds on the host. Private to libc. */
#pragma once

#include <lintel/types.h>

#include <emmintrin.h>

#define PATH_BYTES_MAX 4096 /* without the NUL */
#define NAME_BYTES_MAX 255

/* Resolve `path` against the plain absolute path `cwd` ("": the root). "." and ".." are resolved by the text alone,
 * "//" is "/", and there is no slash at the end. *directory: the text ends so that only a directory can be meant ("x/",
 * "x/."). `out` has PATH_BYTES_MAX + 1 bytes. ERR_NOT_FOUND (empty path), ERR_NAME_TOO_LONG (the path as given, a
 * component, or the result). */
MUST_USE err_t path_normalise(const char *cwd, const char *path, char *out, bool *directory);

#define PATH_LOOK_BYTES 16u

/* Which of the 16 bytes at `at` have that value. */
static inline uint32_t path_bytes_that_are(__m128i bytes, char value)
{
	return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(value)));
}

/* The length of `path` if path_normalise would give it back as it is: absolute, no "//", no slash at the end. 0 if that
 * takes a closer look, as it does where a name starts with a dot, where the path is longer than any name may be, and
 * where its bytes end close before the end of a page. Looks at 16 bytes at a time, which are there as long as they
 * lie in one page. */
__attribute__((no_sanitize("address"))) static inline size_t path_plain_bytes(const char *path)
{
	uint32_t after_slash = 0; /* bit i: byte i follows a slash */

	if (path[0] != '/')
		return 0;
	for (const char *at = path;
		 at - path <= NAME_BYTES_MAX && ((uintptr_t)at & PAGE_MASK) <= PAGE_SIZE - PATH_LOOK_BYTES;
		 at += PATH_LOOK_BYTES) {
		const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
		const uint32_t end = path_bytes_that_are(bytes, 0), slash = path_bytes_that_are(bytes, '/');
		after_slash |= slash << 1;
		const uint32_t in_path = end ^ (end - 1); /* all, if it does not end here */
		if (after_slash & in_path & (end | slash | path_bytes_that_are(bytes, '.')))
			return 0;
		if (end != 0) {
			const size_t length = (size_t)(at - path) + (size_t)__builtin_ctz(end);
			return length <= NAME_BYTES_MAX ? length : 0;
		}
		after_slash >>= PATH_LOOK_BYTES;
	}
	return 0;
}

/* Does `path` lie at or below `prefix` (both plain)? Then *rest is what follows, without a slash in front. */
bool path_below(const char *path, const char *prefix, size_t prefix_bytes, const char **rest);
