/* SPDX-License-Identifier: BSD-2-Clause */
/* ring.h - a byte queue of a fixed size, a power of two. Indices run freely and wrap at 2^32:
 * `tail - head` is the fill. No lock of its own: whoever owns the ring holds the owner's lock.
 * Pure. */
#pragma once

#include <lintel/types.h>

struct ring {
	uint8_t *bytes;
	uint32_t size; /* power of two */
	uint32_t head; /* next byte to take */
	uint32_t tail; /* next byte to fill */
};

static inline void ring_init(struct ring *r, uint8_t *bytes, uint32_t size)
{
	*r = (struct ring){ .bytes = bytes, .size = size };
}

static inline uint32_t ring_fill(const struct ring *r)
{
	return r->tail - r->head;
}

static inline uint32_t ring_space(const struct ring *r)
{
	return r->size - ring_fill(r);
}

/* The caller has looked at ring_space. */
static inline void ring_put(struct ring *r, uint8_t byte)
{
	r->bytes[r->tail++ & (r->size - 1)] = byte;
}

/* Take up to `max` bytes; the number taken. */
static inline uint32_t ring_take(struct ring *r, uint8_t *out, uint32_t max)
{
	uint32_t n = ring_fill(r) < max ? ring_fill(r) : max;
	for (uint32_t i = 0; i < n; i++)
		out[i] = r->bytes[r->head++ & (r->size - 1)];
	return n;
}
