/* SPDX-License-Identifier: GPL-2.0-only */
/* futex.h - sleeping on a 32-bit word of user memory, whoever maps it and wherever.
 * Context: threads. */
#pragma once

#include "kernel/arch.h"

void futex_init(void);

/* Wake up to `count` sleepers on the word of the current space, first come first. ERR_ARGS,
 * ERR_FAULT. */
MUST_USE err_t futex_wake(uint64_t word, uint32_t count, uint32_t *woken);
