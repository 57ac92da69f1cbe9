/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - client, server or both are killed at each step of a door call (steps.c).
 *
 *   deaths [SEED [KILLS [STEP]]]     default: a seed from the clock, 300 kills, all steps
 *
 * STEP is the beginning of a step's name. The kill number v of V of a step comes at the v-th V-th of the step's time,
 * and a random bit later, so that every moment has its turn; SEED gives the bits. With ICOUNT=1 a run repeats exactly,
 * and KILLS as large as the step's time in ns kills at each instruction. Afterwards `run -c` says what is missing. */
#include "rounds.h"
#include "stage.h"

#include <kit/kit.h>
#include <lintel/process.h>
#include <lintel/startup.h>
#include <lintel/syscalls.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KILLS_DEFAULT 300
#define PROGRESS_PARTS 10

static struct {
	uint64_t seed; /* as given */
	uint64_t random;
	uint64_t kills;
	const char *only;
	uint32_t patrons_ready; /* futex */
	int failed;
} run;

static uint64_t deaths; /* at each step by turns */
static uint64_t deaths_of[64];

static uint64_t next_random(void) /* splitmix64 */
{
	uint64_t z = run.random += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static bool is_wanted(const struct step *step)
{
	return run.only == NULL || strncmp(step->name, run.only, strlen(run.only)) == 0;
}

static uint64_t visits(void)
{
	uint64_t wanted = 0;

	for (uint32_t i = 0; i < steps_count; i++)
		wanted += is_wanted(&steps[i]);
	return wanted == 0 ? 0 : (run.kills + wanted - 1) / wanted;
}

/* Each step once. False: something is wrong, and was told. */
static bool all_steps(uint64_t visit, uint64_t of)
{
	for (uint32_t i = 0; i < steps_count && deaths < run.kills; i++) {
		const struct step *step = &steps[i];
		uint64_t part = step->delay_ns / of + 1, before = deaths;
		uint64_t delay = step->delay_ns * visit / of + next_random() % part;
		const char *why;

		if (!is_wanted(step) || (step->every != 0 && visit % step->every != 0))
			continue;
		why = round_run(step, delay, &deaths);
		deaths_of[i] += deaths - before;
		if (why == NULL)
			continue;
		printf("not ok %s: %s, kill %llu of seed %llu, after %llu ns\n", step->name, why,
		       (unsigned long long)deaths + 1, (unsigned long long)run.seed, (unsigned long long)delay);
		fflush(stdout);
		return false;
	}
	return true;
}

static bool check(void)
{
	const char *why = stage_check();

	if (why != NULL)
		printf("not ok after %llu kills: %s\n", (unsigned long long)deaths, why);
	fflush(stdout);
	return why == NULL;
}

static bool kill_all(void)
{
	uint64_t of = visits(), said = 0, began = lintel_clock_ns();

	for (uint64_t visit = 0; deaths < run.kills; visit = (visit + 1) % of) {
		if (!all_steps(visit, of))
			return false;
		if ((deaths - said) * PROGRESS_PARTS < run.kills)
			continue;
		if (!check())
			return false;
		said = deaths;
		printf("%llu kills, %llu calls, %llu s: nothing is missing\n", (unsigned long long)deaths,
		       (unsigned long long)*patrons_calls(), (unsigned long long)(lintel_clock_ns() - began) / 1000000000);
		fflush(stdout);
	}
	return check();
}

/* Of higher priority than the patrons, so that where CPUs are few the killer comes when its time has come. */
static void *killer(void *argument)
{
	(void)argument;
	while (__atomic_load_n(&run.patrons_ready, __ATOMIC_ACQUIRE) == 0)
		(void)!lintel_futex_wait((uint64_t)(uintptr_t)&run.patrons_ready, 0, DEADLINE_NEVER);
	run.failed = !kill_all();
	for (uint32_t i = 0; i < steps_count; i++)
		if (deaths_of[i] != 0 && !run.failed)
			printf("ok %s (%llu killed)\n", steps[i].name, (unsigned long long)deaths_of[i]);
	return NULL;
}

int main(int argc, char **argv)
{
	handle_t self = lintel_startup_handle(STARTUP_THREAD, STARTUP_ANY, 0);
	pthread_t thread;
	uint32_t woken;
	err_t err;

	run.seed = run.random = argc > 1 ? strtoull(argv[1], NULL, 0) : lintel_clock_ns();
	run.kills = argc > 2 ? strtoull(argv[2], NULL, 0) : KILLS_DEFAULT;
	run.only = argc > 3 ? argv[3] : NULL;
	printf("deaths %llu %llu\n", (unsigned long long)run.seed, (unsigned long long)run.kills);
	err = stage_init();
	if (err == OK && visits() == 0)
		err = ERR_NOT_FOUND;
	if (err == OK && pthread_create(&thread, NULL, killer, NULL) != 0)
		err = ERR_NO_MEMORY;
	if (err == OK)
		err = lintel_thread_set_priority(self, 10);
	if (err == OK)
		err = patrons_init();
	if (err != OK) {
		printf("not ok deaths: cannot begin, error %d\n", (int)err);
		return 1;
	}
	run.patrons_ready = 1;
	(void)!lintel_futex_wake((uint64_t)(uintptr_t)&run.patrons_ready, 1, &woken);
	pthread_join(thread, NULL);
	stage_end();
	return run.failed;
}
