/* SPDX-License-Identifier: BSD-2-Clause */
/* futex.c - futexes: values, order, deadlines, sharing over two mappings and processes, hostile addresses. */
#include "check.h"
#include "raw_call.h"

#include <pthread.h>

static uint32_t word, arrived, order[8], order_count;

static void a_changed_word_does_not_sleep(void)
{
	uint32_t value = 5, woken = 9;

	CHECK_EQUAL(lintel_futex_wait((uint64_t)&value, 4, DEADLINE_NEVER), ERR_AGAIN);
	CHECK_EQUAL(lintel_futex_wait((uint64_t)&value, 5, now_ns() + MILLISECONDS(5)), ERR_TIMED_OUT);
	CHECK_EQUAL(lintel_futex_wait((uint64_t)&value, 5, 0), ERR_TIMED_OUT);
	CHECK_EQUAL(lintel_futex_wake((uint64_t)&value, 1, &woken), OK);
	CHECK_EQUAL(woken, 0);
}

static void *sleeper(void *number)
{
	__atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST);
	while (lintel_futex_wait((uint64_t)&word, 0, IN_10_S) == OK && __atomic_load_n(&word, __ATOMIC_SEQ_CST) == 0) {
		order[__atomic_fetch_add(&order_count, 1, __ATOMIC_SEQ_CST)] = (uint32_t)(uintptr_t)number;
		return NULL;
	}
	return "woken without a wake-up";
}

static void sleepers_wake_first_come_first(void)
{
	pthread_t threads[4];
	uint32_t woken;
	void *why;

	for (uintptr_t i = 0; i < 4; i++) {
		CHECK_EQUAL(pthread_create(&threads[i], NULL, sleeper, (void *)i), 0);
		while (__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) != i + 1)
			(void)!lintel_thread_yield();
		(void)!lintel_thread_sleep(now_ns() + MILLISECONDS(20)); /* until it sleeps for sure */
	}
	for (uint32_t i = 0; i < 4; i++) {
		CHECK_EQUAL(lintel_futex_wake((uint64_t)&word, 1, &woken), OK);
		CHECK_EQUAL(woken, 1);
		while (__atomic_load_n(&order_count, __ATOMIC_SEQ_CST) != i + 1)
			(void)!lintel_thread_yield();
		CHECK_EQUAL(order[i], i);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &why);
		CHECK(why == NULL);
	}
	CHECK_EQUAL(lintel_futex_wake((uint64_t)&word, UINT32_MAX, &woken), OK);
	CHECK_EQUAL(woken, 0);
}

static uint32_t lock_word;
static uint64_t counter;

static void lock(void)
{
	uint32_t seen = 0;

	if (__atomic_compare_exchange_n(&lock_word, &seen, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	while (__atomic_exchange_n(&lock_word, 2, __ATOMIC_ACQUIRE) != 0)
		(void)!lintel_futex_wait((uint64_t)&lock_word, 2, DEADLINE_NEVER);
}

static void unlock(void)
{
	uint32_t woken;

	if (__atomic_exchange_n(&lock_word, 0, __ATOMIC_RELEASE) == 2)
		(void)!lintel_futex_wake((uint64_t)&lock_word, 1, &woken);
}

static void *count_up(void *unused)
{
	(void)unused;
	for (int i = 0; i < 20000; i++) {
		lock();
		counter++;
		if (i % 64 == 0)
			(void)!lintel_thread_yield(); /* held: let the others pile up */
		unlock();
	}
	return NULL;
}

static void a_mutex_of_futexes_loses_nothing(void)
{
	pthread_t threads[6];

	for (int i = 0; i < 6; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, count_up, NULL), 0);
	for (int i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQUAL(counter, 6 * 20000);
}

static void *wait_there(void *address)
{
	return (void *)(intptr_t)lintel_futex_wait((uint64_t)address, 0, IN_10_S);
}

static void two_mappings_of_a_page_are_one_word(void)
{
	uint64_t first, second;
	uint32_t woken = 0;
	handle_t vmo;
	pthread_t thread;
	void *result;

	CHECK_EQUAL(lintel_vmo_create(PAGE_SIZE, 0, &vmo), OK);
	CHECK_EQUAL(lintel_space_map(lintel_process(), vmo, 0, PAGE_SIZE, 0, SPACE_READ | SPACE_WRITE, &first), OK);
	CHECK_EQUAL(lintel_space_map(lintel_process(), vmo, 0, PAGE_SIZE, 0, SPACE_READ | SPACE_WRITE, &second), OK);
	CHECK_EQUAL(pthread_create(&thread, NULL, wait_there, (void *)(first + 64)), 0);
	for (int i = 0; i < 1000 && woken == 0; i++) {
		(void)!lintel_thread_sleep(now_ns() + MILLISECONDS(1));
		CHECK_EQUAL(lintel_futex_wake(second + 64, 1, &woken), OK);
	}
	CHECK_EQUAL(woken, 1);
	pthread_join(thread, &result);
	CHECK_EQUAL((intptr_t)result, OK);
	CHECK_EQUAL(lintel_space_unmap(lintel_process(), first, PAGE_SIZE), OK);
	CHECK_EQUAL(lintel_space_unmap(lintel_process(), second, PAGE_SIZE), OK);
	CHECK_EQUAL(lintel_handle_close(vmo), OK);
}

static void hostile_addresses_are_refused(void)
{
	const struct {
		uint64_t address;
		err_t wanted;
	} cases[] = {
		{ 1, ERR_ARGS }, { 0x1000, ERR_FAULT }, { USER_LIMIT - 4, ERR_FAULT },
		{ USER_LIMIT, ERR_ARGS }, { 0xffff800000000000, ERR_ARGS }, { UINT64_MAX - 3, ERR_ARGS },
		{ 0x8000000000000000, ERR_ARGS }, { 0x7f0000000000, ERR_FAULT },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint32_t woken;

		CHECK_EQUAL(lintel_futex_wait(cases[i].address, 0, 0), cases[i].wanted);
		CHECK_EQUAL(lintel_futex_wake(cases[i].address, 1, &woken), cases[i].wanted);
	}
	CHECK(lintel_futex_wait(0, 0, 0) != OK);
}

int main(void)
{
	CHECK_RUN(a_changed_word_does_not_sleep);
	CHECK_RUN(sleepers_wake_first_come_first);
	CHECK_RUN(a_mutex_of_futexes_loses_nothing);
	CHECK_RUN(two_mappings_of_a_page_are_one_word);
	CHECK_RUN(hostile_addresses_are_refused);
	return check.failed;
}
