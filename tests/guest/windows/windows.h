/* SPDX-License-Identifier: BSD-2-Clause */
/* windows.h - a server in a process of its own that reads and writes what its windows show, and its client's side. */
#pragma once

#include <lintel/door.h>

/* A page of the client's, in words of 8 bytes: word 0 is GOOD; the server stores MARK into word 1. Memory that was
 * given back and is used for something else is SECRET all over. */
#define GOOD 0x600d600d600d600dull
#define SECRET 0x5ec2e75ec2e75ec2ull
#define MARK 0x3a3a3a3a3a3a3a3aull

enum request { /* word 0 */
	HAMMER = 1, /* word 1 turns over all pages of window 0. Word 0: pages that showed what they must not, 1: which */
	LOAD,       /* word 0: what word 0 of window 0 says, after word 1 ns */
	ANSWER      /* nothing */
};

int server_main(void); /* what the child does: hands its door to the service "parent" */

/* Start the child; its door. */
MUST_USE err_t child_start(handle_t *process, handle_t *door);

MUST_USE err_t client_prepare(void); /* this program's own door, at which the child announces itself, and which pages */

/* A VMO that this program pages, in the way that `pager` says. */
enum pager_mood { PAGER_SUPPLIES, PAGER_REFUSES, PAGER_HANGS };
extern enum pager_mood pager_mood;
extern uint32_t pager_asked;
MUST_USE err_t paged_create(uint64_t bytes, handle_t *out);
MUST_USE err_t paged_take_back(void); /* what was supplied */

/* How many failed. */
int races(void);
int pagers(void);
