/* SPDX-License-Identifier: BSD-2-Clause */
/* clock.c - time in instructions or nanoseconds.
 * QEMU with -icount shift=0 advances the TSC by one per guest instruction. That is found out by
 * two loops of known length: where the TSC moves by exactly their instructions (within 0.5 %),
 * its ticks are instructions. The loops are of different shape, so that a TSC that happens to
 * run at some round frequency does not pass for one. */
#include "bench.h"

#include <string.h>
#include <time.h>

#define CALIBRATION_ROUNDS 200000u
#define COPY_SIZES_MAX 16

/* lfence: RDTSC is not ordered by itself (Intel SDM volume 2, RDTSC). */
uint64_t clock_tsc(void)
{
	uint32_t low, high;
	__asm__ volatile("lfence; rdtsc"
					 : "=a"(low), "=d"(high)
					 :
					 : "memory");
	return (uint64_t)high << 32 | low;
}

/* 2 instructions a round. */
static uint64_t ticks_of_short_loop(void)
{
	uint64_t rounds = CALIBRATION_ROUNDS, start = clock_tsc();
	__asm__ volatile("1: dec %0; jnz 1b"
					 : "+r"(rounds)
					 :
					 : "cc");
	return clock_tsc() - start;
}

/* 9 instructions a round, dependent on each other: no CPU runs them at the first loop's rate per
 * instruction. */
static uint64_t ticks_of_long_loop(void)
{
	uint64_t rounds = CALIBRATION_ROUNDS, x = 3, start = clock_tsc();
	__asm__ volatile("1: imul %1, %1; imul %1, %1; imul %1, %1; imul %1, %1; imul %1, %1; imul %1, %1; imul %1, %1;"
					 "dec %0; jnz 1b"
					 : "+r"(rounds), "+r"(x)
					 :
					 : "cc");
	return clock_tsc() - start;
}

static bool is_within(uint64_t ticks, uint64_t expected)
{
	return ticks >= expected && ticks - expected <= expected / 200;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The least of a few: a system's timer interrupt may fall into one of them. */
static bool ticks_are_instructions(void)
{
	uint64_t short_ticks = UINT64_MAX, long_ticks = UINT64_MAX;
	for (int i = 0; i < 5; i++) {
		short_ticks = least(short_ticks, ticks_of_short_loop());
		long_ticks = least(long_ticks, ticks_of_long_loop());
	}
	return is_within(short_ticks, 2ull * CALIBRATION_ROUNDS) && is_within(long_ticks, 9ull * CALIBRATION_ROUNDS);
}

uint64_t clock_ticks(const struct bench *b)
{
	struct timespec now;
	if (b->exact)
		return clock_tsc();
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The loop that every body has around its operation. */
static uint64_t ticks_of_empty_loop(struct bench *b, uint64_t count)
{
	uint64_t start = clock_ticks(b);
	for (uint64_t i = 0; i < count; i++)
		__asm__ volatile(""
						 :
						 : "r"(i));
	return clock_ticks(b) - start;
}

void clock_calibrate(struct bench *b)
{
	uint64_t empty = UINT64_MAX, loop = UINT64_MAX;
	b->exact = ticks_are_instructions();
	for (int i = 0; i < 8; i++) {
		empty = least(empty, ticks_of_empty_loop(b, 0));
		loop = least(loop, ticks_of_empty_loop(b, CALIBRATION_ROUNDS));
	}
	b->clock_ticks = empty;
	b->loop_milliticks = (loop > empty ? loop - empty : 0) * 1000 / CALIBRATION_ROUNDS;
}

static uint64_t measure_copy(struct bench *b, uint64_t bytes)
{
	static unsigned char target[BUFFER_BYTES] __attribute__((aligned(4096)));
	uint64_t best = UINT64_MAX;
	for (int i = 0; i < 6; i++) {
		void *to = target;
		const void *from = b->buffer;
		uint64_t words = bytes / 8;
		uint64_t start = clock_ticks(b);
		__asm__ volatile("rep movsq"
						 : "+D"(to), "+S"(from), "+c"(words)
						 :
						 : "memory");
		uint64_t ticks = clock_ticks(b) - start;
		best = least(best, ticks > b->clock_ticks ? ticks - b->clock_ticks : 0);
	}
	return best;
}

uint64_t clock_copy_ticks(struct bench *b, uint64_t bytes)
{
	static struct {
		uint64_t bytes, ticks;
	} known[COPY_SIZES_MAX];
	static size_t count;
	if (!bytes)
		return 0;
	for (size_t i = 0; i < count; i++) {
		if (known[i].bytes == bytes)
			return known[i].ticks;
	}
	uint64_t ticks = measure_copy(b, bytes <= BUFFER_BYTES ? bytes : BUFFER_BYTES);
	if (count < COPY_SIZES_MAX) {
		known[count].bytes = bytes;
		known[count++].ticks = ticks;
	}
	return ticks;
}
