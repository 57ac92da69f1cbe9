/* SPDX-License-Identifier: BSD-2-Clause */
/* stat.c - what files are: stat and its family, modes, times, access, statvfs. */
#include "posix/stat.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <lintel/fs_client.h>

#include "core/clock.h"
#include "core/sys.h"
#include "posix/file.h"

#define NS_PER_SECOND 1000000000ull
#define CONSOLE_DEVICE 1
#define NAMESPACE_DEVICE 2

static struct timespec time_from_ns(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / NS_PER_SECOND), .tv_nsec = (long)(ns % NS_PER_SECOND) };
}

static mode_t type_bits(uint32_t type)
{
	switch ((enum fs_type)type) {
	case FS_TYPE_FILE: return S_IFREG;
	case FS_TYPE_DIRECTORY: return S_IFDIR;
	case FS_TYPE_SYMLINK: return S_IFLNK;
	case FS_TYPE_DEVICE: return S_IFCHR;
	}
	return 0;
}

void stat_from_fs(const struct fs_stat *from, unsigned long device, struct stat *out)
{
	/* Member by member, with what has no name: cheaper than clearing all of it first. */
	out->st_dev = device;
	out->st_ino = from->inode;
	out->st_mode = type_bits(from->type) | (from->mode & 07777);
	out->st_nlink = (nlink_t)(from->links > UINT16_MAX ? UINT16_MAX : from->links);
	out->st_uid = from->uid;
	out->st_gid = from->gid;
	out->__pad0 = 0;
	out->st_rdev = 0;
	out->st_size = (off_t)from->size;
	out->st_blksize = from->block_size;
	out->st_blocks = (blkcnt_t)((from->blocks + 511) / 512);
	out->st_atim = time_from_ns(from->atime);
	out->st_mtim = time_from_ns(from->mtime);
	out->st_ctim = time_from_ns(from->ctime);
	memset(&out->st_ctim + 1, 0, sizeof(*out) - offsetof(struct stat, st_ctim) - sizeof(out->st_ctim));
}

static void stat_namespace(struct stat *out)
{
	*out = (struct stat){ .st_dev = NAMESPACE_DEVICE, .st_ino = 1, .st_mode = S_IFDIR | 0555, .st_nlink = 2,
						  .st_blksize = (blksize_t)PAGE_SIZE };
}

/* A mount keeps its address while it is in use: as good a device number as any. */
static unsigned long device_of(const struct mount *mount)
{
	return (unsigned long)(uintptr_t)mount;
}

static err_t stat_place(const struct place *place, uint32_t flags, struct stat *out)
{
	struct fs_stat st;

	if (place->mount == NULL) {
		stat_namespace(out);
		return OK;
	}
	err_t error = fs_stat(place->session, place->directory ? 0 : flags, place->rest, &st);
	if (error == OK && place->directory && st.type != FS_TYPE_DIRECTORY)
		error = ERR_NOT_DIR;
	if (error == OK)
		stat_from_fs(&st, device_of(place->mount), out);
	return error;
}

static int stat_path(const char *path, uint32_t flags, struct stat *out)
{
	struct place place;
	err_t error = place_find(path, &place);

	if (error != OK)
		return fail(error);
	do
		error = stat_place(&place, flags, out);
	while (place_again(&place, !(flags & FS_OPEN_NO_FOLLOW), &error));
	return error == OK ? 0 : fail(error);
}

int stat(const char *restrict path, struct stat *restrict out)
{
	return stat_path(path, 0, out);
}

int lstat(const char *restrict path, struct stat *restrict out)
{
	return stat_path(path, FS_OPEN_NO_FOLLOW, out);
}

/* fstat begins in lease_code.S. */
int fstat_call(int fd, struct stat *out)
{
	struct file *file = file_get(fd);
	struct fs_stat st;
	err_t error = OK;

	if (file == NULL)
		return -1;
	if (file->kind == FILE_CONSOLE) {
		*out = (struct stat){ .st_dev = CONSOLE_DEVICE, .st_ino = 1, .st_mode = S_IFCHR | 0666, .st_nlink = 1 };
	} else if (file->kind == FILE_NAMESPACE) {
		stat_namespace(out);
	} else {
		error = fs_fstat(file->session, file->number, &st);
		if (error == OK)
			stat_from_fs(&st, device_of(file->mount), out);
		lease_consider(file, 0);
	}
	file_drop(file);
	return error == OK ? 0 : fail(error);
}

static int set_path(const char *path, const struct fs_setattr *attr)
{
	struct place place;
	err_t error = place_find(path, &place);

	if (error != OK)
		return fail(error);
	do
		error = place.mount == NULL ? ERR_READ_ONLY : fs_setattr_path(place.session, place.rest, attr);
	while (place_again(&place, true, &error));
	return error == OK ? 0 : fail(error);
}

static int set_fd(int fd, const struct fs_setattr *attr)
{
	struct file *file = file_get(fd);
	err_t error = ERR_ARGS;

	if (file == NULL)
		return -1;
	if (file->kind == FILE_REGULAR || file->kind == FILE_DIRECTORY)
		error = fs_setattr(file->session, file->number, attr);
	file_drop(file);
	return error == OK ? 0 : fail(error);
}

int truncate(const char *path, off_t size)
{
	struct fs_setattr attr = { .set = FS_SET_SIZE, .size = (uint64_t)size };

	return size < 0 ? fail(ERR_ARGS) : set_path(path, &attr);
}

int chmod(const char *path, mode_t mode)
{
	struct fs_setattr attr = { .set = FS_SET_MODE, .mode = mode & 07777 };

	return set_path(path, &attr);
}

int fchmod(int fd, mode_t mode)
{
	struct fs_setattr attr = { .set = FS_SET_MODE, .mode = mode & 07777 };

	return set_fd(fd, &attr);
}

/* -1 leaves one of them as it is. */
static struct fs_setattr owner_to_attr(uid_t owner, gid_t group)
{
	return (struct fs_setattr){ .set = FS_SET_OWNER, .uid = owner == (uid_t)-1 ? UINT32_MAX : owner,
								.gid = group == (gid_t)-1 ? UINT32_MAX : group };
}

int chown(const char *path, uid_t owner, gid_t group)
{
	struct fs_setattr attr = owner_to_attr(owner, group);

	return set_path(path, &attr);
}

int fchown(int fd, uid_t owner, gid_t group)
{
	struct fs_setattr attr = owner_to_attr(owner, group);

	return set_fd(fd, &attr);
}

static bool set_time(const struct timespec *from, uint64_t now, uint32_t bit, uint32_t *set, uint64_t *out)
{
	if (from->tv_nsec == UTIME_OMIT)
		return true;
	*set |= bit;
	*out = now;
	if (from->tv_nsec == UTIME_NOW)
		return true;
	if (from->tv_sec < 0 || from->tv_nsec < 0 || from->tv_nsec >= (long)NS_PER_SECOND)
		return false;
	*out = (uint64_t)from->tv_sec * NS_PER_SECOND + (uint64_t)from->tv_nsec;
	return true;
}

static bool times_to_attr(const struct timespec times[2], struct fs_setattr *attr)
{
	static const struct timespec both_now[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };
	uint64_t now = clock_unix_ns();

	if (times == NULL)
		times = both_now;
	return set_time(&times[0], now, FS_SET_ATIME, &attr->set, &attr->atime) &&
		   set_time(&times[1], now, FS_SET_MTIME, &attr->set, &attr->mtime);
}

int futimens(int fd, const struct timespec times[2])
{
	struct fs_setattr attr = { 0 };

	return times_to_attr(times, &attr) ? set_fd(fd, &attr) : fail(ERR_ARGS);
}

/* Of absolute paths, and of others relative to the working directory (AT_FDCWD) only. */
int utimensat(int fd, const char *path, const struct timespec times[2], int flags)
{
	struct fs_setattr attr = { 0 };

	if ((fd != AT_FDCWD && path[0] != '/') || flags != 0)
		return fail(ERR_UNSUPPORTED);
	return times_to_attr(times, &attr) ? set_path(path, &attr) : fail(ERR_ARGS);
}

static void statvfs_from_fs(const struct fs_statfs *from, const struct mount *mount, struct statvfs *out)
{
	*out = (struct statvfs){
		.f_bsize = from->block_size,
		.f_frsize = from->block_size,
		.f_blocks = from->blocks,
		.f_bfree = from->blocks_free,
		.f_bavail = from->blocks_free,
		.f_files = from->inodes,
		.f_ffree = from->inodes_free,
		.f_favail = from->inodes_free,
		.f_fsid = device_of(mount),
		.f_flag = (from->read_only ? ST_RDONLY : 0) | (from->unclean ? ST_UNCLEAN : 0),
		.f_namemax = NAME_BYTES_MAX,
	};
	memcpy(out->f_type, from->type, sizeof(out->f_type));
	out->f_type[sizeof(out->f_type) - 1] = 0;
}

int statvfs(const char *restrict path, struct statvfs *restrict out)
{
	struct place place;
	struct fs_statfs st;
	err_t error = place_find(path, &place);

	if (error != OK)
		return fail(error);
	do
		error = place.mount == NULL ? ERR_UNSUPPORTED : fs_statfs(place.session, &st);
	while (place_again(&place, true, &error));
	if (error == OK)
		statvfs_from_fs(&st, place.mount, out);
	return error == OK ? 0 : fail(error);
}

int fstatvfs(int fd, struct statvfs *out)
{
	struct file *file = file_get(fd);
	struct fs_statfs st;
	err_t error = ERR_UNSUPPORTED;

	if (file == NULL)
		return -1;
	if (file->kind == FILE_REGULAR || file->kind == FILE_DIRECTORY)
		error = fs_statfs(file->session, &st);
	if (error == OK)
		statvfs_from_fs(&st, file->mount, out);
	file_drop(file);
	return error == OK ? 0 : fail(error);
}

/* ERR_UNSUPPORTED: there is no file system at the place, or it knows of no users. */
static err_t access_ask(const char *path, uint32_t want)
{
	struct place place;
	err_t error = place_find(path, &place);

	if (error != OK)
		return error;
	do
		error = place.mount == NULL ? ERR_UNSUPPORTED : fs_access(place.session, want, place.rest);
	while (place_again(&place, true, &error));
	return error;
}

/* Where there are no users, only writing to a read-only file system is refused, and executing what nobody may
 * execute. */
int access(const char *path, int wanted)
{
	struct stat st;
	struct statvfs vfs;

	if (wanted & ~(R_OK | W_OK | X_OK))
		return fail(ERR_ARGS);
	if (stat(path, &st) != 0)
		return -1;
	const err_t error = access_ask(path, (uint32_t)wanted); /* its bits are these */
	if (error != ERR_UNSUPPORTED && error != OK)
		return fail(error);
	if ((wanted & W_OK) && (statvfs(path, &vfs) != 0 || (vfs.f_flag & ST_RDONLY)))
		return fail(ERR_READ_ONLY);
	if ((wanted & X_OK) && !S_ISDIR(st.st_mode) && (st.st_mode & 0111) == 0)
		return fail(ERR_DENIED);
	return 0;
}
