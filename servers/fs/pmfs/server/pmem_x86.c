/* SPDX-License-Identifier: BSD-2-Clause */
/* pmem_x86.c - persistent stores on a real (or emulated) CPU. Intel SDM vol. 1, 10.4.6
 * (non-temporal stores), vol. 2 CLWB, CLFLUSHOPT, CLFLUSH, SFENCE. CLFLUSH is ordered by itself;
 * the others need the fence, which everybody gives. */
#include "fs/pmfs/pmem.h"

#include <cpuid.h>
#include <emmintrin.h>
#include <string.h>

enum write_back_way { BY_CLFLUSH, BY_CLFLUSHOPT, BY_CLWB };

static enum write_back_way way; /* set once, by pm_init */

void pm_init(struct pmem *pm, void *base, uint64_t bytes)
{
	unsigned int a, b = 0, c, d;

	*pm = (struct pmem) { .base = base, .bytes = bytes };
	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
		b = 0;
	way = b & bit_CLWB ? BY_CLWB : b & bit_CLFLUSHOPT ? BY_CLFLUSHOPT : BY_CLFLUSH;
}

const char *pm_describe(void)
{
	switch (way) {
	case BY_CLFLUSH:
		return "clflush";
	case BY_CLFLUSHOPT:
		return "clflushopt";
	case BY_CLWB:
		return "clwb";
	}
	return "";
}

/* Not memcpy: each instruction that stores to the media is to be one of this file (tools/meter stores). */
static inline void copy(void *to, const void *from, size_t bytes)
{
	size_t words = bytes / 8, rest = bytes % 8;

	__asm__ volatile("rep movsq; mov %3, %%rcx; rep movsb"
			 : "+D"(to), "+S"(from), "+c"(words)
			 : "r"(rest)
			 : "memory");
}

static inline void clear(void *to, size_t bytes)
{
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(0) : "memory");
}

void pm_store(struct pmem *pm, void *to, const void *from, size_t bytes)
{
	__m128i *at = to;
	const __m128i *what = from;

	(void)pm;
	for (; bytes >= 64; bytes -= 64, at += 4, what += 4) { /* an inode is two of these: no call, no set-up */
		const __m128i a = _mm_loadu_si128(what), b = _mm_loadu_si128(what + 1), c = _mm_loadu_si128(what + 2),
			d = _mm_loadu_si128(what + 3);
		_mm_storeu_si128(at, a);
		_mm_storeu_si128(at + 1, b);
		_mm_storeu_si128(at + 2, c);
		_mm_storeu_si128(at + 3, d);
	}
	if (bytes != 0)
		copy(at, what, bytes);
}

void pm_store_u64(struct pmem *pm, uint64_t *to, uint64_t value)
{
	(void)pm;
	__atomic_store_n(to, value, __ATOMIC_RELEASE);
}

/* The ragged ends go through the cache. */
static size_t store_edge(struct pmem *pm, uint8_t *to, const uint8_t *from, size_t bytes)
{
	if (from != NULL)
		copy(to, from, bytes);
	else
		clear(to, bytes);
	pm_write_back(pm, to, bytes);
	return bytes;
}

/* To the next 16 bytes, or to the end. */
static size_t store_head(struct pmem *pm, uint8_t *to, const uint8_t *from, size_t bytes)
{
	const size_t head = -(uintptr_t)to & 15;

	return head == 0 ? 0 : store_edge(pm, to, from, head < bytes ? head : bytes);
}

static inline void stream_line(__m128i *to, const __m128i *from)
{
	const __m128i a = _mm_loadu_si128(from), b = _mm_loadu_si128(from + 1), c = _mm_loadu_si128(from + 2),
		d = _mm_loadu_si128(from + 3);

	_mm_stream_si128(to, a);
	_mm_stream_si128(to + 1, b);
	_mm_stream_si128(to + 2, c);
	_mm_stream_si128(to + 3, d);
}

/* Whole lines; `to` is a multiple of 16. */
static inline void stream_lines(__m128i *to, const __m128i *from, size_t lines)
{
	const __m128i *const end = from + lines * 4;

	for (; lines >= 4; lines -= 4, to += 16, from += 16) {
		stream_line(to, from);
		stream_line(to + 4, from + 4);
		stream_line(to + 8, from + 8);
		stream_line(to + 12, from + 12);
	}
	for (; from != end; to += 4, from += 4)
		stream_line(to, from);
}

void pm_store_lines(struct pmem *pm, void *to, const void *from, size_t bytes)
{
	(void)pm;
	stream_lines(to, from, bytes / PMEM_LINE);
}

void pm_store_nt(struct pmem *pm, void *to_void, const void *from_void, size_t bytes)
{
	const size_t head = store_head(pm, to_void, from_void, bytes);
	__m128i *to = (__m128i *)(void *)((uint8_t *)to_void + head);
	const __m128i *from = (const __m128i *)(const void *)((const uint8_t *)from_void + head);

	bytes -= head;
	const size_t lines = bytes / PMEM_LINE;
	stream_lines(to, from, lines);
	to += lines * 4;
	from += lines * 4;
	for (bytes %= PMEM_LINE; bytes >= 16; bytes -= 16)
		_mm_stream_si128(to++, _mm_loadu_si128(from++));
	if (bytes >= 8) {
		long long word;
		memcpy(&word, from, 8);
		_mm_stream_si64((long long *)(void *)to, word);
		to = (__m128i *)(void *)((uint8_t *)to + 8);
		from = (const __m128i *)(const void *)((const uint8_t *)from + 8);
		bytes -= 8;
	}
	if (bytes != 0)
		store_edge(pm, (uint8_t *)to, (const uint8_t *)from, bytes);
}

void pm_zero_nt(struct pmem *pm, void *to_void, size_t bytes)
{
	const __m128i zero = _mm_setzero_si128();
	const size_t head = store_head(pm, to_void, NULL, bytes);
	__m128i *to = (__m128i *)(void *)((uint8_t *)to_void + head);

	for (bytes -= head; bytes >= 64; bytes -= 64, to += 4) {
		_mm_stream_si128(to, zero);
		_mm_stream_si128(to + 1, zero);
		_mm_stream_si128(to + 2, zero);
		_mm_stream_si128(to + 3, zero);
	}
	for (; bytes >= 16; bytes -= 16)
		_mm_stream_si128(to++, zero);
	if (bytes != 0)
		store_edge(pm, (uint8_t *)to, NULL, bytes);
}

__attribute__((target("clwb"))) static void back_clwb(uintptr_t line, uintptr_t end)
{
	for (; unlikely(end - line >= 8 * PMEM_LINE); line += 8 * PMEM_LINE) { /* megabytes, after stores by mappings */
		__builtin_ia32_clwb((void *)line);
		__builtin_ia32_clwb((void *)(line + PMEM_LINE));
		__builtin_ia32_clwb((void *)(line + 2 * PMEM_LINE));
		__builtin_ia32_clwb((void *)(line + 3 * PMEM_LINE));
		__builtin_ia32_clwb((void *)(line + 4 * PMEM_LINE));
		__builtin_ia32_clwb((void *)(line + 5 * PMEM_LINE));
		__builtin_ia32_clwb((void *)(line + 6 * PMEM_LINE));
		__builtin_ia32_clwb((void *)(line + 7 * PMEM_LINE));
	}
	for (; line < end; line += PMEM_LINE)
		__builtin_ia32_clwb((void *)line);
}

__attribute__((target("clflushopt"))) static void back_clflushopt(uintptr_t line, uintptr_t end)
{
	for (; line < end; line += PMEM_LINE)
		__builtin_ia32_clflushopt((void *)line);
}

static void back_clflush(uintptr_t line, uintptr_t end)
{
	for (; line < end; line += PMEM_LINE)
		_mm_clflush((const void *)line);
}

void pm_write_back(struct pmem *pm, const void *at, size_t bytes)
{
	const uintptr_t line = (uintptr_t)at & ~(uintptr_t)(PMEM_LINE - 1);
	const uintptr_t end = (uintptr_t)at + bytes;

	(void)pm;
	switch (way) {
	case BY_CLFLUSH:
		back_clflush(line, end);
		break;
	case BY_CLFLUSHOPT:
		back_clflushopt(line, end);
		break;
	case BY_CLWB:
		back_clwb(line, end);
		break;
	}
}

void pm_store_word(struct pmem *pm, uint64_t *to, uint64_t value)
{
	__atomic_store_n(to, value, __ATOMIC_RELEASE);
	if (likely(way == BY_CLWB))
		back_clwb((uintptr_t)to, (uintptr_t)to + 1);
	else
		pm_write_back(pm, to, sizeof(*to));
}

void pm_fence(struct pmem *pm)
{
	(void)pm;
	_mm_sfence();
}
