/* SPDX-License-Identifier: BSD-2-Clause */
/* string.c - what programs spend their time in and picolibc 1.8.10 has byte by byte where addresses are odd: SQLite, on
 * keys and cells of some ten bytes, had a fifth of its instructions in memcmp, memmove and strcspn. By 16 bytes, with
 * what every x86-64 has. Nothing is read but the bytes, and what lies in the same 16 with one of them. */
#include <emmintrin.h>
#include <stdint.h>
#include <string.h>

#include <lintel/types.h>

static inline uint64_t load_8(const void *from)
{
	uint64_t word;

	__builtin_memcpy(&word, from, 8);
	return word;
}

static inline uint32_t load_4(const void *from)
{
	uint32_t word;

	__builtin_memcpy(&word, from, 4);
	return word;
}

static inline void store_8(void *to, uint64_t word)
{
	__builtin_memcpy(to, &word, 8);
}

static inline void store_4(void *to, uint32_t word)
{
	__builtin_memcpy(to, &word, 4);
}

static inline __m128i load_16(const void *from)
{
	return _mm_loadu_si128(from);
}

static inline void store_16(void *to, __m128i bytes)
{
	_mm_storeu_si128(to, bytes);
}

/* --- memcmp --- */

/* The first bytes in memory are the ones that count. */
static inline int order(uint64_t a, uint64_t b)
{
	a = __builtin_bswap64(a);
	b = __builtin_bswap64(b);
	return (a > b) - (a < b);
}

/* Bit n: the bytes at n differ. */
static inline uint32_t differ_16(const uint8_t *a, const uint8_t *b)
{
	return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(load_16(a), load_16(b))) ^ 0xffff;
}

static inline int order_at(const uint8_t *a, const uint8_t *b, uint32_t differ)
{
	const uint32_t at = (uint32_t)__builtin_ctz(differ);

	return a[at] - b[at];
}

static inline int compare_short(const uint8_t *a, const uint8_t *b, size_t bytes)
{
	if (bytes >= 8) {
		const uint64_t x = load_8(a), y = load_8(b);
		return x != y ? order(x, y) : order(load_8(a + bytes - 8), load_8(b + bytes - 8));
	}
	if (bytes >= 4) {
		const uint64_t x = load_4(a) | (uint64_t)load_4(a + bytes - 4) << 32;
		const uint64_t y = load_4(b) | (uint64_t)load_4(b + bytes - 4) << 32;
		return order(x, y);
	}
	for (size_t i = 0; i < bytes; i++)
		if (a[i] != b[i])
			return a[i] - b[i];
	return 0;
}

int memcmp(const void *a_bytes, const void *b_bytes, size_t bytes)
{
	const uint8_t *a = a_bytes, *b = b_bytes;
	uint32_t differ;

	if (bytes < 16)
		return compare_short(a, b, bytes);
	for (const uint8_t *last = a + bytes - 16; a < last; a += 16, b += 16) {
		differ = differ_16(a, b);
		if (differ != 0)
			return order_at(a, b, differ);
	}
	a = (const uint8_t *)a_bytes + bytes - 16;
	b = (const uint8_t *)b_bytes + bytes - 16;
	differ = differ_16(a, b);
	return differ != 0 ? order_at(a, b, differ) : 0;
}

/* --- memmove: what is stored over is loaded before --- */

static inline void move_short(uint8_t *to, const uint8_t *from, size_t bytes)
{
	if (bytes >= 8) {
		const uint64_t first = load_8(from), last = load_8(from + bytes - 8);
		store_8(to, first);
		store_8(to + bytes - 8, last);
	} else if (bytes >= 4) {
		const uint32_t first = load_4(from), last = load_4(from + bytes - 4);
		store_4(to, first);
		store_4(to + bytes - 4, last);
	} else if (bytes != 0) {
		const uint8_t first = from[0], middle = from[bytes / 2], last = from[bytes - 1];
		to[0] = first;
		to[bytes / 2] = middle;
		to[bytes - 1] = last;
	}
}

/* To lower addresses, or to elsewhere. More than 32 bytes. */
static inline void move_up(uint8_t *to, const uint8_t *from, size_t bytes)
{
	const __m128i before_last = load_16(from + bytes - 32), last = load_16(from + bytes - 16);
	size_t at = 0;

	for (; at + 32 < bytes; at += 32) {
		const __m128i first = load_16(from + at), second = load_16(from + at + 16);
		store_16(to + at, first);
		store_16(to + at + 16, second);
	}
	store_16(to + bytes - 32, before_last);
	store_16(to + bytes - 16, last);
}

/* To higher ones. */
static inline void move_down(uint8_t *to, const uint8_t *from, size_t bytes)
{
	const __m128i first = load_16(from), second = load_16(from + 16);

	for (size_t end = bytes; end > 32; end -= 32) {
		const __m128i last = load_16(from + end - 16), before_last = load_16(from + end - 32);
		store_16(to + end - 16, last);
		store_16(to + end - 32, before_last);
	}
	store_16(to, first);
	store_16(to + 16, second);
}

void *memmove(void *to, const void *from, size_t bytes)
{
	if (bytes < 16) {
		move_short(to, from, bytes);
	} else if (bytes <= 32) {
		const __m128i first = load_16(from), last = load_16((const uint8_t *)from + bytes - 16);
		store_16(to, first);
		store_16((uint8_t *)to + bytes - 16, last);
	} else if ((uintptr_t)to - (uintptr_t)from >= bytes) {
		move_up(to, from, bytes);
	} else {
		move_down(to, from, bytes);
	}
	return to;
}

/* --- strlen and strcspn --- */

/* Where the text ends, or one of two bytes is, counted in bytes. */
__attribute__((no_sanitize("address"))) static ALWAYS_INLINE size_t span_until(const char *text, char a, char b)
{
	const __m128i zero = _mm_setzero_si128(), first = _mm_set1_epi8(a), second = _mm_set1_epi8(b);
	const char *at = (const char *)((uintptr_t)text & ~(uintptr_t)15);
	uint32_t wanted = UINT32_MAX << (text - at);

	for (;; at += 16, wanted = UINT32_MAX) {
		const __m128i bytes = _mm_load_si128((const __m128i *)(const void *)at);
		const __m128i is_end = _mm_or_si128(_mm_cmpeq_epi8(bytes, zero),
				_mm_or_si128(_mm_cmpeq_epi8(bytes, first), _mm_cmpeq_epi8(bytes, second)));
		const uint32_t ends = (uint32_t)_mm_movemask_epi8(is_end) & wanted;
		if (ends != 0)
			return (size_t)(at + __builtin_ctz(ends) - text);
	}
}

__attribute__((no_sanitize("address"))) size_t strlen(const char *text)
{
	return span_until(text, 0, 0);
}

__attribute__((no_sanitize("address"))) size_t strcspn(const char *text, const char *until)
{
	uint64_t ends[4] = { 1 }; /* a bit a byte */
	size_t n = 0;

	if (until[0] == 0 || until[1] == 0 || until[2] == 0)
		return span_until(text, until[0], until[0] != 0 ? until[1] : 0);
	for (; *until != 0; until++)
		ends[(uint8_t)*until / 64] |= 1ull << (uint8_t)*until % 64;
	while (!(ends[(uint8_t)text[n] / 64] >> (uint8_t)text[n] % 64 & 1))
		n++;
	return n;
}
