/* SPDX-License-Identifier: BSD-2-Clause */
/* child.c - makes the calls, in two threads, until it has made enough of them or dies of one. */
#include "fuzz.h"

#include "../raw_call.h"

#include <lintel/call_shapes.h>
#include <lintel/door.h>
#include <pthread.h>
#include <stdlib.h>

const uint32_t resource_kinds[MAINSTAY] = { [OWN_PORT] = RESOURCE_PORT, [OWN_PORT_2] = RESOURCE_PORT,
					    [OWN_IRQ] = RESOURCE_IRQ, [OWN_MMIO] = RESOURCE_MMIO,
					    [OWN_SYSTEM] = RESOURCE_SYSTEM };

/* Calls that end the child, flood the log, or use up time are made, but seldom. */
static bool is_rare(uint64_t number)
{
	return number == SYSCALL_process_exit || number == SYSCALL_thread_exit || number == SYSCALL_debug_log ||
	       number == SYSCALL_process_kill || number == SYSCALL_thread_set_tls || number == SYSCALL_system_power;
}

static void keep(struct worker *worker, uint64_t value)
{
	uint32_t slot = MAINSTAY + (uint32_t)below(worker, POOL - MAINSTAY);

	if (pool[slot] != HANDLE_NONE)
		(void)!lintel_handle_close(pool[slot]);
	pool[slot] = (handle_t)value;
}

static bool gives_a_handle(uint64_t number)
{
	switch (number) {
	case SYSCALL_handle_duplicate: case SYSCALL_process_create: case SYSCALL_process_open:
	case SYSCALL_thread_create: case SYSCALL_event_create: case SYSCALL_vmo_create: case SYSCALL_vmo_create_pager:
	case SYSCALL_vmo_create_physical: case SYSCALL_vmo_slice: case SYSCALL_vmo_copy: case SYSCALL_door_create:
	case SYSCALL_door_mint:
	case SYSCALL_interrupt_create: case SYSCALL_resource_create: case SYSCALL_zone_open:
		return true;
	default:
		return false;
	}
}

/* With the process's own handle, a random range hits the code that makes the calls: only now and then. */
static bool is_suicide(struct worker *worker, const struct registers *call)
{
	if (call->rax != SYSCALL_space_unmap && call->rax != SYSCALL_space_protect && call->rax != SYSCALL_process_kill)
		return false;
	if (call->rax != SYSCALL_process_kill && call->rsi >= 0x20000000 && call->rsi < 0x30000000 &&
	    call->rdx < 0x10000000)
		return false;
	return (handle_t)call->rdi == pool[OWN_PROCESS] && below(worker, 500) != 0;
}

/* With the whole SYSTEM resource a child could switch the machine off, or end init. */
static bool is_forbidden(uint64_t number)
{
	return pool[OWN_SYSTEM] != HANDLE_NONE && (number == SYSCALL_system_power || number == SYSCALL_process_open);
}

static void one_call(struct worker *worker)
{
	uint64_t number = below(worker, 8) ? below(worker, SYSCALL_COUNT + 1) : SYSCALL_door_call;
	const struct call_shape *shape;
	struct registers call;
	uint64_t *argument[6] = { &call.rdi, &call.rsi, &call.rdx, &call.r10, &call.r8, &call.r9 };

	if ((is_rare(number) && below(worker, 300) != 0) || is_forbidden(number))
		return;
	shape = &call_shapes[number < SYSCALL_COUNT ? number : 0];
	for (size_t i = 0; i < sizeof(call) / 8; i++)
		((uint64_t *)&call)[i] = any_address(worker);
	for (int i = 0; i < 6; i++)
		if (shape->argument[i].kind != SHAPE_NONE)
			*argument[i] = any_argument(worker, shape->argument[i].kind);
	call.rax = number;
	if (number == SYSCALL_door_call) {
		call.rdi = any_handle(worker) & UINT32_MAX;
		call.rdi |= below(worker, 2) ? 0 : (1 + below(worker, 500)) << 32;
		call.r13 = below(worker, 4) ? 0 : any_handle(worker) | any_handle(worker) << 32;
		call.rbp = below(worker, 2) ? 0 : any_number(worker) | (below(worker, 2) ? WINDOW_WRITE : 0);
		call.r15 = below(worker, 2) ? 0 : any_number(worker) | (below(worker, 2) ? WINDOW_WRITE : 0);
	}
	if (number == SYSCALL_door_return)
		call.r13 = 0;
	if (number == SYSCALL_process_kill && (handle_t)call.rdi == pool[OWN_PROCESS])
		return;
	steer(worker, &call);
	if (is_suicide(worker, &call))
		return;
	fuzz_call(&call);
	worker->calls++;
	if ((err_t)call.rax == OK && gives_a_handle(number))
		keep(worker, call.rdx);
	if (number == SYSCALL_door_call && (uint32_t)call.r13 != HANDLE_NONE)
		keep(worker, (uint32_t)call.r13);
	if (number == SYSCALL_door_call && call.r13 >> 32 != HANDLE_NONE)
		keep(worker, call.r13 >> 32);
	if (worker->calls % 64 == 0)
		__atomic_add_fetch(worker->progress, 64, __ATOMIC_RELAXED);
}

static uint64_t child_calls;

static void *child_thread(void *argument)
{
	struct worker *worker = argument;

	while (worker->calls < child_calls / 2)
		one_call(worker);
	return NULL;
}

int child_run(uint64_t seed, uint64_t calls)
{
	static uint64_t nowhere;
	static struct worker workers[2];
	uint64_t *progress = &nowhere;
	handle_t vmo = lintel_startup_named(STARTUP_SERVICE, "progress");
	pthread_t thread;
	uint64_t at;

	if (vmo != HANDLE_NONE &&
	    lintel_space_map(lintel_process(), vmo, 0, PAGE_SIZE, 0, SPACE_READ | SPACE_WRITE, &at) == OK)
		progress = (uint64_t *)at;
	child_calls = calls;
	pool[OWN_PROCESS] = lintel_process();
	if (lintel_event_create(&pool[OWN_EVENT]) != OK || lintel_vmo_create(16 * PAGE_SIZE, 0, &pool[OWN_VMO]) != OK ||
	    fuzz_door("fuzz", &pool[OWN_DOOR]) != OK)
		return 1;
	pool[OTHER_DOOR] = lintel_startup_named(STARTUP_SERVICE, "server");
	for (int i = OWN_PORT; i < MAINSTAY; i++)
		pool[i] = lintel_startup_handle(STARTUP_RESOURCE, resource_kinds[i], i == OWN_PORT_2);
	for (int i = 0; i < 2; i++)
		workers[i] = (struct worker){ .state = seed * 2 + (uint64_t)i, .progress = progress };
	if (pthread_create(&thread, NULL, child_thread, &workers[1]) != 0)
		return 1;
	child_thread(&workers[0]);
	pthread_join(thread, NULL);
	_Exit(0);
}
