/* SPDX-License-Identifier: BSD-2-Clause */
/* flush.h - cache lines to memory. Private to libc. */
#pragma once

#include <lintel/types.h>

/* Write the range back to memory and wait for it: on persistent memory it is durable then. The range must be mapped. */
void flush_range(const void *base, size_t bytes);
