/* SPDX-License-Identifier: GPL-2.0-only */
/* log.h - the kernel's own output: a ring in memory, and the polled UART while no process holds it
 * (log_read.c). */
#pragma once

#include "mm/port.h"

void log_init(void);
void log_vline(const char *format, __builtin_va_list arguments);
/* Debug builds: one line saying who was refused and why; rate limited. */
void log_refusal(const char *format, ...) PRINTF(1, 2);
bool log_refusal_allowed(uint32_t *dropped); /* its rate limit */
/* Copy out of the ring: *position moves to where there is something kept, then *next is behind the
 * `*bytes` bytes (at most `max`) that were copied. LOG_UNSHOWN as in <lintel/info.h>. None: *bytes
 * is 0, *next is *position. */
void log_copy(uint64_t *position, char *text, size_t max, size_t *bytes, uint64_t *next);
uint64_t log_end(void); /* bytes ever written */

/* Process `pid` writes to the UART from now on / what it has not shown is written, and the log goes
 * there again. */
void log_hand_over(uint32_t pid);
void log_take_back(void);
/* if it is that process: it has shown all before `position` */
void log_shown(uint32_t pid, uint64_t position);

/* log_read.c: wake whoever waits for more, if there is more. Called where no lock is held,
 * interrupts off: on the way to user mode, and before a CPU sleeps. */
void log_read_init(void);
void log_readers_wake(void);
void log_readers_remind(void); /* have this CPU call it soon; any context */

/* Panics and NMIs only: no lock is taken. The first one shows what the process that held the UART
 * has not shown. Text as it is; a line. */
void log_panic_begin(void);
void log_raw(const char *text);
void log_panic(const char *format, ...) PRINTF(1, 2);

/* snprintf of %d %i %u %x %p %s %c with l, ll, z, widths, precision of strings; returns the bytes
 * written. */
int format_text(char *buffer, size_t bytes, const char *format, ...) PRINTF(3, 4);
int format_vtext(char *buffer, size_t bytes, const char *format, __builtin_va_list arguments);
