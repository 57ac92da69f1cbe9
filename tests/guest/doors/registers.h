/* SPDX-License-Identifier: BSD-2-Clause */
/* registers.h - a client and a server that fill every register they have with a pattern, and look at what crosses. */
#pragma once

#include <lintel/types.h>

struct registers {
	uint8_t fx[512];       /* FXSAVE: x87 from 32, vectors from 160 to 415 */
	uint8_t high[16 * 16]; /* upper halves of the YMM registers */
	uint64_t general[8];
};
extern struct registers seen_by_client; /* after register_call */

bool has_avx(void); /* the rest needs it */
MUST_USE err_t register_door(handle_t *door);                  /* a door of this process, with activations */
uint64_t register_call(uint64_t door);                         /* what the server saw that it should not, 0: nothing */
uint64_t register_check(const struct registers *registers);    /* all bits that should not be there */
