/* SPDX-License-Identifier: BSD-2-Clause */
/* agent.h - processes that are there to die in the middle of a call: a page of code (agent_code.S) that all share, and
 * a slot on a board that all see. Making one costs a handful of system calls. */
#pragma once

#include "layout.h"

#include <lintel/types.h>

#define SLOTS 8
#define SLOT_BYTES 1024
#define MEMORY_PAGES 24 /* of a client's own */

struct slot {
	/* A client's call, as it loads it, and what came of it. */
	uint64_t door; /* handle | timeout_us << 32 */
	uint64_t word[6];
	uint64_t handles;
	uint64_t window[4];
	uint64_t flags;
	uint64_t cursor;
	uint64_t begun;
	int64_t result;
	/* A server's side. */
	uint64_t next;    /* DO_CALL: whom */
	uint64_t self;
	uint64_t entered;
	uint64_t release; /* ends DO_SPIN; what an exiter waits for */
	uint64_t victim;
	uint64_t cpus, activations;
	uint64_t parent;
	uint64_t index;
};

struct agent {
	handle_t process;
	struct slot *slot;
	uint64_t slot_address; /* as the agent sees it */
};

/* Once: the code, the board. `registrar`: the door that servers hand their own door to, slot's index in word 0. */
MUST_USE err_t agents_init(handle_t registrar);
struct slot *agent_slot(uint32_t index);

/* A process with an empty slot, that has not started. */
MUST_USE err_t agent_create(uint32_t index, struct agent *out);
MUST_USE err_t agent_grant(const struct agent *agent, handle_t handle, uint64_t *theirs);
/* Map a VMO for it: AGENT_MEMORY, AGENT_PAGED. */
MUST_USE err_t agent_map(const struct agent *agent, handle_t vmo, uint64_t at, uint64_t bytes);
/* Fresh memory at AGENT_MEMORY, MEMORY_PAGES of it. */
MUST_USE err_t agent_give_memory(const struct agent *agent);

/* Start its first thread there; one more. Their priority is lower than that of whoever kills them. */
#define PRIORITY_OF_VICTIMS 10
extern const char agent_client[], agent_exiter[], agent_server[]; /* where to start */
MUST_USE err_t agent_start(const struct agent *agent, const char *where);
MUST_USE err_t agent_thread(const struct agent *agent, const char *where);

/* A server with so many activations on each CPU, started; its door arrives at the registrar. */
MUST_USE err_t agent_serve(struct agent *agent, uint32_t index, uint32_t activations, handle_t next);
