/* SPDX-License-Identifier: BSD-2-Clause */
/* crc32c.h - the Castagnoli CRC (polynomial 0x1edc6f41, reflected), by the CPU's instruction where
 * it has it: then inline, as most of what is summed is a few words long. */
#pragma once

#include <lintel/types.h>

#include <string.h>

extern bool crc32c_by_instruction; /* [a] crc32c.c has looked, and the CPU has SSE4.2 */

uint32_t crc32c_slow(uint32_t crc, const void *data, size_t bytes);

/* One step, of 8 bytes; assembly, so that files which are compiled for any x86-64 can use it, behind
 * crc32c_by_instruction. */
static inline uint64_t crc32c_step(uint64_t crc, const uint8_t *data)
{
	__asm__("crc32q %1, %0" : "+r"(crc) : "m"(*(const uint8_t (*)[8])data));
	return crc;
}

static inline uint32_t crc32c_steps(uint32_t crc, const uint8_t *data, size_t bytes)
{
	uint64_t wide = crc;
	uint32_t half;
	uint16_t quarter;

	for (; bytes >= 64; bytes -= 64)
#pragma GCC unroll 8
		for (int i = 0; i < 8; i++, data += 8)
			wide = crc32c_step(wide, data);
#pragma GCC unroll 7
	for (; bytes >= 8; bytes -= 8, data += 8)
		wide = crc32c_step(wide, data);
	crc = (uint32_t)wide;
	if (bytes & 4) {
		memcpy(&half, data, 4);
		__asm__("crc32l %1, %0" : "+r"(crc) : "rm"(half));
		data += 4;
	}
	if (bytes & 2) {
		memcpy(&quarter, data, 2);
		__asm__("crc32w %1, %0" : "+r"(crc) : "rm"(quarter));
		data += 2;
	}
	if (bytes & 1)
		__asm__("crc32b %1, %0" : "+r"(crc) : "rm"(*data));
	return crc;
}

/* Continue `crc` (0 at the start) over the bytes. crc32c(0, "123456789", 9) = 0xe3069283. */
static inline uint32_t crc32c(uint32_t crc, const void *data, size_t bytes)
{
	if (likely(__atomic_load_n(&crc32c_by_instruction, __ATOMIC_RELAXED)))
		return ~crc32c_steps(~crc, data, bytes);
	return crc32c_slow(crc, data, bytes);
}
