/* SPDX-License-Identifier: BSD-2-Clause */
/* rounds.c - see rounds.h. */
#include "rounds.h"

#include "stage.h"

#include <lintel/process.h>
#include <lintel/syscalls.h>

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
			err = stage_tell(door, DO_KEEP, 0, copy);
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
	uint64_t before = stage_server[which].slot->entered;
	struct agent client;

	if (client_make(step, stage_door[which], stage_paged, &client) != OK)
		return "there is no client";
	if (step->entered ? !stage_changes(&stage_server[which].slot->entered, before)
			  : !stage_changes(&client.slot->begun, 0))
		return "the client does not call";
	stage_pause_ns(delay_ns);
	switch (step->cast) {
	case CLIENT_exits:
		client.slot->release = 1;
		return stage_bury(&client, STATUS_EXIT, deaths);
	case CLIENT_by_server:
		return stage_bury(&client, STATUS_KILLED_BY_SERVER, deaths);
	default:
		if (lintel_process_kill(client.process, KILLED) != OK)
			return "process_kill fails";
		return stage_bury(&client, KILLED, deaths);
	}
}

/* ---- servers that die ---- */

static const char *mortal_make(const struct step *step, struct agent *mortal)
{
	stage_arrived[MORTAL] = HANDLE_NONE;
	if (agent_serve(mortal, MORTAL, step->activations,
			step->cast == client_MIDDLE_server ? stage_door[REGULAR] : HANDLE_NONE) != OK ||
	    !stage_arrives(MORTAL))
		return "there is no server";
	return NULL;
}

static const char *mortal_kill(const struct step *step, struct agent *mortal, uint64_t *deaths)
{
	if (step->cast == client_SERVER_exits)
		return stage_bury(mortal, step->action == DO_EXIT ? STATUS_EXIT : -1, deaths);
	if (lintel_process_kill(mortal->process, KILLED) != OK)
		return "process_kill fails";
	return stage_bury(mortal, KILLED, deaths);
}

static const char *patrons_round(const struct step *step, uint64_t delay_ns, const struct errand *errand,
				 struct agent *mortal, uint64_t *deaths)
{
	struct slot *slot = step->cast == client_MIDDLE_server ? stage_server[REGULAR].slot : mortal->slot;
	uint64_t entered = slot->entered, calls = *patrons_calls();
	const char *why;

	patrons_send(errand);
	if (!stage_changes(step->entered ? &slot->entered : patrons_calls(), step->entered ? entered : calls))
		return "nobody calls";
	stage_pause_ns(delay_ns);
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
	errand.door = stage_arrived[MORTAL];
	if (step->cast == client_server_INNER) {
		errand.door = stage_door[REGULAR];
		if (stage_follow(stage_arrived[MORTAL]) != OK)
			return "the regular server does not follow";
	}
	why = patrons_round(step, delay_ns, &errand, &mortal, deaths);
	if (step->cast == client_server_INNER && stage_follow(stage_door[SCARCE]) != OK)
		return "the regular server does not follow any more";
	(void)!lintel_handle_close(stage_arrived[MORTAL]);
	return why;
}

static const char *both_round(const struct step *step, uint64_t delay_ns, uint64_t *deaths)
{
	bool client_first = delay_ns & 1;
	struct agent mortal, client;
	const char *why = mortal_make(step, &mortal);

	if (why != NULL)
		return why;
	if (client_make(step, stage_arrived[MORTAL], HANDLE_NONE, &client) != OK)
		return "there is no client";
	if (!stage_changes(step->entered ? &mortal.slot->entered : &client.slot->begun, 0))
		return "the client does not call";
	stage_pause_ns(delay_ns);
	if (lintel_process_kill((client_first ? &client : &mortal)->process, KILLED) != OK ||
	    lintel_process_kill((client_first ? &mortal : &client)->process, KILLED) != OK)
		return "process_kill fails";
	why = stage_bury(&client, KILLED, deaths);
	(void)!lintel_handle_close(stage_arrived[MORTAL]);
	return why != NULL ? why : stage_bury(&mortal, KILLED, deaths);
}

/* ---- pagers that die ---- */

static const char *touch_round(const struct step *step, uint64_t delay_ns, handle_t pages, struct agent *mortal,
			       uint64_t *deaths)
{
	struct agent client;
	const char *why;

	if (client_make(step, stage_door[REGULAR], pages, &client) != OK)
		return "there is no client";
	if (!stage_changes(&mortal->slot->entered, 0))
		return "the client does not touch";
	stage_pause_ns(delay_ns);
	why = mortal_kill(step, mortal, deaths);
	return why != NULL ? why : stage_bury(&client, -1, deaths);
}

static const char *window_round(const struct step *step, uint64_t delay_ns, handle_t pages, struct agent *mortal,
				uint64_t *deaths)
{
	struct errand errand = { .door = stage_door[REGULAR], .shape = SHAPE_PAGED, .last = ERR_FAULT };
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
	if (lintel_vmo_create_pager(AGENT_PAGED_BYTES, stage_arrived[MORTAL], PAGER_KEY, &pages) != OK)
		return "there is no VMO";
	if (step->cast == client_PAGER)
		why = touch_round(step, delay_ns, pages, &mortal, deaths);
	else
		why = window_round(step, delay_ns, pages, &mortal, deaths);
	(void)!lintel_handle_close(pages);
	(void)!lintel_handle_close(stage_arrived[MORTAL]);
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
