/* SPDX-License-Identifier: BSD-2-Clause */
/* xattr.c - extended attributes: of an open file, or of a name, which is opened for nothing but that. */
#include <errno.h>
#include <string.h>
#include <sys/xattr.h>
#include <lintel/fs_client.h>

#include "core/sys.h"
#include "posix/file.h"

/* What is asked of a file. */
struct request {
	enum { SET, GET, LIST, REMOVE } kind;
	const char *name;
	const void *value; /* SET */
	void *out;         /* GET, LIST */
	size_t size;
	uint32_t flags;
	uint64_t bytes;    /* out: GET, LIST */
};

static err_t request_send(handle_t session, uint64_t file, struct request *r)
{
	switch (r->kind) {
	case SET: return fs_attribute_set(session, file, r->flags, r->name, r->value, r->size);
	case GET: return fs_attribute_get(session, file, r->name, r->out, r->size, &r->bytes);
	case LIST: return fs_attribute_list(session, file, r->out, r->size, &r->bytes);
	case REMOVE: return fs_attribute_remove(session, file, r->name);
	}
	return ERR_ARGS;
}

/* What can be said without asking; 0 or an errno. */
static int request_check(struct request *r)
{
	const size_t name_bytes = r->kind == LIST ? 1 : strlen(r->name);

	if (name_bytes == 0 || name_bytes > XATTR_NAME_MAX)
		return ERANGE;
	if (r->kind == SET && r->size > XATTR_SIZE_MAX)
		return E2BIG;
	if (r->kind == SET && (r->flags & ~(uint32_t)(XATTR_CREATE | XATTR_REPLACE)) != 0)
		return EINVAL;
	if (r->size > WINDOW_BYTES_MAX)
		r->size = WINDOW_BYTES_MAX; /* more than there can be of a value */
	return 0;
}

static ssize_t request_result(const struct request *r, err_t error)
{
	if (error != OK)
		return fail(error);
	if (r->kind != GET && r->kind != LIST)
		return 0;
	if (r->size != 0 && r->bytes > r->size) {
		errno = ERANGE;
		return -1;
	}
	return (ssize_t)r->bytes;
}

static ssize_t on_file(int fd, struct request *r)
{
	const int refused = request_check(r);
	struct file *file = file_get(fd);
	err_t error = ERR_UNSUPPORTED;

	if (file == NULL)
		return -1;
	if (refused == 0 && (file->kind == FILE_REGULAR || file->kind == FILE_DIRECTORY))
		error = request_send(file->session, file->number, r);
	file_drop(file);
	if (refused == 0)
		return request_result(r, error);
	errno = refused;
	return -1;
}

static err_t on_place(const struct place *place, bool follow, struct request *r)
{
	const uint32_t flags = FS_OPEN_NAME_ONLY | (follow || place->directory ? 0 : FS_OPEN_NO_FOLLOW);
	uint64_t file, size, inode;
	uint32_t type;

	if (place->mount == NULL)
		return ERR_UNSUPPORTED;
	err_t error = fs_open(place->session, flags, 0, place->rest, &file, &size, &type, &inode);
	if (error != OK)
		return error;
	error = place->directory && type != FS_TYPE_DIRECTORY ? ERR_NOT_DIR : request_send(place->session, file, r);
	drop(fs_close(place->session, file));
	return error;
}

static ssize_t on_path(const char *path, bool follow, struct request *r)
{
	struct place place;
	const int refused = request_check(r);

	if (refused != 0) {
		errno = refused;
		return -1;
	}
	err_t error = place_find(path, &place);
	if (error != OK)
		return fail(error);
	do
		error = on_place(&place, follow, r);
	while (place_again(&place, follow, &error));
	return request_result(r, error);
}

#define SET_REQUEST \
	(&(struct request) { .kind = SET, .name = name, .value = value, .size = size, .flags = (uint32_t)flags })
#define GET_REQUEST (&(struct request) { .kind = GET, .name = name, .out = value, .size = size })
#define LIST_REQUEST (&(struct request) { .kind = LIST, .out = names, .size = size })
#define REMOVE_REQUEST (&(struct request) { .kind = REMOVE, .name = name })

int setxattr(const char *path, const char *name, const void *value, size_t size, int flags)
{
	return (int)on_path(path, true, SET_REQUEST);
}

int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)
{
	return (int)on_path(path, false, SET_REQUEST);
}

int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)
{
	return (int)on_file(fd, SET_REQUEST);
}

ssize_t getxattr(const char *path, const char *name, void *value, size_t size)
{
	return on_path(path, true, GET_REQUEST);
}

ssize_t lgetxattr(const char *path, const char *name, void *value, size_t size)
{
	return on_path(path, false, GET_REQUEST);
}

ssize_t fgetxattr(int fd, const char *name, void *value, size_t size)
{
	return on_file(fd, GET_REQUEST);
}

ssize_t listxattr(const char *path, char *names, size_t size)
{
	return on_path(path, true, LIST_REQUEST);
}

ssize_t llistxattr(const char *path, char *names, size_t size)
{
	return on_path(path, false, LIST_REQUEST);
}

ssize_t flistxattr(int fd, char *names, size_t size)
{
	return on_file(fd, LIST_REQUEST);
}

int removexattr(const char *path, const char *name)
{
	return (int)on_path(path, true, REMOVE_REQUEST);
}

int lremovexattr(const char *path, const char *name)
{
	return (int)on_path(path, false, REMOVE_REQUEST);
}

int fremovexattr(int fd, const char *name)
{
	return (int)on_file(fd, REMOVE_REQUEST);
}
