/* SPDX-License-Identifier: BSD-2-Clause */
/* names.c - opening and closing, and what changes names, while others read and write the same files. */
#define _GNU_SOURCE 1 /* O_TMPFILE, AT_EMPTY_PATH */
#include "fsx.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* [n] */
static uint32_t body_new(void)
{
	for (uint32_t i = 0; i < BODIES; i++) {
		struct body *b = &state->body[i];
		if (b->names != 0 || b->users != 0)
			continue;
		memset(b->data, 0, sizeof(b->data));
		b->size = 0;
		b->linkable = false;
		return i;
	}
	return NO_BODY;
}

/* A truncating open and its model change together. */
static int open_empty(const char *path, int flags, struct body *b)
{
	lock_take(&b->lock);
	const int fd = open(path, flags, 0600);
	if (fd >= 0) {
		memset(b->data, 0, b->size);
		b->size = 0;
	}
	lock_give(&b->lock);
	return fd;
}

/* [n] */
static bool open_locked(struct client *c, struct slot *s)
{
	static const int kinds[] = { O_RDWR, O_RDWR, O_RDWR | O_APPEND, O_RDONLY, O_RDWR | O_TRUNC };
	const uint32_t name = (uint32_t)random_below(c, NAMES);
	const int flags = kinds[random_below(c, sizeof(kinds) / sizeof(kinds[0]))];
	const bool there = state->name[name] != NO_BODY;
	char path[64];

	names_path(name, path);
	note(c, there ? "open" : "create", there ? state->name[name] : NO_BODY, name, (uint64_t)flags);
	const int fd = there && flags & O_TRUNC ? open_empty(path, flags, &state->body[state->name[name]])
											: open(path, flags | O_CREAT, 0600);
	if (fd < 0)
		return failure(c, "open %s: errno %d", path, errno);
	if (!there) {
		state->name[name] = body_new();
		state->body[state->name[name]].names = 1;
	}
	*s = (struct slot){ .fd = fd, .body = state->name[name], .writable = (flags & O_ACCMODE) == O_RDWR,
						.append = (flags & O_APPEND) != 0 };
	state->body[s->body].users++;
	return true;
}

/* [n] */
static bool open_nameless(struct client *c, struct slot *s)
{
	note(c, "create nameless", NO_BODY, 0, 0);
	const int fd = open("/pmem/fsx", O_TMPFILE | O_RDWR, 0600);
	if (fd < 0)
		return failure(c, "a nameless file: errno %d", errno);
	*s = (struct slot){ .fd = fd, .body = body_new(), .writable = true };
	state->body[s->body].users = 1;
	state->body[s->body].linkable = true;
	return true;
}

bool names_open(struct client *c, struct slot *s)
{
	lock_take(&state->names_lock);
	const bool good = random_below(c, 6) == 0 ? open_nameless(c, s) : open_locked(c, s);
	lock_give(&state->names_lock);
	return good;
}

bool names_close(struct client *c, struct slot *s)
{
	int result = 0;

	lock_take(&state->names_lock);
	note(c, "close", s->body, 0, 0);
	if (s->map != NULL && random_below(c, 2) == 0) { /* the mapping before the descriptor, or after it */
		result = munmap(s->map, BODY_BYTES);
		s->map = NULL;
	}
	result |= close(s->fd);
	if (s->map != NULL)
		result |= munmap(s->map, BODY_BYTES);
	s->map = NULL;
	s->fd = -1;
	state->body[s->body].users--;
	lock_give(&state->names_lock);
	return result == 0 || failure(c, "close: errno %d", errno);
}

/* [n] */
static bool do_unlink(struct client *c, uint32_t name)
{
	const uint32_t body = state->name[name];
	char path[64];

	names_path(name, path);
	note(c, "unlink", body, name, 0);
	const int got = unlink(path) == 0 ? 0 : errno, want = body == NO_BODY ? ENOENT : 0;
	if (got != want)
		return failure(c, "unlink %s: error %d instead of %d", path, got, want);
	if (body != NO_BODY)
		state->body[body].names--;
	state->name[name] = NO_BODY;
	return true;
}

/* [n] */
static bool do_rename(struct client *c, uint32_t from, uint32_t to)
{
	const uint32_t body = state->name[from], over = state->name[to];
	char a[64], b[64];

	names_path(from, a);
	names_path(to, b);
	note(c, "rename", body, from, to);
	const int got = rename(a, b) == 0 ? 0 : errno, want = body == NO_BODY ? ENOENT : 0;
	if (got != want)
		return failure(c, "rename %s to %s: error %d instead of %d", a, b, got, want);
	if (want != 0 || body == over)
		return true; /* two names of one file stay */
	if (over != NO_BODY)
		state->body[over].names--;
	state->name[to] = body;
	state->name[from] = NO_BODY;
	return true;
}

/* [n] */
static bool do_link(struct client *c, uint32_t from, uint32_t to)
{
	const uint32_t body = state->name[from];
	char a[64], b[64];

	names_path(from, a);
	names_path(to, b);
	note(c, "link", body, from, to);
	const int got = link(a, b) == 0 ? 0 : errno;
	const int want = body == NO_BODY ? ENOENT : state->name[to] != NO_BODY ? EEXIST : 0;
	if (got != want)
		return failure(c, "link %s to %s: error %d instead of %d", a, b, got, want);
	if (want != 0)
		return true;
	state->name[to] = body;
	state->body[body].names++;
	return true;
}

/* [n] One name more for what is open, or the first. */
static bool do_link_open(struct client *c, const struct slot *s, uint32_t to)
{
	char path[64];

	if (s->fd < 0)
		return true;
	struct body *b = &state->body[s->body];
	names_path(to, path);
	note(c, "link open", s->body, to, 0);
	const int got = linkat(s->fd, "", AT_FDCWD, path, AT_EMPTY_PATH) == 0 ? 0 : errno;
	const int want = state->name[to] != NO_BODY ? EEXIST : b->names == 0 && !b->linkable ? ENOENT : 0;
	if (got != want)
		return failure(c, "link an open file to %s: error %d instead of %d", path, got, want);
	if (want != 0)
		return true;
	state->name[to] = s->body;
	b->names++;
	b->linkable = false;
	return true;
}

/* [n] */
static bool do_stat(struct client *c, uint32_t name)
{
	const uint32_t body = state->name[name];
	struct stat st;
	char path[64];

	names_path(name, path);
	note(c, "stat by name", body, name, 0);
	const int got = stat(path, &st) == 0 ? 0 : errno, want = body == NO_BODY ? ENOENT : 0;
	if (got != want)
		return failure(c, "stat %s: error %d instead of %d", path, got, want);
	if (body != NO_BODY && st.st_nlink != state->body[body].names)
		return failure(c, "%s has %u names, not %u", path, (unsigned)st.st_nlink, state->body[body].names);
	return true;
}

bool names_step(struct client *c)
{
	const uint32_t a = (uint32_t)random_below(c, NAMES), b = (uint32_t)random_below(c, NAMES);
	const struct slot *s = &c->slot[random_below(c, SLOTS)];
	const uint64_t what = random_below(c, 8);

	lock_take(&state->names_lock);
	const bool good = what < 2   ? do_unlink(c, a)
					  : what < 4 ? do_rename(c, a, b)
					  : what < 5 ? do_link(c, a, b)
					  : what < 6 ? do_link_open(c, s, a)
								 : do_stat(c, a);
	lock_give(&state->names_lock);
	return good;
}

/* Nobody is at work any more. */
bool names_check(struct client *c)
{
	char path[64];

	for (uint32_t i = 0; i < NAMES; i++) {
		if (!do_stat(c, i))
			return false;
		if (state->name[i] == NO_BODY)
			continue;
		names_path(i, path);
		const int fd = open(path, O_RDONLY);
		if (fd < 0)
			return failure(c, "open %s: errno %d", path, errno);
		note(c, "all of it", state->name[i], i, 0);
		const bool good = data_check(c, fd, &state->body[state->name[i]]);
		close(fd);
		if (!good)
			return false;
	}
	return true;
}
