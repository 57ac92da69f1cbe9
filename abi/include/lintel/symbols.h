/* SPDX-License-Identifier: BSD-2-Clause */
/* symbols.h - the names of a program's functions, as process_symbols gives them to the kernel for backtraces.
 * The table lies in the program's own memory, read-only; the build makes it (tools/symbols.py). It is data from user
 * mode: the kernel checks every offset before it follows it, and a wrong table gives wrong names or none.
 *
 *   struct symbol_table | count offsets of functions from `base`, ascending | count offsets of their names from the
 *   first name | the names, each with a NUL. Offsets are uint32_t. An empty name ends the function before it. */
#pragma once

#include <lintel/types.h>

#define SYMBOL_TABLE_MAGIC 0x314d5953u /* "SYM1" */
#define SYMBOL_NAME_MAX 63             /* longer names are cut */

struct symbol_table {
	uint32_t magic;
	uint32_t count;
	uint64_t base; /* address to which the functions' offsets are relative */
};
