/* SPDX-License-Identifier: BSD-2-Clause */
/* text.h - names of a few bytes, a word at a time, without the calls that long ones are worth. */
#pragma once

#include <lintel/types.h>

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

static inline bool text_equal(const char *a, const char *b, size_t bytes)
{
	for (; bytes > 8; bytes -= 8, a += 8, b += 8)
		if (text_word(a, 8) != text_word(b, 8))
			return false;
	return text_word(a, bytes) == text_word(b, bytes);
}
