/* SPDX-License-Identifier: BSD-2-Clause */
/* crowded.c - many names in one directory of /pmem, made and removed by two programs at once: each can be found, the
 * listing has each once and no other, and in the end the space is back. argv: how many (1,000 if none), several in
 * turn; for each, a line says what a name took, in TSC ticks: with ICOUNT=1, instructions. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define FOLDER "/pmem/crowded"
#define LOOKS 20000u
#define EACH 97 /* of so many names one is renamed */

extern char **environ;
static char *own_path;
static uint32_t names;
static double ticks[4]; /* a name: made, looked up, listed, removed */

static void name_of(char name[40], uint32_t i)
{
	snprintf(name, 40, FOLDER "/name-%u", i);
}

static uint64_t now(void)
{
	return __builtin_ia32_rdtsc();
}

/* Half of the names, in one of two orders: as they come, or all over the place. */
static uint32_t nth(uint32_t n, uint32_t half, bool mixed)
{
	const uint32_t count = names / 2, step = count % 7919 != 0 ? 7919 : 1; /* a prime: each comes once */

	return 2 * (mixed ? (uint32_t)((uint64_t)n * step % count) : n) + half;
}

static bool make_half(uint32_t half)
{
	char name[40];

	for (uint32_t i = 0; i < names / 2; i++) {
		name_of(name, nth(i, half, half == 1));
		int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
		if (fd < 0 || close(fd) != 0)
			return false;
	}
	return true;
}

static bool remove_half(uint32_t half)
{
	char name[40];

	for (uint32_t i = 0; i < names / 2; i++) {
		name_of(name, nth(i, half, half == 1));
		if (unlink(name) != 0)
			return false;
	}
	return true;
}

/* The other half is another program's. Returns whether both went well. */
static bool both(const char *what, bool (*mine)(uint32_t half), double *took)
{
	char count[16];
	char *argv[] = { own_path, (char *)(uintptr_t)what, count, NULL };
	int status = -1;
	pid_t pid;

	snprintf(count, sizeof(count), "%u", names);
	const uint64_t start = now();
	if (posix_spawn(&pid, own_path, NULL, NULL, argv, environ) != 0)
		return false;
	const bool well = mine(0);
	if (waitpid(pid, &status, 0) != pid)
		return false;
	*took = (double)(now() - start) / names;
	return well && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void made(void)
{
	CHECK_EQUAL(mkdir(FOLDER, 0700), 0);
	CHECK(both("make", make_half, &ticks[0]));
	CHECK(open(FOLDER "/name-0", O_WRONLY | O_CREAT | O_EXCL, 0600) == -1 && errno == EEXIST);
}

static void found(void)
{
	uint64_t seed = 1, took = 0;
	struct stat st;
	char name[40];

	for (uint32_t i = 0; i < LOOKS; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		name_of(name, (uint32_t)(seed >> 33) % names);
		const uint64_t start = now();
		const int result = stat(name, &st);
		took += now() - start;
		CHECK(result == 0 && S_ISREG(st.st_mode));
	}
	ticks[1] = (double)took / LOOKS;
	name_of(name, names);
	CHECK(stat(name, &st) == -1 && errno == ENOENT);
}

/* Each once, and no other. */
static void listed(void)
{
	uint8_t *seen = calloc(1, names);
	DIR *dir = opendir(FOLDER);
	uint64_t took = 0;
	uint32_t count = 0;

	CHECK(seen != NULL && dir != NULL);
	for (;;) {
		const uint64_t start = now();
		const struct dirent *entry = readdir(dir);
		took += now() - start;
		if (entry == NULL)
			break;
		char *end;
		const unsigned long i = strtoul(entry->d_name + 5, &end, 10);
		CHECK(strncmp(entry->d_name, "name-", 5) == 0 && *end == 0 && i < names && !seen[i]);
		seen[i] = 1;
		count++;
	}
	CHECK_EQUAL(count, names);
	CHECK_EQUAL(closedir(dir), 0);
	free(seen);
	ticks[2] = (double)took / names;
}

static void renamed(void)
{
	char name[40], other[40];

	for (uint32_t i = 0; i < names; i += EACH) {
		name_of(name, i);
		name_of(other, names + i);
		CHECK_EQUAL(rename(name, other), 0);
		CHECK(access(name, F_OK) == -1 && access(other, F_OK) == 0);
		CHECK_EQUAL(rename(other, name), 0);
	}
}

static void removed(void)
{
	DIR *dir;

	CHECK(rmdir(FOLDER) == -1 && errno == ENOTEMPTY);
	CHECK(both("remove", remove_half, &ticks[3]));
	dir = opendir(FOLDER);
	CHECK(dir != NULL && readdir(dir) == NULL && closedir(dir) == 0);
	CHECK_EQUAL(rmdir(FOLDER), 0);
}

/* What stays is the table, which has grown: a block has 16 inodes, and their free places are kept. */
static void space_is_back(void)
{
	struct statvfs before, after;

	CHECK_EQUAL(statvfs("/pmem", &before), 0);
	made();
	found();
	listed();
	renamed();
	removed();
	CHECK_EQUAL(statvfs("/pmem", &after), 0);
	CHECK_EQUAL(after.f_files - after.f_ffree, before.f_files - before.f_ffree);
	CHECK(before.f_bfree - after.f_bfree <= names / 16 + 64);
}

int main(int argc, char **argv)
{
	static char *usual[] = { "crowded", "1000", NULL };

	own_path = argv[0];
	if (argc == 3 && (strcmp(argv[1], "make") == 0 || strcmp(argv[1], "remove") == 0)) {
		names = (uint32_t)atoi(argv[2]);
		return !(argv[1][0] == 'm' ? make_half(1) : remove_half(1));
	}
	if (access("/pmem", F_OK) != 0)
		return 0;
	for (char **count = argc > 1 ? argv + 1 : usual + 1; *count != NULL; count++) {
		names = (uint32_t)atoi(*count) & ~1u;
		if (names < 2) {
			printf("crowded: %s: how many names?\n", *count);
			return 2;
		}
		CHECK_RUN(space_is_back);
		printf("%u names: make %.0f, look up %.0f, list %.0f, remove %.0f ticks each\n", names, ticks[0], ticks[1],
			   ticks[2], ticks[3]);
	}
	return check.failed;
}
