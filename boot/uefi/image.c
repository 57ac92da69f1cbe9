/* SPDX-License-Identifier: GPL-2.0-only */
/* image.c - reads the headers of kernel.elf (System V ABI, ELF-64 object file format 1.5, chapters 3 and 9).
 * Invariant after success: every segment lies inside the file and between 1 MiB and 1 GiB, segments share no byte, and
 * the entry lies in the file's part of an executable one. */

#include "boot/uefi/image.h"

#define HEADER_BYTES 64
#define SEGMENT_BYTES 56
#define CLASS_64 2
#define DATA_LITTLE 1
#define TYPE_EXECUTABLE 2
#define MACHINE_X86_64 62
#define SEGMENT_LOAD 1
#define FLAG_EXECUTE 1
#define LOAD_BASE_MIN (1ull << 20)
#define LOAD_END_MAX (1ull << 30)
#define PAGE 4096ull

static uint64_t get(const uint8_t *at, uint32_t bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | at[bytes];
	return value;
}

static const char *check_header(const uint8_t *file, uint64_t bytes)
{
	if (bytes < HEADER_BYTES || get(file, 4) != 0x464c457f)
		return "it is not an ELF file";
	if (file[4] != CLASS_64 || file[5] != DATA_LITTLE || file[6] != 1)
		return "it is not a 64-bit little-endian ELF file";
	if (get(file + 16, 2) != TYPE_EXECUTABLE || get(file + 18, 2) != MACHINE_X86_64)
		return "it is not an x86-64 executable";
	if (get(file + 54, 2) != SEGMENT_BYTES)
		return "its program headers have an unknown size";
	if (get(file + 32, 8) > bytes || get(file + 56, 2) * SEGMENT_BYTES > bytes - get(file + 32, 8))
		return "its program headers lie outside the file";
	return NULL;
}

static const char *check_segment(const struct image_segment *segment, uint64_t file_bytes)
{
	if (segment->offset > file_bytes || segment->file_bytes > file_bytes - segment->offset)
		return "a segment lies outside the file; it may be cut short";
	if (segment->file_bytes > segment->memory_bytes)
		return "a segment is larger in the file than in memory";
	if (segment->physical < LOAD_BASE_MIN || segment->physical > LOAD_END_MAX ||
	    segment->memory_bytes > LOAD_END_MAX - segment->physical)
		return "a segment wants memory below 1 MiB or above 1 GiB";
	return NULL;
}

static bool overlaps(const struct image *image, const struct image_segment *segment)
{
	for (uint32_t i = 0; i < image->segments; i++) {
		const struct image_segment *other = &image->segment[i];

		if (segment->physical < other->physical + other->memory_bytes &&
		    other->physical < segment->physical + segment->memory_bytes)
			return true;
	}
	return false;
}

static const char *add_segments(const uint8_t *file, uint64_t bytes, struct image *image)
{
	const uint8_t *header = file + get(file + 32, 8);

	for (uint64_t i = 0; i < get(file + 56, 2); i++, header += SEGMENT_BYTES) {
		struct image_segment segment = {
			.offset = get(header + 8, 8),
			.physical = get(header + 24, 8),
			.file_bytes = get(header + 32, 8),
			.memory_bytes = get(header + 40, 8),
			.executable = get(header + 4, 4) & FLAG_EXECUTE,
		};
		const char *why;

		if (get(header, 4) != SEGMENT_LOAD || !segment.memory_bytes)
			continue;
		why = check_segment(&segment, bytes);
		if (why)
			return why;
		if (image->segments == IMAGE_SEGMENTS_MAX)
			return "it has too many segments";
		if (overlaps(image, &segment))
			return "its segments overlap";
		image->segment[image->segments++] = segment;
	}
	return image->segments ? NULL : "it has no segment to load";
}

static void find_extent(struct image *image)
{
	uint64_t base = UINT64_MAX, end = 0;

	for (uint32_t i = 0; i < image->segments; i++) {
		const struct image_segment *segment = &image->segment[i];

		base = segment->physical < base ? segment->physical : base;
		if (segment->physical + segment->memory_bytes > end)
			end = segment->physical + segment->memory_bytes;
	}
	image->base = base & ~(PAGE - 1);
	image->bytes = ((end + PAGE - 1) & ~(PAGE - 1)) - image->base;
}

static bool entry_is_valid(const struct image *image)
{
	for (uint32_t i = 0; i < image->segments; i++) {
		const struct image_segment *segment = &image->segment[i];

		if (segment->executable && image->entry >= segment->physical &&
		    image->entry - segment->physical < segment->file_bytes)
			return true;
	}
	return false;
}

const char *image_check(const uint8_t *file, uint64_t bytes, struct image *out)
{
	struct image image = { 0 };
	const char *why = check_header(file, bytes);

	if (!why)
		why = add_segments(file, bytes, &image);
	if (why)
		return why;
	image.entry = get(file + 24, 8);
	if (!entry_is_valid(&image))
		return "its entry point is not in an executable segment";
	find_extent(&image);
	*out = image;
	return NULL;
}
