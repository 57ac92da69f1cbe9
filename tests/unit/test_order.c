/* SPDX-License-Identifier: BSD-2-Clause */
/* test_order.c - init's view of who waits for whom: unknown names, doubles, circles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "init/order.h"

static struct manifest manifests[8];
static const struct manifest *all[8];

static void load(uint32_t count, const char *const *texts)
{
	char reason[128];
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(manifest_parse("x", texts[i], strlen(texts[i]), reason, sizeof reason, &manifests[i]), OK);
		all[i] = &manifests[i];
	}
}

static void good_order(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"name = shell\nbinary = b\nstdio = console\nmounts = /pmem, /tmp\nstart = last",
		"name = console\nbinary = b",
		"name = pmfs\nbinary = b\nmount = /pmem",
		"name = memfs\nbinary = b\nmount = /tmp\nservices = pmfs",
	};
	char reason[128];
	uint32_t bad;
	load(4, texts);
	assert_int_equal(order_check(all, 4, reason, sizeof reason, &bad), OK);
	assert_true(order_depends(all[0], all[1]));
	assert_true(order_depends(all[0], all[2]));
	assert_true(order_depends(all[3], all[2]));
	assert_false(order_depends(all[2], all[3]));
	assert_false(order_is_server(all[0], all, 4));
	assert_true(order_is_server(all[1], all, 4));
	assert_true(order_is_server(all[2], all, 4));
}

static void refuse(uint32_t count, const char *const *texts, uint32_t who, const char *why)
{
	char reason[128];
	uint32_t bad = 99;
	load(count, texts);
	assert_int_equal(order_check(all, count, reason, sizeof reason, &bad), ERR_ARGS);
	assert_int_equal(bad, who);
	assert_string_equal(reason, why);
}

static void bad_orders(void **state)
{
	(void)state;
	static const char circle_why[] = "it waits for itself, round a circle of `services` and `mounts`";
	static const char *const unknown[] = { "name = a\nbinary = b\nservices = z" };
	static const char *const no_mount[] = { "name = a\nbinary = b\nmounts = /z" };
	static const char *const no_console[] = { "name = a\nbinary = b\nstdio = console" };
	static const char *const doubles[] = { "name = a\nbinary = b", "name = a\nbinary = c" };
	static const char *const mounts[] = { "name = a\nbinary = b\nmount = /m", "name = c\nbinary = b\nmount = /m" };
	static const char *const circle[] = { "name = x\nbinary = b", "name = a\nbinary = b\nservices = c",
		"name = c\nbinary = b\nmount = /c\nmounts = /d",
		"name = d\nbinary = b\nmount = /d\nservices = a" };
	refuse(1, unknown, 0, "there is no service z");
	refuse(1, no_mount, 0, "no service mounts /z");
	refuse(1, no_console, 0, "there is no service console");
	refuse(2, doubles, 1, "another service has the name a");
	refuse(2, mounts, 1, "a mounts /m as well");
	refuse(4, circle, 1, circle_why);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(good_order), cmocka_unit_test(bad_orders) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
