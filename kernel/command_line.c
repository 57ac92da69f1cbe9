/* SPDX-License-Identifier: GPL-2.0-only */
/* command_line.c - see command_line.h. */
#include "kernel/command_line.h"

static bool starts_with_word(const char *text, const char *word)
{
	while (*word && *text == *word) {
		text++;
		word++;
	}
	return *word == '\0' && (*text == ' ' || *text == '\0');
}

bool command_line_has(const char *line, const char *word)
{
	bool at_start = true;

	for (; *line; line++) {
		if (at_start && starts_with_word(line, word))
			return true;
		at_start = *line == ' ';
	}
	return false;
}
