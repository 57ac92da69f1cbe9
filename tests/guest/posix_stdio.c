/* SPDX-License-Identifier: BSD-2-Clause */
/* posix_stdio.c - when streams are written out: fflush(NULL), fclose, the end of a program by exit, by a return from
 * main, and not by _exit. The children are this program again, told by argv[1] what to do. Builds on Linux too, where
 * it must pass as well. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define STREAMS 5
#define ROUNDS 300

extern char **environ;
static char *own_path;
static char path[80], other_path[80];

static long size_of(const char *name)
{
	struct stat st;

	return stat(name, &st) == 0 ? (long)st.st_size : -1;
}

/* ---- The children: each leaves streams with unwritten text ---- */

static void leave_streams(void)
{
	int fd = open(other_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	FILE *by_name = fopen(path, "w"), *by_fd = fdopen(fd, "w");

	if (by_name == NULL || by_fd == NULL || fputs("by name", by_name) < 0 || fputs("by descriptor", by_fd) < 0)
		_exit(90);
}

static int be_child(const char *role)
{
	if (strcmp(role, "reopen") == 0) {
		FILE *file = fopen(other_path, "w");
		if (file == NULL || freopen(path, "w", file) != file || fputs("opened anew", file) < 0)
			return 91;
		return 5;
	}
	leave_streams();
	if (strcmp(role, "exit") == 0)
		exit(5);
	if (strcmp(role, "_exit") == 0)
		_exit(5);
	return 5;
}

static int run_child(char *role)
{
	char *argv[] = { own_path, role, path, other_path, NULL };
	pid_t pid;
	int status;

	unlink(path);
	unlink(other_path);
	if (posix_spawn(&pid, own_path, NULL, NULL, argv, environ) != 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
}

/* ---- The tests ---- */

static void exit_writes_streams_out(void)
{
	char role[] = "exit";

	CHECK_EQUAL(run_child(role), 5);
	CHECK_EQUAL(size_of(path), 7);
	CHECK_EQUAL(size_of(other_path), 13);
}

static void so_does_the_end_of_main(void)
{
	char role[] = "return";

	CHECK_EQUAL(run_child(role), 5);
	CHECK_EQUAL(size_of(path), 7);
	CHECK_EQUAL(size_of(other_path), 13);
}

static void exit_at_once_does_not(void)
{
	char role[] = "_exit";

	CHECK_EQUAL(run_child(role), 5);
	CHECK_EQUAL(size_of(path), 0);
	CHECK_EQUAL(size_of(other_path), 0);
}

static void a_stream_opened_anew_is_written_out(void)
{
	char role[] = "reopen";

	CHECK_EQUAL(run_child(role), 5);
	CHECK_EQUAL(size_of(path), 11);
	CHECK_EQUAL(size_of(other_path), 0);
}

static void flushing_null_flushes_all(void)
{
	FILE *file[STREAMS];
	struct stat st;

	for (int i = 0; i < STREAMS; i++) {
		file[i] = tmpfile();
		CHECK(file[i] != NULL);
		CHECK(fprintf(file[i], "%0*d", i + 1, 0) == i + 1);
	}
	CHECK_EQUAL(fclose(file[2]), 0); /* from the middle of the list */
	CHECK_EQUAL(fflush(NULL), 0);
	for (int i = 0; i < STREAMS; i++) {
		if (i == 2)
			continue;
		CHECK_EQUAL(fstat(fileno(file[i]), &st), 0);
		CHECK_EQUAL(st.st_size, i + 1);
		CHECK_EQUAL(fclose(file[i]), 0);
	}
	CHECK_EQUAL(fflush(NULL), 0);
}

static void a_failed_write_is_told_by_fclose(void)
{
	FILE *file = fopen(path, "w");

	CHECK(file != NULL);
	CHECK(fputs("text", file) >= 0);
	CHECK_EQUAL(close(fileno(file)), 0);
	CHECK(fclose(file) == EOF && errno == EBADF);
}

static void fdopen_leaves_the_descriptor_alone_when_it_fails(void)
{
	int fd = open(path, O_RDWR | O_CREAT, 0644);

	CHECK(fd >= 0);
	CHECK(fdopen(fd, "?") == NULL && errno == EINVAL);
	CHECK_EQUAL(close(fd), 0);
}

static void *open_and_close(void *argument)
{
	for (int i = 0; i < ROUNDS; i++) {
		FILE *file = tmpfile();
		if (file == NULL || fputs("x", file) < 0 || fclose(file) != 0)
			return argument;
	}
	return NULL;
}

static void opening_closing_and_flushing_at_once(void)
{
	pthread_t thread[2];
	void *failed;

	for (int i = 0; i < 2; i++)
		CHECK_EQUAL(pthread_create(&thread[i], NULL, open_and_close, &thread), 0);
	for (int i = 0; i < ROUNDS; i++)
		CHECK_EQUAL(fflush(NULL), 0);
	for (int i = 0; i < 2; i++) {
		CHECK_EQUAL(pthread_join(thread[i], &failed), 0);
		CHECK(failed == NULL);
	}
}

int main(int argc, char **argv)
{
	own_path = argv[0];
	if (argc == 4) {
		snprintf(path, sizeof(path), "%s", argv[2]);
		snprintf(other_path, sizeof(other_path), "%s", argv[3]);
		return be_child(argv[1]);
	}
	snprintf(path, sizeof(path), "/tmp/posix_stdio.%d", (int)getpid());
	snprintf(other_path, sizeof(other_path), "/tmp/posix_stdio.%d.other", (int)getpid());
	CHECK_RUN(exit_writes_streams_out);
	CHECK_RUN(so_does_the_end_of_main);
	CHECK_RUN(exit_at_once_does_not);
	CHECK_RUN(a_stream_opened_anew_is_written_out);
	CHECK_RUN(flushing_null_flushes_all);
	CHECK_RUN(a_failed_write_is_told_by_fclose);
	CHECK_RUN(fdopen_leaves_the_descriptor_alone_when_it_fails);
	CHECK_RUN(opening_closing_and_flushing_at_once);
	unlink(path);
	unlink(other_path);
	return check.failed;
}
