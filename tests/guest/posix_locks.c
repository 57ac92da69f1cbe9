/* SPDX-License-Identifier: BSD-2-Clause */
/* posix_locks.c - record locks between processes, flock between open files: conflicts, waiting, circles, and what ends
 * them. The children are this program again, told by argv[1] what to do. Builds on Linux too, where it must pass as
 * well. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define CROWD 24 /* more than there are activations */

extern char **environ;
static char *own_path;
static const char *folder;
static char data[64], marker[64];

static int lock_do(int fd, int command, short type, off_t start, off_t len)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };

	return fcntl(fd, command, &lock);
}

static void mark(void)
{
	close(open(marker, O_WRONLY | O_CREAT, 0600));
}

static void marker_wait(void)
{
	while (access(marker, F_OK) != 0)
		usleep(2000);
	unlink(marker);
}

/* ---- The children: FILE MARKER START ---- */

static int be_child(char **argv)
{
	const off_t start = atoi(argv[4]);
	int fd = open(argv[2], O_RDWR);

	if (fd < 0)
		return 90;
	snprintf(marker, sizeof(marker), "%s", argv[3]);
	if (strcmp(argv[1], "try") == 0)
		return lock_do(fd, F_SETLK, F_WRLCK, start, 1) == 0 ? 0 : errno == EAGAIN || errno == EACCES ? 1 : 2;
	if (strcmp(argv[1], "flock") == 0)
		return flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno == EWOULDBLOCK ? 1 : 2;
	if (lock_do(fd, F_SETLK, F_WRLCK, start, 10) != 0)
		return 91;
	mark();
	if (strcmp(argv[1], "hold") == 0) {
		usleep(100000);
		return 0; /* and the lock goes with us */
	}
	return lock_do(fd, F_SETLKW, F_WRLCK, 0, 10) == 0 ? 0 : 92; /* "wait": for what the parent has */
}

static pid_t child_start(const char *what, int start)
{
	char number[16];
	char *argv[] = { own_path, (char *)what, data, marker, number, NULL };
	pid_t pid;

	snprintf(number, sizeof(number), "%d", start);
	return posix_spawn(&pid, own_path, NULL, NULL, argv, environ) == 0 ? pid : -1;
}

static int child_end(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- Record locks ---- */

static void record_between_processes(void)
{
	int fd = open(data, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	CHECK(fd >= 0);
	CHECK_EQUAL(lock_do(fd, F_SETLK, F_RDLCK, 10, 10), 0);
	CHECK_EQUAL(child_end(child_start("try", 9)), 0);
	CHECK_EQUAL(child_end(child_start("try", 10)), 1);
	CHECK_EQUAL(lock_do(fd, F_SETLK, F_UNLCK, 12, 2), 0);
	CHECK_EQUAL(child_end(child_start("try", 12)), 0);
	CHECK_EQUAL(child_end(child_start("try", 14)), 1);
	CHECK_EQUAL(fcntl(fd, F_GETLK, &lock), 0);
	CHECK_EQUAL(lock.l_type, F_UNLCK); /* our own are not in our way */
	close(fd);
}

static void record_requests(void)
{
	int fd = open(data, O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_EQUAL(lock_do(fd, F_SETLK, F_WRLCK, 0, 1), -1);
	CHECK_EQUAL(errno, EBADF);
	CHECK_EQUAL(lock_do(fd, F_SETLK, F_RDLCK, -5, 1), -1);
	CHECK_EQUAL(errno, EINVAL);
	CHECK_EQUAL(lock_do(fd, F_SETLK, 77, 0, 1), -1);
	CHECK_EQUAL(errno, EINVAL);
	CHECK_EQUAL(lock_do(fd, F_SETLK, F_RDLCK, 10, -10), 0); /* bytes 0 to 9 */
	CHECK_EQUAL(child_end(child_start("try", 0)), 1);
	CHECK_EQUAL(child_end(child_start("try", 10)), 0);
	CHECK_EQUAL(lock_do(fd, F_SETLK, F_RDLCK, 100, 0), 0); /* to the end, wherever that is */
	CHECK_EQUAL(child_end(child_start("try", 2000000000)), 1);
	CHECK_EQUAL(lock_do(fd, F_SETLK, F_UNLCK, 0, 0), 0);
	CHECK_EQUAL(child_end(child_start("try", 5)), 0);
	close(fd);
}

static void record_wait_for_death(void)
{
	int fd = open(data, O_RDWR | O_CLOEXEC);
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	pid_t pid = child_start("hold", 20);

	CHECK(fd >= 0 && pid > 0);
	marker_wait();
	CHECK_EQUAL(fcntl(fd, F_GETLK, &lock), 0);
	CHECK(lock.l_type == F_WRLCK && lock.l_start == 20 && lock.l_len == 10);
	CHECK_EQUAL(lock_do(fd, F_SETLK, F_WRLCK, 25, 1), -1);
	CHECK(errno == EAGAIN || errno == EACCES);
	CHECK_EQUAL(lock_do(fd, F_SETLKW, F_WRLCK, 0, 0), 0);
	CHECK_EQUAL(child_end(pid), 0);
	CHECK_EQUAL(child_end(child_start("try", 25)), 1);
	close(fd);
}

static void record_circle(void)
{
	int fd = open(data, O_RDWR | O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_EQUAL(lock_do(fd, F_SETLK, F_WRLCK, 0, 10), 0);
	pid_t pid = child_start("wait", 20);
	CHECK(pid > 0);
	marker_wait();
	usleep(100000); /* it waits for us now, or will before we can have what it has */
	CHECK_EQUAL(lock_do(fd, F_SETLKW, F_WRLCK, 20, 10), -1);
	CHECK_EQUAL(errno, EDEADLK);
	CHECK_EQUAL(lock_do(fd, F_SETLK, F_UNLCK, 0, 10), 0);
	CHECK_EQUAL(child_end(pid), 0);
	close(fd);
}

static void record_any_close_ends_them(void)
{
	int fd = open(data, O_RDWR | O_CLOEXEC), other = open(data, O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0 && other >= 0);
	CHECK_EQUAL(lock_do(fd, F_SETLK, F_WRLCK, 0, 10), 0);
	CHECK_EQUAL(child_end(child_start("try", 0)), 1);
	CHECK_EQUAL(close(other), 0);
	CHECK_EQUAL(child_end(child_start("try", 0)), 0);
	CHECK_EQUAL(lock_do(fd, F_SETLK, F_WRLCK, 0, 10), 0);
	CHECK_EQUAL(close(fcntl(fd, F_DUPFD_CLOEXEC, 0)), 0);
	CHECK_EQUAL(child_end(child_start("try", 0)), 0);
	close(fd);
}

/* ---- flock ---- */

static void flock_between_files(void)
{
	int a = open(data, O_RDWR | O_CLOEXEC), b = open(data, O_RDONLY | O_CLOEXEC), copy;

	CHECK(a >= 0 && b >= 0);
	CHECK_EQUAL(flock(a, LOCK_SH), 0);
	CHECK_EQUAL(flock(b, LOCK_SH | LOCK_NB), 0);
	CHECK_EQUAL(flock(a, LOCK_EX | LOCK_NB), -1);
	CHECK_EQUAL(errno, EWOULDBLOCK);
	CHECK_EQUAL(flock(b, LOCK_UN), 0);
	CHECK_EQUAL(flock(a, LOCK_EX | LOCK_NB), 0);
	CHECK_EQUAL(child_end(child_start("flock", 0)), 1);
	CHECK_EQUAL(child_end(child_start("try", 0)), 0); /* the two kinds do not meet */
	copy = fcntl(a, F_DUPFD_CLOEXEC, 0);
	CHECK_EQUAL(close(a), 0);
	CHECK_EQUAL(flock(b, LOCK_EX | LOCK_NB), -1); /* the copy keeps it */
	CHECK_EQUAL(close(copy), 0);
	CHECK_EQUAL(flock(b, LOCK_EX | LOCK_NB), 0);
	CHECK_EQUAL(flock(b, 0), -1);
	CHECK_EQUAL(errno, EINVAL);
	CHECK_EQUAL(close(b), 0);
	CHECK_EQUAL(child_end(child_start("flock", 0)), 0);
}

static int inside, overlaps, served; /* [a] */

static void *one_of_crowd(void *unused)
{
	int fd = open(data, O_RDONLY | O_CLOEXEC);

	if (flock(fd, LOCK_EX) == 0) {
		if (__atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST) != 1)
			__atomic_add_fetch(&overlaps, 1, __ATOMIC_SEQ_CST);
		usleep(1000);
		__atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
		__atomic_add_fetch(&served, 1, __ATOMIC_SEQ_CST);
	}
	close(fd);
	return unused;
}

/* Whoever waits is not inside the server: others are served meanwhile. */
static void flock_crowd(void)
{
	int fd = open(data, O_RDONLY | O_CLOEXEC);
	pthread_t thread[CROWD];
	struct stat st;

	CHECK(fd >= 0);
	CHECK_EQUAL(flock(fd, LOCK_EX), 0);
	for (int i = 0; i < CROWD; i++) {
		CHECK_EQUAL(pthread_create(&thread[i], NULL, one_of_crowd, NULL), 0);
		usleep(5000); /* one after the other, else the server starves, and gets activations that it keeps */
	}
	for (int i = 0; i < 100; i++)
		CHECK_EQUAL(stat(data, &st), 0);
	CHECK_EQUAL(__atomic_load_n(&served, __ATOMIC_SEQ_CST), 0);
	CHECK_EQUAL(flock(fd, LOCK_UN), 0);
	for (int i = 0; i < CROWD; i++)
		CHECK_EQUAL(pthread_join(thread[i], NULL), 0);
	CHECK_EQUAL(overlaps, 0);
	CHECK_EQUAL(served, CROWD);
	served = 0;
	close(fd);
}

static void run_in(const char *where)
{
	folder = where;
	snprintf(data, sizeof(data), "%s/posix_locks", folder);
	snprintf(marker, sizeof(marker), "%s/posix_locks_mark", folder);
	CHECK_RUN(record_between_processes);
	CHECK_RUN(record_requests);
	CHECK_RUN(record_wait_for_death);
	CHECK_RUN(record_circle);
	CHECK_RUN(record_any_close_ends_them);
	CHECK_RUN(flock_between_files);
	CHECK_RUN(flock_crowd);
	unlink(data);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return be_child(argv);
	own_path = argv[0];
	run_in("/tmp");
	if (access("/pmem", F_OK) == 0)
		run_in("/pmem");
	return check.failed;
}
