/* SPDX-License-Identifier: BSD-2-Clause */
/* steps.h - the steps of a call at which somebody dies, and who. */
#pragma once

#include "patrons.h"

enum cast { /* who takes part; who dies is in capitals */
	CLIENT_server,        /* the client is killed */
	CLIENT_exits,         /* by itself, from another thread */
	CLIENT_by_server,     /* by the server that it calls */
	client_SERVER,        /* patrons call, the server is killed */
	client_SERVER_exits,  /* in the call: a status, or a fault */
	client_MIDDLE_server, /* patrons -> it -> the permanent server */
	client_server_INNER,  /* patrons -> the permanent server -> it */
	CLIENT_SERVER,        /* both, one right after the other */
	client_PAGER,         /* it pages for the client's touch, which then fails: the client dies of it */
	client_PAGER_window,  /* it pages for a window of the patrons */
};

struct step {
	const char *name;
	enum cast cast;
	uint32_t shape;
	uint32_t timeout_us;
	uint32_t action;         /* DO_* */
	uint64_t argument;       /* its word 1 */
	uint32_t inner;          /* DO_CALL: what the next one does */
	uint64_t inner_argument;
	uint32_t threads;        /* clients, 0: one */
	uint32_t activations;    /* of a server that dies, on each CPU; or it is the one that has only one (scarce) */
	bool scarce;
	bool entered;            /* somebody is in the server before the delay begins */
	uint32_t delay_ns;       /* up to so long after; swept */
	uint32_t every;          /* only each so-many-th time: it is dear. 0: always */
};

extern const struct step steps[];
extern const uint32_t steps_count;
