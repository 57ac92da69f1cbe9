/* SPDX-License-Identifier: BSD-2-Clause */
/* load.c - the steps, done to real files until the machine is killed. After some a line "promised WORKER NUMBER" goes
 * out: the first NUMBER steps have returned, so they are durable. */
#include "mark.h"
#include "steps.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_ROOM 64
#define LINE_STEPS 8 /* so that the serial line does not slow the load down */

static uint64_t load_seed, load_steps;

static void path_make(char out[PATH_ROOM], const char *path, char letter, uint32_t index)
{
	snprintf(out, PATH_ROOM, "%s/%c%u", path, letter, (unsigned)index);
}

static bool write_at(int fd, const struct step *step, bool append)
{
	static _Thread_local uint8_t bytes[BODY_BYTES_MAX];
	ssize_t done;

	pattern_fill(bytes, step);
	done = append ? write(fd, bytes, step->bytes) : pwrite(fd, bytes, step->bytes, step->offset);
	return done == (ssize_t)step->bytes;
}

static bool store_at(int fd, const struct step *step, uint32_t size)
{
	uint8_t *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return false;
	pattern_fill(at + step->offset, step);
	const bool good = msync(at, size, MS_SYNC) == 0;
	return munmap(at, size) == 0 && good;
}

static bool write_do(const char *name, const struct folder *before, const struct step *step)
{
	const int flags = step->kind == STEP_CREATE ? O_WRONLY | O_CREAT | O_EXCL
			: step->kind == STEP_APPEND ? O_WRONLY | O_APPEND : O_RDWR;
	int fd = open(name, flags, 0644);
	bool good;

	if (fd < 0)
		return false;
	if (step->kind == STEP_STORE)
		good = store_at(fd, step, before->body[before->name[step->a]].size);
	else
		good = write_at(fd, step, step->kind == STEP_APPEND) && fsync(fd) == 0;
	return close(fd) == 0 && good;
}

static bool folder_do(const char *path, const struct folder *before, const struct step *step)
{
	char name[PATH_ROOM];

	path_make(name, path, 'd', step->a);
	return (before->made[step->a] ? rmdir(name) : mkdir(name, 0755)) == 0;
}

bool step_do(const char *path, const struct folder *before, const struct step *step)
{
	char name[PATH_ROOM], other[PATH_ROOM];
	bool good = false;

	path_make(name, path, 'f', step->a);
	path_make(other, path, 'f', step->b);
	switch (step->kind) {
	case STEP_CREATE:
	case STEP_APPEND:
	case STEP_OVERWRITE:
	case STEP_STORE:
		good = write_do(name, before, step);
		break;
	case STEP_TRUNCATE:
		good = truncate(name, step->bytes) == 0;
		break;
	case STEP_MODE:
		good = chmod(name, step->bytes) == 0;
		break;
	case STEP_RENAME:
		good = rename(name, other) == 0;
		break;
	case STEP_LINK:
		good = link(name, other) == 0;
		break;
	case STEP_UNLINK:
		good = unlink(name) == 0;
		break;
	case STEP_FOLDER:
		good = folder_do(path, before, step);
		break;
	}
	if (!good)
		printf("cold: %s: step of kind %d failed\n", name, (int)step->kind);
	return good;
}

static void *worker_run(void *argument)
{
	const uint32_t worker = (uint32_t)(uintptr_t)argument;
	struct folder *f = malloc(sizeof(*f));
	char path[PATH_ROOM], line[48];

	path_make(path, COLD_FOLDER, 'w', worker);
	if (f == NULL || mkdir(path, 0755) != 0)
		return (void *)1;
	folder_clear(f);
	for (uint64_t number = 0; load_steps == 0 || number < load_steps; number++) {
		const struct step step = step_next(f, load_seed, worker, number);
		if (!step_do(path, f, &step))
			return (void *)1;
		mark_step(worker);
		step_apply(f, &step);
		if (number % LINE_STEPS != 0)
			continue;
		const int bytes = snprintf(line, sizeof(line), "promised %u %llu\n", (unsigned)worker,
				(unsigned long long)number + 1);
		if (write(1, line, (size_t)bytes) != bytes)
			return (void *)1;
	}
	free(f);
	return NULL;
}

int cold_load(uint64_t seed, uint32_t workers, uint64_t steps)
{
	pthread_t thread[COLD_WORKERS_MAX];
	bool good = true;
	void *result;

	load_seed = seed;
	load_steps = steps;
	if (mkdir(COLD_FOLDER, 0755) != 0) {
		printf("cold: %s cannot be made\n", COLD_FOLDER);
		return 1;
	}
	printf("load begins\n");
	fflush(stdout);
	for (uint32_t i = 0; i < workers; i++)
		if (pthread_create(&thread[i], NULL, worker_run, (void *)(uintptr_t)i) != 0)
			return 1;
	for (uint32_t i = 0; i < workers; i++)
		good &= pthread_join(thread[i], &result) == 0 && result == NULL;
	if (!good || steps == 0)
		printf("cold: the load has ended, which it never should\n");
	return good && steps != 0 ? 0 : 1;
}
