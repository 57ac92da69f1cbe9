/* SPDX-License-Identifier: BSD-2-Clause */
/* scaling_rows.c - calls by one thread, and by two at once on CPUs of their own, each through a session of its own.
 *
 * Both are measured in turn, round by round, so that a change of the host's load hits both alike. A figure is the
 * median of the rounds: wall time of all by the calls of all, so that perfect scaling halves it. A pair of rows is
 * measured once: NAME_1 measures, NAME_2 tells the second half. The stretch (stretch.h) is the last round with two
 * threads, where nothing but calls goes on: do they share a line? */
#include <lintel/door_call.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../stretch.h"
#include "echo.h"

#define THREADS 2
#define ROUNDS 101 /* short ones: what else the host does hits a few */
#define ROUNDS_QUICK 11
#define WINDOW_BYTES 4096u
#define LOOP_ROUNDS 100u

/* One kind of call. */
struct kind {
	enum echo echo;
	bool words; /* all six, else the first alone */
	bool window;
	bool loop; /* no call at all: what the machine itself gives two threads */
	bool null; /* no door call, but the null call */
};

static struct caller {
	_Alignas(4096) unsigned char window[WINDOW_BYTES]; /* and no line of one caller is the other's */
	handle_t door;
	uint64_t start_ns, end_ns;
	bool good;
} callers[THREADS];

static struct {
	pthread_t thread;
	bool running;
	const struct kind *kind;
	uint64_t count;
	uint32_t asked;    /* [a] futex: rounds that the second thread is to take part in; UINT32_MAX: it is to end */
	_Alignas(64) uint32_t ready; /* [a] rounds that it is ready for */
	_Alignas(64) uint32_t go;    /* [a] rounds that have begun */
	_Alignas(64) uint32_t done;  /* [a] rounds that it has ended */
} rounds;

/* ---- A caller ---- */

static void spin(uint64_t times)
{
	__asm__ volatile("1: dec %0; jnz 1b"
					 : "+r"(times)
					 :
					 : "cc");
}

static void caller_run(struct caller *c)
{
	const struct kind *kind = rounds.kind;
	struct door_message message = { 0 };
	err_t err = OK;
	c->start_ns = lintel_clock_ns();
	for (uint64_t i = 0; i < rounds.count && err == OK; i++) {
		message.word[0] = kind->echo;
		if (kind->loop || kind->null) {
			if (kind->loop)
				spin(LOOP_ROUNDS);
			else
				err = lintel_null();
			message.word[1]++;
			continue;
		}
		if (kind->words)
			message.word[2] = message.word[3] = message.word[4] = message.word[5] = i;
		if (kind->window)
			message.window[0] = (struct door_window){ c->window, WINDOW_BYTES };
		err = door_call(c->door, 0, &message);
	}
	c->end_ns = lintel_clock_ns();
	uint64_t each = kind->echo == ECHO_FORWARD ? 2 : 1;
	c->good = err == OK && (kind->window ? message.word[0] == WINDOW_BYTES : message.word[1] == each * rounds.count);
}

static uint32_t load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void spin_until(const uint32_t *word, uint32_t value)
{
	while (load(word) != value)
		__asm__ volatile("pause");
}

static void *second_main(void *unused)
{
	(void)unused;
	for (uint32_t number = 1;; number++) {
		while (load(&rounds.asked) < number)
			(void)!lintel_futex_wait((uintptr_t)&rounds.asked, number - 1, DEADLINE_NEVER);
		if (load(&rounds.asked) == UINT32_MAX)
			return NULL;
		__atomic_store_n(&rounds.ready, number, __ATOMIC_RELEASE);
		spin_until(&rounds.go, number);
		caller_run(&callers[1]);
		__atomic_store_n(&rounds.done, number, __ATOMIC_RELEASE);
	}
}

static void ask(uint32_t number)
{
	uint32_t woken;
	__atomic_store_n(&rounds.asked, number, __ATOMIC_RELEASE);
	(void)!lintel_futex_wake((uintptr_t)&rounds.asked, 1, &woken);
}

/* ---- Rounds ---- */

static bool round_of_one(struct bench *b, uint64_t *ns)
{
	caller_run(&callers[0]);
	*ns = callers[0].end_ns - callers[0].start_ns;
	return callers[0].good || bench_fail(b, "a call went wrong", 0);
}

static bool round_of_two(struct bench *b, uint32_t number, uint64_t *ns, bool shown)
{
	ask(number);
	spin_until(&rounds.ready, number);
	if (shown)
		stretch_begin();
	__atomic_store_n(&rounds.go, number, __ATOMIC_RELEASE);
	caller_run(&callers[0]);
	spin_until(&rounds.done, number);
	if (shown)
		stretch_end();
	uint64_t start = callers[0].start_ns < callers[1].start_ns ? callers[0].start_ns : callers[1].start_ns;
	uint64_t end = callers[0].end_ns > callers[1].end_ns ? callers[0].end_ns : callers[1].end_ns;
	*ns = end - start;
	return (callers[0].good && callers[1].good) || bench_fail(b, "a call went wrong", 0);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static uint64_t median_milli(uint64_t *ns, unsigned count, uint64_t calls)
{
	qsort(ns, count, sizeof *ns, by_value);
	return (uint64_t)((unsigned __int128)ns[count / 2] * 1000 / calls);
}

static struct figure second_half; /* of the pair that was measured last */
static bool second_half_known;

static bool measure_pair(struct bench *b, const struct row *row, struct figure *figure)
{
	uint64_t one[ROUNDS], two[ROUNDS];
	unsigned count = b->quick ? ROUNDS_QUICK : ROUNDS;
	struct costs before = { 0 };
	rounds.count = row->count;
	second_half_known = false;
	for (unsigned i = 0; i < count; i++) {
		(void)native_costs(&before);
		if (!round_of_one(b, &one[i]))
			return false;
		measure_costs(figure, &before, rounds.count);
		(void)native_costs(&before);
		if (!round_of_two(b, i + 1, &two[i], i + 1 == count))
			return false;
		second_half.operations = THREADS * rounds.count;
		measure_costs(&second_half, &before, second_half.operations);
	}
	figure->milli = median_milli(one, count, rounds.count);
	second_half.milli = median_milli(two, count, THREADS * rounds.count);
	second_half_known = true;
	return true;
}

static bool tell_second(struct bench *b, const struct row *row, struct figure *figure)
{
	(void)row;
	if (!second_half_known)
		return bench_fail(b, "is measured with the row of one thread: name both", 0);
	*figure = second_half;
	second_half_known = false;
	return true;
}

/* ---- Before and after ---- */

static bool open_session(struct bench *b, struct caller *c, uint64_t badge)
{
	struct door_message message = { .word = { ECHO_SESSION, badge } };
	err_t err = door_call(echo_door(0), 0, &message);
	c->door = message.handle[0];
	memset(c->window, 1, sizeof c->window);
	return err == OK || lintel_fail(b, "opening a session", err);
}

static bool pin(struct bench *b)
{
	const cpu_set_t second = { 2 };
	err_t err = lintel_thread_set_affinity(lintel_startup_handle(STARTUP_THREAD, STARTUP_ANY, 0), 1);
	if (err != OK)
		return lintel_fail(b, "thread_set_affinity", err);
	int error = pthread_create(&rounds.thread, NULL, second_main, NULL);
	rounds.running = !error;
	if (!error)
		error = pthread_setaffinity_np(rounds.thread, sizeof second, &second);
	return !error || bench_fail(b, "the second thread", error);
}

static bool start(struct bench *b)
{
	static const struct kind kinds[] = { { .loop = true }, { .null = true }, { .echo = ECHO_REPLY },
		{ .echo = ECHO_REPLY, .words = true }, { .echo = ECHO_WINDOW, .window = true }, { .echo = ECHO_FORWARD } };
	if (native_cpus() < THREADS)
		return bench_fail(b, "needs 2 CPUs", 0);
	rounds.asked = rounds.ready = rounds.go = rounds.done = 0;
	rounds.kind = &kinds[b->argument];
	if (!(rounds.kind->echo == ECHO_FORWARD ? echo_start_two(b) : echo_start(b)))
		return false;
	return open_session(b, &callers[0], 1) && open_session(b, &callers[1], 2) && pin(b);
}

static void stop(struct bench *b)
{
	ask(UINT32_MAX);
	if (rounds.running)
		pthread_join(rounds.thread, NULL);
	rounds.running = false;
	for (unsigned i = 0; i < THREADS; i++) {
		if (callers[i].door != HANDLE_NONE)
			lintel_handle_close(callers[i].door);
		callers[i].door = HANDLE_NONE;
	}
	(void)!lintel_thread_set_affinity(lintel_startup_handle(STARTUP_THREAD, STARTUP_ANY, 0), UINT64_MAX);
	echo_stop(b);
}

#define PAIR(name, text, number, n) \
	{ \
		.id = name "_1", .what = text ", 1 thread", .argument = number, .count = n, \
		.setup = start, .measure = measure_pair, .teardown = stop \
	}, \
	{ \
		.id = name "_2", .what = text ", 2 threads", .measure = tell_second \
	}

static const struct row rows[] = {
	PAIR("scale_loop", "a loop, no call", 0, 20000),
	PAIR("scale_null_call", "null system call", 1, 100000),
	PAIR("scale_door_0", "door call", 2, 1000),
	PAIR("scale_door_6", "door call, 6 words", 3, 1000),
	PAIR("scale_door_win4k", "door call, window of 4 KiB", 4, 1000),
	PAIR("scale_door_nested", "door call through a server", 5, 1000),
};
const struct row_group native_scaling_rows = { rows, sizeof rows / sizeof rows[0] };
