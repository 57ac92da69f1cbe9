/* SPDX-License-Identifier: BSD-2-Clause */
/* test_malloc.c - the heap behind malloc: sizes, alignment, many threads, and what it notices of misuse.
 * link: libc/heap/heap.c libc/heap/class.c libc/heap/segment.c */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "heap/heap.h"
#include "heap/port.h"

#define THREADS 4
#define ROUNDS 60000
#define SHELVES 512

static size_t mapped_bytes;
static const char *panic_text;
static jmp_buf panic_return;

/* ---- The port ---- */

void *heap_port_map(size_t bytes, size_t align)
{
	char *base = mmap(NULL, bytes + align, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (base == MAP_FAILED)
		return NULL;
	char *aligned = (char *)(((uintptr_t)base + align - 1) & ~(uintptr_t)(align - 1));
	if (aligned > base)
		munmap(base, (size_t)(aligned - base));
	munmap(aligned + bytes, (size_t)(base + align - aligned));
	__atomic_add_fetch(&mapped_bytes, bytes, __ATOMIC_RELAXED);
	return aligned;
}

void heap_port_unmap(void *base, size_t bytes)
{
	__atomic_sub_fetch(&mapped_bytes, bytes, __ATOMIC_RELAXED);
	munmap(base, bytes);
}

uintptr_t heap_port_random(void)
{
	return 0x123456789abcdef1u;
}

void heap_port_panic(const char *what, const void *block)
{
	(void)block;
	panic_text = what;
	longjmp(panic_return, 1);
}

void lock_wait(struct lock *lock)
{
	while (__atomic_exchange_n(&lock->word, 2, __ATOMIC_ACQUIRE) != 0)
		sched_yield();
}

void lock_wake(struct lock *lock)
{
	(void)lock;
}

#define EXPECT_PANIC(statement, text)                      \
	do {                                                   \
		panic_text = NULL;                                 \
		if (setjmp(panic_return) == 0)                     \
			statement;                                     \
		assert_non_null(panic_text);                       \
		assert_non_null(strstr(panic_text, text));         \
	} while (0)

/* ---- Tests ---- */

static void test_classes(void **state)
{
	(void)state;
	uint32_t last = 0;
	for (size_t bytes = 0; bytes <= SMALL_BYTES_MAX; bytes++) {
		uint32_t class = class_of(bytes);
		assert_true(class < HEAP_CLASSES && class_block_bytes(class) >= bytes);
		assert_true(class == last || class == last + 1);
		if (class > 0)
			assert_true(class_block_bytes(class - 1) < bytes);
		last = class;
	}
	assert_int_equal(last, HEAP_CLASSES - 1);
	assert_int_equal(class_block_bytes(last), SMALL_BYTES_MAX);
}

static void test_sizes(void **state)
{
	(void)state;
	for (size_t bytes = 1; bytes < 6000000; bytes += 1 + bytes / 3) {
		unsigned char *block = heap_alloc(bytes);
		assert_non_null(block);
		assert_int_equal((uintptr_t)block % HEAP_ALIGN, 0);
		assert_true(heap_usable_bytes(block) >= bytes);
		memset(block, 0xa5, heap_usable_bytes(block));
		heap_free(block);
		unsigned char *zeroed = heap_alloc_zeroed(1, bytes);
		assert_int_equal(zeroed[0] | zeroed[bytes / 2] | zeroed[bytes - 1], 0);
		heap_free(zeroed);
		heap_check_invariants();
	}
	assert_null(heap_alloc(SIZE_MAX));
	assert_null(heap_alloc_zeroed(SIZE_MAX / 2, 3));
	heap_free(NULL);
}

static void test_resize(void **state)
{
	(void)state;
	char *block = heap_resize(NULL, 10);
	strcpy(block, "kept bytes");
	for (size_t bytes = 11; bytes < 3000000; bytes = bytes * 7 / 4) {
		block = heap_resize(block, bytes);
		assert_string_equal(block, "kept bytes");
	}
	block = heap_resize(block, 11);
	assert_string_equal(block, "kept bytes");
	assert_true(heap_usable_bytes(block) < 1000);
	assert_null(heap_resize(block, SIZE_MAX));
	heap_free(block);
}

static void test_aligned(void **state)
{
	(void)state;
	for (size_t align = 1; align <= HEAP_ALIGN_MAX; align *= 2) {
		for (size_t bytes = 0; bytes < 2000000; bytes = bytes * 3 + 7) {
			char *block = heap_alloc_aligned(align, bytes);
			assert_non_null(block);
			assert_int_equal((uintptr_t)block % align, 0);
			assert_true(heap_usable_bytes(block) >= bytes);
			memset(block, 1, bytes);
			heap_free(block);
		}
	}
	assert_null(heap_alloc_aligned(3, 10));
	assert_null(heap_alloc_aligned(HEAP_ALIGN_MAX * 2, 10));
	heap_check_invariants();
}

/* Large blocks go back to the system at once, small ones when the cache is flushed: one empty segment is kept, and one
 * span a class. */
static void test_returned(void **state)
{
	(void)state;
	size_t before = mapped_bytes;
	void *large = heap_alloc(40 << 20);
	assert_true(mapped_bytes >= before + (40 << 20));
	heap_free(large);
	assert_int_equal(mapped_bytes, before);

	static void *blocks[20000];
	for (size_t i = 0; i < 20000; i++)
		blocks[i] = heap_alloc(4096);
	assert_true(mapped_bytes > before + 19000 * 4096ul);
	for (size_t i = 0; i < 20000; i++)
		heap_free(blocks[i]);
	heap_cache_flush(heap_cache_own());
	heap_check_invariants();
	assert_true(mapped_bytes <= before + 2 * SEGMENT_BYTES);
}

static void test_misuse(void **state)
{
	(void)state;
	char *block = heap_alloc(100), *run = heap_alloc(100000), *large = heap_alloc(1 << 20);
	EXPECT_PANIC(heap_free(block + 16), "middle");
	EXPECT_PANIC(heap_free(run + 4096), "middle");
	EXPECT_PANIC(heap_free(large + 4096), "middle");
	heap_free(run);
	EXPECT_PANIC(heap_free(run), "freed");
	heap_free(large);
	heap_free(block);
	EXPECT_PANIC(heap_free(block), "twice");
	heap_cache_flush(heap_cache_own());
	block = heap_alloc(100);
	heap_free(block);
	*(uintptr_t *)(block + 8) = 7;
	EXPECT_PANIC(heap_alloc(100), "written");
	*(uintptr_t *)(block + 8) = (uintptr_t)block ^ heap_key;
	heap_check_invariants();
}

/* ---- Threads ---- */

static void *shelves[SHELVES];

struct owned {
	size_t bytes;
	unsigned char fill;
};

static void *make_block(unsigned *seed)
{
	size_t bytes = sizeof(struct owned) + (rand_r(seed) % 16 == 0 ? rand_r(seed) % 70000 : rand_r(seed) % 600);
	struct owned *block = heap_alloc(bytes);

	if (block == NULL)
		return NULL;
	*block = (struct owned){ bytes, (unsigned char)rand_r(seed) };
	memset(block + 1, block->fill, bytes - sizeof(*block));
	return block;
}

static bool block_intact(const struct owned *block)
{
	const unsigned char *bytes = (const unsigned char *)(block + 1);
	size_t count = block->bytes - sizeof(*block);

	for (size_t i = 0; i < count; i += 1 + count / 16) {
		if (bytes[i] != block->fill)
			return false;
	}
	return true;
}

/* Swap blocks with shared shelves, so that most are freed by another thread than the one that made them. */
static void *swap_blocks(void *argument)
{
	unsigned seed = (unsigned)(uintptr_t)argument;
	uintptr_t bad = 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct owned *block = make_block(&seed);
		block = __atomic_exchange_n(&shelves[rand_r(&seed) % SHELVES], block, __ATOMIC_ACQ_REL);
		if (block == NULL)
			continue;
		bad += !block_intact(block);
		heap_free(block);
	}
	heap_cache_flush(heap_cache_own());
	return (void *)bad;
}

static void test_threads(void **state)
{
	(void)state;
	pthread_t threads[THREADS];
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, swap_blocks, (void *)(i + 1)), 0);
	for (int i = 0; i < THREADS; i++) {
		void *bad;
		pthread_join(threads[i], &bad);
		assert_null(bad);
	}
	for (int i = 0; i < SHELVES; i++) {
		heap_free(shelves[i]);
		shelves[i] = NULL;
	}
	heap_cache_flush(heap_cache_own());
	heap_check_invariants();
	assert_true(mapped_bytes <= 4 * SEGMENT_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes), cmocka_unit_test(test_sizes),	 cmocka_unit_test(test_resize),
		cmocka_unit_test(test_aligned), cmocka_unit_test(test_returned), cmocka_unit_test(test_misuse),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
