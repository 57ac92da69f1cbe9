/* SPDX-License-Identifier: BSD-2-Clause */
/* posix_spawn.c - starting programs and waiting for them: arguments, environment, descriptors, working directory,
 * status. The children are this program again, told by argv[1] what to do. Builds on Linux too, where it must pass as
 * well. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

extern char **environ;
static char *own_path;
static char file_name[64];

/* ---- The children ---- */

static int count_arguments(int argc, char **argv)
{
	size_t total = 0;

	for (int i = 2; i < argc; i++)
		total += strlen(argv[i]) + (size_t)i;
	return (int)(total % 200);
}

static int check_environment(void)
{
	const char *value = getenv("GREETING");

	if (value == NULL || strcmp(value, "hello = world") != 0 || getenv("HOME") != NULL)
		return 1;
	if (setenv("NEW", "1", 1) != 0 || strcmp(getenv("NEW"), "1") != 0)
		return 2;
	return 0;
}

static int copy_input(void)
{
	char buffer[100];
	ssize_t done;

	while ((done = read(0, buffer, sizeof(buffer))) > 0) {
		if (write(1, buffer, (size_t)done) != done)
			return 1;
	}
	return done < 0 ? 2 : 0;
}

static int print_folder(void)
{
	char path[PATH_MAX];

	return getcwd(path, sizeof(path)) != NULL && strcmp(path, "/tmp") == 0 ? 0 : 1;
}

static int be_child(int argc, char **argv)
{
	if (strcmp(argv[1], "exit") == 0)
		exit(atoi(argv[2]));
	if (strcmp(argv[1], "count") == 0)
		return count_arguments(argc, argv);
	if (strcmp(argv[1], "environment") == 0)
		return check_environment();
	if (strcmp(argv[1], "copy") == 0)
		return copy_input();
	if (strcmp(argv[1], "folder") == 0)
		return print_folder();
	if (strcmp(argv[1], "closed") == 0)
		return fcntl(atoi(argv[2]), F_GETFD) == -1 && errno == EBADF ? 0 : 1;
	if (strcmp(argv[1], "sleep") == 0)
		return usleep(100000);
	if (strcmp(argv[1], "abort") == 0)
		abort();
	return 99;
}

/* ---- The parent ---- */

static int spawn_with(const posix_spawn_file_actions_t *actions, char *const env[], const char *what, const char *more,
					  pid_t *pid)
{
	char *arguments[] = { own_path, (char *)(uintptr_t)what, (char *)(uintptr_t)more, NULL };

	return posix_spawn(pid, own_path, actions, NULL, arguments, env);
}

/* The exit status of a child; -1 if it could not be started or did not end well. */
static int run(const posix_spawn_file_actions_t *actions, char *const env[], const char *what, const char *more)
{
	int status;
	pid_t pid;

	if (spawn_with(actions, env, what, more, &pid) != 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_status(void)
{
	CHECK_EQUAL(run(NULL, environ, "exit", "0"), 0);
	CHECK_EQUAL(run(NULL, environ, "exit", "7"), 7);
	CHECK_EQUAL(run(NULL, environ, "exit", "255"), 255);
	for (int i = 0; i < 20; i++)
		CHECK_EQUAL(run(NULL, environ, "exit", "3"), 3);
}

static void test_arguments(void)
{
	enum { COUNT = 300 };
	char *arguments[COUNT + 1], text[COUNT][16];
	size_t total = 0;
	int status;
	pid_t pid;

	for (int i = 0; i < COUNT; i++) {
		snprintf(text[i], sizeof(text[i]), "%.*s", i % 15, "abcdefghijklmno");
		arguments[i] = text[i];
		if (i >= 2)
			total += strlen(text[i]) + (size_t)i;
	}
	arguments[0] = own_path;
	arguments[1] = "count";
	arguments[COUNT] = NULL;
	CHECK_EQUAL(posix_spawn(&pid, own_path, NULL, NULL, arguments, environ), 0);
	CHECK_EQUAL(waitpid(pid, &status, 0), pid);
	CHECK_EQUAL(WEXITSTATUS(status), total % 200);
}

static void test_environment(void)
{
	char *env[] = { "GREETING=hello = world", "OTHER=", NULL };

	CHECK_EQUAL(run(NULL, env, "environment", NULL), 0);
}

static void test_redirect(void)
{
	static const char text[] = "what the child reads on 0, it writes on 1\n";
	posix_spawn_file_actions_t actions;
	char out_name[80], buffer[100];

	snprintf(out_name, sizeof(out_name), "%s.out", file_name);
	int in = open(file_name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(in >= 0);
	CHECK_EQUAL(write(in, text, sizeof(text) - 1), sizeof(text) - 1);
	CHECK_EQUAL(lseek(in, 5, SEEK_SET), 5);
	CHECK_EQUAL(posix_spawn_file_actions_init(&actions), 0);
	CHECK_EQUAL(posix_spawn_file_actions_adddup2(&actions, in, 0), 0);
	CHECK_EQUAL(posix_spawn_file_actions_addopen(&actions, 1, out_name, O_WRONLY | O_CREAT | O_TRUNC, 0600), 0);
	CHECK_EQUAL(run(&actions, environ, "copy", NULL), 0);
	CHECK_EQUAL(posix_spawn_file_actions_destroy(&actions), 0);
	CHECK_EQUAL(close(in), 0);
	int out = open(out_name, O_RDONLY);
	CHECK(out >= 0);
	CHECK_EQUAL(read(out, buffer, sizeof(buffer)), sizeof(text) - 1 - 5);
	CHECK(memcmp(buffer, text + 5, sizeof(text) - 1 - 5) == 0);
	CHECK_EQUAL(close(out), 0);
	CHECK_EQUAL(unlink(out_name), 0);
	CHECK_EQUAL(unlink(file_name), 0);
}

static void test_descriptors(void)
{
	posix_spawn_file_actions_t actions;
	int fd = open(file_name, O_RDWR | O_CREAT, 0600);
	char number[16];

	CHECK(fd >= 0);
	snprintf(number, sizeof(number), "%d", fd);
	CHECK_EQUAL(run(NULL, environ, "closed", number), 1);
	CHECK_EQUAL(posix_spawn_file_actions_init(&actions), 0);
	CHECK_EQUAL(posix_spawn_file_actions_addclose(&actions, fd), 0);
	CHECK_EQUAL(run(&actions, environ, "closed", number), 0);
	CHECK_EQUAL(posix_spawn_file_actions_destroy(&actions), 0);
	CHECK_EQUAL(fcntl(fd, F_SETFD, FD_CLOEXEC), 0);
	CHECK_EQUAL(run(NULL, environ, "closed", number), 0);
	CHECK_EQUAL(close(fd), 0);
	CHECK_EQUAL(unlink(file_name), 0);
}

static void test_folder(void)
{
	posix_spawn_file_actions_t actions;

	CHECK_EQUAL(posix_spawn_file_actions_init(&actions), 0);
	CHECK_EQUAL(posix_spawn_file_actions_addchdir_np(&actions, "/tmp"), 0);
	CHECK_EQUAL(run(&actions, environ, "folder", NULL), 0);
	CHECK_EQUAL(posix_spawn_file_actions_destroy(&actions), 0);
}

static void test_wait(void)
{
	int status, ended = 0;
	pid_t pids[4];

	CHECK(waitpid(-1, &status, WNOHANG) == -1 && errno == ECHILD);
	CHECK_EQUAL(spawn_with(NULL, environ, "sleep", NULL, &pids[0]), 0);
	CHECK_EQUAL(waitpid(pids[0], &status, WNOHANG), 0);
	CHECK_EQUAL(waitpid(pids[0], &status, 0), pids[0]);
	CHECK(waitpid(pids[0], &status, 0) == -1 && errno == ECHILD);
	for (int i = 0; i < 4; i++)
		CHECK_EQUAL(spawn_with(NULL, environ, "sleep", NULL, &pids[i]), 0);
	while (wait(&status) > 0)
		ended++;
	CHECK_EQUAL(errno, ECHILD);
	CHECK_EQUAL(ended, 4);
}

static void test_refused(void)
{
	char *arguments[] = { file_name, NULL };
	char junk[5000];
	pid_t pid;

	CHECK_EQUAL(posix_spawn(&pid, "/tmp/there/is/none", NULL, NULL, arguments, environ), ENOENT);
	memset(junk, 'j', sizeof(junk));
	for (int i = 0; i < 3; i++) {
		int fd = open(file_name, O_WRONLY | O_CREAT | O_TRUNC, 0700);
		CHECK(fd >= 0);
		if (i > 0)
			memcpy(junk, "\177ELF\2\1\1", 7);
		CHECK(write(fd, junk, i == 1 ? 30 : sizeof(junk)) > 0);
		CHECK_EQUAL(close(fd), 0);
		CHECK_EQUAL(posix_spawn(&pid, file_name, NULL, NULL, arguments, environ), ENOEXEC);
	}
	CHECK_EQUAL(unlink(file_name), 0);
}

static void test_abort(void)
{
	int status;
	pid_t pid;

	CHECK_EQUAL(spawn_with(NULL, environ, "abort", NULL, &pid), 0);
	CHECK_EQUAL(waitpid(pid, &status, 0), pid);
	CHECK(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
}

int main(int argc, char **argv)
{
	own_path = argv[0];
	if (argc > 1)
		return be_child(argc, argv);
	snprintf(file_name, sizeof(file_name), "/tmp/posix_spawn.%d", (int)getpid());
	CHECK_RUN(test_status);
	CHECK_RUN(test_arguments);
	CHECK_RUN(test_environment);
	CHECK_RUN(test_redirect);
	CHECK_RUN(test_descriptors);
	CHECK_RUN(test_folder);
	CHECK_RUN(test_wait);
	CHECK_RUN(test_refused);
	CHECK_RUN(test_abort);
	return check.failed;
}
