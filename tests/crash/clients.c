/* SPDX-License-Identifier: BSD-2-Clause */
/* clients.c - see clients.h. */
#include "clients.h"
#include "media.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <ucontext.h>

#define STACK_BYTES (1u << 20)

static struct {
	bool running;
	bool ended[CLIENTS];
	uint64_t seed;
	void (*client)(uint32_t number);
	ucontext_t engine;
	ucontext_t context[CLIENTS];
	uint8_t *stack[CLIENTS];
} clients;

static uint64_t clock_ns;

static void turn_pass(void)
{
	const uint32_t from = media_client, to = !from;

	if (!clients.running || clients.ended[to])
		return;
	media_client = to;
	swapcontext(&clients.context[from], &clients.context[to]);
	media_client = from;
}

void clients_change_cpu(void)
{
	if (!clients.running)
		media_client = !media_client;
}

void clients_pass(void)
{
	if (clients.running && (random_next(&clients.seed) & 3) == 0)
		turn_pass();
}

static void client_main(void)
{
	const uint32_t number = media_client;

	clients.client(number);
	clients.ended[number] = true;
	media_client = !number;
	if (clients.ended[!number])
		setcontext(&clients.engine);
	setcontext(&clients.context[!number]);
}

void clients_run(void (*client)(uint32_t number), uint64_t seed)
{
	clients.client = client;
	clients.seed = seed;
	for (uint32_t i = 0; i < CLIENTS; i++) {
		if (clients.stack[i] == NULL)
			clients.stack[i] = malloc(STACK_BYTES);
		if (clients.stack[i] == NULL || getcontext(&clients.context[i]) != 0)
			abort();
		clients.context[i].uc_stack.ss_sp = clients.stack[i];
		clients.context[i].uc_stack.ss_size = STACK_BYTES;
		clients.ended[i] = false;
		makecontext(&clients.context[i], client_main, 0);
	}
	clients.running = true;
	media_client = 0;
	swapcontext(&clients.engine, &clients.context[0]);
	clients.running = false;
	media_client = 0;
}

/* --- what pmfs calls instead of pthread's own --- */

int __wrap_pthread_mutex_lock(pthread_mutex_t *lock);
int __wrap_pthread_rwlock_wrlock(pthread_rwlock_t *lock);
int __wrap_pthread_rwlock_rdlock(pthread_rwlock_t *lock);
int __wrap_clock_gettime(clockid_t clock, struct timespec *out);

static void lock_busy(void)
{
	if (!clients.running || clients.ended[!media_client]) {
		fprintf(stderr, "crash: a lock is taken twice by one client\n");
		abort();
	}
	turn_pass();
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *lock)
{
	while (pthread_mutex_trylock(lock) != 0)
		lock_busy();
	return 0;
}

int __wrap_pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
	while (pthread_rwlock_trywrlock(lock) != 0)
		lock_busy();
	return 0;
}

int __wrap_pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
	while (pthread_rwlock_tryrdlock(lock) != 0)
		lock_busy();
	return 0;
}

uint64_t clock_get(void)
{
	return clock_ns;
}

void clock_set(uint64_t ns)
{
	clock_ns = ns;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
	(void)clock;
	clock_ns++;
	*out = (struct timespec) { .tv_sec = (time_t)(clock_ns / 1000000000), .tv_nsec = (long)(clock_ns % 1000000000) };
	return 0;
}
