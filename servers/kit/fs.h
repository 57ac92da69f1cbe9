/* SPDX-License-Identifier: BSD-2-Clause */
/* fs.h - what every file-system server does alike: walking a path, splicing symbolic links,
 * packing directory entries. Pure: no system calls, no locks, no allocation; builds on the host.
 *
 * Paths are "/"-separated bytes relative to the mount's root. Clients resolve "." and ".."
 * themselves, so those only come out of symbolic links; kit_path_splice and kit_path_climb take
 * care of them. A link that leads out of the file system (absolute, or above its root) is
 * ERR_CROSS_DEVICE: only the client knows what lies there. */
#pragma once

#include <lintel/fs_proto.h>

#include <emmintrin.h>

#define KIT_LINKS_MAX 16 /* symbolic links followed in one path; more are ERR_TOO_DEEP */

/* One component: the bytes [start, start + bytes) of the path. */
struct kit_component {
	uint32_t start;
	uint32_t bytes;
	bool last; /* nothing but slashes follows */
};

/* Which of 16 bytes are a slash or a NUL. */
static inline uint32_t kit_name_ends(__m128i bytes)
{
	const __m128i slash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('/'));

	return (uint32_t)_mm_movemask_epi8(_mm_or_si128(slash, _mm_cmpeq_epi8(bytes, _mm_setzero_si128())));
}

/* The bytes from `name` to the next slash or NUL. Looks at 16 bytes at once where they lie in one page with a byte of
 * the path: they can be read, whatever they are. */
__attribute__((no_sanitize("address"))) static inline uint32_t kit_name_bytes(const char *name)
{
	uint32_t at = 0;

	for (;;) {
		if (likely(((uintptr_t)(name + at) & PAGE_MASK) <= PAGE_SIZE - 16)) {
			const uint32_t ends = kit_name_ends(_mm_loadu_si128((const __m128i *)(const void *)(name + at)));
			if (ends != 0)
				return at + (uint32_t)__builtin_ctz(ends);
			at += 16;
		} else if (name[at] == 0 || name[at] == '/') {
			return at;
		} else {
			at++;
		}
	}
}

/* The component at or after *at; *at moves past it. false: there is none. */
bool kit_path_next(const char *path, uint32_t *at, struct kit_component *out);

/* Does it have to be a directory, because a slash ends it? */
bool kit_path_wants_directory(const char *path);

/* OK, or ERR_NAME_TOO_LONG (a component over FS_NAME_BYTES_MAX). "." and ".." are ERR_ARGS unless `dots`. */
MUST_USE err_t kit_component_check(const char *path, const struct kit_component *c, bool dots);

/* Replace the component `c` of `path` (a buffer of FS_PATH_BYTES_MAX + 1) by the link's target.
 * ERR_CROSS_DEVICE: the target is absolute. ERR_NOT_FOUND: it is empty. ERR_NAME_TOO_LONG: the result is. */
MUST_USE err_t kit_path_splice(char *path, const struct kit_component *c, const char *target, size_t target_bytes);

/* Take "." or ".." out of the path: `c` is that component, all before it are real directories.
 * ERR_CROSS_DEVICE: ".." of the root. */
MUST_USE err_t kit_path_climb(char *path, const struct kit_component *c);

/* Append a record to `buffer` at *used; false and nothing written if it does not fit in `room` bytes. */
bool kit_dirent_put(void *buffer, size_t room, size_t *used, uint64_t inode, uint64_t cookie, uint32_t type,
		const char *name, size_t name_bytes);
