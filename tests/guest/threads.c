/* SPDX-License-Identifier: BSD-2-Clause */
/* threads.c - threads: start and end, sharing a CPU, priorities, affinity, hostile arguments. */
#include "check.h"
#include "raw_call.h"

#include <pthread.h>

static uint8_t stacks[8][4096] __attribute__((aligned(16)));
static uint32_t marks[8], alive;
static volatile uint32_t stop;

/* A raw thread has no TLS: it may do nothing but compute and call. */
static void raw_entry(uint64_t number)
{
	__atomic_store_n(&marks[number], (uint32_t)number + 100, __ATOMIC_SEQ_CST);
	(void)!lintel_thread_exit(number == 7 ? (uint64_t)&alive : 0);
}

static uint64_t stack_of(uint32_t number)
{
	return (uint64_t)stacks[number] + sizeof(stacks[number]) - 8; /* as if called */
}

static void a_thread_starts_runs_and_terminates(void)
{
	handle_t thread;
	uint32_t seen;

	CHECK_EQUAL(lintel_thread_create(lintel_process(), "raw", 3, &thread), OK);
	CHECK_EQUAL(lintel_object_wait(thread, SIGNAL_TERMINATED, 0, &seen), ERR_TIMED_OUT);
	CHECK_EQUAL(lintel_thread_start(thread, (uint64_t)raw_entry, stack_of(3), 0, 3), OK);
	CHECK_EQUAL(lintel_object_wait(thread, SIGNAL_TERMINATED, IN_10_S, &seen), OK);
	CHECK_EQUAL(marks[3], 103);
	CHECK_EQUAL(lintel_thread_start(thread, (uint64_t)raw_entry, stack_of(3), 0, 3), ERR_BAD_STATE);
	CHECK_EQUAL(lintel_handle_close(thread), OK);
}

static void exit_clears_a_word_and_wakes(void)
{
	handle_t thread;
	err_t err;

	alive = 1;
	CHECK_EQUAL(lintel_thread_create(lintel_process(), "raw", 3, &thread), OK);
	CHECK_EQUAL(lintel_thread_start(thread, (uint64_t)raw_entry, stack_of(7), 0, 7), OK);
	CHECK_EQUAL(lintel_handle_close(thread), OK); /* it runs on without a handle */
	while (__atomic_load_n(&alive, __ATOMIC_SEQ_CST) != 0) {
		err = lintel_futex_wait((uint64_t)&alive, 1, IN_10_S);
		CHECK(err == OK || err == ERR_AGAIN);
	}
	CHECK_EQUAL(marks[7], 107);
}

static void a_thread_that_never_starts_costs_nothing_for_long(void)
{
	for (int i = 0; i < 3000; i++) {
		handle_t thread;

		CHECK_EQUAL(lintel_thread_create(lintel_process(), "never", 5, &thread), OK);
		CHECK_EQUAL(lintel_handle_close(thread), OK);
	}
}

static void ten_thousand_threads_one_after_the_other(void)
{
	for (int i = 0; i < 10000; i++) {
		handle_t thread;
		uint32_t seen;

		CHECK_EQUAL(lintel_thread_create(lintel_process(), "", 0, &thread), OK);
		CHECK_EQUAL(lintel_thread_start(thread, (uint64_t)raw_entry, stack_of(1), 0, 1), OK);
		CHECK_EQUAL(lintel_object_wait(thread, SIGNAL_TERMINATED, IN_10_S, &seen), OK);
		CHECK_EQUAL(lintel_handle_close(thread), OK);
	}
}

static void *spin(void *turns)
{
	while (!stop)
		__atomic_add_fetch((uint64_t *)turns, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void equals_share_one_cpu(void)
{
	uint64_t turns[3] = { 0 };
	pthread_t threads[3];

	stop = 0;
	for (int i = 0; i < 3; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, spin, &turns[i]), 0);
	(void)!lintel_thread_sleep(now_ns() + MILLISECONDS(300));
	stop = 1;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	CHECK(turns[0] > 0 && turns[1] > 0 && turns[2] > 0);
}

static uint32_t cpu_seen[64];

static void pinned_entry(uint64_t cpu)
{
	uint32_t now = UINT32_MAX;

	for (int i = 0; i < 200; i++) {
		if (lintel_cpu_current(&now) != OK || now != cpu)
			break;
		(void)!lintel_thread_yield();
	}
	__atomic_store_n(&cpu_seen[cpu], now == cpu ? 1 : 2, __ATOMIC_SEQ_CST);
	(void)!lintel_thread_exit(0);
}

static void a_pinned_thread_stays_where_it_is_told(void)
{
	for (uint64_t cpu = 0; cpu < 4; cpu++) {
		handle_t thread;
		uint32_t seen;
		err_t err;

		CHECK_EQUAL(lintel_thread_create(lintel_process(), "pinned", 6, &thread), OK);
		err = lintel_thread_set_affinity(thread, 1ull << cpu);
		if (err == ERR_ARGS && cpu > 0) { /* there is no such CPU */
			CHECK_EQUAL(lintel_handle_close(thread), OK);
			break;
		}
		CHECK_EQUAL(err, OK);
		CHECK_EQUAL(lintel_thread_start(thread, (uint64_t)pinned_entry, stack_of(2), 0, cpu), OK);
		CHECK_EQUAL(lintel_object_wait(thread, SIGNAL_TERMINATED, IN_10_S, &seen), OK);
		CHECK_EQUAL(cpu_seen[cpu], 1);
		CHECK_EQUAL(lintel_handle_close(thread), OK);
	}
}

static uint64_t low_turns;

static void low_entry(uint64_t unused)
{
	(void)unused;
	while (!stop)
		__atomic_add_fetch(&low_turns, 1, __ATOMIC_RELAXED);
	(void)!lintel_thread_exit(0);
}

static void a_lower_priority_waits_its_turn(void)
{
	uint64_t before, start;
	handle_t thread;
	uint32_t seen;

	stop = 0;
	CHECK_EQUAL(lintel_thread_create(lintel_process(), "low", 3, &thread), OK);
	CHECK_EQUAL(lintel_thread_set_priority(thread, 32), ERR_ARGS);
	CHECK_EQUAL(lintel_thread_set_priority(thread, 31), ERR_DENIED);
	CHECK_EQUAL(lintel_thread_set_priority(thread, 1), OK);
	CHECK_EQUAL(lintel_thread_set_affinity(thread, 1), OK);
	CHECK_EQUAL(lintel_thread_start(thread, (uint64_t)low_entry, stack_of(4), 0, 0), OK);
	(void)!lintel_thread_sleep(now_ns() + MILLISECONDS(50));
	CHECK(__atomic_load_n(&low_turns, __ATOMIC_RELAXED) > 0); /* we slept: it ran */

	/* While a better thread computes on that CPU, it does not. */
	CHECK_EQUAL(lintel_thread_set_affinity(lintel_startup_handle(STARTUP_THREAD, STARTUP_ANY, 0), 1), OK);
	before = __atomic_load_n(&low_turns, __ATOMIC_RELAXED);
	for (start = now_ns(); now_ns() < start + MILLISECONDS(30);)
		;
	CHECK_EQUAL(__atomic_load_n(&low_turns, __ATOMIC_RELAXED), before);
	CHECK_EQUAL(lintel_thread_set_affinity(lintel_startup_handle(STARTUP_THREAD, STARTUP_ANY, 0), UINT64_MAX), OK);
	stop = 1;
	CHECK_EQUAL(lintel_object_wait(thread, SIGNAL_TERMINATED, IN_10_S, &seen), OK);
	CHECK_EQUAL(lintel_handle_close(thread), OK);
}

static void hostile_arguments_are_refused(void)
{
	handle_t thread, other;

	CHECK_EQUAL(lintel_thread_create(lintel_process(), "a name that is longer than thirty-one", 37, &other), ERR_ARGS);
	CHECK_EQUAL(lintel_thread_create(lintel_process(), (char *)0x1000, 8, &other), ERR_FAULT);
	CHECK_EQUAL(lintel_thread_create(lintel_process(), NULL, UINT64_MAX, &other), ERR_ARGS);
	CHECK_EQUAL(lintel_thread_create(lintel_process(), "x", 1, &thread), OK);
	CHECK_EQUAL(lintel_thread_start(thread, 0xffff800000000000, 0, 0, 0), ERR_ARGS);
	CHECK_EQUAL(lintel_thread_start(thread, 0x400000, 0xffff800000000000, 0, 0), ERR_ARGS);
	CHECK_EQUAL(lintel_thread_start(thread, 0x400000, 0, 0x8000000000000000, 0), ERR_ARGS);
	CHECK_EQUAL(lintel_thread_set_affinity(thread, 0), ERR_ARGS);
	CHECK_EQUAL(lintel_thread_set_tls(0xffff800000000000), ERR_ARGS);
	CHECK_EQUAL(lintel_thread_set_tls(0x0001000000000000), ERR_ARGS);
	CHECK_EQUAL(lintel_handle_close(thread), OK);
}

int main(void)
{
	CHECK_RUN(a_thread_starts_runs_and_terminates);
	CHECK_RUN(exit_clears_a_word_and_wakes);
	CHECK_RUN(a_thread_that_never_starts_costs_nothing_for_long);
	CHECK_RUN(ten_thousand_threads_one_after_the_other);
	CHECK_RUN(equals_share_one_cpu);
	CHECK_RUN(a_pinned_thread_stays_where_it_is_told);
	CHECK_RUN(a_lower_priority_waits_its_turn);
	CHECK_RUN(hostile_arguments_are_refused);
	return check.failed;
}
