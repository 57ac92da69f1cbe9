/* SPDX-License-Identifier: BSD-2-Clause */
/* posix_clone.c - files that share blocks, on /pmem: what FICLONE and FICLONERANGE answer; that a write to one is never
 * seen in the other, by calls, without calls, through mappings, past the end, from another program; and clones of a
 * file that another program writes to without calls all the while. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define FOLDER "/pmem/posix_clone"
#define PAGES 40
#define CLONES 60

#include "pages.h"

extern char **environ;
static char *own_path;

static int fill_page(int fd, int page, char letter)
{
	char bytes[PAGE];

	memset(bytes, letter, sizeof(bytes));
	return pwrite(fd, bytes, PAGE, (off_t)page * PAGE) == PAGE;
}

static uint64_t blocks_free(void)
{
	struct statvfs st;

	return statvfs("/pmem", &st) == 0 ? st.f_bfree : 0;
}

static int clone_range(int from, off_t offset, off_t bytes, int to, off_t to_offset)
{
	const struct file_clone_range range = { from, (uint64_t)offset, (uint64_t)bytes, (uint64_t)to_offset };

	return ioctl(to, FICLONERANGE, &range);
}

static void answers(void)
{
	int fd = put("from", 4), to = put("to", 2), reader = open(FOLDER "/to", O_RDONLY);
	int tmp = open("/tmp/posix_clone", O_RDWR | O_CREAT | O_TRUNC, 0600), folder = open(FOLDER, O_RDONLY);
	int append = open(FOLDER "/to", O_WRONLY | O_APPEND), writer = open(FOLDER "/from", O_WRONLY);

	CHECK(fd >= 0 && to >= 0 && reader >= 0 && tmp >= 0 && folder >= 0 && append >= 0 && writer >= 0);
	CHECK(ioctl(to, FICLONE, -1) == -1 && errno == EBADF);
	CHECK(ioctl(-1, FICLONE, fd) == -1 && errno == EBADF);
	CHECK(ioctl(reader, FICLONE, fd) == -1 && errno == EBADF);
	CHECK(ioctl(append, FICLONE, fd) == -1 && errno == EBADF);
	CHECK(ioctl(to, FICLONE, writer) == -1 && errno == EBADF);
	CHECK(ioctl(to, FICLONE, folder) == -1 && errno == EISDIR);
	CHECK(ioctl(tmp, FICLONE, fd) == -1 && errno == EXDEV);
	CHECK(ioctl(to, 12345, fd) == -1 && errno == ENOTTY);
	CHECK(clone_range(fd, 1, PAGE, to, 0) == -1 && errno == EINVAL);
	CHECK(clone_range(fd, 0, PAGE - 1, to, 0) == -1 && errno == EINVAL);
	CHECK(clone_range(fd, 0, PAGE, to, 1) == -1 && errno == EINVAL);
	CHECK(clone_range(fd, 3 * PAGE, 2 * PAGE, to, 0) == -1 && errno == EINVAL);
	CHECK(clone_range(fd, 5 * PAGE, 0, to, 0) == -1 && errno == EINVAL);
	CHECK(clone_range(fd, 0, 2 * PAGE, fd, PAGE) == -1 && errno == EINVAL);
	CHECK(ioctl(tmp, FICLONE, tmp) == -1 && errno == EOPNOTSUPP); /* memfs */
	CHECK(pages_are(fd, "abcd") && pages_are(to, "ab"));
	const uint64_t before = blocks_free();
	CHECK_EQUAL(clone_range(fd, PAGE, 2 * PAGE, to, 3 * PAGE), 0);
	CHECK(pages_are(to, "ab-bc"));
	CHECK_EQUAL(blocks_free(), before);
	CHECK_EQUAL(clone_range(to, 0, PAGE, to, 2 * PAGE), 0);
	CHECK(pages_are(to, "ababc"));
	CHECK_EQUAL(ioctl(to, FICLONE, fd), 0); /* what is behind it stays */
	CHECK(pages_are(to, "abcdc"));
	CHECK(ftruncate(fd, 3 * PAGE + 5) == 0 && ioctl(to, FICLONE, fd) == -1 && errno == EINVAL);
	CHECK(ftruncate(to, 3 * PAGE) == 0 && ioctl(to, FICLONE, fd) == 0);
	struct stat st;
	CHECK(fstat(to, &st) == 0 && st.st_size == 3 * PAGE + 5);
	CHECK(close(fd) == 0 && close(to) == 0 && close(tmp) == 0 && close(reader) == 0 && close(folder) == 0);
	CHECK(close(append) == 0 && close(writer) == 0 && unlink("/tmp/posix_clone") == 0);
}

/* Both are leased to be written: the next store of either finds its own block. */
static void writes_without_calls(void)
{
	int fd = put("from", 4), to = put("to", 0);

	CHECK(fd >= 0 && to >= 0 && fill_page(fd, 0, 'A') && fill_page(fd, 1, 'B'));
	CHECK_EQUAL(ioctl(to, FICLONE, fd), 0);
	for (int i = 0; i < WARM; i++)
		CHECK(pages_are(to, "ABcd"));
	CHECK(fill_page(fd, 0, '1') && pages_are(to, "ABcd") && pages_are(fd, "1Bcd"));
	CHECK(fill_page(to, 0, '2') && fill_page(to, 1, '3') && pages_are(to, "23cd") && pages_are(fd, "1Bcd"));
	CHECK(pwrite(fd, "xyz", 3, 3 * PAGE + 10) == 3 && pages_are(to, "23cd"));
	CHECK(ftruncate(fd, 2 * PAGE + 100) == 0 && ftruncate(fd, 3 * PAGE) == 0 && pages_are(to, "23cd"));
	CHECK(fallocate(to, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE) == 0 && pages_are(to, "-3cd"));
	CHECK(pread(fd, buffer, PAGE, 0) == PAGE && buffer[0] == '1' && buffer[PAGE - 1] == '1');
	CHECK(pread(fd, buffer, PAGE, 2 * PAGE) == PAGE && buffer[99] == 'c' && buffer[100] == 0);
	CHECK_EQUAL(ioctl(fd, FICLONE, to), 0); /* and back */
	CHECK(pages_are(fd, "-3cd"));
	CHECK(close(fd) == 0 && close(to) == 0);
}

static void stores_through_mappings(void)
{
	int fd = put("from", 4), to = put("to", 0);
	CHECK(fd >= 0 && to >= 0 && ftruncate(fd, 3 * PAGE + 100) == 0);
	char *map = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);

	map[0] = '1';
	map[3 * PAGE + 200] = 'p'; /* past the end: nobody's */
	CHECK_EQUAL(ioctl(to, FICLONE, fd), 0);
	char *other = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, to, 0);
	CHECK(other != MAP_FAILED);
	CHECK(other[0] == '1' && other[1] == 'a' && other[3 * PAGE + 200] == 0);
	map[1] = '2';
	CHECK(other[1] == 'a' && map[0] == '1' && map[1] == '2');
	other[2] = '3';
	other[PAGE] = '4';
	CHECK(map[2] == 'a' && map[PAGE] == 'b' && other[2] == '3' && other[PAGE] == '4');
	CHECK(pread(fd, buffer, 3, 0) == 3 && memcmp(buffer, "12a", 3) == 0);
	CHECK(pread(to, buffer, 3, 0) == 3 && memcmp(buffer, "1a3", 3) == 0);
	CHECK(ftruncate(to, 4 * PAGE) == 0 && ftruncate(fd, 4 * PAGE) == 0);
	for (int i = 100; i < PAGE; i++)
		CHECK(map[3 * PAGE + i] == 0 && other[3 * PAGE + i] == 0);
	map[3 * PAGE + 200] = 'q';
	CHECK_EQUAL(other[3 * PAGE + 200], 0);
	CHECK(msync(map, 4 * PAGE, MS_SYNC) == 0 && msync(other, 4 * PAGE, MS_SYNC) == 0);
	CHECK(ftruncate(fd, 0) == 0 && other[2 * PAGE] == 'c' && other[3 * PAGE + 99] == 'd');
	CHECK(munmap(map, 4 * PAGE) == 0 && munmap(other, 4 * PAGE) == 0 && close(fd) == 0 && close(to) == 0);
}

/* ---- Clones of a file that another program writes to ---- */

/* Word i of the file counts up, from the first to the last, again and again: until FOLDER/stop appears. Each write is
 * without a call; every word that was written must be there when it is read. */
static int count_up(int through_mapping)
{
	static uint64_t words[PAGE / 8];
	int fd = open(FOLDER "/counted", O_RDWR);
	volatile uint64_t *map = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (fd < 0 || map == MAP_FAILED)
		return 1;
	for (uint64_t round = 1; access(FOLDER "/stop", F_OK) != 0; round++) {
		for (size_t page = 0; page < PAGES; page++) {
			for (size_t i = 0; i < PAGE / 8; i++) {
				words[i] = round;
				if (through_mapping)
					map[page * PAGE / 8 + i] = round;
			}
			if (!through_mapping && pwrite(fd, words, PAGE, (off_t)(page * PAGE)) != PAGE)
				return 2;
		}
		for (size_t i = 0; i < PAGES * PAGE / 8; i++)
			if (map[i] != round)
				return 3;
	}
	return 0;
}

/* What the clone was the first time it is the second time; its words are of at most two rounds, the later first. */
static const char *clone_wrong(int clone)
{
	static uint64_t first[PAGES * PAGE / 8], again[PAGES * PAGE / 8];

	if (pread(clone, first, sizeof(first), 0) != sizeof(first))
		return "a clone cannot be read";
	usleep(2000);
	if (pread(clone, again, sizeof(again), 0) != sizeof(again))
		return "a clone cannot be read again";
	if (memcmp(first, again, sizeof(first)) != 0)
		return "a clone has changed";
	for (size_t i = 1; i < PAGES * PAGE / 8; i++)
		if (first[i] > first[i - 1] || first[i] + 1 < first[0])
			return "a clone is not of one time";
	return NULL;
}

static void clone_while_written(char *way)
{
	static uint64_t zeroes[PAGES * PAGE / 8];
	int fd = open(FOLDER "/counted", O_RDWR | O_CREAT | O_TRUNC, 0600), status = -1;
	CHECK(fd >= 0 && pwrite(fd, zeroes, sizeof(zeroes), 0) == sizeof(zeroes));
	char *arguments[] = { own_path, way, NULL };
	pid_t pid;
	CHECK_EQUAL(posix_spawn(&pid, own_path, NULL, NULL, arguments, environ), 0);
	const char *wrong = NULL;
	uint64_t last = 0, moved = 0;

	for (int i = 0; i < CLONES && wrong == NULL; i++) {
		int clone = open(FOLDER "/clone", O_RDWR | O_CREAT | O_TRUNC, 0600);
		if (ioctl(clone, FICLONE, fd) != 0)
			wrong = "a clone failed";
		else
			wrong = clone_wrong(clone);
		uint64_t now = 0;
		if (wrong == NULL && pread(clone, &now, 8, 0) == 8 && now != last)
			moved++;
		last = now;
		if (i % 3 == 0) /* whoever writes here must not reach the other one */
			(void)!pwrite(clone, buffer, sizeof(buffer), 0);
		close(clone);
	}
	int stop = open(FOLDER "/stop", O_WRONLY | O_CREAT, 0600);
	CHECK(stop >= 0 && close(stop) == 0);
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	CHECK(unlink(FOLDER "/stop") == 0 && close(fd) == 0);
	CHECK_EQUAL(WEXITSTATUS(status), 0);
	if (wrong != NULL)
		check_fail("%s", wrong);
	CHECK(moved > 3);
}

static void clones_while_written_without_calls(void)
{
	clone_while_written((char *)(uintptr_t)"write");
}

static void clones_while_stored_to(void)
{
	clone_while_written((char *)(uintptr_t)"store");
}

static void clean_up(void)
{
	static const char *const names[] = { "from", "to", "counted", "clone", "stop" };
	char path[80];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), FOLDER "/%s", names[i]);
		unlink(path);
	}
	rmdir(FOLDER);
}

int main(int argc, char **argv)
{
	own_path = argv[0];
	if (argc > 1)
		return count_up(strcmp(argv[1], "store") == 0);
	clean_up();
	if (mkdir(FOLDER, 0755) != 0 && errno == EROFS)
		return 0; /* no /pmem on this machine */
	const uint64_t before = blocks_free();
	CHECK_RUN(answers);
	CHECK_RUN(writes_without_calls);
	CHECK_RUN(stores_through_mappings);
	CHECK_RUN(clones_while_written_without_calls);
	CHECK_RUN(clones_while_stored_to);
	clean_up();
	if (blocks_free() < before)
		check_fail("%d blocks are lost", (int)(before - blocks_free()));
	return check.failed;
}
