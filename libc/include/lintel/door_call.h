/* SPDX-License-Identifier: BSD-2-Clause */
/* door_call.h - the caller's side of a door. */
#pragma once

#include <lintel/door.h>

/* Call `door`; `message` holds what is sent and, afterwards, what came back (zeroes where nothing did; the windows are
 * left as they were). timeout_us is relative, 0 = no deadline. Returns the server's answer, or the kernel's refusal:
 * see syscalls.def. Handles in `message` are moved. */
err_t door_call(handle_t door, uint32_t timeout_us, struct door_message *message);

#define DOOR_SCRATCH_BYTES (16u << 10)

/* This thread's own page-aligned buffer of DOOR_SCRATCH_BYTES for the small arguments of a call; NULL when memory is
 * out. In an activation: the activation's own. Freed when the thread ends. */
void *door_scratch(void);

/* The 8 bytes at `text`, of which those behind a NUL mean nothing. They are read at once where they lie in one page:
 * then they are there, whatever they are. */
__attribute__((no_sanitize("address"))) static inline uint64_t door_text_word(const char *text)
{
	uint64_t word = 0;

	if (likely(((uintptr_t)text & PAGE_MASK) <= PAGE_SIZE - sizeof(word))) {
		__builtin_memcpy(&word, text, sizeof(word));
		return word;
	}
	for (uint32_t i = 0; i < sizeof(word) && text[i] != 0; i++)
		word |= (uint64_t)(uint8_t)text[i] << 8 * i;
	return word;
}

/* Put a path and its NUL into word[*at] and the following, the last one filled up with zeroes. false: it has no room in
 * `words` words. */
static inline bool door_words_put(uint64_t *word, uint32_t words, uint32_t *at, const char *path)
{
	const uint64_t ones = 0x0101010101010101ull;

	for (; *at < words; path += sizeof(*word)) {
		const uint64_t text = door_text_word(path);
		const uint64_t ends = (text - ones) & ~text & ones << 7; /* its lowest bit is in the first NUL */
		word[(*at)++] = ends == 0 ? text : text & ((1ull << (__builtin_ctzll(ends) & ~7)) - 1);
		if (ends != 0)
			return true;
	}
	return false;
}

/* Path number `index` of the scratch page, at *at. ERR_NAME_TOO_LONG: it has more than `most` bytes. */
static inline MUST_USE err_t door_scratch_put(uint8_t *scratch, uint32_t index, size_t *at, const char *path,
											  size_t most)
{
	const size_t bytes = __builtin_strlen(path);
	const uint32_t length = (uint32_t)bytes;

	if (bytes > most)
		return ERR_NAME_TOO_LONG;
	__builtin_memcpy(scratch + index * sizeof(length), &length, sizeof(length));
	__builtin_memcpy(scratch + *at, path, bytes + 1);
	*at += (bytes + 8) & ~(size_t)7;
	return OK;
}
