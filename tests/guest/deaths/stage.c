/* SPDX-License-Identifier: BSD-2-Clause */
/* stage.c - see stage.h. */
#include "stage.h"

#include <kit/kit.h>
#include <lintel/door_call.h>
#include <lintel/info.h>
#include <lintel/pager_server.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <pthread.h>
#include <sched.h>

#define REGULAR_ACTIVATIONS 4

struct agent stage_server[2];
handle_t stage_door[2];
handle_t stage_arrived[SLOTS];
handle_t stage_paged;
static struct info_process at_first[2];
static handle_t source; /* where its pages come from */
static uint64_t last_page;

/* ---- this program's own door ---- */

/* The page before goes, so that it will be missed again. */
static err_t supply(struct kit_call *call, uint64_t key, uint64_t offset, uint32_t access)
{
	uint64_t before = __atomic_exchange_n(&last_page, offset, __ATOMIC_RELAXED);

	(void)call;
	(void)access;
	if (key != PAGER_KEY)
		return ERR_IO;
	if (before != offset && lintel_vmo_revoke(stage_paged, before, PAGE_SIZE) != OK)
		return ERR_IO;
	err_t err = lintel_vmo_supply(stage_paged, offset, source, offset, PAGE_SIZE, RIGHT_READ);
	return err == ERR_EXISTS ? OK : err;
}

static const struct pager_ops pager = { .fault = supply };

static err_t dispatch(struct kit_call *call)
{
	if (call->in.word[0] >> 16 == PAGER_INTERFACE)
		return pager_dispatch(&pager, call);
	if (call->in.word[0] >= SLOTS)
		return ERR_BAD_CALL;
	__atomic_store_n(&stage_arrived[call->in.word[0]], call->in.handle[0], __ATOMIC_RELEASE);
	return OK;
}

static const struct kit_server server = { "deaths", dispatch, NULL };

/* ---- waiting ---- */

/* On a machine of one or two CPUs the clock wakes us, at exactly that instruction if they are counted. */
void stage_pause_ns(uint64_t ns)
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

bool stage_changes(const uint64_t *word, uint64_t from)
{
	uint64_t end = lintel_clock_ns() + PATIENCE_NS;

	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == from)
		if (!time_passes(end))
			return false;
	return true;
}

bool stage_arrives(uint32_t index)
{
	uint64_t end = lintel_clock_ns() + PATIENCE_NS;

	while (__atomic_load_n(&stage_arrived[index], __ATOMIC_ACQUIRE) == HANDLE_NONE) {
		if (lintel_clock_ns() > end)
			return false;
		(void)!lintel_thread_sleep(lintel_clock_ns() + 20000);
	}
	return true;
}

/* Wait for its end and let go of it. Status wanted: `want`, or any below 0 if that is below 0. */
const char *stage_bury(struct agent *agent, int32_t want, uint64_t *deaths)
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

err_t stage_tell(handle_t door, uint64_t what, uint64_t argument, handle_t handle)
{
	struct door_message message = { .word = { what, argument }, .handle = { handle } };

	return door_call(door, 0, &message);
}

/* Whom the regular one calls in DO_CALL. */
err_t stage_follow(handle_t door)
{
	handle_t copy;
	err_t err = lintel_handle_duplicate(door, RIGHTS_SAME, &copy);

	return err == OK ? stage_tell(stage_door[REGULAR], DO_FOLLOW, 0, copy) : err;
}

static err_t permanent_start(uint32_t index, uint32_t activations)
{
	err_t err = agent_serve(&stage_server[index], index, activations, HANDLE_NONE);

	if (err == OK && !stage_arrives(index))
		err = ERR_TIMED_OUT;
	stage_door[index] = stage_arrived[index];
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
	err_t err = lintel_process_info(stage_server[REGULAR].process, &info[REGULAR], sizeof(info[0]));

	if (err == OK)
		err = lintel_process_info(stage_server[SCARCE].process, &info[SCARCE], sizeof(info[0]));
	return err;
}

err_t stage_init(void)
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
		err = stage_follow(stage_door[SCARCE]);
	if (err == OK)
		err = lintel_vmo_create(AGENT_PAGED_BYTES, 0, &source);
	for (uint64_t at = 0; err == OK && at < AGENT_PAGED_BYTES; at += PAGE_SIZE)
		err = lintel_vmo_write(source, at, "", 1); /* commits */
	if (err == OK)
		err = lintel_vmo_create_pager(AGENT_PAGED_BYTES, kit_door(), PAGER_KEY, &stage_paged);
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
		err = stage_tell(stage_door[index], DO_RECURSE, activations, HANDLE_NONE);
	}
	return err;
}

const char *stage_check(void)
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
		stage_pause_ns(1000000); /* an orphan is on its way out */
	}
	if (now[REGULAR].threads != 1 || now[SCARCE].threads != 1)
		return "an orphan is left over";
	if (now[REGULAR].handles != at_first[REGULAR].handles || now[SCARCE].handles != at_first[SCARCE].handles)
		return "a permanent server has other handles than at first";
	return NULL;
}

void stage_end(void)
{
	for (uint32_t i = 0; i < 2; i++) {
		uint64_t deaths = 0;

		(void)!lintel_process_kill(stage_server[i].process, KILLED);
		(void)stage_bury(&stage_server[i], KILLED, &deaths);
		(void)!lintel_handle_close(stage_door[i]);
	}
}
