/* SPDX-License-Identifier: BSD-2-Clause */
/* application_rows.c - whole runs of programs of others: Debian's PostMark and SQLite's speedtest1, built from the same
 * sources for each system (tools/make/interop.mk). They lie in --programs DIRECTORY, by default /extra. An operation is
 * a program from its start to its end, its own computing included; what that alone takes is the row whose database lies
 * in memory. What a program says is kept in a file, and must be what these sources say wherever they run. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAMS_USUAL "/extra"
#define SAID "/tmp/bench.said"
#define CONFIGURATION "/tmp/bench.postmark"
#define POOL "bench.pool"
#define DATABASE "bench.db"
#define WORDS_MAX 8
/* Of SQLite's file format: the header, and where it tells how the file is written (1: rollback journal, 2: WAL). */
#define HEADER_TEXT "SQLite format 3"
#define AT_WRITE_VERSION 18

extern char **environ;

enum application { POSTMARK, JOURNAL, WAL, IN_MEMORY };

/* What the configuration below makes PostMark say; its random numbers are its own. */
#define POSTMARK_CONFIGURATION "set location %s\nset number 1000\nset transactions 20000\nrun\nquit\n"
static const char *const postmark_says[] = { "\t11054 created (", "\t9952 read (", "\t9967 appended (",
	"\t11054 deleted (", "\t63.86 megabytes read (", "\t70.60 megabytes written (", NULL };
static const char *const speedtest_says[] = {
	"Verification Hash: 1770470 19f033c0ab47f9479fc13174d106795176c427658861a74b", NULL
};

/* ---- Starting a program, and what it said ---- */

static bool start(struct bench *b, char *const words[], pid_t *child)
{
	posix_spawn_file_actions_t actions;
	int error = posix_spawn_file_actions_init(&actions);
	if (!error)
		error = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, SAID, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (!error)
		error = posix_spawn(child, words[0], &actions, NULL, words, environ);
	posix_spawn_file_actions_destroy(&actions);
	return !error || bench_fail(b, words[0], error);
}

static bool run(struct bench *b, char *const words[])
{
	pid_t child;
	int status = 0;
	if (!start(b, words, &child))
		return false;
	if (waitpid(child, &status, 0) != child)
		return bench_fail(b, "waitpid", errno);
	return (WIFEXITED(status) && !WEXITSTATUS(status)) || bench_fail(b, "the program ended with an error", 0);
}

static bool check_said(struct bench *b, const char *const *wanted)
{
	int fd = open(SAID, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, b->buffer, BUFFER_BYTES - 1);
	int error = errno;
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return bench_fail(b, SAID, error);
	b->buffer[n] = '\0';
	for (; *wanted; wanted++) {
		if (!strstr((const char *)b->buffer, *wanted))
			return bench_fail(b, "the program did not say what it must", 0);
	}
	return true;
}

/* PROGRAMS/name in `out`, if it can be run. */
static bool find_program(struct bench *b, char *out, const char *name)
{
	const char *folder = b->programs ? b->programs : PROGRAMS_USUAL;
	if (snprintf(out, BENCH_PATH_BYTES, "%s/%s", folder, name) >= BENCH_PATH_BYTES)
		return bench_fail(b, "the path of --programs is too long", 0);
	return !access(out, X_OK) || bench_fail(b, out, errno);
}

/* ---- PostMark ---- */

static bool write_configuration(struct bench *b)
{
	char text[BENCH_PATH_BYTES + sizeof POSTMARK_CONFIGURATION];
	int length = snprintf(text, sizeof text, POSTMARK_CONFIGURATION, b->path);
	int fd = open(CONFIGURATION, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ssize_t n = fd < 0 ? -1 : write(fd, text, (size_t)length);
	int error = errno;
	if (fd >= 0)
		close(fd);
	return n == length || bench_fail(b, CONFIGURATION, error);
}

static bool postmark_prepare(struct bench *b, uint64_t count)
{
	(void)count;
	if (!bench_path(b, POOL))
		return false;
	rmdir(b->path);
	if (mkdir(b->path, 0755))
		return bench_fail(b, b->path, errno);
	return find_program(b, b->other, "postmark") && write_configuration(b);
}

static bool postmark_run(struct bench *b, uint64_t count)
{
	char *words[] = { b->other, (char *)(uintptr_t)CONFIGURATION, NULL };
	(void)count;
	return run(b, words);
}

/* It has deleted all its files, else the directory stays. */
static bool postmark_check(struct bench *b, uint64_t count)
{
	(void)count;
	return check_said(b, postmark_says) && (!rmdir(b->path) || bench_fail(b, "PostMark's directory", errno));
}

/* ---- SQLite's speedtest1 ---- */

/* The database, and what lies beside it after a run that was cut short. */
static void remove_database(struct bench *b)
{
	static const char *const names[] = { DATABASE "-journal", DATABASE "-wal", DATABASE "-shm", DATABASE };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (bench_path(b, names[i]))
			unlink(b->path);
	}
}

static bool speedtest_prepare(struct bench *b, uint64_t count)
{
	(void)count;
	remove_database(b); /* leaves the database's path */
	return find_program(b, b->other, "speedtest1");
}

static bool speedtest_run(struct bench *b, uint64_t count)
{
	const char *words[WORDS_MAX] = { b->other, "--size", "10", "--verify", ":memory:" };
	(void)count;
	if (b->argument == WAL)
		words[4] = "--journal", words[5] = "wal", words[6] = b->path;
	else if (b->argument == JOURNAL)
		words[4] = b->path;
	return run(b, (char *const *)(uintptr_t)words);
}

/* The file is a database, written in the way that was asked for: where WAL is not possible SQLite does without. */
static bool check_database(struct bench *b)
{
	char header[AT_WRITE_VERSION + 1];
	int fd = open(b->path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, header, sizeof header);
	int error = errno;
	if (fd >= 0)
		close(fd);
	if (n != (ssize_t)sizeof header || memcmp(header, HEADER_TEXT, sizeof HEADER_TEXT))
		return bench_fail(b, "the database", n < 0 ? error : 0);
	return header[AT_WRITE_VERSION] == (b->argument == WAL ? 2 : 1) ||
		   bench_fail(b, "SQLite cannot use its write-ahead log here", 0);
}

static bool speedtest_check(struct bench *b, uint64_t count)
{
	(void)count;
	return check_said(b, speedtest_says) && (b->argument == IN_MEMORY || check_database(b));
}

static void remove_said(struct bench *b)
{
	remove_database(b);
	if (bench_path(b, POOL))
		rmdir(b->path);
	unlink(SAID);
	unlink(CONFIGURATION);
}

#define SPEEDTEST(name, text, how) \
	{ \
		.id = "speedtest1_" name, .what = "SQLite speedtest1, size 10, " text, .argument = how, .count = 1, \
		.slow = true, .whole = true, .prepare = speedtest_prepare, .body = speedtest_run, .check = speedtest_check, \
		.teardown = remove_said \
	}

static const struct row rows[] = {
	{ .id = "postmark_whole", .what = "PostMark, 1,000 files, 20,000 transactions", .argument = POSTMARK, .count = 1,
	  .slow = true, .whole = true, .prepare = postmark_prepare, .body = postmark_run, .check = postmark_check,
	  .teardown = remove_said },
	SPEEDTEST("journal", "rollback journal", JOURNAL),
	SPEEDTEST("wal", "write-ahead log", WAL),
	SPEEDTEST("memory", "no file", IN_MEMORY),
};
const struct row_group application_rows = { rows, sizeof rows / sizeof rows[0] };
