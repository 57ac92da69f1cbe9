/* SPDX-License-Identifier: BSD-2-Clause */
/* room.c - a device that is full from some allocation of an operation on: pmfs's allocator is replaced (ld --wrap) by
 * one that says so. Changes that free have their reserve, as on a device that is full. */
#include "engine.h"

#include "fs/pmfs/space.h"

static struct {
	bool counting;
	uint32_t calls;
	uint32_t from; /* 0: there is room */
} room;

err_t __real_space_alloc(struct space *space, uint32_t cpu, uint64_t goal, uint32_t want, bool reserve, uint64_t *start,
		uint32_t *count);
err_t __wrap_space_alloc(struct space *space, uint32_t cpu, uint64_t goal, uint32_t want, bool reserve, uint64_t *start,
		uint32_t *count);

err_t __wrap_space_alloc(struct space *space, uint32_t cpu, uint64_t goal, uint32_t want, bool reserve, uint64_t *start,
		uint32_t *count)
{
	if (room.counting && !reserve && ++room.calls >= room.from)
		return ERR_NO_SPACE;
	return __real_space_alloc(space, cpu, goal, want, reserve, start, count);
}

void room_begin(uint32_t from)
{
	room.from = from;
	room.calls = 0;
	room.counting = from != 0;
}

bool room_pause(void)
{
	const bool counting = room.counting;

	room.counting = false;
	return counting;
}

void room_go_on(bool counting)
{
	room.counting = counting;
}

uint32_t room_calls(void)
{
	return room.calls;
}
