/* SPDX-License-Identifier: GPL-2.0-only */
/* image.h - what is wanted of a kernel file before a byte of it is loaded. No firmware calls: runs on the host. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_SEGMENTS_MAX 16

struct image_segment {
	uint64_t physical;
	uint64_t offset; /* in the file */
	uint64_t file_bytes;
	uint64_t memory_bytes;
	bool executable;
};

struct image {
	uint64_t base; /* page aligned extent of all segments */
	uint64_t bytes;
	uint64_t entry; /* physical */
	uint32_t segments;
	struct image_segment segment[IMAGE_SEGMENTS_MAX];
};

/* NULL when the file can be loaded, and *out is filled; else a sentence that says why not. */
const char *image_check(const uint8_t *file, uint64_t bytes, struct image *out);
