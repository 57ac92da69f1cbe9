/* SPDX-License-Identifier: GPL-2.0-only */
/* command_line.h - words of the boot command line, separated by spaces. */
#pragma once

#include <lintel/types.h>

/* the word as it is, "panic=halt" included */
bool command_line_has(const char *line, const char *word);
