/* SPDX-License-Identifier: BSD-2-Clause */
/* server.c - see doors.h. */
#include "../child.h"
#include "doors.h"

#include <stdlib.h>
#include <string.h>

handle_t kept;
uint32_t sleeps_begun, sleeps_done;
uint32_t closed_badges;
uint64_t closed_badge;
static handle_t other;        /* BOUNCE, PASS_ON: whom to call */
static void *kept_address;

static err_t sleep_for(uint64_t ns)
{
	__atomic_add_fetch(&sleeps_begun, 1, __ATOMIC_SEQ_CST);
	err_t err = lintel_thread_sleep(lintel_clock_ns() + ns);

	if (err == ERR_CANCELED) /* the caller has left; finish what was begun */
		err = lintel_thread_sleep(lintel_clock_ns() + ns);
	__atomic_add_fetch(&sleeps_done, 1, __ATOMIC_SEQ_CST);
	return err;
}

static err_t deeper(struct kit_call *call, handle_t door)
{
	struct door_message message = { .word = { call->in.word[0], call->in.word[1] + 1 } };
	err_t err = door_call(door, 0, &message);

	call->out.word[0] = err == OK ? message.word[0] : call->in.word[1] + 1;
	call->out.word[1] = err == OK ? message.word[1] : (uint64_t)(int64_t)err;
	return OK;
}

static err_t pass_on(struct kit_call *call, void *base, uint64_t length)
{
	struct door_message message = { .word = { SUM }, .window = { { base, length } } };

	call->out.word[0] = (uint64_t)(int64_t)door_call(other, 0, &message);
	call->out.word[1] = message.word[0];
	return OK;
}

static err_t change_window(struct kit_call *call)
{
	uint64_t base = (uintptr_t)call->in.window[0].base & ~PAGE_MASK, at;
	handle_t vmo;
	err_t err = lintel_vmo_create(PAGE_SIZE, 0, &vmo);

	if (err != OK)
		return err;
	call->out.word[0] = (uint64_t)(int64_t)lintel_space_unmap(lintel_process(), base, PAGE_SIZE);
	call->out.word[1] = (uint64_t)(int64_t)lintel_space_protect(lintel_process(), base, PAGE_SIZE, SPACE_READ);
	call->out.word[2] = (uint64_t)(int64_t)lintel_space_map(lintel_process(), vmo, 0, PAGE_SIZE, base,
								SPACE_READ | SPACE_FIXED, &at);
	call->out.word[3] = *(volatile uint8_t *)call->in.window[0].base;
	return lintel_handle_close(vmo);
}

/* What is done with memory. */
static err_t dispatch_memory(struct kit_call *call)
{
	const uint64_t *in = call->in.word;
	uint64_t *out = call->out.word;
	uint8_t *bytes = call->in.window[0].base;
	uint64_t length = call->in.window[0].length & ~WINDOW_WRITE;

	switch (in[0]) {
	case FILL:
		memset(bytes, (int)in[1], length);
		return OK;
	case SUM:
		for (uint64_t i = 0; i < length; i++)
			out[0] += bytes[i];
		return OK;
	case WINDOWS:
		memcpy(call->in.window[1].base, bytes, length);
		out[0] = length;
		out[1] = call->in.window[1].length;
		return OK;
	case STORE:
		*(volatile uint64_t *)bytes = in[1];
		return OK;
	case ADDRESS:
		out[0] = (uint64_t)(uintptr_t)bytes;
		out[1] = length;
		return OK;
	case PASS_ON:
		return pass_on(call, bytes + in[1], in[2]);
	case KEEP_ADDRESS:
		kept_address = bytes;
		return OK;
	case PASS_KEPT:
		return pass_on(call, kept_address, 8);
	case LOAD_KEPT:
		out[0] = *(volatile uint8_t *)kept_address;
		return OK;
	case CHANGE_WINDOW:
		return change_window(call);
	case UNMAP_STACK: {
		uint64_t here = (uintptr_t)__builtin_frame_address(0) & ~PAGE_MASK;

		return lintel_space_unmap(lintel_process(), here - PAGE_SIZE, 3 * PAGE_SIZE);
	}
	default:
		return ERR_BAD_CALL;
	}
}

static err_t dispatch_handles(struct kit_call *call)
{
	err_t err;

	switch (call->in.word[0]) {
	case KEEP_HANDLE:
		__atomic_store_n(&kept, call->in.handle[0], __ATOMIC_SEQ_CST);
		return OK;
	case BE_OTHER:
		other = call->in.handle[0];
		return OK;
	case TAKE_TWO:
		call->out.handle[0] = call->in.handle[1];
		call->out.handle[1] = call->in.handle[0];
		return OK;
	case GIVE_HANDLE:
		return lintel_event_create(&call->out.handle[1]);
	case SLEEP_AND_GIVE:
		(void)sleep_for(call->in.word[1]);
		return lintel_event_create(&call->out.handle[0]);
	case GIVE_BAD:
		call->out.handle[0] = (handle_t)call->in.word[1];
		return OK;
	case NARROW:
		err = lintel_event_create(&call->out.handle[1]);
		if (err == OK)
			err = lintel_handle_duplicate(call->out.handle[1], RIGHT_WAIT, &call->out.handle[0]);
		return err;
	default:
		return dispatch_memory(call);
	}
}

static err_t dispatch(struct kit_call *call)
{
	switch (call->in.word[0]) {
	case ECHO:
		for (int i = 0; i < DOOR_WORDS; i++)
			call->out.word[i] = call->in.word[i] + 1;
		return OK;
	case SLEEP:
		return sleep_for(call->in.word[1]);
	case RECURSE:
		return deeper(call, kit_door());
	case BOUNCE:
		return deeper(call, other);
	case FAIL:
		return (err_t)call->in.word[1];
	case BADGE:
		call->out.word[0] = call->badge;
		return OK;
	case EXIT:
		_Exit((int)call->in.word[1]);
	default:
		return dispatch_handles(call);
	}
}

static void session_closed(uint64_t badge)
{
	closed_badge = badge;
	__atomic_add_fetch(&closed_badges, 1, __ATOMIC_SEQ_CST);
}

static const struct kit_server server = { "doors test", dispatch, session_closed };

/* ---- both sides ---- */

err_t server_prepare(void)
{
	return house_begin(&server);
}

/* It hands its door over with KEEP_HANDLE. */
err_t child_server(handle_t *process, handle_t *door)
{
	err_t err = child_serves("/boot/bin/doors", &kept, process);

	*door = kept;
	return err;
}

int server_main(const char *role)
{
	struct door_message message = { .word = { SLEEP, 200000000 } };

	other = lintel_startup_named(STARTUP_SERVICE, "parent");
	if (strcmp(role, "serve") == 0)
		return child_main(&server, KEEP_HANDLE);
	return door_call(other, 0, &message) == OK ? 92 : 93;
}
