/* SPDX-License-Identifier: BSD-2-Clause */
/* image.h - a program's bytes, ready to be mapped into a process. Private to libc.
 * Where the file system lets the file itself be run (fs.proto, map), segments that nobody writes are mapped from it and
 * shared by all who run it. What is left lies in a VMO of this process's own, one segment after the other. */
#pragma once

#include <lintel/process.h>

#include "spawn/elf.h"

struct image {
	struct elf_image elf;
	handle_t file;       /* HANDLE_NONE: it may not be run in place */
	handle_t own;        /* HANDLE_NONE: nothing is left */
	uint64_t own_bytes;
};

/* From request->path or request->image. Errors of the file; ERR_BAD_FORMAT; ERR_NO_MEMORY. */
MUST_USE err_t image_load(const struct spawn_request *request, struct image *image);
MUST_USE err_t image_map(const struct image *image, handle_t process);
void image_release(struct image *image);
