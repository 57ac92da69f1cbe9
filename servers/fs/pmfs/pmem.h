/* SPDX-License-Identifier: BSD-2-Clause */
/* pmem.h - the one way to write persistent memory. Nothing else in pmfs stores to the device: that
 * is what the crash tests record and what the store-watching plugin proves. Reading is plain loads.
 *
 * Rules: a store is durable after pm_write_back of its lines and then pm_fence, by the CPU that
 * stored; non-temporal stores need the fence only. Before that any subset of lines, and of a line
 * any prefix of its stores, may be on the media after a power cut; an aligned 8-byte store is never torn.
 * Two implementations, chosen by the Makefile: server/pmem_x86.c (Lintel) and pmem_host.c (a buffer,
 * recorded for tests). */
#pragma once

#include <lintel/types.h>

#define PMEM_LINE 64u

struct pmem {
	uint8_t *base;   /* page aligned */
	uint64_t bytes;
	void *recorder;  /* pmem_host.c's own; NULL: nobody records */
};

void pm_init(struct pmem *pm, void *base, uint64_t bytes);

/* [to, to + bytes) lies in the device, and `from` does not lie in that. */
void pm_store(struct pmem *pm, void *to, const void *from, size_t bytes);
void pm_store_u64(struct pmem *pm, uint64_t *to, uint64_t value); /* aligned: atomic */
void pm_store_word(struct pmem *pm, uint64_t *to, uint64_t value); /* the same, and written back */
void pm_store_nt(struct pmem *pm, void *to, const void *from, size_t bytes);
void pm_store_lines(struct pmem *pm, void *to, const void *from, size_t bytes); /* whole lines, non-temporal */
void pm_zero_nt(struct pmem *pm, void *to, size_t bytes);
void pm_write_back(struct pmem *pm, const void *at, size_t bytes);
void pm_fence(struct pmem *pm);

/* Reads. */
static inline bool pm_is_zero(const uint8_t *at, uint64_t bytes)
{
	for (; bytes >= 8; bytes -= 8, at += 8) {
		uint64_t word;
		__builtin_memcpy(&word, at, 8);
		if (word != 0)
			return false;
	}
	while (bytes-- != 0)
		if (*at++ != 0)
			return false;
	return true;
}

/* The kind of write-back in use, for the log. */
const char *pm_describe(void);
