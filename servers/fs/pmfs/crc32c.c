/* SPDX-License-Identifier: BSD-2-Clause */
/* crc32c.c - see crc32c.h. The first use looks what the CPU has; on one without SSE4.2 it makes the
 * table, which twice does no harm. */
#include "crc32c.h"

#include <cpuid.h>
#include <stdatomic.h>

#define POLYNOMIAL 0x82f63b78u /* 0x1edc6f41 reflected */

bool crc32c_by_instruction;

static _Atomic bool table_made;
static uint32_t table[256];

static void table_make(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		table[i] = crc;
	}
	atomic_store_explicit(&table_made, true, memory_order_release);
}

static uint32_t crc_by_table(uint32_t crc, const uint8_t *data, size_t bytes)
{
	while (bytes-- != 0)
		crc = crc >> 8 ^ table[(crc ^ *data++) & 0xff];
	return crc;
}

uint32_t crc32c_slow(uint32_t crc, const void *data, size_t bytes)
{
	unsigned int a, b, c = 0, d;

	if (!atomic_load_explicit(&table_made, memory_order_acquire)) {
		if (__get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_2)) {
			__atomic_store_n(&crc32c_by_instruction, true, __ATOMIC_RELAXED);
			return ~crc32c_steps(~crc, data, bytes);
		}
		table_make();
	}
	return ~crc_by_table(~crc, data, bytes);
}
