/* SPDX-License-Identifier: BSD-2-Clause */
/* rounds.c - see rounds.h. This program's own door is where servers hand their doors in, and pages for clients. */
#include "rounds.h"

#include "agent.h"

#include <kit/kit.h>
#include <lintel/door_call.h>
#include <lintel/info.h>
#include <lintel/pager_server.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <pthread.h>
#include <sched.h>

enum { REGULAR, SCARCE, CLIENT, MORTAL }; /* slots */
#define REGULAR_ACTIVATIONS 4
#define PATIENCE_NS 20000000000ull /* a hang detector */
#define KILLED 4                   /* exit status */
#define KEY 1

static struct agent permanent[2];
static handle_t permanent_door[2];
static struct info_process at_first[2];
static handle_t arrived[SLOTS];
static handle_t source, paged; /* what this program pages, and from where */
static uint64_t last_page;

/* ---- this program's own door ---- */

/* The page before goes, so that it will be missed again. */
static err_t supply(struct kit_call *call, uint64_t key, uint64_t offset, uint32_t access)
{
	uint64_t before = __atomic_exchange_n(&last_page, offset, __ATOMIC_RELAXED);

	(void)call;
	(void)access;
	if (key != KEY)
		return ERR_IO;
	if (before != offset && lintel_vmo_revoke(paged, before, PAGE_SIZE) != OK)
		return ERR_IO;
	err_t err = lintel_vmo_supply(paged, offset, source, offset, PAGE_SIZE, RIGHT_READ);
	return err == ERR_EXISTS ? OK : err;
}

static const struct pager_ops pager = { .fault = supply };

static err_t dispatch(struct kit_call *call)
{
	if (call->in.word[0] >> 16 == PAGER_INTERFACE)
		return pager_dispatch(&pager, call);
	if (call->in.word[0] >= SLOTS)
		return ERR_BAD_CALL;
	__atomic_store_n(&arrived[call->in.word[0]], call->in.handle[0], __ATOMIC_RELEASE);
	return OK;
}

static const struct kit_server server = { "deaths", dispatch, NULL };

/* ---- waiting ---- */

/* On a machine of one or two CPUs the clock wakes us, at exactly that instruction if they are counted. */
static void pause_ns(uint64_t ns)
{
	uint64_t end = lintel_clock_ns() + ns;

	if (kit_cpu_count() <= 2 || ns > 200000)
		(void)!lintel_thread_sleep(end);
	while (lintel_clock_ns() < end)
		;
}

/* Between two looks: where CPUs are few, what is waited for needs this one. */
static bool time_passes(uint64_t end)
{
	if (kit_cpu_count() <= 2)
		(void)!lintel_thread_sleep(lintel_clock_ns() + 20000);
	return lintel_clock_ns() < end;
}

static bool changes(const uint64_t *word, uint64_t from)
{
	uint64_t end = lintel_clock_ns() + PATIENCE_NS;

	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == from)
		if (!time_passes(end))
			return false;
	return true;
}

static bool arrives(uint32_t index)
{
	uint64_t end = lintel_clock_ns() + PATIENCE_NS;

	while (__atomic_load_n(&arrived[index], __ATOMIC_ACQUIRE) == HANDLE_NONE) {
		if (lintel_clock_ns() > end)
			return false;
		(void)!lintel_thread_sleep(lintel_clock_ns() + 20000);
	}
	return true;
}

/* Wait for its end and let go of it. Status wanted: `want`, or any below 0 if that is below 0. */
static const char *bury(struct agent *agent, int32_t want, uint64_t *deaths)
{
	int32_t status = 0;
	err_t err = lintel_wait(agent->process, lintel_clock_ns() + PATIENCE_NS, &status);

	(void)!lintel_handle_close(agent->process);
	if (err != OK)
		return "it does not end";
	++*deaths;
	if (want < 0 ? status >= 0 : status != want)
		return "its exit status is another one";
	return NULL;
}

/* ---- the permanent servers ---- */

static err_t tell(handle_t door, uint64_t what, uint64_t argument, handle_t handle)
{
	struct door_message message = { .word = { what, argument }, .handle = { handle } };

	return door_call(door, 0, &message);
}

/* Whom the regular one calls in DO_CALL. */
static err_t follow(handle_t door)
{
	handle_t copy;
	err_t err = lintel_handle_duplicate(door, RIGHTS_SAME, &copy);

	return err == OK ? tell(permanent_door[REGULAR], DO_FOLLOW, 0, copy) : err;
}

static err_t permanent_start(uint32_t index, uint32_t activations)
{
	err_t err = agent_serve(&permanent[index], index, activations, HANDLE_NONE);

	if (err == OK && !arrives(index))
		err = ERR_TIMED_OUT;
	permanent_door[index] = arrived[index];
	return err;
}

static void *housekeeper(void *argument)
{
	(void)argument;
	kit_main(&server);
	return NULL;
}

static err_t look(struct info_process info[2])
{
	err_t err = lintel_process_info(permanent[REGULAR].process, &info[REGULAR], sizeof(info[0]));

	if (err == OK)
		err = lintel_process_info(permanent[SCARCE].process, &info[SCARCE], sizeof(info[0]));
	return err;
}

err_t rounds_init(void)
{
	pthread_t keeper;
	err_t err = kit_prepare(&server);

	if (err == OK && pthread_create(&keeper, NULL, housekeeper, NULL) != 0)
		err = ERR_NO_MEMORY;
	if (err == OK)
		err = agents_init(kit_door());
	if (err == OK)
		err = permanent_start(REGULAR, REGULAR_ACTIVATIONS);
	if (err == OK)
		err = permanent_start(SCARCE, 1);
	if (err == OK)
		err = follow(permanent_door[SCARCE]);
	if (err == OK)
		err = lintel_vmo_create(AGENT_PAGED_BYTES, 0, &source);
	for (uint64_t at = 0; err == OK && at < AGENT_PAGED_BYTES; at += PAGE_SIZE)
		err = lintel_vmo_write(source, at, "", 1); /* commits */
	if (err == OK)
		err = lintel_vmo_create_pager(AGENT_PAGED_BYTES, kit_door(), KEY, &paged);
	return err == OK ? look(at_first) : err;
}

static err_t all_activations(uint32_t index, uint32_t activations)
{
	err_t err = OK;

	for (uint32_t cpu = 0; err == OK && cpu < kit_cpu_count(); cpu++) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set) != 0)
			return ERR_ARGS;
		err = tell(permanent_door[index], DO_RECURSE, activations, HANDLE_NONE);
	}
	return err;
}

const char *rounds_check(void)
{
	struct info_process now[2];
	cpu_set_t everywhere;
	err_t regular = all_activations(REGULAR, REGULAR_ACTIVATIONS), scarce = all_activations(SCARCE, 1);

	CPU_ZERO(&everywhere);
	for (uint32_t cpu = 0; cpu < kit_cpu_count(); cpu++)
		CPU_SET(cpu, &everywhere);
	(void)pthread_setaffinity_np(pthread_self(), sizeof(everywhere), &everywhere);
	if (regular != OK || scarce != OK)
		return "an activation is missing";
	for (int patience = 0; look(now) == OK && patience < 1000; patience++) {
		if (now[REGULAR].threads == 1 && now[SCARCE].threads == 1)
			break;
		pause_ns(1000000); /* an orphan is on its way out */
	}
	if (now[REGULAR].threads != 1 || now[SCARCE].threads != 1)
		return "an orphan is left over";
	if (now[REGULAR].handles != at_first[REGULAR].handles || now[SCARCE].handles != at_first[SCARCE].handles)
		return "a permanent server has other handles than at first";
	return NULL;
}

/* ---- clients that are agents ---- */

static void call_describe(struct slot *slot, const struct step *step)
{
	slot->word[0] = step->action;
	slot->word[1] = step->argument;
	slot->word[2] = step->inner;
	slot->word[3] = step->inner_argument;
	slot->cursor = AGENT_PAGED;
	slot->flags = (step->shape & SHAPE_TOUCH ? FLAG_TOUCH : 0) | (step->shape & SHAPE_PAGED ? FLAG_WINDOW : 0);
	if (step->shape & (SHAPE_WINDOW | SHAPE_PAGED)) {
		slot->window[0] = AGENT_MEMORY + 16;
		slot->window[1] = 64 | (step->shape & SHAPE_WINDOW ? WINDOW_WRITE : 0);
	}
	if (step->shape & SHAPE_LONG) {
		slot->window[2] = AGENT_MEMORY + 3 * PAGE_SIZE + 4000;
		slot->window[3] = 20 * PAGE_SIZE - 4000;
	}
}

static err_t event_give(const struct agent *client)
{
	handle_t event;
	err_t err = lintel_event_create(&event);

	if (err != OK)
		return err;
	err = agent_grant(client, event, &client->slot->handles);
	(void)!lintel_handle_close(event);
	return err;
}

static err_t client_make(const struct step *step, handle_t door, handle_t pages, struct agent *client)
{
	uint64_t theirs = 0;
	err_t err = agent_create(CLIENT, client);

	if (err != OK)
		return err;
	call_describe(client->slot, step);
	err = agent_grant(client, door, &theirs);
	client->slot->door = theirs | (uint64_t)step->timeout_us << 32;
	if (err == OK && (step->shape & SHAPE_HANDLE))
		err = event_give(client);
	if (err == OK && (step->shape & (SHAPE_WINDOW | SHAPE_LONG)))
		err = agent_give_memory(client);
	if (err == OK && (step->shape & (SHAPE_PAGED | SHAPE_TOUCH)))
		err = agent_map(client, pages, AGENT_PAGED, AGENT_PAGED_BYTES);
	if (err == OK && step->cast == CLIENT_by_server) {
		handle_t copy;

		err = lintel_handle_duplicate(client->process, RIGHTS_SAME, &copy);
		if (err == OK)
			err = tell(door, DO_KEEP, 0, copy);
	}
	if (err == OK)
		err = agent_start(client, agent_client);
	for (uint32_t i = 1; err == OK && i < step->threads; i++)
		err = agent_thread(client, agent_client);
	if (err == OK && step->cast == CLIENT_exits)
		err = agent_thread(client, agent_exiter);
	if (err == ERR_BAD_STATE && step->cast == CLIENT_by_server) /* it was quick */
		err = OK;
	return err;
}

static const char *client_round(const struct step *step, uint64_t delay_ns, uint64_t *deaths)
{
	uint32_t which = step->scarce ? SCARCE : REGULAR;
	uint64_t before = permanent[which].slot->entered;
	struct agent client;

	if (client_make(step, permanent_door[which], paged, &client) != OK)
		return "there is no client";
	if (!changes(step->entered ? &permanent[which].slot->entered : &client.slot->begun, step->entered ? before : 0))
		return "the client does not call";
	pause_ns(delay_ns);
	switch (step->cast) {
	case CLIENT_exits:
		client.slot->release = 1;
		return bury(&client, STATUS_EXIT, deaths);
	case CLIENT_by_server:
		return bury(&client, STATUS_KILLED_BY_SERVER, deaths);
	default:
		if (lintel_process_kill(client.process, KILLED) != OK)
			return "process_kill fails";
		return bury(&client, KILLED, deaths);
	}
}

/* ---- servers that die ---- */

static const char *mortal_make(const struct step *step, struct agent *mortal)
{
	arrived[MORTAL] = HANDLE_NONE;
	if (agent_serve(mortal, MORTAL, step->activations,
			step->cast == client_MIDDLE_server ? permanent_door[REGULAR] : HANDLE_NONE) != OK ||
	    !arrives(MORTAL))
		return "there is no server";
	return NULL;
}

static const char *mortal_kill(const struct step *step, struct agent *mortal, uint64_t *deaths)
{
	if (step->cast == client_SERVER_exits)
		return bury(mortal, step->action == DO_EXIT ? STATUS_EXIT : -1, deaths);
	if (lintel_process_kill(mortal->process, KILLED) != OK)
		return "process_kill fails";
	return bury(mortal, KILLED, deaths);
}

static const char *patrons_round(const struct step *step, uint64_t delay_ns, const struct errand *errand,
				 struct agent *mortal, uint64_t *deaths)
{
	struct slot *slot = step->cast == client_MIDDLE_server ? permanent[REGULAR].slot : mortal->slot;
	uint64_t entered = slot->entered, calls = *patrons_calls();
	const char *why;

	patrons_send(errand);
	if (!changes(step->entered ? &slot->entered : patrons_calls(), step->entered ? entered : calls))
		return "nobody calls";
	pause_ns(delay_ns);
	why = mortal_kill(step, mortal, deaths);
	if (why != NULL)
		return why;
	switch (patrons_wait(lintel_clock_ns() + PATIENCE_NS)) {
	case OK:
		return NULL;
	case ERR_TIMED_OUT:
		return "a caller does not come back";
	default:
		return "a call ends with another result";
	}
}

static const char *server_round(const struct step *step, uint64_t delay_ns, uint64_t *deaths)
{
	struct errand errand = { .shape = step->shape, .timeout_us = step->timeout_us, .last = ERR_PEER_DIED,
				 .word = { step->action, step->argument, step->inner, step->inner_argument } };
	struct agent mortal;
	const char *why = mortal_make(step, &mortal);

	if (why != NULL)
		return why;
	errand.door = arrived[MORTAL];
	if (step->cast == client_server_INNER) {
		errand.door = permanent_door[REGULAR];
		if (follow(arrived[MORTAL]) != OK)
			return "the regular server does not follow";
	}
	why = patrons_round(step, delay_ns, &errand, &mortal, deaths);
	if (step->cast == client_server_INNER && follow(permanent_door[SCARCE]) != OK)
		return "the regular server does not follow any more";
	(void)!lintel_handle_close(arrived[MORTAL]);
	return why;
}

static const char *both_round(const struct step *step, uint64_t delay_ns, uint64_t *deaths)
{
	bool client_first = delay_ns & 1;
	struct agent mortal, client;
	const char *why = mortal_make(step, &mortal);

	if (why != NULL)
		return why;
	if (client_make(step, arrived[MORTAL], HANDLE_NONE, &client) != OK)
		return "there is no client";
	if (!changes(step->entered ? &mortal.slot->entered : &client.slot->begun, 0))
		return "the client does not call";
	pause_ns(delay_ns);
	if (lintel_process_kill((client_first ? &client : &mortal)->process, KILLED) != OK ||
	    lintel_process_kill((client_first ? &mortal : &client)->process, KILLED) != OK)
		return "process_kill fails";
	why = bury(&client, KILLED, deaths);
	(void)!lintel_handle_close(arrived[MORTAL]);
	return why != NULL ? why : bury(&mortal, KILLED, deaths);
}

/* ---- pagers that die ---- */

static const char *touch_round(const struct step *step, uint64_t delay_ns, handle_t pages, struct agent *mortal,
			       uint64_t *deaths)
{
	struct agent client;
	const char *why;

	if (client_make(step, permanent_door[REGULAR], pages, &client) != OK)
		return "there is no client";
	if (!changes(&mortal->slot->entered, 0))
		return "the client does not touch";
	pause_ns(delay_ns);
	why = mortal_kill(step, mortal, deaths);
	return why != NULL ? why : bury(&client, -1, deaths);
}

static const char *window_round(const struct step *step, uint64_t delay_ns, handle_t pages, struct agent *mortal,
				uint64_t *deaths)
{
	struct errand errand = { .door = permanent_door[REGULAR], .shape = SHAPE_PAGED, .last = ERR_FAULT };
	uint64_t at;
	const char *why;

	if (lintel_space_map(lintel_process(), pages, 0, AGENT_PAGED_BYTES, 0, SPACE_READ, &at) != OK)
		return "the VMO cannot be mapped";
	errand.paged = (void *)(uintptr_t)at;
	why = patrons_round(step, delay_ns, &errand, mortal, deaths);
	(void)!lintel_space_unmap(lintel_process(), at, AGENT_PAGED_BYTES);
	return why;
}

static const char *pager_round(const struct step *step, uint64_t delay_ns, uint64_t *deaths)
{
	struct agent mortal;
	handle_t pages;
	const char *why = mortal_make(step, &mortal);

	if (why != NULL)
		return why;
	if (lintel_vmo_create_pager(AGENT_PAGED_BYTES, arrived[MORTAL], KEY, &pages) != OK)
		return "there is no VMO";
	if (step->cast == client_PAGER)
		why = touch_round(step, delay_ns, pages, &mortal, deaths);
	else
		why = window_round(step, delay_ns, pages, &mortal, deaths);
	(void)!lintel_handle_close(pages);
	(void)!lintel_handle_close(arrived[MORTAL]);
	return why;
}

const char *round_run(const struct step *step, uint64_t delay_ns, uint64_t *deaths)
{
	switch (step->cast) {
	case CLIENT_server:
	case CLIENT_exits:
	case CLIENT_by_server:
		return client_round(step, delay_ns, deaths);
	case client_SERVER:
	case client_SERVER_exits:
	case client_MIDDLE_server:
	case client_server_INNER:
		return server_round(step, delay_ns, deaths);
	case CLIENT_SERVER:
		return both_round(step, delay_ns, deaths);
	case client_PAGER:
	case client_PAGER_window:
		return pager_round(step, delay_ns, deaths);
	}
	return "no such cast";
}

void rounds_end(void)
{
	for (uint32_t i = 0; i < 2; i++) {
		uint64_t deaths = 0;

		(void)!lintel_process_kill(permanent[i].process, KILLED);
		(void)bury(&permanent[i], KILLED, &deaths);
		(void)!lintel_handle_close(permanent_door[i]);
	}
}
