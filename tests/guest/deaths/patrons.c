/* SPDX-License-Identifier: BSD-2-Clause */
/* patrons.c - each patron sleeps on the number of the errand, goes, and takes itself off those under way. */
#include "patrons.h"

#include <lintel/door_call.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <pthread.h>
#include <sys/mman.h>

#define LONG_BYTES (20 * PAGE_SIZE)

static struct errand errand;
static uint32_t number;   /* of errands given; futex */
static uint32_t under_way;
static err_t surprise;    /* the first */
static uint64_t calls;

static void buffers(struct door_message *message, uint8_t **area)
{
	if (errand.shape & SHAPE_FRESH && *area != NULL) {
		(void)munmap(*area, LONG_BYTES);
		*area = NULL;
	}
	if (*area == NULL)
		*area = mmap(NULL, LONG_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (errand.shape & SHAPE_WINDOW)
		message->window[0] = (struct door_window){ *area + 16, 64 | WINDOW_WRITE };
	if (errand.shape & SHAPE_LONG)
		message->window[1] = (struct door_window){ *area + 4000, LONG_BYTES - 4000 };
	if (errand.shape & SHAPE_PAGED)
		message->window[0] = (struct door_window){ errand.paged, 64 };
}

/* What comes back is ours again; if nothing does, what we gave is, or it went with the server. */
static void handle_settle(handle_t given, const struct door_message *message)
{
	for (int i = 0; i < DOOR_HANDLES; i++)
		if (message->handle[i] != HANDLE_NONE)
			(void)!lintel_handle_close(message->handle[i]);
	if (given != HANDLE_NONE && message->handle[0] == HANDLE_NONE)
		(void)!lintel_handle_close(given);
}

static err_t call_once(uint8_t **area)
{
	struct door_message message = { .word = { 0 } };
	handle_t given = HANDLE_NONE;
	err_t err;

	for (int i = 0; i < DOOR_WORDS; i++)
		message.word[i] = errand.word[i];
	buffers(&message, area);
	if (errand.shape & SHAPE_HANDLE) {
		err = lintel_event_create(&given);
		if (err != OK)
			return err;
		message.handle[0] = given;
	}
	__atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
	err = door_call(errand.door, errand.timeout_us, &message);
	handle_settle(given, &message);
	return err;
}

NORETURN static void *patron(void *argument)
{
	uint32_t seen = 0;
	uint8_t *area = NULL;
	err_t err;

	(void)argument;
	for (;;) {
		while (__atomic_load_n(&number, __ATOMIC_ACQUIRE) == seen)
			(void)!lintel_futex_wait((uint64_t)(uintptr_t)&number, seen, DEADLINE_NEVER);
		seen++;
		do
			err = call_once(&area);
		while (err == OK || (err == ERR_TIMED_OUT && errand.timeout_us != 0));
		if (err != errand.last)
			__atomic_store_n(&surprise, err, __ATOMIC_RELAXED);
		__atomic_sub_fetch(&under_way, 1, __ATOMIC_RELEASE);
	}
}

err_t patrons_init(void)
{
	for (int i = 0; i < PATRONS; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, patron, NULL) != 0)
			return ERR_NO_MEMORY;
	}
	return OK;
}

void patrons_send(const struct errand *with)
{
	uint32_t woken;

	errand = *with;
	surprise = OK;
	under_way = PATRONS;
	__atomic_add_fetch(&number, 1, __ATOMIC_RELEASE);
	(void)!lintel_futex_wake((uint64_t)(uintptr_t)&number, PATRONS, &woken);
}

err_t patrons_wait(uint64_t deadline)
{
	while (__atomic_load_n(&under_way, __ATOMIC_ACQUIRE) != 0) {
		if (lintel_clock_ns() > deadline)
			return ERR_TIMED_OUT;
		(void)!lintel_thread_sleep(lintel_clock_ns() + 50000);
	}
	return surprise;
}

const uint64_t *patrons_calls(void)
{
	return &calls;
}
