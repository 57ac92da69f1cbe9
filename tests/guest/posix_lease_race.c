/* SPDX-License-Identifier: BSD-2-Clause */
/* posix_lease_race.c - files that are used without calls while others cut them, unlink them, replace them, close them,
 * and fill their blocks with other files' bytes. Each file has a letter, and its bytes are that letter or 0: whoever
 * sees another has read across, and a file with a foreign letter has been written across. Then clients that do not keep
 * to libc's ways: stores through stale mappings, and ends without goodbye. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lintel/fs_client.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>

#include "check.h"

#define FOLDER "/pmem/posix_lease_race"
#define PAGE 4096
#define PAGES 24 /* of the file that is fought over */
#define ROUNDS 40
#define WARM 20
#define PAGE_FAULT 14

extern char **environ;
static char *own_path;

struct user {
	pthread_t thread;
	const char *path;
	char letter;
	unsigned seed;
	uint64_t done;      /* reads and writes */
	const char *wrong;  /* what it saw */
};

static bool stop; /* [a] */

static unsigned next_random(unsigned *seed)
{
	return (*seed = *seed * 1664525 + 1013904223) >> 8;
}

/* All bytes are the letter or 0. */
static bool is_own(const char *bytes, size_t count, char letter)
{
	for (size_t i = 0; i < count; i++)
		if (bytes[i] != letter && bytes[i] != 0)
			return false;
	return true;
}

static bool fill_file(const char *path, char letter, size_t pages)
{
	char page[PAGE];
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	bool good = fd >= 0;

	memset(page, letter, sizeof(page));
	for (size_t i = 0; i < pages && good; i++)
		good = write(fd, page, sizeof(page)) == PAGE;
	return close(fd) == 0 && good;
}

/* Every byte is the letter: nobody wrote into it from outside. */
static bool is_whole(const char *path, char letter, size_t pages)
{
	char page[PAGE];
	int fd = open(path, O_RDONLY);
	bool good = fd >= 0;

	for (size_t i = 0; i < pages && good; i++) {
		good = read(fd, page, sizeof(page)) == PAGE;
		for (size_t at = 0; at < sizeof(page) && good; at++)
			good = page[at] == letter;
	}
	return close(fd) == 0 && good;
}

/* Leaves so few blocks free that what one file gives up is what the next one gets. */
static bool device_is_nearly_full(void)
{
	enum { BYTES = 1 << 20, SPARE = 6 * PAGES * PAGE, LARGEST = 600 << 20 };
	char *some = calloc(1, BYTES);
	int fd = open(FOLDER "/filler", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ssize_t done = 1;
	off_t size = 0;

	while (some != NULL && done > 0 && size < LARGEST) {
		done = write(fd, some, BYTES);
		size += done > 0 ? done : 0;
	}
	free(some);
	return done < 0 && errno == ENOSPC && ftruncate(fd, size - SPARE) == 0 && close(fd) == 0;
}

/* ---- One who reads and one who writes, each with a descriptor of its own, leased ---- */

static void *keep_reading(void *context)
{
	struct user *user = context;
	static _Thread_local char buffer[5 * PAGE];
	int fd = open(user->path, O_RDONLY);

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED) && user->wrong == NULL) {
		size_t bytes = next_random(&user->seed) % sizeof(buffer);
		off_t offset = next_random(&user->seed) % ((PAGES + 2) * PAGE);
		ssize_t done = pread(fd, buffer, bytes, offset);
		if (done < 0)
			user->wrong = "a read failed";
		else if (!is_own(buffer, (size_t)done, user->letter))
			user->wrong = "a read gave another file's bytes";
		user->done++;
	}
	close(fd);
	return NULL;
}

static void *keep_writing(void *context)
{
	struct user *user = context;
	static _Thread_local char buffer[5 * PAGE];
	int fd = open(user->path, O_RDWR);

	memset(buffer, user->letter, sizeof(buffer));
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED) && user->wrong == NULL) {
		size_t bytes = next_random(&user->seed) % sizeof(buffer);
		off_t offset = next_random(&user->seed) % ((PAGES - 5) * PAGE);
		if (pwrite(fd, buffer, bytes, offset) != (ssize_t)bytes && errno != ENOSPC)
			user->wrong = "a write failed";
		user->done++;
	}
	close(fd);
	return NULL;
}

/* A program of its own that does both, until FOLDER/stop appears. */
static int use_from_outside(const char *path)
{
	static char buffer[3 * PAGE];
	int fd = open(path, O_RDWR), done = 0;
	unsigned seed = 99;

	for (; access(FOLDER "/stop", F_OK) != 0; done++) {
		ssize_t count = pread(fd, buffer, sizeof(buffer), next_random(&seed) % (PAGES * PAGE));
		if (count < 0 || !is_own(buffer, (size_t)count, 'A'))
			return 1;
		memset(buffer, 'A', sizeof(buffer));
		for (int i = 0; i < 20; i++)
			if (pwrite(fd, buffer, sizeof(buffer), next_random(&seed) % ((PAGES - 3) * PAGE)) < 0 && errno != ENOSPC)
				return 2;
	}
	return done < WARM ? 3 : 0;
}

static void users_start(struct user users[2], const char *path, char letter, bool write)
{
	stop = false;
	for (unsigned i = 0; i < 2; i++) {
		users[i] = (struct user){ .path = path, .letter = letter, .seed = i + 1 };
		pthread_create(&users[i].thread, NULL, i == 1 && write ? keep_writing : keep_reading, &users[i]);
	}
	usleep(20000); /* until both are leased */
}

static void users_stop(struct user users[2])
{
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++) {
		pthread_join(users[i].thread, NULL);
		if (users[i].wrong != NULL)
			check_fail("%s", users[i].wrong);
		else if (users[i].done < WARM)
			check_fail("only %d uses", (int)users[i].done);
	}
}

static pid_t spawn_user(const char *path)
{
	char *arguments[] = { own_path, (char *)(uintptr_t)"use", (char *)(uintptr_t)path, NULL };
	pid_t pid;

	return posix_spawn(&pid, own_path, NULL, NULL, arguments, environ) == 0 ? pid : -1;
}

static void cut_files_show_and_touch_no_others(void)
{
	struct user users[2];

	CHECK(device_is_nearly_full());
	CHECK(fill_file(FOLDER "/fought", 'A', PAGES));
	pid_t outside = spawn_user(FOLDER "/fought");
	CHECK(outside > 0);
	users_start(users, FOLDER "/fought", 'A', true);
	for (int i = 0; i < ROUNDS; i++) {
		CHECK_EQUAL(truncate(FOLDER "/fought", i % 3 * (PAGE + 77)), 0);
		CHECK(fill_file(FOLDER "/other", 'B', PAGES)); /* with the blocks that have just come free, among others */
		CHECK_EQUAL(truncate(FOLDER "/fought", PAGES * PAGE - i), 0);
		CHECK(is_whole(FOLDER "/other", 'B', PAGES));
		CHECK_EQUAL(unlink(FOLDER "/other"), 0);
	}
	users_stop(users);
	CHECK_EQUAL(close(open(FOLDER "/stop", O_WRONLY | O_CREAT, 0600)), 0);
	int status;
	CHECK_EQUAL(waitpid(outside, &status, 0), outside);
	CHECK_EQUAL(status, 0);
	CHECK_EQUAL(unlink(FOLDER "/fought"), 0);
}

static void open_and_truncate_is_no_way_around(void)
{
	struct user users[2];

	CHECK(fill_file(FOLDER "/fought", 'A', PAGES));
	users_start(users, FOLDER "/fought", 'A', true);
	for (int i = 0; i < ROUNDS; i++) {
		CHECK(fill_file(FOLDER "/other", 'B', PAGES / 2));
		CHECK(fill_file(FOLDER "/fought", 'A', PAGES)); /* O_TRUNC */
		CHECK(is_whole(FOLDER "/other", 'B', PAGES / 2));
		CHECK(fill_file(FOLDER "/other", 'C', PAGES));
		CHECK(is_whole(FOLDER "/other", 'C', PAGES));
	}
	users_stop(users);
	CHECK_EQUAL(unlink(FOLDER "/other"), 0);
	CHECK_EQUAL(unlink(FOLDER "/fought"), 0);
}

/* The name goes, or leads to another file; those that have it open keep the old one until they close it. */
static void nameless_files_live_until_they_are_closed(void)
{
	struct user users[2];

	for (int i = 0; i < ROUNDS / 10; i++) {
		CHECK(fill_file(FOLDER "/fought", 'A', PAGES));
		users_start(users, FOLDER "/fought", 'A', true);
		CHECK(fill_file(FOLDER "/other", 'B', PAGES));
		if (i % 2 == 0)
			CHECK_EQUAL(unlink(FOLDER "/fought"), 0);
		else
			CHECK_EQUAL(rename(FOLDER "/other", FOLDER "/fought"), 0);
		CHECK(fill_file(FOLDER "/third", 'C', PAGES));
		users_stop(users);
		CHECK(fill_file(FOLDER "/fourth", 'D', PAGES)); /* where the old one was */
		CHECK(is_whole(i % 2 == 0 ? FOLDER "/other" : FOLDER "/fought", 'B', PAGES));
		CHECK(is_whole(FOLDER "/third", 'C', PAGES));
		CHECK(is_whole(FOLDER "/fourth", 'D', PAGES));
	}
	CHECK_EQUAL(unlink(FOLDER "/filler"), 0);
}

/* ---- A descriptor that is closed and leads elsewhere while others use it ---- */

static int shared_fd; /* [a] */

static void *keep_using(void *context)
{
	struct user *user = context;
	char buffer[200];

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED) && user->wrong == NULL) {
		struct stat st;
		ssize_t done = pread(__atomic_load_n(&shared_fd, __ATOMIC_RELAXED), buffer, sizeof(buffer),
							 next_random(&user->seed) % PAGE);
		if (done < 0 && errno != EBADF)
			user->wrong = "a read failed";
		if (done == sizeof(buffer) && !is_own(buffer, sizeof(buffer), buffer[0]))
			user->wrong = "a read gave two files' bytes";
		if (fstat(shared_fd, &st) == 0 && st.st_size != PAGES * PAGE)
			user->wrong = "fstat gave a size that no file had";
		user->done++;
	}
	return NULL;
}

static void *keep_scribbling(void *context)
{
	struct user *user = context;
	static _Thread_local char buffer[16 * PAGE];

	memset(buffer, 'X', sizeof(buffer));
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED) && user->wrong == NULL) {
		if (pwrite(__atomic_load_n(&shared_fd, __ATOMIC_RELAXED), buffer, sizeof(buffer), 0) < 0 && errno != EBADF)
			user->wrong = "a write failed";
		user->done++;
	}
	return NULL;
}

/* Where a lease was mapped there is soon other memory, which must stay as it is. */
static void memory_is_not_written_through_closed_descriptors(void)
{
	const size_t bytes = 4 << 20;
	struct user users[2];
	char byte;

	stop = false;
	shared_fd = -1;
	for (unsigned i = 0; i < 2; i++) {
		users[i] = (struct user){ .seed = i + 1 };
		CHECK_EQUAL(pthread_create(&users[i].thread, NULL, keep_scribbling, &users[i]), 0);
	}
	for (int i = 0; i < 4 * ROUNDS; i++) {
		int fd = open(FOLDER "/first", O_RDWR);
		for (int warm = 0; warm < WARM; warm++)
			CHECK(pread(fd, &byte, 1, 0) == 1 && pwrite(fd, &byte, 1, 0) == 1);
		__atomic_store_n(&shared_fd, fd, __ATOMIC_RELAXED);
		usleep(next_random(&users[0].seed) % 3000);
		CHECK_EQUAL(close(fd), 0);
		char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(memory != MAP_FAILED);
		memory[0] = 1;
		for (size_t at = 1; at < 17 * PAGE; at++)
			CHECK_EQUAL(memory[at], 0);
		CHECK_EQUAL(munmap(memory, bytes), 0);
	}
	users_stop(users);
}

static void descriptors_close_under_their_users(void)
{
	struct user users[2];
	char byte;

	CHECK(fill_file(FOLDER "/first", 'A', PAGES) && fill_file(FOLDER "/second", 'B', PAGES));
	shared_fd = open(FOLDER "/first", O_RDWR);
	stop = false;
	for (unsigned i = 0; i < 2; i++) {
		users[i] = (struct user){ .seed = i + 1 };
		CHECK_EQUAL(pthread_create(&users[i].thread, NULL, keep_using, &users[i]), 0);
	}
	for (int i = 0; i < 4 * ROUNDS; i++) {
		int fresh = open(i % 2 == 0 ? FOLDER "/second" : FOLDER "/first", O_RDWR);
		CHECK(fresh >= 0 && fresh != shared_fd);
		for (int warm = 0; warm < WARM; warm++)
			CHECK_EQUAL(pread(fresh, &byte, 1, 0), 1);
		if (i % 3 == 0) {
			CHECK_EQUAL(dup2(fresh, shared_fd), shared_fd);
			CHECK_EQUAL(close(fresh), 0);
		} else {
			int before = __atomic_exchange_n(&shared_fd, fresh, __ATOMIC_RELAXED);
			CHECK_EQUAL(close(before), 0);
		}
	}
	users_stop(users);
	CHECK_EQUAL(close(shared_fd), 0);
}

/* ---- Clients that speak to the server themselves ---- */

enum stale { BY_TRUNCATE, BY_UNLINK, BY_CLOSE, READS, LEASE_PAGE, STALES };

static bool pmem_session(handle_t *session)
{
	const char *prefix;
	handle_t door;

	for (uint32_t i = 0; lintel_mount_get(i, &prefix, &door) == OK; i++)
		if (strcmp(prefix, "/pmem") == 0)
			return fs_connect(door, session) == OK;
	return false;
}

/* A mapping of the file's third page, in use; then the file loses it; then the mapping is used again, which must end
 * us. 0 if we live on. */
static int use_stale_mapping(enum stale how)
{
	const char *name = "posix_lease_race/stale";
	struct fs_setattr cut = { .set = FS_SET_SIZE, .size = 100 }, first_cut = { .set = FS_SET_SIZE, .size = 4 * PAGE };
	uint64_t file, size, inode, bytes, base;
	handle_t session, vmo;
	uint32_t type;

	if (!pmem_session(&session) ||
		fs_open(session, FS_OPEN_READ | FS_OPEN_WRITE, 0, name, &file, &size, &type, &inode) != OK ||
		fs_lease(session, file, RIGHT_READ | RIGHT_WRITE, &vmo, &bytes) != OK ||
		lintel_space_map(lintel_process(), vmo, 0, bytes, 0, SPACE_READ | SPACE_WRITE, &base) != OK)
		return 2;
	volatile char *at = (volatile char *)base + 2 * PAGE;
	if (at[0] != 'S')
		return 3;
	at[1] = 'T';
	if (how == LEASE_PAGE)
		at = (volatile char *)base + bytes - PAGE;
	else if (how == BY_CLOSE ? fs_close(session, file) != OK
			 : how == BY_UNLINK ? fs_unlink(session, name) != OK || fs_close(session, file) != OK
								: fs_setattr(session, file, &first_cut) != OK || fs_setattr(session, file, &cut) != OK)
		return 4;
	if (!fill_file(FOLDER "/victim", 'V', PAGES))
		return 5;
	if (how == READS)
		return at[0] == 'S' ? 0 : 1;
	at[0] = 'X';
	return 0;
}

static int run_child(const char *role, const char *how)
{
	char *arguments[] = { own_path, (char *)(uintptr_t)role, (char *)(uintptr_t)how, NULL };
	struct spawn_request request = { .path = own_path, .argv = arguments };
	handle_t process;
	int32_t status;

	if (lintel_spawn(&request, &process) != OK)
		return -1;
	err_t err = lintel_wait(process, DEADLINE_NEVER, &status);
	lintel_handle_close(process);
	return err == OK ? status : -1;
}

static void stale_mappings_reach_nothing(void)
{
	for (int how = 0; how < STALES; how++) {
		char number[12];
		snprintf(number, sizeof(number), "%d", how);
		unlink(FOLDER "/stale"); /* a new file: the last child's may be open until its end is seen to */
		CHECK(fill_file(FOLDER "/stale", 'S', PAGES));
		CHECK_EQUAL(run_child("stale", number), EXIT_STATUS_FAULT - PAGE_FAULT);
		CHECK(how == LEASE_PAGE || is_whole(FOLDER "/victim", 'V', PAGES));
	}
	CHECK_EQUAL(unlink(FOLDER "/stale"), 0);
}

/* A write lease needs a file that is open for writing. */
static void leases_need_rights(void)
{
	uint64_t file, size, inode, bytes;
	handle_t session, vmo;
	uint32_t type;

	CHECK(pmem_session(&session));
	CHECK_EQUAL(fs_open(session, FS_OPEN_READ, 0, "posix_lease_race/first", &file, &size, &type, &inode), OK);
	CHECK_EQUAL(fs_lease(session, file, RIGHT_READ | RIGHT_WRITE, &vmo, &bytes), ERR_DENIED);
	CHECK_EQUAL(fs_lease(session, file, RIGHT_READ | RIGHT_EXECUTE, &vmo, &bytes), OK);
	uint64_t base;
	CHECK_EQUAL(lintel_space_map(lintel_process(), vmo, 0, bytes, 0, SPACE_READ | SPACE_WRITE, &base), ERR_DENIED);
	CHECK_EQUAL(lintel_space_map(lintel_process(), vmo, 0, bytes, 0, SPACE_READ | SPACE_EXECUTE, &base), ERR_DENIED);
	lintel_handle_close(vmo);
	CHECK_EQUAL(fs_lease(session, file + 1, RIGHT_READ, &vmo, &bytes), ERR_BAD_HANDLE);
	CHECK_EQUAL(fs_close(session, file), OK);
	CHECK_EQUAL(fs_open(session, FS_OPEN_WRITE, 0, "posix_lease_race/first", &file, &size, &type, &inode), OK);
	CHECK_EQUAL(fs_lease(session, file, RIGHT_WRITE, &vmo, &bytes), ERR_DENIED);
	CHECK_EQUAL(fs_close(session, file), OK);
	CHECK_EQUAL(fs_open(session, FS_OPEN_READ, 0, "posix_lease_race", &file, &size, &type, &inode), OK);
	CHECK_EQUAL(fs_lease(session, file, RIGHT_READ, &vmo, &bytes), ERR_IS_DIR);
	CHECK_EQUAL(fs_close(session, file), OK);
	lintel_handle_close(session);
}

static int die_with_leases(void)
{
	char byte;
	int fd = open(FOLDER "/dying", O_RDWR);

	for (int i = 0; i < WARM; i++)
		if (pread(fd, &byte, 1, i * PAGE) != 1 || pwrite(fd, &byte, 1, i * PAGE) != 1)
			return 1;
	(void)!lintel_process_exit(77);
	return 2;
}

static void the_dead_hold_nothing(void)
{
	struct statvfs before, after;

	for (int i = 0; i < 3; i++) {
		CHECK(fill_file(FOLDER "/dying", 'D', PAGES));
		CHECK_EQUAL(statvfs("/pmem", &before), 0);
		CHECK_EQUAL(run_child("die", ""), 77);
		CHECK_EQUAL(unlink(FOLDER "/dying"), 0);
		for (int wait = 0; wait < 500; wait++) { /* the server hears of it a little later */
			CHECK_EQUAL(statvfs("/pmem", &after), 0);
			if (after.f_bfree >= before.f_bfree + PAGES)
				break;
			usleep(10000);
		}
		CHECK(after.f_bfree >= before.f_bfree + PAGES);
	}
}

static void clean_up(void)
{
	static const char *const names[] = { "filler", "stop", "fought", "other", "first", "second", "third", "fourth",
										 "stale", "victim", "dying" };
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
	if (argc > 2 && strcmp(argv[1], "stale") == 0)
		return use_stale_mapping((enum stale)atoi(argv[2]));
	if (argc > 2 && strcmp(argv[1], "use") == 0)
		return use_from_outside(argv[2]);
	if (argc > 2)
		return die_with_leases();
	clean_up();
	if (mkdir(FOLDER, 0755) != 0 && errno == EROFS)
		return 0; /* no /pmem on this machine */
	CHECK_RUN(cut_files_show_and_touch_no_others);
	CHECK_RUN(open_and_truncate_is_no_way_around);
	CHECK_RUN(nameless_files_live_until_they_are_closed);
	CHECK_RUN(descriptors_close_under_their_users);
	CHECK_RUN(memory_is_not_written_through_closed_descriptors);
	CHECK_RUN(stale_mappings_reach_nothing);
	CHECK_RUN(leases_need_rights);
	CHECK_RUN(the_dead_hold_nothing);
	clean_up();
	return check.failed;
}
