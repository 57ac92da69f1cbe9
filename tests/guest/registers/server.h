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

int server_main(void); /* hands its door, and a VMO of PAGED_BYTES that it pages, to the service "parent" */
