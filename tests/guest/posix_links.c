/* SPDX-License-Identifier: BSD-2-Clause */
/* posix_links.c - symbolic links, also those that the file system in which they lie cannot follow: absolute ones, ones
 * that climb above its root, and loops of them. Builds on Linux too, where it must pass as well. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

static char folder[64]; /* "/tmp/posix_links.PID", and the working directory */

static const char *absolute(const char *name)
{
	static char text[128];

	snprintf(text, sizeof(text), "%s/%s", folder, name);
	return text;
}

static int put_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	ssize_t done = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return done == (ssize_t)strlen(text) ? 0 : -1;
}

static bool holds(const char *name, const char *text)
{
	char buffer[32] = "";
	int fd = open(name, O_RDONLY);
	ssize_t done = fd < 0 ? -1 : read(fd, buffer, sizeof(buffer) - 1);

	if (fd >= 0)
		close(fd);
	return done == (ssize_t)strlen(text) && strcmp(buffer, text) == 0;
}

static void absolute_links_lead_on(void)
{
	struct stat st, target;

	CHECK_EQUAL(mkdir("d", 0755), 0);
	CHECK_EQUAL(put_file("d/f", "text"), 0);
	CHECK_EQUAL(symlink(absolute("d"), "to_d"), 0);
	CHECK_EQUAL(symlink(absolute("d/f"), "to_f"), 0);
	CHECK(holds("to_f", "text") && holds("to_d/f", "text"));
	CHECK_EQUAL(stat("d/f", &target), 0);
	CHECK_EQUAL(stat("to_f", &st), 0);
	CHECK(S_ISREG(st.st_mode) && st.st_ino == target.st_ino);
	CHECK_EQUAL(lstat("to_f", &st), 0);
	CHECK(S_ISLNK(st.st_mode));
	CHECK_EQUAL(lstat("to_d/", &st), 0);
	CHECK(S_ISDIR(st.st_mode));
	CHECK_EQUAL(lstat("to_d/f", &st), 0);
	CHECK(S_ISREG(st.st_mode));
	CHECK_EQUAL(chmod("to_f", 0600), 0);
	CHECK_EQUAL(stat("d/f", &st), 0);
	CHECK_EQUAL(st.st_mode & 0777, 0600);
	CHECK(open("to_f", O_RDONLY | O_NOFOLLOW) == -1 && errno == ELOOP);
}

static void names_are_made_and_removed_behind_them(void)
{
	char target[PATH_MAX];

	CHECK_EQUAL(put_file("to_d/new", "fresh"), 0);
	CHECK(holds("d/new", "fresh"));
	CHECK_EQUAL(rename("to_d/new", "to_d/other"), 0);
	CHECK_EQUAL(rename("to_d/other", "here"), 0);
	CHECK_EQUAL(rename("here", "to_d/there"), 0);
	CHECK(holds("d/there", "fresh"));
	CHECK_EQUAL(mkdir("to_d/sub", 0755), 0);
	CHECK_EQUAL(rmdir("to_d/sub"), 0);
	CHECK_EQUAL(symlink("there", "to_d/link"), 0);
	CHECK_EQUAL(readlink("to_d/link", target, sizeof(target)), 5);
	CHECK(holds("to_d/link", "fresh"));
	CHECK_EQUAL(unlink("to_d/link"), 0);
	CHECK_EQUAL(unlink("to_d/there"), 0);
	CHECK(open("to_d/there", O_RDONLY) == -1 && errno == ENOENT);
}

static void a_link_to_nothing(void)
{
	struct stat st;

	CHECK_EQUAL(symlink(absolute("later"), "dangling"), 0);
	CHECK(stat("dangling", &st) == -1 && errno == ENOENT);
	CHECK(open("dangling", O_WRONLY | O_CREAT | O_EXCL, 0644) == -1 && errno == EEXIST);
	CHECK_EQUAL(put_file("dangling", "made"), 0);
	CHECK(holds("later", "made"));
	CHECK_EQUAL(unlink("dangling"), 0); /* the link, not its target */
	CHECK_EQUAL(unlink("later"), 0);
}

static void links_that_climb(void)
{
	CHECK_EQUAL(symlink("../../../../../..", "top"), 0);
	char through[PATH_MAX];

	snprintf(through, sizeof(through), "top%s", absolute("d/f"));
	CHECK(holds(through, "text"));
	CHECK_EQUAL(unlink("top"), 0);
	CHECK_EQUAL(symlink("/", "root"), 0);
	snprintf(through, sizeof(through), "root%s", absolute("d/f"));
	CHECK(holds(through, "text"));
	CHECK_EQUAL(unlink("root"), 0);
	snprintf(through, sizeof(through), "../../../..%s", absolute("d/f"));
	CHECK_EQUAL(symlink(through, "round"), 0);
	CHECK(holds("round", "text"));
	CHECK_EQUAL(unlink("round"), 0);
}

static void loops_end(void)
{
	struct stat st;

	CHECK_EQUAL(symlink(absolute("b"), "a"), 0);
	CHECK_EQUAL(symlink(absolute("a"), "b"), 0);
	CHECK(stat("a", &st) == -1 && errno == ELOOP);
	CHECK(open("b/x", O_RDONLY) == -1 && errno == ELOOP);
	CHECK_EQUAL(lstat("a", &st), 0);
	CHECK_EQUAL(unlink("a"), 0);
	CHECK_EQUAL(unlink("b"), 0);
}

static void chains_up_to_the_limit(void)
{
	char name[16], before[16] = "d/f";

	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "chain%d", i);
		CHECK_EQUAL(symlink(absolute(before), name), 0);
		strcpy(before, name);
	}
	CHECK(holds("chain39", "text"));
	CHECK_EQUAL(symlink(absolute("chain39"), "chain40"), 0);
	CHECK(open("chain40", O_RDONLY) == -1 && errno == ELOOP);
	for (int i = 0; i <= 40; i++) {
		snprintf(name, sizeof(name), "chain%d", i);
		CHECK_EQUAL(unlink(name), 0);
	}
}

int main(void)
{
	snprintf(folder, sizeof(folder), "/tmp/posix_links.%d", (int)getpid());
	if (mkdir(folder, 0755) != 0 || chdir(folder) != 0) {
		printf("not ok folder: %s: %s\n", folder, strerror(errno));
		return 1;
	}
	CHECK_RUN(absolute_links_lead_on);
	CHECK_RUN(names_are_made_and_removed_behind_them);
	CHECK_RUN(a_link_to_nothing);
	CHECK_RUN(links_that_climb);
	CHECK_RUN(loops_end);
	CHECK_RUN(chains_up_to_the_limit);
	unlink("to_d");
	unlink("to_f");
	unlink("d/f");
	if (rmdir("d") != 0 || chdir("/") != 0 || rmdir(folder) != 0) {
		printf("not ok folder: something was left in %s\n", folder);
		check.failed++;
	}
	return check.failed;
}
