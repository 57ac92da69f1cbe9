/* SPDX-License-Identifier: BSD-2-Clause */
/* pmfs.h - the file system itself, without its server: what main.c, the host tools and the tests
 * call. The messages of abi/fs.proto, one function each, on paths and open inodes.
 * Pure: needs memory, pthread locks, a clock, and pmem.h. Every function is safe on any thread;
 * none holds a lock when it comes back. Errors are those that abi/fs.proto lists for the message;
 * besides, everything can give ERR_CORRUPT. What is durable when a function comes back: every
 * change of names and attributes, every size; data after pmfs_sync. */
#pragma once

#include <lintel/fs_proto.h>

struct pmfs;
struct inode;

#define PMFS_REASON_BYTES 160

struct pmfs_options {
	bool format;      /* make a new file system, whatever is there */
	bool keep_blank;  /* do not format blank media: refuse it */
	bool scan;        /* look at every inode, also after a clean end: fsck */
	uint32_t cpus;    /* allocate and journal for so many; 0: one */
	uint64_t seed;    /* of the uuid and the hash key when formatting; 0: the clock's */
	uint32_t (*cpu)(void); /* the caller's CPU; NULL: 0 */
	uint64_t (*now)(void); /* ns since the epoch; NULL: clock_gettime */
	void (*log)(const char *line);
	/* Not NULL: fsck of damaged media, on a copy of it. What mount would refuse is told, and left out;
	 * nothing is mended. Only pmfs_check and pmfs_abandon may follow. */
	void (*damage)(const char *line);
	/* The file's blocks in [offset, offset + bytes) are about to go away or to change place: take
	 * them back from every client before coming back. The inode is write-locked, and `publish` follows before it is
	 * unlocked. NULL: nobody maps files. */
	void (*revoke)(void *lease, uint64_t offset, uint64_t bytes);
	/* The attributes have changed, or revoke has done its work: tell the clients. flags: enum fs_lease_flag. The inode
	 * is write-locked. NULL: nobody wants to know. */
	void (*publish)(void *lease, const struct fs_stat *st, uint32_t flags);
	/* It has happened (enum fs_event) to the inode, or to that name in it; while pmfs_watched counts somebody who wants
	 * to know. The inode is write-locked: must not wait for anything. */
	void (*changed)(uint64_t inode, uint32_t events, const char *name, size_t name_bytes);
};

/* Mounts what lies in [base, base + bytes). Refusals write nothing and say why in `reason`:
 * ERR_BAD_FORMAT (foreign, too small, later version), ERR_CORRUPT, ERR_NO_MEMORY. */
MUST_USE err_t pmfs_mount(void *base, uint64_t bytes, const struct pmfs_options *options, struct pmfs **out,
		char reason[PMFS_REASON_BYTES]);

/* Marks the media clean and frees everything. ERR_BUSY while an inode is open: nothing has happened then. */
MUST_USE err_t pmfs_unmount(struct pmfs *fs);
void pmfs_abandon(struct pmfs *fs); /* free everything, write nothing: as after a crash. Tests, and refusing to go on */

bool pmfs_was_unclean(const struct pmfs *fs);
bool pmfs_was_scanned(const struct pmfs *fs); /* mount has looked at every inode */
uint64_t pmfs_blocks_free(struct pmfs *fs);
void pmfs_statfs(struct pmfs *fs, struct fs_statfs *out);

/* Whose the calls of this thread are from now on (access.h). The struct stays the caller's; NULL, or user 0: the
 * superuser, which every thread starts as. */
#define PMFS_GROUPS_MAX FS_GROUPS_MAX
struct pmfs_user {
	uint32_t user;
	uint32_t group;
	uint32_t groups; /* used in more[] */
	uint32_t more[PMFS_GROUPS_MAX];
};
extern _Thread_local const struct pmfs_user *access_user; /* access.h */
static inline void pmfs_act_as(const struct pmfs_user *user)
{
	access_user = user == NULL || user->user == 0 ? NULL : user;
}

/* Opening takes a reference that pmfs_close gives back. */
MUST_USE err_t pmfs_open(struct pmfs *fs, const char *path, uint32_t flags, uint32_t mode, struct inode **out);
void pmfs_close(struct pmfs *fs, struct inode *inode);

/* The same for a client, which is counted, and what the client is told. */
struct pmfs_opened {
	struct inode *inode;
	uint64_t number;
	uint64_t size; /* bytes */
	uint32_t type; /* enum fs_type */
};
MUST_USE err_t pmfs_open_counted(struct pmfs *fs, const char *path, uint32_t flags, uint32_t mode,
		struct pmfs_opened *out);
/* False: it was the last client, and the file has a lease. Then the reference is still there, for pmfs_close. */
MUST_USE bool pmfs_close_counted(struct inode *inode);
uint32_t pmfs_opens(struct inode *inode); /* how many clients there are now */

void pmfs_hold(struct pmfs *fs, struct inode *inode); /* one reference more */
uint64_t pmfs_number(const struct inode *inode);
uint32_t pmfs_type_of(const struct inode *inode); /* enum fs_type */
uint64_t pmfs_size(struct inode *inode);
bool pmfs_is_unlinked(struct inode *inode);
/* A word for the server's mapping state, handed to revoke() and publish() when it is not NULL; the first publish()
 * comes with the setting. The inode is locked for it. */
void *pmfs_lease_get(struct inode *inode);
void pmfs_lease_set(struct inode *inode, void *lease);
/* Some client may store through a mapping, by way of the cache: pages that clients have are taken back, and from now on
 * a sync writes back where one has faulted to store. ERR_NO_MEMORY. */
MUST_USE err_t pmfs_lease_stores(struct inode *inode);
/* While `shut`, what clients do with the file comes to the server: pages that they have are taken back, and publish()
 * says FS_LEASE_SHUT. Mappings get theirs again when they are used. */
void pmfs_lease_shut(struct inode *inode, bool shut);
/* No client maps the file any more: forgets the word, makes stores durable and clears what lies past the file's end. */
MUST_USE err_t pmfs_lease_end(struct inode *inode);

/* So many more, or fewer, want to know what changes. */
void pmfs_watched(struct pmfs *fs, int32_t more);

MUST_USE err_t pmfs_read(struct pmfs *fs, struct inode *inode, uint64_t offset, void *data, size_t bytes,
		uint64_t *done);
MUST_USE err_t pmfs_write(struct pmfs *fs, struct inode *inode, uint64_t offset, bool append, const void *data,
		size_t bytes, uint64_t *done, uint64_t *end);
MUST_USE err_t pmfs_fstat(struct pmfs *fs, struct inode *inode, struct fs_stat *out);
MUST_USE err_t pmfs_setattr(struct pmfs *fs, struct inode *inode, const struct fs_setattr *attr);
MUST_USE err_t pmfs_sync(struct pmfs *fs, struct inode *inode);
/* A client has stored through a mapping and written that back: mtime moves. */
MUST_USE err_t pmfs_stored(struct pmfs *fs, struct inode *inode);
MUST_USE err_t pmfs_sync_all(struct pmfs *fs);
MUST_USE err_t pmfs_seek(struct pmfs *fs, struct inode *inode, uint64_t offset, uint32_t what, uint64_t *found);
/* mode: enum fs_allocate. Where there is not enough space, what it could fill stays. */
MUST_USE err_t pmfs_allocate(struct pmfs *fs, struct inode *inode, uint32_t mode, uint64_t offset, uint64_t bytes);
/* Less than `bytes` at the source's end, or where there was space for some of it. Whole blocks are shared where that
 * costs less. */
MUST_USE err_t pmfs_copy(struct pmfs *fs, struct inode *from, uint64_t from_offset, struct inode *to,
		uint64_t to_offset, uint64_t bytes, uint64_t *done);
/* All of it at once, by sharing blocks; bytes 0: up to the source's end. ERR_ARGS: not whole blocks (what ends at the
 * source's end may, if it becomes the target's), behind the source's end, or they overlap. */
MUST_USE err_t pmfs_clone(struct pmfs *fs, struct inode *from, uint64_t from_offset, struct inode *to,
		uint64_t to_offset, uint64_t bytes);
MUST_USE err_t pmfs_readdir(struct pmfs *fs, struct inode *inode, uint64_t cookie, void *entries, size_t room,
		uint64_t *bytes, uint64_t *next);

/* For mappings: the run of blocks in which the file's page at `offset` lies. */
struct pmfs_run {
	uint64_t offset; /* where it starts in the file */
	uint64_t device; /* and on the device, in bytes */
	uint64_t bytes;  /* whole blocks; the last may reach past the file's size */
	bool read_only;  /* nobody stores there, until he has asked for it with `allocate` */
};
/* Calls `use` with the lease and the run while the inode is locked (for writing if `allocate`): what it is told
 * stays true until it comes back. No run reaches past the size's last block, nor, if there may be stores, past the part
 * that is marked for this one (stores.h). A hole: device 0 and one page. With
 * `allocate` there is one zeroed block then, and a copy of what others have too. Past the end: ERR_ARGS. */
MUST_USE err_t pmfs_locate_with(struct pmfs *fs, struct inode *inode, uint64_t offset, bool allocate,
		err_t (*use)(void *context, void *lease, const struct pmfs_run *run), void *context);

MUST_USE err_t pmfs_stat(struct pmfs *fs, const char *path, bool follow, struct fs_stat *out);
/* May the user do that (4 read, 2 write, 1 execute or search)? ERR_DENIED. */
MUST_USE err_t pmfs_access(struct pmfs *fs, const char *path, uint32_t want);
MUST_USE err_t pmfs_setattr_path(struct pmfs *fs, const char *path, const struct fs_setattr *attr);
MUST_USE err_t pmfs_unlink(struct pmfs *fs, const char *path);
MUST_USE err_t pmfs_mkdir(struct pmfs *fs, const char *path, uint32_t mode);
MUST_USE err_t pmfs_rmdir(struct pmfs *fs, const char *path);
MUST_USE err_t pmfs_rename(struct pmfs *fs, const char *from, const char *to, bool exclusive);
MUST_USE err_t pmfs_link(struct pmfs *fs, const char *from, const char *to);
MUST_USE err_t pmfs_link_file(struct pmfs *fs, struct inode *inode, const char *to);
MUST_USE err_t pmfs_symlink(struct pmfs *fs, const char *target, const char *path);
MUST_USE err_t pmfs_readlink(struct pmfs *fs, const char *path, char *target, size_t room, uint64_t *bytes);

/* A reference on what has that name, a symbolic link itself unless `follow`; pmfs_close gives it back. */
MUST_USE err_t pmfs_find(struct pmfs *fs, const char *path, bool follow, struct inode **out);

/* Extended attributes: names of 1 to 255 bytes, values of at most 64 KiB. ERR_NO_ATTRIBUTE, ERR_EXISTS,
 * ERR_NAME_TOO_LONG, ERR_TOO_BIG. *bytes is how much there is; nothing is copied if there is no room for it. */
MUST_USE err_t pmfs_xattr_set(struct pmfs *fs, struct inode *inode, const char *name, const void *value, size_t bytes,
		uint32_t flags);
MUST_USE err_t pmfs_xattr_get(struct pmfs *fs, struct inode *inode, const char *name, void *value, size_t room,
		uint64_t *bytes);
MUST_USE err_t pmfs_xattr_remove(struct pmfs *fs, struct inode *inode, const char *name);
/* The names, each with its NUL. */
MUST_USE err_t pmfs_xattr_list(struct pmfs *fs, struct inode *inode, char *names, size_t room, uint64_t *bytes);

/* Everything that can be checked: tables, trees, directories, link counts, free space. Each
 * finding goes to `say` (a line, with the path where there is one). OK, or ERR_CORRUPT. Nothing
 * may be open; changes nothing. */
MUST_USE err_t pmfs_check(struct pmfs *fs, void (*say)(void *context, const char *line), void *context);
