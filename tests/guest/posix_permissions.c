/* SPDX-License-Identifier: BSD-2-Clause */
/* posix_permissions.c - owner, group and mode bits on pmfs. User 0 sets the files up; the child, this program again, is
 * user 100 of group 200 and finds what it may do. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>

#include "check.h"

#define FOLDER "/pmem/permissions"
#define USER 100
#define GROUP 200

static char *own_path;

#define CHECK_REFUSED(call, error)        \
	do {                              \
		CHECK_EQUAL(call, -1);    \
		CHECK_EQUAL(errno, error); \
	} while (0)

static int opens(const char *path, int flags)
{
	int fd = open(path, flags, 0666);

	return fd < 0 ? -1 : close(fd);
}

/* ---- As user 100 ---- */

static void child_identity(void)
{
	CHECK_EQUAL(getuid(), USER);
	CHECK_EQUAL(getegid(), GROUP);
}

static void child_opens(void)
{
	char value[8];

	CHECK_EQUAL(opens(FOLDER "/of-other", O_RDONLY), 0);
	CHECK_REFUSED(opens(FOLDER "/of-other", O_RDWR), EACCES);
	CHECK_REFUSED(opens(FOLDER "/of-other", O_RDONLY | O_TRUNC), EACCES);
	CHECK_REFUSED(truncate(FOLDER "/of-other", 0), EACCES);
	CHECK_EQUAL(opens(FOLDER "/of-group", O_RDWR), 0);
	CHECK_REFUSED(opens(FOLDER "/own-closed", O_RDONLY), EACCES); /* though others may */
	CHECK_REFUSED(opens(FOLDER "/secret", O_RDONLY), EACCES);
	CHECK_REFUSED(opens(FOLDER "/closed/file", O_RDONLY), EACCES);
	CHECK_REFUSED(opens(FOLDER "/closed/no", O_RDONLY), EACCES);
	CHECK_REFUSED(getxattr(FOLDER "/secret", "a", value, sizeof(value)), EACCES);
	CHECK_EQUAL(getxattr(FOLDER "/of-other", "a", value, sizeof(value)), 1);
	CHECK_REFUSED(setxattr(FOLDER "/of-other", "a", "b", 1, 0), EACCES);
	CHECK_EQUAL(access(FOLDER "/of-other", R_OK), 0);
	CHECK_REFUSED(access(FOLDER "/of-other", W_OK), EACCES);
	CHECK_REFUSED(access(FOLDER "/of-other", X_OK), EACCES);
	CHECK_EQUAL(access(FOLDER "/secret", F_OK), 0);
}

static void child_names(void)
{
	struct stat st;

	CHECK_REFUSED(opens(FOLDER "/new", O_RDWR | O_CREAT), EACCES);
	CHECK_REFUSED(mkdir(FOLDER "/new", 0755), EACCES);
	CHECK_REFUSED(unlink(FOLDER "/of-group"), EACCES);
	CHECK_REFUSED(rename(FOLDER "/of-group", FOLDER "/open/x"), EACCES);
	CHECK_REFUSED(link(FOLDER "/of-group", FOLDER "/new"), EACCES);
	umask(027);
	CHECK_EQUAL(opens(FOLDER "/open/mine", O_RDWR | O_CREAT), 0);
	CHECK_EQUAL(stat(FOLDER "/open/mine", &st), 0);
	CHECK_EQUAL(st.st_mode & 07777, 0640);
	CHECK_EQUAL(st.st_uid, USER);
	CHECK_EQUAL(st.st_gid, GROUP);
	CHECK_EQUAL(rename(FOLDER "/open/mine", FOLDER "/open/moved"), 0);
	CHECK_EQUAL(unlink(FOLDER "/open/theirs"), 0);
}

static void child_sticky(void)
{
	CHECK_EQUAL(opens(FOLDER "/sticky/mine", O_RDWR | O_CREAT), 0);
	CHECK_REFUSED(unlink(FOLDER "/sticky/theirs"), EPERM);
	CHECK_REFUSED(rename(FOLDER "/sticky/theirs", FOLDER "/sticky/x"), EPERM);
	CHECK_REFUSED(rename(FOLDER "/sticky/mine", FOLDER "/sticky/theirs"), EPERM);
	CHECK_EQUAL(rename(FOLDER "/sticky/mine", FOLDER "/sticky/also-mine"), 0);
	CHECK_EQUAL(unlink(FOLDER "/sticky/also-mine"), 0);
}

static void child_set_group(void)
{
	struct stat st;

	CHECK_EQUAL(opens(FOLDER "/set-group/file", O_RDWR | O_CREAT), 0);
	CHECK_EQUAL(mkdir(FOLDER "/set-group/dir", 0755), 0);
	CHECK_EQUAL(stat(FOLDER "/set-group/file", &st), 0);
	CHECK(st.st_uid == USER && st.st_gid == 333 && !(st.st_mode & S_ISGID));
	CHECK_EQUAL(stat(FOLDER "/set-group/dir", &st), 0);
	CHECK(st.st_gid == 333 && (st.st_mode & S_ISGID));
	CHECK_EQUAL(chmod(FOLDER "/set-group/file", 02755), 0); /* but not for a group that is not ours */
	CHECK_EQUAL(stat(FOLDER "/set-group/file", &st), 0);
	CHECK_EQUAL(st.st_mode & 07777, 0755);
}

static void child_attributes(void)
{
	struct stat st;

	CHECK_REFUSED(chmod(FOLDER "/of-group", 0777), EPERM);
	CHECK_REFUSED(chown(FOLDER "/of-group", USER, GROUP), EPERM);
	CHECK_REFUSED(chown(FOLDER "/open/moved", 0, GROUP), EPERM);
	CHECK_REFUSED(chown(FOLDER "/open/moved", USER, 333), EPERM);
	CHECK_EQUAL(chmod(FOLDER "/open/moved", 04711), 0);
	CHECK_EQUAL(chown(FOLDER "/open/moved", (uid_t)-1, GROUP), 0);
	CHECK_EQUAL(stat(FOLDER "/open/moved", &st), 0);
	CHECK_EQUAL(st.st_mode & 07777, 0711);
	CHECK_EQUAL(unlink(FOLDER "/open/moved"), 0);
}

/* Nobody gets more by starting programs, nor by asking. */
static void child_stays(void)
{
	const char *argv[] = { own_path, "identity", NULL };
	struct spawn_request request = { .path = own_path, .argv = (char *const *)(uintptr_t)argv };
	handle_t process;
	int32_t status;

	CHECK_EQUAL(lintel_spawn(&request, &process), OK);
	CHECK_EQUAL(lintel_wait(process, DEADLINE_NEVER, &status), OK);
	CHECK_EQUAL(status, USER);
	request.user = USER + 1;
	CHECK_EQUAL(lintel_spawn(&request, &process), ERR_NOT_OWNER);
}

static int be_child(void)
{
	CHECK_RUN(child_identity);
	CHECK_RUN(child_opens);
	CHECK_RUN(child_names);
	CHECK_RUN(child_sticky);
	CHECK_RUN(child_set_group);
	CHECK_RUN(child_attributes);
	CHECK_RUN(child_stays);
	return check.failed;
}

/* ---- As user 0 ---- */

static void file_make(const char *path, uid_t user, gid_t group, mode_t mode)
{
	CHECK_EQUAL(opens(path, O_RDWR | O_CREAT), 0);
	CHECK_EQUAL(chown(path, user, group), 0);
	CHECK_EQUAL(chmod(path, mode), 0);
}

static void folder_make(const char *path, gid_t group, mode_t mode)
{
	CHECK_EQUAL(mkdir(path, 0755), 0);
	CHECK_EQUAL(chown(path, 7, group), 0);
	CHECK_EQUAL(chmod(path, mode), 0);
}

static void set_up(void)
{
	CHECK_EQUAL(getuid(), 0);
	folder_make(FOLDER, 7, 0755);
	folder_make(FOLDER "/open", 7, 0777);
	folder_make(FOLDER "/closed", 7, 0770);
	folder_make(FOLDER "/sticky", 7, 01777);
	folder_make(FOLDER "/set-group", 333, 02777);
	file_make(FOLDER "/of-other", 7, 7, 0644);
	file_make(FOLDER "/of-group", 7, GROUP, 0664);
	file_make(FOLDER "/own-closed", USER, 7, 0044);
	file_make(FOLDER "/secret", 7, 7, 0600);
	file_make(FOLDER "/closed/file", 7, 7, 0666);
	file_make(FOLDER "/open/theirs", 7, 7, 0600);
	file_make(FOLDER "/sticky/theirs", 7, 7, 0666);
	CHECK_EQUAL(setxattr(FOLDER "/of-other", "a", "b", 1, 0), 0);
	CHECK_EQUAL(setxattr(FOLDER "/secret", "a", "b", 1, 0), 0);
}

static void as_another_user(void)
{
	const char *argv[] = { own_path, "child", NULL };
	const struct spawn_request request = { .path = own_path, .argv = (char *const *)(uintptr_t)argv, .user = USER,
		.group = GROUP };
	handle_t process;
	int32_t status;

	CHECK_EQUAL(lintel_spawn(&request, &process), OK);
	CHECK_EQUAL(lintel_wait(process, DEADLINE_NEVER, &status), OK);
	lintel_handle_close(process);
	CHECK_EQUAL(status, 0);
}

/* The superuser may everything, also what no bit allows. */
static void clean_up(void)
{
	static const char *const files[] = { "of-other", "of-group", "own-closed", "secret", "closed/file", "sticky/theirs",
		"set-group/file" };
	static const char *const folders[] = { "open", "closed", "sticky", "set-group/dir", "set-group", "" };
	char path[96];

	CHECK_EQUAL(opens(FOLDER "/own-closed", O_RDWR), 0);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", FOLDER, files[i]);
		CHECK_EQUAL(unlink(path), 0);
	}
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", FOLDER, folders[i]);
		CHECK_EQUAL(rmdir(path), 0);
	}
}

int main(int argc, char **argv)
{
	own_path = argv[0];
	if (argc > 1)
		return strcmp(argv[1], "child") == 0 ? be_child() : (int)getuid();
	if (access("/pmem", F_OK) != 0)
		return 0;
	umask(0);
	CHECK_RUN(set_up);
	CHECK_RUN(as_another_user);
	CHECK_RUN(clean_up);
	return check.failed;
}
