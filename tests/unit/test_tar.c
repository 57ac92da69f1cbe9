/* SPDX-License-Identifier: BSD-2-Clause */
/* test_tar.c - the ustar reader and bootfs's index, on archives that the machine's own tar made,
 * whole and damaged.
 * link: servers/kit/tar.c servers/kit/fs.c servers/fs/bootfs/index.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/bootfs/index.h"
#include "kit/tar.h"

/* A small tree, packed in the given format. */
static uint8_t *archive_make(const char *format, size_t *bytes)
{
	char folder[] = "/tmp/lintel-tar-XXXXXX", command[2000];

	assert_non_null(mkdtemp(folder));
	snprintf(command, sizeof(command),
			"cd %s && L=$(printf 'long-%%.0s' $(seq 30)) && mkdir -p t/bin \"t/$L/$L\" && "
			"printf hello >t/bin/hi && printf deep >\"t/$L/$L/f\" && ln -s hi t/bin/link && ln t/bin/hi t/bin/hard && "
			"ln -s \"$L/$L\" t/far && head -c 5000 /dev/zero >t/zeroes && tar --format=%s -C t -cf a.tar . && "
			"cat a.tar",
			folder, format);
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	uint8_t *data = malloc(1 << 20);
	*bytes = fread(data, 1, 1 << 20, pipe);
	assert_int_equal(pclose(pipe), 0);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
	return realloc(data, *bytes); /* exact, so that a read past the end is seen */
}

static err_t archive_read(const uint8_t *data, size_t bytes, uint32_t *entries)
{
	static struct tar_entry entry;
	volatile uint8_t sum = 0;
	struct tar tar;
	err_t err;

	tar_open(&tar, data, bytes);
	*entries = 0;
	while ((err = tar_next(&tar, &entry)) == OK) {
		++*entries;
		for (uint64_t i = 0; i < entry.bytes; i++)
			sum = (uint8_t)(sum + entry.data[i]);
	}
	if (err == ERR_BAD_FORMAT)
		assert_true(tar.reason[0] != 0);
	return err;
}

static void formats(void **state)
{
	static const char *const format[] = { "gnu", "pax" };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct index index;
		const char *reason;
		size_t bytes;
		uint32_t entries, at;
		uint8_t *data = archive_make(format[i], &bytes);
		assert_int_equal(archive_read(data, bytes, &entries), ERR_NOT_FOUND);
		assert_int_equal(entries, 10);
		assert_int_equal(index_build(&index, data, bytes, &reason), OK);
		assert_int_equal(index_walk(&index, "bin/link", true, &at), OK);
		assert_int_equal(index.entry[at - 1].bytes, 5);
		assert_memory_equal(index.entry[at - 1].data, "hello", 5);
		assert_int_equal(index_walk(&index, "bin/hard", true, &at), OK);
		assert_memory_equal(index.entry[at - 1].data, "hello", 5);
		assert_int_equal(index_walk(&index, "far/f", true, &at), OK);
		assert_memory_equal(index.entry[at - 1].data, "deep", 4);
		assert_int_equal(index_walk(&index, "bin/hi/", true, &at), ERR_NOT_DIR);
		assert_int_equal(index_walk(&index, "bin/no", true, &at), ERR_NOT_FOUND);
		uint32_t first, end;
		assert_int_equal(index_walk(&index, "", true, &at), OK);
		index_children(&index, at - 1, &first, &end);
		assert_int_equal(end - first, 4);
		assert_int_equal(index_walk(&index, "bin", true, &at), OK);
		index_children(&index, at - 1, &first, &end);
		assert_int_equal(end - first, 3);
		assert_string_equal(index_name(&index.entry[first]), "hard");
		index_free(&index);
		free(data);
	}
}

static void damaged(void **state)
{
	size_t bytes;
	uint32_t entries;
	uint8_t *data = archive_make("gnu", &bytes);

	(void)state;
	for (size_t cut = 0; cut < bytes; cut += 100) { /* each in a buffer of its own size */
		uint8_t *copy = malloc(cut != 0 ? cut : 1);
		memcpy(copy, data, cut);
		(void)archive_read(copy, cut, &entries);
		free(copy);
	}
	assert_int_equal(archive_read(data, 700, &entries), ERR_BAD_FORMAT);
	for (size_t i = 0; i < bytes; i += 3) {
		data[i] ^= 0x41;
		(void)archive_read(data, bytes, &entries);
		data[i] ^= 0x41;
	}
	data[512] ^= 1; /* the second header's name */
	assert_int_equal(archive_read(data, bytes, &entries), ERR_BAD_FORMAT);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(formats), cmocka_unit_test(damaged) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
