/* SPDX-License-Identifier: BSD-2-Clause */
/* restart.c - a program whose file system's server dies and comes again while it runs. tests/system/test_restart.py
 * ends memfs between `start`, which leaves a child behind that waits for that, and `join`, which waits for the child.
 * Without an argument it checks what can be seen alone. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <lintel/init_client.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HELD "/tmp/restart.held"
#define DONE "/tmp/restart.done"

static int file = -1;

/* Until somebody has ended the server of /tmp; true if that was seen. */
static bool server_died(void)
{
	const char *prefix;
	handle_t door = HANDLE_NONE;
	uint32_t seen;

	for (uint32_t i = 0; lintel_mount_get(i, &prefix, &door) == OK && strcmp(prefix, "/tmp") != 0; i++)
		;
	return lintel_object_wait(door, SIGNAL_PEER_DIED, lintel_clock_ns() + 20000000000ull, &seen) == OK;
}

static void open_files_are_lost(void)
{
	char buffer[8];
	struct stat st;

	CHECK(file >= 0);
	CHECK(read(file, buffer, sizeof(buffer)) == -1 && errno == EIO);
	CHECK(pwrite(file, "x", 1, 0) == -1 && errno == EIO);
	CHECK(fstat(file, &st) == -1 && errno == EIO);
	close(file);
}

static void names_work_again(void)
{
	char buffer[8] = "";
	struct stat st;

	CHECK(stat("/tmp/restart", &st) == -1 && errno == ENOENT); /* what it held in memory went with it */
	CHECK_EQUAL(mkdir("/tmp/restart", 0755), 0);
	int fd = open("/tmp/restart/file", O_RDWR | O_CREAT, 0644);
	CHECK(fd >= 0);
	CHECK_EQUAL(write(fd, "again", 5), 5);
	CHECK_EQUAL(pread(fd, buffer, 5, 0), 5);
	CHECK(strcmp(buffer, "again") == 0);
	CHECK_EQUAL(close(fd), 0);
	CHECK_EQUAL(rename("/tmp/restart/file", "/tmp/restart/other"), 0);
	CHECK_EQUAL(unlink("/tmp/restart/other"), 0);
	CHECK_EQUAL(rmdir("/tmp/restart"), 0);
}

static void the_door_for_programs_opens_mounts_only(void)
{
	handle_t init = lintel_startup_named(STARTUP_SERVICE, "mounts"), door;

	CHECK(lintel_startup_named(STARTUP_SERVICE, "init") == HANDLE_NONE);
	CHECK(init != HANDLE_NONE);
	CHECK_EQUAL(init_service_open(init, "/tmp", &door), OK);
	lintel_handle_close(door);
	CHECK_EQUAL(init_service_open(init, "console", &door), ERR_DENIED);
	CHECK_EQUAL(init_service_open(init, "none", &door), ERR_NOT_FOUND);
	CHECK_EQUAL(init_service_start(init, "memfs"), ERR_DENIED);
	CHECK_EQUAL(init_service_stop(init, "memfs"), ERR_DENIED);
	CHECK_EQUAL(init_shutdown(init, 0, 0), ERR_DENIED);
	CHECK_EQUAL(init_mounts_door(init, &door), ERR_DENIED);
}

static bool appears(const char *path)
{
	struct stat st;

	for (int i = 0; i < 2000; i++) {
		if (stat(path, &st) == 0)
			return true;
		usleep(10000);
	}
	printf("not ok restart: %s does not appear\n", path);
	return false;
}

static int wait_and_check(void)
{
	file = open(HELD, O_RDWR | O_CREAT, 0644);
	if (!server_died()) {
		printf("not ok restart: nobody ended the server\n");
		return 1;
	}
	CHECK_RUN(open_files_are_lost);
	CHECK_RUN(names_work_again);
	close(open(DONE, O_WRONLY | O_CREAT, 0644));
	return check.failed;
}

static int start_child(void)
{
	char program[] = "/boot/bin/restart", role[] = "wait";
	char *arguments[] = { program, role, NULL };
	const struct spawn_request request = { .path = program, .argv = arguments };
	handle_t process;

	if (lintel_spawn(&request, &process) != OK)
		return 1;
	lintel_handle_close(process);
	return appears(HELD) ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "start") == 0)
		return start_child();
	if (argc > 1 && strcmp(argv[1], "join") == 0)
		return appears(DONE) ? 0 : 1;
	if (argc > 1)
		return wait_and_check();
	CHECK_RUN(the_door_for_programs_opens_mounts_only);
	return check.failed;
}
