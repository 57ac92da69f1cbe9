/* SPDX-License-Identifier: BSD-2-Clause */
/* posix_ranges.c - fallocate in all its ways, files without a name, copies from file to file, data and holes, on /pmem;
 * and what there is of it on /tmp. On Linux it must pass as well, in a folder called /pmem of a file system that knows
 * all of this (xfs). */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "check.h"

#define FOLDER "/pmem/posix_ranges"
#define PAGES 16
#define PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

#include "pages.h"

static void errors(void)
{
	int fd = put("errors", 3), reader = open(FOLDER "/errors", O_RDONLY);

	CHECK(fd >= 0 && reader >= 0);
	CHECK(fallocate(fd, 0, -1, 1) == -1 && errno == EINVAL);
	CHECK(fallocate(fd, 0, 0, 0) == -1 && errno == EINVAL);
	CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, PAGE) == -1 && errno == EOPNOTSUPP);
	CHECK(fallocate(fd, 0x800, 0, PAGE) == -1 && errno == EOPNOTSUPP);
	CHECK(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 100) == -1 && errno == EINVAL);
	CHECK(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, PAGE, 2 * PAGE) == -1 && errno == EINVAL);
	CHECK(fallocate(fd, FALLOC_FL_INSERT_RANGE, 3 * PAGE, PAGE) == -1 && errno == EINVAL);
	CHECK(fallocate(fd, 0, 1ll << 62, 1ll << 61) == -1 && errno == EFBIG);
	CHECK(fallocate(reader, 0, 0, PAGE) == -1 && errno == EBADF);
	CHECK(fallocate(-1, 0, 0, PAGE) == -1 && errno == EBADF);
	errno = 0;
	CHECK_EQUAL(posix_fallocate(reader, 0, PAGE), EBADF);
	CHECK_EQUAL(posix_fallocate(fd, 0, 1ll << 40), ENOSPC);
	CHECK_EQUAL(errno, 0);
	CHECK_EQUAL(ftruncate(fd, 3 * PAGE), 0);
	CHECK(pages_are(fd, "abc"));
	CHECK_EQUAL(close(reader), 0);
	CHECK_EQUAL(close(fd), 0);
}

static void blocks_ahead(void)
{
	struct stat st;
	int fd = put("ahead", 1);

	CHECK(fd >= 0);
	CHECK_EQUAL(posix_fallocate(fd, 0, 4 * PAGE), 0);
	CHECK(pages_are(fd, "a---"));
	CHECK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 100 * PAGE) == 0 && fstat(fd, &st) == 0);
	CHECK(st.st_size == 4 * PAGE && st.st_blocks >= 100 * 8);
	memset(buffer, 'x', PAGE);
	CHECK_EQUAL(pwrite(fd, buffer, PAGE, 5 * PAGE), PAGE);
	CHECK(pages_are(fd, "a----x"));
	CHECK_EQUAL(ftruncate(fd, PAGE), 0);
	CHECK(fstat(fd, &st) == 0 && st.st_blocks < 20);
	CHECK_EQUAL(close(fd), 0);
}

/* What one descriptor does, another one with a lease and a mapping see at once. */
static void ranges_are_seen(void)
{
	int fd = put("seen", 6), other = open(FOLDER "/seen", O_RDWR);
	const char *map = mmap(NULL, 8 * PAGE, PROT_READ, MAP_SHARED, other, 0);

	CHECK(fd >= 0 && other >= 0 && map != MAP_FAILED);
	for (int i = 0; i < WARM; i++)
		CHECK(pages_are(other, "abcdef") && map[5 * PAGE] == 'f');
	CHECK_EQUAL(fallocate(fd, PUNCH, PAGE, PAGE), 0);
	CHECK(map[PAGE] == 0 && pages_are(other, "a-cdef"));
	CHECK_EQUAL(fallocate(fd, FALLOC_FL_ZERO_RANGE, 2 * PAGE, PAGE), 0);
	CHECK(map[2 * PAGE] == 0 && pages_are(other, "a--def"));
	CHECK_EQUAL(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, PAGE, 2 * PAGE), 0);
	CHECK(map[PAGE] == 'd' && map[3 * PAGE] == 'f' && pages_are(other, "adef"));
	CHECK_EQUAL(fallocate(fd, FALLOC_FL_INSERT_RANGE, PAGE, 3 * PAGE), 0);
	CHECK(map[PAGE] == 0 && map[4 * PAGE] == 'd' && pages_are(other, "a---def"));
	memset(buffer, 'w', PAGE);
	CHECK_EQUAL(pwrite(other, buffer, PAGE, 2 * PAGE), PAGE);
	CHECK(map[2 * PAGE] == 'w' && pages_are(fd, "a-w-def"));
	CHECK_EQUAL(munmap((void *)(uintptr_t)map, 8 * PAGE), 0);
	CHECK_EQUAL(close(other), 0);
	CHECK_EQUAL(close(fd), 0);
}

static void data_and_holes(void)
{
	int fd = put("holes", 4);

	CHECK(fd >= 0);
	CHECK_EQUAL(fallocate(fd, PUNCH, PAGE, 2 * PAGE), 0);
	CHECK_EQUAL(lseek(fd, 0, SEEK_DATA), 0);
	CHECK_EQUAL(lseek(fd, 0, SEEK_HOLE), PAGE);
	CHECK_EQUAL(lseek(fd, PAGE, SEEK_HOLE), PAGE);
	CHECK_EQUAL(lseek(fd, PAGE, SEEK_DATA), 3 * PAGE);
	CHECK_EQUAL(lseek(fd, 3 * PAGE, SEEK_HOLE), 4 * PAGE);
	CHECK_EQUAL(lseek(fd, 0, SEEK_CUR), 4 * PAGE);
	CHECK(lseek(fd, 4 * PAGE, SEEK_DATA) == -1 && errno == ENXIO);
	CHECK(lseek(fd, 4 * PAGE, SEEK_HOLE) == -1 && errno == ENXIO);
	CHECK(lseek(fd, -1, SEEK_DATA) == -1 && errno == ENXIO);
	CHECK_EQUAL(ftruncate(fd, 6 * PAGE), 0);
	CHECK(lseek(fd, 4 * PAGE, SEEK_DATA) == -1 && errno == ENXIO);
	CHECK_EQUAL(lseek(fd, 5 * PAGE, SEEK_HOLE), 5 * PAGE);
	CHECK_EQUAL(close(fd), 0);
}

static void files_without_a_name(void)
{
	struct statvfs before, after;
	struct stat st;
	char path[40];

	CHECK_EQUAL(statvfs(FOLDER, &before), 0);
	int fd = open(FOLDER, O_TMPFILE | O_RDWR, 0640);
	CHECK(fd >= 0 && fstat(fd, &st) == 0 && st.st_nlink == 0 && (st.st_mode & 0777) == 0640);
	memset(buffer, 'n', PAGE);
	for (int i = 0; i < WARM; i++)
		CHECK(pwrite(fd, buffer, PAGE, i * PAGE) == PAGE && pread(fd, buffer, PAGE, 0) == PAGE);
	CHECK_EQUAL(close(fd), 0);
	CHECK(statvfs(FOLDER, &after) == 0 && after.f_bfree >= before.f_bfree);
	CHECK(open(FOLDER, O_TMPFILE | O_RDONLY, 0600) == -1 && errno == EINVAL);
	CHECK(open(FOLDER "/none", O_TMPFILE | O_RDWR, 0600) == -1 && errno == ENOENT);
	fd = open(FOLDER, O_TMPFILE | O_WRONLY, 0600);
	CHECK(fd >= 0 && write(fd, "text", 4) == 4);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_EQUAL(linkat(AT_FDCWD, path, AT_FDCWD, FOLDER "/named", AT_SYMLINK_FOLLOW), 0);
	CHECK(stat(FOLDER "/named", &st) == 0 && st.st_nlink == 1 && st.st_size == 4);
	CHECK_EQUAL(linkat(fd, "", AT_FDCWD, FOLDER "/twice", AT_EMPTY_PATH), 0);
	CHECK(linkat(fd, "", AT_FDCWD, FOLDER "/twice", AT_EMPTY_PATH) == -1 && errno == EEXIST);
	CHECK(linkat(fd, "", AT_FDCWD, "/tmp/posix_ranges", AT_EMPTY_PATH) == -1 && errno == EXDEV);
	CHECK(unlink(FOLDER "/named") == 0 && unlink(FOLDER "/twice") == 0);
	CHECK(linkat(fd, "", AT_FDCWD, FOLDER "/named", AT_EMPTY_PATH) == -1 && errno == ENOENT);
	CHECK_EQUAL(close(fd), 0);
}

static void copies(void)
{
	off_t from = PAGE, to = 3 * PAGE;
	int fd = put("from", 5), out = put("to", 2), tmp = open("/tmp/posix_ranges", O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0 && out >= 0 && tmp >= 0);
	CHECK_EQUAL(fallocate(fd, PUNCH, 2 * PAGE, PAGE), 0);
	CHECK_EQUAL(copy_file_range(fd, &from, out, &to, 3 * PAGE, 0), 3 * PAGE);
	CHECK(from == 4 * PAGE && to == 6 * PAGE && pages_are(out, "ab-b-d"));
	CHECK_EQUAL(lseek(out, 4 * PAGE, SEEK_HOLE), 4 * PAGE);
	CHECK(copy_file_range(fd, &from, out, &to, 10 * PAGE, 0) == PAGE && from == 5 * PAGE && pages_are(out, "ab-b-de"));
	CHECK_EQUAL(copy_file_range(fd, &from, out, &to, PAGE, 0), 0); /* the source's end */
	CHECK(copy_file_range(fd, NULL, fd, NULL, PAGE, 1) == -1 && errno == EINVAL);
	from = 0;
	to = PAGE;
	CHECK(copy_file_range(fd, &from, fd, &to, PAGE + 1, 0) == -1 && errno == EINVAL);
	CHECK(copy_file_range(fd, &from, fd, &to, PAGE, 0) == PAGE && pages_are(fd, "aa-de"));
	CHECK(lseek(fd, 3 * PAGE, SEEK_SET) == 3 * PAGE && lseek(out, 0, SEEK_SET) == 0);
	CHECK_EQUAL(copy_file_range(fd, NULL, out, NULL, 2 * PAGE, 0), 2 * PAGE);
	CHECK(lseek(fd, 0, SEEK_CUR) == 5 * PAGE && lseek(out, 0, SEEK_CUR) == 2 * PAGE && pages_are(out, "de-b-de"));
	from = 0;
	CHECK_EQUAL(copy_file_range(fd, &from, tmp, NULL, 5 * PAGE, 0), 5 * PAGE); /* to another file system */
	CHECK(pages_are(tmp, "aa-de"));
	CHECK(close(fd) == 0 && close(out) == 0 && close(tmp) == 0);
	CHECK_EQUAL(unlink("/tmp/posix_ranges"), 0);
}

static void clean_up(void)
{
	static const char *const names[] = { "errors", "ahead", "seen", "holes", "named", "twice", "from", "to" };
	char path[80];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), FOLDER "/%s", names[i]);
		unlink(path);
	}
	rmdir(FOLDER);
}

/* Where there are no blocks: room, and zeroes. */
static void in_memory(void)
{
	struct stat st;
	int fd = open("/tmp/posix_ranges_memory", O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	CHECK_EQUAL(pwrite(fd, "abcdef", 6, 0), 6);
	CHECK_EQUAL(posix_fallocate(fd, 2, 2 * PAGE), 0);
	CHECK(fstat(fd, &st) == 0 && st.st_size == 2 * PAGE + 2);
	const char *map = mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED && memcmp(map, "abcdef\0", 7) == 0);
	CHECK_EQUAL(fallocate(fd, PUNCH, 1, 3), 0);
	CHECK(memcmp(map, "a\0\0\0ef\0", 7) == 0);
	CHECK(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, PAGE) == -1);
	CHECK(fallocate(fd, 0, 0, 0) == -1 && errno == EINVAL);
	CHECK(fstat(fd, &st) == 0 && st.st_size == 2 * PAGE + 2);
	CHECK_EQUAL(munmap((void *)(uintptr_t)map, 3 * PAGE), 0);
	CHECK_EQUAL(close(fd), 0);
	CHECK_EQUAL(unlink("/tmp/posix_ranges_memory"), 0);
}

int main(void)
{
	CHECK_RUN(in_memory);
	clean_up();
	if (mkdir(FOLDER, 0755) != 0 && errno == EROFS)
		return 0; /* no /pmem on this machine */
	CHECK_RUN(errors);
	CHECK_RUN(blocks_ahead);
	CHECK_RUN(ranges_are_seen);
	CHECK_RUN(data_and_holes);
	CHECK_RUN(files_without_a_name);
	CHECK_RUN(copies);
	clean_up();
	return check.failed;
}
