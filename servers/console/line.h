/* SPDX-License-Identifier: BSD-2-Clause */
/* line.h - what stands on the terminal's current line: the bytes since it began, so that it can be drawn again below
 * something else. Pure. */
#pragma once

#include <lintel/types.h>

#define LINE_BYTES_MAX 512

struct line {
	uint8_t bytes[LINE_BYTES_MAX];
	uint32_t count; /* more than LINE_BYTES_MAX: too long to be drawn again */
	bool returned;  /* the last byte was a CR: the next one draws over the line, or is its LF */
};

static inline void line_add(struct line *line, uint8_t byte)
{
	if (byte == '\n' || (line->returned && byte != '\r'))
		line->count = 0;
	line->returned = byte == '\r';
	if (byte == '\n')
		return;
	if (line->count < LINE_BYTES_MAX)
		line->bytes[line->count++] = byte;
	else
		line->count = LINE_BYTES_MAX + 1;
}

static inline bool line_is_empty(const struct line *line)
{
	return line->count == 0;
}

static inline bool line_is_whole(const struct line *line)
{
	return line->count <= LINE_BYTES_MAX;
}
