/* SPDX-License-Identifier: BSD-2-Clause */
/* echo_server.c - the server's side of the door rows: a process of its own, built on servers/kit. */
#include <lintel/door_call.h>
#include <lintel/syscalls.h>
#include <pthread.h>

#include "echo.h"
#include "kit/kit.h"

static handle_t kept; /* the door that ECHO_FORWARD calls */

static err_t echo_window(struct kit_call *call)
{
	const unsigned char *bytes = call->in.window[0].base;
	uint64_t length = call->in.window[0].length & ~WINDOW_WRITE;
	if (!bytes || !length)
		return ERR_ARGS;
	call->out.word[0] = length;
	call->out.word[1] = bytes[0];
	call->out.word[2] = bytes[length - 1];
	return OK;
}

static err_t echo_keep(struct kit_call *call)
{
	if (kept != HANDLE_NONE)
		lintel_handle_close(kept);
	kept = call->in.handle[0];
	return OK;
}

static err_t echo_forward(struct kit_call *call)
{
	struct door_message message = { .word = { ECHO_REPLY, call->in.word[1] } };
	err_t err = door_call(kept, 0, &message);
	call->out.word[1] = message.word[1] + 1;
	return err;
}

/* ---- The thread that ECHO_BLOCK wakes and waits for ---- */

static struct {
	pthread_t thread;
	uint32_t asked, answered; /* [a] number of the last question, and of the last answer */
	uint64_t word;            /* the question, then the answer */
} worker;

static void word_wait(uint32_t *word, uint32_t old)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == old) {
		if (lintel_futex_wait((uintptr_t)word, old, DEADLINE_NEVER) == ERR_FAULT)
			return;
	}
}

static void word_raise(uint32_t *word)
{
	uint32_t woken;
	__atomic_fetch_add(word, 1, __ATOMIC_RELEASE);
	(void)!lintel_futex_wake((uintptr_t)word, 1, &woken);
}

static void *worker_main(void *unused)
{
	(void)unused;
	for (uint32_t number = 0;; number++) {
		word_wait(&worker.asked, number);
		worker.word++;
		word_raise(&worker.answered);
	}
	return NULL;
}

/* One caller at a time. */
static err_t echo_block(struct kit_call *call)
{
	uint32_t number = __atomic_load_n(&worker.answered, __ATOMIC_RELAXED);
	worker.word = call->in.word[1];
	word_raise(&worker.asked);
	word_wait(&worker.answered, number);
	call->out.word[1] = worker.word;
	return OK;
}

/* What a server does by itself is no part of a door: no loop is counted here. */
static err_t echo_reply(struct kit_call *call)
{
#pragma GCC unroll 8
	for (int i = 1; i < DOOR_WORDS; i++)
		call->out.word[i] = call->in.word[i] + 1;
	call->out.handle[0] = call->in.handle[0];
	return OK;
}

/* Apart, so that the cheapest call pays for nothing that others need. */
static __attribute__((noinline)) err_t echo_more(struct kit_call *call)
{
	switch (call->in.word[0]) {
	case ECHO_WINDOW: return echo_window(call);
	case ECHO_KEEP: return echo_keep(call);
	case ECHO_FORWARD: return echo_forward(call);
	case ECHO_BLOCK: return echo_block(call);
	case ECHO_SESSION: return kit_mint(call->in.word[1], &call->out.handle[0]);
	}
	return ERR_BAD_CALL;
}

static err_t echo_dispatch(struct kit_call *call)
{
	return call->in.word[0] == ECHO_REPLY ? echo_reply(call) : echo_more(call);
}

static const struct kit_server echo_server = { .name = "bench-echo", .dispatch = echo_dispatch };

int echo_main(void)
{
	if (pthread_create(&worker.thread, NULL, worker_main, NULL))
		return 1;
	return kit_main(&echo_server);
}
