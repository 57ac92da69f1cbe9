/* SPDX-License-Identifier: BSD-2-Clause */
/* ranges.c - fallocate in its ways, copies and clones, and where data and holes are. */
#define _GNU_SOURCE 1 /* fallocate's modes, copy_file_range */
#include "fsx.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const struct way {
	const char *name;
	int mode;
} ways[] = {
	{ "allocate", 0 },
	{ "keep", FALLOC_FL_KEEP_SIZE },
	{ "punch", FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE },
	{ "zero", FALLOC_FL_ZERO_RANGE },
	{ "zero and keep", FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE },
	{ "collapse", FALLOC_FL_COLLAPSE_RANGE },
	{ "insert", FALLOC_FL_INSERT_RANGE },
};

/* Often at the edge of a block, or close to it. */
uint64_t range_offset(struct client *c, uint64_t limit)
{
	uint64_t offset = limit != 0 ? random_below(c, limit) : 0;

	switch (random_below(c, 4)) {
	case 0:
		return offset / BLOCK * BLOCK;
	case 1:
		offset = offset / BLOCK * BLOCK + random_below(c, 5);
		return offset < limit ? offset : limit - (limit != 0);
	default:
		return offset;
	}
}

/* What lies from `from` on is at `to`; zeroes come in, on either side. */
static void model_move(struct body *b, uint64_t from, uint64_t to)
{
	const uint64_t low = from < to ? from : to;

	memmove(b->data + to, b->data + from, b->size - from);
	b->size = b->size + to - from;
	if (to > from)
		memset(b->data + low, 0, to - from);
	else
		memset(b->data + b->size, 0, from - to);
}

/* The error that it has to end with; the model is as it is afterwards. */
static int model_allocate(struct body *b, int mode, uint64_t offset, uint64_t bytes)
{
	const uint64_t end = offset + bytes;

	if (bytes == 0)
		return EINVAL;
	if (mode == FALLOC_FL_COLLAPSE_RANGE) {
		if (end >= b->size)
			return EINVAL;
		model_move(b, end, offset);
		return 0;
	}
	if (mode == FALLOC_FL_INSERT_RANGE) {
		if (offset >= b->size)
			return EINVAL;
		model_move(b, offset, end);
		return 0;
	}
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		memset(b->data + offset, 0, bytes);
	if (!(mode & FALLOC_FL_KEEP_SIZE) && end > b->size)
		b->size = end;
	return 0;
}

bool range_step(struct client *c, struct slot *s, struct body *b)
{
	const struct way *way = &ways[random_below(c, sizeof(ways) / sizeof(ways[0]))];
	const bool moves = way->mode == FALLOC_FL_COLLAPSE_RANGE || way->mode == FALLOC_FL_INSERT_RANGE;
	uint64_t offset = range_offset(c, b->size + BLOCK), bytes = range_offset(c, 30000);

	if (moves) {
		offset = offset / BLOCK * BLOCK;
		bytes = bytes / BLOCK * BLOCK;
	}
	if (offset > BODY_BYTES)
		offset = BODY_BYTES;
	if (bytes > BODY_BYTES - offset)
		bytes = BODY_BYTES - offset;
	if (way->mode == FALLOC_FL_INSERT_RANGE && b->size + bytes > BODY_BYTES)
		return true;
	note(c, way->name, s->body, offset, bytes);
	const int want = model_allocate(b, way->mode, offset, bytes);
	const int got = fallocate(s->fd, way->mode, (off_t)offset, (off_t)bytes) == 0 ? 0 : errno;
	return got == want || failure(c, "%s: error %d instead of %d", way->name, got, want);
}

static void model_copy(const struct body *from, uint64_t from_offset, struct body *to, uint64_t to_offset,
					   uint64_t bytes)
{
	memmove(to->data + to_offset, from->data + from_offset, bytes);
	if (bytes != 0 && to_offset + bytes > to->size)
		to->size = to_offset + bytes;
}

static bool copy_locked(struct client *c, const struct slot *s, const struct slot *t)
{
	struct body *from = &state->body[s->body], *to = &state->body[t->body];
	off_t from_offset = (off_t)range_offset(c, from->size + BLOCK), to_offset = (off_t)range_offset(c, BODY_BYTES);
	uint64_t bytes = range_offset(c, 60000);

	if (bytes > BODY_BYTES - (uint64_t)to_offset)
		bytes = BODY_BYTES - (uint64_t)to_offset;
	const bool overlap = from == to && (uint64_t)from_offset < (uint64_t)to_offset + bytes &&
						 (uint64_t)to_offset < (uint64_t)from_offset + bytes;
	const uint64_t there = (uint64_t)from_offset < from->size ? from->size - (uint64_t)from_offset : 0;
	const long long want = overlap ? -EINVAL : t->append ? -EBADF : (long long)(bytes < there ? bytes : there);
	note(c, "copy from", s->body, (uint64_t)from_offset, bytes);
	note(c, "copy to", t->body, (uint64_t)to_offset, bytes);
	if (want > 0)
		model_copy(from, (uint64_t)from_offset, to, (uint64_t)to_offset, (uint64_t)want);
	long long got = copy_file_range(s->fd, &from_offset, t->fd, &to_offset, bytes, 0);
	got = got < 0 ? -errno : got;
	return got == want || (overlap && t->append && got == -EBADF) ||
		   failure(c, "copy: %lld instead of %lld", got, want);
}

/* A range, or all of it from some block on: the same blocks in both files. */
static bool clone_locked(struct client *c, const struct slot *s, const struct slot *t)
{
	struct body *from = &state->body[s->body], *to = &state->body[t->body];
	struct file_clone_range range = { .src_fd = s->fd,
		.src_offset = random_below(c, 2) * (range_offset(c, from->size + BLOCK) / BLOCK * BLOCK),
		.dest_offset = range_offset(c, BODY_BYTES / 2) / BLOCK * BLOCK };
	const uint64_t there = range.src_offset < from->size ? from->size - range.src_offset : 0;
	const uint64_t most = there < BODY_BYTES - range.dest_offset ? there : BODY_BYTES - range.dest_offset;

	range.src_length = random_below(c, 3) == 0 && most == there ? 0 : range_offset(c, most + 1) / BLOCK * BLOCK;
	const uint64_t bytes = range.src_length != 0 ? range.src_length : there;
	if (bytes > most)
		return true; /* more than the model holds */
	const bool overlap = from == to && range.src_offset < range.dest_offset + bytes &&
						 range.dest_offset < range.src_offset + bytes;
	const bool inside = bytes % BLOCK != 0 && range.dest_offset + bytes < to->size;
	const bool wrong = range.src_offset > from->size || (bytes != 0 && (overlap || inside));
	const int want = t->append ? EBADF : wrong ? EINVAL : 0;
	note(c, "clone from", s->body, range.src_offset, range.src_length);
	note(c, "clone to", t->body, range.dest_offset, bytes);
	if (want == 0)
		model_copy(from, range.src_offset, to, range.dest_offset, bytes);
	const int got = ioctl(t->fd, FICLONERANGE, &range) == 0 ? 0 : errno;
	return got == want || failure(c, "clone: error %d instead of %d", got, want);
}

bool range_copy(struct client *c, const struct slot *s, const struct slot *t)
{
	const uint32_t low = s->body < t->body ? s->body : t->body, high = s->body + t->body - low;

	if (s->fd < 0 || t->fd < 0 || !t->writable)
		return true;
	lock_take(&state->body[low].lock);
	if (high != low)
		lock_take(&state->body[high].lock);
	const bool good = random_below(c, 2) == 0 ? copy_locked(c, s, t) : clone_locked(c, s, t);
	if (high != low)
		lock_give(&state->body[high].lock);
	lock_give(&state->body[low].lock);
	return good;
}

static bool is_zero(const struct body *b, uint64_t from, uint64_t end)
{
	for (; from < end; from++)
		if (b->data[from] != 0)
			return false;
	return true;
}

/* Which blocks there are the model does not know; but a hole has no bytes but zero. */
bool range_seek(struct client *c, const struct slot *s, const struct body *b)
{
	const uint64_t offset = range_offset(c, b->size + BLOCK);
	const bool data = random_below(c, 2) == 0;

	note(c, data ? "seek data" : "seek hole", s->body, offset, 0);
	const off_t found = lseek(s->fd, (off_t)offset, data ? SEEK_DATA : SEEK_HOLE);
	if (found < 0 && errno != ENXIO)
		return failure(c, "seek: errno %d", errno);
	if (found < 0 && (offset >= b->size || (data && is_zero(b, offset, b->size))))
		return true;
	if (found < (off_t)offset || offset >= b->size || found > (off_t)b->size - data)
		return failure(c, "seek from %llu: %lld", (unsigned long long)offset, (long long)found);
	const uint64_t at = (uint64_t)found, block_end = at / BLOCK * BLOCK + BLOCK;
	const bool good = data ? is_zero(b, offset, at) : is_zero(b, at, block_end < b->size ? block_end : b->size);
	return good || failure(c, "seek: %lld is no %s", (long long)found, data ? "start of data" : "hole");
}
