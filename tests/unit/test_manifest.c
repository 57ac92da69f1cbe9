/* SPDX-License-Identifier: BSD-2-Clause */
/* test_manifest.c - init's manifest parser: every key, every refusal, and the line it names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "init/manifest.h"

static err_t parse(const char *text, char *reason, struct manifest *m)
{
	return manifest_parse("x.manifest", text, strlen(text), reason, 128, m);
}

static void accept_everything(void **state)
{
	(void)state;
	static const char text[] = "# a comment\n\n"
							   "name = pmfs   # with a comment behind\r\n"
							   "binary=bin/pmfs\n"
							   "arguments = --verbose  -n 3\n"
							   "memory = 64M\nstack = 0x20K\nactivations = 8\n"
							   "mount = /pmem\nzone = pmem0, pmem1\nservices = console,other\n"
							   "mounts = /boot, /\nstdio = console\n"
							   "resources = system, port:0x3f8+8, irq:4+1, mmio:0xfed00000+4096\n"
							   "start = last\nrestart = failure 7\narchive = read\npower = yes";
	struct manifest m;
	char reason[128];
	assert_int_equal(parse(text, reason, &m), OK);
	assert_string_equal(m.name, "pmfs");
	assert_string_equal(m.binary, "bin/pmfs");
	assert_int_equal(m.argument_count, 3);
	assert_string_equal(manifest_argument(&m, 0), "--verbose");
	assert_string_equal(manifest_argument(&m, 2), "3");
	assert_null(manifest_argument(&m, 3));
	assert_int_equal(m.memory_bytes, 64 << 20);
	assert_int_equal(m.stack_bytes, 32 << 10);
	assert_int_equal(m.activations, 8);
	assert_string_equal(m.mount, "/pmem");
	assert_int_equal(m.zone_count, 2);
	assert_string_equal(m.zone[1], "pmem1");
	assert_int_equal(m.service_count, 2);
	assert_true(manifest_allows_service(&m, "other"));
	assert_true(manifest_allows_service(&m, "console"));
	assert_false(manifest_allows_service(&m, "oth"));
	assert_true(manifest_allows_mount(&m, "/"));
	assert_false(manifest_allows_mount(&m, "/pmem"));
	assert_int_equal(m.resource_count, 4);
	assert_int_equal(m.resource[1].kind, RESOURCE_PORT);
	assert_int_equal(m.resource[1].base, 0x3f8);
	assert_int_equal(m.resource[1].length, 8);
	assert_int_equal(m.resource[3].base, 0xfed00000);
	assert_int_equal(m.start, START_LAST);
	assert_int_equal(m.restart, RESTART_FAILURE);
	assert_int_equal(m.restart_limit, 7);
	assert_true(m.archive && m.power && m.stdio_console);
}

static void fill_in_defaults(void **state)
{
	(void)state;
	struct manifest m;
	char reason[128];
	assert_int_equal(parse("name = a\nbinary = bin/a\n", reason, &m), OK);
	assert_int_equal(m.memory_bytes, 16 << 20);
	assert_int_equal(m.stack_bytes, 64 << 10);
	assert_int_equal(m.activations, 4);
	assert_int_equal(m.start, START_BOOT);
	assert_int_equal(m.restart, RESTART_NEVER);
	assert_false(m.archive || m.power || m.stdio_console || m.mounts_all);
}

static void refuse_with_line_and_reason(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *reason;
	} cases[] = {
		{ "name = a\nbinary = b\ncolour = red\n", "x.manifest:3: unknown key" },
		{ "name = a\nname = b\n", "x.manifest:2: this key stood there before" },
		{ "name a\n", "x.manifest:1: expected `key = value`" },
		{ "name =\n", "x.manifest:1: the value is empty" },
		{ "name = A\n", "x.manifest:1: a name is 1 to 31 of a-z 0-9 _ -" },
		{ "name = init\n", "x.manifest:1: the name init is taken" },
		{ "binary = /bin/a\n", "x.manifest:1: binary is a relative path in the archive, such as bin/pmfs" },
		{ "binary = ../a\n", "x.manifest:1: binary is a relative path in the archive, such as bin/pmfs" },
		{ "memory = 1\n", "x.manifest:1: memory is a size from 256K on, such as 64M" },
		{ "memory = 99999999999999999999\n", "x.manifest:1: memory is a size from 256K on, such as 64M" },
		{ "memory = 17179869184G\n", "x.manifest:1: memory is a size from 256K on, such as 64M" },
		{ "memory = 1MM\n", "x.manifest:1: memory is a size from 256K on, such as 64M" },
		{ "stack = 4K\n", "x.manifest:1: stack is a size from 16K to 8M" },
		{ "activations = 0\n", "x.manifest:1: activations is a number from 1 to 64" },
		{ "mount = pmem\n", "x.manifest:1: mount is an absolute path without a slash at its end" },
		{ "mount = /a//b\n", "x.manifest:1: mount is an absolute path without a slash at its end" },
		{ "zone = a,,b\n", "x.manifest:1: a list of names, separated by commas" },
		{ "zone = a, a\n", "x.manifest:1: a name stands twice in the list" },
		{ "resources = port:0x3f8\n",
			"x.manifest:1: a range is BASE+LENGTH, such as port:0x3f8+8, and lies within what there is" },
		{ "resources = port:0xffff+2\n",
			"x.manifest:1: a range is BASE+LENGTH, such as port:0x3f8+8, and lies within what there is" },
		{ "resources = mmio:0x1000+12\n", "x.manifest:1: an mmio range is whole pages" },
		{ "resources = root\n",
			"x.manifest:1: a resource is system, info, port:BASE+N, irq:BASE+N or mmio:BASE+N" },
		{ "start = now\n", "x.manifest:1: start is boot, last or manual" },
		{ "restart = failure 0\n", "x.manifest:1: the restart limit is a number from 1 to 1000" },
		{ "restart = sometimes\n",
			"x.manifest:1: restart is never, failure or always, with an optional limit" },
		{ "power = maybe\n", "x.manifest:1: power is yes or no" },
		{ "binary = b\n", "x.manifest:1: the key `name` is missing" },
		{ "name = a\n\n", "x.manifest:2: the key `binary` is missing" },
		{ "name = a\nbinary = b\nservices = a\n", "x.manifest:3: a service cannot need itself" },
		{ "name = a\nbinary = b\nmount = /a\nmounts = /a\n",
			"x.manifest:4: a file system cannot need its own mount" },
		{ "name = a\nbinary = b\nstack = 1M\nmemory = 1M\n",
			"x.manifest:4: the stack is not smaller than the memory ceiling" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct manifest m = { .activations = 77 };
		char reason[128] = "";
		assert_int_equal(parse(cases[i].text, reason, &m), ERR_BAD_FORMAT);
		assert_string_equal(reason, cases[i].reason);
		assert_int_equal(m.activations, 77);
	}
}

static void refuse_what_is_not_text(void **state)
{
	(void)state;
	struct manifest m;
	char reason[128];
	assert_int_equal(manifest_parse("f", "a\0b", 3, reason, sizeof reason, &m), ERR_BAD_FORMAT);
	assert_string_equal(reason, "f:1: the line is too long, or not text");
	char line[MANIFEST_LINE_BYTES + 8];
	memset(line, 'x', sizeof line);
	assert_int_equal(manifest_parse("f", line, sizeof line, reason, sizeof reason, &m), ERR_BAD_FORMAT);
	assert_int_equal(manifest_parse("f", line, 0, reason, sizeof reason, &m), ERR_BAD_FORMAT);
	char small[8];
	assert_int_equal(manifest_parse("f", "zz", 2, small, sizeof small, &m), ERR_BAD_FORMAT);
	assert_string_equal(small, "f:1: ex");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accept_everything),
		cmocka_unit_test(fill_in_defaults),
		cmocka_unit_test(refuse_with_line_and_reason),
		cmocka_unit_test(refuse_what_is_not_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
