/* SPDX-License-Identifier: GPL-2.0-only */
/* event.h - an object that is nothing but its signals: 24 bits of the users' own. */
#pragma once

#include "kernel/object.h"

struct event {
	struct object object;
};

void event_init(void);
MUST_USE err_t event_create(struct event **out); /* ERR_NO_MEMORY; the reference is the caller's */
extern const struct object_class event_class;
