/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - rounds of random operations on the files of /pmem/fsx, by several processes; see fsx.h.
 *
 *   fsx [SEED [SECONDS [turns|once]]]     default: a seed from the clock, 2 seconds, both by turns
 *
 * Each round starts with no files and a seed of its own, which a failure prints. In turns, a seed repeats what was done
 * (with ICOUNT=1 to the instruction). At once, files are used at the same time, each by one process at a time. */
#include "fsx.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../check.h"

#define ROUND_MS 10000
#define SECONDS_DEFAULT 2

extern char **environ;

static struct {
	char *path;
	uint64_t seed;
	uint64_t operations;
	uint64_t rounds;
} run;

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- a client --- */

static bool step(struct client *c)
{
	struct slot *s = &c->slot[random_below(c, SLOTS)];
	const uint64_t what = random_below(c, 32);

	if (s->fd < 0)
		return names_open(c, s);
	if (what == 0)
		return names_close(c, s);
	if (what < 3)
		return range_copy(c, s, &c->slot[random_below(c, SLOTS)]);
	return what < 6 ? names_step(c) : data_step(c, s);
}

static bool turn_wait(const struct client *c)
{
	while (!__atomic_load_n(&state->stop, __ATOMIC_ACQUIRE)) {
		if (!state->in_turns || __atomic_load_n(&state->turn, __ATOMIC_ACQUIRE) == c->number)
			return true;
		sched_yield();
	}
	return false;
}

static void turn_end(void)
{
	if (state->in_turns)
		__atomic_store_n(&state->turn, (uint32_t)(random_next(&state->turns) % state->clients), __ATOMIC_RELEASE);
}

static int client_main(uint32_t number)
{
	struct client c = { .number = number };

	if (state_open(false) == NULL)
		return 1;
	c.random = state->seed * 31 + number;
	for (uint32_t i = 0; i < SLOTS; i++)
		c.slot[i].fd = -1;
	while (turn_wait(&c) && step(&c)) {
		c.done++;
		__atomic_fetch_add(&state->operations, 1, __ATOMIC_RELAXED);
		turn_end();
	}
	for (uint32_t i = 0; i < SLOTS; i++)
		if (c.slot[i].fd >= 0)
			names_close(&c, &c.slot[i]);
	return __atomic_load_n(&state->failed, __ATOMIC_ACQUIRE) != 0;
}

/* --- rounds --- */

static void files_remove(void)
{
	char path[64];

	for (uint32_t i = 0; i < NAMES; i++) {
		names_path(i, path);
		unlink(path);
	}
}

static void round_begin(bool in_turns, uint64_t seed)
{
	files_remove();
	memset(state, 0, sizeof(*state));
	state->seed = seed;
	state->turns = seed;
	state->in_turns = in_turns;
	state->clients = CLIENTS_MAX;
	for (uint32_t i = 0; i < NAMES; i++)
		state->name[i] = NO_BODY;
}

static bool clients_start(pid_t pid[CLIENTS_MAX])
{
	char role[] = "client", number[4];
	char *arguments[] = { run.path, role, number, NULL };

	for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
		snprintf(number, sizeof(number), "%u", i);
		if (posix_spawn(&pid[i], run.path, NULL, NULL, arguments, environ) != 0)
			return false;
	}
	return true;
}

static void round_run(bool in_turns, uint64_t seed, uint64_t ms)
{
	struct client self = { .number = CLIENTS_MAX, .random = seed };
	pid_t pid[CLIENTS_MAX];
	int status, bad = 0;

	round_begin(in_turns, seed);
	CHECK(clients_start(pid));
	for (uint64_t end = now_ms() + ms; now_ms() < end && !__atomic_load_n(&state->stop, __ATOMIC_ACQUIRE);)
		usleep(20000);
	__atomic_store_n(&state->stop, 1, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < CLIENTS_MAX; i++)
		bad |= waitpid(pid[i], &status, 0) != pid[i] || status != 0;
	if (bad && state->failed == 0)
		failure(&self, "a client has died");
	run.operations += state->operations;
	run.rounds++;
	if (state->failed == 0)
		names_check(&self);
	CHECK_EQUAL(state->failed, 0);
	CHECK(state->operations > 0);
}

static void rounds(bool in_turns, uint64_t ms)
{
	for (uint64_t left = ms; left != 0 && check.why[0] == '\0'; run.seed++) {
		const uint64_t part = left < ROUND_MS ? left : ROUND_MS;
		round_run(in_turns, run.seed, part);
		left -= part;
	}
}

static uint64_t half_ms;

static void files_agree_in_turns(void)
{
	rounds(true, half_ms);
}

static void files_agree_at_once(void)
{
	rounds(false, half_ms);
}

int main(int argc, char **argv)
{
	const char *only = argc > 3 ? argv[3] : "";

	run.path = argv[0];
	if (argc > 2 && strcmp(argv[1], "client") == 0)
		return client_main((uint32_t)atoi(argv[2]));
	run.seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL);
	const uint64_t seconds = argc > 2 ? strtoull(argv[2], NULL, 10) : SECONDS_DEFAULT;
	half_ms = seconds * (only[0] != '\0' ? 1000 : 500);
	if (mkdir("/pmem/fsx", 0755) != 0 && errno == EROFS)
		return 0; /* no /pmem on this machine */
	mkdir("/pmem/fsx/d", 0755);
	printf("fsx: seed %llu\n", (unsigned long long)run.seed);
	fflush(stdout);
	if (state_open(true) == NULL) {
		printf("not ok fsx: no memory to share: errno %d\n", errno);
		return 1;
	}
	if (strcmp(only, "once") != 0)
		CHECK_RUN(files_agree_in_turns);
	if (strcmp(only, "turns") != 0)
		CHECK_RUN(files_agree_at_once);
	printf("fsx: %llu operations in %llu rounds\n", (unsigned long long)run.operations, (unsigned long long)run.rounds);
	if (check.failed == 0) {
		files_remove();
		rmdir("/pmem/fsx/d");
		rmdir("/pmem/fsx");
	}
	state_close();
	return check.failed;
}
