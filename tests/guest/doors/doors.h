/* SPDX-License-Identifier: BSD-2-Clause */
/* doors.h - the server that the tests call: the same code answers at this program's own door and, in a process of its
 * own, at a child's. */
#pragma once

#include <lintel/door.h>

enum request { /* word 0 */
	ECHO = 1, FILL, SUM, KEEP_HANDLE, GIVE_HANDLE, SLEEP, RECURSE, FAIL, EXIT, BADGE, WINDOWS, TAKE_TWO, STORE, ADDRESS,
	GIVE_BAD,     /* reply with handle word 1, which is not to be given */
	SLEEP_AND_GIVE, /* an event, after word 1 ns */
	NARROW,       /* reply with a handle that must not be transferred */
	PASS_ON,      /* call the parent with SUM and window 0 from byte word 1 on, of length word 2. Word 0: its result */
	KEEP_ADDRESS, /* of window 0 */
	PASS_KEPT,    /* call the parent with that address */
	LOAD_KEPT,    /* load from there */
	BOUNCE,       /* call the other side with the same, word 1 one more. Word 1: how far it went */
	BE_OTHER,     /* handle 0 is the other side's door */
	UNMAP_STACK,  /* the one it runs on */
	CHANGE_WINDOW /* unmap, protect, map over it. Words 0 to 2: what was said */
};

/* What the parent's own server has seen. */
extern handle_t kept; /* KEEP_HANDLE */
extern uint32_t sleeps_begun, sleeps_done;
extern uint32_t closed_badges;
extern uint64_t closed_badge;

int server_main(const char *role);         /* what a child does: "serve", or call SLEEP */
MUST_USE err_t server_prepare(void);       /* the parent's own door */
MUST_USE err_t child_server(handle_t *process, handle_t *door); /* a child that serves, and its door */

/* The tests; each gives the number that failed. */
int message_tests(void);
int refusal_tests(void);
int window_tests(void);
int death_tests(void);
