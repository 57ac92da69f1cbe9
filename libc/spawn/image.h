/* SPDX-License-Identifier: BSD-2-Clause */
/* image.h - a program's bytes, ready to be mapped into a process. Private to libc.
 * Where the file system lets the file itself be run (fs.proto, map), segments that nobody writes are mapped from it and
 * shared by all who run it, and the others are copies, made page by page when they are touched. Else the segments are
 * read into one VMO. */
#pragma once

#include <lintel/process.h>

#include "spawn/elf.h"

struct image {
	struct elf_image elf;
	bool in_place;
	handle_t vmo; /* the file's (in_place), or the segments' pages, one after the other */
};

/* From request->path or request->image. Errors of the file; ERR_BAD_FORMAT; ERR_NO_MEMORY. */
MUST_USE err_t image_load(const struct spawn_request *request, struct image *image);
MUST_USE err_t image_map(const struct image *image, handle_t process);
void image_release(struct image *image);
