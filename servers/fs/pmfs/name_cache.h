/* SPDX-License-Identifier: BSD-2-Clause */
/* name_cache.h - names that were found lately, in DRAM: directory and name -> inode and type.
 * A name has one place in a table of fixed size; who comes later has it. So nobody can make it grow,
 * and whoever chooses names that share a place only makes them be found in their leaf again.
 *
 * N1  What is found is what the directory holds: who looks or puts holds the directory's lock at
 * least for reading, and a name that goes away is dropped before the lock for writing is released.
 * N2  An entry is written by one thread at a time and read without a lock: `sequence` is odd
 * meanwhile. Who finds it odd goes away. That is right also for a drop: an entry is only taken to be
 * put, or to be dropped by who has seen it to be his; either way the name that was there is gone. */
#pragma once

#include "inode.h"

struct dir_hit;

MUST_USE err_t name_cache_init(struct pmfs *fs);
void name_cache_destroy(struct pmfs *fs);

bool name_cache_find(const struct pmfs *fs, uint64_t dir, const char *name, size_t bytes, struct dir_hit *out);
void name_cache_put(const struct pmfs *fs, uint64_t dir, const char *name, size_t bytes, const struct dir_hit *what);
void name_cache_drop(const struct pmfs *fs, uint64_t dir, const char *name, size_t bytes);

/* Up to 8 bytes of text as a number, zero above them. */
static inline uint64_t text_word(const char *text, size_t bytes)
{
	uint32_t low, high;
	uint64_t word;

	if (bytes >= 8) {
		__builtin_memcpy(&word, text, 8);
		return word;
	}
	if (bytes >= 4) {
		__builtin_memcpy(&low, text, 4);
		__builtin_memcpy(&high, text + bytes - 4, 4);
		return low | (uint64_t)high << 8 * (bytes - 4);
	}
	if (bytes == 0)
		return 0;
	return (uint64_t)(uint8_t)text[0] | (uint64_t)(uint8_t)text[bytes / 2] << 8 * (bytes / 2) |
			(uint64_t)(uint8_t)text[bytes - 1] << 8 * (bytes - 1);
}

/* A short name's bytes: without the call and the set-up of memcpy. */
static inline void text_copy(char *to, const char *text, size_t bytes)
{
	for (; bytes >= 8; bytes -= 8, to += 8, text += 8)
		__builtin_memcpy(to, text, 8);
	for (; bytes != 0; bytes--)
		*to++ = *text++;
}
