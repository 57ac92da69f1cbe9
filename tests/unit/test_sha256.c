/* SPDX-License-Identifier: BSD-2-Clause */
/* test_sha256.c - the shell's SHA-256 against NIST's examples for FIPS 180-4, whole and in pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "shell/sha256.h"

static void check(const void *data, size_t bytes, size_t piece, const char *expected)
{
	struct sha256 h;
	uint8_t digest[SHA256_BYTES], parsed[SHA256_BYTES];
	char text[SHA256_TEXT_BYTES];
	sha256_start(&h);
	for (size_t at = 0; at < bytes; at += piece)
		sha256_add(&h, (const char *)data + at, bytes - at < piece ? bytes - at : piece);
	sha256_finish(&h, digest);
	sha256_text(digest, text);
	assert_string_equal(text, expected);
	assert_true(sha256_parse(expected, parsed));
	assert_memory_equal(parsed, digest, sizeof digest);
}

static void standard_examples(void **state)
{
	(void)state;
	static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	static const char four_blocks[] = "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
									  "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";
	check("", 0, 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	check("abc", 3, 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	check(two_blocks, 56, 56, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	check(four_blocks, 112, 112, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
}

static void a_million_in_pieces(void **state)
{
	(void)state;
	static const size_t pieces[] = { 1, 3, 55, 63, 64, 65, 4096, 1000000 };
	char *data = malloc(1000000);
	memset(data, 'a', 1000000);
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
		check(data, 1000000, pieces[i], "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	free(data);
}

static void refuse_bad_text(void **state)
{
	(void)state;
	uint8_t digest[SHA256_BYTES];
	assert_false(sha256_parse("", digest));
	assert_false(sha256_parse("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85", digest));
	assert_false(sha256_parse("g3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", digest));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(standard_examples),
		cmocka_unit_test(a_million_in_pieces),
		cmocka_unit_test(refuse_bad_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
