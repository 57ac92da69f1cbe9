/* SPDX-License-Identifier: BSD-2-Clause */
/* image.h - a program's bytes, read and laid out in one VMO, ready to be mapped into a process. Private to libc. */
#pragma once

#include <lintel/process.h>

#include "spawn/elf.h"

struct image {
	struct elf_image elf;
	handle_t vmo; /* the segments' pages, one after the other */
};

/* From request->path or request->image. Errors of the file; ERR_BAD_FORMAT; ERR_NO_MEMORY. */
MUST_USE err_t image_load(const struct spawn_request *request, struct image *image);
MUST_USE err_t image_map(const struct image *image, handle_t process);
void image_release(struct image *image);
