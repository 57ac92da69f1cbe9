/* SPDX-License-Identifier: BSD-2-Clause */
/* posix_dirs.c - directories as POSIX has them, in /tmp: making, listing, moving and removing them; the working
 * directory. Builds on Linux too, where it must pass as well. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

#define FILES 300

static char folder[64];

static void test_make_remove(void)
{
	struct stat st;

	CHECK_EQUAL(mkdir("a", 0755), 0);
	CHECK(mkdir("a", 0755) == -1 && errno == EEXIST);
	CHECK(mkdir("no/b", 0755) == -1 && errno == ENOENT);
	CHECK_EQUAL(stat("a", &st), 0);
	CHECK(S_ISDIR(st.st_mode));
	CHECK_EQUAL(mkdir("a/b/", 0755), 0);
	CHECK(rmdir("a") == -1 && (errno == ENOTEMPTY || errno == EEXIST));
	CHECK_EQUAL(rmdir("a/b"), 0);
	CHECK(rmdir("a/b") == -1 && errno == ENOENT);
	CHECK(rmdir("a/.") == -1 && errno == EINVAL);
	close(open("a/f", O_CREAT | O_WRONLY, 0644));
	CHECK(rmdir("a/f") == -1 && errno == ENOTDIR);
	CHECK(stat("a/f/", &st) == -1 && errno == ENOTDIR);
	CHECK_EQUAL(unlink("a/f"), 0);
	CHECK_EQUAL(rmdir("a"), 0);
}

static int name_number(const char *name)
{
	int number = -1;

	return sscanf(name, "file%d", &number) == 1 && number >= 0 && number < FILES ? number : -1;
}

/* Marks what it finds in `seen`; the number of entries, or -1 for a strange or double one. */
static int list(DIR *dir, bool *seen)
{
	struct dirent *entry;
	int count = 0;

	memset(seen, 0, FILES);
	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		int number = name_number(entry->d_name);
		if (number < 0 || seen[number] || (entry->d_type != DT_REG && entry->d_type != DT_UNKNOWN))
			return -1;
		seen[number] = true;
		count++;
	}
	return count;
}

static void test_list(void)
{
	static bool seen[FILES];
	char name[32];

	CHECK_EQUAL(mkdir("many", 0755), 0);
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "many/file%d", i);
		int fd = open(name, O_CREAT | O_WRONLY, 0644);
		CHECK(fd >= 0);
		close(fd);
	}
	DIR *dir = opendir("many");
	CHECK(dir != NULL);
	CHECK_EQUAL(list(dir, seen), FILES);
	CHECK_EQUAL(list(dir, seen), 0);
	rewinddir(dir);
	for (int i = 0; i < 50; i++)
		CHECK(readdir(dir) != NULL);
	long position = telldir(dir);
	struct dirent *entry = readdir(dir);
	CHECK(entry != NULL);
	strcpy(name, entry->d_name);
	for (int i = 0; i < 100; i++)
		CHECK(readdir(dir) != NULL);
	seekdir(dir, position);
	entry = readdir(dir);
	CHECK(entry != NULL && strcmp(entry->d_name, name) == 0);
	CHECK_EQUAL(closedir(dir), 0);
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "many/file%d", i);
		CHECK_EQUAL(unlink(name), 0);
	}
	CHECK_EQUAL(rmdir("many"), 0);
	CHECK(opendir("many") == NULL && errno == ENOENT);
}

static void test_working_directory(void)
{
	char path[PATH_MAX], wanted[PATH_MAX];
	struct stat a, b;

	CHECK_EQUAL(mkdir("w", 0755), 0);
	CHECK_EQUAL(mkdir("w/x", 0755), 0);
	CHECK_EQUAL(chdir("w/x"), 0);
	snprintf(wanted, sizeof(wanted), "%s/w/x", folder);
	CHECK(getcwd(path, sizeof(path)) != NULL && strcmp(path, wanted) == 0);
	CHECK(getcwd(path, 3) == NULL && errno == ERANGE);
	CHECK_EQUAL(chdir("../.././w//x/../"), 0);
	snprintf(wanted, sizeof(wanted), "%s/w", folder);
	CHECK(getcwd(path, sizeof(path)) != NULL && strcmp(path, wanted) == 0);
	CHECK_EQUAL(stat("x", &a), 0);
	CHECK_EQUAL(stat("./x/../x/.", &b), 0);
	CHECK_EQUAL(a.st_ino, b.st_ino);
	CHECK(chdir("none") == -1 && errno == ENOENT);
	CHECK_EQUAL(chdir(folder), 0);
	CHECK_EQUAL(rmdir("w/x"), 0);
	CHECK_EQUAL(rmdir("w"), 0);
	CHECK_EQUAL(stat("/", &a), 0);
	CHECK(S_ISDIR(a.st_mode));
	DIR *dir = opendir("/");
	bool found = false;
	CHECK(dir != NULL);
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
		found |= strcmp(entry->d_name, "tmp") == 0;
	CHECK_EQUAL(closedir(dir), 0);
	CHECK(found);
}

static void test_move(void)
{
	struct stat st;

	CHECK_EQUAL(mkdir("m", 0755), 0);
	CHECK_EQUAL(mkdir("m/sub", 0755), 0);
	close(open("m/sub/f", O_CREAT | O_WRONLY, 0644));
	CHECK(rename("m", "m/sub/m") == -1 && errno == EINVAL);
	CHECK_EQUAL(mkdir("target", 0755), 0);
	CHECK_EQUAL(rename("m/sub", "target"), 0);
	CHECK_EQUAL(stat("target/f", &st), 0);
	CHECK_EQUAL(rename("target/f", "m/g"), 0);
	CHECK(rename("m/g", "target") == -1 && errno == EISDIR);
	CHECK(rename("target", "m/g") == -1 && errno == ENOTDIR);
	CHECK(rename("target", "m") == -1 && (errno == ENOTEMPTY || errno == EEXIST));
	CHECK_EQUAL(rename("m/g", "m/g"), 0);
	CHECK_EQUAL(unlink("m/g"), 0);
	CHECK_EQUAL(rename("target", "m"), 0);
	CHECK_EQUAL(rmdir("m"), 0);
}

int main(void)
{
	snprintf(folder, sizeof(folder), "/tmp/posix_dirs.%d", (int)getpid());
	if (mkdir(folder, 0755) != 0 || chdir(folder) != 0) {
		printf("not ok folder: %s: %s\n", folder, strerror(errno));
		return 1;
	}
	CHECK_RUN(test_make_remove);
	CHECK_RUN(test_list);
	CHECK_RUN(test_working_directory);
	CHECK_RUN(test_move);
	if (chdir("/") != 0 || rmdir(folder) != 0) {
		printf("not ok folder: something was left in %s\n", folder);
		check.failed++;
	}
	return check.failed;
}
