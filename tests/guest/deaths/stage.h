/* SPDX-License-Identifier: BSD-2-Clause */
/* stage.h - what lives through all rounds: this program's own door, where servers hand their doors in and which pages
 * for clients; and two servers, a regular one and a scarce one, with one activation a CPU. */
#pragma once

#include "agent.h"

enum { REGULAR, SCARCE, CLIENT, MORTAL }; /* slots */
#define PATIENCE_NS 15000000000ull /* a hang detector */
#define KILLED 4                   /* exit status */
#define PAGER_KEY 1

extern struct agent stage_server[2];
extern handle_t stage_door[2];
extern handle_t stage_arrived[SLOTS]; /* the doors that came, by slot */
extern handle_t stage_paged;          /* the VMO that this program pages */

MUST_USE err_t stage_init(void);
const char *stage_check(void); /* activations, orphans, handles of the two servers: NULL, or what is missing */
void stage_end(void);

/* What is asked of an agent, without its clients' registers. */
MUST_USE err_t stage_tell(handle_t door, uint64_t what, uint64_t argument, handle_t handle);
MUST_USE err_t stage_follow(handle_t door); /* whom the regular one calls in DO_CALL */

/* Until a word is another one, a door has come, an agent has ended with a status (any below 0 if `want` is). */
void stage_pause_ns(uint64_t ns);
bool stage_changes(const uint64_t *word, uint64_t from);
bool stage_arrives(uint32_t index);
const char *stage_bury(struct agent *agent, int32_t want, uint64_t *deaths);
