/* SPDX-License-Identifier: BSD-2-Clause */
/* leaks.h - what the system has in use, before and after something. */
#pragma once

#include <lintel/info.h>

#include "shell/shell.h"

#define LEAKS_PROCESSES_MAX 64

struct leaks {
	struct info_system system;
	struct info_process process[LEAKS_PROCESSES_MAX];
	uint32_t processes;
};

/* Look when everything that ends has ended: when two looks in a row are equal, or after two seconds. */
MUST_USE err_t leaks_begin(struct leaks *before);

/* Compare, again and again for two seconds while something is missing. Prints `ok NAME leaves nothing behind`, or
 * `not ok NAME: leaks ...`; the number of kinds of things that leak. Memory that a living process has come to use is
 * not missing: it is that process's. Handles and activations of servers that live on are, and it says whose. */
int leaks_end(struct shell *sh, const struct leaks *before, const char *name);
