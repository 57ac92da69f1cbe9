/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_syscalls.c - random system calls with random arguments, from processes that die of it and are made anew.
 *
 *   fuzz_syscalls [SEED [CALLS [WORKERS]]]     default: a seed from the clock, 200,000 calls, 3 workers
 *
 * The parent prints the seed and keeps WORKERS children of this program running, each with two threads, until CALLS are
 * made. Child number N of a run draws from SEED and N alone, so a run with the same three numbers makes the same calls,
 * up to how threads and processes interleave. `fuzz_syscalls child SEED CALLS` runs one child by hand.
 * Every second child gets the resources that the parent has (`run -r -s` lends it the shell's): ports, a line and a
 * range at which nothing answers; every fourth one SYSTEM, with which it reads the log and events, and switches
 * tracing. The parent serves a door that all call. */
#include "../check.h"
#include "../raw_call.h"
#include "fuzz.h"

#include <lintel/door.h>
#include <lintel/pager_proto.h>
#include <stdlib.h>

#define CALLS_PER_CHILD 20000u
#define WORKERS_MAX 8
_Static_assert(PAGER_INTERFACE == 1 && ERR_IO == -25, "calls.S");
#define STALL_NS MILLISECONDS(3000) /* no progress for so long: asleep for ever, by its own will */

/* ---- the parent ---- */

struct child {
	handle_t process;
	uint64_t *progress;
	handle_t vmo;
	uint64_t seen, seen_ns;
};

static const char *program = "/boot/bin/fuzz_syscalls";
static handle_t door;
static uint64_t made, children, died, stalled;

/* What the child gets: the page on which it counts, our door, and, every second one, our own resources. */
static uint32_t grants_collect(const struct child *child, struct spawn_handle grants[2 + MAINSTAY])
{
	uint32_t count = 0;

	grants[count++] = (struct spawn_handle){ STARTUP_SERVICE, 0, "progress", child->vmo,
						 RIGHT_READ | RIGHT_WRITE | RIGHT_TRANSFER };
	grants[count++] = (struct spawn_handle){ STARTUP_SERVICE, 0, "server", door,
						 RIGHT_CALL | RIGHT_TRANSFER | RIGHT_WAIT };
	for (int i = OWN_PORT; children % 2 == 1 && i < MAINSTAY; i++) {
		handle_t resource = lintel_startup_handle(STARTUP_RESOURCE, resource_kinds[i], i == OWN_PORT_2);

		if (resource != HANDLE_NONE && (i != OWN_SYSTEM || children % 4 == 1))
			grants[count++] = (struct spawn_handle){ STARTUP_RESOURCE, resource_kinds[i], NULL, resource,
								 RIGHTS_SAME };
	}
	return count;
}

static err_t child_begin(struct child *child, uint64_t seed)
{
	char number[24], calls[24];
	char *argv[] = { (char *)"fuzz_syscalls", (char *)"child", number, calls, NULL };
	struct spawn_handle grants[2 + MAINSTAY];
	const struct spawn_request request = { .path = program, .argv = argv, .handles = grants,
					       .handle_count = grants_collect(child, grants), .memory_limit_pages = 4096 };

	snprintf(number, sizeof(number), "%llu", (unsigned long long)(seed + children++));
	snprintf(calls, sizeof(calls), "%u", CALLS_PER_CHILD);
	*child->progress = child->seen = 0;
	child->seen_ns = now_ns();
	return lintel_spawn(&request, &child->process);
}

/* Look after one child. True while it lives. */
static bool child_lives(struct child *child)
{
	uint64_t progress = __atomic_load_n(child->progress, __ATOMIC_RELAXED);
	uint32_t signals;
	int32_t status;

	if (progress > CALLS_PER_CHILD) /* it may scribble there */
		progress = CALLS_PER_CHILD;
	if (progress != child->seen) {
		child->seen = progress;
		child->seen_ns = now_ns();
	} else if (now_ns() - child->seen_ns > STALL_NS) {
		stalled++;
		(void)!lintel_process_kill(child->process, -1);
	}
	if (lintel_object_wait(child->process, SIGNAL_TERMINATED, now_ns() + MILLISECONDS(10), &signals) != OK)
		return true;
	if (lintel_wait(child->process, 0, &status) != OK || status != 0)
		died++;
	made += progress;
	(void)!lintel_handle_close(child->process);
	child->process = HANDLE_NONE;
	return false;
}

static err_t progress_page(struct child *child)
{
	uint64_t at = 0;
	err_t err = lintel_vmo_create(PAGE_SIZE, 0, &child->vmo);

	if (err == OK)
		err = lintel_space_map(lintel_process(), child->vmo, 0, PAGE_SIZE, 0, SPACE_READ | SPACE_WRITE, &at);
	child->progress = (uint64_t *)at;
	return err;
}

static err_t run_parent(uint64_t seed, uint64_t calls, uint32_t count)
{
	static struct child child[WORKERS_MAX];
	uint32_t living = 0;
	uint64_t said = 0;

	for (uint32_t i = 0; i < count; i++) {
		err_t err = progress_page(&child[i]);

		if (err == OK)
			err = child_begin(&child[i], seed);
		if (err != OK)
			return err;
		living++;
	}
	while (living > 0) {
		for (uint32_t i = 0; i < count; i++) {
			if (child[i].process == HANDLE_NONE || child_lives(&child[i]))
				continue;
			living--;
			if (made < calls && child_begin(&child[i], seed) == OK)
				living++;
		}
		if (made - said >= 1000000) {
			said = made;
			printf("%llu calls, %llu children, %llu died, %llu stalled\n", (unsigned long long)made,
			       (unsigned long long)children, (unsigned long long)died, (unsigned long long)stalled);
		}
	}
	return made >= calls ? OK : ERR_INTERNAL;
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : now_ns();
	uint64_t calls = argc > 2 ? strtoull(argv[2], NULL, 0) : 200000;
	uint32_t workers = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 0) : 3;
	err_t err;

	if (argc > 3 && strcmp(argv[1], "child") == 0)
		return child_run(strtoull(argv[2], NULL, 0), strtoull(argv[3], NULL, 0));
	if (workers == 0 || workers > WORKERS_MAX)
		workers = 3;
	printf("fuzz_syscalls %llu %llu %u\n", (unsigned long long)seed, (unsigned long long)calls, workers);
	fflush(stdout);
	err = fuzz_door("fuzz parent", &door);
	if (err == OK)
		err = run_parent(seed, calls, workers);
	printf("%llu calls, %llu children, %llu died, %llu stalled\n", (unsigned long long)made,
	       (unsigned long long)children, (unsigned long long)died, (unsigned long long)stalled);
	if (err == OK)
		printf("ok random_system_calls\n");
	else
		printf("not ok random_system_calls: error %d, seed %llu\n", err, (unsigned long long)seed);
	return err != OK;
}
