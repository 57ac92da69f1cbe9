/* SPDX-License-Identifier: BSD-2-Clause */
/* clients.h - two clients that take turns on one thread: which one goes on is decided at fences, at
 * write-backs and where a lock is busy, by a seeded number. So every interleaving can be had again.
 * pthread's locks and the clock are replaced (ld --wrap): a lock that is busy passes the turn, and
 * time is a count. */
#pragma once

#include <lintel/types.h>

/* Run both to their ends. */
void clients_run(void (*client)(uint32_t number), uint64_t seed);

/* A place where the turn may pass. Nothing happens while only one runs. */
void clients_pass(void);

/* The only client goes on on the other CPU; of two, each stays on its own. */
void clients_change_cpu(void);

uint64_t clock_get(void);
void clock_set(uint64_t ns);
