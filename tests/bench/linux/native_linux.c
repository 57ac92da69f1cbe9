/* SPDX-License-Identifier: BSD-2-Clause */
/* native_linux.c - what only Linux has: its null call, and the ways in which two processes there
 * call each other, both on CPU 0. Built instead of lintel/ by the host's compiler. */
#include "../bench.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

const char *bench_program = "/proc/self/exe";

bool native_child(int argc, char **argv, int *status)
{
	if (argc < 3 || strcmp(argv[1], CHILD_WORD))
		return false;
	*status = 7;
	return true;
}

void native_use_large_pages(void *memory, size_t bytes, bool large)
{
	madvise(memory, bytes, large ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

void native_reserve(int fd, uint64_t bytes)
{
	if (posix_fallocate(fd, 0, (off_t)bytes))
		return; /* then it is allocated in the pieces that are written */
}

unsigned native_cpus(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	return cpus > 0 ? (unsigned)cpus : 1;
}

static bool null_call(struct bench *b, uint64_t count)
{
	(void)b;
	for (uint64_t i = 0; i < count; i++)
		syscall(SYS_getppid);
	return true;
}

/* A child that answers each 8-byte number with the next. Ends when its input does. */
static struct {
	pid_t child;
	int to, from;
} echo = { .child = -1, .to = -1, .from = -1 };

static void answer(int in, int out)
{
	uint64_t number;
	while (read(in, &number, 8) == 8) {
		number++;
		if (write(out, &number, 8) != 8)
			break;
	}
	_exit(0);
}

static void pin_to_cpu_0(void)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	sched_setaffinity(0, sizeof set, &set);
}

static bool start_echo(struct bench *b, int to_child[2], int from_child[2])
{
	pin_to_cpu_0();
	echo.child = fork();
	if (echo.child < 0)
		return bench_fail(b, "fork", errno);
	if (!echo.child) {
		close(to_child[1]);
		close(from_child[0]);
		answer(to_child[0], from_child[1]);
	}
	close(to_child[0]);
	close(from_child[1]);
	echo.to = to_child[1];
	echo.from = from_child[0];
	return true;
}

static bool start_pipe(struct bench *b)
{
	int to[2], from[2];
	if (pipe(to) || pipe(from))
		return bench_fail(b, "pipe", errno);
	return start_echo(b, to, from);
}

static bool start_socket(struct bench *b)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return bench_fail(b, "socketpair", errno);
	int to[2] = { pair[0], pair[1] }, from[2] = { dup(pair[1]), dup(pair[0]) };
	return start_echo(b, to, from);
}

/* An eventfd's sum is read and reset at once, so a number goes through unchanged. */
static bool start_eventfd(struct bench *b)
{
	int there = eventfd(0, 0), back = eventfd(0, 0);
	if (there < 0 || back < 0)
		return bench_fail(b, "eventfd", errno);
	int to[2] = { there, dup(there) }, from[2] = { back, dup(back) };
	return start_echo(b, to, from);
}

static void stop_echo(struct bench *b)
{
	(void)b;
	if (echo.to >= 0)
		close(echo.to);
	if (echo.from >= 0)
		close(echo.from);
	if (echo.child > 0) {
		kill(echo.child, 9);
		waitpid(echo.child, NULL, 0);
	}
	echo.child = echo.to = echo.from = -1;
}

static bool round_trip(struct bench *b, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t number = i + 1;
		if (write(echo.to, &number, 8) != 8 || read(echo.from, &number, 8) != 8)
			return bench_fail(b, "the round trip", errno);
		if (number != i + 2)
			return bench_fail(b, "the answer is wrong", 0);
	}
	return true;
}

static bool fork_wait(struct bench *b, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		int status = 1;
		pid_t child = fork();
		if (!child)
			_exit(0);
		if (child < 0 || waitpid(child, &status, 0) != child || status)
			return bench_fail(b, "fork", errno);
	}
	return true;
}

static const struct row rows[] = {
	{ .id = "null_call", .what = "getppid", .count = 5000, .body = null_call },
	{ .id = "pipe_round_trip", .what = "pipe, there and back", .count = 1000, .setup = start_pipe,
	  .body = round_trip, .teardown = stop_echo },
	{ .id = "socket_round_trip", .what = "unix socket, there and back", .count = 1000,
	  .setup = start_socket, .body = round_trip, .teardown = stop_echo },
	{ .id = "eventfd_round_trip", .what = "eventfd, there and back", .count = 1000,
	  .setup = start_eventfd, .body = round_trip, .teardown = stop_echo },
	{ .id = "fork_wait", .what = "fork + exit + wait", .count = 50, .body = fork_wait },
};
const struct row_group native_rows = { rows, sizeof rows / sizeof rows[0] };
const struct row_group native_wake_rows = { NULL, 0 };
const struct row_group native_scaling_rows = { NULL, 0 };

bool native_costs(struct costs *out)
{
	(void)out;
	return false;
}
