/* SPDX-License-Identifier: BSD-2-Clause */
/* test_startup.c - the startup block: what spawn writes is what start-up reads, and nothing malformed is followed.
 * link: libc/spawn/block.c libc/core/startup_check.c */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/startup_check.h"
#include "spawn/block.h"

static char *const arguments[] = { "prog", "", "two words", NULL };
static char *const environment[] = { "A=1", "LONGER=value", NULL };

/* A good block, cut to its size so that ASan sees its end. */
static struct startup_block *make_block(void)
{
	struct startup_handle mount = { .kind = STARTUP_MOUNT, .handle = 7 }, process = { .kind = STARTUP_PROCESS };
	struct block_builder builder;
	char *base = malloc(STARTUP_BYTES_MAX);

	assert_int_equal(block_begin(&builder, base, arguments, environment, "/tmp", 1, 2), OK);
	assert_int_equal(block_add_name(&builder, "/tmp", &mount.argument), OK);
	assert_int_equal(block_add_handle(&builder, &mount), OK);
	assert_int_equal(block_add_handle(&builder, &process), OK);
	assert_int_equal(block_add_handle(&builder, &process), ERR_TOO_BIG);
	assert_int_equal(block_add_name(&builder, "/x", &mount.argument), ERR_TOO_BIG);
	return realloc(base, block_of(&builder)->bytes);
}

static void test_round_trip(void **state)
{
	(void)state;
	struct startup_block *block = make_block();
	assert_int_equal(startup_check(block, block->bytes), OK);
	assert_int_equal(block->argc, 3);
	assert_int_equal(block->envc, 2);
	assert_string_equal(startup_string(block, block->argv_offset, 1), "");
	assert_string_equal(startup_string(block, block->argv_offset, 2), "two words");
	assert_string_equal(startup_string(block, block->env_offset, 1), "LONGER=value");
	assert_string_equal(startup_string(block, block->names_offset, 0), "/tmp");
	assert_string_equal((char *)block + block->cwd_offset, "/tmp");
	free(block);
}

static void test_too_big(void **state)
{
	(void)state;
	struct block_builder builder;
	char *base = malloc(STARTUP_BYTES_MAX), *text = malloc(STARTUP_BYTES_MAX);
	memset(text, 'x', STARTUP_BYTES_MAX - 1);
	text[STARTUP_BYTES_MAX - 1] = 0;
	char *huge[] = { text, NULL };
	assert_int_equal(block_begin(&builder, base, huge, environment, "/", 0, 1), ERR_TOO_BIG);
	assert_int_equal(block_begin(&builder, base, arguments, huge, "/", 0, 1), ERR_TOO_BIG);
	assert_int_equal(block_begin(&builder, base, arguments, NULL, "/", 0, STARTUP_HANDLES_MAX + 1), ERR_TOO_BIG);
	assert_int_equal(block_begin(&builder, base, arguments, NULL, "/", STARTUP_BYTES_MAX, 1), ERR_TOO_BIG);
	free(text);
	free(base);
}

/* Every 32-bit word of the header, with every kind of nonsense: refused or harmless, never out of bounds. */
static void test_bent(void **state)
{
	(void)state;
	static const uint32_t values[] = { 0, 1, 3, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff, 200, 300, 400 };
	struct startup_block *block = make_block();
	uint32_t bytes = block->bytes, *words = (uint32_t *)block;

	for (size_t word = 0; word < offsetof(struct startup_block, stack_base) / 4; word++) {
		for (size_t i = 0; i < ARRAY_LEN(values); i++) {
			uint32_t before = words[word];
			words[word] = values[i];
			err_t error = startup_check(block, bytes);
			assert_true(error == OK || error == ERR_BAD_FORMAT);
			if (word < 3 && before != values[i])
				assert_int_equal(error, ERR_BAD_FORMAT); /* magic and version */
			words[word] = before;
		}
	}
	free(block);
}

static void test_refused(void **state)
{
	(void)state;
	struct startup_block *block = make_block();
	uint32_t bytes = block->bytes, *argv = (uint32_t *)((char *)block + block->argv_offset);

	assert_int_equal(startup_check(block, bytes - 1), ERR_BAD_FORMAT);
	assert_int_equal(startup_check(block, sizeof(*block) - 1), ERR_BAD_FORMAT);
	argv[1] = bytes;
	assert_int_equal(startup_check(block, bytes), ERR_BAD_FORMAT);
	argv[1] = bytes - 1;
	assert_int_equal(startup_check(block, bytes), OK);
	((char *)block)[bytes - 1] = 'x';
	assert_int_equal(startup_check(block, bytes), ERR_BAD_FORMAT);
	((char *)block)[bytes - 1] = 0;
	((struct startup_handle *)((char *)block + block->handles_offset))[0].argument = 1;
	assert_int_equal(startup_check(block, bytes), ERR_BAD_FORMAT);
	free(block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_too_big),
		cmocka_unit_test(test_bent),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
