/* SPDX-License-Identifier: BSD-2-Clause */
/* elf.c - reading ELF headers (System V ABI, chapter "Object files"; x86-64 psABI, section 4.1). */
#include "spawn/elf.h"

#include <string.h>

#define USER_FIRST 0x1000ull
#define USER_END 0x7ffffffff000ull
#define WINDOW_FIRST 0x7f0000000000ull /* the slot where serving spaces have their windows */
#define WINDOW_END 0x7f8000000000ull

enum { EI_CLASS = 4, EI_DATA = 5, EI_VERSION = 6, ELFCLASS64 = 2, ELFDATA2LSB = 1, EV_CURRENT = 1 };
enum { ET_EXEC = 2, EM_X86_64 = 62 };
enum { PT_LOAD = 1, PT_DYNAMIC = 2, PT_INTERP = 3 };
enum { PF_X = 1, PF_W = 2, PF_R = 4 };

struct elf_header {
	unsigned char ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, program_offset, section_offset;
	uint32_t flags;
	uint16_t header_bytes, program_bytes, program_count, section_bytes, section_count, section_names;
};
_Static_assert(sizeof(struct elf_header) == 64, "Elf64_Ehdr");

struct elf_program {
	uint32_t type, flags;
	uint64_t offset, address, physical, file_bytes, memory_bytes, align;
};
_Static_assert(sizeof(struct elf_program) == 56, "Elf64_Phdr");

static bool header_ok(const struct elf_header *header, size_t available)
{
	static const unsigned char magic[4] = { 0x7f, 'E', 'L', 'F' };

	if (memcmp(header->ident, magic, sizeof(magic)) != 0 || header->ident[EI_CLASS] != ELFCLASS64 ||
		header->ident[EI_DATA] != ELFDATA2LSB || header->ident[EI_VERSION] != EV_CURRENT)
		return false;
	if (header->type != ET_EXEC || header->machine != EM_X86_64 || header->version != EV_CURRENT ||
		header->header_bytes != sizeof(struct elf_header) || header->program_bytes != sizeof(struct elf_program))
		return false;
	uint64_t table = (uint64_t)header->program_count * sizeof(struct elf_program);
	return header->program_count > 0 && header->program_offset <= available &&
		   table <= available - header->program_offset;
}

static bool program_ok(const struct elf_program *program, uint64_t file_bytes)
{
	uint64_t end, file_end;

	if (program->file_bytes > program->memory_bytes ||
		__builtin_add_overflow(program->address, program->memory_bytes, &end) ||
		__builtin_add_overflow(program->offset, program->file_bytes, &file_end))
		return false;
	if (file_end > file_bytes || program->address < USER_FIRST || end > USER_END ||
		(program->address < WINDOW_END && end > WINDOW_FIRST))
		return false;
	if ((program->address & PAGE_MASK) != (program->offset & PAGE_MASK) && program->file_bytes > 0)
		return false;
	return (program->flags & (PF_W | PF_X)) != (PF_W | PF_X);
}

static uint32_t map_flags(uint32_t flags)
{
	return SPACE_READ | (flags & PF_W ? SPACE_WRITE : 0u) | (flags & PF_X ? SPACE_EXECUTE : 0u);
}

static err_t add_segment(const struct elf_program *program, uint64_t file_bytes, struct elf_image *image)
{
	const struct elf_segment *last = image->count > 0 ? &image->segments[image->count - 1] : NULL;

	if (program->memory_bytes == 0)
		return OK;
	if (image->count == ELF_SEGMENTS_MAX || !program_ok(program, file_bytes))
		return ERR_BAD_FORMAT;
	uint64_t start = program->address & ~PAGE_MASK;
	uint64_t end = (program->address + program->memory_bytes + PAGE_MASK) & ~PAGE_MASK;
	if (last != NULL && start < last->address + last->bytes)
		return ERR_BAD_FORMAT; /* they overlap, share a page, or are out of order */
	image->segments[image->count++] = (struct elf_segment){
		.address = start,
		.bytes = end - start,
		.lead = program->address - start,
		.file_offset = program->offset,
		.file_bytes = program->file_bytes,
		.map_flags = map_flags(program->flags),
	};
	image->bytes += end - start;
	return image->bytes <= ELF_IMAGE_BYTES_MAX ? OK : ERR_BAD_FORMAT;
}

static bool entry_ok(const struct elf_image *image)
{
	for (uint32_t i = 0; i < image->count; i++) {
		const struct elf_segment *segment = &image->segments[i];
		uint64_t start = segment->address + segment->lead;
		if ((segment->map_flags & SPACE_EXECUTE) && image->entry >= start &&
			image->entry - start < segment->file_bytes)
			return true;
	}
	return false;
}

err_t elf_parse(const void *header_bytes_at, size_t header_bytes, uint64_t file_bytes, struct elf_image *out)
{
	struct elf_image image = { 0 };
	struct elf_program program;
	struct elf_header header;
	size_t available = header_bytes < file_bytes ? header_bytes : file_bytes;

	if (available > ELF_HEADER_BYTES_MAX)
		available = ELF_HEADER_BYTES_MAX;
	if (available < sizeof(header))
		return ERR_BAD_FORMAT;
	memcpy(&header, header_bytes_at, sizeof(header));
	if (!header_ok(&header, available))
		return ERR_BAD_FORMAT;
	image.entry = header.entry;
	for (uint32_t i = 0; i < header.program_count; i++) {
		memcpy(&program, (const char *)header_bytes_at + header.program_offset + i * sizeof(program), sizeof(program));
		if (program.type == PT_DYNAMIC || program.type == PT_INTERP)
			return ERR_BAD_FORMAT;
		err_t error = program.type == PT_LOAD ? add_segment(&program, file_bytes, &image) : OK;
		if (error != OK)
			return error;
	}
	if (!entry_ok(&image))
		return ERR_BAD_FORMAT;
	*out = image;
	return OK;
}
