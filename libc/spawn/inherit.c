/* SPDX-License-Identifier: BSD-2-Clause */
/* inherit.c - what a child gets from its parent's POSIX side.
 *
 * A file number means something in one session only, and a session's files end with its last handle. So the child gets
 * a session of its own in each file system, in which the inherited files are opened again, by name and without
 * creating or truncating, at the parent's offset. A file that the parent inherited itself is passed on as it is. */
#include "spawn/inherit.h"

#include <fcntl.h>
#include <lintel/fs_client.h>

#include "core/sys.h"
#include "posix/file.h"

/* A session of the child's user. */
static err_t session_connect(const struct inherit *inherit, handle_t door, handle_t *out)
{
	const struct fs_groups none = { 0 };
	err_t error = ERR_UNSUPPORTED;

	if (inherit->user != 0)
		error = fs_connect_as(door, inherit->user, inherit->group, &none, out);
	return error == ERR_UNSUPPORTED ? fs_connect(door, out) : error; /* it knows of no users */
}

static err_t child_session(struct inherit *inherit, struct mount *mount, handle_t *out)
{
	for (uint32_t i = 0; i < inherit->session_count; i++) {
		if (inherit->sessions[i].mount == mount) {
			*out = inherit->sessions[i].session;
			return OK;
		}
	}
	if (inherit->session_count == MOUNTS_MAX)
		return ERR_TOO_MANY;
	err_t error = session_connect(inherit, mount->door, out);
	if (error != OK)
		return error;
	inherit->sessions[inherit->session_count].mount = mount_reference(mount);
	inherit->sessions[inherit->session_count++].session = *out;
	return OK;
}

static err_t open_again(struct inherit *inherit, struct file *file, struct inherited_fd *out)
{
	uint64_t size, inode;
	uint32_t type;
	const char *rest;
	err_t error = child_session(inherit, file->mount, &out->session);

	if (error != OK)
		return error;
	if (!path_below(file->path, file->mount->prefix, file->mount->prefix_bytes, &rest))
		return ERR_BAD_STATE;
	return fs_open(out->session, open_flags_to_fs(file->flags), 0, rest, &out->entry.file, &size, &type, &inode);
}

static err_t add_file(struct inherit *inherit, struct file *file, int child_fd)
{
	struct inherited_fd *out = &inherit->fds[inherit->fd_count];
	err_t error = OK;

	if (inherit->fd_count == INHERITED_FDS_MAX)
		return ERR_TOO_MANY;
	*out = (struct inherited_fd){ .entry = {
		.kind = STARTUP_FD,
		.argument = (uint32_t)child_fd,
		.fd_kind = file->kind == FILE_CONSOLE ? STARTUP_FD_CONSOLE : STARTUP_FD_FILE,
		.flags = open_flags_to_fs(file->flags),
	} };
	lock_acquire(&file->lock);
	out->entry.offset = file->offset;
	lock_release(&file->lock);
	if (file->kind == FILE_CONSOLE || file->own_session) {
		out->entry.file = file->number;
		out->session = file->session;
		out->file = file;
		__atomic_add_fetch(&file->references, 1, __ATOMIC_RELAXED);
	} else {
		error = open_again(inherit, file, out);
	}
	if (error == OK)
		inherit->fd_count++;
	return error;
}

/* Directories are not inherited: a child opens what it wants to list. */
static err_t add_fd(struct inherit *inherit, int parent_fd, int child_fd, bool must_be_there)
{
	struct file *file = file_get(parent_fd);
	err_t error = OK;

	if (file == NULL)
		return must_be_there ? ERR_BAD_HANDLE : OK;
	if (file->kind == FILE_CONSOLE || file->kind == FILE_REGULAR)
		error = add_file(inherit, file, child_fd);
	else if (must_be_there)
		error = ERR_IS_DIR;
	if (error == ERR_PEER_DIED && !must_be_there)
		error = OK; /* nobody could use it any more */
	file_drop(file);
	return error;
}

static err_t add_fds(struct inherit *inherit, const struct spawn_request *request)
{
	err_t error = OK;

	if (request->fds != NULL) {
		for (uint32_t i = 0; i < request->fd_count && error == OK; i++)
			error = add_fd(inherit, request->fds[i].parent_fd, request->fds[i].child_fd, true);
		return error;
	}
	for (int fd = 0; fd < fd_limit() && error == OK; fd++) {
		if (!fd_close_on_exec(fd))
			error = add_fd(inherit, fd, fd, false);
	}
	return error;
}

/* The child's mounts lead to sessions of its user, from which it gets sessions of the same. */
static err_t mounts_narrow(struct inherit *inherit)
{
	for (uint32_t i = 0; i < inherit->mount_count; i++) {
		struct mount *mount = inherit->mounts[i];
		handle_t session;
		err_t error = session_connect(inherit, mount->door, &session);
		if (error == ERR_PEER_DIED)
			continue;
		if (error != OK)
			return error;
		inherit->mounts[i] = mount_beside(mount, session);
		if (inherit->mounts[i] == NULL) {
			lintel_handle_close(session);
			inherit->mounts[i] = mount;
			return ERR_NO_MEMORY;
		}
		mount_drop(mount);
	}
	return OK;
}

err_t inherit_collect(const struct spawn_request *request, struct inherit *out)
{
	out->mount_count = request->no_mounts ? 0 : mount_list(out->mounts);
	out->user = request->user;
	out->group = request->group;
	/* By the other door it could open the file systems again, as whoever started us. */
	out->mounts_door = request->no_mounts || request->user != 0 ? HANDLE_NONE : mounts_door();
	out->fd_count = 0;
	out->session_count = 0;
	err_t error = request->user != 0 ? mounts_narrow(out) : OK;
	if (error == OK)
		error = add_fds(out, request);
	if (error != OK)
		inherit_release(out);
	return error;
}

void inherit_release(struct inherit *inherit)
{
	for (uint32_t i = 0; i < inherit->mount_count; i++)
		mount_drop(inherit->mounts[i]);
	for (uint32_t i = 0; i < inherit->fd_count; i++) {
		if (inherit->fds[i].file != NULL)
			file_drop(inherit->fds[i].file);
	}
	for (uint32_t i = 0; i < inherit->session_count; i++) {
		lintel_handle_close(inherit->sessions[i].session);
		mount_drop(inherit->sessions[i].mount);
	}
}
