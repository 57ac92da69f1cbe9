/* SPDX-License-Identifier: BSD-2-Clause */
/* line.h - a typed line cut into commands: words with quotes, `<`, `>` and `>>`, `;` and `&&`.
 * Pure. 'text' is literal; "text" and bare text know the backslash, which makes the next
 * character ordinary. `#` at the start of a word begins a comment. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define LINE_BYTES 4096
#define LINE_WORDS_MAX 64

enum line_join { LINE_END, LINE_THEN, LINE_AND };

struct line_command {
	int argc;                         /* 0: an empty command */
	char *argv[LINE_WORDS_MAX + 1];   /* into `text`, NULL at the end */
	const char *input;                /* of `<`, or NULL */
	const char *output;               /* of `>` or `>>`, or NULL */
	bool append;
	enum line_join next;              /* what stands behind this command */
	char text[LINE_BYTES + LINE_WORDS_MAX];
};

/* Take the next command from *cursor and step over it. NULL, or why the line makes no sense. */
const char *line_next(const char **cursor, struct line_command *out);
