/* SPDX-License-Identifier: BSD-2-Clause */
/* crc32c.c - see crc32c.h. The table is made at the first use on a CPU without SSE4.2; making it
 * twice does no harm. */
#include "crc32c.h"

#include <cpuid.h>
#include <stdatomic.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78u /* 0x1edc6f41 reflected */

enum crc_way { CRC_UNKNOWN, CRC_TABLE, CRC_INSTRUCTION };

static _Atomic uint32_t way;
static uint32_t table[256];

static uint32_t crc_by_table(uint32_t crc, const uint8_t *data, size_t bytes)
{
	while (bytes-- != 0)
		crc = crc >> 8 ^ table[(crc ^ *data++) & 0xff];
	return crc;
}

__attribute__((target("sse4.2"))) static uint32_t crc_by_instruction(uint32_t crc, const uint8_t *data, size_t bytes)
{
	uint64_t wide = crc;

	for (; bytes >= 8; bytes -= 8, data += 8) {
		uint64_t word;
		memcpy(&word, data, 8);
		wide = __builtin_ia32_crc32di(wide, word);
	}
	crc = (uint32_t)wide;
	while (bytes-- != 0)
		crc = __builtin_ia32_crc32qi(crc, *data++);
	return crc;
}

static uint32_t crc_choose(void)
{
	unsigned int a, b, c = 0, d;

	if (__get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_2)) {
		atomic_store(&way, CRC_INSTRUCTION);
		return CRC_INSTRUCTION;
	}
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		table[i] = crc;
	}
	atomic_store(&way, CRC_TABLE);
	return CRC_TABLE;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t bytes)
{
	uint32_t how = atomic_load_explicit(&way, memory_order_acquire);

	if (how == CRC_UNKNOWN)
		how = crc_choose();
	return ~(how == CRC_INSTRUCTION ? crc_by_instruction(~crc, data, bytes) : crc_by_table(~crc, data, bytes));
}
