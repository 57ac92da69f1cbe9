/* SPDX-License-Identifier: BSD-2-Clause */
/* log.c - a thread that reads the kernel's log and gives it to the console, whole lines at a time.
 * Somebody who is in the middle of a line is given PATIENCE_NS to end it. */
#include "console/log.h"

#include <lintel/info.h>
#include <lintel/names.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "kit/kit.h"

#define BATCH_BYTES 4096u
#define PATIENCE_NS 20000000u
#define NOTE_BYTES 64

static struct {
	const struct log_sink *sink; /* [I] */
	handle_t system;             /* [I] */
	uint64_t shown;              /* [a] position up to which the sink has it; LOG_UNSHOWN: nothing yet */
	uint64_t position;           /* the thread's: where to read on */
	char batch[BATCH_BYTES + NOTE_BYTES + LOG_READ_MAX + 1]; /* the thread's */
	uint32_t bytes;              /* in it */
} logged = { .shown = LOG_UNSHOWN, .position = LOG_UNSHOWN };

/* Add what there is to the batch, and say what was lost on the way. */
static err_t read_some(uint64_t deadline)
{
	char *text = logged.batch + logged.bytes;
	uint64_t next;
	err_t err = lintel_log_read(logged.system, logged.position, text, LOG_READ_MAX + 1, deadline, &next);

	if (err != OK)
		return err;
	uint64_t from = next - strlen(text);
	if (logged.position != LOG_UNSHOWN && from > logged.position) {
		char note[NOTE_BYTES];
		int length = snprintf(note, sizeof note, "(%llu bytes of the log are lost)\n",
				      (unsigned long long)(from - logged.position));
		memmove(text + length, text, strlen(text) + 1);
		memcpy(text, note, (size_t)length);
	}
	logged.bytes += (uint32_t)strlen(text);
	logged.position = next;
	return OK;
}

/* The batch up to its last line's end; the rest is read again. */
static void show_lines(void)
{
	uint32_t whole = logged.bytes;

	while (whole > 0 && logged.batch[whole - 1] != '\n')
		whole--;
	if (whole > 0) {
		logged.position -= logged.bytes - whole;
		logged.sink->show((const uint8_t *)logged.batch, whole);
	}
	__atomic_store_n(&logged.shown, logged.position, __ATOMIC_RELEASE);
}

static void *forward(void *unused)
{
	err_t err;

	(void)unused;
	for (;;) {
		logged.bytes = 0;
		err = read_some(DEADLINE_NEVER);
		if (err == OK && !logged.sink->at_line_start())
			err = lintel_thread_sleep(lintel_clock_ns() + PATIENCE_NS);
		while (err == OK && logged.bytes < BATCH_BYTES)
			err = read_some(0);
		if (err != OK && err != ERR_TIMED_OUT)
			break;
		show_lines();
	}
	kit_log("the log: %s", lintel_error_sentence(err));
	return NULL;
}

err_t log_start(const struct log_sink *sink)
{
	pthread_t thread;

	logged.sink = sink;
	logged.system = lintel_startup_handle(STARTUP_RESOURCE, RESOURCE_SYSTEM, 0);
	if (logged.system == HANDLE_NONE)
		return ERR_DENIED;
	return pthread_create(&thread, NULL, forward, NULL) ? ERR_NO_MEMORY : OK;
}

bool log_is_shown(void)
{
	char byte;
	uint64_t next;

	if (logged.system == HANDLE_NONE)
		return true;
	return lintel_log_read(logged.system, __atomic_load_n(&logged.shown, __ATOMIC_ACQUIRE), &byte, 1, 0, &next) ==
	       ERR_TIMED_OUT;
}
