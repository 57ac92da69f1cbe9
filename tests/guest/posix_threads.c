/* SPDX-License-Identifier: BSD-2-Clause */
/* posix_threads.c - threads: creating and ending, thread-local data, mutexes, conditions, reader-writer locks, once,
 * keys. Builds on Linux too, where it must pass as well. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#define THREADS 8
#define ROUNDS 20000

static __thread int local = 7;
static int shared; /* under whatever lock the test uses */

static bool run_all(void *(*function)(void *), uintptr_t results[THREADS])
{
	pthread_t threads[THREADS];
	uintptr_t i, started;

	for (started = 0; started < THREADS; started++) {
		if (pthread_create(&threads[started], NULL, function, (void *)started) != 0)
			break;
	}
	for (i = 0; i < started; i++) {
		void *result;
		if (pthread_join(threads[i], &result) != 0)
			return false;
		if (results != NULL)
			results[i] = (uintptr_t)result;
	}
	return started == THREADS;
}

static void *use_own_data(void *argument)
{
	int number = (int)(uintptr_t)argument;

	if (local != 7)
		return NULL;
	local = number + 100;
	errno = number;
	for (int i = 0; i < 20; i++)
		sched_yield();
	if (local != number + 100 || errno != number || pthread_equal(pthread_self(), pthread_self()) == 0)
		return NULL;
	return (void *)(uintptr_t)(number + 1);
}

static void test_create_join(void)
{
	uintptr_t results[THREADS];

	for (int round = 0; round < 10; round++) {
		CHECK(run_all(use_own_data, results));
		for (uintptr_t i = 0; i < THREADS; i++)
			CHECK_EQUAL(results[i], i + 1);
	}
	CHECK_EQUAL(local, 7);
}

static int ended;

static void *end_detached(void *argument)
{
	(void)argument;
	__atomic_add_fetch(&ended, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void test_detached(void)
{
	pthread_attr_t attr;
	pthread_t thread;

	ended = 0;
	CHECK_EQUAL(pthread_attr_init(&attr), 0);
	CHECK_EQUAL(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED), 0);
	for (int i = 0; i < 40; i++) {
		CHECK_EQUAL(pthread_create(&thread, i % 2 ? &attr : NULL, end_detached, NULL), 0);
		if (i % 2 == 0)
			CHECK_EQUAL(pthread_detach(thread), 0);
	}
	for (int i = 0; i < 5000 && __atomic_load_n(&ended, __ATOMIC_ACQUIRE) < 40; i++)
		usleep(1000);
	CHECK_EQUAL(ended, 40);
	pthread_attr_destroy(&attr);
}

static void *use_stack(void *argument)
{
	volatile char big[700 << 10];

	for (size_t i = 0; i < sizeof(big); i += 1024)
		big[i] = (char)i;
	pthread_exit(big[1024] == 0 ? argument : NULL);
}

static void test_stack_size(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	size_t bytes = 0;
	void *result;

	CHECK_EQUAL(pthread_attr_init(&attr), 0);
	CHECK_EQUAL(pthread_attr_setstacksize(&attr, 1 << 20), 0);
	CHECK_EQUAL(pthread_attr_getstacksize(&attr, &bytes), 0);
	CHECK_EQUAL(bytes, 1 << 20);
	CHECK_EQUAL(pthread_attr_setstacksize(&attr, 100), EINVAL);
	CHECK_EQUAL(pthread_create(&thread, &attr, use_stack, &bytes), 0);
	CHECK_EQUAL(pthread_join(thread, &result), 0);
	CHECK(result == &bytes);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *count_locked(void *argument)
{
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&mutex);
		shared++;
		pthread_mutex_unlock(&mutex);
	}
	return argument;
}

static void test_mutex(void)
{
	shared = 0;
	CHECK(run_all(count_locked, NULL));
	CHECK_EQUAL(shared, THREADS * ROUNDS);
	CHECK_EQUAL(pthread_mutex_trylock(&mutex), 0);
	CHECK_EQUAL(pthread_mutex_trylock(&mutex), EBUSY);
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 20000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	CHECK_EQUAL(pthread_mutex_timedlock(&mutex, &until), ETIMEDOUT);
	CHECK_EQUAL(pthread_mutex_unlock(&mutex), 0);
}

static void *try_lock(void *argument)
{
	return (void *)(uintptr_t)pthread_mutex_trylock(argument);
}

static void test_mutex_kinds(void)
{
	pthread_mutexattr_t attr;
	pthread_mutex_t recursive, checked;
	pthread_t thread;
	void *result;

	CHECK_EQUAL(pthread_mutexattr_init(&attr), 0);
	CHECK_EQUAL(pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE), 0);
	CHECK_EQUAL(pthread_mutex_init(&recursive, &attr), 0);
	CHECK_EQUAL(pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK), 0);
	CHECK_EQUAL(pthread_mutex_init(&checked, &attr), 0);
	for (int i = 0; i < 5; i++)
		CHECK_EQUAL(pthread_mutex_lock(&recursive), 0);
	for (int i = 0; i < 5; i++) {
		CHECK_EQUAL(pthread_create(&thread, NULL, try_lock, &recursive), 0);
		CHECK_EQUAL(pthread_join(thread, &result), 0);
		CHECK_EQUAL((uintptr_t)result, EBUSY);
		CHECK_EQUAL(pthread_mutex_unlock(&recursive), 0);
	}
	CHECK_EQUAL(pthread_mutex_unlock(&recursive), EPERM);
	CHECK_EQUAL(pthread_mutex_lock(&checked), 0);
	CHECK_EQUAL(pthread_mutex_lock(&checked), EDEADLK);
	CHECK_EQUAL(pthread_mutex_unlock(&checked), 0);
	CHECK_EQUAL(pthread_mutex_unlock(&checked), EPERM);
	CHECK_EQUAL(pthread_mutex_destroy(&checked), 0);
	CHECK_EQUAL(pthread_mutex_destroy(&recursive), 0);
}

static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int turn;

/* Thread n waits for its turn, THREADS times over. */
static void *take_turns(void *argument)
{
	int number = (int)(uintptr_t)argument;

	for (int round = 0; round < 40; round++) {
		pthread_mutex_lock(&mutex);
		while (turn % THREADS != number)
			pthread_cond_wait(&changed, &mutex);
		turn++;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static int items, taken;
static pthread_cond_t item_there = PTHREAD_COND_INITIALIZER;

static void *produce_or_consume(void *argument)
{
	bool producer = (uintptr_t)argument % 2 == 0;

	for (int i = 0; i < 500; i++) {
		pthread_mutex_lock(&mutex);
		if (producer) {
			items++;
			pthread_cond_signal(&item_there);
		} else {
			while (items == 0)
				pthread_cond_wait(&item_there, &mutex);
			items--;
			taken++;
		}
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void test_cond(void)
{
	struct timespec until;

	turn = taken = 0;
	CHECK(run_all(take_turns, NULL));
	CHECK_EQUAL(turn, 40 * THREADS);
	CHECK(run_all(produce_or_consume, NULL));
	CHECK_EQUAL(taken, 500 * THREADS / 2);
	CHECK_EQUAL(items, 0);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 30000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&mutex);
	int error = 0;
	while (error == 0)
		error = pthread_cond_timedwait(&item_there, &mutex, &until);
	pthread_mutex_unlock(&mutex);
	CHECK_EQUAL(error, ETIMEDOUT);
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static int pair[2]; /* always equal, under rwlock */

static void *read_or_write(void *argument)
{
	uintptr_t bad = 0;

	for (int i = 0; i < 4000; i++) {
		if (i % 8 == (int)(uintptr_t)argument) {
			pthread_rwlock_wrlock(&rwlock);
			pair[0]++;
			pair[1]++;
			pthread_rwlock_unlock(&rwlock);
		} else {
			pthread_rwlock_rdlock(&rwlock);
			bad += pair[0] != pair[1];
			pthread_rwlock_unlock(&rwlock);
		}
	}
	return (void *)bad;
}

static void test_rwlock(void)
{
	uintptr_t bad[THREADS];

	pair[0] = pair[1] = 0;
	CHECK(run_all(read_or_write, bad));
	for (int i = 0; i < THREADS; i++)
		CHECK_EQUAL(bad[i], 0);
	CHECK_EQUAL(pair[0], THREADS * 500);
	CHECK_EQUAL(pthread_rwlock_rdlock(&rwlock), 0);
	CHECK_EQUAL(pthread_rwlock_tryrdlock(&rwlock), 0);
	CHECK_EQUAL(pthread_rwlock_trywrlock(&rwlock), EBUSY);
	CHECK_EQUAL(pthread_rwlock_unlock(&rwlock), 0);
	CHECK_EQUAL(pthread_rwlock_unlock(&rwlock), 0);
	CHECK_EQUAL(pthread_rwlock_trywrlock(&rwlock), 0);
	CHECK_EQUAL(pthread_rwlock_tryrdlock(&rwlock), EBUSY);
	CHECK_EQUAL(pthread_rwlock_unlock(&rwlock), 0);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_count;

static void count_once(void)
{
	usleep(10000);
	once_count++;
}

static void *call_once(void *argument)
{
	(void)argument;
	pthread_once(&once, count_once);
	return (void *)(uintptr_t)once_count;
}

static pthread_key_t key;
static int destroyed;

static void destroy_value(void *value)
{
	__atomic_add_fetch(&destroyed, *(int *)value, __ATOMIC_RELAXED);
	free(value);
}

static void *set_value(void *argument)
{
	int *value = malloc(sizeof(*value));

	if (pthread_getspecific(key) != NULL)
		return argument;
	*value = 1;
	pthread_setspecific(key, value);
	sched_yield();
	return pthread_getspecific(key) == value ? NULL : argument;
}

static void test_once_and_keys(void)
{
	uintptr_t results[THREADS];

	CHECK(run_all(call_once, results));
	for (int i = 0; i < THREADS; i++)
		CHECK_EQUAL(results[i], 1);
	CHECK_EQUAL(pthread_key_create(&key, destroy_value), 0);
	CHECK(run_all(set_value, results));
	CHECK_EQUAL(destroyed, THREADS);
	for (int i = 1; i < THREADS; i++)
		CHECK_EQUAL(results[i], 0);
	CHECK(pthread_getspecific(key) == NULL);
	CHECK_EQUAL(pthread_key_delete(key), 0);
}

static pthread_barrier_t barrier;
static pthread_spinlock_t spin;
static int arrived;

static void *meet(void *argument)
{
	uintptr_t serial = 0;

	(void)argument;
	for (int i = 1; i <= 50; i++) {
		pthread_spin_lock(&spin);
		arrived++;
		pthread_spin_unlock(&spin);
		serial += pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
		if (arrived != i * THREADS)
			return (void *)1000;
		pthread_barrier_wait(&barrier);
	}
	return (void *)serial;
}

static void test_barrier_and_spin(void)
{
	uintptr_t results[THREADS], total = 0;

	CHECK_EQUAL(pthread_barrier_init(&barrier, NULL, THREADS), 0);
	CHECK_EQUAL(pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE), 0);
	CHECK(run_all(meet, results));
	for (int i = 0; i < THREADS; i++)
		total += results[i];
	CHECK_EQUAL(total, 50);
	CHECK_EQUAL(pthread_barrier_destroy(&barrier), 0);
}

int main(void)
{
	CHECK_RUN(test_create_join);
	CHECK_RUN(test_detached);
	CHECK_RUN(test_stack_size);
	CHECK_RUN(test_mutex);
	CHECK_RUN(test_mutex_kinds);
	CHECK_RUN(test_cond);
	CHECK_RUN(test_rwlock);
	CHECK_RUN(test_once_and_keys);
	CHECK_RUN(test_barrier_and_spin);
	return check.failed;
}
