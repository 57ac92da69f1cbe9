/* SPDX-License-Identifier: GPL-2.0-only */
/* clock.c - the monotonic clock as a system call; most programs read it from the system page instead. */
#include "kernel/arch.h"
#include "kernel/syscall_handlers.h"

err_t sys_clock_get(uint64_t *result)
{
	*result = arch_clock_ns();
	return OK;
}
