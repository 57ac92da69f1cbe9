/* SPDX-License-Identifier: GPL-2.0-only */
/* panic.h - the end, with reasons. panic() itself is in mm/port.h.
 * Context: any, with any lock held: nothing here takes one. */
#pragma once

#include "kernel/arch/x86_64/trap_frame.h"
#include "mm/port.h"

/* panic=halt: stop instead of leaving the emulator with status 255 */
void panic_init(const char *command_line);
bool panic_is_on(void);
NORETURN void panic_frame(const struct trap_frame *frame, const char *format, ...) PRINTF(2, 3);
