/* SPDX-License-Identifier: BSD-2-Clause */
/* echo.h - the server of the door rows: this program again, in a process of its own ("echo"). */
#pragma once

#include <lintel/types.h>

#include "../bench.h"

/* Word 0 of a call to it. */
enum echo { ECHO_REPLY = 0, /* every other word plus 1, and the first handle back */
	ECHO_WINDOW = 1,        /* the window's length, its first byte and its last */
	ECHO_KEEP = 2,          /* the handle is the door that ECHO_FORWARD calls */
	ECHO_FORWARD = 3,       /* through that door; word 1 plus 2 */
	ECHO_BLOCK = 4,         /* word 1 plus 1, by another thread of the server, which is waited for */
	ECHO_SESSION = 5 };     /* a door of the badge in word 1 */

/* The server's whole life (echo_server.c); the program's status. */
int echo_main(void);

/* The first server's door, or the second's. */
handle_t echo_door(unsigned which);

/* For rows' setup: one server; two, of which the first keeps the second's door. */
bool echo_start(struct bench *b);
bool echo_start_two(struct bench *b);
/* For rows' teardown. */
void echo_stop(struct bench *b);

/* bench_fail with an error of Lintel's. */
__attribute__((cold)) bool lintel_fail(struct bench *b, const char *what, err_t err);
