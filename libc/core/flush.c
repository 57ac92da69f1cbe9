/* SPDX-License-Identifier: BSD-2-Clause */
/* flush.c - cache lines to memory, with the best instruction that the CPU has (Intel SDM vol. 2: CLWB, CLFLUSHOPT). */
#include "core/flush.h"

#include <lintel/info.h>
#include <lintel/process.h>

#define LINE_BYTES 64

static void flush_clwb(uintptr_t line, uintptr_t end)
{
	for (; line < end; line += LINE_BYTES)
		__asm__ volatile("clwb (%0)" : : "r"(line) : "memory");
}

static void flush_clflushopt(uintptr_t line, uintptr_t end)
{
	for (; line < end; line += LINE_BYTES)
		__asm__ volatile("clflushopt (%0)" : : "r"(line) : "memory");
}

static void flush_clflush(uintptr_t line, uintptr_t end)
{
	for (; line < end; line += LINE_BYTES)
		__asm__ volatile("clflush (%0)" : : "r"(line) : "memory");
}

void flush_range(const void *base, size_t bytes)
{
	const struct sysinfo_page *page = lintel_sysinfo();
	uint32_t features = page == NULL ? 0 : page->features;
	uintptr_t start = (uintptr_t)base & ~(uintptr_t)(LINE_BYTES - 1), end = (uintptr_t)base + bytes;

	if (features & CPU_CLWB)
		flush_clwb(start, end);
	else if (features & CPU_CLFLUSHOPT)
		flush_clflushopt(start, end);
	else
		flush_clflush(start, end);
	__asm__ volatile("sfence" : : : "memory");
}
