/* SPDX-License-Identifier: BSD-2-Clause */
/* server.c - what the server sees of its callers. All pages that it supplies are the same one. */
#include "server.h"

#include "crossing.h"
#include "suspects.h"

#include <kit/kit.h>
#include <lintel/door_call.h>
#include <lintel/pager_proto.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>

#define STACK_BYTES 16384
#define CPUS 16
#define ACTIVATIONS 3 /* on each: one may be asleep for a caller that has left */
#define KEY 7

static uint8_t stacks[CPUS][ACTIVATIONS][STACK_BYTES] __attribute__((aligned(64)));
static handle_t source, paged;

static bool is_stack(uint64_t address)
{
	return address >= (uintptr_t)stacks && address < (uintptr_t)stacks + sizeof(stacks);
}

static bool is_page(const struct general *g)
{
	return g->rsi >> 16 == PAGER_INTERFACE;
}

static uint32_t general_suspects(const struct general *g)
{
	uint64_t with = is_page(g) ? 0 : g->r10;
	uint32_t suspects = either_suspects(g, (uintptr_t)server_entry);

	if (g->rax != 0)
		suspects |= SUSPECT_RAX;
	if (g->rdi != (is_page(g) ? 0 : SERVER_BADGE))
		suspects |= SUSPECT_RDI;
	if (is_page(g) ? (g->r9 | g->r12) != 0 || g->rdx != KEY : (g->r8 | g->r9 | g->r12) != 0)
		suspects |= SUSPECT_WORDS;
	if (with & WITH_HANDLE ? g->r13 == 0 : g->r13 != 0)
		suspects |= SUSPECT_HANDLES;
	if (with & WITH_WINDOW_0 ? g->rbx == CLIENT_PATTERN : (g->rbx | g->rbp) != 0)
		suspects |= SUSPECT_WINDOW_0;
	if (with & WITH_WINDOW_1 ? g->r14 == CLIENT_PATTERN : (g->r14 | g->r15) != 0)
		suspects |= SUSPECT_WINDOW_1;
	if (with_fsgsbase && !is_stack(g->fs))
		suspects |= SUSPECT_FS;
	return suspects;
}

uint64_t server_look(const struct general *general, const struct vectors *vectors)
{
	static uint32_t pager_saw;
	uint32_t suspects = general_suspects(general) | vectors_suspects(vectors, INITIAL_MXCSR, INITIAL_X87);

	if (is_page(general)) { /* tells with the next call */
		pager_saw |= suspects;
		(void)!lintel_vmo_supply(paged, general->r10, source, 0, PAGE_SIZE, RIGHT_READ);
		return 0;
	}
	return suspects | pager_saw;
}

static err_t activations_donate(handle_t door)
{
	err_t err = OK;

	for (uint32_t cpu = 0; cpu < kit_cpu_count() && cpu < CPUS; cpu++)
		for (uint32_t i = 0; err == OK && i < ACTIVATIONS; i++) {
			uint8_t *stack = stacks[cpu][i];

			err = lintel_door_donate(door, cpu, (uintptr_t)stack + STACK_BYTES, (uintptr_t)stack);
		}
	return err;
}

int server_main(void)
{
	struct door_message message = { .word = { 0 } };
	handle_t door;
	err_t err = lintel_door_create((uintptr_t)server_entry, "registers", 9, &door);

	side_begin(SERVER_PATTERN, SERVER_MXCSR, SERVER_X87);
	if (err == OK)
		err = activations_donate(door);
	if (err == OK)
		err = lintel_door_mint(door, SERVER_BADGE, &message.handle[0]);
	if (err == OK)
		err = lintel_vmo_create(PAGE_SIZE, 0, &source);
	if (err == OK)
		err = lintel_vmo_write(source, 0, "p", 1);
	if (err == OK)
		err = lintel_vmo_create_pager(PAGED_BYTES, door, KEY, &paged);
	if (err == OK)
		err = lintel_handle_duplicate(paged, RIGHT_READ | RIGHT_TRANSFER, &message.handle[1]);
	if (err == OK)
		err = door_call(lintel_startup_named(STARTUP_SERVICE, "parent"), 0, &message);
	if (err != OK)
		return 1;
	(void)!lintel_thread_sleep(DEADLINE_NEVER);
	return 2;
}
