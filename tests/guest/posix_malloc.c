/* SPDX-License-Identifier: BSD-2-Clause */
/* posix_malloc.c - malloc inside a process: sizes, alignment, and threads that free each other's blocks.
 * Builds on Linux too, where it must pass as well. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define THREADS 4
#define ROUNDS 20000
#define SHELVES 256

struct owned {
	size_t bytes;
	unsigned char fill;
};

static struct owned *shelves[SHELVES];

static struct owned *make_block(unsigned *seed)
{
	size_t bytes = sizeof(struct owned) + (size_t)(rand_r(seed) % 32 == 0 ? rand_r(seed) % 300000 : rand_r(seed) % 900);
	struct owned *block = malloc(bytes);

	if (block == NULL)
		return NULL;
	*block = (struct owned){ bytes, (unsigned char)rand_r(seed) };
	memset(block + 1, block->fill, bytes - sizeof(*block));
	return block;
}

static bool is_intact(const struct owned *block)
{
	const unsigned char *bytes = (const unsigned char *)(block + 1);
	size_t count = block->bytes - sizeof(*block);

	for (size_t i = 0; i < count; i += 1 + count / 32) {
		if (bytes[i] != block->fill)
			return false;
	}
	return true;
}

static void *swap_blocks(void *argument)
{
	unsigned seed = (unsigned)(uintptr_t)argument + 1;
	uintptr_t bad = 0;

	for (int i = 0; i < ROUNDS; i++) {
		struct owned *block = make_block(&seed);
		bad += block == NULL;
		block = __atomic_exchange_n(&shelves[rand_r(&seed) % SHELVES], block, __ATOMIC_ACQ_REL);
		if (block == NULL)
			continue;
		bad += !is_intact(block);
		free(block);
	}
	return (void *)bad;
}

static void test_threads(void)
{
	pthread_t threads[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, swap_blocks, (void *)i), 0);
	for (int i = 0; i < THREADS; i++) {
		void *bad;
		CHECK_EQUAL(pthread_join(threads[i], &bad), 0);
		CHECK_EQUAL((uintptr_t)bad, 0);
	}
	for (int i = 0; i < SHELVES; i++) {
		free(shelves[i]);
		shelves[i] = NULL;
	}
}

static void test_sizes(void)
{
	for (size_t bytes = 1; bytes < (8u << 20); bytes += 1 + bytes / 2) {
		char *block = malloc(bytes), *zeroed = calloc(1, bytes);
		CHECK(block != NULL && zeroed != NULL && (uintptr_t)block % 16 == 0);
		CHECK(malloc_usable_size(block) >= bytes);
		memset(block, 0x5a, bytes);
		CHECK(zeroed[0] == 0 && zeroed[bytes - 1] == 0);
		block = realloc(block, bytes * 2);
		CHECK(block != NULL && block[0] == 0x5a && block[bytes - 1] == 0x5a);
		free(block);
		free(zeroed);
	}
	volatile size_t most = SIZE_MAX; /* not for the compiler to see */
	errno = 0;
	CHECK(malloc(most - 100) == NULL && errno == ENOMEM);
	CHECK(calloc(most / 2, 3) == NULL);
	void *block = realloc(NULL, 10);
	CHECK(block != NULL);
	free(block);
	free(NULL);
}

static void test_aligned(void)
{
	for (size_t align = sizeof(void *); align <= (1u << 20); align *= 2) {
		void *block = NULL;
		CHECK_EQUAL(posix_memalign(&block, align, align / 2 + 3), 0);
		CHECK((uintptr_t)block % align == 0);
		memset(block, 1, align / 2 + 3);
		free(block);
		block = aligned_alloc(align, align * 3);
		CHECK(block != NULL && (uintptr_t)block % align == 0);
		free(block);
	}
	void *block = NULL;
	CHECK_EQUAL(posix_memalign(&block, 3, 10), EINVAL);
}

int main(void)
{
	CHECK_RUN(test_sizes);
	CHECK_RUN(test_aligned);
	CHECK_RUN(test_threads);
	return check.failed;
}
