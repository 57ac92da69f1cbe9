/* SPDX-License-Identifier: BSD-2-Clause */
/* image.c - a program's bytes: mapped from the file, or read once, straight to where the child will see them: a VMO
 * that holds all segments, mapped here only while it is filled. */
#include "spawn/image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <lintel/fs_client.h>

#include "core/sys.h"
#include "posix/file.h"

/* A file (fd >= 0), as a VMO where the file system gives one to run, or bytes in memory. */
struct source {
	int fd;
	handle_t vmo;
	const char *bytes;
	uint64_t size;
	char header[ELF_HEADER_BYTES_MAX];
};

/* The reverse of fail(): what a POSIX call refused with, for a caller that speaks err_t. */
static err_t error_of_errno(void)
{
	switch (errno) {
	case ENOENT: return ERR_NOT_FOUND;
	case ENOTDIR: return ERR_NOT_DIR;
	case EISDIR: return ERR_IS_DIR;
	case ENAMETOOLONG: return ERR_NAME_TOO_LONG;
	case EACCES: return ERR_DENIED;
	case ENOMEM: return ERR_NO_MEMORY;
	case EMFILE: return ERR_TOO_MANY;
	case ELOOP: return ERR_TOO_DEEP;
	}
	return ERR_IO;
}

static err_t source_read(const struct source *source, uint64_t offset, void *out, size_t bytes)
{
	size_t at = 0;

	if (source->vmo != HANDLE_NONE)
		return lintel_vmo_read(source->vmo, offset, out, bytes);
	if (source->fd < 0) {
		memcpy(out, source->bytes + offset, bytes); /* elf_parse has checked the range */
		return OK;
	}
	while (at < bytes) {
		ssize_t done = pread(source->fd, (char *)out + at, bytes - at, (off_t)(offset + at));
		if (done < 0)
			return error_of_errno();
		if (done == 0)
			return ERR_BAD_FORMAT; /* it has shrunk since */
		at += (size_t)done;
	}
	return OK;
}

/* The file's size, and its VMO if it may be run in place. */
static err_t source_inspect(struct source *source)
{
	struct file *file = file_get_regular(source->fd, O_RDONLY);
	struct stat st;

	if (file == NULL)
		return errno == EISDIR ? ERR_IS_DIR : ERR_BAD_FORMAT;
	err_t error = fs_map(file->session, file->number, RIGHT_READ | RIGHT_EXECUTE, &source->vmo, &source->size);
	file_drop(file);
	if (error == OK)
		return OK;
	source->vmo = HANDLE_NONE;
	if (fstat(source->fd, &st) != 0)
		return error_of_errno();
	source->size = (uint64_t)st.st_size;
	return S_ISREG(st.st_mode) ? OK : ERR_BAD_FORMAT;
}

static err_t source_open(const struct spawn_request *request, struct source *source)
{
	source->fd = -1;
	source->vmo = HANDLE_NONE;
	source->bytes = request->image;
	source->size = request->image_bytes;
	if (request->path == NULL)
		return request->image == NULL ? ERR_ARGS : OK;
	source->fd = open(request->path, O_RDONLY | O_CLOEXEC);
	if (source->fd < 0)
		return error_of_errno();
	err_t error = source_inspect(source);
	if (error != OK)
		close(source->fd);
	return error;
}

/* All but the VMO, which is the image's. */
static void source_close(struct source *source)
{
	if (source->fd >= 0)
		close(source->fd);
}

static err_t read_segments(const struct source *source, const struct elf_image *elf, char *pages)
{
	err_t error = OK;

	for (uint32_t i = 0; i < elf->count && error == OK; i++) {
		const struct elf_segment *segment = &elf->segments[i];
		error = source_read(source, segment->file_offset, pages + segment->lead, segment->file_bytes);
		pages += segment->bytes;
	}
	return error;
}

static err_t fill_vmo(const struct source *source, const struct elf_image *elf, handle_t vmo)
{
	uint64_t address;
	err_t error = lintel_space_map(lintel_process(), vmo, 0, elf->bytes, 0, SPACE_READ | SPACE_WRITE, &address);

	if (error != OK)
		return error;
	error = read_segments(source, elf, (char *)address);
	drop(lintel_space_unmap(lintel_process(), address, elf->bytes));
	return error;
}

err_t image_load(const struct spawn_request *request, struct image *image)
{
	struct source source;
	err_t error = source_open(request, &source);

	if (error != OK)
		return error;
	image->in_place = source.vmo != HANDLE_NONE;
	image->vmo = source.vmo;
	size_t header = source.size < sizeof(source.header) ? source.size : sizeof(source.header);
	error = source_read(&source, 0, source.header, header);
	if (error == OK)
		error = elf_parse(source.header, header, source.size, &image->elf);
	if (error == OK && !image->in_place) {
		error = lintel_vmo_create(image->elf.bytes, 0, &image->vmo);
		if (error == OK)
			error = fill_vmo(&source, &image->elf, image->vmo);
	}
	source_close(&source);
	if (error != OK)
		image_release(image);
	return error;
}

/* Can its pages be those of the file? Then they show what lies around it in the file's first and last page too. */
static bool is_shared(const struct elf_segment *segment)
{
	return !(segment->map_flags & SPACE_WRITE) && segment->file_bytes > 0 &&
		   round_to_pages(segment->lead + segment->file_bytes) == segment->bytes;
}

static err_t map_in_place(handle_t file, const struct elf_segment *segment, handle_t process)
{
	uint64_t start = segment->file_offset - segment->lead, address;
	uint32_t flags = segment->map_flags | SPACE_FIXED;
	handle_t vmo;
	err_t error;

	if (is_shared(segment))
		return lintel_space_map(process, file, start, segment->bytes, segment->address, flags, &address);
	if (segment->file_bytes == 0)
		error = lintel_vmo_create(segment->bytes, 0, &vmo);
	else
		error = lintel_vmo_copy(file, start, segment->lead + segment->file_bytes, segment->bytes, &vmo);
	if (error != OK)
		return error;
	error = lintel_space_map(process, vmo, 0, segment->bytes, segment->address, flags, &address);
	lintel_handle_close(vmo);
	return error;
}

err_t image_map(const struct image *image, handle_t process)
{
	uint64_t offset = 0, address;
	err_t error = OK;

	for (uint32_t i = 0; i < image->elf.count && error == OK; i++) {
		const struct elf_segment *segment = &image->elf.segments[i];
		if (image->in_place)
			error = map_in_place(image->vmo, segment, process);
		else
			error = lintel_space_map(process, image->vmo, offset, segment->bytes, segment->address,
									 segment->map_flags | SPACE_FIXED, &address);
		offset += segment->bytes;
	}
	return error;
}

void image_release(struct image *image)
{
	if (image->vmo != HANDLE_NONE)
		lintel_handle_close(image->vmo);
}
