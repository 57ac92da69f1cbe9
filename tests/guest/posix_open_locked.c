/* SPDX-License-Identifier: BSD-2-Clause */
/* posix_open_locked.c - O_SHLOCK and O_EXLOCK: files that are locked before there is a descriptor; and what
 * exclusively open means for others that use the file without calls. Children are this program again, told by argv[1]
 * what to do. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lintel/process.h>
#include <lintel/syscalls.h>

#include "check.h"

#define WARM 20        /* reads after which a file is leased */
#define PATIENCE 10000 /* ms: a hang detector */

extern char **environ;
static char *own_path;
static char data[64], marker[64];

static int put(const char *text)
{
	int fd = open(data, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? fd : -1;
}

static off_t size_now(void)
{
	struct stat st;

	return stat(data, &st) == 0 ? st.st_size : -1;
}

static bool locked_against(int lock)
{
	int fd = open(data, O_RDWR | lock | O_NONBLOCK);

	if (fd >= 0)
		close(fd);
	return fd < 0 && errno == EWOULDBLOCK;
}

/* ---- The children ---- */

static void doors_close(void)
{
	for (handle_t generation = 0; generation < 64; generation++) {
		for (handle_t index = 0; index < 64; index++) {
			handle_t handle = generation << HANDLE_INDEX_BITS | index;
			uint64_t info;
			if (lintel_handle_info(handle, &info) == OK && (uint32_t)info == OBJECT_DOOR)
				(void)!lintel_handle_close(handle);
		}
	}
}

static bool reads(int fd)
{
	char byte;

	return pread(fd, &byte, 1, 0) == 1;
}

static bool wait_until(int fd, bool wanted)
{
	for (int i = 0; i < PATIENCE; i++, usleep(1000))
		if (reads(fd) == wanted)
			return true;
	return false;
}

/* Without a door it can read only what it need not ask for: first it can, then, for some time, it cannot. */
static int be_reader(void)
{
	int fd = open(data, O_RDONLY);

	for (int i = 0; i < WARM; i++)
		if (!reads(fd))
			return 90;
	close(open(marker, O_WRONLY | O_CREAT, 0600));
	doors_close();
	if (!reads(fd))
		return 91;
	if (!wait_until(fd, false))
		return 92;
	return wait_until(fd, true) ? 0 : 93;
}

static int be_child(char **argv)
{
	snprintf(data, sizeof(data), "%s", argv[2]);
	snprintf(marker, sizeof(marker), "%s", argv[3]);
	if (strcmp(argv[1], "read") == 0)
		return be_reader();
	if (open(data, O_RDWR | O_EXLOCK) < 0)
		return 94;
	close(open(marker, O_WRONLY | O_CREAT, 0600));
	usleep(50000);
	_exit(0); /* and the lock goes with us */
}

static pid_t child_start(const char *what)
{
	char *argv[] = { own_path, (char *)(uintptr_t)what, data, marker, NULL };
	pid_t pid;

	if (posix_spawn(&pid, own_path, NULL, NULL, argv, environ) != 0)
		return -1;
	for (int i = 0; i < PATIENCE && access(marker, F_OK) != 0; i++)
		usleep(1000);
	unlink(marker);
	return pid;
}

static int child_end(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- Locks ---- */

static void who_gets_in(void)
{
	int plain = put("text"), one = open(data, O_RDWR | O_EXLOCK), two;

	CHECK(plain >= 0 && one >= 0);
	CHECK_EQUAL(fcntl(one, F_GETFL) & (O_EXLOCK | O_SHLOCK), 0);
	CHECK(locked_against(O_EXLOCK) && locked_against(O_SHLOCK));
	CHECK(flock(plain, LOCK_SH | LOCK_NB) == -1 && errno == EWOULDBLOCK);
	CHECK_EQUAL(write(plain, "more", 4), 4); /* advisory */
	CHECK_EQUAL(flock(one, LOCK_SH), 0);
	two = open(data, O_RDONLY | O_SHLOCK);
	CHECK(two >= 0 && locked_against(O_EXLOCK));
	CHECK_EQUAL(close(one), 0);
	CHECK(locked_against(O_EXLOCK));
	CHECK_EQUAL(close(two), 0);
	CHECK(!locked_against(O_EXLOCK));
	CHECK_EQUAL(flock(plain, LOCK_EX | LOCK_NB), 0);
	CHECK(locked_against(O_EXLOCK) && locked_against(O_SHLOCK));
	CHECK_EQUAL(close(plain), 0);
}

static void what_cannot_be(void)
{
	CHECK(open(data, O_RDWR | O_EXLOCK | O_SHLOCK) == -1 && errno == EINVAL);
	CHECK(open("/boot/bin/init", O_RDONLY | O_SHLOCK) == -1 && errno == EOPNOTSUPP);
	CHECK(open("/boot/bin/init", O_RDONLY | O_EXLOCK) == -1 && errno == EOPNOTSUPP);
	CHECK(open("/", O_RDONLY | O_EXLOCK) == -1 && errno == EOPNOTSUPP);
	unlink(data);
	CHECK(open(data, O_RDWR | O_EXLOCK) == -1 && errno == ENOENT);
}

static void nothing_before_the_lock(void)
{
	int one = put("contents"), two;

	CHECK(one >= 0 && flock(one, LOCK_SH) == 0);
	CHECK(open(data, O_RDWR | O_TRUNC | O_EXLOCK | O_NONBLOCK) == -1 && errno == EWOULDBLOCK);
	CHECK_EQUAL(size_now(), 8);
	two = open(data, O_RDONLY | O_TRUNC | O_SHLOCK);
	CHECK(two >= 0 && size_now() == 8);
	CHECK_EQUAL(close(two), 0);
	CHECK_EQUAL(close(one), 0);
	one = open(data, O_RDWR | O_TRUNC | O_EXLOCK | O_NONBLOCK);
	CHECK(one >= 0 && size_now() == 0);
	CHECK_EQUAL(close(one), 0);
	unlink(data);
	one = open(data, O_RDWR | O_CREAT | O_EXCL | O_EXLOCK, 0600);
	CHECK(one >= 0 && locked_against(O_SHLOCK));
	CHECK(open(data, O_RDWR | O_CREAT | O_EXCL | O_EXLOCK, 0600) == -1 && errno == EEXIST);
	CHECK_EQUAL(close(one), 0);
}

static int waited = -1;

static void *open_waiting(void *unused)
{
	int fd = open(data, O_RDWR | O_EXLOCK | O_TRUNC);

	__atomic_store_n(&waited, fd, __ATOMIC_SEQ_CST);
	return unused;
}

static void waiting(void)
{
	int one = put("contents");
	pthread_t thread;

	CHECK(one >= 0 && flock(one, LOCK_EX) == 0);
	CHECK_EQUAL(pthread_create(&thread, NULL, open_waiting, NULL), 0);
	usleep(50000);
	CHECK_EQUAL(__atomic_load_n(&waited, __ATOMIC_SEQ_CST), -1);
	CHECK_EQUAL(size_now(), 8);
	CHECK_EQUAL(close(one), 0);
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	CHECK(waited >= 0 && size_now() == 0 && locked_against(O_SHLOCK));
	CHECK_EQUAL(close(waited), 0);
	waited = -1;
	CHECK(!locked_against(O_EXLOCK));
}

static void death(void)
{
	int plain = put("text");
	pid_t pid = child_start("hold");

	CHECK(plain >= 0 && pid > 0 && locked_against(O_SHLOCK));
	int fd = open(data, O_RDWR | O_EXLOCK);
	CHECK(fd >= 0 && locked_against(O_SHLOCK));
	CHECK_EQUAL(child_end(pid), 0);
	CHECK_EQUAL(close(fd), 0);
	CHECK_EQUAL(close(plain), 0);
}

/* ---- Leases ---- */

enum end { BY_CLOSE, BY_UNLOCK, BY_SHARING };

static void shut_and_open(enum end end)
{
	int plain = put("contents");
	pid_t pid = child_start("read");

	CHECK(plain >= 0 && pid > 0);
	usleep(20000); /* it reads, and asks nobody */
	int fd = open(data, O_RDWR | O_EXLOCK);
	CHECK(fd >= 0);
	CHECK_EQUAL(pwrite(plain, "C", 1, 0), 1); /* changes publish: it stays shut */
	usleep(50000);
	if (end == BY_CLOSE)
		CHECK_EQUAL(close(fd), 0);
	else
		CHECK_EQUAL(flock(fd, end == BY_UNLOCK ? LOCK_UN : LOCK_SH), 0);
	CHECK_EQUAL(child_end(pid), 0);
	if (end != BY_CLOSE)
		CHECK_EQUAL(close(fd), 0);
	CHECK_EQUAL(close(plain), 0);
}

static void leases_until_the_close(void)
{
	shut_and_open(BY_CLOSE);
}

static void leases_until_the_unlock(void)
{
	shut_and_open(BY_UNLOCK);
}

static void leases_until_it_is_shared(void)
{
	shut_and_open(BY_SHARING);
}

/* Who waited for the lock has the file exclusively open, too; and whoever dies lets the others go on. */
static void leases_after_a_wait(void)
{
	int plain = put("contents");
	pid_t reader = child_start("read"), holder;

	CHECK(plain >= 0 && reader > 0 && flock(plain, LOCK_EX) == 0);
	int free = open(data, O_RDWR);
	pid_t pid;
	char *argv[] = { own_path, (char *)(uintptr_t)"hold", data, marker, NULL };
	CHECK(free >= 0 && posix_spawn(&pid, own_path, NULL, NULL, argv, environ) == 0);
	usleep(50000); /* flock alone shuts nothing: the reader would be at its end */
	CHECK_EQUAL(waitpid(reader, NULL, WNOHANG), 0);
	CHECK_EQUAL(flock(plain, LOCK_UN), 0);
	holder = pid;
	CHECK_EQUAL(child_end(holder), 0);
	CHECK_EQUAL(child_end(reader), 0);
	unlink(marker);
	CHECK_EQUAL(close(free), 0);
	CHECK_EQUAL(close(plain), 0);
}

/* Everybody's calls see one file meanwhile, and mappings show it. */
static void meanwhile(void)
{
	int plain = put("contents"), fd;
	char byte = 0, *map = mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, plain, 0);

	CHECK(plain >= 0 && map != MAP_FAILED && map[0] == 'c');
	for (int i = 0; i < WARM; i++)
		CHECK(reads(plain));
	fd = open(data, O_RDWR | O_EXLOCK);
	CHECK(fd >= 0);
	for (int i = 0; i < 2 * WARM; i++) {
		const char now = (char)('a' + i % 26);
		CHECK_EQUAL(pwrite(i % 2 ? plain : fd, &now, 1, 1), 1);
		CHECK(pread(i % 2 ? fd : plain, &byte, 1, 1) == 1 && byte == now && map[1] == now);
		map[2] = now;
		CHECK(pread(plain, &byte, 1, 2) == 1 && byte == now);
	}
	CHECK_EQUAL(close(fd), 0);
	map[3] = '!';
	CHECK(pread(plain, &byte, 1, 3) == 1 && byte == '!');
	CHECK_EQUAL(munmap(map, 8), 0);
	CHECK_EQUAL(close(plain), 0);
}

static void run_in(const char *folder)
{
	snprintf(data, sizeof(data), "%s/open_locked", folder);
	snprintf(marker, sizeof(marker), "%s/open_locked_mark", folder);
	CHECK_RUN(who_gets_in);
	CHECK_RUN(what_cannot_be);
	CHECK_RUN(nothing_before_the_lock);
	CHECK_RUN(waiting);
	CHECK_RUN(death);
	CHECK_RUN(meanwhile);
}

int main(int argc, char **argv)
{
	if (argc > 3)
		return be_child(argv);
	own_path = argv[0];
	run_in("/tmp");
	unlink(data);
	if (access("/pmem", F_OK) == 0) {
		run_in("/pmem");
		CHECK_RUN(leases_until_the_close);
		CHECK_RUN(leases_until_the_unlock);
		CHECK_RUN(leases_until_it_is_shared);
		CHECK_RUN(leases_after_a_wait);
		unlink(data);
	}
	return check.failed;
}
