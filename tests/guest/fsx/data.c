/* SPDX-License-Identifier: BSD-2-Clause */
/* data.c - reading, writing, sizes and mappings. */
#include "fsx.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_BYTES 40000u

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Where the bytes differ, for the report. */
static bool same(const struct client *c, const char *what, const uint8_t *got, const uint8_t *want, uint64_t offset,
				 uint64_t bytes)
{
	if (memcmp(got, want, bytes) == 0)
		return true;
	uint64_t at = 0, last = bytes - 1;
	while (got[at] == want[at])
		at++;
	while (got[last] == want[last])
		last--;
	return failure(c, "%s: byte %llu is %02x, not %02x; all that differs lies before %llu", what,
				   (unsigned long long)(offset + at), got[at], want[at], (unsigned long long)(offset + last + 1));
}

/* With pread, or where the descriptor stands. */
static ssize_t get(struct client *c, int fd, void *buffer, size_t bytes, uint64_t offset)
{
	if (random_below(c, 2) == 0)
		return pread(fd, buffer, bytes, (off_t)offset);
	return lseek(fd, (off_t)offset, SEEK_SET) < 0 ? -1 : read(fd, buffer, bytes);
}

static bool do_read(struct client *c, const struct slot *s, const struct body *b)
{
	static uint8_t buffer[PIECE_BYTES];
	const uint64_t offset = range_offset(c, b->size + 5000);
	const uint64_t bytes = random_below(c, 3) == 0 ? random_below(c, PIECE_BYTES) : random_below(c, 300);
	const uint64_t want = offset < b->size ? min_u64(bytes, b->size - offset) : 0;

	note(c, "read", s->body, offset, bytes);
	const ssize_t done = get(c, s->fd, buffer, bytes, offset);
	if (done != (ssize_t)want)
		return failure(c, "read: %lld bytes instead of %llu (errno %d)", (long long)done, (unsigned long long)want,
					   errno);
	return same(c, "read", buffer, b->data + offset, offset, want);
}

static void make_up(struct client *c, uint8_t *to, uint64_t bytes)
{
	const uint64_t first = random_next(&c->random);

	for (uint64_t i = 0; i < bytes; i++)
		to[i] = (uint8_t)((first >> i % 7 * 8) + i / 7 * 29) | 1;
}

static bool do_write(struct client *c, const struct slot *s, struct body *b)
{
	static uint8_t buffer[PIECE_BYTES];
	uint64_t offset = s->append ? b->size : range_offset(c, random_below(c, 4) == 0 ? BODY_BYTES : b->size + 1);
	uint64_t bytes = random_below(c, 3) == 0 ? random_below(c, PIECE_BYTES) : random_below(c, 300);

	bytes = min_u64(bytes, BODY_BYTES - min_u64(offset, BODY_BYTES));
	note(c, s->append ? "append" : "write", s->body, offset, bytes);
	make_up(c, buffer, bytes);
	const bool here = random_below(c, 2) == 0;
	if (here && lseek(s->fd, (off_t)offset, SEEK_SET) < 0)
		return failure(c, "lseek: errno %d", errno);
	const ssize_t done = here ? write(s->fd, buffer, bytes) : pwrite(s->fd, buffer, bytes, (off_t)offset);
	if (done != (ssize_t)bytes)
		return failure(c, "write: %lld bytes instead of %llu (errno %d)", (long long)done, (unsigned long long)bytes,
					   errno);
	memcpy(b->data + offset, buffer, bytes);
	if (bytes != 0 && offset + bytes > b->size)
		b->size = offset + bytes;
	return true;
}

static bool do_truncate(struct client *c, const struct slot *s, struct body *b)
{
	const uint64_t size = random_below(c, 6) == 0 ? 0 : range_offset(c, BODY_BYTES);

	note(c, "truncate", s->body, size, 0);
	if (ftruncate(s->fd, (off_t)size) != 0)
		return failure(c, "truncate: errno %d", errno);
	if (size < b->size)
		memset(b->data + size, 0, b->size - size);
	b->size = size;
	return true;
}

static bool do_sync(struct client *c, const struct slot *s)
{
	note(c, "sync", s->body, 0, 0);
	if ((random_below(c, 2) == 0 ? fsync(s->fd) : fdatasync(s->fd)) != 0)
		return failure(c, "sync: errno %d", errno);
	return true;
}

static bool do_size(struct client *c, const struct slot *s, const struct body *b)
{
	struct stat st;

	note(c, "stat", s->body, 0, 0);
	if (fstat(s->fd, &st) != 0 || st.st_size != (off_t)b->size)
		return failure(c, "stat: %lld bytes instead of %llu", (long long)st.st_size, (unsigned long long)b->size);
	if (lseek(s->fd, 0, SEEK_END) != (off_t)b->size)
		return failure(c, "the end is not at %llu", (unsigned long long)b->size);
	return true;
}

/* --- mappings: what the size lets touch --- */

static bool do_map(struct client *c, struct slot *s, const struct body *b)
{
	const int protection = PROT_READ | (s->writable ? PROT_WRITE : 0);

	note(c, s->map == NULL ? "map" : "unmap", s->body, 0, BODY_BYTES);
	if (s->map != NULL) {
		if (munmap(s->map, BODY_BYTES) != 0)
			return failure(c, "munmap: errno %d", errno);
		s->map = NULL;
		return true;
	}
	if (b->size == 0)
		return true; /* there is nothing to map */
	void *map = mmap(NULL, BODY_BYTES, protection, MAP_SHARED, s->fd, 0);
	if (map == MAP_FAILED)
		return failure(c, "mmap: errno %d", errno);
	s->map = map;
	s->map_writable = s->writable;
	return true;
}

static bool do_mapped(struct client *c, const struct slot *s, struct body *b)
{
	if (s->map == NULL || b->size == 0)
		return true;
	const uint64_t offset = range_offset(c, b->size);
	const uint64_t bytes = min_u64(random_below(c, 9000), b->size - min_u64(offset, b->size));
	if (!s->map_writable || random_below(c, 2) == 0) {
		note(c, "mapped read", s->body, offset, bytes);
		return same(c, "mapping", s->map + offset, b->data + offset, offset, bytes);
	}
	note(c, "mapped write", s->body, offset, bytes);
	make_up(c, b->data + offset, bytes);
	memcpy(s->map + offset, b->data + offset, bytes);
	if (random_below(c, 2) == 0 && msync(s->map, BODY_BYTES, MS_SYNC) != 0)
		return failure(c, "msync: errno %d", errno);
	return true;
}

bool data_check(const struct client *c, int fd, const struct body *b)
{
	static uint8_t buffer[BODY_BYTES + 1];
	const ssize_t done = pread(fd, buffer, sizeof(buffer), 0);

	if (done != (ssize_t)b->size)
		return failure(c, "%lld bytes instead of %llu", (long long)done, (unsigned long long)b->size);
	return same(c, "at the end", buffer, b->data, 0, b->size);
}

static bool writing_step(struct client *c, struct slot *s, struct body *b)
{
	const uint64_t what = random_below(c, 16);

	if (what < 8)
		return do_write(c, s, b);
	return what < 10 ? do_truncate(c, s, b) : range_step(c, s, b);
}

static bool reading_step(struct client *c, struct slot *s, struct body *b)
{
	const uint64_t what = random_below(c, 20);

	if (what < 9)
		return do_read(c, s, b);
	if (what < 14)
		return do_mapped(c, s, b);
	return what == 14 ? do_sync(c, s) : what == 15 ? do_map(c, s, b) : what < 18 ? do_size(c, s, b)
																				  : range_seek(c, s, b);
}

bool data_step(struct client *c, struct slot *s)
{
	struct body *b = &state->body[s->body];

	lock_take(&b->lock);
	const bool good = s->writable && random_below(c, 2) == 0 ? writing_step(c, s, b) : reading_step(c, s, b);
	lock_give(&b->lock);
	return good;
}
