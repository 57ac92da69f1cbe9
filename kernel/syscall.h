/* SPDX-License-Identifier: GPL-2.0-only */
/* syscall.h - the way of a system call from the entry to its handler and back. */
#pragma once

#include "kernel/arch.h"

void syscall_dispatch(struct trap_frame *frame); /* interrupts on, on the thread's kernel stack */
