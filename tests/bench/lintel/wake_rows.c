/* SPDX-License-Identifier: BSD-2-Clause */
/* wake_rows.c - waking with and without somebody who waits. */
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <pthread.h>
#include <string.h>

#include "echo.h"

#define SLEEPERS 32
#define SETTLE_NS 2000000u /* from a thread's saying that it will sleep until it does */

static bool event_signal(struct bench *b, uint64_t count)
{
	handle_t event;
	err_t err = lintel_event_create(&event);
	if (err != OK)
		return lintel_fail(b, "event_create", err);
	for (uint64_t i = 0; i < count && err == OK; i++)
		err = lintel_event_signal(event, 0, 1u << SIGNAL_USER_SHIFT);
	lintel_handle_close(event);
	return err == OK || lintel_fail(b, "event_signal", err);
}

static bool futex_wake(struct bench *b, uint64_t count)
{
	static uint32_t word;
	for (uint64_t i = 0; i < count; i++) {
		uint32_t woken;
		err_t err = lintel_futex_wake((uintptr_t)&word, 1, &woken);
		if (err != OK)
			return lintel_fail(b, "futex_wake", err);
	}
	return true;
}

/* ---- Sleepers: an operation wakes all, each by a call of its own; a result is for one ---- */

static struct sleeper {
	pthread_t thread;
	uint32_t word;  /* [a] futex: what it sleeps on, 0 until it is woken */
	handle_t event; /* or else this */
	bool started;
	bool woken; /* [a] */
} sleepers[SLEEPERS];
static uint32_t asleep; /* [a] how many are about to sleep */

static void *sleep_on_word(void *argument)
{
	struct sleeper *s = argument;
	__atomic_fetch_add(&asleep, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&s->word, __ATOMIC_ACQUIRE))
		(void)!lintel_futex_wait((uintptr_t)&s->word, 0, DEADLINE_NEVER);
	__atomic_store_n(&s->woken, true, __ATOMIC_RELEASE);
	return NULL;
}

static void *sleep_on_event(void *argument)
{
	struct sleeper *s = argument;
	uint32_t signals;
	__atomic_fetch_add(&asleep, 1, __ATOMIC_RELEASE);
	err_t err = lintel_object_wait(s->event, 1u << SIGNAL_USER_SHIFT, DEADLINE_NEVER, &signals);
	__atomic_store_n(&s->woken, err == OK, __ATOMIC_RELEASE);
	return NULL;
}

/* All asleep, on memory that is there. */
static bool sleepers_start(struct bench *b, void *(*sleep)(void *))
{
	__atomic_store_n(&asleep, 0, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < SLEEPERS; i++) {
		struct sleeper *s = &sleepers[i];
		s->word = 0;
		s->woken = false;
		err_t err = lintel_event_create(&s->event);
		if (err != OK)
			return lintel_fail(b, "event_create", err);
		int error = pthread_create(&s->thread, NULL, sleep, s);
		if (error)
			return bench_fail(b, "pthread_create", error);
		s->started = true;
	}
	for (uint32_t count = 0; count != SLEEPERS; count = __atomic_load_n(&asleep, __ATOMIC_ACQUIRE))
		(void)!lintel_thread_sleep(lintel_clock_ns() + SETTLE_NS);
	return true;
}

static bool sleep_on_words(struct bench *b, uint64_t count)
{
	(void)count;
	return sleepers_start(b, sleep_on_word);
}

static bool sleep_on_events(struct bench *b, uint64_t count)
{
	(void)count;
	return sleepers_start(b, sleep_on_event);
}

static bool wake_words(struct bench *b, uint64_t count)
{
	(void)count;
	for (unsigned i = 0; i < SLEEPERS; i++) {
		uint32_t woken;
		__atomic_store_n(&sleepers[i].word, 1, __ATOMIC_RELEASE);
		err_t err = lintel_futex_wake((uintptr_t)&sleepers[i].word, 1, &woken);
		if (err != OK)
			return lintel_fail(b, "futex_wake", err);
		if (woken != 1)
			return bench_fail(b, "nobody slept there", 0);
	}
	return true;
}

static bool signal_events(struct bench *b, uint64_t count)
{
	(void)count;
	for (unsigned i = 0; i < SLEEPERS; i++) {
		err_t err = lintel_event_signal(sleepers[i].event, 0, 1u << SIGNAL_USER_SHIFT);
		if (err != OK)
			return lintel_fail(b, "event_signal", err);
	}
	return true;
}

/* Those that started are woken, whatever went wrong before. */
static void sleepers_end(struct bench *b)
{
	(void)b;
	for (unsigned i = 0; i < SLEEPERS; i++) {
		struct sleeper *s = &sleepers[i];
		uint32_t woken;
		if (s->started) {
			__atomic_store_n(&s->word, 1, __ATOMIC_RELEASE);
			(void)!lintel_futex_wake((uintptr_t)&s->word, 1, &woken);
			(void)!lintel_event_signal(s->event, 0, 1u << SIGNAL_USER_SHIFT);
			pthread_join(s->thread, NULL);
		}
		if (s->event != HANDLE_NONE)
			lintel_handle_close(s->event);
		s->started = false;
		s->event = HANDLE_NONE;
	}
}

static bool sleepers_check(struct bench *b, uint64_t count)
{
	bool all = true;
	(void)count;
	sleepers_end(b);
	for (unsigned i = 0; i < SLEEPERS; i++)
		all = all && sleepers[i].woken;
	return all || bench_fail(b, "a thread was not woken", 0);
}

#define SLEEPER_ROW(name, text, begin, wake) \
	{ \
		.id = name, .what = text, .count = 1, .divide = SLEEPERS, .prepare = begin, .body = wake, \
		.check = sleepers_check, .teardown = sleepers_end \
	}

static const struct row rows[] = {
	{ .id = "event_signal", .what = "event signal, nobody waits", .count = 2000, .body = event_signal },
	SLEEPER_ROW("event_signal_waiter", "event signal, a thread waits", sleep_on_events, signal_events),
	{ .id = "futex_wake", .what = "futex wake, nobody waits", .count = 2000, .body = futex_wake },
	SLEEPER_ROW("futex_wake_waiter", "futex wake, a thread waits", sleep_on_words, wake_words),
};
const struct row_group native_wake_rows = { rows, sizeof rows / sizeof rows[0] };
