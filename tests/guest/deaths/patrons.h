/* SPDX-License-Identifier: BSD-2-Clause */
/* patrons.h - threads of this program that are sent to call a door until it is dead. */
#pragma once

#include <lintel/door.h>

enum shape { /* of a call, besides words */
	SHAPE_PLAIN = 0,
	SHAPE_WINDOW = 1u << 0, /* of 64 bytes */
	SHAPE_LONG = 1u << 1,   /* a second one of many pages: the long way */
	SHAPE_FRESH = 1u << 2,  /* its pages are not there yet, and go after the call */
	SHAPE_HANDLE = 1u << 3, /* there and back */
	SHAPE_PAGED = 1u << 4,  /* window 0 over memory that a pager supplies */
	SHAPE_TOUCH = 1u << 5,  /* such memory is touched before the call (agents only) */
};

struct errand {
	handle_t door;
	uint32_t shape;
	uint32_t timeout_us;
	err_t last;      /* the result that ends it; OK and, with a timeout, ERR_TIMED_OUT mean another call */
	void *paged;     /* SHAPE_PAGED */
	uint64_t word[DOOR_WORDS];
};

#define PATRONS 3

MUST_USE err_t patrons_init(void);
void patrons_send(const struct errand *errand);
MUST_USE err_t patrons_wait(uint64_t deadline); /* until all are back. ERR_TIMED_OUT; or a wrong result */
const uint64_t *patrons_calls(void); /* begun, of all errands */
