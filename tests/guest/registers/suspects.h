/* SPDX-License-Identifier: BSD-2-Clause */
/* suspects.h - what is in a register in which it should not be. */
#pragma once

#include "crossing.h"

/* One bit for each thing that was not as it must be. */
enum suspect {
	SUSPECT_RAX = 1u << 0, SUSPECT_RDI = 1u << 1, SUSPECT_WORDS = 1u << 2, SUSPECT_HANDLES = 1u << 3,
	SUSPECT_WINDOW_0 = 1u << 4, SUSPECT_WINDOW_1 = 1u << 5, SUSPECT_RCX = 1u << 6, SUSPECT_R11 = 1u << 7,
	SUSPECT_FLAGS = 1u << 8, SUSPECT_GS = 1u << 9, SUSPECT_FS = 1u << 10, SUSPECT_CONTROL = 1u << 11,
	SUSPECT_X87 = 1u << 12, SUSPECT_XMM = 1u << 13, SUSPECT_YMM = 1u << 14
};

/* Of control words and vectors: what is not initial. `mxcsr` and `x87` are what the control words must be. */
uint32_t vectors_suspects(const struct vectors *vectors, uint32_t mxcsr, uint16_t x87);
uint32_t either_suspects(const struct general *g, uint64_t rip); /* on both sides; rip: where it goes on */
uint32_t client_suspects(err_t err); /* in client_general, after a call that ended so */
uint32_t own_suspects(void);         /* in client_vectors, after one that never went: all as the client filled it */

void side_begin(uint64_t with, uint32_t mxcsr, uint16_t x87); /* what this side fills registers with */
