/* SPDX-License-Identifier: BSD-2-Clause */
/* process.h - the start-up data, inside libc. Private to libc. */
#pragma once

#include <lintel/startup.h>

void process_init(const struct startup_block *block); /* checked; kept for the process's life */
handle_t process_sysinfo_handle(void);                /* HANDLE_NONE if the parent gave none */

/* Called by _exit, if somebody has set it [a]: what must have happened before anybody learns that we have ended. */
extern void (*process_last_act)(void);
