/* SPDX-License-Identifier: BSD-2-Clause */
/* state.c - what the processes share: a file of /tmp that all of them map. */
#include "fsx.h"

#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define STATE_PATH "/tmp/fsx-state"

struct state *state;

struct state *state_open(bool fresh)
{
	int fd = open(STATE_PATH, O_RDWR | (fresh ? O_CREAT | O_TRUNC : 0), 0600);

	if (fd < 0 || (fresh && ftruncate(fd, sizeof(*state)) != 0))
		return NULL;
	void *map = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	state = map == MAP_FAILED ? NULL : map;
	return state;
}

void state_close(void)
{
	munmap(state, sizeof(*state));
	unlink(STATE_PATH);
}

uint64_t random_next(uint64_t *seed) /* splitmix64 */
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

uint64_t random_below(struct client *c, uint64_t limit)
{
	return random_next(&c->random) % limit;
}

void lock_take(uint32_t *lock)
{
	while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE) != 0)
		sched_yield();
}

void lock_give(uint32_t *lock)
{
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

void names_path(uint32_t name, char out[64])
{
	snprintf(out, 64, "/pmem/fsx/%s%u", name % 2 == 0 ? "" : "d/a-name-that-takes-more-than-one-slot-", name);
}

void note(const struct client *c, const char *what, uint32_t body, uint64_t offset, uint64_t bytes)
{
	const uint32_t at = __atomic_fetch_add(&state->notes, 1, __ATOMIC_RELAXED);

	state->note[at % NOTES] = (struct note){ c->number, body, what, c->done, offset, bytes };
}

/* The file that the client was at. */
static uint32_t last_body(const struct client *c, uint32_t end)
{
	for (uint32_t i = end; i-- > 0 && end - i <= NOTES;)
		if (state->note[i % NOTES].client == c->number)
			return state->note[i % NOTES].body;
	return NO_BODY;
}

static void notes_tell(const struct client *c)
{
	const uint32_t end = __atomic_load_n(&state->notes, __ATOMIC_RELAXED), body = last_body(c, end);

	for (uint32_t i = end > NOTES ? end - NOTES : 0; i < end; i++) {
		const struct note *n = &state->note[i % NOTES];
		if (n->body != body)
			continue;
		printf("fsx:   client %u, operation %llu: %s of file %d at %llu, %llu bytes\n", n->client,
			   (unsigned long long)n->number, n->what, (int)n->body, (unsigned long long)n->offset,
			   (unsigned long long)n->bytes);
	}
}

bool failure(const struct client *c, const char *format, ...)
{
	va_list arguments;
	char text[160];

	if (__atomic_exchange_n(&state->failed, 1, __ATOMIC_ACQ_REL) != 0)
		return false;
	__atomic_store_n(&state->stop, 1, __ATOMIC_RELEASE);
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	printf("fsx: client %u, operation %llu of %llu in all: %s\n", c->number, (unsigned long long)c->done,
		   (unsigned long long)state->operations, text);
	notes_tell(c);
	printf("fsx: again: run /boot/bin/fsx %llu 3600 %s\n", (unsigned long long)state->seed,
		   state->in_turns ? "turns" : "once");
	fflush(stdout);
	return false;
}
