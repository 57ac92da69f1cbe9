/* SPDX-License-Identifier: BSD-2-Clause */
/* agent.c - making agents. */
#include "agent.h"

#include <kit/kit.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <string.h>

#define BOARD_BYTES (SLOTS * SLOT_BYTES)
#define ACTIVATIONS_MAX ((SLOT_BYTES - SLOT_SAVED) / 8) /* of all CPUs */

extern const char agent_code[], agent_code_end[];

#define AT(member, offset) _Static_assert(offsetof(struct slot, member) == (offset), "layout.h")
AT(door, SLOT_DOOR);
AT(word, SLOT_WORDS);
AT(handles, SLOT_HANDLES);
AT(window, SLOT_WINDOWS);
AT(flags, SLOT_FLAGS);
AT(cursor, SLOT_CURSOR);
AT(begun, SLOT_BEGUN);
AT(result, SLOT_RESULT);
AT(next, SLOT_NEXT);
AT(self, SLOT_SELF);
AT(entered, SLOT_ENTERED);
AT(release, SLOT_RELEASE);
AT(victim, SLOT_VICTIM);
AT(cpus, SLOT_CPUS);
AT(activations, SLOT_ACTIVATIONS);
AT(parent, SLOT_PARENT);
AT(index, SLOT_INDEX);
_Static_assert(sizeof(struct slot) <= SLOT_SAVED, "layout.h");
_Static_assert(SYSCALL_door_call == NUMBER_DOOR_CALL && SYSCALL_door_return == NUMBER_DOOR_RETURN &&
	       SYSCALL_clock_get == NUMBER_CLOCK_GET && SYSCALL_handle_close == NUMBER_HANDLE_CLOSE &&
	       SYSCALL_handle_duplicate == NUMBER_HANDLE_DUPLICATE && SYSCALL_process_exit == NUMBER_PROCESS_EXIT &&
	       SYSCALL_process_kill == NUMBER_PROCESS_KILL && SYSCALL_thread_sleep == NUMBER_THREAD_SLEEP &&
	       SYSCALL_door_create == NUMBER_DOOR_CREATE && SYSCALL_door_donate == NUMBER_DOOR_DONATE, "layout.h");

static handle_t code, board, registrar;
static char *board_here;

err_t agents_init(handle_t door)
{
	uint64_t at;
	err_t err = lintel_vmo_create(PAGE_SIZE, 0, &code);

	registrar = door;
	if (err == OK)
		err = lintel_vmo_write(code, 0, agent_code, (uint64_t)(agent_code_end - agent_code));
	if (err == OK)
		err = lintel_vmo_create(BOARD_BYTES, 0, &board);
	if (err == OK)
		err = lintel_space_map(lintel_process(), board, 0, BOARD_BYTES, 0, SPACE_READ | SPACE_WRITE, &at);
	if (err == OK)
		board_here = (char *)(uintptr_t)at;
	return err;
}

struct slot *agent_slot(uint32_t index)
{
	return (struct slot *)(void *)(board_here + index * SLOT_BYTES);
}

err_t agent_map(const struct agent *agent, handle_t vmo, uint64_t at, uint64_t bytes)
{
	return lintel_space_map(agent->process, vmo, 0, bytes, at, SPACE_READ | SPACE_WRITE | SPACE_FIXED, &at);
}

err_t agent_create(uint32_t index, struct agent *out)
{
	uint64_t at;
	err_t err = lintel_process_create(lintel_process(), "agent", 5, 512, &out->process);

	if (err != OK)
		return err;
	out->slot = agent_slot(index);
	out->slot_address = AGENT_BOARD + index * SLOT_BYTES;
	memset(out->slot, 0, SLOT_BYTES);
	out->slot->index = index;
	err = lintel_space_map(out->process, code, 0, PAGE_SIZE, AGENT_CODE, SPACE_READ | SPACE_EXECUTE | SPACE_FIXED, &at);
	if (err == OK)
		err = agent_map(out, board, AGENT_BOARD, BOARD_BYTES);
	if (err != OK)
		(void)!lintel_handle_close(out->process);
	return err;
}

err_t agent_grant(const struct agent *agent, handle_t handle, uint64_t *theirs)
{
	return lintel_process_grant(agent->process, handle, RIGHTS_SAME, theirs);
}

err_t agent_give_memory(const struct agent *agent)
{
	handle_t memory;
	err_t err = lintel_vmo_create(MEMORY_PAGES * PAGE_SIZE, 0, &memory);

	if (err != OK)
		return err;
	err = agent_map(agent, memory, AGENT_MEMORY, MEMORY_PAGES * PAGE_SIZE);
	(void)!lintel_handle_close(memory);
	return err;
}

static err_t begin(const struct agent *agent, const char *where, bool first)
{
	uint64_t at = AGENT_CODE + (uint64_t)(where - agent_code);
	handle_t thread;
	err_t err = lintel_thread_create(agent->process, "agent", 5, &thread);

	if (err != OK)
		return err;
	err = lintel_thread_set_priority(thread, PRIORITY_OF_VICTIMS);
	if (err == OK && first)
		err = lintel_process_start(agent->process, thread, at, AGENT_CODE, agent->slot_address);
	else if (err == OK)
		err = lintel_thread_start(thread, at, AGENT_CODE, 0, agent->slot_address);
	(void)!lintel_handle_close(thread);
	return err;
}

err_t agent_start(const struct agent *agent, const char *where)
{
	return begin(agent, where, true);
}

err_t agent_thread(const struct agent *agent, const char *where)
{
	return begin(agent, where, false);
}

err_t agent_serve(struct agent *agent, uint32_t index, uint32_t activations, handle_t next)
{
	uint32_t room = ACTIVATIONS_MAX / kit_cpu_count();
	err_t err = agent_create(index, agent);

	if (err != OK)
		return err;
	agent->slot->cpus = kit_cpu_count();
	agent->slot->activations = activations < room ? activations : room;
	err = agent_grant(agent, registrar, &agent->slot->parent);
	if (err == OK && next != HANDLE_NONE)
		err = agent_grant(agent, next, &agent->slot->next);
	if (err == OK)
		err = agent_start(agent, agent_server);
	if (err != OK)
		(void)!lintel_handle_close(agent->process);
	return err;
}
