/* SPDX-License-Identifier: BSD-2-Clause */
/* check.h - what a guest test prints: `ok NAME` or `not ok NAME: why`, one line each; main returns the number that
 * failed. A test is a function without arguments that uses CHECK; the first failed CHECK ends it. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static struct {
	char why[160];
	int failed;
} check;

__attribute__((unused, format(printf, 1, 2))) static void check_fail(const char *format, ...)
{
	va_list arguments;

	if (check.why[0] != '\0')
		return;
	va_start(arguments, format);
	vsnprintf(check.why, sizeof(check.why), format, arguments);
	va_end(arguments);
}

#define CHECK(condition)                                                        \
	do {                                                                    \
		if (!(condition)) {                                             \
			check_fail("%s:%d: %s", __FILE__, __LINE__, #condition); \
			return;                                                 \
		}                                                               \
	} while (0)

/* An integer expression and the value that it must have. */
#define CHECK_EQUAL(expression, wanted)                                                              \
	do {                                                                                         \
		long long got_ = (long long)(expression), wanted_ = (long long)(wanted);             \
		if (got_ != wanted_) {                                                               \
			check_fail("%s:%d: %s is %lld, not %lld", __FILE__, __LINE__, #expression, got_, \
				   wanted_);                                                         \
			return;                                                                      \
		}                                                                                    \
	} while (0)

__attribute__((unused)) static void check_run(const char *name, void (*test)(void))
{
	check.why[0] = '\0';
	test();
	if (check.why[0] == '\0') {
		printf("ok %s\n", name);
	} else {
		printf("not ok %s: %s\n", name, check.why);
		check.failed++;
	}
	fflush(stdout);
}
#define CHECK_RUN(test) check_run(#test, test)
