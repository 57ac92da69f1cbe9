/* SPDX-License-Identifier: BSD-2-Clause */
/* choices.c - what a fuzzer likes: edges, things that are nearly right, things that are. */
#include "fuzz.h"

#include "../raw_call.h"

#include <lintel/call_shapes.h>

uint64_t next_random(uint64_t *state) /* splitmix64 */
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

uint64_t below(struct worker *worker, uint64_t limit)
{
	return next_random(&worker->state) % limit;
}

uint8_t arena[ARENA_BYTES] __attribute__((aligned(4096)));
handle_t pool[POOL];

uint64_t any_handle(struct worker *worker)
{
	switch (below(worker, 16)) {
	case 0:
		return next_random(&worker->state);
	case 1:
		return below(worker, 70) | below(worker, 3) << HANDLE_INDEX_BITS;
	case 2:
		return pool[below(worker, POOL)] ^ 1u << below(worker, 32);
	default:
		return pool[below(worker, POOL)];
	}
}

uint64_t any_number(struct worker *worker)
{
	static const uint64_t edges[] = { 0, 1, 2, 3, 4, 7, 8, 31, 32, 63, 64, 65, 255, 256, 4095, 4096, 4097, 65535, 65536,
		0x1fffff, 0x200000, INT32_MAX, 0x80000000, UINT32_MAX, 1ull << 32, 1ull << 40, 1ull << 46, 1ull << 47,
		INT64_MAX, 1ull << 63, UINT64_MAX - 4095, UINT64_MAX - 1, UINT64_MAX };

	switch (below(worker, 4)) {
	case 0:
		return edges[below(worker, ARRAY_LEN(edges))];
	case 1:
		return 1ull << below(worker, 64);
	case 2:
		return below(worker, 16) * PAGE_SIZE;
	default:
		return below(worker, 200);
	}
}

uint64_t any_address(struct worker *worker)
{
	static const uint64_t edges[] = { 0, 1, 0xfff, 0x1000, USER_LIMIT - 4096, USER_LIMIT - 8, USER_LIMIT, 1ull << 47,
		0xffff800000000000, 0xffffffff80000000, 0xffffc00000000000, UINT64_MAX - 7, UINT64_MAX, 0x7f0000000000,
		0x7effffffffff, 0x7f8000000000, 0x20000000, 0x20200000, 0x30000000 };

	switch (below(worker, 8)) {
	case 0:
		return edges[below(worker, ARRAY_LEN(edges))];
	case 1:
		return next_random(&worker->state);
	case 2:
		return 0x20000000 + below(worker, 64) * PAGE_SIZE + (below(worker, 4) ? 0 : below(worker, 4096));
	case 3:
		return (uint64_t)arena + sizeof(arena) - below(worker, 32);
	default:
		return (uint64_t)arena + below(worker, sizeof(arena) / 8) * 8;
	}
}

static uint64_t any_deadline(struct worker *worker)
{
	if (below(worker, 20000) == 0)
		return DEADLINE_NEVER; /* the parent will have to kill us */
	return below(worker, 8) ? 0 : now_ns() + below(worker, 200000);
}

uint64_t any_argument(struct worker *worker, uint8_t kind)
{
	switch (kind) {
	case SHAPE_HANDLE:
		return any_handle(worker);
	case SHAPE_TIME:
		return any_deadline(worker);
	case SHAPE_ADDRESS:
	case SHAPE_POINTER:
		return any_address(worker);
	default:
		return below(worker, 64) == 0 ? next_random(&worker->state) : any_number(worker);
	}
}
