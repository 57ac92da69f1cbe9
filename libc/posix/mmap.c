/* SPDX-License-Identifier: BSD-2-Clause */
/* mmap.c - mappings. Anonymous ones are VMOs of their own; MAP_SHARED of a file maps the VMO that the file system
 * gives for it; MAP_PRIVATE of a file is an anonymous copy, made at once. msync needs to know which file lies where,
 * so shared file mappings are kept on a list. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <lintel/fs_client.h>

#include "core/sys.h"
#include "posix/file.h"
#include "posix/lease.h"

struct shared_map {
	struct shared_map *next;
	uintptr_t start, end;
	struct file *file; /* a reference */
};

static struct lock maps_lock;
static struct shared_map *maps; /* under maps_lock */

static uint32_t protection_flags(int protection)
{
	return (protection & PROT_READ ? SPACE_READ : 0u) | (protection & PROT_WRITE ? SPACE_READ | SPACE_WRITE : 0u) |
		   (protection & PROT_EXEC ? SPACE_READ | SPACE_EXECUTE : 0u);
}

static void *map_failed(err_t error)
{
	fail(error);
	return MAP_FAILED;
}

/* Take [start, end) off the list; a mapping that sticks out on both sides needs `spare`, which is consumed then. */
static void maps_remove(uintptr_t start, uintptr_t end, struct shared_map **spare)
{
	struct shared_map **link = &maps, *dropped = NULL;

	lock_acquire(&maps_lock);
	while (*link != NULL) {
		struct shared_map *map = *link;
		if (map->end <= start || map->start >= end) {
			link = &map->next;
		} else if (map->start >= start && map->end <= end) {
			*link = map->next;
			map->next = dropped;
			dropped = map;
		} else if (map->start < start && map->end > end) {
			struct shared_map *high = *spare;
			*spare = NULL;
			*high = (struct shared_map){ map->next, end, map->end, map->file };
			__atomic_add_fetch(&map->file->references, 1, __ATOMIC_RELAXED);
			map->end = start;
			map->next = high;
			break;
		} else {
			if (map->start < start)
				map->end = start;
			else
				map->start = end;
			link = &map->next;
		}
	}
	lock_release(&maps_lock);
	while (dropped != NULL) {
		struct shared_map *map = dropped;
		dropped = map->next;
		file_drop(map->file);
		free(map);
	}
}

static err_t unmap(uintptr_t start, size_t bytes)
{
	struct shared_map *spare = NULL;

	if (__atomic_load_n(&maps, __ATOMIC_RELAXED) != NULL) {
		spare = malloc(sizeof(*spare));
		if (spare == NULL)
			return ERR_NO_MEMORY;
	}
	err_t error = lintel_space_unmap(lintel_process(), start, bytes);
	if (error == OK && spare != NULL)
		maps_remove(start, start + bytes, &spare);
	free(spare);
	return error;
}

static err_t map_vmo(handle_t vmo, uint64_t offset, void *hint, size_t bytes, uint32_t map_flags, uintptr_t *out)
{
	uint64_t address;

	if (map_flags & SPACE_FIXED) {
		err_t error = unmap((uintptr_t)hint, bytes);
		if (error != OK)
			return error;
	}
	err_t error = lintel_space_map(lintel_process(), vmo, offset, bytes, (uint64_t)hint, map_flags, &address);
	if (error == OK)
		*out = address;
	return error;
}

static err_t map_anonymous(void *hint, size_t bytes, uint32_t map_flags, uintptr_t *out)
{
	handle_t vmo;
	err_t error = lintel_vmo_create(bytes, 0, &vmo);

	if (error != OK)
		return error;
	error = map_vmo(vmo, 0, hint, bytes, map_flags, out);
	lintel_handle_close(vmo);
	return error;
}

/* The copy is made through a writable mapping, which then gets the protection that was asked for. */
static err_t map_private(int fd, off_t offset, void *hint, size_t bytes, uint32_t map_flags, uintptr_t *out)
{
	uint32_t wanted = map_flags & (SPACE_READ | SPACE_WRITE | SPACE_EXECUTE), others = map_flags & ~wanted;
	size_t at = 0;
	err_t error = OK;

	if (wanted & SPACE_EXECUTE)
		return ERR_UNSUPPORTED; /* a page is never both writable and executable, not even once */
	error = map_anonymous(hint, bytes, others | SPACE_READ | SPACE_WRITE, out);
	if (error != OK)
		return error;
	while (at < bytes) {
		ssize_t done = pread(fd, (char *)*out + at, bytes - at, offset + (off_t)at);
		if (done < 0)
			error = errno == EISDIR ? ERR_IS_DIR : ERR_IO;
		if (done <= 0)
			break;
		at += (size_t)done;
	}
	if (error == OK && !(wanted & SPACE_WRITE))
		error = lintel_space_protect(lintel_process(), *out, bytes, wanted);
	if (error != OK)
		drop(lintel_space_unmap(lintel_process(), *out, bytes));
	return error;
}

static err_t map_shared(struct file *file, off_t offset, void *hint, size_t bytes, uint32_t map_flags, uintptr_t *out)
{
	uint32_t rights = RIGHT_READ | (map_flags & SPACE_WRITE ? RIGHT_WRITE : 0u);
	struct shared_map *map = malloc(sizeof(*map));
	uint64_t size;
	handle_t vmo;

	if (map == NULL)
		return ERR_NO_MEMORY;
	err_t error = fs_map(file->session, file->number, rights, &vmo, &size);
	if (error != OK)
		goto free_map;
	error = map_vmo(vmo, (uint64_t)offset, hint, bytes, map_flags, out);
	lintel_handle_close(vmo);
	if (error != OK)
		goto free_map;
	*map = (struct shared_map){ .start = *out, .end = *out + bytes, .file = file };
	__atomic_add_fetch(&file->references, 1, __ATOMIC_RELAXED);
	lock_acquire(&maps_lock);
	map->next = maps;
	__atomic_store_n(&maps, map, __ATOMIC_RELAXED);
	lock_release(&maps_lock);
	return OK;
free_map:
	free(map);
	return error;
}

static err_t map_file(int fd, off_t offset, void *hint, size_t bytes, int flags, uint32_t map_flags, uintptr_t *out)
{
	struct file *file = file_get_regular(fd, -1);
	err_t error;

	if (file == NULL)
		return errno == EBADF ? ERR_BAD_HANDLE : errno == EISDIR ? ERR_IS_DIR : ERR_UNSUPPORTED;
	bool shared = (flags & MAP_SHARED) != 0;
	if (!file_readable(file) || (shared && (map_flags & SPACE_WRITE) && !file_writable(file)))
		error = ERR_DENIED;
	else if (shared)
		error = map_shared(file, offset, hint, bytes, map_flags, out);
	else
		error = map_private(fd, offset, hint, bytes, map_flags, out);
	file_drop(file);
	return error;
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	bool shared = (flags & MAP_SHARED) != 0, private = (flags & MAP_PRIVATE) != 0;
	uint32_t map_flags = protection_flags(protection) | (flags & MAP_FIXED ? SPACE_FIXED : 0u) |
						 (flags & MAP_POPULATE ? SPACE_POPULATE : 0u);
	size_t bytes = round_to_pages(length);
	uintptr_t out;

	if (length == 0 || bytes < length || shared == private || offset < 0 || (offset & (off_t)PAGE_MASK) ||
		((flags & MAP_FIXED) && ((uintptr_t)address & PAGE_MASK)))
		return map_failed(ERR_ARGS);
	void *hint = (void *)((uintptr_t)address & ~(uintptr_t)PAGE_MASK);
	err_t error = flags & MAP_ANONYMOUS ? map_anonymous(hint, bytes, map_flags, &out)
										: map_file(fd, offset, hint, bytes, flags, map_flags, &out);
	return error == OK ? (void *)out : map_failed(error);
}

int munmap(void *address, size_t length)
{
	if (length == 0 || ((uintptr_t)address & PAGE_MASK))
		return fail(ERR_ARGS);
	err_t error = unmap((uintptr_t)address, round_to_pages(length));
	return error == OK ? 0 : fail(error);
}

int mprotect(void *address, size_t length, int protection)
{
	err_t error = (uintptr_t)address & PAGE_MASK ? ERR_ARGS : OK;

	if (error == OK && length > 0)
		error = lintel_space_protect(lintel_process(), (uint64_t)address, round_to_pages(length),
									 protection_flags(protection));
	if (error == OK)
		return 0;
	fail(error);
	errno = error == ERR_NOT_FOUND ? ENOMEM : errno;
	return -1;
}

#define WRITE_BACK_BYTES_MAX (128u << 10) /* of more the file system knows better where there were stores */

/* Stores to a shared mapping are in the file at once; what is left is to make them durable, out of the CPU's caches,
 * and to tell the file system that there were some. What is not written back from here, it writes back. */
static err_t sync_map(const struct shared_map *map, uintptr_t from, uintptr_t to)
{
	const struct file *file = map->file;
	const bool written = to - from <= WRITE_BACK_BYTES_MAX && lease_write_back((const void *)from, to - from);
	err_t error = file_writable(file) ? fs_sync(file->session, file->number, FS_SYNC_STORED) : OK;

	return error == OK && !written ? fs_sync(file->session, file->number, 0) : error;
}

static err_t sync_range(uintptr_t start, uintptr_t end)
{
	err_t result = OK;

	lock_acquire(&maps_lock);
	for (struct shared_map *map = maps; map != NULL && result == OK; map = map->next) {
		uintptr_t from = map->start > start ? map->start : start, to = map->end < end ? map->end : end;
		if (from < to)
			result = sync_map(map, from, to);
	}
	lock_release(&maps_lock);
	return result;
}

int msync(void *address, size_t length, int flags)
{
	if (((uintptr_t)address & PAGE_MASK) || (flags & MS_ASYNC && flags & MS_SYNC))
		return fail(ERR_ARGS);
	if (!(flags & MS_SYNC))
		return 0;
	err_t error = sync_range((uintptr_t)address, (uintptr_t)address + length);
	return error == OK ? 0 : fail(error);
}

int madvise(void *address, size_t length, int advice)
{
	const bool large = advice == MADV_HUGEPAGE;

	if (((uintptr_t)address & PAGE_MASK) || (!large && advice != MADV_NOHUGEPAGE))
		return fail(ERR_ARGS);
	err_t error = length == 0 ? OK : lintel_space_advise(lintel_process(), (uint64_t)address, round_to_pages(length),
			large ? SPACE_LARGE : 0);
	if (error == OK)
		return 0;
	fail(error);
	errno = error == ERR_NOT_FOUND ? ENOMEM : errno;
	return -1;
}

int posix_madvise(void *address, size_t length, int advice)
{
	(void)address;
	(void)length;
	return advice >= POSIX_MADV_NORMAL && advice <= POSIX_MADV_DONTNEED ? 0 : EINVAL;
}
