/* SPDX-License-Identifier: BSD-2-Clause */
/* native_linux.c - what only Linux has: its null call, and the ways in which two processes there
 * call each other, both on CPU 0. Built instead of lintel/ by the host's compiler. */
#include "../bench.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
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

/* A static program of glibc's does a lot before its main: where there is a smaller one, Linux has the better of it. */
const char *native_tiny_program(void)
{
	static const char tiny[] = "/bin/tiny";
	return access(tiny, X_OK) ? bench_program : tiny;
}

bool native_child(int argc, char **argv, int *status)
{
	if (argc < 3 || strcmp(argv[1], CHILD_WORD))
		return false;
	*status = CHILD_STATUS;
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

int native_pin(pthread_t thread, bool pinned)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	for (unsigned cpu = 0; cpu < (pinned ? 1 : native_cpus()); cpu++)
		CPU_SET(cpu, &set);
	return pthread_setaffinity_np(thread, sizeof set, &set);
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

static bool start_echo(struct bench *b, int to_child[2], int from_child[2])
{
	native_pin(pthread_self(), true);
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
	native_pin(pthread_self(), false);
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

/* ---- Two processes that wake each other: a word of memory that they share, and futexes on it ---- */

static struct ball {
	uint32_t turn; /* [a] futex: 0 the measuring process's, 1 the child's */
	uint32_t turns;
} *ball;

static void pass_ball(uint32_t to)
{
	__atomic_store_n(&ball->turn, to, __ATOMIC_RELEASE);
	syscall(SYS_futex, &ball->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void await_ball(uint32_t mine)
{
	while (__atomic_load_n(&ball->turn, __ATOMIC_ACQUIRE) != mine)
		syscall(SYS_futex, &ball->turn, FUTEX_WAIT, !mine, NULL, NULL, 0);
}

static bool start_ball(struct bench *b)
{
	void *memory = mmap(NULL, sizeof *ball, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return bench_fail(b, "mmap", errno);
	ball = memory;
	native_pin(pthread_self(), true);
	echo.child = fork();
	if (echo.child < 0)
		return bench_fail(b, "fork", errno);
	while (!echo.child) { /* the child, until it is killed */
		await_ball(1);
		ball->turns++;
		pass_ball(0);
	}
	return true;
}

static bool play_ball(struct bench *b, uint64_t count)
{
	uint32_t before = ball->turns;
	for (uint64_t i = 0; i < count; i++) {
		pass_ball(1);
		await_ball(0);
	}
	return ball->turns - before == count || bench_fail(b, "the other process missed a turn", 0);
}

static void stop_ball(struct bench *b)
{
	stop_echo(b);
	if (ball)
		munmap(ball, sizeof *ball);
	ball = NULL;
}

/* ---- Processes ---- */

static bool wait_for(struct bench *b, pid_t child, int wanted)
{
	int status = 0;
	return (child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == wanted) ||
		   bench_fail(b, "the child", errno);
}

static pid_t start_in_copy(const char *program, char *const argv[])
{
	pid_t child = fork();
	if (!child) {
		execv(program, argv);
		_exit(1);
	}
	return child;
}

/* In a child that borrows the memory: what posix_spawn does, but for its care for signals. */
static pid_t start_in_loan(const char *program, char *const argv[])
{
	pid_t child = vfork();
	if (!child) {
		execv(program, argv);
		_exit(1);
	}
	return child;
}

static bool start_and_wait(struct bench *b, uint64_t count, pid_t (*start)(const char *, char *const *))
{
	const char *program = native_tiny_program();
	char *argv[] = { (char *)(uintptr_t)program, (char *)(uintptr_t)CHILD_WORD, (char *)(uintptr_t)"exit", NULL };
	for (uint64_t i = 0; i < count; i++) {
		if (!wait_for(b, start(program, argv), CHILD_STATUS))
			return false;
	}
	return true;
}

static bool vfork_exec_wait(struct bench *b, uint64_t count)
{
	return start_and_wait(b, count, start_in_loan);
}

static bool fork_exec_wait(struct bench *b, uint64_t count)
{
	return start_and_wait(b, count, start_in_copy);
}

static bool fork_wait(struct bench *b, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		pid_t child = fork();
		if (!child)
			_exit(0);
		if (!wait_for(b, child, 0))
			return false;
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
	{ .id = "futex_round_trip", .what = "futex in shared memory, there and back", .count = 1000,
	  .setup = start_ball, .body = play_ball, .teardown = stop_ball },
	{ .id = "vfork_exec_wait", .what = "vfork + exec of a tiny program + wait", .count = 10, .body = vfork_exec_wait },
	{ .id = "fork_exec_wait", .what = "fork + exec of a tiny program + wait", .count = 10, .body = fork_exec_wait },
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
