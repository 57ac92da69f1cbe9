/* SPDX-License-Identifier: BSD-2-Clause */
/* server.h - the child: a server of its own whose door is server_entry. */
#pragma once

#include <lintel/types.h>

#define SERVER_BADGE 0x1122334455667788ull
#define PAGED_BYTES (1u << 20)

/* What word 2 of a call says that the server may expect besides words. */
#define WITH_WINDOW_0 1u
#define WITH_WINDOW_1 2u
#define WITH_HANDLE 4u

/* One bit for each thing that was not as it must be. */
enum suspect {
	SUSPECT_RAX = 1u << 0, SUSPECT_RDI = 1u << 1, SUSPECT_WORDS = 1u << 2, SUSPECT_HANDLES = 1u << 3,
	SUSPECT_WINDOW_0 = 1u << 4, SUSPECT_WINDOW_1 = 1u << 5, SUSPECT_RCX = 1u << 6, SUSPECT_R11 = 1u << 7,
	SUSPECT_FLAGS = 1u << 8, SUSPECT_GS = 1u << 9, SUSPECT_FS = 1u << 10, SUSPECT_CONTROL = 1u << 11,
	SUSPECT_X87 = 1u << 12, SUSPECT_XMM = 1u << 13, SUSPECT_YMM = 1u << 14
};

struct vectors;
/* Of control words and vectors: what is not initial. `mxcsr` and `x87` are what the control words must be. */
uint32_t vectors_suspects(const struct vectors *vectors, uint32_t mxcsr, uint16_t x87);

void features_find(void); /* with_avx, with_fsgsbase */
int server_main(void);    /* hands its door, and a VMO of PAGED_BYTES that it pages, to the service "parent" */
