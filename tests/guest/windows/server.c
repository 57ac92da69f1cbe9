/* SPDX-License-Identifier: BSD-2-Clause */
/* server.c - the child: it believes nothing of what its windows show, and must outlive whatever they do. */
#include "../child.h"
#include "windows.h"

static bool is_good(uint64_t word)
{
	return word == GOOD || word == 0; /* 0: a fresh page, or nothing is there any more */
}

static err_t hammer(struct kit_call *call)
{
	uint64_t length = call->in.window[0].length & ~WINDOW_WRITE;
	bool writable = call->in.window[0].length & WINDOW_WRITE;
	volatile uint64_t *words = call->in.window[0].base;

	for (uint64_t turn = 0; turn < call->in.word[1]; turn++)
		for (uint64_t at = 0; at < length / 8; at += PAGE_SIZE / 8) {
			uint64_t word = words[at];

			if (writable)
				words[at + 1] = MARK;
			if (is_good(word))
				continue;
			call->out.word[0]++;
			call->out.word[1] = word;
		}
	return OK;
}

static err_t dispatch(struct kit_call *call)
{
	switch (call->in.word[0]) {
	case HAMMER:
		return hammer(call);
	case LOAD:
		pause_ns(call->in.word[1]);
		call->out.word[0] = *(volatile uint64_t *)call->in.window[0].base;
		return OK;
	case ANSWER:
		return OK;
	default:
		return ERR_BAD_CALL;
	}
}

static const struct kit_server server = { "windows test", dispatch, NULL };

int server_main(void)
{
	return child_main(&server, 0);
}
