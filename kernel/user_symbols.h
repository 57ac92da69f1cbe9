/* SPDX-License-Identifier: GPL-2.0-only */
/* user_symbols.h - names of functions of the process that the current thread executes in, from the
 * table that it told the kernel of (process_symbols). The table is user memory and may say
 * anything: every offset is checked, and the worst that a wrong one does is no name, or a wrong
 * one.
 * Context: threads, interrupts on, no lock held. No pager is asked for the sake of a name. */
#pragma once

#include <lintel/symbols.h>

#define USER_SYMBOL_BYTES (SYMBOL_NAME_MAX + 1)

/* The function that holds `address`: its name, with printable characters only, and the offset in
 * it. */
bool user_symbol_find(uint64_t address, char name[USER_SYMBOL_BYTES], uint64_t *offset);

/* Copy out of user memory without waiting for a pager: false if that is not possible. */
bool user_peek(void *to, uint64_t from, size_t bytes);
