/* SPDX-License-Identifier: BSD-2-Clause */
/* order.h - which service waits for which. Pure. */
#pragma once

#include "init/manifest.h"

#define SERVICES_MAX 32

/* Must `b` be ready before `a` starts? By name, by mount, or because `a` talks to the console.
 * `mounts = all` waits for nobody by itself: it takes what is there. */
bool order_depends(const struct manifest *a, const struct manifest *b);

/* Is `b` one that somebody calls: a file system, or named by another? Such a service is ready
 * when it says so. */
bool order_is_server(const struct manifest *b, const struct manifest *const *all, uint32_t count);

/* Check the whole: every name that a manifest uses exists, names and mounts are given once,
 * nobody waits for himself round a circle. OK, or ERR_ARGS with *bad the index of a manifest
 * that cannot be used and `reason` why; leave it out and ask again. count is at most
 * SERVICES_MAX. */
MUST_USE
err_t order_check(const struct manifest *const *all, uint32_t count, char *reason, size_t reason_bytes,
	uint32_t *bad);
