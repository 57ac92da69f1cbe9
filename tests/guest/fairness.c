/* SPDX-License-Identifier: BSD-2-Clause */
/* fairness.c - whose time a call takes: a caller keeps its priority and its time slice inside the server; a server that
 * spins stops nobody but its callers; a deadline ends the wait wherever the call is. */
#include "check.h"
#include "child.h"

#include <sched.h>
#include <string.h>

enum request { SPIN = 1, BLOCK, ANSWER, THROUGH }; /* word 0; THROUGH: call ourselves with word 1 */

#define MS 1000000ull

#define AWAY_NS 100000u /* who has not run for so long was not on the CPU */

static uint64_t turns[4]; /* by word 1 of SPIN */
static uint64_t ran_ns[4], seen_ns[4];
static bool stop;
static handle_t process, door; /* another process with the same server */

/* One more of a thread that spins, and the time since its last one, if it ran all the while. */
static void turn(uint64_t who)
{
	const uint64_t now = lintel_clock_ns(), since = now - seen_ns[who];

	seen_ns[who] = now;
	if (since < AWAY_NS)
		__atomic_add_fetch(&ran_ns[who], since, __ATOMIC_RELAXED);
	__atomic_add_fetch(&turns[who], 1, __ATOMIC_RELAXED);
}

/* SPIN with word 2: for so many ns; else until `stop`. */
static err_t dispatch(struct kit_call *call)
{
	struct door_message message = { .word = { call->in.word[1] } };
	uint64_t end = lintel_clock_ns() + call->in.word[2];

	switch (call->in.word[0]) {
	case SPIN:
		while (call->in.word[2] != 0 ? lintel_clock_ns() < end : !__atomic_load_n(&stop, __ATOMIC_RELAXED))
			turn(call->in.word[1] & 3);
		return OK;
	case BLOCK:
		while (lintel_thread_sleep(end) == ERR_CANCELED && lintel_clock_ns() < end)
			;
		return OK;
	case THROUGH:
		message.word[2] = call->in.word[2];
		return door_call(kit_door(), 0, &message);
	case ANSWER:
		return OK;
	default:
		if (call->in.handle[0] != HANDLE_NONE)
			__atomic_store_n(&door, call->in.handle[0], __ATOMIC_RELEASE);
		return OK;
	}
}

static const struct kit_server server = { "fairness test", dispatch, NULL };

/* ---- threads that stay where they are ---- */

static void stay_on(uint32_t cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set) != 0)
		check_fail("no affinity");
}

static err_t ask(handle_t whom, uint64_t what, uint64_t argument, uint64_t ns, uint32_t timeout_us)
{
	struct door_message message = { .word = { what, argument, ns } };

	return door_call(whom, timeout_us, &message);
}

static void *spins_in_a_server(void *argument)
{
	(void)argument;
	stay_on(0);
	return ask(kit_door(), SPIN, 0, 0, 0) == OK ? NULL : &stop;
}

static void *spins_at_home(void *argument)
{
	(void)argument;
	stay_on(0);
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		turn(1);
	return NULL;
}

static void *answers_come(void *count)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		if (ask(kit_door(), ANSWER, 0, 0, 0) != OK || (door != HANDLE_NONE && ask(door, ANSWER, 0, 0, 0) != OK))
			return &stop;
		__atomic_add_fetch((uint64_t *)count, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void *answers_come_here(void *count)
{
	stay_on(0);
	return answers_come(count);
}

static void *answers_come_there(void *count)
{
	stay_on(kit_cpu_count() - 1);
	return answers_come(count);
}

static void begin(void)
{
	memset(turns, 0, sizeof(turns));
	memset(ran_ns, 0, sizeof(ran_ns));
	memset(seen_ns, 0, sizeof(seen_ns));
	stop = false;
}

static bool well_ended(pthread_t thread)
{
	void *result;

	return pthread_join(thread, &result) == 0 && result == NULL;
}

/* ---- the tests ---- */

/* By time: what a turn costs is not the same here and there, least of all in an emulator. */
static bool about_half(void)
{
	const uint64_t inside = __atomic_load_n(&ran_ns[0], __ATOMIC_RELAXED);
	const uint64_t home = __atomic_load_n(&ran_ns[1], __ATOMIC_RELAXED);

	return inside >= MS && home >= MS && inside <= home * 2 && home <= inside * 2;
}

/* Another thread of the CPU gets its half of it, and the one inside the server the other. */
static void a_time_slice_counts_in_the_server(void)
{
	pthread_t inside, home;

	begin();
	CHECK_EQUAL(pthread_create(&inside, NULL, spins_in_a_server, NULL), 0);
	CHECK_EQUAL(pthread_create(&home, NULL, spins_at_home, NULL), 0);
	/* A host that is busy takes the virtual CPU away in the middle of slices: over more of them that evens out. */
	for (int patience = 0; patience < 100 && (!about_half() || patience < 10); patience++)
		pause_ns(40 * MS);
	stop = true;
	CHECK(well_ended(inside) && well_ended(home));
	if (!about_half())
		check_fail("%lu ns inside, %lu at home", ran_ns[0], ran_ns[1]);
}

/* On its own CPU the others of its priority are served, by that server and another one; on other CPUs anyway. */
static void a_server_that_spins_stops_nobody_else(void)
{
	uint64_t here = 0, there = 0;
	pthread_t inside, callers[2];

	begin();
	CHECK_EQUAL(pthread_create(&inside, NULL, spins_in_a_server, NULL), 0);
	CHECK_EQUAL(pthread_create(&callers[0], NULL, answers_come_here, &here), 0);
	CHECK_EQUAL(pthread_create(&callers[1], NULL, answers_come_there, &there), 0);
	for (int patience = 0; patience < 500 && (here < 100 || there < 100 || turns[0] == 0); patience++)
		pause_ns(10 * MS);
	stop = true;
	CHECK(well_ended(inside) && well_ended(callers[0]) && well_ended(callers[1]));
	CHECK(here >= 100 && there >= 100 && turns[0] != 0);
}

/* A raw thread, so that its priority can be set: it calls SPIN and ends. */
static uint8_t low_stack[65536] __attribute__((aligned(16)));
static uint64_t low_tls[8];
static uint32_t low_alive;

static void low_main(void)
{
	(void)!ask(kit_door(), SPIN, 2, 0, 0);
	(void)!lintel_thread_exit((uintptr_t)&low_alive);
	__builtin_trap();
}

/* Inside the server it is no more than it was: whoever is above it takes the CPU as if it were at home. */
static void a_priority_is_kept_in_the_server(void)
{
	uint64_t before;
	handle_t low;

	begin();
	low_alive = 1;
	CHECK_EQUAL(lintel_thread_create(lintel_process(), "low", 3, &low), OK);
	CHECK_EQUAL(lintel_thread_set_affinity(low, 1), OK);
	CHECK_EQUAL(lintel_thread_set_priority(low, 3), OK);
	CHECK_EQUAL(lintel_thread_start(low, (uintptr_t)low_main, (uintptr_t)low_stack + sizeof(low_stack) - 8,
					(uintptr_t)low_tls, 0), OK);
	stay_on(0);
	for (int patience = 0; patience < 1000 && __atomic_load_n(&turns[2], __ATOMIC_RELAXED) < 1000; patience++)
		pause_ns(MS);
	CHECK(turns[2] >= 1000); /* it is inside, and has the CPU while we sleep */
	before = turns[2];
	for (uint64_t end = lintel_clock_ns() + 50 * MS; lintel_clock_ns() < end;)
		; /* several slices */
	CHECK_EQUAL(turns[2], before);
	stop = true;
	for (int patience = 0; patience < 5000 && __atomic_load_n(&low_alive, __ATOMIC_ACQUIRE) != 0; patience++)
		pause_ns(MS);
	CHECK_EQUAL(low_alive, 0);
	CHECK_EQUAL(lintel_handle_close(low), OK);
}

/* It takes effect when it passes, not much later, wherever the call is. */
static void ends_in_time(handle_t whom, uint64_t what, uint64_t argument, uint64_t ns)
{
	uint64_t start = lintel_clock_ns();

	CHECK_EQUAL(ask(whom, what, argument, ns, 20000), ERR_TIMED_OUT);
	CHECK(lintel_clock_ns() - start >= 20 * MS);
	CHECK(lintel_clock_ns() - start < ns);
}

static void deadlines_pass_everywhere(void)
{
	begin();
	for (int i = 0; i < 2; i++) {
		handle_t whom = i == 0 ? kit_door() : door;

		ends_in_time(whom, SPIN, 0, 3000 * MS);
		ends_in_time(whom, BLOCK, 0, 3000 * MS);
		ends_in_time(whom, THROUGH, SPIN, 3000 * MS);
		ends_in_time(whom, THROUGH, BLOCK, 3000 * MS);
	}
	pause_ns(3500 * MS); /* what was begun for us has ended */
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "serve") == 0)
		return child_main(&server, 0);
	if (house_begin(&server) != OK || child_serves("/boot/bin/fairness", &door, &process) != OK) {
		printf("not ok fairness: cannot serve\n");
		return 1;
	}
	CHECK_RUN(a_time_slice_counts_in_the_server);
	CHECK_RUN(a_server_that_spins_stops_nobody_else);
	CHECK_RUN(a_priority_is_kept_in_the_server);
	CHECK_RUN(deadlines_pass_everywhere);
	(void)child_end(process, door);
	return check.failed;
}
