/* SPDX-License-Identifier: BSD-2-Clause */
/* check.c - after the kill: what is on media must be the state after some step, not before the one that was promised;
 * or between two: of a step under way names and attributes have changed or not, and of its data any byte may have
 * arrived, and any part of what it adds. Afterwards all is removed, which must be possible. */
#include "steps.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AHEAD_MAX 5000u /* steps whose lines may still have been on their way out */
#define FOLDER_ROOM 32
#define PATH_ROOM (FOLDER_ROOM + 260)

/* Reads name `i`, or finds the body that another name has led to. */
static bool name_read(const char path[FOLDER_ROOM], struct folder *f, uint64_t inode[NAMES], uint32_t i)
{
	char name[PATH_ROOM];
	struct stat st;

	snprintf(name, sizeof(name), "%.31s/f%u", path, (unsigned)i);
	if (stat(name, &st) != 0)
		return errno == ENOENT;
	int b = 0;
	while (f->body[b].names != 0 && inode[b] != st.st_ino)
		b++;
	struct body *body = &f->body[b];
	f->name[i] = b;
	inode[b] = st.st_ino;
	if (body->names++ != 0)
		return true;
	body->size = (uint32_t)st.st_size;
	body->mode = st.st_mode & 07777;
	int fd = open(name, O_RDONLY);
	const bool good = fd >= 0 && st.st_size <= BODY_BYTES_MAX &&
			read(fd, body->bytes, body->size) == (ssize_t)body->size;
	return close(fd) == 0 && good;
}

static bool folder_read(const char path[FOLDER_ROOM], struct folder *f)
{
	uint64_t inode[NAMES] = { 0 };
	char name[PATH_ROOM];
	struct dirent *entry;
	uint32_t entries = 0;

	folder_clear(f);
	DIR *dir = opendir(path);
	if (dir == NULL)
		return errno == ENOENT; /* killed before it was made */
	while ((entry = readdir(dir)) != NULL)
		entries += entry->d_name[0] != '.';
	closedir(dir);
	for (uint32_t i = 0; i < NAMES; i++) {
		if (!name_read(path, f, inode, i))
			return false;
		entries -= f->name[i] != NOTHING;
	}
	for (uint32_t i = 0; i < FOLDERS; i++) {
		snprintf(name, sizeof(name), "%.31s/d%u", path, (unsigned)i);
		f->made[i] = access(name, F_OK) == 0;
		entries -= f->made[i];
	}
	return entries == 0;
}

static bool worker_check(const char path[FOLDER_ROOM], uint64_t seed, uint32_t worker, uint64_t promised)
{
	struct folder *media = malloc(3 * sizeof(*media)), *f = media + 1, *old = media + 2;
	uint64_t number = 0;
	bool found = false;

	if (media == NULL || !folder_read(path, media)) {
		printf("cold: %s cannot be read, or holds what nobody made\n", path);
		return false;
	}
	folder_clear(f);
	for (; number < promised; number++) {
		const struct step step = step_next(f, seed, worker, number);
		step_apply(f, &step);
	}
	for (; !found && number < promised + AHEAD_MAX; number++) {
		found = folders_fit(media, f, f, NOTHING);
		if (found)
			break;
		const struct step step = step_next(f, seed, worker, number);
		found = step_under_way(media, f, old, &step);
	}
	free(media);
	if (found)
		printf("cold: %s is as after step %llu; promised was %llu\n", path, (unsigned long long)number,
				(unsigned long long)promised);
	else
		printf("cold: %s is not as promised with step %llu, nor later\n", path, (unsigned long long)promised);
	return found;
}

static bool folder_remove(const char path[FOLDER_ROOM])
{
	char name[PATH_ROOM];
	struct dirent *entry;
	bool good = true;
	DIR *dir = opendir(path);

	if (dir == NULL)
		return errno == ENOENT;
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%.31s/%.255s", path, entry->d_name);
		good &= (entry->d_name[0] == 'd' ? rmdir(name) : unlink(name)) == 0;
	}
	closedir(dir);
	return rmdir(path) == 0 && good;
}

int cold_clear(uint32_t workers)
{
	char path[FOLDER_ROOM] = COLD_FOLDER;
	bool good = true;

	for (uint32_t i = 0; i < workers; i++) {
		snprintf(path, sizeof(path), "%s/w%u", COLD_FOLDER, (unsigned)i);
		good &= folder_remove(path);
	}
	snprintf(path, sizeof(path), "%s", COLD_FOLDER);
	good &= folder_remove(path);
	if (!good)
		printf("cold: what is left cannot be removed\n");
	return good ? 0 : 1;
}

int cold_check(uint64_t seed, uint32_t workers, const uint64_t *promised)
{
	char path[FOLDER_ROOM] = COLD_FOLDER;
	bool good = true;

	for (uint32_t i = 0; i < workers; i++) {
		snprintf(path, sizeof(path), "%s/w%u", COLD_FOLDER, (unsigned)i);
		good &= worker_check(path, seed, i, promised[i]);
	}
	if (!good)
		return 1;
	printf("check passed\n"); /* from here on nothing is promised */
	fflush(stdout);
	return cold_clear(workers);
}
