/* SPDX-License-Identifier: BSD-2-Clause */
/* elf.h - which ELF files Lintel runs, and what of them goes where. Pure: builds on the host. Private to libc.
 * Only what the file says about itself is looked at, and nothing of it is believed. */
#pragma once

#include <lintel/types.h>

#define ELF_SEGMENTS_MAX 16
#define ELF_HEADER_BYTES_MAX 1024 /* the ELF header and all program headers (up to 17 of them) lie in the first KiB */
#define ELF_IMAGE_BYTES_MAX (4ull << 30)

/* One loadable segment. Pages: [address, address + bytes), both page-aligned. Of them the file fills
 * [address + lead, address + lead + file_bytes); the rest is zero. */
struct elf_segment {
	uint64_t address;
	uint64_t bytes;
	uint64_t lead;
	uint64_t file_offset;
	uint64_t file_bytes;
	uint32_t map_flags; /* enum space_flag: READ, with WRITE or EXECUTE but never both */
};

struct elf_image {
	uint64_t entry;
	uint64_t bytes; /* of all segments */
	uint32_t count;
	struct elf_segment segments[ELF_SEGMENTS_MAX]; /* by address; they do not overlap */
};

/* `header` is the start of a file of `file_bytes` bytes: all of it, or the first ELF_HEADER_BYTES_MAX.
 * ERR_BAD_FORMAT for everything that is not a static x86-64 executable in the user half with sane, disjoint, W^X
 * segments and its entry in an executable one. */
MUST_USE err_t elf_parse(const void *header, size_t header_bytes, uint64_t file_bytes, struct elf_image *out);
