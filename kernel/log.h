/* SPDX-License-Identifier: GPL-2.0-only */
/* log.h - the kernel's own output: polled UART until (and after) the console server runs, and a ring in memory. */
#pragma once

#include "mm/port.h"

void log_init(void);
void log_vline(const char *format, __builtin_va_list arguments);
/* Debug builds: one line saying who was refused and why; rate limited. */
void log_refusal(const char *format, ...) PRINTF(1, 2);
bool log_refusal_allowed(uint32_t *dropped); /* its rate limit */
/* Panics and NMIs only: no lock is taken. Text as it is; a line. */
void log_raw(const char *text);
void log_panic(const char *format, ...) PRINTF(1, 2);

/* snprintf of %d %i %u %x %p %s %c with l, ll, z, widths, precision of strings; returns the bytes written. */
int format_text(char *buffer, size_t bytes, const char *format, ...) PRINTF(3, 4);
int format_vtext(char *buffer, size_t bytes, const char *format, __builtin_va_list arguments);

/* Symbolised; user frames are read with copy_from_user and have addresses only. */
void backtrace_log(uint64_t rip, uint64_t rbp, bool user);
