/* SPDX-License-Identifier: BSD-2-Clause */
/* room.c - a device on which so many blocks are free and no more: pmfs's allocator is replaced (ld --wrap) by one that
 * counts, and gives less or nothing in the end. Changes that free have their reserve, as on a device that is full. */
#include "engine.h"

#include "fs/pmfs/space.h"

static struct {
	bool counting;
	bool met;
	uint64_t left;
} room;

err_t __real_space_alloc(struct space *space, uint32_t cpu, uint64_t goal, uint32_t want, bool reserve, uint64_t *start,
		uint32_t *count);
err_t __wrap_space_alloc(struct space *space, uint32_t cpu, uint64_t goal, uint32_t want, bool reserve, uint64_t *start,
		uint32_t *count);
void __real_space_free(struct space *space, uint64_t start, uint64_t count);
void __wrap_space_free(struct space *space, uint64_t start, uint64_t count);

err_t __wrap_space_alloc(struct space *space, uint32_t cpu, uint64_t goal, uint32_t want, bool reserve, uint64_t *start,
		uint32_t *count)
{
	if (room.counting && !reserve && room.left < want) {
		room.met = true;
		want = (uint32_t)room.left;
		if (want == 0)
			return ERR_NO_SPACE;
	}
	const err_t err = __real_space_alloc(space, cpu, goal, want, reserve, start, count);
	if (room.counting && err == OK)
		room.left -= room.left < *count ? room.left : *count;
	return err;
}

void __wrap_space_free(struct space *space, uint64_t start, uint64_t count)
{
	room.left += room.counting ? count : 0;
	__real_space_free(space, start, count);
}

void room_begin(uint64_t blocks)
{
	room.left = blocks;
	room.met = false;
	room.counting = true;
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

bool room_met(void)
{
	return room.met;
}
