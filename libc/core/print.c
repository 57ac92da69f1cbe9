/* SPDX-License-Identifier: BSD-2-Clause */
/* print.c - last words; and abort. */
#include "core/print.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/sys.h"

static size_t append(char *line, size_t at, size_t most, const char *text)
{
	size_t bytes = strnlen(text, most - at);

	memcpy(line + at, text, bytes);
	return at + bytes;
}

void print_error(const char *prefix, const char *what, uint64_t value)
{
	char line[160], digits[24] = " at 0x";
	size_t at = append(line, 0, sizeof(line) - 1, prefix);

	at = append(line, at, sizeof(line) - 1, what);
	if (value != 0) {
		size_t end = 6;
		for (int shift = 60 - __builtin_clzll(value) / 4 * 4; shift >= 0; shift -= 4)
			digits[end++] = "0123456789abcdef"[(value >> shift) & 15];
		digits[end < sizeof(digits) ? end : sizeof(digits) - 1] = 0;
		at = append(line, at, sizeof(line) - 1, digits);
	}
	line[at++] = '\n';
	if (write(STDERR_FILENO, line, at) < 0) /* no console: the kernel's log */
		drop(lintel_debug_log(line, at));
}

void abort(void)
{
	print_error("aborted", "", 0);
	raise(SIGABRT);
	_exit(128 + SIGABRT);
}
