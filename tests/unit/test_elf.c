/* SPDX-License-Identifier: BSD-2-Clause */
/* test_elf.c - the ELF reader: what it takes, and every lie that it must not believe.
 * link: libc/spawn/elf.c */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "spawn/elf.h"

#define FILE_BYTES 0x4000
#define PROGRAMS 64 /* offset of the program headers */

/* Program header n of `file`, and the members that the tests bend (Elf64_Phdr offsets). */
#define P(n, member) (file + PROGRAMS + 56 * (n) + (member))
enum { P_TYPE = 0, P_FLAGS = 4, P_OFFSET = 8, P_ADDRESS = 16, P_FILE = 32, P_MEMORY = 40 };
enum { H_TYPE = 16, H_MACHINE = 18, H_VERSION = 20, H_ENTRY = 24, H_PROGRAMS = 32, H_PROGRAM_BYTES = 54, H_COUNT = 56 };

static unsigned char *file; /* of FILE_BYTES, from malloc so that ASan sees its end */

static void put(unsigned char *at, uint64_t value, size_t bytes)
{
	memcpy(at, &value, bytes);
}

static void put_program(int n, uint32_t flags, uint64_t offset, uint64_t address, uint64_t in_file, uint64_t memory)
{
	put(P(n, P_TYPE), 1, 4);
	put(P(n, P_FLAGS), flags, 4);
	put(P(n, P_OFFSET), offset, 8);
	put(P(n, P_ADDRESS), address, 8);
	put(P(n, P_FILE), in_file, 8);
	put(P(n, P_MEMORY), memory, 8);
}

/* A good file: read-only, code, data with bss. */
static int setup(void **state)
{
	static const unsigned char ident[] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };

	(void)state;
	file = calloc(1, FILE_BYTES);
	memcpy(file, ident, sizeof(ident));
	put(file + H_TYPE, 2, 2);
	put(file + H_MACHINE, 62, 2);
	put(file + H_VERSION, 1, 4);
	put(file + H_ENTRY, 0x401010, 8);
	put(file + H_PROGRAMS, PROGRAMS, 8);
	put(file + 52, 64, 2);
	put(file + H_PROGRAM_BYTES, 56, 2);
	put(file + H_COUNT, 3, 2);
	put_program(0, 4, 0, 0x400000, 0x800, 0x800);
	put_program(1, 5, 0x1000, 0x401000, 0x234, 0x234);
	put_program(2, 6, 0x2040, 0x403040, 0x100, 0x5000);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(file);
	return 0;
}

static err_t parse(struct elf_image *image)
{
	return elf_parse(file, FILE_BYTES, FILE_BYTES, image);
}

static void refuse(void)
{
	struct elf_image image;

	assert_int_equal(parse(&image), ERR_BAD_FORMAT);
	teardown(NULL);
	setup(NULL);
	assert_int_equal(parse(&image), OK);
}

static void test_good(void **state)
{
	(void)state;
	struct elf_image image;
	assert_int_equal(parse(&image), OK);
	assert_int_equal(image.count, 3);
	assert_int_equal(image.entry, 0x401010);
	assert_int_equal(image.segments[1].map_flags, SPACE_READ | SPACE_EXECUTE);
	assert_int_equal(image.segments[2].map_flags, SPACE_READ | SPACE_WRITE);
	assert_int_equal(image.segments[2].address, 0x403000);
	assert_int_equal(image.segments[2].lead, 0x40);
	assert_int_equal(image.segments[2].bytes, 0x6000);
	assert_int_equal(image.bytes, 0x8000);
}

static void test_header(void **state)
{
	(void)state;
	static const struct {
		size_t at;
		uint64_t value;
		size_t bytes;
	} lies[] = {
		{ 0, 0, 1 }, { 1, 'X', 1 }, { 4, 1, 1 }, { 5, 2, 1 }, { 6, 0, 1 }, { H_TYPE, 3, 2 }, { H_TYPE, 1, 2 },
		{ H_MACHINE, 3, 2 }, { H_VERSION, 2, 4 }, { 52, 52, 2 }, { H_PROGRAM_BYTES, 32, 2 }, { H_COUNT, 0, 2 },
		{ H_COUNT, 0xffff, 2 }, { H_COUNT, 73, 2 }, { H_PROGRAMS, 4096, 8 }, { H_PROGRAMS, UINT64_MAX, 8 },
		{ H_PROGRAMS, UINT64_MAX - 100, 8 }, { H_ENTRY, 0, 8 }, { H_ENTRY, 0x400100, 8 }, { H_ENTRY, 0x401234, 8 },
		{ H_ENTRY, 0x400fff, 8 }, { H_ENTRY, 0x403040, 8 }, { H_ENTRY, UINT64_MAX, 8 },
	};

	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		put(file + lies[i].at, lies[i].value, lies[i].bytes);
		refuse();
	}
}

static void test_segments(void **state)
{
	(void)state;
	static const struct {
		int program;
		size_t member;
		uint64_t value;
	} lies[] = {
		{ 1, P_FLAGS, 7 }, { 2, P_FLAGS, 3 }, { 1, P_FILE, 0x235 }, { 1, P_OFFSET, 0x1001 }, { 1, P_OFFSET, 0x4000 },
		{ 1, P_OFFSET, UINT64_MAX & ~0xfffull }, { 2, P_MEMORY, UINT64_MAX }, { 2, P_MEMORY, UINT64_MAX - 0x403040 },
		{ 2, P_ADDRESS, 0x401040 }, { 2, P_ADDRESS, 0x400040 }, { 0, P_ADDRESS, 0x401000 }, { 0, P_ADDRESS, 0 },
		{ 2, P_ADDRESS, 0xffff800000000040 }, { 2, P_ADDRESS, 0x7fffffffe040 }, { 2, P_ADDRESS, 0x7f0000000040 },
		{ 2, P_ADDRESS, 0x7effffffc040 }, { 2, P_ADDRESS, UINT64_MAX - 0xfbf }, { 2, P_MEMORY, 5ull << 30 },
		{ 0, P_TYPE, 2 }, { 0, P_TYPE, 3 }, { 1, P_TYPE, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		bool narrow = lies[i].member == P_FLAGS || lies[i].member == P_TYPE;
		put(P(lies[i].program, lies[i].member), lies[i].value, narrow ? 4 : 8);
		refuse();
	}
}

/* Two segments may not share a page: one of them would get the other's protection. */
static void test_shared_page(void **state)
{
	(void)state;
	put_program(1, 5, 0x7f0, 0x4007f0, 0x100, 0x100);
	put(file + H_ENTRY, 0x400800, 8);
	refuse();
}

static void test_too_many(void **state)
{
	(void)state;
	struct elf_image image;
	put(file + H_COUNT, 17, 2);
	for (int i = 0; i < 17; i++)
		put_program(i, 5, 0x1000, 0x401000 + 0x1000u * (unsigned)i, 0x234, 0x234);
	assert_int_equal(parse(&image), ERR_BAD_FORMAT);
	put(file + H_COUNT, 16, 2);
	assert_int_equal(parse(&image), OK);
}

static void test_short(void **state)
{
	(void)state;
	struct elf_image image;
	for (size_t bytes = 0; bytes < PROGRAMS + 3 * 56; bytes++) {
		unsigned char *part = malloc(bytes + 1);
		memcpy(part, file, bytes);
		assert_int_equal(elf_parse(part, bytes, bytes, &image), ERR_BAD_FORMAT);
		assert_int_equal(elf_parse(part, bytes, FILE_BYTES, &image), ERR_BAD_FORMAT);
		free(part);
	}
	assert_int_equal(elf_parse(file, 4096, FILE_BYTES, &image), OK);
	assert_int_equal(elf_parse(file, 4096, 0x2100, &image), ERR_BAD_FORMAT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_good), TEST(test_header), TEST(test_segments), TEST(test_shared_page), TEST(test_too_many),
		TEST(test_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
