/* SPDX-License-Identifier: BSD-2-Clause */
/* mount.c - the mount table: path prefixes and doors, longest prefix first; and the working directory.
 *
 * M1  Who looks for a path's mount takes no lock and writes nothing that other threads read: `changes` is odd while the
 *     table is being changed, and another number afterwards.
 * M2  So a mount that has been in the table keeps its memory for good. Without references its handles are closed:
 *     whoever still has them from a look is refused, and looks again (place_failed).
 * M3  A thread that looks below the same mount again, and no other mount lies below that, need not search. */
#include "posix/mount.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <lintel/fs_client.h>
#include <lintel/init_client.h>

#include "core/early.h"
#include "core/sys.h"

#define RENEW_TRIES 100
#define RENEW_WAIT_NS 20000000u
#define RENEW_PAUSE_NS 5000000000u

static struct lock table_lock;
static struct mount *table[MOUNTS_MAX]; /* [a] changed under table_lock; longest prefix first, no holes */
static uint32_t table_count;            /* [a] changed under table_lock */
static uint32_t changes;                /* [a] of the table, under table_lock: M1 */
static struct lock renewing;            /* taken before table_lock */
static char cwd[PATH_BYTES_MAX + 1] = "/"; /* under table_lock */

struct mount *mount_reference(struct mount *mount)
{
	if (mount != NULL)
		__atomic_add_fetch(&mount->references, 1, __ATOMIC_RELAXED);
	return mount;
}

static void session_close(struct mount *mount)
{
	const handle_t session = __atomic_exchange_n(&mount->session, HANDLE_NONE, __ATOMIC_SEQ_CST);

	if (session != HANDLE_NONE)
		lintel_handle_close(session);
}

void mount_end(struct mount *mount)
{
	session_close(mount);
	lintel_handle_close(mount->door);
	if (!mount->listed)
		early_free(mount); /* else M2 */
}

bool mount_is_over(const struct mount *mount)
{
	return __atomic_load_n(&mount->references, __ATOMIC_SEQ_CST) == 0;
}

err_t mount_connect(struct mount *mount, handle_t *out)
{
	handle_t session;
	err_t error = OK;

	lock_acquire(&mount->connecting);
	session = __atomic_load_n(&mount->session, __ATOMIC_RELAXED);
	if (session == HANDLE_NONE) {
		error = fs_connect(mount->door, &session);
		if (error == OK)
			__atomic_store_n(&mount->session, session, __ATOMIC_SEQ_CST);
	}
	if (mount_is_over(mount)) { /* either it is closed here, or mount_drop has seen it */
		session_close(mount);
		error = ERR_PEER_DIED;
	}
	if (error == OK)
		*out = session;
	lock_release(&mount->connecting);
	return error;
}

/* All of its prefix lies in `start`, and more than the root's slash. */
static ALWAYS_INLINE bool is_short(const struct mount *mount)
{
	return mount->prefix_bytes > 1 && mount->prefix_bytes <= sizeof(mount->start);
}

/* The table is about to change (M1), and has changed. Nobody is sure of his mount meanwhile (M3). */
static void table_change_begin(void) TA_EXCL(table_lock)
{
	for (uint32_t i = 0; i < table_count; i++)
		__atomic_store_n(&table[i]->only, false, __ATOMIC_RELAXED);
	__atomic_store_n(&changes, changes + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static void table_change_end(void) TA_EXCL(table_lock)
{
	const char *rest;

	for (uint32_t i = 0; i < table_count; i++) {
		bool only = is_short(table[i]);
		for (uint32_t below = 0; below < i; below++)
			only &= !path_below(table[below]->prefix, table[i]->prefix, table[i]->prefix_bytes, &rest);
		__atomic_store_n(&table[i]->only, only, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&changes, changes + 1, __ATOMIC_RELEASE);
}

static void table_put(uint32_t at, struct mount *mount) TA_EXCL(table_lock)
{
	mount->listed = true;
	__atomic_store_n(&table[at], mount, __ATOMIC_RELEASE);
}

/* The first mount of the table from `at` on that serves `path`. */
static COLD struct mount *table_find(const char *path, uint32_t at, const char **rest)
{
	const uint32_t count = __atomic_load_n(&table_count, __ATOMIC_ACQUIRE);

	for (; at < count; at++) {
		struct mount *mount = __atomic_load_n(&table[at], __ATOMIC_ACQUIRE);
		if (path_below(path, mount->prefix, mount->prefix_bytes, rest))
			return mount;
	}
	return NULL;
}

static COLD struct mount *mount_of_locked(const char *path, const char **rest)
{
	lock_acquire(&table_lock);
	struct mount *found = table_find(path, 0, rest);
	lock_release(&table_lock);
	return found;
}

/* The first of the table that fits is the longest: most do by their first bytes. */
COLD struct mount *mount_search(const char *path, uint64_t start, const char **rest)
{
	const uint32_t before = __atomic_load_n(&changes, __ATOMIC_ACQUIRE);
	const uint32_t count = __atomic_load_n(&table_count, __ATOMIC_ACQUIRE);
	struct mount *found = NULL;

	for (uint32_t i = 0; i < count; i++) {
		struct mount *mount = __atomic_load_n(&table[i], __ATOMIC_ACQUIRE);
		if (((start ^ mount->start) & mount->start_mask) != 0)
			continue;
		if (likely(is_short(mount) && path[mount->prefix_bytes] == '/')) {
			*rest = path + mount->prefix_bytes + 1;
			found = mount;
		} else {
			found = table_find(path, i, rest);
		}
		break;
	}
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (likely((before & 1) == 0 && __atomic_load_n(&changes, __ATOMIC_RELAXED) == before))
		return thread_self()->mount = found;
	return mount_of_locked(path, rest);
}

static bool seen_before(const char *path, uint32_t index, const char *name, size_t bytes)
{
	const char *rest;

	for (uint32_t i = 0; i < index; i++) {
		if (path_below(table[i]->prefix, path, strlen(path), &rest) && strncmp(rest, name, bytes) == 0 &&
			(rest[bytes] == '/' || rest[bytes] == 0))
			return true;
	}
	return false;
}

bool mount_child_name(const char *path, uint32_t index, char name[NAME_BYTES_MAX + 1])
{
	const char *rest;
	bool found = false;

	lock_acquire(&table_lock);
	for (uint32_t i = 0; i < table_count && !found; i++) {
		if (!path_below(table[i]->prefix, path, strlen(path), &rest) || *rest == 0)
			continue;
		size_t bytes = strcspn(rest, "/");
		if (seen_before(path, i, rest, bytes) || index-- != 0)
			continue;
		memcpy(name, rest, bytes);
		name[bytes] = 0;
		found = true;
	}
	lock_release(&table_lock);
	return found;
}

static struct mount *mount_new(const char *prefix, handle_t door)
{
	char plain[PATH_BYTES_MAX + 1];
	bool directory;

	if (prefix[0] != '/' || path_normalise("/", prefix, plain, &directory) != OK)
		return NULL;
	size_t bytes = strlen(plain);
	struct mount *mount = early_alloc(sizeof(*mount) + bytes + 1);
	if (mount == NULL)
		return NULL;
	*mount = (struct mount){ .references = 1, .prefix_bytes = bytes, .door = door };
	memcpy(mount->prefix, plain, bytes + 1);
	memcpy(&mount->start, plain, bytes < 8 ? bytes : 8);
	mount->start_mask = bytes < 8 ? (1ull << 8 * bytes) - 1 : UINT64_MAX;
	return mount;
}

struct mount *mount_beside(const struct mount *mount, handle_t door)
{
	return mount_new(mount->prefix, door);
}

/* The one with that prefix in the table; under table_lock. */
static struct mount **slot_of(const char *prefix)
{
	for (uint32_t i = 0; i < table_count; i++) {
		if (strcmp(table[i]->prefix, prefix) == 0)
			return &table[i];
	}
	return NULL;
}

static bool in_table(struct mount *mount)
{
	lock_acquire(&table_lock);
	struct mount **slot = slot_of(mount->prefix);
	bool is = slot != NULL && *slot == mount;
	lock_release(&table_lock);
	return is;
}

handle_t mounts_door(void)
{
	static struct lock asking;
	static handle_t door; /* [a] */
	handle_t init, given = __atomic_load_n(&door, __ATOMIC_ACQUIRE);

	if (given != HANDLE_NONE)
		return given;
	lock_acquire(&asking);
	given = door;
	if (given == HANDLE_NONE)
		given = lintel_startup_named(STARTUP_SERVICE, MOUNTS_DOOR_NAME);
	init = lintel_startup_named(STARTUP_SERVICE, "init");
	if (given == HANDLE_NONE && init != HANDLE_NONE && init_mounts_door(init, &given) != OK)
		given = HANDLE_NONE;
	__atomic_store_n(&door, given, __ATOMIC_RELEASE);
	lock_release(&asking);
	return given;
}

/* A new door from init, which restarts the server in a while. */
static err_t successor_open(const char *prefix, handle_t *door)
{
	handle_t init = mounts_door();
	err_t error = ERR_BAD_STATE;

	if (init == HANDLE_NONE)
		return ERR_PEER_DIED;
	for (uint32_t i = 0; i < RENEW_TRIES && error == ERR_BAD_STATE; i++) {
		error = init_service_open(init, prefix, door);
		if (error == ERR_BAD_STATE)
			drop(lintel_thread_sleep(lintel_clock_ns() + RENEW_WAIT_NS));
	}
	return error == OK ? OK : ERR_PEER_DIED;
}

static err_t mount_replace(struct mount *dead)
{
	handle_t door;
	err_t error = successor_open(dead->prefix, &door);

	if (error != OK)
		return error;
	struct mount *fresh = mount_new(dead->prefix, door);
	if (fresh == NULL) {
		lintel_handle_close(door);
		return ERR_NO_MEMORY;
	}
	lock_acquire(&table_lock);
	struct mount **slot = slot_of(dead->prefix);
	bool still = slot != NULL && *slot == dead;
	if (still) {
		table_change_begin();
		table_put((uint32_t)(slot - table), fresh);
		table_change_end();
	}
	lock_release(&table_lock);
	mount_drop(still ? dead : fresh);
	return OK;
}

err_t mount_renew(struct mount *dead)
{
	err_t error = OK;

	lock_acquire(&renewing);
	if (in_table(dead)) /* else another thread has done it */
		error = lintel_clock_ns() < dead->ask_after ? ERR_PEER_DIED : mount_replace(dead);
	if (error != OK && lintel_clock_ns() >= dead->ask_after)
		dead->ask_after = lintel_clock_ns() + RENEW_PAUSE_NS;
	lock_release(&renewing);
	return error;
}

err_t lintel_mount_add(const char *prefix, handle_t door)
{
	struct mount *mount;
	err_t error = OK;
	uint32_t at = 0;

	if (prefix == NULL || prefix[0] != '/' || door == HANDLE_NONE)
		return ERR_ARGS;
	mount = mount_new(prefix, door);
	if (mount == NULL)
		return ERR_NO_MEMORY;
	lock_acquire(&table_lock);
	if (table_count == MOUNTS_MAX)
		error = ERR_TOO_MANY;
	for (uint32_t i = 0; i < table_count; i++) {
		if (strcmp(table[i]->prefix, mount->prefix) == 0)
			error = ERR_EXISTS;
		if (table[i]->prefix_bytes >= mount->prefix_bytes)
			at = i + 1;
	}
	if (error == OK) {
		table_change_begin();
		for (uint32_t i = table_count; i > at; i--)
			table_put(i, table[i - 1]);
		table_put(at, mount);
		__atomic_store_n(&table_count, table_count + 1, __ATOMIC_RELEASE);
		table_change_end();
	}
	lock_release(&table_lock);
	if (error != OK)
		early_free(mount); /* the door stays the caller's */
	return error;
}

err_t lintel_mount_remove(const char *prefix)
{
	struct mount *found = NULL;

	lock_acquire(&table_lock);
	for (uint32_t i = 0; i < table_count && found == NULL; i++) {
		if (strcmp(table[i]->prefix, prefix) != 0)
			continue;
		found = table[i];
		table_change_begin();
		__atomic_store_n(&table_count, table_count - 1, __ATOMIC_RELEASE);
		for (uint32_t at = i; at < table_count; at++)
			table_put(at, table[at + 1]);
		table_change_end();
	}
	lock_release(&table_lock);
	mount_drop(found);
	return found == NULL ? ERR_NOT_FOUND : OK;
}

err_t lintel_mount_get(uint32_t index, const char **prefix, handle_t *door)
{
	err_t error = ERR_NOT_FOUND;

	lock_acquire(&table_lock);
	if (index < table_count) {
		*prefix = table[index]->prefix;
		*door = table[index]->door;
		error = OK;
	}
	lock_release(&table_lock);
	return error;
}

uint32_t mount_list(struct mount *out[MOUNTS_MAX])
{
	lock_acquire(&table_lock);
	uint32_t count = table_count;
	for (uint32_t i = 0; i < count; i++)
		out[i] = mount_reference(table[i]);
	lock_release(&table_lock);
	return count;
}

void cwd_init(const char *path)
{
	char plain[PATH_BYTES_MAX + 1];
	bool directory;

	if (path_normalise("/", path, plain, &directory) == OK)
		strcpy(cwd, plain);
}

void cwd_copy(char out[PATH_BYTES_MAX + 1])
{
	lock_acquire(&table_lock);
	strcpy(out, cwd);
	lock_release(&table_lock);
}

int chdir(const char *path)
{
	char plain[PATH_BYTES_MAX + 1], base[PATH_BYTES_MAX + 1];
	struct stat st;
	bool directory;

	if (stat(path, &st) != 0)
		return -1;
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return -1;
	}
	cwd_copy(base);
	err_t error = path_normalise(base, path, plain, &directory);
	if (error != OK) {
		errno = lintel_errno(error);
		return -1;
	}
	lock_acquire(&table_lock);
	strcpy(cwd, plain);
	lock_release(&table_lock);
	return 0;
}

char *getcwd(char *buffer, size_t bytes)
{
	char path[PATH_BYTES_MAX + 1];

	cwd_copy(path);
	size_t needed = strlen(path) + 1;
	if (buffer == NULL) {
		bytes = bytes == 0 ? needed : bytes;
		buffer = bytes >= needed ? malloc(bytes) : NULL;
		if (buffer == NULL && bytes >= needed)
			return NULL;
	}
	if (bytes < needed) {
		errno = bytes == 0 ? EINVAL : ERANGE;
		return NULL;
	}
	memcpy(buffer, path, needed);
	return buffer;
}
