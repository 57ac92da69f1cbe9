/* SPDX-License-Identifier: GPL-2.0-only */
/* resource.h - the right to touch hardware: a kind and a range [base, base + length). The root
 * resource covers everything; narrower ones are made out of wider ones, never the other way. A
 * resource does not change: no locks. */
#pragma once

#include "kernel/object.h"

struct resource {
	struct object object;
	enum resource_kind kind; /* [I] */
	uint64_t base;           /* [I] SYSTEM and ROOT: 0 */
	uint64_t length;         /* [I] likewise; else not 0, base + length does not overflow */
};

#define RESOURCE_RIGHTS (RIGHT_DUPLICATE | RIGHT_TRANSFER | RIGHT_READ | RIGHT_MANAGE)

void resource_init(void);
/* for init; ERR_NO_MEMORY; the reference is the caller's */
MUST_USE err_t resource_create_root(struct resource **out);
/* Is [base, +length) of that kind inside the resource? The root covers all. SYSTEM has no range: 0,
 * 0. */
bool resource_covers(const struct resource *resource, enum resource_kind kind, uint64_t base, uint64_t length);
/* A handle of the current process on a resource that covers the range: with a reference. ERR_DENIED
 * if it does not. */
MUST_USE err_t resource_get(handle_t handle, uint32_t rights, enum resource_kind kind, uint64_t base, uint64_t length,
			    struct resource **out);
extern const struct object_class resource_class;
