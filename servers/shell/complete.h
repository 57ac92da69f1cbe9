/* SPDX-License-Identifier: BSD-2-Clause */
/* complete.h - what TAB does: the first word of a command is a command's name, any other a path. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* struct edit_terminal's `complete`; context is the shell. */
size_t shell_complete(void *context, const char *text, size_t cursor, char *insert, size_t bytes, bool *redraw);
