/* SPDX-License-Identifier: BSD-2-Clause */
/* thread_rows.c - threads and processes, as POSIX has them. */
#include "bench.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static void *add_one(void *counter)
{
	++*(uint64_t *)counter;
	return NULL;
}

static bool create_join(struct bench *b, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		pthread_t thread;
		int error = pthread_create(&thread, NULL, add_one, &b->moved);
		if (!error)
			error = pthread_join(thread, NULL);
		if (error)
			return bench_fail(b, "pthread_create", error);
	}
	return b->moved == count || bench_fail(b, "a thread did not run", 0);
}

/* ---- Two threads that take turns: an operation is there and back ---- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int turn; /* 0 the measuring thread's, 1 the other's, 2 the end */
	uint64_t turns;
	pthread_t thread;
	bool running;
} game = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void *play(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&game.lock);
	for (;;) {
		while (game.turn == 0)
			pthread_cond_wait(&game.changed, &game.lock);
		if (game.turn == 2)
			break;
		game.turns++;
		game.turn = 0;
		pthread_cond_signal(&game.changed);
	}
	pthread_mutex_unlock(&game.lock);
	return NULL;
}

static bool start_game(struct bench *b)
{
	game.turn = 0;
	int error = pthread_create(&game.thread, NULL, play, NULL);
	game.running = !error;
	return !error || bench_fail(b, "pthread_create", error);
}

static void end_game(struct bench *b)
{
	(void)b;
	if (!game.running)
		return;
	pthread_mutex_lock(&game.lock);
	game.turn = 2;
	pthread_cond_signal(&game.changed);
	pthread_mutex_unlock(&game.lock);
	pthread_join(game.thread, NULL);
	game.running = false;
}

static bool reset_turns(struct bench *b, uint64_t count)
{
	(void)b, (void)count;
	game.turns = 0;
	return true;
}

static bool take_turns(struct bench *b, uint64_t count)
{
	pthread_mutex_lock(&game.lock);
	for (uint64_t i = 0; i < count; i++) {
		game.turn = 1;
		pthread_cond_signal(&game.changed);
		while (game.turn != 0)
			pthread_cond_wait(&game.changed, &game.lock);
	}
	pthread_mutex_unlock(&game.lock);
	return game.turns == count || bench_fail(b, "the other thread missed a turn", 0);
}

static bool yield(struct bench *b, uint64_t count)
{
	(void)b;
	for (uint64_t i = 0; i < count; i++)
		sched_yield();
	return true;
}

/* ---- Two threads of one process that yield to each other on one CPU: an operation is there and back ---- */

static struct {
	pthread_t thread;
	bool running;
	bool stop;      /* [a] */
	uint64_t turns; /* [a] of the other thread */
} partner;

static void *yield_always(void *unused)
{
	(void)unused;
	while (!__atomic_load_n(&partner.stop, __ATOMIC_RELAXED)) {
		__atomic_store_n(&partner.turns, partner.turns + 1, __ATOMIC_RELAXED);
		sched_yield();
	}
	return NULL;
}

static bool start_partner(struct bench *b)
{
	partner.stop = false;
	partner.turns = 0;
	int error = native_pin(pthread_self(), true);
	if (error)
		return bench_fail(b, "staying on one CPU", error);
	error = pthread_create(&partner.thread, NULL, yield_always, NULL);
	partner.running = !error;
	if (!error)
		error = native_pin(partner.thread, true);
	return !error || bench_fail(b, "pthread_create", error);
}

static void stop_partner(struct bench *b)
{
	(void)b;
	__atomic_store_n(&partner.stop, true, __ATOMIC_RELAXED);
	if (partner.running)
		pthread_join(partner.thread, NULL);
	partner.running = false;
	(void)native_pin(pthread_self(), false);
}

/* A scheduler may give the same thread the CPU again: then it takes another yield. */
static bool yield_to_partner(struct bench *b, uint64_t count)
{
	(void)b;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t before = __atomic_load_n(&partner.turns, __ATOMIC_RELAXED);
		do {
			sched_yield();
		} while (__atomic_load_n(&partner.turns, __ATOMIC_RELAXED) == before);
	}
	return true;
}

/* ---- A program that ends at once ---- */

extern char **environ;

static bool spawn_wait(struct bench *b, uint64_t count)
{
	const char *program = native_tiny_program();
	char *argv[] = { (char *)(uintptr_t)program, (char *)(uintptr_t)CHILD_WORD, "exit", NULL };
	for (uint64_t i = 0; i < count; i++) {
		pid_t child;
		int status = 0;
		int error = posix_spawn(&child, program, NULL, NULL, argv, environ);
		if (error)
			return bench_fail(b, program, error);
		if (waitpid(child, &status, 0) != child)
			return bench_fail(b, "waitpid", errno);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != CHILD_STATUS)
			return bench_fail(b, "the child ended with the wrong status", 0);
	}
	return true;
}

static const struct row rows[] = {
	{ .id = "thread_create_join", .what = "pthread_create + join", .count = 100,
	  .body = create_join },
	{ .id = "thread_ping_pong", .what = "wake another thread and wait for its answer", .count = 500,
	  .setup = start_game, .prepare = reset_turns, .body = take_turns, .teardown = end_game },
	{ .id = "thread_switch", .what = "switch to another thread of the process (yield)", .count = 1000, .divide = 2,
	  .setup = start_partner, .body = yield_to_partner, .teardown = stop_partner },
	{ .id = "yield", .what = "sched_yield, alone", .count = 1000, .body = yield },
	{ .id = "spawn_wait", .what = "posix_spawn of a tiny program + wait", .count = 10,
	  .body = spawn_wait },
};
const struct row_group thread_rows = { rows, sizeof rows / sizeof rows[0] };
