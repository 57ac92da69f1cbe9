/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - bootfs as a server: the boot archive, read-only. Reads copy from the mapped archive
 * straight into the caller's window. Changing operations are not in the table of operations; the
 * dispatch answers them ERR_UNSUPPORTED, except the few for which ERR_READ_ONLY tells more. A file
 * is a number in a session; the object behind it is an index entry. argv: root=PATH presents only
 * that directory of the archive (for /extra). */
#include "index.h"
#include "kit/files.h"
#include "kit/fs.h"
#include "kit/kit.h"

#include <lintel/fs_server.h>
#include <lintel/process.h>
#include <lintel/syscalls.h>
#include <stdlib.h>
#include <string.h>

static struct index tree;
static struct kit_files files;
static handle_t archive;
static handle_t *contents; /* [a] VMO of each entry of the index; HANDLE_NONE until somebody maps it */
static char root[FS_PATH_BYTES_MAX + 1];

static void file_close(void *file, uint64_t badge, uint64_t number)
{
	(void)file; /* entries stay */
	(void)badge;
	(void)number;
}

static err_t find(const char *name, bool follow, uint32_t *inode)
{
	char path[FS_PATH_BYTES_MAX + 1];
	const size_t bytes = strlen(root), more = strlen(name);

	if (bytes == 0)
		return index_walk(&tree, name, follow, inode);
	if (bytes + 1 + more > FS_PATH_BYTES_MAX)
		return ERR_NAME_TOO_LONG;
	memcpy(path, root, bytes);
	path[bytes] = '/';
	memcpy(path + bytes + 1, name, more + 1);
	return index_walk(&tree, path, follow, inode);
}

static err_t entry_of(struct kit_call *call, uint64_t number, struct index_entry **out)
{
	void *file;
	err_t err = kit_file_get(&files, call->badge, number, &file);

	if (err != OK)
		return err;
	*out = *(struct index_entry **)file;
	kit_file_put(&files, call->badge, file); /* entries outlive their numbers */
	return OK;
}

static err_t op_connect(struct kit_call *call, handle_t *session)
{
	uint64_t badge;
	err_t err = kit_session_add(&files, &badge);

	(void)call;
	if (err != OK)
		return err;
	err = kit_mint(badge, session);
	if (err != OK)
		kit_session_end(&files, badge);
	return err;
}

static err_t op_open(struct kit_call *call, uint32_t flags, uint32_t mode, const char *name, uint64_t *number,
		uint64_t *size, uint32_t *type, uint64_t *inode)
{
	uint32_t found;
	struct kit_new_file new;
	err_t err = find(name, !(flags & FS_OPEN_NO_FOLLOW), &found);

	(void)mode;
	if (err == ERR_NOT_FOUND && (flags & FS_OPEN_CREATE))
		return ERR_READ_ONLY;
	if (err != OK)
		return err;
	struct index_entry *entry = &tree.entry[found - 1];
	if ((flags & FS_OPEN_CREATE) && (flags & FS_OPEN_EXCLUSIVE))
		return ERR_EXISTS;
	if (flags & (FS_OPEN_WRITE | FS_OPEN_TRUNCATE | FS_OPEN_APPEND))
		return entry->type == FS_TYPE_DIRECTORY ? ERR_IS_DIR : ERR_READ_ONLY;
	if (entry->type == FS_TYPE_SYMLINK)
		return ERR_TOO_DEEP;
	if ((flags & FS_OPEN_DIRECTORY) && entry->type != FS_TYPE_DIRECTORY)
		return ERR_NOT_DIR;
	*size = entry->bytes;
	*type = entry->type;
	*inode = found;
	err = kit_file_add(&files, call->badge, &new);
	if (err != OK)
		return err;
	*(struct index_entry **)new.file = entry;
	*number = new.number;
	kit_file_ready(&files, call->badge, &new);
	return OK;
}

static err_t op_close(struct kit_call *call, uint64_t file)
{
	return kit_file_close(&files, call->badge, file);
}

static err_t op_read(struct kit_call *call, uint64_t file, uint64_t offset, void *data, size_t bytes, uint64_t *done)
{
	struct index_entry *entry;
	err_t err = entry_of(call, file, &entry);

	if (err != OK)
		return err;
	if (entry->type != FS_TYPE_FILE)
		return ERR_IS_DIR;
	const uint64_t rest = offset < entry->bytes ? entry->bytes - offset : 0;
	*done = bytes < rest ? bytes : rest;
	memcpy(data, entry->data + offset, *done);
	return OK;
}

static void stat_fill(const struct index_entry *entry, struct fs_stat *st)
{
	const uint64_t time = entry->mtime_s * 1000000000ull;

	*st = (struct fs_stat) {
		.inode = (uint64_t)(entry - tree.entry) + 1, .size = entry->bytes,
		.blocks = (entry->bytes + 511) & ~511ull, .type = entry->type, .mode = entry->mode,
		.links = entry->type == FS_TYPE_DIRECTORY ? 2 + entry->subdirectories : 1, .uid = entry->uid,
		.gid = entry->gid, .block_size = 512, .atime = time, .mtime = time, .ctime = time,
	};
}

static err_t op_stat(struct kit_call *call, uint32_t flags, const char *name, struct fs_stat *st)
{
	uint32_t inode;
	err_t err = find(name, !(flags & FS_OPEN_NO_FOLLOW), &inode);

	(void)call;
	if (err == OK)
		stat_fill(&tree.entry[inode - 1], st);
	return err;
}

static err_t op_fstat(struct kit_call *call, uint64_t file, struct fs_stat *st)
{
	struct index_entry *entry;
	err_t err = entry_of(call, file, &entry);

	if (err == OK)
		stat_fill(entry, st);
	return err;
}

static err_t op_sync(struct kit_call *call, uint64_t file, uint32_t flags)
{
	struct index_entry *entry;

	(void)flags;
	return entry_of(call, file, &entry);
}

static err_t op_sync_all(struct kit_call *call)
{
	(void)call;
	return OK;
}

static err_t op_readdir(struct kit_call *call, uint64_t file, uint64_t cookie, void *entries, size_t room,
		uint64_t *bytes, uint64_t *next)
{
	struct index_entry *dir;
	size_t used = 0;
	uint32_t first, end;
	err_t err = entry_of(call, file, &dir);

	if (err != OK)
		return err;
	if (dir->type != FS_TYPE_DIRECTORY)
		return ERR_NOT_DIR;
	*next = cookie;
	index_children(&tree, (uint32_t)(dir - tree.entry), &first, &end);
	/* The cookie is the next one's number. */
	uint32_t at = cookie > first ? cookie < end ? (uint32_t)cookie : end : first;
	for (; at < end; at++) {
		const struct index_entry *entry = &tree.entry[at];
		const char *name = index_name(entry);
		if (!kit_dirent_put(entries, room, &used, at + 1ull, at + 1ull, entry->type, name, strlen(name)))
			break;
		*next = at + 1ull;
	}
	*next = at == end ? 0 : *next;
	*bytes = used;
	return at < end && used == 0 ? ERR_ARGS : OK;
}

static err_t op_statfs(struct kit_call *call, struct fs_statfs *st)
{
	uint64_t bytes = 0;

	(void)call;
	if (lintel_vmo_size(archive, &bytes) != OK)
		return ERR_IO;
	*st = (struct fs_statfs) { .block_size = 512, .blocks = bytes / 512, .inodes = tree.count, .read_only = 1,
		.type = "bootfs" };
	return OK;
}

/* A copy: whole pages that show nothing of what lies around the contents in the archive. */
static err_t contents_make(const struct index_entry *entry, handle_t *vmo)
{
	err_t err = lintel_vmo_create((entry->bytes + PAGE_MASK) & ~PAGE_MASK, 0, vmo);

	if (err != OK)
		return err;
	err = lintel_vmo_write(*vmo, 0, entry->data, entry->bytes);
	if (err != OK && lintel_handle_close(*vmo) != OK)
		kit_log("a copy of %s is lost", entry->path);
	return err;
}

/* Made once and kept: all who map a file, or run it, share its pages. */
static err_t contents_of(const struct index_entry *entry, handle_t *vmo)
{
	handle_t *kept = &contents[entry - tree.entry];
	handle_t none = HANDLE_NONE;

	*vmo = __atomic_load_n(kept, __ATOMIC_ACQUIRE);
	if (*vmo != HANDLE_NONE)
		return OK;
	err_t err = contents_make(entry, vmo);
	if (err != OK || __atomic_compare_exchange_n(kept, &none, *vmo, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return err;
	err = lintel_handle_close(*vmo); /* another CPU was faster */
	*vmo = none;
	return err;
}

static err_t op_map(struct kit_call *call, uint64_t file, uint32_t rights, handle_t *vmo, uint64_t *size)
{
	struct index_entry *entry;
	handle_t kept;
	err_t err = entry_of(call, file, &entry);

	if (err != OK)
		return err;
	if (entry->type != FS_TYPE_FILE)
		return ERR_IS_DIR;
	if (rights & RIGHT_WRITE)
		return ERR_DENIED;
	if (entry->bytes == 0)
		return ERR_UNSUPPORTED;
	err = contents_of(entry, &kept);
	if (err != OK)
		return err;
	*size = entry->bytes;
	return lintel_handle_duplicate(
		kept, (rights & (RIGHT_READ | RIGHT_EXECUTE)) | RIGHT_DUPLICATE | RIGHT_TRANSFER, vmo);
}

static err_t op_seek(struct kit_call *call, uint64_t file, uint64_t offset, uint32_t what, uint64_t *found)
{
	struct index_entry *entry;
	err_t err = entry_of(call, file, &entry);

	if (err != OK)
		return err;
	if (entry->type != FS_TYPE_FILE || (what != FS_SEEK_DATA && what != FS_SEEK_HOLE))
		return ERR_ARGS;
	if (offset >= entry->bytes)
		return ERR_NOT_FOUND;
	*found = what == FS_SEEK_DATA ? offset : entry->bytes;
	return OK;
}

static err_t op_readlink(struct kit_call *call, const char *name, void *target, size_t room, uint64_t *bytes)
{
	uint32_t inode;
	err_t err = find(name, false, &inode);

	(void)call;
	if (err != OK)
		return err;
	const struct index_entry *entry = &tree.entry[inode - 1];
	if (entry->type != FS_TYPE_SYMLINK)
		return ERR_ARGS;
	*bytes = entry->bytes < room ? entry->bytes : room;
	memcpy(target, entry->data, *bytes);
	return OK;
}

static err_t op_name_read_only(struct kit_call *call, const char *name)
{
	(void)call;
	(void)name;
	return ERR_READ_ONLY;
}

static err_t op_mkdir(struct kit_call *call, uint32_t mode, const char *name)
{
	(void)mode;
	return op_name_read_only(call, name);
}

static err_t op_rename(struct kit_call *call, uint32_t flags, const char *from, const char *to)
{
	(void)flags;
	(void)to;
	return op_name_read_only(call, from);
}

static err_t op_two_names(struct kit_call *call, const char *from, const char *to)
{
	(void)to;
	return op_name_read_only(call, from);
}

static err_t op_setattr_path(struct kit_call *call, const char *name, const struct fs_setattr *attr)
{
	(void)attr;
	return op_name_read_only(call, name);
}

static err_t op_unmount(struct kit_call *call)
{
	return call->badge == 0 ? OK : ERR_DENIED;
}

static const struct fs_ops ops = {
	.connect = op_connect, .open = op_open, .close = op_close, .read = op_read, .stat = op_stat, .fstat = op_fstat,
	.setattr_path = op_setattr_path, .sync = op_sync, .sync_all = op_sync_all, .unlink = op_name_read_only,
	.mkdir = op_mkdir, .rmdir = op_name_read_only, .rename = op_rename, .readdir = op_readdir, .statfs = op_statfs,
	.map = op_map, .seek = op_seek, .link = op_two_names, .symlink = op_two_names, .readlink = op_readlink,
	.unmount = op_unmount,
};

static err_t dispatch(struct kit_call *call)
{
	return fs_dispatch(&ops, call);
}

static void session_closed(uint64_t badge)
{
	kit_session_end(&files, badge);
}

static const struct kit_server server = { .name = "bootfs", .dispatch = dispatch, .session_closed = session_closed };

int main(int argc, char **argv)
{
	const char *reason;
	uint64_t bytes;
	void *base;

	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], "root=", 5) == 0 && strlen(argv[i] + 5) < sizeof(root))
			strcpy(root, argv[i] + 5);
	if (kit_prepare(&server) != OK || kit_files_init(&files, sizeof(struct index_entry *), file_close) != OK)
		return 1;
	archive = lintel_startup_handle(STARTUP_ARCHIVE, STARTUP_ANY, 0);
	if (archive == HANDLE_NONE || kit_map_vmo(archive, SPACE_READ, &base, &bytes) != OK) {
		kit_log("there is no boot archive");
		return 1;
	}
	if (index_build(&tree, base, bytes, &reason) != OK) {
		kit_log("the boot archive is refused: %s", reason);
		return 1;
	}
	uint32_t inode;
	if (find("", true, &inode) != OK) { /* the archive has no such directory: an empty one */
		index_keep_root(&tree);
		root[0] = 0;
	}
	contents = calloc(tree.count, sizeof(*contents));
	if (contents == NULL)
		return 1;
	kit_log("%u names", tree.count);
	return kit_main(&server);
}
