/* SPDX-License-Identifier: BSD-2-Clause */
/* posix_files.c - files as POSIX has them, in /tmp: opening, reading and writing, offsets, sizes, names, errors, stdio.
 * Builds on Linux too, where it must pass as well. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static char folder[64];
static char path_text[PATH_MAX + 5002];

static const char *in_folder(const char *name)
{
	snprintf(path_text, sizeof(path_text), "%s/%s", folder, name);
	return path_text;
}

static int put_file(const char *name, const char *text)
{
	int fd = open(in_folder(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);
	ssize_t done = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return done == (ssize_t)strlen(text) ? 0 : -1;
}

static void test_create_read(void)
{
	char buffer[32] = "";

	CHECK_EQUAL(put_file("a", "hello world"), 0);
	int fd = open(in_folder("a"), O_RDONLY);
	CHECK(fd >= 0);
	CHECK_EQUAL(read(fd, buffer, sizeof(buffer)), 11);
	CHECK(strcmp(buffer, "hello world") == 0);
	CHECK_EQUAL(read(fd, buffer, sizeof(buffer)), 0);
	CHECK(write(fd, "x", 1) == -1 && errno == EBADF);
	CHECK_EQUAL(close(fd), 0);
	CHECK(close(fd) == -1 && errno == EBADF);
	CHECK(read(fd, buffer, 1) == -1 && errno == EBADF);
	CHECK_EQUAL(unlink(in_folder("a")), 0);
}

static void test_offsets(void)
{
	char buffer[8] = "";
	int fd = open(in_folder("o"), O_RDWR | O_CREAT, 0600);

	CHECK(fd >= 0);
	CHECK_EQUAL(write(fd, "0123456789", 10), 10);
	CHECK_EQUAL(lseek(fd, 0, SEEK_CUR), 10);
	CHECK_EQUAL(lseek(fd, -4, SEEK_END), 6);
	CHECK_EQUAL(read(fd, buffer, 2), 2);
	CHECK(memcmp(buffer, "67", 2) == 0);
	CHECK_EQUAL(pread(fd, buffer, 3, 1), 3);
	CHECK(memcmp(buffer, "123", 3) == 0);
	CHECK_EQUAL(pwrite(fd, "XY", 2, 4), 2);
	CHECK_EQUAL(lseek(fd, 0, SEEK_CUR), 8);
	CHECK_EQUAL(lseek(fd, 3, SEEK_SET), 3);
	CHECK_EQUAL(read(fd, buffer, 4), 4);
	CHECK(memcmp(buffer, "3XY6", 4) == 0);
	CHECK(lseek(fd, -1, SEEK_SET) == -1 && errno == EINVAL);
	CHECK(pread(fd, buffer, 1, -1) == -1 && errno == EINVAL);
	CHECK_EQUAL(close(fd), 0);
	CHECK_EQUAL(unlink(in_folder("o")), 0);
}

static void test_open_flags(void)
{
	struct stat st;

	CHECK(open(in_folder("none"), O_RDONLY) == -1 && errno == ENOENT);
	CHECK_EQUAL(put_file("f", "12345"), 0);
	CHECK(open(in_folder("f"), O_WRONLY | O_CREAT | O_EXCL, 0644) == -1 && errno == EEXIST);
	CHECK(open(in_folder("f"), O_RDONLY | O_DIRECTORY) == -1 && errno == ENOTDIR);
	CHECK(open(folder, O_WRONLY) == -1 && errno == EISDIR);
	CHECK(open(in_folder("f/x"), O_RDONLY) == -1 && errno == ENOTDIR);
	CHECK(open("", O_RDONLY) == -1 && errno == ENOENT);
	int fd = open(in_folder("f"), O_WRONLY | O_APPEND);
	CHECK(fd >= 0);
	CHECK_EQUAL(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQUAL(write(fd, "67", 2), 2);
	CHECK_EQUAL(fstat(fd, &st), 0);
	CHECK_EQUAL(st.st_size, 7);
	CHECK_EQUAL(fcntl(fd, F_SETFL, 0), 0);
	CHECK_EQUAL(pwrite(fd, "0", 1, 0), 1);
	CHECK_EQUAL(fstat(fd, &st), 0);
	CHECK_EQUAL(st.st_size, 7);
	CHECK_EQUAL(close(fd), 0);
	fd = open(in_folder("f"), O_RDWR | O_TRUNC);
	CHECK(fd >= 0);
	CHECK_EQUAL(fstat(fd, &st), 0);
	CHECK_EQUAL(st.st_size, 0);
	CHECK_EQUAL(close(fd), 0);
	CHECK_EQUAL(unlink(in_folder("f")), 0);
}

static void test_long_names(void)
{
	static char name[5001];
	struct stat st;

	memset(name, 'n', sizeof(name) - 1);
	CHECK(open(name, O_RDONLY) == -1 && errno == ENAMETOOLONG);
	CHECK(stat(name, &st) == -1 && errno == ENAMETOOLONG);
	name[0] = '/';
	CHECK(mkdir(name, 0755) == -1 && errno == ENAMETOOLONG);
	name[256] = 0;
	CHECK_EQUAL(put_file(name + 1, "x"), 0);
	CHECK_EQUAL(unlink(in_folder(name + 1)), 0);
}

static void test_sizes(void)
{
	struct stat st;
	char buffer[16];
	int fd = open(in_folder("s"), O_RDWR | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0);
	CHECK_EQUAL(pwrite(fd, "end", 3, 100000), 3);
	CHECK_EQUAL(fstat(fd, &st), 0);
	CHECK_EQUAL(st.st_size, 100003);
	CHECK(S_ISREG(st.st_mode));
	memset(buffer, 1, sizeof(buffer));
	CHECK_EQUAL(pread(fd, buffer, 16, 50000), 16);
	for (int i = 0; i < 16; i++)
		CHECK_EQUAL(buffer[i], 0);
	CHECK_EQUAL(ftruncate(fd, 5), 0);
	CHECK_EQUAL(pread(fd, buffer, 16, 0), 5);
	CHECK_EQUAL(ftruncate(fd, 100010), 0);
	CHECK_EQUAL(pread(fd, buffer, 16, 100000), 10);
	for (int i = 0; i < 10; i++)
		CHECK_EQUAL(buffer[i], 0);
	CHECK(ftruncate(fd, -1) == -1 && errno == EINVAL);
	CHECK_EQUAL(fsync(fd), 0);
	CHECK_EQUAL(fdatasync(fd), 0);
	CHECK_EQUAL(close(fd), 0);
	CHECK_EQUAL(truncate(in_folder("s"), 7), 0);
	CHECK_EQUAL(stat(in_folder("s"), &st), 0);
	CHECK_EQUAL(st.st_size, 7);
	CHECK_EQUAL(unlink(in_folder("s")), 0);
}

static void test_large(void)
{
	enum { BYTES = 3 << 20 };
	unsigned char *out = malloc(BYTES), *in = malloc(BYTES);
	int fd = open(in_folder("l"), O_RDWR | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0 && out != NULL && in != NULL);
	for (size_t i = 0; i < BYTES; i++)
		out[i] = (unsigned char)(i * 7 + i / 4096);
	CHECK_EQUAL(write(fd, out, BYTES), BYTES);
	CHECK_EQUAL(pread(fd, in, BYTES, 0), BYTES);
	CHECK(memcmp(in, out, BYTES) == 0);
	memset(in, 0, BYTES);
	CHECK_EQUAL(lseek(fd, 1, SEEK_SET), 1);
	for (size_t at = 1; at < BYTES;) {
		ssize_t done = read(fd, in + at, BYTES - at < 4999 ? BYTES - at : 4999);

		CHECK(done > 0);
		at += (size_t)done;
	}
	CHECK(memcmp(in + 1, out + 1, BYTES - 1) == 0);
	CHECK_EQUAL(close(fd), 0);
	CHECK_EQUAL(unlink(in_folder("l")), 0);
	free(in);
	free(out);
}

static void test_names(void)
{
	char from[PATH_MAX], buffer[4] = "";
	struct stat st;

	CHECK_EQUAL(put_file("from", "1"), 0);
	CHECK_EQUAL(put_file("to", "22"), 0);
	strcpy(from, in_folder("from"));
	CHECK_EQUAL(rename(from, in_folder("to")), 0);
	CHECK(stat(from, &st) == -1 && errno == ENOENT);
	CHECK_EQUAL(stat(in_folder("to"), &st), 0);
	CHECK_EQUAL(st.st_size, 1);
	CHECK(rename(from, in_folder("to")) == -1 && errno == ENOENT);
	int fd = open(in_folder("to"), O_RDONLY);
	CHECK(fd >= 0);
	CHECK_EQUAL(unlink(in_folder("to")), 0);
	CHECK_EQUAL(read(fd, buffer, 4), 1);
	CHECK_EQUAL(buffer[0], '1');
	CHECK_EQUAL(close(fd), 0);
	CHECK(unlink(in_folder("to")) == -1 && errno == ENOENT);
	CHECK(unlink(folder) == -1);
}

static void test_dup(void)
{
	char buffer[4];
	CHECK_EQUAL(put_file("d", "abcdef"), 0);
	int fd = open(in_folder("d"), O_RDONLY), copy = dup(fd);

	CHECK(fd >= 0 && copy >= 0 && copy != fd);
	CHECK_EQUAL(read(fd, buffer, 2), 2);
	CHECK_EQUAL(read(copy, buffer, 2), 2);
	CHECK(memcmp(buffer, "cd", 2) == 0);
	CHECK_EQUAL(close(fd), 0);
	CHECK_EQUAL(dup2(copy, 77), 77);
	CHECK_EQUAL(close(copy), 0);
	CHECK_EQUAL(read(77, buffer, 4), 2);
	CHECK_EQUAL(dup2(77, 77), 77);
	int high = fcntl(77, F_DUPFD, 90);
	CHECK(high >= 90);
	CHECK_EQUAL(fcntl(high, F_SETFD, FD_CLOEXEC), 0);
	CHECK_EQUAL(fcntl(high, F_GETFD), FD_CLOEXEC);
	CHECK_EQUAL(fcntl(high, F_GETFL) & O_ACCMODE, O_RDONLY);
	CHECK_EQUAL(close(high), 0);
	CHECK_EQUAL(close(77), 0);
	CHECK(dup(77) == -1 && errno == EBADF);
	CHECK(dup2(3, -1) == -1 && errno == EBADF);
	CHECK_EQUAL(unlink(in_folder("d")), 0);
}

static void test_metadata(void)
{
	const struct timespec times[2] = { { 1000000000, 5 }, { 1100000000, 7 } };
	struct stat st, again;
	struct statvfs vfs;

	CHECK_EQUAL(put_file("m", "m"), 0);
	CHECK_EQUAL(chmod(in_folder("m"), 0640), 0);
	CHECK_EQUAL(stat(in_folder("m"), &st), 0);
	CHECK_EQUAL(st.st_mode & 07777, 0640);
	CHECK_EQUAL(utimensat(AT_FDCWD, in_folder("m"), times, 0), 0);
	CHECK_EQUAL(lstat(in_folder("m"), &again), 0);
	CHECK_EQUAL(again.st_mtim.tv_sec, 1100000000);
	CHECK_EQUAL(again.st_ino, st.st_ino);
	CHECK_EQUAL(access(in_folder("m"), R_OK | W_OK), 0);
	CHECK(access(in_folder("m"), X_OK) == -1 && errno == EACCES);
	CHECK(access(in_folder("none"), F_OK) == -1 && errno == ENOENT);
	CHECK_EQUAL(statvfs(folder, &vfs), 0);
	CHECK(vfs.f_blocks > 0 && vfs.f_bfree <= vfs.f_blocks && vfs.f_namemax == 255);
	CHECK_EQUAL(unlink(in_folder("m")), 0);
}

static void test_stdio(void)
{
	char line[64];
	int number = 0;
	FILE *file = fopen(in_folder("t"), "w+");

	CHECK(file != NULL);
	for (int i = 0; i < 2000; i++)
		CHECK(fprintf(file, "line %d %s\n", i, "text") > 0);
	CHECK_EQUAL(fflush(file), 0);
	rewind(file);
	for (int i = 0; i < 2000; i++) {
		CHECK(fgets(line, sizeof(line), file) != NULL);
		CHECK_EQUAL(sscanf(line, "line %d", &number), 1);
		CHECK_EQUAL(number, i);
	}
	CHECK(fgets(line, sizeof(line), file) == NULL && feof(file));
	CHECK_EQUAL(fseek(file, -5, SEEK_END), 0);
	CHECK_EQUAL(fread(line, 1, 4, file), 4);
	CHECK(memcmp(line, "text", 4) == 0);
	CHECK_EQUAL(ftell(file), ftello(file));
	CHECK_EQUAL(fclose(file), 0);
	file = fopen(in_folder("t"), "a");
	CHECK(file != NULL);
	CHECK(fputs("more\n", file) >= 0);
	CHECK_EQUAL(fclose(file), 0);
	CHECK(fopen(in_folder("no/t"), "r") == NULL && errno == ENOENT);
	CHECK_EQUAL(remove(in_folder("t")), 0);
}

static void test_mkstemp(void)
{
	char a[96], b[96];

	snprintf(a, sizeof(a), "%s/tmpXXXXXX", folder);
	snprintf(b, sizeof(b), "%s/tmpXXXXXX", folder);
	int fd = mkstemp(a), other = mkstemp(b);
	CHECK(fd >= 0 && other >= 0 && strcmp(a, b) != 0);
	CHECK_EQUAL(write(fd, "x", 1), 1);
	close(fd);
	close(other);
	CHECK_EQUAL(unlink(a), 0);
	CHECK_EQUAL(unlink(b), 0);
}

int main(void)
{
	snprintf(folder, sizeof(folder), "/tmp/posix_files.%d", (int)getpid());
	if (mkdir(folder, 0755) != 0) {
		printf("not ok folder: %s: %s\n", folder, strerror(errno));
		return 1;
	}
	CHECK_RUN(test_create_read);
	CHECK_RUN(test_offsets);
	CHECK_RUN(test_open_flags);
	CHECK_RUN(test_long_names);
	CHECK_RUN(test_sizes);
	CHECK_RUN(test_large);
	CHECK_RUN(test_names);
	CHECK_RUN(test_dup);
	CHECK_RUN(test_metadata);
	CHECK_RUN(test_stdio);
	CHECK_RUN(test_mkstemp);
	if (rmdir(folder) != 0) {
		printf("not ok folder: something was left in %s\n", folder);
		check.failed++;
	}
	return check.failed;
}
