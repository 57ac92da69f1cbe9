/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_elf.c - any bytes as an ELF file (libFuzzer's entry; clang -fsanitize=fuzzer,address,undefined, with -Ilibc
 * and libc/spawn/elf.c). Nothing outside them is read, and what is accepted keeps the loader's promises. */
#include <stdlib.h>

#include "spawn/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void require(bool condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct elf_image image;
	uint64_t end = 0x1000, total = 0;
	bool entry_found = false;

	if (elf_parse(data, bytes, bytes, &image) != OK)
		return 0;
	require(image.count > 0 && image.count <= ELF_SEGMENTS_MAX);
	for (uint32_t i = 0; i < image.count; i++) {
		const struct elf_segment *s = &image.segments[i];
		require(s->address >= end && s->bytes > 0 && (s->address | s->bytes) % PAGE_SIZE == 0);
		end = s->address + s->bytes;
		require(end <= 0x7ffffffff000ull && (end <= 0x7f0000000000ull || s->address >= 0x7f8000000000ull));
		require(s->lead < PAGE_SIZE && s->lead + s->file_bytes <= s->bytes);
		require(s->file_offset <= bytes && s->file_bytes <= bytes - s->file_offset);
		require((s->map_flags & (SPACE_WRITE | SPACE_EXECUTE)) != (SPACE_WRITE | SPACE_EXECUTE));
		entry_found |= (s->map_flags & SPACE_EXECUTE) && image.entry >= s->address && image.entry < end;
		total += s->bytes;
	}
	require(entry_found && total == image.bytes);
	return 0;
}
