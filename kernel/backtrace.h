/* SPDX-License-Identifier: GPL-2.0-only */
/* backtrace.h - chains of frame pointers, with the names that the build put into .ksyms. See also
 * log.h. */
#pragma once

#include <lintel/types.h>

/* Name of the kernel function that holds `address` and the offset in it; NULL if unknown. */
const char *symbol_find(uint64_t address, uint64_t *offset);

/* One line a frame, from `rip` on; rbp: the frame pointer there. Takes no lock, touches only what
 * can be read. */
void backtrace_print(uint64_t rip, uint64_t rbp, void (*print)(const char *format, ...) PRINTF(1, 2));

/* User mode's, into the log, with the names that the process that executes has given (user_symbols.h). Threads only. */
void backtrace_user(uint64_t rip, uint64_t rsp, uint64_t rbp);
