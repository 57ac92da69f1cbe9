/* SPDX-License-Identifier: BSD-2-Clause */
/* clock.h - time inside libc. Private to libc. */
#pragma once

#include <time.h>
#include <lintel/types.h>

uint64_t clock_unix_ns(void);

/* The absolute time `until` of `clock` as a deadline of the monotonic clock. 0 or EINVAL. */
MUST_USE int clock_deadline(clockid_t clock, const struct timespec *until, uint64_t *out);
