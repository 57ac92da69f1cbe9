/* SPDX-License-Identifier: BSD-2-Clause */
/* watches.c - being told of changes on pmfs: names, contents, attributes; waiting for them; losing some. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <lintel/watch.h>

#include "check.h"

#define FOLDER "/pmem/watched"
#define ALL (FS_EVENT_LOST - 1u)

static char told[512]; /* what a watch has told, as text */

static void tell(int fd)
{
	uint8_t records[1024];
	ssize_t bytes = lintel_watch_read(fd, records, sizeof(records));
	size_t used = 0;

	told[0] = 0;
	if (bytes < 0)
		snprintf(told, sizeof(told), "error %d", errno);
	for (ssize_t at = 0; at < bytes;) {
		const struct fs_event_record *r = (const void *)(records + at);
		used += (size_t)snprintf(told + used, sizeof(told) - used, "%u:%.*s ", (unsigned)r->events, (int)r->name_bytes,
				(const char *)(r + 1));
		at += r->record_bytes;
	}
}

#define CHECK_TOLD(fd, text)                                                        \
	do {                                                                        \
		tell(fd);                                                           \
		if (strcmp(told, text) != 0) {                                      \
			check_fail("line %d: told %s, not %s", __LINE__, told, text); \
			return;                                                     \
		}                                                                   \
	} while (0)

static bool happened(handle_t event)
{
	uint32_t seen = 0;

	return lintel_object_wait(event, LINTEL_WATCH_HAPPENED, lintel_clock_ns(), &seen) == OK;
}

static int touch(const char *path)
{
	return close(open(path, O_CREAT | O_WRONLY, 0644));
}

static void names(void)
{
	handle_t event;
	int fd = open(FOLDER, O_RDONLY);

	CHECK_TOLD(fd, "error 2");
	CHECK_EQUAL(lintel_watch(fd, ALL, &event), 0);
	CHECK(!happened(event));
	CHECK_TOLD(fd, "");
	CHECK_EQUAL(touch(FOLDER "/a"), 0);
	CHECK(happened(event));
	CHECK_EQUAL(mkdir(FOLDER "/d", 0755), 0);
	CHECK_EQUAL(link(FOLDER "/a", FOLDER "/b"), 0);
	CHECK_TOLD(fd, "1:a 1:d 1:b ");
	CHECK(!happened(event));
	CHECK_EQUAL(rename(FOLDER "/a", FOLDER "/c"), 0);
	CHECK_EQUAL(rename(FOLDER "/c", FOLDER "/d/a"), 0);
	CHECK_EQUAL(rename(FOLDER "/d/a", FOLDER "/a"), 0);
	CHECK_TOLD(fd, "4:a 8:c 4:c 8:a ");
	CHECK_EQUAL(unlink(FOLDER "/b"), 0);
	CHECK_EQUAL(rmdir(FOLDER "/d"), 0);
	CHECK_EQUAL(unlink(FOLDER "/a"), 0);
	CHECK_EQUAL(unlink(FOLDER "/a"), -1);
	CHECK_TOLD(fd, "2:b 2:d 2:a ");
	CHECK_EQUAL(close(fd), 0);
	lintel_handle_close(event);
}

static void contents(void)
{
	handle_t event;
	int fd = open(FOLDER "/f", O_RDONLY | O_CREAT, 0644), other = open(FOLDER "/f", O_WRONLY);

	CHECK(fd >= 0 && other >= 0);
	CHECK_EQUAL(lintel_watch(fd, ALL, &event), 0);
	CHECK_EQUAL(write(other, "abc", 3), 3);
	CHECK_EQUAL(write(other, "abc", 3), 3);
	CHECK_TOLD(fd, "16: "); /* the same again is told once */
	CHECK_EQUAL(ftruncate(other, 1), 0);
	CHECK_EQUAL(chmod(FOLDER "/f", 0600), 0);
	CHECK_EQUAL(setxattr(FOLDER "/f", "a", "b", 1, 0), 0);
	CHECK_EQUAL(touch(FOLDER "/g"), 0);
	CHECK_TOLD(fd, "16: 32: ");
	CHECK_EQUAL(rename(FOLDER "/f", FOLDER "/h"), 0);
	CHECK_EQUAL(rename(FOLDER "/g", FOLDER "/h"), 0);
	CHECK_TOLD(fd, "128: 64: ");
	lintel_handle_close(event);
	CHECK_EQUAL(lintel_watch(fd, FS_EVENT_ATTRIBUTES, &event), 0); /* other events, another handle */
	CHECK_EQUAL(write(other, "abc", 3), 3);
	CHECK_TOLD(fd, "");
	CHECK_EQUAL(lintel_watch(other, ALL, &event), -1);
	CHECK_EQUAL(errno, EACCES);
	CHECK_EQUAL(lintel_watch(fd, FS_EVENT_LOST, &event), -1);
	CHECK_EQUAL(errno, EINVAL);
	CHECK_EQUAL(close(fd), 0);
	CHECK_EQUAL(close(other), 0);
	CHECK_EQUAL(unlink(FOLDER "/h"), 0);
	lintel_handle_close(event);
}

static void *touch_later(void *unused)
{
	usleep(50000);
	touch(FOLDER "/later");
	return unused;
}

static void waiting(void)
{
	int fd = open(FOLDER, O_RDONLY);
	pthread_t thread;
	handle_t event;
	uint32_t seen;

	CHECK_EQUAL(lintel_watch(fd, FS_EVENT_CREATE, &event), 0);
	CHECK_EQUAL(pthread_create(&thread, NULL, touch_later, NULL), 0);
	CHECK_EQUAL(lintel_object_wait(event, LINTEL_WATCH_HAPPENED, DEADLINE_NEVER, &seen), OK);
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	CHECK_TOLD(fd, "1:later ");
	CHECK_EQUAL(unlink(FOLDER "/later"), 0);
	CHECK_TOLD(fd, ""); /* not asked for */
	CHECK_EQUAL(close(fd), 0);
	lintel_handle_close(event);
}

/* Nobody reads: the server goes on, and tells that something is missing, after what it has kept in order. */
static void losing(void)
{
	enum { MANY = 2000 };
	int fd = open(FOLDER, O_RDONLY), kept = 0;
	bool lost = false;
	char path[64];
	handle_t event;

	CHECK_EQUAL(lintel_watch(fd, FS_EVENT_CREATE | FS_EVENT_DELETE, &event), 0);
	for (int i = 0; i < MANY; i++) {
		snprintf(path, sizeof(path), FOLDER "/%d", i);
		CHECK_EQUAL(touch(path), 0);
		CHECK_EQUAL(unlink(path), 0);
	}
	while (happened(event)) {
		tell(fd);
		for (char *at = told; *at != 0; at = strchr(at, ' ') + 1) {
			char want[16];
			snprintf(want, sizeof(want), "%d:%d ", kept % 2 == 0 ? 1 : 2, kept / 2);
			CHECK(!lost);
			if (strncmp(at, "256: ", 5) == 0) {
				lost = true;
			} else {
				CHECK(strncmp(at, want, strlen(want)) == 0);
				kept++;
			}
		}
	}
	CHECK(lost && kept > 100 && kept < 2 * MANY);
	CHECK_EQUAL(touch(FOLDER "/again"), 0);
	CHECK_TOLD(fd, "1:again ");
	CHECK_EQUAL(unlink(FOLDER "/again"), 0);
	CHECK_EQUAL(close(fd), 0);
	lintel_handle_close(event);
}

static void limits(void)
{
	enum { MANY = 200 };
	int fd[MANY], given = 0;
	handle_t event[MANY];
	char little[8];

	for (int i = 0; i < MANY; i++) {
		fd[i] = open(FOLDER, O_RDONLY);
		given += lintel_watch(fd[i], ALL, &event[i]) == 0;
	}
	CHECK(given >= 100 && given < MANY); /* of one client */
	CHECK_EQUAL(touch(FOLDER "/x"), 0);
	CHECK_EQUAL(lintel_watch_read(fd[0], little, sizeof(little)), -1);
	CHECK_EQUAL(errno, EINVAL);
	CHECK_TOLD(fd[given - 1], "1:x ");
	for (int i = 0; i < MANY; i++)
		CHECK_EQUAL(close(fd[i]), 0);
	for (int i = 0; i < given; i++)
		lintel_handle_close(event[i]);
	CHECK_EQUAL(unlink(FOLDER "/x"), 0);
}

int main(void)
{
	if (access("/pmem", F_OK) != 0)
		return 0;
	mkdir(FOLDER, 0755);
	CHECK_RUN(names);
	CHECK_RUN(contents);
	CHECK_RUN(waiting);
	CHECK_RUN(losing);
	CHECK_RUN(limits);
	rmdir(FOLDER);
	return check.failed;
}
