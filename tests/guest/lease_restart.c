/* SPDX-License-Identifier: BSD-2-Clause */
/* lease_restart.c - a program that uses leased files while their server is killed and started again, or unmounted.
 * tests/system/test_lease.py ends pmfs between `start`, which leaves a child behind that reads and writes, and `join`,
 * which waits for the child. Without an argument there is nothing to do. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEASED "/pmem/leased"
#define READY "/tmp/lease_restart.ready"
#define DONE "/tmp/lease_restart.done"
#define BYTES (64 * 4096)
#define SECONDS 20

static int file;
static char text[4 * 4096];

/* Reads and writes until that fails. The error, or 0 if it never did. */
static void *use_until_the_end(void *context)
{
	const bool writes = context != NULL;
	uint64_t end = lintel_clock_ns() + SECONDS * 1000000000ull;
	static _Thread_local char buffer[sizeof(text)];

	memset(buffer, 'L', sizeof(buffer));
	for (off_t at = 0; lintel_clock_ns() < end; at = (at + 1000) % (BYTES - (off_t)sizeof(buffer))) {
		ssize_t done = writes ? pwrite(file, buffer, sizeof(buffer), at) : pread(file, buffer, sizeof(buffer), at);
		if (done < 0)
			return (void *)(intptr_t)errno;
		if (done != (ssize_t)sizeof(buffer) || buffer[0] != 'L' || buffer[done - 1] != 'L')
			return (void *)-1;
	}
	return NULL;
}

static void uses_end_with_an_error(void)
{
	pthread_t thread[2];
	void *result[2];

	for (int i = 0; i < 2; i++)
		CHECK_EQUAL(pthread_create(&thread[i], NULL, use_until_the_end, i == 0 ? NULL : &file), 0);
	close(open(READY, O_WRONLY | O_CREAT, 0644));
	for (int i = 0; i < 2; i++)
		CHECK_EQUAL(pthread_join(thread[i], &result[i]), 0);
	CHECK_EQUAL((intptr_t)result[0], EIO);
	CHECK_EQUAL((intptr_t)result[1], EIO);
}

static void the_old_descriptor_stays_dead(void)
{
	struct stat st;

	for (int i = 0; i < 30; i++) {
		CHECK(pread(file, text, 8, 0) == -1 && errno == EIO);
		CHECK(pwrite(file, text, 8, 0) == -1 && errno == EIO);
		CHECK(read(file, text, 8) == -1 && errno == EIO);
		CHECK(fstat(file, &st) == -1 && errno == EIO);
		CHECK(lseek(file, 0, SEEK_END) == -1 && errno == EIO);
		CHECK(fsync(file) == -1 && errno == EIO);
	}
	CHECK_EQUAL(close(file), 0);
}

/* What was written is there: data does not go with the server that lent it. */
static void a_new_descriptor_is_leased_again(void)
{
	file = open(LEASED, O_RDWR);
	CHECK(file >= 0);
	for (off_t at = 0; at < BYTES; at += (off_t)sizeof(text)) {
		CHECK_EQUAL(pread(file, text, sizeof(text), at), sizeof(text));
		for (size_t i = 0; i < sizeof(text); i++)
			CHECK_EQUAL(text[i], 'L');
	}
	CHECK_EQUAL(pwrite(file, "again", 5, 0), 5);
	CHECK_EQUAL(pread(file, text, 5, 0), 5);
	CHECK_EQUAL(close(file), 0);
}

static bool lease_a_file(void)
{
	memset(text, 'L', sizeof(text));
	file = open(LEASED, O_RDWR | O_CREAT | O_TRUNC, 0644);
	for (off_t at = 0; at < BYTES; at += (off_t)sizeof(text))
		if (pwrite(file, text, sizeof(text), at) != (ssize_t)sizeof(text))
			return false;
	for (int i = 0; i < 20; i++)
		if (pread(file, text, 8, 0) != 8)
			return false;
	return true;
}

static int use_and_check(bool unmounted)
{
	if (!lease_a_file()) {
		printf("not ok lease_restart: the file cannot be written\n");
		return 1;
	}
	CHECK_RUN(uses_end_with_an_error);
	CHECK_RUN(the_old_descriptor_stays_dead);
	if (!unmounted)
		CHECK_RUN(a_new_descriptor_is_leased_again);
	int done = open(DONE, O_WRONLY | O_CREAT, 0644);
	if (check.failed == 0)
		write(done, "well", 4);
	close(done);
	return check.failed;
}

static off_t wait_for(const char *path)
{
	struct stat st;

	for (int i = 0; i < 4000; i++) {
		if (stat(path, &st) == 0)
			return st.st_size;
		usleep(10000);
	}
	printf("not ok lease_restart: %s does not appear\n", path);
	return -1;
}

static int start_child(const char *how)
{
	char program[] = "/boot/bin/lease_restart";
	char *arguments[] = { program, (char *)(uintptr_t)how, NULL };
	const struct spawn_request request = { .path = program, .argv = arguments };
	handle_t process;

	unlink(READY);
	unlink(DONE);
	if (lintel_spawn(&request, &process) != OK)
		return 1;
	lintel_handle_close(process);
	return wait_for(READY) >= 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "start") == 0)
		return start_child(argv[2]);
	if (argc > 1 && strcmp(argv[1], "join") == 0) {
		usleep(50000);
		return wait_for(DONE) == 4 ? 0 : 1;
	}
	if (argc > 1)
		return use_and_check(strcmp(argv[1], "unmounted") == 0);
	printf("ok lease_restart waits for test_lease.py\n");
	return 0;
}
